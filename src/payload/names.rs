//! Sets of names, of which a peer may send thousands.

use std::collections::HashSet;
use std::hash::{Hash, Hasher};

/// Names without regard to case. Looking one up costs the same however many there are.
#[derive(Debug, Default)]
pub(crate) struct Names<'a>(HashSet<Name<'a>>);

impl<'a> Names<'a> {
    /// Adds a name. False if it was there.
    pub(crate) fn insert(&mut self, name: &'a [u8]) -> bool {
        self.0.insert(Name(name))
    }

    pub(crate) fn contains(&self, name: &[u8]) -> bool {
        self.0.contains(&Name(name))
    }
}

#[derive(Debug)]
struct Name<'a>(&'a [u8]);

impl PartialEq for Name<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(other.0)
    }
}

impl Eq for Name<'_> {}

impl Hash for Name<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for byte in self.0 {
            state.write_u8(byte.to_ascii_lowercase());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::hash::{BuildHasher, RandomState};

    use super::*;

    /// Names that are not equal are told apart by their hash: otherwise each look would cost all of them.
    #[test]
    fn the_case_does_not_count_and_all_else_does() {
        let state = RandomState::new();
        let hash = |name: &str| state.hash_one(Name(name.as_bytes()));
        let mut names = Names::default();
        assert!(names.insert(b"Ab") && !names.insert(b"aB"));
        for (name, same) in [("AB", true), ("ab", true), ("ac", false), ("a", false)] {
            assert_eq!(names.contains(name.as_bytes()), same, "{name}");
            assert_eq!(hash(name) == hash("Ab"), same, "{name}");
        }
    }
}

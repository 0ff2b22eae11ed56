//! `Authorization: Basic` (RFC 7617).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::trim_ows;

/// The credentials of `Authorization: Basic`. The `Debug` form hides the password.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The part before the first colon.
    pub user: String,
    /// The part after the first colon, further colons included (B29).
    pub password: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// The value of an Authorization field. `None` if the grammar does not allow it: a user with a colon, or a control
/// character.
pub(crate) fn basic_value(user: &str, password: &str) -> Option<String> {
    let controls = user.chars().chain(password.chars()).any(char::is_control);
    (!user.contains(':') && !controls)
        .then(|| format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))))
}

/// Reads the value of an Authorization field. `None` for another scheme or a malformed value.
pub(crate) fn basic(value: &[u8]) -> Option<Credentials> {
    let (scheme, rest) = value.split_at_checked(6)?;
    if !scheme.eq_ignore_ascii_case(b"basic ") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(trim_ows(rest)).ok()?).ok()?;
    let (user, password) = text.split_once(':')?;
    Some(Credentials {
        user: user.to_owned(),
        password: password.to_owned(),
    })
}

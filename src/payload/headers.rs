//! The header fields of a message.

use std::fmt;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::block::Block;
use super::grammar::{is_field_value, is_token, members, trim_ows};
use super::known::{Known, KnownSet};
use super::lent::Lent;
use super::pool::give_block;
use crate::error::UseError;

/// Header or trailer fields: ordered, looked up without regard to case, and kept as they were sent.
///
/// Unlike a map, it keeps the order, the case of the names and every repeated line (P34 in the form of B26), so that a
/// message can be passed on as it came. Fields that were received are slices of one copy of the head. Fields that are
/// to be sent are kept in the form in which they are sent.
///
/// ```
/// use http_actors::Headers;
///
/// let mut headers = Headers::new();
/// headers.append("Set-Cookie", "a=1")?;
/// headers.append("Set-Cookie", "b=2")?;
/// headers.insert("content-type", "text/plain")?;
///
/// assert_eq!(headers.text("Content-Type"), Some("text/plain"));
/// assert_eq!(headers.get_all("set-cookie").count(), 2);
/// assert!(headers.insert("x", "split\r\nhere").is_err());
/// # Ok::<(), http_actors::error::UseError>(())
/// ```
#[derive(Clone, Default)]
pub struct Headers {
    own: Block,
    /// A received head, possibly shared with the connection, which remembers its last head. Reads prefer it; the first
    /// change copies it to `own`.
    shared: Lent<Block>,
}

impl Headers {
    /// Makes an empty section, without an allocation.
    pub fn new() -> Self {
        Self::default()
    }

    pub(crate) fn received(block: &Arc<Block>) -> Self {
        let mut headers = Self::default();
        headers.lend(block);
        headers
    }

    /// Takes a received head and keeps the memory of `own` for the next use.
    pub(crate) fn set_received(&mut self, block: Arc<Block>) {
        give_block(self.shared.give(block));
    }

    /// Takes a head that was received before, and is shared.
    pub(crate) fn lend(&mut self, block: &Arc<Block>) {
        give_block(self.shared.lend(block));
    }

    pub(crate) fn block(&self) -> &Block {
        self.shared.get().map_or(&self.own, |block| block)
    }

    /// The received head, if these fields were received and not changed since.
    pub(crate) fn shared(&self) -> Option<&Arc<Block>> {
        self.shared.get()
    }

    /// How much memory a cleared section keeps, in bytes of field lines.
    pub(crate) fn capacity(&self) -> usize {
        self.own.capacity()
    }

    /// Removes all fields and keeps the memory.
    pub fn clear(&mut self) {
        give_block(self.shared.clear());
        self.own.clear();
    }

    /// The number of field lines.
    pub fn len(&self) -> usize {
        self.block().len()
    }

    /// Whether there is no field line.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value of the first line with this name, as bytes.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.get_all(name).next()
    }

    /// The value of the first line with this name, if it is text (UTF-8).
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name)
            .and_then(|value| std::str::from_utf8(value).ok())
    }

    /// The values of all lines with this name, in order and not joined.
    pub fn get_all<'a, 'n>(
        &'a self,
        name: &'n str,
    ) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
        self.block()
            .iter()
            .filter(move |(field, _)| field.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| value)
    }

    /// Whether there is a line with this name.
    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// The members of a comma-separated list field, over all of its lines, trimmed and without empty ones (RFC 9110
    /// section 5.6.1). For fields without quoted strings, such as Connection.
    pub fn list<'a, 'n>(&'a self, name: &'n str) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
        self.get_all(name).flat_map(members)
    }

    /// Every line in order: its name as it was written, and its value.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &[u8])> {
        // A name is a token, so it is ASCII; the default is never taken.
        self.block()
            .iter()
            .map(|(name, value)| (std::str::from_utf8(name).unwrap_or_default(), value))
    }

    /// Adds a line and keeps existing ones. White space around the value is cut off.
    ///
    /// # Errors
    /// [`UseError::InvalidName`] or [`UseError::InvalidValue`]; then nothing is added.
    #[inline]
    pub fn append(
        &mut self,
        name: impl AsRef<[u8]>,
        value: impl AsRef<[u8]>,
    ) -> Result<(), UseError> {
        let (name, value) = (name.as_ref(), value.as_ref());
        let own = self.own_mut();
        if own.repeat(name, value) {
            return Ok(());
        }
        let (name, value) = check(name, value)?;
        if own.append(name, value) {
            Ok(())
        } else {
            Err(UseError::HeadersTooLarge)
        }
    }

    /// Sets a field: existing lines with this name are removed, the new one is the last.
    ///
    /// # Errors
    /// As [`append`](Self::append); then nothing changes.
    pub fn insert(
        &mut self,
        name: impl AsRef<[u8]>,
        value: impl AsRef<[u8]>,
    ) -> Result<(), UseError> {
        let (name, value) = check(name.as_ref(), value.as_ref())?;
        let own = self.own_mut();
        own.retain(|field, _| !field.eq_ignore_ascii_case(name));
        if own.append(name, value) {
            Ok(())
        } else {
            Err(UseError::HeadersTooLarge)
        }
    }

    /// Removes all lines with this name. Returns how many there were.
    pub fn remove(&mut self, name: &str) -> usize {
        self.own_mut()
            .retain(|field, _| !field.eq_ignore_ascii_case(name.as_bytes()))
    }

    pub(crate) fn has(&self, known: Known) -> bool {
        self.block().has(known)
    }

    pub(crate) fn has_any(&self, known: KnownSet) -> bool {
        self.block().has_any(known)
    }

    pub(crate) fn known(&self, known: Known) -> impl Iterator<Item = &[u8]> {
        self.block().known(known)
    }

    /// Whether a known list field has this member, without regard to case (P170).
    pub(crate) fn known_has(&self, known: Known, member: &[u8]) -> bool {
        self.block().known_has(known, member)
    }

    fn own_mut(&mut self) -> &mut Block {
        if self.shared.get().is_some() {
            self.unshare();
        }
        &mut self.own
    }

    /// Not inlined into `own_mut`, which stays small: most fields that are changed were never shared.
    #[cold]
    fn unshare(&mut self) {
        if let Some(shared) = self.shared.take() {
            self.own.copy(&shared);
        }
    }
}

fn check<'a>(name: &'a [u8], value: &'a [u8]) -> Result<(&'a [u8], &'a [u8]), UseError> {
    if !is_token(name) || name.len() > usize::from(u16::MAX) {
        return Err(UseError::InvalidName);
    }
    let value = trim_ows(value);
    if !is_field_value(value) {
        return Err(UseError::InvalidValue);
    }
    Ok((name, value))
}

/// Hides the values that carry credentials.
impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |(name, value): (_, &[u8])| {
            let value = if is_secret(str::as_bytes(name)) {
                "***".to_owned()
            } else {
                value.escape_ascii().to_string()
            };
            (name, value)
        };
        f.debug_map().entries(self.iter().map(shown)).finish()
    }
}

/// Whether the values of this field carry credentials, and stay out of logs.
pub(crate) fn is_secret(name: &[u8]) -> bool {
    const SECRET: [&str; 4] = [
        "Authorization",
        "Proxy-Authorization",
        "Cookie",
        "Set-Cookie",
    ];
    SECRET
        .iter()
        .any(|secret| name.eq_ignore_ascii_case(secret.as_bytes()))
}

/// Two header sections are equal if they have the same lines in the same order. The case of names does not count.
impl PartialEq for Headers {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len()
            && self
                .iter()
                .zip(other.iter())
                .all(|((name, value), (other_name, other_value))| {
                    name.eq_ignore_ascii_case(other_name) && value == other_value
                })
    }
}

impl Eq for Headers {}

impl TryFrom<&HeaderMap> for Headers {
    type Error = UseError;

    fn try_from(map: &HeaderMap) -> Result<Self, UseError> {
        let mut headers = Self::new();
        for (name, value) in map {
            headers.append(name.as_str(), value.as_bytes())?;
        }
        Ok(headers)
    }
}

impl TryFrom<&Headers> for HeaderMap {
    type Error = UseError;

    fn try_from(headers: &Headers) -> Result<Self, UseError> {
        let full = |_| UseError::HeadersTooLarge;
        let mut map = Self::try_with_capacity(headers.len()).map_err(full)?;
        for (name, value) in headers.block().iter() {
            let name = HeaderName::from_bytes(name).map_err(|_| UseError::InvalidName)?;
            let value = HeaderValue::from_bytes(value).map_err(|_| UseError::InvalidValue)?;
            map.try_append(name, value).map_err(full)?;
        }
        Ok(map)
    }
}

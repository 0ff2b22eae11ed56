//! Where encoded bytes go.

use bytes::Bytes;

/// A sink for encoded bytes, in order. It decides whether large data are copied or referenced.
pub(crate) trait Output {
    /// The buffer to append small pieces to.
    fn small(&mut self) -> &mut Vec<u8>;

    /// Takes body data, after everything that was appended to [`small`](Self::small) before.
    fn body(&mut self, data: &Bytes);
}

/// One flat buffer.
impl Output for Vec<u8> {
    fn small(&mut self) -> &mut Vec<u8> {
        self
    }

    fn body(&mut self, data: &Bytes) {
        self.extend_from_slice(data);
    }
}

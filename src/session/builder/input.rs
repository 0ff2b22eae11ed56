//! Where undecoded bytes stand.

use bytes::{Buf as _, Bytes, BytesMut};

/// Where undecoded bytes stand: in the thread's buffer, from which data are copied, or in memory of their own, from which
/// they are split.
pub(super) trait Input {
    fn bytes(&self) -> &[u8];
    fn skip(&mut self, count: usize);
    /// Skips, and returns the data that stood in this range.
    fn take(&mut self, count: usize, range: std::ops::Range<usize>) -> Bytes;
}

impl Input for &[u8] {
    fn bytes(&self) -> &[u8] {
        self
    }

    fn skip(&mut self, count: usize) {
        self.advance(count);
    }

    fn take(&mut self, count: usize, range: std::ops::Range<usize>) -> Bytes {
        let data = Bytes::copy_from_slice(&self[range]);
        self.advance(count);
        data
    }
}

impl Input for BytesMut {
    fn bytes(&self) -> &[u8] {
        self
    }

    fn skip(&mut self, count: usize) {
        self.advance(count);
    }

    fn take(&mut self, count: usize, range: std::ops::Range<usize>) -> Bytes {
        if range.len() < 1024 {
            // A small piece must not keep a large buffer alive.
            let data = Bytes::copy_from_slice(&self[range]);
            self.advance(count);
            return data;
        }
        self.split_to(count).freeze().slice(range)
    }
}

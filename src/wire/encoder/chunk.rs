//! The chunked coding, outbound (RFC 9112 section 7.1).

use bytes::Bytes;

use super::fields;
use crate::payload::Headers;
use crate::wire::Output;

/// `chunk = chunk-size CRLF chunk-data CRLF` (RFC 9112 section 7.1)
pub(super) fn write(data: &Bytes, out: &mut impl Output) {
    write_size(data.len(), out.small());
    out.body(data);
    out.small().extend_from_slice(b"\r\n");
}

/// `chunk-size CRLF`, where `chunk-size = 1*HEXDIG`, in the shortest form.
fn write_size(mut size: usize, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    const WIDTH: usize = usize::BITS as usize / 4;
    let mut line = [0; WIDTH + 2];
    let (digits, end) = line.split_at_mut(WIDTH);
    end.copy_from_slice(b"\r\n");
    let mut start = WIDTH;
    for place in digits.iter_mut().rev() {
        *place = DIGITS.get(size & 15).copied().unwrap_or_default();
        size >>= 4;
        // Once for each of at most `WIDTH` digits, so it never wraps.
        start = start.wrapping_sub(1);
        if size == 0 {
            break;
        }
    }
    out.extend_from_slice(line.get(start..).unwrap_or_default());
}

/// `last-chunk trailer-section CRLF`
pub(super) fn write_last(trailers: Option<&Headers>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"0\r\n");
    if let Some(trailers) = trailers {
        for (name, value) in trailers.iter() {
            fields::line(name.as_bytes(), value, out);
        }
    }
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_the_shortest_hexadecimal() {
        let near_powers = (0..usize::BITS).flat_map(|bit| {
            let power = 1_usize << bit;
            [power - 1, power, power + 1, power | 0xa5]
        });
        for size in near_powers.chain(0..0x1_0010).chain([usize::MAX]) {
            let mut out = b"before".to_vec();
            write_size(size, &mut out);
            assert_eq!(out, format!("before{size:x}\r\n").as_bytes());
        }
    }
}

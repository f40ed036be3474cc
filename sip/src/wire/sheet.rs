// SPDX-License-Identifier: GPL-3.0-or-later

use bytes::{Bytes, BytesMut};

/// Room for messages that are kept about as long as each other, one written after the other.
///
/// Answers are kept for half a minute, for their repetitions. In allocations of their own they would
/// leave holes between what was made meanwhile and stays for hours, too small to be given back to
/// the system; a sheet goes as a whole when the last of its messages goes. It also costs one
/// allocation where hundreds of messages would cost two each.
#[derive(Debug, Default)]
pub(crate) struct Sheet(BytesMut);

/// Octets of a sheet: a hundred messages and more.
const SHEET: usize = 64 * 1024;
/// What is longer has an allocation of its own, so that little of a sheet is ever left blank.
const LONGEST: usize = SHEET / 16;

impl Sheet {
    /// A message of at most `size` octets, written by `write`.
    pub(crate) fn message(&mut self, size: usize, write: impl FnOnce(&mut BytesMut)) -> Bytes {
        if size > LONGEST {
            let mut own = BytesMut::with_capacity(size);
            write(&mut own);
            return own.freeze();
        }
        if self.0.capacity() < size {
            // Not `reserve`, which would make the new one larger each time.
            self.0 = BytesMut::with_capacity(SHEET);
        }
        write(&mut self.0);
        self.0.split().freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_lie_side_by_side_until_the_sheet_is_full() {
        let mut sheet = Sheet::default();
        let mut write = |text: &[u8]| sheet.message(text.len(), |out| out.extend_from_slice(text));
        let (first, second) = (write(b"first"), write(b"second"));
        assert_eq!((&first[..], &second[..]), (&b"first"[..], &b"second"[..]));
        assert_eq!(first.as_ptr().wrapping_add(first.len()), second.as_ptr());
        let long = write(&[b'x'; LONGEST + 1]);
        let third = write(b"third");
        assert_eq!(second.as_ptr().wrapping_add(second.len()), third.as_ptr());
        assert_eq!(long.len(), LONGEST + 1);
        for _ in 0..2 * SHEET / LONGEST {
            assert_eq!(write(&[b'y'; LONGEST]).len(), LONGEST);
        }
        assert_eq!(&first[..], b"first");
    }
}

//! Reading CBOR in its one shortest form, straight from the bytes (RFC 8949, section 4.2.1).
//!
//! Everything has one such form: each number and length stands in as few bytes as do, and each length is given before.
//! So what this reads is what its encoder would write, and nothing need be encoded again to see that. There is no more of
//! CBOR here than records have: whole numbers, bytes, text, lists, and `null` for what is not there.

use std::ops::Range;

/// Why bytes were not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StrictError {
    /// They are not what was asked for, or end before it does.
    Malformed,
    /// They are not in the shortest form.
    NotCanonical,
}

/// The first three bits of an item's head.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Major {
    Number = 0,
    Bytes = 2,
    Text = 3,
    List = 4,
}

/// The head of `null`.
const NULL: u8 = 0xf6;

/// In an item's first byte: so large a number, and any below it, stands in that byte itself.
const LARGEST_INLINE: u8 = 23;

/// In an item's first byte: the length is not given.
const INDEFINITE: u8 = 31;

/// A place in bytes that are being read.
#[derive(Clone, Debug)]
pub(super) struct Strict<'a> {
    bytes: &'a [u8],
    at: usize,
    end: usize,
}

impl<'a> Strict<'a> {
    /// Begins to read.
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, end: bytes.len() }
    }

    /// Begins to read a part of the bytes, whose places go on counting from the start of the whole.
    pub(super) fn within(&self, part: Range<usize>) -> Self {
        Self { bytes: self.bytes, at: part.start, end: part.end.min(self.bytes.len()) }
    }

    /// Returns how many bytes stand before what is read next.
    pub(super) const fn at(&self) -> usize {
        self.at
    }

    /// Sees that nothing follows.
    pub(super) fn finish(&self) -> Result<(), StrictError> {
        if self.at == self.end { Ok(()) } else { Err(StrictError::Malformed) }
    }

    /// Reads a number.
    pub(super) fn number(&mut self) -> Result<u64, StrictError> {
        self.head(Major::Number)
    }

    /// Reads the head of a list, and returns how many items follow.
    pub(super) fn list(&mut self) -> Result<u64, StrictError> {
        self.head(Major::List)
    }

    /// Reads the head of a list that must be of this length.
    pub(super) fn list_of(&mut self, len: u64) -> Result<(), StrictError> {
        if self.list()? == len { Ok(()) } else { Err(StrictError::Malformed) }
    }

    /// Reads bytes, and returns where they stand.
    pub(super) fn bytes_at(&mut self) -> Result<Range<usize>, StrictError> {
        let len = self.head(Major::Bytes)?;
        self.skip(len)
    }

    /// Reads bytes.
    pub(super) fn bytes(&mut self) -> Result<&'a [u8], StrictError> {
        let range = self.bytes_at()?;
        self.bytes.get(range).ok_or(StrictError::Malformed)
    }

    /// Reads bytes of a length that is known.
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], StrictError> {
        self.bytes()?.try_into().map_err(|_| StrictError::Malformed)
    }

    /// Reads text.
    pub(super) fn text(&mut self) -> Result<&'a str, StrictError> {
        let len = self.head(Major::Text)?;
        let range = self.skip(len)?;
        let bytes = self.bytes.get(range).ok_or(StrictError::Malformed)?;
        std::str::from_utf8(bytes).map_err(|_| StrictError::Malformed)
    }

    /// Reads `null` if it stands here, and tells whether it does.
    pub(super) fn null(&mut self) -> bool {
        let is_null = self.at < self.end && self.bytes.get(self.at) == Some(&NULL);
        self.at += usize::from(is_null);
        is_null
    }

    /// Reads the head of an item of one kind: its number or its length.
    fn head(&mut self, major: Major) -> Result<u64, StrictError> {
        let [first] = self.take()?;
        let (kind, low) = (first >> 5, first & 0x1f);
        if kind != major as u8 {
            return Err(StrictError::Malformed);
        }
        let (value, least) = match low {
            ..=LARGEST_INLINE => return Ok(low.into()),
            24 => (u64::from(u8::from_be_bytes(self.take()?)), u64::from(LARGEST_INLINE) + 1),
            25 => (u64::from(u16::from_be_bytes(self.take()?)), 1 << 8),
            26 => (u64::from(u32::from_be_bytes(self.take()?)), 1 << 16),
            27 => (u64::from_be_bytes(self.take()?), 1 << 32),
            INDEFINITE if major != Major::Number => return Err(StrictError::NotCanonical),
            _ => return Err(StrictError::Malformed),
        };
        if value < least { Err(StrictError::NotCanonical) } else { Ok(value) }
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], StrictError> {
        let range = self.skip(N as u64)?;
        self.bytes.get(range).and_then(|bytes| bytes.try_into().ok()).ok_or(StrictError::Malformed)
    }

    /// Goes over so many bytes, which must be there; returns where they stand.
    fn skip(&mut self, len: u64) -> Result<Range<usize>, StrictError> {
        let left = self.end.saturating_sub(self.at);
        let len = usize::try_from(len).ok().filter(|len| *len <= left).ok_or(StrictError::Malformed)?;
        let start = self.at;
        self.at += len;
        Ok(start..self.at)
    }
}

#[cfg(test)]
mod tests;

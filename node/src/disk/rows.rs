//! Reading stored records one after the other.

use muster_roles::Timestamp;

use crate::engine::store::Stored;
use crate::engine::wire::{Rank, RecordId};

use super::{DiskError, RecordKey, RecordValue};

/// Records of one group in the order of time and id, read from the disk as they are asked for.
pub struct Rows {
    range: redb::Range<'static, RecordKey<'static>, RecordValue<'static>>,
    with_receipts: bool,
}

impl Rows {
    pub(super) fn new(
        range: redb::Range<'static, RecordKey<'static>, RecordValue<'static>>,
        with_receipts: bool,
    ) -> Self {
        Self { range, with_receipts }
    }

    /// Tells whether a record is left out, which its key tells.
    fn leaves_out(&self, (_, _, id): RecordKey<'_>) -> bool {
        !self.with_receipts && RecordId::from_bytes(*id).rank() == Rank::Receipt
    }

    /// Reads an entry unless it is left out.
    fn pick(&self, entry: Result<Entry<'_>, redb::StorageError>) -> Option<Result<Stored, DiskError>> {
        match entry {
            Ok((key, _)) if self.leaves_out(key.value()) => None,
            entry => Some(read(entry)),
        }
    }
}

/// A record of one group as it lies in the store, neither decoded nor seen to be the one that its key names.
#[derive(Debug)]
pub(crate) struct Raw {
    time: u64,
    id: [u8; 32],
    received_ms: u64,
    bytes: Vec<u8>,
}

impl Raw {
    /// Returns where it stands among the records of all groups.
    pub(crate) fn place(&self) -> (Timestamp, RecordId) {
        (Timestamp::from_u64(self.time), RecordId::from_bytes(self.id))
    }

    /// Returns how many bytes it has.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Decodes it, and sees that it is the one that its key names.
    pub(crate) fn read(&self, group: &str) -> Result<Stored, DiskError> {
        decode((group, self.time, &self.id), (self.received_ms, &self.bytes))
    }
}

/// [`Rows`] that are yet to be decoded, which takes far longer than reading them.
#[derive(Debug)]
pub(crate) struct RawRows(pub(super) Rows);

impl Iterator for RawRows {
    type Item = Result<Raw, DiskError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.0.range.next()? {
                Ok((key, _)) if self.0.leaves_out(key.value()) => {}
                Ok((key, value)) => {
                    let ((_, time, id), (received_ms, bytes)) = (key.value(), value.value());
                    return Some(Ok(Raw { time, id: *id, received_ms, bytes: bytes.to_vec() }));
                }
                Err(error) => return Some(Err(error.into())),
            }
        }
    }
}

impl Iterator for Rows {
    type Item = Result<Stored, DiskError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let entry = self.range.next()?;
            if let Some(stored) = self.pick(entry) {
                return Some(stored);
            }
        }
    }
}

impl DoubleEndedIterator for Rows {
    fn next_back(&mut self) -> Option<Self::Item> {
        loop {
            let entry = self.range.next_back()?;
            if let Some(stored) = self.pick(entry) {
                return Some(stored);
            }
        }
    }
}

impl std::fmt::Debug for Rows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Rows")
    }
}

type Entry<'a> = (redb::AccessGuard<'a, RecordKey<'static>>, redb::AccessGuard<'a, RecordValue<'static>>);

/// Decodes one entry and sees that the record is the one that its key names.
fn read(entry: Result<Entry<'_>, redb::StorageError>) -> Result<Stored, DiskError> {
    let (key, value) = entry?;
    decode(key.value(), value.value())
}

/// As [`read`], for a key and the value that belongs to it.
pub(super) fn decode(
    (group, time, id): RecordKey<'_>,
    (received_ms, bytes): RecordValue<'_>,
) -> Result<Stored, DiskError> {
    let damaged = |found: &dyn std::fmt::Display| DiskError::Damaged {
        found: format!("a record of {group} at {} ms: {found}", time >> 16),
    };
    let stored = Stored::from_store(bytes, received_ms).map_err(|error| damaged(&error))?;
    let header = stored.frame().header();
    let named = (header.group.as_str(), header.time.to_u64());
    if named != (group, time) || stored.frame().id().as_bytes() != id {
        return Err(damaged(&"another record than its key names"));
    }
    Ok(stored)
}

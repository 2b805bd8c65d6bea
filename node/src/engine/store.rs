//! The store as the engine sees it.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use muster_keys::PublicKey;
use muster_roles::{GroupId, Timestamp};

use super::floors::Floors;
use super::policy::Permitted;
use super::wire::{DecodeError, Frame, RecordId};

/// Records are kept for seven days by their own time, in milliseconds.
pub const RETENTION_MS: u64 = 7 * 24 * 60 * 60 * 1000;

/// Bytes of records that a node stores for others, groups that its own member may not read: a busy week of a large unit,
/// and little on any disk.
pub const CARRY_QUOTA_BYTES: u64 = 256 * 1024 * 1024;

/// What to drop where too much is carried for others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shed {
    /// The groups that the member may read: nothing of them is dropped.
    pub own: BTreeSet<GroupId>,
    /// Nothing is dropped unless the other groups' records take more than this.
    pub above_bytes: u64,
    /// The least urgent, and of one rank the oldest, are dropped until the rest take no more than this.
    pub to_bytes: u64,
}

/// What became of a record handed to [`Store::append`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It was not there and is now.
    New,
    /// It was there already.
    Known,
}

/// A record read back from the store.
#[derive(Clone, Debug)]
pub struct Stored {
    frame: Frame,
    received_ms: u64,
}

impl Stored {
    /// Reads a record back from its stored bytes.
    ///
    /// Only [`Permitted`] records are ever written, so the signature is not checked again; whether the record may be
    /// shown is judged anew when it becomes a row.
    ///
    /// # Errors
    /// [`DecodeError`] where the bytes are not a record, that is, where the store is damaged.
    pub fn from_store(bytes: &[u8], received_ms: u64) -> Result<Self, DecodeError> {
        Ok(Self { frame: Frame::decode(bytes)?, received_ms })
    }

    /// Returns the record.
    #[must_use]
    pub fn frame(&self) -> &Frame {
        &self.frame
    }

    /// Returns when this node got the record, in Unix milliseconds as far as it knew the unit's time.
    #[must_use]
    pub fn received_ms(&self) -> u64 {
        self.received_ms
    }
}

impl From<&Permitted> for Stored {
    /// What the store gives back for a record once it is committed.
    fn from(record: &Permitted) -> Self {
        Self { frame: record.frame().clone(), received_ms: record.received_ms() }
    }
}

/// Where records are kept: ordered by group, time and id, and durable once a call has returned.
pub trait Store {
    /// How an operation fails.
    type Error: std::error::Error;

    /// Stores all of `batch` in one commit, or nothing of it; what is this member's own waits from then on.
    ///
    /// Returns each record's fate in the batch's order; a record that stands twice in one batch is new once.
    ///
    /// # Errors
    /// The store's own: nothing of the batch is stored then.
    fn append(&mut self, batch: &[Permitted]) -> Result<Vec<Fate>, Self::Error>;

    /// Notes that others have these records: they wait no more. Ids that do not wait are passed over.
    ///
    /// # Errors
    /// The store's own: nothing is noted then.
    fn sent(&mut self, group: &GroupId, ids: &[(Timestamp, RecordId)]) -> Result<(), Self::Error>;

    /// Returns this member's own records that still wait for somebody to have them, oldest first in each group; of more
    /// than `most` only so many.
    ///
    /// # Errors
    /// The store's own, among them a record that does not decode.
    fn waiting(&self, most: usize) -> Result<Vec<Stored>, Self::Error>;

    /// Takes records out, in one commit; ids that are not there are passed over.
    ///
    /// # Errors
    /// The store's own: nothing is taken out then.
    fn remove(&mut self, group: &GroupId, ids: &[(Timestamp, RecordId)]) -> Result<(), Self::Error>;

    /// Drops every record older than `before`; returns how many.
    ///
    /// # Errors
    /// The store's own: nothing is dropped then.
    fn prune(&mut self, before: Timestamp) -> Result<u64, Self::Error>;

    /// Drops records of all the groups that are not the member's own, where they take too much: the least urgent first,
    /// and of one rank the oldest.
    ///
    /// Returns the times before which nothing of them is left, if it dropped any.
    ///
    /// # Errors
    /// The store's own: nothing is dropped then.
    fn shed(&mut self, shed: &Shed) -> Result<Option<Floors>, Self::Error>;

    /// Visits the records of `group` with `from <= time < to`, oldest first, until the visitor breaks.
    ///
    /// # Errors
    /// The store's own, among them a record that does not decode.
    fn scan(
        &self,
        group: &GroupId,
        from: Timestamp,
        to: Timestamp,
        visit: &mut dyn FnMut(Stored) -> ControlFlow<()>,
    ) -> Result<(), Self::Error>;

    /// Returns the newest `count` messages of `group`, oldest first; receipts are none.
    ///
    /// # Errors
    /// The store's own, among them a record that does not decode.
    fn latest(&self, group: &GroupId, count: usize) -> Result<Vec<Stored>, Self::Error>;

    /// Returns the highest `seq` of `author` ever stored in `group`, also where that record has been pruned since.
    ///
    /// # Errors
    /// The store's own.
    fn last_seq(&self, group: &GroupId, author: &PublicKey) -> Result<Option<u64>, Self::Error>;

    /// Returns the time of the newest record of any group, or zero.
    ///
    /// # Errors
    /// The store's own.
    fn newest(&self) -> Result<Timestamp, Self::Error>;
}

//! Several groups' records in one order of time, a record of each in memory at once.

use std::collections::BTreeMap;

use muster_roles::{GroupId, Timestamp};

use crate::disk::{Disk, DiskError, END_OF_TIME, Rows};
use crate::engine::store::Stored;
use crate::engine::wire::RecordId;

/// Records of several groups, oldest first.
#[derive(Debug, Default)]
pub(super) struct Merged {
    /// The next record of each group that has one, with what follows it.
    next: BTreeMap<(Timestamp, RecordId), (Stored, Rows)>,
}

impl Merged {
    /// Begins with the oldest record since `since`.
    pub(super) fn new(disk: &Disk, groups: &[GroupId], since: Timestamp) -> Result<Self, DiskError> {
        let mut merged = Self::default();
        for group in groups {
            merged.add(disk.messages(group, since, END_OF_TIME)?)?;
        }
        Ok(merged)
    }

    fn add(&mut self, mut rows: Rows) -> Result<(), DiskError> {
        if let Some(stored) = rows.next().transpose()? {
            // An id is taken over the group too, so that no two groups share a key.
            let key = (stored.frame().header().time, stored.frame().id());
            self.next.insert(key, (stored, rows));
        }
        Ok(())
    }
}

impl Iterator for Merged {
    type Item = Result<Stored, DiskError>;

    fn next(&mut self) -> Option<Self::Item> {
        let (_, (stored, rows)) = self.next.pop_first()?;
        Some(self.add(rows).map(|()| stored))
    }
}

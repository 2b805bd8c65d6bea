//! Several groups' records in one order of time, a record of each in memory at once.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use muster_roles::{GroupId, Timestamp};

use crate::disk::{Disk, DiskError, END_OF_TIME, Raw, RawRows};
use crate::engine::wire::RecordId;

/// Records of several groups, oldest first, each with the place of its group among them.
#[derive(Debug, Default)]
pub(super) struct Merged {
    groups: Vec<Rest>,
    /// Where the next record of each group stands that has one, the oldest on top.
    next: BinaryHeap<Reverse<(Timestamp, RecordId, usize)>>,
}

/// What is still to come of a group.
#[derive(Debug)]
struct Rest {
    next: Option<Raw>,
    rows: RawRows,
}

impl Merged {
    /// Begins with the oldest record since `since`.
    pub(super) fn new(disk: &Disk, groups: &[GroupId], since: Timestamp) -> Result<Self, DiskError> {
        let mut merged = Self::default();
        for (which, group) in groups.iter().enumerate() {
            merged.groups.push(Rest { next: None, rows: disk.raw_messages(group, since, END_OF_TIME)? });
            merged.advance(which)?;
        }
        Ok(merged)
    }

    /// Reads a group's next record, and returns the one before it.
    fn advance(&mut self, which: usize) -> Result<Option<Raw>, DiskError> {
        let Some(group) = self.groups.get_mut(which) else { return Ok(None) };
        let next = group.rows.next().transpose()?;
        if let Some((time, id)) = next.as_ref().map(Raw::place) {
            self.next.push(Reverse((time, id, which)));
        }
        Ok(std::mem::replace(&mut group.next, next))
    }
}

impl Iterator for Merged {
    type Item = Result<(usize, Raw), DiskError>;

    fn next(&mut self) -> Option<Self::Item> {
        let Reverse((_, _, which)) = self.next.pop()?;
        let taken = self.advance(which).transpose()?;
        Some(taken.map(|raw| (which, raw)))
    }
}

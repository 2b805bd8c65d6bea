//! What is carried for others: how much, and how far back.

use std::collections::BTreeSet;

use muster_roles::GroupId;

use super::floors::Floors;
use super::store::Shed;

/// The store is asked to see to the quota whenever so small a part of it has been filled.
const CHECKED_PART: u64 = 64;

/// Where the quota is used up, this part of it is freed at once, so that it is seldom done.
const FREED_PART: u64 = 16;

/// Bounds what is stored of groups that the member may not read.
#[derive(Debug)]
pub(super) struct Carried {
    quota_bytes: u64,
    /// The groups that the member may read, which no bound is for.
    own: BTreeSet<GroupId>,
    /// What is older of the other groups has had to make room, and is not taken in again.
    floors: Floors,
    /// Bytes of other groups that have been stored since the store was last asked.
    unchecked_bytes: u64,
}

impl Carried {
    pub(super) fn new(quota_bytes: u64, floors: Floors) -> Self {
        Self { quota_bytes, own: BTreeSet::new(), floors, unchecked_bytes: 0 }
    }

    pub(super) fn set_own(&mut self, own: BTreeSet<GroupId>) {
        self.own = own;
    }

    /// Tells whether the member may read a group.
    pub(super) fn is_own(&self, group: &GroupId) -> bool {
        self.own.contains(group)
    }

    /// Returns the oldest times that are taken in of a group.
    pub(super) fn floors(&self, group: &GroupId) -> Floors {
        if self.is_own(group) { Floors::NONE } else { self.floors }
    }

    /// Learns that the store has dropped what is older than `before`.
    pub(super) fn raise(&mut self, before: Floors) {
        self.floors = self.floors.max(before);
    }

    /// Counts a record that has been stored.
    pub(super) fn count(&mut self, group: &GroupId, bytes: usize) {
        if !self.is_own(group) {
            self.unchecked_bytes = self.unchecked_bytes.saturating_add(bytes as u64);
        }
    }

    /// Asks the store to see to the quota, if enough has come since it last did.
    pub(super) fn check(&mut self) -> Option<Shed> {
        (self.unchecked_bytes >= self.quota_bytes / CHECKED_PART && self.unchecked_bytes > 0).then(|| self.shed())
    }

    /// Asks the store to see to the quota now.
    pub(super) fn shed(&mut self) -> Shed {
        self.unchecked_bytes = 0;
        Shed {
            own: self.own.clone(),
            // What comes until the store is asked again still finds room.
            above_bytes: self.quota_bytes - self.quota_bytes / CHECKED_PART,
            to_bytes: self.quota_bytes - self.quota_bytes / FREED_PART,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use muster_roles::Timestamp;

    use super::*;
    use crate::engine::wire::Rank;

    fn group(name: &str) -> GroupId {
        name.parse().unwrap()
    }

    fn carried() -> Carried {
        let mut carried = Carried::new(6400, Floors::NONE);
        carried.set_own([group("army")].into());
        carried
    }

    #[test]
    fn the_store_is_asked_before_what_comes_could_fill_the_quota() {
        let mut carried = carried();
        carried.count(&group("navy"), 99);
        assert_eq!(carried.check(), None);
        carried.count(&group("navy"), 1);
        let shed = carried.check().unwrap();
        assert_eq!((shed.above_bytes, shed.to_bytes), (6300, 6000));
        assert_eq!(carried.check(), None, "once");
    }

    #[test]
    fn what_the_member_reads_itself_neither_counts_nor_has_a_floor() {
        let mut carried = carried();
        carried.count(&group("army"), 1_000_000);
        assert_eq!(carried.check(), None);
        let before = |rank, ms| {
            let mut before = Floors::NONE;
            before.set(rank, Timestamp::from_ms(ms));
            before
        };
        for (rank, ms) in [(Rank::Routine, 5), (Rank::Routine, 3), (Rank::Receipt, 7)] {
            carried.raise(before(rank, ms));
        }
        assert_eq!(carried.floors(&group("army")), Floors::NONE);
        let expected = before(Rank::Routine, 5).max(before(Rank::Receipt, 7));
        assert_eq!(carried.floors(&group("navy")), expected, "a floor never sinks");
    }
}

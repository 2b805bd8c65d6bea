//! One's own records that nobody else is known to have yet, and what the screen has been told of them.

use std::collections::{BTreeMap, BTreeSet};

use muster_roles::{GroupId, Timestamp};

use super::sync::SyncId;
use super::view::Row;
use super::wire::{Frame, RecordId};

/// Records kept track of, a group, in some MiB: what a device on its own may write in a week. The oldest give way;
/// they stay in the store, and synchronisation brings them to others all the same.
pub const MAX_UNSENT: usize = 16 * 1024;

/// One record that waits.
#[derive(Debug)]
struct Own {
    id: RecordId,
    /// Gossip has found nobody for it, or may have lost it.
    unheard: bool,
    /// Stored, and shown once it is known whether anybody heard it.
    row: Option<Row>,
    /// The person has been shown that it waits.
    shown: bool,
}

/// What has come of records that somebody has now.
#[derive(Debug, Default)]
pub(super) struct Sent {
    /// Rows that were held back and can be shown.
    pub(super) rows: Vec<Row>,
    /// The records, as the store knows them.
    pub(super) records: Vec<(Timestamp, RecordId)>,
    /// How many of them the person has been shown as waiting.
    pub(super) told: u64,
}

/// One's own records that wait for somebody to have them.
#[derive(Debug, Default)]
pub(super) struct Unsent {
    groups: BTreeMap<GroupId, BTreeMap<SyncId, Own>>,
}

impl Unsent {
    /// Takes in a record that has just been made.
    pub(super) fn insert(&mut self, frame: &Frame) {
        self.keep(frame, Own { id: frame.id(), unheard: false, row: None, shown: false });
    }

    /// Takes in a record that already waited when the node was last stopped.
    pub(super) fn restore(&mut self, frame: &Frame) {
        self.keep(frame, Own { id: frame.id(), unheard: true, row: None, shown: true });
    }

    fn keep(&mut self, frame: &Frame, own: Own) {
        let group = self.groups.entry(frame.header().group.clone()).or_default();
        group.insert(name_of(frame), own);
        if group.len() > MAX_UNSENT {
            group.pop_first();
        }
    }

    /// A row's record is stored: returns the row if it can be shown now.
    ///
    /// Where gossip has not answered for it, that is waited for: only then is it known whether the record waits.
    pub(super) fn stored(&mut self, row: Row, is_unheard: bool) -> Option<Row> {
        let group = self.groups.get_mut(row.group());
        let Some(own) = group.and_then(|group| group.get_mut(&SyncId::new(row.time(), &row.id()))) else {
            return Some(row);
        };
        own.unheard |= is_unheard;
        if !own.unheard {
            own.row = Some(row);
            return None;
        }
        own.shown = true;
        Some(row.into_waiting())
    }

    /// Gossip has found nobody for any record of a group; returns the rows to show as waiting.
    pub(super) fn unheard(&mut self, group: &GroupId) -> Vec<Row> {
        let group = self.groups.get_mut(group).into_iter().flat_map(BTreeMap::values_mut);
        group.filter_map(Own::give_up).collect()
    }

    /// Gossip has lost these on the way to some, or has no room for them; returns the rows to show as waiting.
    pub(super) fn astray(&mut self, group: &GroupId, names: &[SyncId]) -> Vec<Row> {
        let Some(group) = self.groups.get_mut(group) else { return Vec::new() };
        names.iter().filter_map(|name| group.get_mut(name)?.give_up()).collect()
    }

    /// Somebody has these now.
    pub(super) fn sent<'a>(&mut self, group: &GroupId, names: impl IntoIterator<Item = &'a SyncId>) -> Sent {
        let mut sent = Sent::default();
        let Some(group) = self.groups.get_mut(group) else { return sent };
        for name in names {
            if let Some(own) = group.remove(name) {
                sent.rows.extend(own.row);
                sent.records.push((name.time(), own.id));
                sent.told += u64::from(own.shown);
            }
        }
        sent
    }

    /// Forgets records that are not in the store, or not any more.
    pub(super) fn forget<'a>(&mut self, group: &GroupId, names: impl IntoIterator<Item = &'a SyncId>) {
        drop(self.sent(group, names));
    }

    /// Forgets what is older than the week.
    pub(super) fn prune(&mut self, before: Timestamp) {
        self.groups.values_mut().for_each(|group| group.retain(|name, _| name.time() >= before));
    }

    /// Tells whether the person is to see this record as waiting.
    pub(super) fn is_waiting(&self, row: &Row) -> bool {
        let own = self.groups.get(row.group()).and_then(|group| group.get(&SyncId::new(row.time(), &row.id())));
        own.is_some_and(|own| own.unheard)
    }

    /// Returns how many records the person is to see as waiting.
    pub(super) fn waiting(&self) -> usize {
        self.groups.values().flat_map(BTreeMap::values).filter(|own| own.unheard).count()
    }

    /// Tells whether somebody has every record.
    pub(super) fn is_empty(&self) -> bool {
        self.groups.values().all(BTreeMap::is_empty)
    }

    /// Returns the names of a group's records with `from <= time < to`.
    pub(super) fn names(&self, group: &GroupId, from: Timestamp, to: Timestamp) -> BTreeSet<SyncId> {
        let names = self.groups.get(group).into_iter().flat_map(BTreeMap::keys);
        names.filter(|name| (from..to).contains(&name.time())).copied().collect()
    }

    /// Picks those that wait out of records as they travel.
    pub(super) fn among(&self, group: &GroupId, records: &[Vec<u8>]) -> Vec<SyncId> {
        let Some(group) = self.groups.get(group).filter(|group| !group.is_empty()) else { return Vec::new() };
        let names = records.iter().filter_map(|record| Some(name_of(&Frame::decode(record).ok()?)));
        names.filter(|name| group.contains_key(name)).collect()
    }
}

impl Own {
    /// Gossip is not going to answer for it: a row that was held back is shown as waiting.
    fn give_up(&mut self) -> Option<Row> {
        self.unheard = true;
        let row = self.row.take()?;
        self.shown = true;
        Some(row.into_waiting())
    }
}

fn name_of(frame: &Frame) -> SyncId {
    SyncId::new(frame.header().time, &frame.id())
}

//! What a group holds, as reconciliation sees it: a sorted set of short names.

use std::borrow::Cow;
use std::collections::BTreeSet;

use muster_roles::Timestamp;
use negentropy::{Bound, Error, Id, Item, Negentropy, NegentropyStorageBase};

use super::frame::MAX_ROUND_LEN;
use super::sums::Sums;
use crate::engine::floors::Floors;
use crate::engine::wire::{Rank, RecordId};

/// A record's name in reconciliation: its time, then the first 24 bytes of its id.
///
/// With the time in it, whoever is asked for a record by this name finds it without an index of ids, and whoever lacks
/// records knows which are the newest. The id's first byte tells the rank, so that it knows which are urgent too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SyncId([u8; 32]);

/// Version 1 of negentropy's protocol, with which each round begins.
const VERSION: u8 = 0x61;

/// Bytes of the time at the front of a [`SyncId`].
const TIME_LEN: usize = 8;

impl SyncId {
    /// Names a record.
    #[must_use]
    pub fn new(time: Timestamp, id: &RecordId) -> Self {
        let mut name = [0; 32];
        let (front, back) = name.split_at_mut(TIME_LEN);
        front.copy_from_slice(&time.to_u64().to_be_bytes());
        back.iter_mut().zip(id.as_bytes()).for_each(|(to, from)| *to = *from);
        Self(name)
    }

    /// Takes a name as it travels.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the name as it travels.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Returns the record's time.
    #[must_use]
    pub fn time(&self) -> Timestamp {
        let front = self.0.first_chunk::<TIME_LEN>().copied().unwrap_or_default();
        Timestamp::from_u64(u64::from_be_bytes(front))
    }

    /// Returns the record's rank.
    #[must_use]
    pub fn rank(&self) -> Rank {
        Rank::from_code(self.0.get(TIME_LEN).copied().unwrap_or_default())
    }

    /// Returns the lowest and the highest id that a record of this name can have.
    #[must_use]
    pub fn ids(&self) -> (RecordId, RecordId) {
        let [mut lowest, mut highest] = [[0; 32], [255; 32]];
        for id in [&mut lowest, &mut highest] {
            id.iter_mut().zip(self.0.iter().skip(TIME_LEN)).for_each(|(to, from)| *to = *from);
        }
        (RecordId::from_bytes(lowest), RecordId::from_bytes(highest))
    }

    /// Returns the first name that a record of this time could have.
    fn first_at(time: Timestamp) -> Self {
        Self::new(time, &RecordId::from_bytes([0; 32]))
    }
}

/// Late names that are kept aside whatever the size of the set: merging them would cost more than finding them.
const MIN_LATE: usize = 1024;

/// One in so many names may be kept aside, so that what all the merging costs grows as the set does, not as its square.
const LATE_SHARE: usize = 4;

/// The names of one group's records, sorted; 32 bytes each.
///
/// New ones go to the end. Those that come late, as all do that a session brings, go aside first, and are merged into
/// the rest when that is compared or they are too many.
#[derive(Debug)]
pub struct Index {
    names: Vec<SyncId>,
    /// Of `names`.
    sums: Sums,
    /// Not among `names`.
    late: BTreeSet<SyncId>,
    floors: Floors,
}

impl Default for Index {
    fn default() -> Self {
        Self { names: Vec::new(), sums: Sums::default(), late: BTreeSet::new(), floors: Floors::NONE }
    }
}

impl Index {
    /// Takes in names, in any order and of any that are there already.
    pub fn extend(&mut self, names: impl IntoIterator<Item = SyncId>) {
        for name in names {
            if self.names.last().is_none_or(|newest| *newest < name) && self.late.last().is_none_or(|late| *late < name)
            {
                self.names.push(name);
                self.sums.follow(&self.names);
            } else if self.names.binary_search(&name).is_err() {
                self.late.insert(name);
                if self.late.len() > MIN_LATE.max(self.names.len() / LATE_SHARE) {
                    self.settle();
                }
            }
        }
    }

    /// Takes in all names that a store holds, which is how an index begins; what has been stored since is there already.
    pub fn fill(&mut self, mut names: Vec<SyncId>) {
        names.append(&mut self.names);
        names.extend(std::mem::take(&mut self.late));
        // A store gives them sorted, and then this is one look at each; else it merges what is.
        if !names.is_sorted_by(|one, next| one < next) {
            names.sort();
            names.dedup();
        }
        names.shrink_to_fit();
        self.names = names;
        self.sums.renew(&self.names);
    }

    /// Merges late names with the others.
    pub(super) fn settle(&mut self) {
        if !self.late.is_empty() {
            self.names.extend(std::mem::take(&mut self.late));
            // Two sorted runs, which the sort merges in one pass.
            self.names.sort();
            self.sums.renew(&self.names);
        }
    }

    /// Sets the oldest times that are kept: what is older is not compared, and so not asked for.
    pub fn set_floors(&mut self, floors: Floors) {
        self.floors = floors;
    }

    /// Returns the oldest times that are kept.
    #[must_use]
    pub fn floors(&self) -> Floors {
        self.floors
    }

    /// Takes out what is older than `before`.
    pub fn prune(&mut self, before: Timestamp) {
        let kept = self.names.partition_point(|name| name.time() < before);
        if kept > 0 {
            self.names.drain(..kept);
            self.sums.renew(&self.names);
        }
        while self.late.first().is_some_and(|name| name.time() < before) {
            self.late.pop_first();
        }
    }

    /// Keeps only the names that `keep` picks.
    pub fn retain(&mut self, keep: impl Fn(&SyncId) -> bool) {
        self.names.retain(&keep);
        self.sums.renew(&self.names);
        self.late.retain(keep);
    }

    /// Tells whether a record is in the set.
    #[must_use]
    pub fn contains(&self, name: &SyncId) -> bool {
        self.names.binary_search(name).is_ok() || self.late.contains(name)
    }

    /// Returns how many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.names.len() + self.late.len()
    }

    /// Tells whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty() && self.late.is_empty()
    }

    /// Returns those that `from` keeps and that are older than `to`, for negentropy to compare; late ones only once they
    /// are settled.
    pub(super) fn window(&self, from: &Floors, to: Timestamp) -> Window<'_> {
        let position = |time| self.names.partition_point(|name| *name < SyncId::first_at(time));
        let (start, end) = (position(from.lowest()), position(to));
        let names = self.names.get(start..end).unwrap_or_default();
        // Only before the highest floor is there anything to leave out, and hardly ever there: it has been dropped.
        let mixed = names.get(..position(from.highest()).saturating_sub(start)).unwrap_or(names);
        if mixed.iter().all(|name| from.keep_name(name)) {
            return Window { names: Cow::Borrowed(names), summed: Some((&self.sums, start)) };
        }
        Window { names: names.iter().filter(|name| from.keep_name(name)).copied().collect(), summed: None }
    }
}

/// A part of an index, in the shape negentropy reads.
#[derive(Clone, Debug)]
pub(super) struct Window<'a> {
    names: Cow<'a, [SyncId]>,
    /// The sums of the index, and where in it these names begin, if they are all that it has from there on.
    summed: Option<(&'a Sums, usize)>,
}

impl Window<'_> {
    /// Returns the first round: one fingerprint over everything.
    ///
    /// Negentropy's own first round holds 16 fingerprints, or every name of a small set. Two nodes that are in step, as
    /// most are, settle it with this one; where they are not, the answer is what that first round would have been.
    pub(super) fn opening(&self) -> Vec<u8> {
        /// Protocol version 1; an upper bound of infinity (time 0, no id); a fingerprint follows.
        const WHOLE_SET: [u8; 4] = [VERSION, 0, 0, 1];
        let fingerprint = match self.summed {
            Some((sums, start)) => sums.fingerprint(&self.names, start),
            None => Sums::default().fingerprint(&self.names, 0),
        };
        [&WHOLE_SET[..], &fingerprint].concat()
    }

    /// Answers a round.
    pub(super) fn answer(&self, round: &[u8]) -> Result<Vec<u8>, Error> {
        if round == self.opening() {
            // The same names, and nothing to add: what negentropy would find by adding them all up again.
            return Ok(vec![VERSION]);
        }
        Negentropy::borrowed(self, MAX_ROUND_LEN)?.reconcile(round)
    }
}

fn item(name: &SyncId) -> Item {
    Item::with_timestamp_and_id(name.time().to_u64(), Id::from_byte_array(name.0))
}

impl NegentropyStorageBase for Window<'_> {
    fn size(&self) -> Result<usize, Error> {
        Ok(self.names.len())
    }

    fn get_item(&self, i: usize) -> Result<Option<Item>, Error> {
        Ok(self.names.get(i).map(item))
    }

    fn iterate(
        &self,
        begin: usize,
        end: usize,
        cb: &mut dyn FnMut(Item, usize) -> Result<bool, Error>,
    ) -> Result<(), Error> {
        let names = self.names.get(begin..end).ok_or(Error::BadRange)?;
        for (name, at) in names.iter().zip(begin..) {
            if !cb(item(name), at)? {
                break;
            }
        }
        Ok(())
    }

    fn find_lower_bound(&self, first: usize, last: usize, value: &Bound) -> usize {
        let names = self.names.get(first..last).unwrap_or_default();
        first + names.partition_point(|name| item(name) < value.item)
    }
}

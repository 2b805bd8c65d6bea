//! How much each group takes, and dropping what is carried for others where it takes too much.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use muster_roles::{GroupId, Timestamp};
use redb::{ReadableTable, Table, TableDefinition};

use crate::engine::floors::Floors;
use crate::engine::store::Shed;
use crate::engine::wire::{Rank, RecordId};

use super::{Disk, DiskError, END_OF_TIME, META, OUTBOX, RECORDS, RecordKey, RecordValue, span};

/// Bytes that a group's records take; written in the commit that changes them, so that nobody need count.
pub(super) const SIZES: TableDefinition<'_, &'static str, u64> = TableDefinition::new("sizes");

/// Where the oldest time that is kept of what is carried stands in [`META`], as a store has it that was written when one
/// floor was for all ranks.
const COMMON_FLOOR_KEY: &str = "floor";

/// Where the oldest time that is kept of one rank of what is carried stands in [`META`].
const fn floor_key(rank: Rank) -> &'static str {
    match rank {
        Rank::Receipt => "floor of receipts",
        Rank::Routine => "floor of routine",
        Rank::Priority => "floor of priority",
        Rank::Immediate => "floor of immediate",
        Rank::Flash => "floor of flash",
    }
}

/// Bytes by group.
pub(super) type Bytes = BTreeMap<String, u64>;

/// Notes that groups take so much more.
pub(super) fn grow(sizes: &mut Table<'_, &'static str, u64>, by: &Bytes) -> Result<(), DiskError> {
    change(sizes, by, u64::saturating_add)
}

/// Notes that groups take so much less.
pub(super) fn shrink(sizes: &mut Table<'_, &'static str, u64>, by: &Bytes) -> Result<(), DiskError> {
    change(sizes, by, u64::saturating_sub)
}

fn change(
    sizes: &mut Table<'_, &'static str, u64>,
    by: &Bytes,
    add: impl Fn(u64, u64) -> u64,
) -> Result<(), DiskError> {
    for (group, bytes) in by {
        let held = sizes.get(group.as_str())?.map_or(0, |held| held.value());
        match add(held, *bytes) {
            0 => drop(sizes.remove(group.as_str())?),
            now => drop(sizes.insert(group.as_str(), now)?),
        }
    }
    Ok(())
}

/// Bytes that a record counts for.
pub(super) fn len((_, bytes): RecordValue<'_>) -> u64 {
    bytes.len() as u64
}

/// Returns the rank of a record by its key.
fn rank_of((_, _, id): RecordKey<'_>) -> Rank {
    RecordId::from_bytes(*id).rank()
}

/// From where on what is to be dropped is looked for, so that nobody goes through all that is kept to find it.
#[derive(Clone, Debug)]
pub(super) struct Search {
    /// The groups that this does not speak of.
    own: BTreeSet<GroupId>,
    /// No record of another group is older than this; it may well be that the oldest is younger.
    from: Floors,
}

impl Search {
    /// Nothing is known yet.
    pub(super) const fn new() -> Self {
        Self { own: BTreeSet::new(), from: Floors::NONE }
    }

    /// Learns of a record that has been stored.
    pub(super) fn note(&mut self, time: Timestamp, rank: Rank) {
        self.from.set(rank, time.min(self.from.of(rank)));
    }

    /// Returns from where on to look for what is of none of these groups.
    fn from(&mut self, own: &BTreeSet<GroupId>) -> Floors {
        if self.own != *own {
            *self = Self { own: own.clone(), from: Floors::NONE };
        }
        self.from
    }
}

/// What goes of one rank.
struct Cut {
    /// The first time that is kept.
    before: Timestamp,
    /// What that makes.
    bytes: u64,
    /// Nothing of this rank is left.
    is_all: bool,
}

/// Finds how much of one rank of these groups' records, none of them older than `from`, makes so many bytes, the oldest
/// first.
fn cut(
    records: &impl ReadableTable<RecordKey<'static>, RecordValue<'static>>,
    groups: &Bytes,
    rank: Rank,
    from: Timestamp,
    bytes: u64,
) -> Result<Cut, DiskError> {
    let mut ranges = Vec::with_capacity(groups.len());
    for group in groups.keys() {
        ranges.push(records.range(span(group, from, END_OF_TIME))?);
    }
    // The oldest of each group that has not been counted, the oldest of all on top.
    let mut oldest = BinaryHeap::with_capacity(ranges.len());
    let mut advance = |oldest: &mut BinaryHeap<_>, which: usize| -> Result<(), DiskError> {
        for entry in ranges.get_mut(which).into_iter().flatten() {
            let (key, value) = entry?;
            if rank_of(key.value()) == rank {
                oldest.push(Reverse((key.value().1, which, len(value.value()))));
                break;
            }
        }
        Ok(())
    };
    (0..groups.len()).try_for_each(|which| advance(&mut oldest, which))?;
    let mut cut = Cut { before: Timestamp::ZERO, bytes: 0, is_all: false };
    while cut.bytes < bytes {
        let Some(Reverse((time, which, len))) = oldest.pop() else {
            cut.is_all = true;
            break;
        };
        cut.bytes += len;
        cut.before = Timestamp::from_u64(time).next();
        advance(&mut oldest, which)?;
    }
    Ok(cut)
}

impl Disk {
    /// Returns the oldest times that are kept of what is carried: older records have had to make room.
    ///
    /// # Errors
    /// [`DiskError`].
    pub fn floors(&self) -> Result<Floors, DiskError> {
        floors(&self.read()?.open_table(META)?)
    }

    /// Returns how many bytes the records of a group take.
    ///
    /// # Errors
    /// [`DiskError`].
    pub fn size(&self, group: &GroupId) -> Result<u64, DiskError> {
        let sizes = self.read()?.open_table(SIZES)?;
        Ok(sizes.get(group.as_str())?.map_or(0, |size| size.value()))
    }

    /// Does [`Store::shed`](crate::engine::store::Store::shed).
    pub(super) fn drop_least_urgent(&mut self, shed: &Shed) -> Result<Option<Floors>, DiskError> {
        let mut carried = Bytes::new();
        for entry in self.read()?.open_table(SIZES)?.iter()? {
            let (group, bytes) = entry?;
            if !shed.own.iter().any(|own| own.as_str() == group.value()) {
                carried.insert(group.value().to_owned(), bytes.value());
            }
        }
        let held: u64 = carried.values().sum();
        if held <= shed.above_bytes {
            return Ok(None);
        }
        let mut search = self.search.from(&shed.own);
        let transaction = self.write()?;
        let mut before = Floors::NONE;
        {
            let mut records = transaction.open_table(RECORDS)?;
            let mut outbox = transaction.open_table(OUTBOX)?;
            let mut dropped = Bytes::new();
            let mut left = held.saturating_sub(shed.to_bytes);
            for rank in Rank::ALL {
                if left == 0 {
                    break;
                }
                let from = search.of(rank);
                let cut = cut(&records, &carried, rank, from, left)?;
                for group in carried.keys() {
                    let of_rank = |key: RecordKey<'_>| rank_of(key) == rank;
                    outbox.retain_in(span(group, from, cut.before), |key, ()| !of_rank(key))?;
                    let gone = drop_those(&mut records, group, (from, cut.before), of_rank)?;
                    *dropped.entry(group.clone()).or_default() += gone.bytes;
                }
                left = left.saturating_sub(cut.bytes);
                before.set(rank, cut.before);
                search.set(rank, if cut.is_all { END_OF_TIME } else { cut.before });
            }
            shrink(&mut transaction.open_table(SIZES)?, &dropped)?;
            raise_floors(&mut transaction.open_table(META)?, before)?;
        }
        transaction.commit()?;
        self.search.from = search;
        Ok(Some(before))
    }
}

/// Reads the floors; one that has been for all ranks holds for each of them.
fn floors(meta: &impl ReadableTable<&'static str, u64>) -> Result<Floors, DiskError> {
    let read = |key| -> Result<Timestamp, DiskError> {
        Ok(meta.get(key)?.map_or(Timestamp::ZERO, |floor| Timestamp::from_u64(floor.value())))
    };
    let mut floors = Floors::at(read(COMMON_FLOOR_KEY)?);
    for rank in Rank::ALL {
        floors.set(rank, floors.of(rank).max(read(floor_key(rank))?));
    }
    Ok(floors)
}

/// Notes that what is older than this is not kept any more; a floor never sinks.
fn raise_floors(meta: &mut Table<'_, &'static str, u64>, before: Floors) -> Result<(), DiskError> {
    let floors = floors(meta)?.max(before);
    for rank in Rank::ALL {
        meta.insert(floor_key(rank), floors.of(rank).to_u64())?;
    }
    Ok(())
}

/// What has been taken out.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Gone {
    pub(super) records: u64,
    pub(super) bytes: u64,
}

/// Takes out those of a group's records with `from <= time < to` that `is_going` picks.
pub(super) fn drop_those(
    records: &mut Table<'_, RecordKey<'static>, RecordValue<'static>>,
    group: &str,
    (from, to): (Timestamp, Timestamp),
    is_going: impl Fn(RecordKey<'_>) -> bool,
) -> Result<Gone, DiskError> {
    let mut gone = Gone::default();
    records.retain_in(span(group, from, to), |key, value| {
        if !is_going(key) {
            return true;
        }
        gone.records += 1;
        gone.bytes += len(value);
        false
    })?;
    Ok(gone)
}

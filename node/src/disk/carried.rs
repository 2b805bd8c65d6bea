//! How much each group takes, and dropping the oldest of what is carried for others.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use muster_roles::{GroupId, Timestamp};
use redb::{ReadableTable, Table, TableDefinition};

use crate::engine::store::Shed;

use super::{Disk, DiskError, END_OF_TIME, META, OUTBOX, RECORDS, RecordKey, RecordValue, span};

/// Bytes that a group's records take; written in the commit that changes them, so that nobody need count.
pub(super) const SIZES: TableDefinition<'_, &'static str, u64> = TableDefinition::new("sizes");

/// Where the oldest time that is kept of what is carried stands in [`META`].
const FLOOR_KEY: &str = "floor";

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

/// Returns the first time at which enough of these groups' records are older to make so many bytes.
fn cut(
    records: &impl ReadableTable<RecordKey<'static>, RecordValue<'static>>,
    groups: &Bytes,
    bytes: u64,
) -> Result<Timestamp, DiskError> {
    let mut ranges = Vec::with_capacity(groups.len());
    for group in groups.keys() {
        ranges.push(records.range(span(group, Timestamp::ZERO, END_OF_TIME))?);
    }
    // The oldest of each group that has not been counted, the oldest of all on top.
    let mut oldest = BinaryHeap::with_capacity(ranges.len());
    let mut advance = |oldest: &mut BinaryHeap<_>, which: usize| -> Result<(), DiskError> {
        if let Some(entry) = ranges.get_mut(which).and_then(Iterator::next) {
            let (key, value) = entry?;
            oldest.push(Reverse((key.value().1, which, len(value.value()))));
        }
        Ok(())
    };
    (0..groups.len()).try_for_each(|which| advance(&mut oldest, which))?;
    let (mut counted, mut last) = (0, Timestamp::ZERO);
    while counted < bytes
        && let Some(Reverse((time, which, len))) = oldest.pop()
    {
        counted += len;
        last = Timestamp::from_u64(time);
        advance(&mut oldest, which)?;
    }
    Ok(last.next())
}

impl Disk {
    /// Returns the oldest time that is kept of what is carried: older records have had to make room.
    ///
    /// # Errors
    /// [`DiskError`].
    pub fn floor(&self) -> Result<Timestamp, DiskError> {
        let floor = self.read()?.open_table(META)?.get(FLOOR_KEY)?.map_or(0, |floor| floor.value());
        Ok(Timestamp::from_u64(floor))
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
    pub(super) fn drop_oldest(&self, shed: &Shed) -> Result<Option<Timestamp>, DiskError> {
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
        let transaction = self.write()?;
        let before = {
            let mut records = transaction.open_table(RECORDS)?;
            let before = cut(&records, &carried, held.saturating_sub(shed.to_bytes))?;
            let mut outbox = transaction.open_table(OUTBOX)?;
            let mut dropped = Bytes::new();
            for group in carried.keys() {
                outbox.retain_in(span(group, Timestamp::ZERO, before), |_, ()| false)?;
                let gone = drop_before(&mut records, group, before)?;
                dropped.insert(group.clone(), gone.bytes);
            }
            shrink(&mut transaction.open_table(SIZES)?, &dropped)?;
            let mut meta = transaction.open_table(META)?;
            let floor = meta.get(FLOOR_KEY)?.map_or(0, |floor| floor.value());
            meta.insert(FLOOR_KEY, floor.max(before.to_u64()))?;
            before
        };
        transaction.commit()?;
        Ok(Some(before))
    }
}

/// What has been taken out.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Gone {
    pub(super) records: u64,
    pub(super) bytes: u64,
}

/// Takes out a group's records that are older than `before`.
pub(super) fn drop_before(
    records: &mut Table<'_, RecordKey<'static>, RecordValue<'static>>,
    group: &str,
    before: Timestamp,
) -> Result<Gone, DiskError> {
    let mut gone = Gone::default();
    records.retain_in(span(group, Timestamp::ZERO, before), |_, value| {
        gone.records += 1;
        gone.bytes += len(value);
        false
    })?;
    Ok(gone)
}

//! The store on disk: one redb file whose every commit is durable once the call has returned.

mod carried;
mod clean;
mod error;
mod judged;
mod marks;
mod open;
mod rows;
pub mod writer;

use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use muster_keys::PublicKey;
use muster_roles::{GroupId, Timestamp};
use redb::{ReadTransaction, ReadableDatabase, ReadableTable, Table, TableDefinition, WriteTransaction};

use crate::engine::floors::Floors;
use crate::engine::policy::Permitted;
use crate::engine::store::{Fate, Shed, Store, Stored};
use crate::engine::sync::SyncId;
use crate::engine::wire::{Frame, RecordId};

use self::carried::{Bytes, SIZES, Search, drop_those, grow, shrink};
use self::open::Opened;
pub use error::{DiskError, OpenError, damaged_hint};
pub use marks::Mark;
pub use rows::Rows;
pub(crate) use rows::{Raw, RawRows};

/// Group, time, id: records of a group lie in the order in which they are shown.
type RecordKey<'a> = (&'a str, u64, &'a [u8; 32]);

/// When it was received in Unix milliseconds, and the record's bytes as they came.
type RecordValue<'a> = (u64, &'a [u8]);

const RECORDS: TableDefinition<'_, RecordKey<'static>, RecordValue<'static>> = TableDefinition::new("records");

/// The records of this node's member that nobody else is known to have: keyed like [`RECORDS`], with nothing to them.
const OUTBOX: TableDefinition<'_, RecordKey<'static>, ()> = TableDefinition::new("outbox");

/// Group and author, and the author's highest count in that group.
const SEQS: TableDefinition<'_, (&'static str, &'static [u8; 32]), u64> = TableDefinition::new("seqs");

/// Facts about the file itself.
const META: TableDefinition<'_, &'static str, u64> = TableDefinition::new("meta");

/// Later than every record: no clock is believed that runs so far ahead.
pub(crate) const END_OF_TIME: Timestamp = Timestamp::from_u64(u64::MAX);

/// Sorts before every record of the same group and time.
const LOWEST_ID: &[u8; 32] = &[0; 32];

/// The store on disk; clones are handles to the same open file.
#[derive(Clone, Debug)]
pub struct Disk {
    database: Arc<Opened>,
    /// What the one handle that writes knows of what is carried for others.
    search: Search,
}

impl Disk {
    /// Returns the records of `group` with `from <= time < to`, oldest first; from the end, newest first.
    ///
    /// They are those that were stored when this was called, whatever is written meanwhile.
    ///
    /// # Errors
    /// [`DiskError`]; so may every item be.
    pub fn rows(&self, group: &GroupId, from: Timestamp, to: Timestamp) -> Result<Rows, DiskError> {
        let records = self.read()?.open_table(RECORDS)?;
        Ok(Rows::new(records.range(span(group.as_str(), from, to))?, true))
    }

    /// Does the same, and leaves receipts out.
    ///
    /// # Errors
    /// [`DiskError`]; so may every item be.
    pub fn messages(&self, group: &GroupId, from: Timestamp, to: Timestamp) -> Result<Rows, DiskError> {
        let records = self.read()?.open_table(RECORDS)?;
        Ok(Rows::new(records.range(span(group.as_str(), from, to))?, false))
    }

    /// Does the same, and decodes nothing.
    pub(crate) fn raw_messages(&self, group: &GroupId, from: Timestamp, to: Timestamp) -> Result<RawRows, DiskError> {
        Ok(RawRows(self.messages(group, from, to)?))
    }

    /// Returns the names of all records of a group, the oldest first.
    ///
    /// # Errors
    /// [`DiskError`].
    pub fn names(&self, group: &GroupId) -> Result<Vec<SyncId>, DiskError> {
        let records = self.read()?.open_table(RECORDS)?;
        let entries = records.range(span(group.as_str(), Timestamp::ZERO, END_OF_TIME))?;
        entries
            .map(|entry| {
                let (key, _) = entry?;
                let (_, time, id) = key.value();
                Ok(SyncId::new(Timestamp::from_u64(time), &RecordId::from_bytes(*id)))
            })
            .collect()
    }

    /// Returns the records of these names as they came, leaving out those that are not here.
    ///
    /// # Errors
    /// [`DiskError`].
    pub fn load(&self, group: &GroupId, names: &[SyncId]) -> Result<Vec<Vec<u8>>, DiskError> {
        let records = self.read()?.open_table(RECORDS)?;
        let mut found = Vec::with_capacity(names.len());
        for name in names {
            let (lowest, highest) = name.ids();
            let (group, time) = (group.as_str(), name.time().to_u64());
            let of_name = (group, time, lowest.as_bytes())..=(group, time, highest.as_bytes());
            if let Some(entry) = records.range::<RecordKey<'_>>(of_name)?.next() {
                let (_, value) = entry?;
                found.push(value.value().1.to_vec());
            }
        }
        Ok(found)
    }

    /// Returns the newest `limit` records of a group before `before`, or of all; oldest first. If there are older ones,
    /// where the oldest returned stands too: what is before that comes next.
    ///
    /// # Errors
    /// [`DiskError`], among them a record that does not decode.
    pub fn page(
        &self,
        group: &GroupId,
        before: Option<Mark>,
        limit: usize,
    ) -> Result<(Vec<Stored>, Option<Mark>), DiskError> {
        let records = self.read()?.open_table(RECORDS)?;
        let (time, id) = before.unwrap_or((END_OF_TIME, RecordId::from_bytes(*LOWEST_ID)));
        let (group, lowest) = (group.as_str(), Timestamp::ZERO.to_u64());
        let mut range =
            Rows::new(records.range((group, lowest, LOWEST_ID)..(group, time.to_u64(), id.as_bytes()))?, false);
        let mut page = range.by_ref().rev().take(limit).collect::<Result<Vec<_>, _>>()?;
        page.reverse();
        let oldest = page.first().map(|stored| (stored.frame().header().time, stored.frame().id()));
        let has_older = range.next().transpose()?.is_some();
        Ok((page, oldest.filter(|_| has_older)))
    }

    fn read(&self) -> Result<ReadTransaction, DiskError> {
        Ok(self.database.get()?.begin_read()?)
    }

    fn write(&self) -> Result<WriteTransaction, DiskError> {
        // Durability is redb's default, `Immediate`: a commit that has returned survives power loss.
        Ok(self.database.get()?.begin_write()?)
    }
}

impl Store for Disk {
    type Error = DiskError;

    fn append(&mut self, batch: &[Permitted]) -> Result<Vec<Fate>, DiskError> {
        let transaction = self.write()?;
        let fates = {
            let mut records = transaction.open_table(RECORDS)?;
            let mut seqs = transaction.open_table(SEQS)?;
            let mut outbox = transaction.open_table(OUTBOX)?;
            let mut added = Bytes::new();
            let mut fates = Vec::with_capacity(batch.len());
            for record in batch {
                let fate = insert(&mut records, record)?;
                raise_seq(&mut seqs, record)?;
                if fate == Fate::New {
                    let frame = record.frame();
                    self.search.note(frame.header().time, frame.header().rank());
                    *added.entry(frame.header().group.to_string()).or_default() += frame.bytes().len() as u64;
                    if record.is_own() {
                        outbox.insert(key_of(frame, &frame.id()), ())?;
                    }
                }
                fates.push(fate);
            }
            grow(&mut transaction.open_table(SIZES)?, &added)?;
            fates
        };
        if fates.contains(&Fate::New) {
            transaction.commit()?;
        } else {
            transaction.abort()?;
        }
        Ok(fates)
    }

    fn sent(&mut self, group: &GroupId, ids: &[(Timestamp, RecordId)]) -> Result<(), DiskError> {
        let transaction = self.write()?;
        {
            let mut outbox = transaction.open_table(OUTBOX)?;
            for (time, id) in ids {
                outbox.remove((group.as_str(), time.to_u64(), id.as_bytes()))?;
            }
        }
        Ok(transaction.commit()?)
    }

    fn waiting(&self, most: usize) -> Result<Vec<Stored>, DiskError> {
        let transaction = self.read()?;
        let (outbox, records) = (transaction.open_table(OUTBOX)?, transaction.open_table(RECORDS)?);
        let mut waiting = Vec::new();
        for entry in outbox.iter()?.rev().take(most) {
            let (key, _) = entry?;
            if let Some(value) = records.get(key.value())? {
                waiting.push(rows::decode(key.value(), value.value())?);
            }
        }
        waiting.reverse();
        Ok(waiting)
    }

    fn remove(&mut self, group: &GroupId, ids: &[(Timestamp, RecordId)]) -> Result<(), DiskError> {
        let transaction = self.write()?;
        {
            let mut records = transaction.open_table(RECORDS)?;
            let mut outbox = transaction.open_table(OUTBOX)?;
            let mut removed = 0;
            for (time, id) in ids {
                let key = (group.as_str(), time.to_u64(), id.as_bytes());
                let gone = records.remove(key)?;
                removed += gone.map_or(0, |gone| carried::len(gone.value()));
                outbox.remove(key)?;
            }
            shrink(&mut transaction.open_table(SIZES)?, &[(group.to_string(), removed)].into())?;
        }
        Ok(transaction.commit()?)
    }

    fn prune(&mut self, before: Timestamp) -> Result<u64, DiskError> {
        let transaction = self.write()?;
        let mut dropped = 0;
        {
            let mut records = transaction.open_table(RECORDS)?;
            transaction.open_table(OUTBOX)?.retain(|(_, time, _), ()| time >= before.to_u64())?;
            let mut removed = Bytes::new();
            for (group, _) in newest_by_group(&records)? {
                let gone = drop_those(&mut records, &group, (Timestamp::ZERO, before), |_| true)?;
                dropped += gone.records;
                removed.insert(group, gone.bytes);
            }
            shrink(&mut transaction.open_table(SIZES)?, &removed)?;
        }
        if dropped > 0 {
            transaction.commit()?;
        } else {
            transaction.abort()?;
        }
        Ok(dropped)
    }

    fn shed(&mut self, shed: &Shed) -> Result<Option<Floors>, DiskError> {
        self.drop_least_urgent(shed)
    }

    fn scan(
        &self,
        group: &GroupId,
        from: Timestamp,
        to: Timestamp,
        visit: &mut dyn FnMut(Stored) -> ControlFlow<()>,
    ) -> Result<(), DiskError> {
        for stored in self.rows(group, from, to)? {
            if visit(stored?).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn latest(&self, group: &GroupId, count: usize) -> Result<Vec<Stored>, DiskError> {
        let all = self.messages(group, Timestamp::ZERO, END_OF_TIME)?;
        let mut newest = all.rev().take(count).collect::<Result<Vec<_>, _>>()?;
        newest.reverse();
        Ok(newest)
    }

    fn last_seq(&self, group: &GroupId, author: &PublicKey) -> Result<Option<u64>, DiskError> {
        let seqs = self.read()?.open_table(SEQS)?;
        let highest = seqs.get((group.as_str(), author.as_bytes()))?;
        Ok(highest.map(|seq| seq.value()))
    }

    fn newest(&self) -> Result<Timestamp, DiskError> {
        let records = self.read()?.open_table(RECORDS)?;
        let newest = newest_by_group(&records)?;
        let times = newest.into_iter().map(|(_, time)| time);
        Ok(times.max().unwrap_or(Timestamp::ZERO))
    }
}

/// Stores one record unless it is there.
fn insert(
    records: &mut Table<'_, RecordKey<'static>, RecordValue<'static>>,
    record: &Permitted,
) -> Result<Fate, DiskError> {
    let frame = record.frame();
    let id = frame.id();
    let key = key_of(frame, &id);
    if records.get(key)?.is_some() {
        return Ok(Fate::Known);
    }
    let value: RecordValue<'_> = (record.received_ms(), frame.bytes());
    records.insert(key, value)?;
    Ok(Fate::New)
}

fn key_of<'a>(frame: &'a Frame, id: &'a RecordId) -> RecordKey<'a> {
    let header = frame.header();
    (header.group.as_str(), header.time.to_u64(), id.as_bytes())
}

/// Keeps the highest count of a message's author in its group; receipts are counted apart.
fn raise_seq(
    seqs: &mut Table<'_, (&'static str, &'static [u8; 32]), u64>,
    record: &Permitted,
) -> Result<(), DiskError> {
    let header = record.frame().header();
    if !header.kind.is_message() {
        return Ok(());
    }
    let key = (header.group.as_str(), header.author.as_bytes());
    let highest = seqs.get(key)?.map(|seq| seq.value());
    if highest.is_none_or(|seq| seq < header.seq) {
        seqs.insert(key, header.seq)?;
    }
    Ok(())
}

/// Returns every group that has records, with the time of its newest, from the last group to the first.
fn newest_by_group(
    records: &impl ReadableTable<RecordKey<'static>, RecordValue<'static>>,
) -> Result<Vec<(String, Timestamp)>, DiskError> {
    let mut found: Vec<(String, Timestamp)> = Vec::new();
    loop {
        // Each step jumps over all the records of a group at once.
        let last = match found.last() {
            None => records.last()?,
            Some((group, _)) => {
                records.range::<RecordKey<'_>>(..(group.as_str(), 0, LOWEST_ID))?.next_back().transpose()?
            }
        };
        let Some((key, _)) = last else {
            return Ok(found);
        };
        let (group, time, _) = key.value();
        let group = group.to_owned();
        found.push((group, Timestamp::from_u64(time)));
    }
}

/// Returns the keys of `group` with `from <= time < to`.
fn span(group: &str, from: Timestamp, to: Timestamp) -> Range<RecordKey<'_>> {
    // redb is not asked for a range that ends before it begins.
    let to = to.max(from);
    (group, from.to_u64(), LOWEST_ID)..(group, to.to_u64(), LOWEST_ID)
}

//! A store in memory, for comparison with the one on disk.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::convert::Infallible;
use std::ops::ControlFlow;

use muster::engine::floors::Floors;
use muster::engine::policy::Permitted;
use muster::engine::store::{Fate, Shed, Store, Stored};
use muster::engine::sync::SyncId;
use muster::engine::wire::{Rank, RecordId};
use muster_keys::PublicKey;
use muster_roles::{GroupId, Timestamp};

type Key = (GroupId, Timestamp, RecordId);

#[derive(Default)]
pub struct MemStore {
    records: BTreeMap<Key, Stored>,
    last_seq: HashMap<(GroupId, PublicKey), u64>,
    waiting: BTreeSet<Key>,
}

impl MemStore {
    pub fn contains(&self, group: &GroupId, time: Timestamp, id: RecordId) -> bool {
        self.records.contains_key(&(group.clone(), time, id))
    }

    /// The record that reconciliation knows by this name.
    pub fn find(&self, group: &GroupId, name: &SyncId) -> Option<Vec<u8>> {
        let of_time = self.group(group).filter(|((_, time, _), _)| *time == name.time());
        of_time
            .map(|(_, stored)| stored.frame())
            .find(|frame| SyncId::new(frame.header().time, &frame.id()) == *name)
            .map(|frame| frame.bytes().to_vec())
    }

    /// Bytes that the records of a group take.
    pub fn size(&self, group: &GroupId) -> u64 {
        self.group(group).map(|(_, stored)| stored.frame().bytes().len() as u64).sum()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Stored> {
        self.records.values()
    }

    /// Counts the messages; receipts are none.
    pub fn messages(&self) -> usize {
        self.records.values().filter(|stored| is_message(stored)).count()
    }

    /// All records of a group, receipts too.
    pub fn all(&self, group: &GroupId) -> Vec<Stored> {
        self.group(group).map(|(_, stored)| stored.clone()).collect()
    }

    fn group(&self, group: &GroupId) -> impl DoubleEndedIterator<Item = (&Key, &Stored)> {
        let from = (group.clone(), Timestamp::ZERO, RecordId::from_bytes([0; 32]));
        let to = (group.clone(), Timestamp::from_u64(u64::MAX), RecordId::from_bytes([255; 32]));
        self.records.range(from..=to)
    }
}

fn is_message(stored: &Stored) -> bool {
    stored.frame().header().kind.is_message()
}

impl Store for MemStore {
    type Error = Infallible;

    fn append(&mut self, batch: &[Permitted]) -> Result<Vec<Fate>, Infallible> {
        let mut fates = Vec::with_capacity(batch.len());
        for record in batch {
            let header = record.frame().header();
            let key = (header.group.clone(), header.time, record.frame().id());
            let last = self.last_seq.entry((header.group.clone(), header.author)).or_default();
            if header.kind.is_message() {
                *last = header.seq.max(*last);
            }
            let known = self.records.contains_key(&key);
            if record.is_own() && !known {
                self.waiting.insert(key.clone());
            }
            self.records.entry(key).or_insert_with(|| Stored::from(record));
            fates.push(if known { Fate::Known } else { Fate::New });
        }
        Ok(fates)
    }

    fn remove(&mut self, group: &GroupId, ids: &[(Timestamp, RecordId)]) -> Result<(), Infallible> {
        for (time, id) in ids {
            self.records.remove(&(group.clone(), *time, *id));
        }
        self.sent(group, ids)
    }

    fn sent(&mut self, group: &GroupId, ids: &[(Timestamp, RecordId)]) -> Result<(), Infallible> {
        for (time, id) in ids {
            self.waiting.remove(&(group.clone(), *time, *id));
        }
        Ok(())
    }

    fn waiting(&self, most: usize) -> Result<Vec<Stored>, Infallible> {
        let mut waiting: Vec<Stored> = self.waiting.iter().filter_map(|key| self.records.get(key).cloned()).collect();
        Ok(waiting.split_off(waiting.len().saturating_sub(most)))
    }

    fn prune(&mut self, before: Timestamp) -> Result<u64, Infallible> {
        let held = self.records.len();
        self.records.retain(|(_, time, _), _| *time >= before);
        self.waiting.retain(|(_, time, _)| *time >= before);
        Ok((held - self.records.len()) as u64)
    }

    fn shed(&mut self, shed: &Shed) -> Result<Option<Floors>, Infallible> {
        let carried = self.records.iter().filter(|((group, ..), _)| !shed.own.contains(group));
        let of_shed =
            |((_, time, id), stored): (&Key, &Stored)| (id.rank(), *time, stored.frame().bytes().len() as u64);
        let mut going: Vec<(Rank, Timestamp, u64)> = carried.map(of_shed).collect();
        going.sort();
        let mut held: u64 = going.iter().map(|(.., len)| len).sum();
        if held <= shed.above_bytes {
            return Ok(None);
        }
        let mut before = Floors::NONE;
        for (rank, time, len) in going {
            if held <= shed.to_bytes {
                break;
            }
            held -= len;
            before.set(rank, time.next());
        }
        self.records.retain(|(group, time, id), _| shed.own.contains(group) || before.keep(*time, id.rank()));
        Ok(Some(before))
    }

    fn scan(
        &self,
        group: &GroupId,
        from: Timestamp,
        to: Timestamp,
        visit: &mut dyn FnMut(Stored) -> ControlFlow<()>,
    ) -> Result<(), Infallible> {
        for ((_, time, _), stored) in self.group(group) {
            if (from..to).contains(time) && visit(stored.clone()).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn latest(&self, group: &GroupId, count: usize) -> Result<Vec<Stored>, Infallible> {
        let messages = self.group(group).rev().map(|(_, stored)| stored).filter(|stored| is_message(stored));
        let mut newest: Vec<Stored> = messages.take(count).cloned().collect();
        newest.reverse();
        Ok(newest)
    }

    fn last_seq(&self, group: &GroupId, author: &PublicKey) -> Result<Option<u64>, Infallible> {
        Ok(self.last_seq.get(&(group.clone(), *author)).copied())
    }

    fn newest(&self) -> Result<Timestamp, Infallible> {
        Ok(self.records.keys().map(|(_, time, _)| *time).max().unwrap_or(Timestamp::ZERO))
    }
}

//! What records prove by themselves: whose they are, that nobody has changed them, and that none is left out of a row.
//!
//! Nothing is needed but the records and the roster documents that came with them: no keys, no network, no clock.

use std::collections::BTreeMap;

use muster_keys::PublicKey;
use muster_roles::{GroupId, MemberName, Roster, RosterError, Timestamp};

use super::bundle::{Counts, Found, Kind as Item};
use super::confirmed::Run;
use super::policy::permit_record;
use super::runs::Runs;
use super::verify::{Roots, Verified, VerifyError};
use super::wire::{Frame, Header, Kind, RecordId};

/// Faults and holes that are named; of more, only how many there are is told.
pub const MAX_NAMED: usize = 100;

/// What is wrong with one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// Its bytes are not those that were written to the file.
    #[error("damaged")]
    Damaged,
    /// It is no record.
    #[error("no record")]
    Malformed,
    /// It belongs to another unit.
    #[error("of another unit")]
    OtherUnit,
    /// The signature is not its author's over these bytes.
    #[error("the signature does not hold")]
    BadSignature,
    /// It cites roster documents that are not in the file.
    #[error("by a roster that is not in the file")]
    UnknownRoster,
    /// Its author had no right to it.
    #[error("not permitted to its author")]
    NotPermitted,
}

/// Which record it is, by what it says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Its group.
    pub group: GroupId,
    /// Its author's name, if the roster has it.
    pub author: Option<MemberName>,
    /// The author's own count of its messages, or of its receipts.
    pub count: u64,
    /// Whether it is a receipt.
    pub is_receipt: bool,
    /// Its own time.
    pub time: Timestamp,
    /// Its id.
    pub id: RecordId,
}

/// One record that is not good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Its place among the file's records, from 1.
    pub number: u64,
    /// Which one it is, where its bytes still say so.
    pub named: Option<Named>,
    /// What is wrong with it.
    pub flaw: Flaw,
}

/// Records of an author that lie between two others and are not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hole {
    /// Their group.
    pub group: GroupId,
    /// Their author.
    pub author: MemberName,
    /// Whether they are receipts; messages are counted apart.
    pub is_receipt: bool,
    /// The first one's count.
    pub first: u64,
    /// The last one's.
    pub last: u64,
}

/// How many good records there are by an author in a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// The group.
    pub group: GroupId,
    /// The author.
    pub author: MemberName,
    /// Messages: texts, orders and answers.
    pub messages: Row,
    /// Receipts.
    pub receipts: Row,
}

/// Good records of one kind by one author in one group. What was before its first and after its last, nobody can tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// How many there are.
    pub count: u64,
    /// The author's own counts of the first and of the last of them; nothing where there is none.
    pub span: Option<(u64, u64)>,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Roster documents that are good.
    pub documents: u64,
    /// Roster documents that are not.
    pub bad_documents: u64,
    /// Good records.
    pub good: u64,
    /// Records that are not good.
    pub bad: u64,
    /// The first of those.
    pub faults: Vec<Fault>,
    /// How many records are missing in rows.
    pub missing: u64,
    /// The first rows of them.
    pub holes: Vec<Hole>,
    /// Whose the good ones are.
    pub shares: Vec<Share>,
    /// The times of the oldest and of the newest good record.
    pub span: Option<(Timestamp, Timestamp)>,
    /// Bytes that are nothing.
    pub unreadable_bytes: u64,
    /// Records fewer than the file says were written to it; nothing where its end is missing.
    pub lost: Option<u64>,
}

impl Report {
    /// Tells whether everything is there and good, as far as it can be known.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        let is_good = self.bad == 0 && self.bad_documents == 0 && self.missing == 0 && self.unreadable_bytes == 0;
        is_good && self.lost == Some(0)
    }
}

impl Row {
    fn take_in(&mut self, count: u64, runs: &[Run]) {
        self.count += count;
        if let (Some(first), Some(last)) = (runs.first(), runs.last()) {
            let (from, to) = self.span.unwrap_or((first.first, last.last));
            self.span = Some((from.min(first.first), to.max(last.last)));
        }
    }
}

/// Counts of one author's records in one group.
type Key = (GroupId, PublicKey, bool);

/// Goes through a file item by item.
#[derive(Debug, Default)]
pub struct Prover {
    documents: Vec<Vec<u8>>,
    roster: Option<Roster>,
    roots: Roots,
    counts: BTreeMap<Key, (MemberName, u64, Runs)>,
    seen: u64,
    written: Option<Counts>,
    report: Report,
}

impl Prover {
    /// Takes in the next item; returns a record that is good.
    pub fn take(&mut self, found: Found) -> Option<Frame> {
        match found {
            Found::Document(bytes) if self.roster.is_none() => self.documents.push(bytes),
            Found::Document(_) | Found::Damaged(Item::Document) => self.report.bad_documents += 1,
            Found::Record(bytes) => return self.record(&bytes),
            Found::Damaged(Item::Record) => {
                self.seen += 1;
                self.fault(None, Flaw::Damaged);
            }
            Found::Damaged(Item::End) => {}
            Found::Unreadable { len, .. } => self.report.unreadable_bytes += len,
            Found::End(counts) => self.written = Some(counts),
        }
        None
    }

    /// Returns the roster that the file's documents make, once its first record has been taken.
    #[must_use]
    pub fn roster(&self) -> Option<&Roster> {
        self.roster.as_ref()
    }

    fn record(&mut self, bytes: &[u8]) -> Option<Frame> {
        self.seen += 1;
        self.settle();
        let Ok(frame) = Frame::decode(bytes) else {
            self.fault(None, Flaw::Malformed);
            return None;
        };
        let Some(roster) = &self.roster else {
            self.fault(None, Flaw::UnknownRoster);
            return None;
        };
        match judge(&frame, roster, &mut self.roots) {
            Ok(name) => {
                self.count(&frame, name);
                Some(frame)
            }
            Err(flaw) => {
                let named = named(&frame, roster);
                self.fault(Some(named), flaw);
                None
            }
        }
    }

    /// Makes the roster out of the documents, leaving out those that are no good.
    fn settle(&mut self) {
        while self.roster.is_none() && !self.documents.is_empty() {
            match Roster::from_history(self.documents.iter().map(Vec::as_slice)) {
                Ok(roster) => {
                    self.report.documents = self.documents.len() as u64;
                    self.roster = Some(roster);
                }
                Err(RosterError::Refused { position, .. }) if (1..=self.documents.len()).contains(&position) => {
                    self.documents.remove(position - 1);
                    self.report.bad_documents += 1;
                }
                Err(_) => {
                    self.report.bad_documents += self.documents.len() as u64;
                    self.documents.clear();
                }
            }
        }
    }

    fn count(&mut self, frame: &Frame, name: MemberName) {
        let header = frame.header();
        let key = (header.group.clone(), header.author, header.kind == Kind::Receipt);
        let (_, count, runs) = self.counts.entry(key).or_insert_with(|| (name, 0, Runs::default()));
        *count += 1;
        runs.insert(Run { first: header.seq, last: header.seq });
        self.report.good += 1;
        let (oldest, newest) = self.report.span.unwrap_or((header.time, header.time));
        self.report.span = Some((oldest.min(header.time), newest.max(header.time)));
    }

    fn fault(&mut self, named: Option<Named>, flaw: Flaw) {
        self.report.bad += 1;
        if self.report.faults.len() < MAX_NAMED {
            self.report.faults.push(Fault { number: self.seen, named, flaw });
        }
    }

    /// Says what was found, once the file has ended.
    #[must_use]
    pub fn finish(mut self) -> Report {
        self.settle();
        let mut report = self.report;
        let mut shares: BTreeMap<(GroupId, MemberName), (Row, Row)> = BTreeMap::new();
        for ((group, _, is_receipt), (author, count, runs)) in self.counts {
            let (messages, receipts) = shares.entry((group.clone(), author.clone())).or_default();
            let runs: Vec<Run> = runs.iter().collect();
            if is_receipt { receipts } else { messages }.take_in(count, &runs);
            for (run, next) in runs.iter().zip(runs.iter().skip(1)) {
                let (first, last) = (run.last.saturating_add(1), next.first.saturating_sub(1));
                report.missing = report.missing.saturating_add(last.saturating_sub(first).saturating_add(1));
                if report.holes.len() < MAX_NAMED {
                    let (group, author) = (group.clone(), author.clone());
                    report.holes.push(Hole { group, author, is_receipt, first, last });
                }
            }
        }
        let share = |((group, author), (messages, receipts))| Share { group, author, messages, receipts };
        report.shares = shares.into_iter().map(share).collect();
        report.lost = self.written.map(|written| written.records.saturating_sub(self.seen));
        report
    }
}

/// Checks a record's signature and its author's right; returns the author's name.
fn judge(frame: &Frame, roster: &Roster, roots: &mut Roots) -> Result<MemberName, Flaw> {
    let record = Verified::check(frame.clone(), roster.unit(), roots).map_err(|error| match error {
        VerifyError::OtherUnit => Flaw::OtherUnit,
        VerifyError::BadSignature => Flaw::BadSignature,
    })?;
    let header: &Header = record.frame().header();
    if !roster.holds(&header.group, header.charter_version, header.sheet_version) {
        return Err(Flaw::UnknownRoster);
    }
    permit_record(roster, header).map(|permit| permit.name).map_err(|_| Flaw::NotPermitted)
}

fn named(frame: &Frame, roster: &Roster) -> Named {
    let header = frame.header();
    Named {
        group: header.group.clone(),
        author: roster.at(header.time).member(&header.author).map(|member| member.name),
        count: header.seq,
        is_receipt: header.kind == Kind::Receipt,
        time: header.time,
        id: frame.id(),
    }
}

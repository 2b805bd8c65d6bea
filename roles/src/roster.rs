//! The roster: every accepted document of one unit, and what they say together.
//!
//! What the roster says is a pure function of the documents it has seen and of the time, whatever the
//! order in which they came; `timeline.rs` states that function. Documents are in one of two places:
//! * **kept**: the first charter and every change of authority, for ever; whatever is in force now or was within the
//!   last 7 days; and each troop's newest sheet by the authority, to fall back on when a leader loses its
//!   office, unless its epoch ended before those days. These are stored, counted in the digest and given to others.
//!   No group key outlives its epoch by more than those days in them, for the charters kept for ever hold none.
//! * **in reserve**: the last few that were properly signed, but that nobody entitled has signed or that newer ones
//!   outdo. A document to come may bring them into force: a charter that names their signer, say. The reserve is
//!   bounded and not stored, as nothing depends on it that the others would not send again.
//!
//! A change of authority that is 7 days old is *settled*: no other charter of its version or a lower one is
//! taken any more. A stolen key of a former authority thus cannot rewrite what has long been decided, though within
//! those days it can; that is where order independence ends.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::iter;

use muster_keys::PublicKey;
use serde::{Deserialize, Serialize};
use serde_bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::authority::UnitId;
use crate::clash::{self, Clash, MAX_CLASHES};
use crate::document::{Charter, Document, SealedKeyring, Sheet, TroopDef};
use crate::error::{DecodeError, Refusal, RosterError};
use crate::name::GroupId;
use crate::signed::{DocumentId, Signed};
use crate::standing::{Member, Moment, Standing};
use crate::timeline::Timeline;
use crate::timestamp::Timestamp;
use crate::wire;

/// How long superseded documents are kept, in milliseconds: 7 days, as long as the records they judge.
pub const HISTORY_MS: u64 = 7 * 24 * 60 * 60 * 1_000;

/// How far ahead of now a document may be issued, in milliseconds: 5 minutes, as far as clocks in
/// the field drift apart.
pub const MAX_AHEAD_MS: u64 = 5 * 60 * 1_000;

/// The most documents in reserve: several for each troop of a large unit.
const MAX_RESERVE: usize = 64;

/// The most bytes in reserve, so that strangers' documents cannot fill a small device's memory.
const MAX_RESERVE_LEN: usize = 4 << 20;

/// The most documents in a roster file: more than a full history of every group ever holds.
const MAX_DOCUMENTS: usize = 1 << 16;

/// The roster file's format.
const FORMAT: u64 = 1;

/// What became of a document that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// It is now in force.
    New,
    /// It was there already.
    Known,
    /// It is not in force now, but was, or may be again: stored records must be judged again.
    History,
}

/// The versions that a new record of a group cites.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cited {
    /// The version of the charter in force.
    pub charter_version: u64,
    /// The version of the troop's sheet in force; 0 for `heads`, and when there is none.
    pub sheet_version: u64,
    /// The group's epoch; 0 when there is no sheet, so that no key fits.
    pub epoch: u64,
}

/// Every accepted document of one unit.
#[derive(Clone)]
pub struct Roster {
    unit: UnitId,
    kept: BTreeMap<DocumentId, Signed>,
    reserve: VecDeque<Signed>,
    timeline: Timeline,
    /// What was lost to documents made apart, until somebody asks.
    clashes: Vec<Clash>,
}

impl Roster {
    /// Builds the roster that a set of documents makes, in whatever order they are given.
    ///
    /// # Errors
    /// If a document is damaged, of another unit, from the future or signed by nobody entitled, or if the unit's first
    /// authority is missing. Superseded ones are left out without a word.
    pub fn from_documents<'a>(
        documents: impl IntoIterator<Item = &'a [u8]>,
        now: Timestamp,
    ) -> Result<Self, RosterError> {
        let signed = decode_all(documents)?;
        check_each(&signed, |document| check_time(document, now))?;
        Self::from_signed(signed, now)
    }

    /// Builds the roster that a set of documents makes, and forgets nothing of their history: to judge what was written long
    /// ago by the documents that came with it.
    ///
    /// # Errors
    /// As with [`Roster::from_documents`], but for the future: there is no present to compare with.
    pub fn from_history<'a>(documents: impl IntoIterator<Item = &'a [u8]>) -> Result<Self, RosterError> {
        Self::from_signed(decode_all(documents)?, Timestamp::ZERO)
    }

    fn from_signed(signed: Vec<Signed>, now: Timestamp) -> Result<Self, RosterError> {
        let unit = founded_unit(&signed).ok_or(RosterError::NoCharter)?;
        check_each(&signed, |document| check_unit(document, unit))?;
        let timeline = Timeline::derive(unit, &signed, history_start(now)).ok_or(RosterError::NoCharter)?;
        let kept = timeline.kept();
        check_each(&signed, |document| {
            let belongs = kept.contains(&document.id()) || timeline.entitles(document);
            belongs.then_some(()).ok_or(Refusal::NotYetJudgeable)
        })?;
        let mut roster = Self { unit, kept: BTreeMap::new(), reserve: signed.into(), timeline, clashes: Vec::new() };
        roster.sort(&kept);
        Ok(roster)
    }

    /// Takes in a document, if it is properly signed, of this unit, and of use.
    ///
    /// The order in which documents come makes no difference to what the roster says in the end. `now` is the
    /// latest that the caller knows it to be, by its clock or by what it has seen.
    ///
    /// # Errors
    /// Says why the document was not taken. After [`Refusal::NotYetJudgeable`] and [`Refusal::Superseded`] the
    /// roster may hold it in reserve and take it up by itself; after [`Refusal::FromTheFuture`] the caller may try again.
    pub fn accept(&mut self, bytes: &[u8], now: Timestamp) -> Result<Accepted, Refusal> {
        let id = DocumentId::of(bytes);
        if self.kept.contains_key(&id) {
            return Ok(Accepted::Known);
        }
        let document = match self.reserve.iter().find(|document| document.id() == id) {
            Some(document) => return Err(self.refusal(document)),
            None => Signed::decode(bytes)?,
        };
        check_unit(&document, self.unit)?;
        check_time(&document, now)?;
        let settled = self.timeline.settled(history_start(now));
        if matches!(document, Signed::Charter(_)) && document.version() <= settled {
            return Err(Refusal::Superseded);
        }
        let before = self.timeline.current().clone();
        self.reserve.push_back(document.clone());
        self.settle(now);
        self.note_clashes(&document, &before);
        if self.in_force(id) {
            Ok(Accepted::New)
        } else if self.kept.contains_key(&id) {
            Ok(Accepted::History)
        } else {
            Err(self.refusal(&document))
        }
    }

    /// Drops the documents superseded more than 7 days ago; never those in force, nor the chain of authorities.
    pub fn prune(&mut self, now: Timestamp) {
        self.settle(now);
    }

    /// What was lost to documents made without knowing of it, since this was last asked; each is told once.
    pub fn take_clashes(&mut self) -> Vec<Clash> {
        std::mem::take(&mut self.clashes)
    }

    /// Notes what of a document that has come, or of what was in force before it, is lost to what is in force now.
    fn note_clashes(&mut self, document: &Signed, before: &Moment) {
        let mut lost: Vec<_> = before.documents().filter(|lost| !self.in_force(lost.id())).collect();
        if !self.in_force(document.id()) && self.timeline.entitles(document) {
            lost.push(document.clone());
        }
        for lost in lost {
            let group = lost.group();
            let kept = self.timeline.current().documents().find(|kept| kept.group() == group);
            let clash = kept.and_then(|kept| {
                let base = self.base_of(&kept, &lost);
                clash::between(self, &kept, &lost, base)
            });
            let room = self.clashes.len() < MAX_CLASHES;
            self.clashes.extend(clash.filter(|clash| room && !self.clashes.contains(clash)));
        }
    }

    /// The newest known document that both of two may have been made from.
    fn base_of(&self, one: &Signed, other: &Signed) -> Option<&Signed> {
        let group = one.group();
        let before = one.version().min(other.version());
        let known = self.kept.values().chain(&self.reserve);
        let older = known.filter(|known| known.group() == group && known.version() < before);
        older.filter(|known| self.timeline.entitles(known)).max_by_key(|known| known.version())
    }

    fn settle(&mut self, now: Timestamp) {
        let documents = self.kept.values().chain(&self.reserve);
        if let Some(timeline) = Timeline::derive(self.unit, documents, history_start(now)) {
            self.sort(&timeline.kept());
            self.timeline = timeline;
        }
    }

    /// Sorts the documents into those to keep and those in reserve, from which the oldest go for want of room.
    fn sort(&mut self, keep: &BTreeSet<DocumentId>) {
        let kept = std::mem::take(&mut self.kept).into_values();
        let mut reserved = BTreeSet::new();
        for document in std::mem::take(&mut self.reserve).into_iter().chain(kept) {
            let id = document.id();
            if keep.contains(&id) {
                self.kept.insert(id, document);
            } else if reserved.insert(id) {
                self.reserve.push_back(document);
            }
        }
        let mut len: usize = self.reserve.iter().map(|document| document.bytes().len()).sum();
        while (self.reserve.len() > MAX_RESERVE || len > MAX_RESERVE_LEN)
            && let Some(oldest) = self.reserve.pop_front()
        {
            len -= oldest.bytes().len();
        }
    }

    fn in_force(&self, id: DocumentId) -> bool {
        let current = self.timeline.current();
        current.charter.id == id || current.sheets.iter().any(|sheet| sheet.id == id)
    }

    fn refusal(&self, document: &Signed) -> Refusal {
        if self.timeline.entitles(document) { Refusal::Superseded } else { Refusal::NotYetJudgeable }
    }

    /// The unit it describes.
    pub fn unit(&self) -> UnitId {
        self.unit
    }

    /// The unit's name.
    pub fn unit_name(&self) -> &str {
        self.charter().unit_name()
    }

    /// The versions of all documents in force added up, which grows with every change in the ordinary run.
    pub fn version(&self) -> u64 {
        let sheets = self.timeline.current().sheets.iter();
        let versions = sheets.map(|sheet| sheet.body.version());
        versions.fold(self.charter().version(), u64::saturating_add)
    }

    /// SHA-256 over the identities of the kept documents: equal digests are equal rosters.
    pub fn digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        for id in self.kept.keys() {
            hash.update(id.as_bytes());
        }
        hash.finalize().into()
    }

    /// When the newest kept document was issued.
    pub fn issued(&self) -> Timestamp {
        let issued = self.kept.values().map(Signed::issued).max();
        issued.unwrap_or(Timestamp::ZERO)
    }

    /// The charter in force.
    pub fn charter(&self) -> &Charter {
        self.current().charter()
    }

    /// The sheet in force for a troop.
    pub fn sheet(&self, troop: &GroupId) -> Option<&Sheet> {
        self.current().sheet(troop)
    }

    /// The troops, in the order they are shown.
    pub fn troops(&self) -> &[TroopDef] {
        self.charter().troops()
    }

    /// Every group: `heads`, then the troops' in the order they are shown.
    pub fn groups(&self) -> impl Iterator<Item = &GroupId> {
        let troops = self.troops().iter().map(|troop| &troop.id);
        iter::once(GroupId::heads_ref()).chain(troops)
    }

    /// The current epoch of a group, with its sealed keys.
    pub fn sealed_keyring(&self, group: &GroupId) -> Option<&SealedKeyring> {
        if group.is_heads() { Some(self.charter().keyring()) } else { self.sheet(group).map(Sheet::keyring) }
    }

    /// The member with this key, now.
    pub fn member(&self, key: &PublicKey) -> Option<Member> {
        self.current().member(key)
    }

    /// The member with this name, now, whatever the case of its letters.
    pub fn find(&self, name: &str) -> Option<Member> {
        self.current().find(name)
    }

    /// Everyone in the unit now: the commander, the leaders and then the soldiers by troop, the carriers.
    pub fn members(&self) -> Vec<Member> {
        self.current().members()
    }

    /// Who is who by the documents in force now.
    pub fn current(&self) -> Standing<'_> {
        Standing(self.timeline.current())
    }

    /// Who was who at an instant, by which everything written then is judged.
    pub fn at(&self, time: Timestamp) -> Standing<'_> {
        Standing(self.timeline.at(time))
    }

    /// What a new record of a group cites.
    pub fn versions_for(&self, group: &GroupId) -> Cited {
        Cited {
            charter_version: self.charter().version(),
            sheet_version: self.sheet(group).map_or(0, Sheet::version),
            epoch: self.sealed_keyring(group).map_or(0, SealedKeyring::epoch),
        }
    }

    /// Whether the documents that a record cites are known, or newer ones; if not, it waits for them.
    pub fn holds(&self, group: &GroupId, charter_version: u64, sheet_version: u64) -> bool {
        // Not only those in force: what was outdone by a lower version is known all the same.
        let sheet = if group.is_heads() { 0 } else { self.last_version(group) };
        charter_version <= self.last_version(GroupId::heads_ref()) && sheet_version <= sheet
    }

    /// Every kept document, in an order in which they can be accepted one by one: the charters by version, which follow
    /// the chain of authorities, then the sheets by version.
    pub fn documents(&self) -> impl Iterator<Item = (DocumentId, &[u8])> {
        let mut documents: Vec<_> = self.kept.iter().collect();
        documents.sort_by_key(|(_, document)| (matches!(document, Signed::Sheet(_)), document.version()));
        documents.into_iter().map(|(id, document)| (*id, document.bytes()))
    }

    /// The kept documents that somebody does not have yet, in an order that can be accepted one by one.
    pub fn missing_from(&self, have: &BTreeSet<DocumentId>) -> Vec<&[u8]> {
        let missing = self.documents().filter(|(id, _)| !have.contains(id));
        missing.map(|(_, bytes)| bytes).collect()
    }

    /// The roster as a file: canonical CBOR of `[1, [document, …]]`.
    pub fn encode(&self) -> Vec<u8> {
        let documents = self.documents().map(|(_, bytes)| Bytes::new(bytes));
        wire::to_cbor(&WireRoster(FORMAT, documents.collect()))
    }

    /// Reads a roster file; its documents were taken once, so that a clock set back refuses none of them.
    ///
    /// # Errors
    /// If the file is damaged or its documents make no roster.
    pub fn decode(bytes: &[u8], now: Timestamp) -> Result<Self, RosterError> {
        let WireRoster(format, documents) = wire::from_cbor(bytes).map_err(RosterError::Damaged)?;
        if format != FORMAT {
            let reason = DecodeError::Format { found: format };
            return Err(RosterError::Damaged(reason));
        }
        let signed = decode_all(documents.into_iter().map(|bytes| &**bytes))?;
        Self::from_signed(signed, now)
    }

    /// The highest epoch of a group in any kept document, in force or not.
    pub(crate) fn last_epoch(&self, group: &GroupId) -> u64 {
        let documents = self.kept_of(group);
        documents.map(|document| document.keyring().epoch()).max().unwrap_or(0)
    }

    /// The highest version of a group's document among those kept, in force or not.
    pub(crate) fn last_version(&self, group: &GroupId) -> u64 {
        let documents = self.kept_of(group);
        documents.map(|document| document.version()).max().unwrap_or(0)
    }

    /// The newest sheet of a troop by which the authority has taken somebody away, as any kept one knows.
    pub(crate) fn last_removal_by_authority(&self, troop: &GroupId) -> u64 {
        let sheets = self.kept.values().filter_map(|signed| match signed {
            Signed::Sheet(sheet) if sheet.body.group() == troop => Some(sheet.body.removal()),
            _ => None,
        });
        sheets.max().unwrap_or(0)
    }

    fn kept_of(&self, group: &GroupId) -> impl Iterator<Item = &dyn Document> {
        self.kept.values().filter_map(move |signed| match signed {
            Signed::Charter(charter) if group.is_heads() => Some(&charter.body as &dyn Document),
            Signed::Sheet(sheet) if sheet.body.group() == group => Some(&sheet.body),
            _ => None,
        })
    }

    /// Whether a document that says the same, whoever signed it, is kept.
    pub(crate) fn has_payload(&self, document: &Signed) -> bool {
        self.kept.values().any(|kept| kept.payload_hash() == document.payload_hash())
    }

    pub(crate) fn moment(&self) -> &Moment {
        self.timeline.current()
    }

    pub(crate) fn timeline(&self) -> &Timeline {
        &self.timeline
    }
}

impl fmt::Debug for Roster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Roster")
            .field("unit", &self.unit)
            .field("version", &self.version())
            .field("members", &self.members())
            .field("kept", &self.kept.len())
            .field("reserve", &self.reserve.len())
            .finish_non_exhaustive()
    }
}

#[derive(Serialize, Deserialize)]
struct WireRoster<'a>(u64, #[serde(borrow, deserialize_with = "wire::bounded::<_, _, MAX_DOCUMENTS>")] Vec<&'a Bytes>);

fn history_start(now: Timestamp) -> Timestamp {
    now.minus_ms(HISTORY_MS)
}

fn check_time(document: &Signed, now: Timestamp) -> Result<(), Refusal> {
    let ahead_ms = document.issued().ms().saturating_sub(now.ms());
    if ahead_ms > MAX_AHEAD_MS {
        return Err(Refusal::FromTheFuture { ahead_ms });
    }
    Ok(())
}

fn check_unit(document: &Signed, unit: UnitId) -> Result<(), Refusal> {
    let found = document.unit();
    if found == unit { Ok(()) } else { Err(Refusal::OtherUnit { found }) }
}

/// Checks documents one by one, and names the place of the first that fails.
fn check_each(documents: &[Signed], check: impl Fn(&Signed) -> Result<(), Refusal>) -> Result<(), RosterError> {
    for (document, position) in documents.iter().zip(1..) {
        check(document).map_err(|reason| RosterError::Refused { position, reason })?;
    }
    Ok(())
}

fn decode_all<'a>(documents: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<Signed>, RosterError> {
    let decode = |(bytes, position)| {
        Signed::decode(bytes).map_err(|error| RosterError::Refused { position, reason: error.into() })
    };
    documents.into_iter().zip(1..).map(decode).collect()
}

/// The unit whose first authority has signed one of these documents.
fn founded_unit(documents: &[Signed]) -> Option<UnitId> {
    documents.iter().find_map(|document| match document {
        Signed::Charter(charter) => {
            let unit = charter.body.unit();
            (charter.body.authority().unit() == unit).then_some(unit)
        }
        Signed::Sheet(_) => None,
    })
}

#[cfg(test)]
mod chain_tests;
#[cfg(test)]
mod history_tests;
#[cfg(test)]
mod order_tests;
#[cfg(test)]
mod tests;

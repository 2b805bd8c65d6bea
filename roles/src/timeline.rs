//! Which documents are in force when: a pure function of the set of documents and the history's start.
//!
//! # The charter
//! 1. The unit's first charter is the one of lowest version whose authority hashes to the unit's id.
//! 2. From there the others are walked by ascending version. One is *accepted* if the authority of the last one
//!    accepted and its own are both satisfied by its signers, and it was not issued before that one. Of several with one
//!    version the first acceptable in the order of their ties (lower SHA-256 first) is accepted, and no other.
//! 3. Those accepted that change the authority are the *links* of the chain.
//!
//! So a charter that an authority signed after it had handed over falls away as soon as the handing over is
//! seen, in whatever order the two arrive.
//!
//! # The documents at an instant
//! A document speaks from the beginning of its epoch on ([`SealedKeyring::since`](crate::SealedKeyring::since)):
//! taking something away begins an epoch, and whoever is admitted within one may read all of it anyway.
//! * The charter at `t` is the accepted one of highest version that speaks by then.
//! * A troop's sheet at `t` is found among those that speak by then and whose signers the charter at `t`
//!   entitles (its authority, or its leader of that troop). They are walked by ascending version; each replaces the
//!   one before unless it was issued before that one. Of several with one version the authority's goes first,
//!   then the one with the lower SHA-256.
//!
//! The documents in force now are those at the last instant from which any document speaks. Before the
//! start of the history, or before the unit, the documents are those at that start.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use muster_keys::PublicKey;

use crate::document::{Authority, Charter, Document, Sheet, UnitId};
use crate::name::GroupId;
use crate::signed::{DocumentId, Envelope, Signed};
use crate::standing::Moment;
use crate::timestamp::Timestamp;

type SignedCharter = Arc<Envelope<Charter>>;
type SignedSheet = Arc<Envelope<Sheet>>;
type Sheets = BTreeMap<GroupId, Vec<SignedSheet>>;

/// The most moments that a history has, the oldest going first: over 4 epochs a day for each of a unit's
/// groups, and a bound on what a leader gone wrong can make everyone keep.
const MAX_MOMENTS: usize = 1_024;

/// The documents in force at every instant of the kept history.
#[derive(Clone)]
pub(crate) struct Timeline {
    /// The accepted charters, by ascending version.
    accepted: Vec<SignedCharter>,
    past: Vec<Moment>,
    current: Moment,
    /// For each troop the newest sheet by the authority, which comes into force if its leader's falls away.
    fallbacks: Vec<SignedSheet>,
}

impl Timeline {
    /// Works out the timeline from `start` on; there is none without a first charter.
    pub(crate) fn derive<'a>(
        unit: UnitId,
        documents: impl IntoIterator<Item = &'a Signed>,
        start: Timestamp,
    ) -> Option<Self> {
        let (mut charters, mut sheets) = (Vec::new(), Sheets::new());
        for document in documents {
            match document {
                Signed::Charter(charter) => charters.push(Arc::clone(charter)),
                Signed::Sheet(sheet) => sheets.entry(sheet.body.group().clone()).or_default().push(Arc::clone(sheet)),
            }
        }
        let accepted = walk(unit, charters);
        let mut past = moments(&accepted, &sheets, start);
        let current = past.pop()?;
        let fallbacks = fallbacks(&current.charter.body, &sheets);
        Some(Self { accepted, past, current, fallbacks })
    }

    /// The documents in force now.
    pub(crate) fn current(&self) -> &Moment {
        &self.current
    }

    /// The documents in force at an instant.
    pub(crate) fn at(&self, time: Timestamp) -> &Moment {
        if self.current.from <= time {
            return &self.current;
        }
        let later = self.past.partition_point(|moment| moment.from <= time);
        let at = self.past.get(later.saturating_sub(1));
        at.unwrap_or(&self.current)
    }

    /// Every moment of the history, the current one last.
    pub(crate) fn moments(&self) -> impl Iterator<Item = &Moment> {
        self.past.iter().chain([&self.current])
    }

    /// The first charter and those that changed the authority.
    pub(crate) fn chain(&self) -> impl Iterator<Item = &SignedCharter> {
        let pairs = self.accepted.iter().zip(self.accepted.iter().skip(1));
        let links = pairs.filter(|(a, b)| a.body.authority() != b.body.authority());
        self.accepted.first().into_iter().chain(links.map(|(_, link)| link))
    }

    /// The documents worth keeping: the chain, all that is in force at some instant, and the fallbacks.
    ///
    /// They give the same timeline as all documents do.
    pub(crate) fn kept(&self) -> BTreeSet<DocumentId> {
        let charters = self.moments().map(|moment| &moment.charter);
        let sheets = self.moments().flat_map(|moment| &moment.sheets);
        let charters = charters.chain(self.chain()).map(|charter| charter.id);
        let sheets = sheets.chain(&self.fallbacks).map(|sheet| sheet.id);
        charters.chain(sheets).collect()
    }

    /// The version up to which the chain is settled: that of the newest change of authority made by `time`.
    pub(crate) fn settled(&self, time: Timestamp) -> u64 {
        let links = self.chain().skip(1);
        let old = links.filter(|link| link.body.issued() <= time);
        old.map(|link| link.body.version()).max().unwrap_or(0)
    }

    /// Whether a document's signers were ever entitled to it.
    pub(crate) fn entitles(&self, document: &Signed) -> bool {
        match document {
            Signed::Charter(charter) => {
                let mut newest_first = self.accepted.iter().rev();
                let before = newest_first.find(|a| a.body.version() < charter.body.version());
                let before = before.or(self.accepted.first());
                before.is_some_and(|b| b.body.authority().satisfied_by(&charter.signers))
            }
            Signed::Sheet(sheet) => {
                let mut charters = self.accepted.iter();
                charters.any(|charter| entitlement(sheet, &charter.body).is_some())
            }
        }
    }
}

/// The accepted charters, by ascending version.
fn walk(unit: UnitId, mut charters: Vec<SignedCharter>) -> Vec<SignedCharter> {
    charters.sort_unstable_by_key(|charter| (charter.body.version(), charter.tie));
    let mut charters = charters.into_iter();
    let first = charters.find(|charter| charter.body.authority().unit() == unit);
    let mut accepted: Vec<_> = first.into_iter().collect();
    for charter in charters {
        let follows =
            |last: &SignedCharter| last.body.authority().satisfied_by(&charter.signers) && replaces(&charter, last);
        if accepted.last().is_some_and(follows) {
            accepted.push(charter);
        }
    }
    accepted
}

/// Whether a document may come after one whose version is not higher.
fn replaces<T: Document>(document: &Envelope<T>, last: &Envelope<T>) -> bool {
    last.body.version() < document.body.version() && last.body.issued() <= document.body.issued()
}

/// The documents in force from `start` on, by ascending time.
fn moments(accepted: &[SignedCharter], sheets: &Sheets, start: Timestamp) -> Vec<Moment> {
    let charter_times = accepted.iter().map(|charter| charter.body.keyring().since());
    let sheet_times = sheets.values().flatten().map(|sheet| sheet.body.keyring().since());
    let Some(founded) = charter_times.clone().min() else {
        return Vec::new();
    };
    let start = start.max(founded);
    let instants: BTreeSet<_> = charter_times.chain(sheet_times).map(|time| time.max(start)).collect();
    let mut moments = Vec::<Moment>::new();
    let mut in_turn = Vec::new();
    for from in instants {
        let mut newest_first = accepted.iter().rev();
        let Some(charter) = newest_first.find(|charter| charter.body.keyring().since() <= from) else {
            continue;
        };
        if moments.last().is_none_or(|last| last.charter.id != charter.id) {
            in_turn = entitled_in_turn(&charter.body, sheets);
        }
        let sheets = sheets_at(&in_turn, from);
        let moment = Moment { from, charter: Arc::clone(charter), sheets };
        if !moments.last().is_some_and(|last| last.same_documents(&moment)) {
            moments.push(moment);
        }
    }
    moments.drain(..moments.len().saturating_sub(MAX_MOMENTS));
    moments
}

/// For each troop the sheets that a charter entitles, each after all that it may replace.
fn entitled_in_turn<'a>(charter: &Charter, sheets: &'a Sheets) -> Vec<Vec<&'a SignedSheet>> {
    let troops = charter.troops().iter().filter_map(|troop| sheets.get(&troop.id));
    let in_turn = |sheets: &'a Vec<SignedSheet>| {
        let with_right = |sheet: &'a SignedSheet| Some((entitlement(sheet, charter)?, sheet));
        let mut entitled: Vec<_> = sheets.iter().filter_map(with_right).collect();
        entitled.sort_unstable_by_key(|(right, sheet)| (sheet.body.version(), *right, sheet.tie));
        entitled.into_iter().map(|(_, sheet)| sheet).collect()
    };
    troops.map(in_turn).collect()
}

/// The sheets in force at an instant, in the order of their standing.
fn sheets_at(in_turn: &[Vec<&SignedSheet>], time: Timestamp) -> Vec<SignedSheet> {
    let speaks = |sheet: &&SignedSheet| sheet.body.keyring().since() <= time;
    let mut in_force: Vec<_> =
        in_turn.iter().filter_map(|sheets| last_standing(sheets.iter().copied().filter(speaks))).collect();
    in_force.sort_by_key(|sheet| sheet.body.issued());
    in_force
}

/// What is left when each sheet in turn has replaced the one before, where it may.
fn last_standing<'a>(in_turn: impl Iterator<Item = &'a SignedSheet>) -> Option<SignedSheet> {
    in_turn.reduce(|last, sheet| if replaces(sheet, last) { sheet } else { last }).map(Arc::clone)
}

fn fallbacks(charter: &Charter, sheets: &Sheets) -> Vec<SignedSheet> {
    let authority = charter.authority();
    let by_authority = |sheet: &&SignedSheet| authority.satisfied_by(&sheet.signers);
    let in_turn = entitled_in_turn(charter, sheets);
    in_turn.into_iter().filter_map(|sheets| last_standing(sheets.into_iter().filter(by_authority))).collect()
}

/// By what right a sheet was signed; the stronger goes first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Entitlement {
    Authority,
    Leader,
}

fn entitlement(sheet: &Envelope<Sheet>, charter: &Charter) -> Option<Entitlement> {
    let authority: &Authority = charter.authority();
    let leader = charter.leader_of(sheet.body.group());
    let signed = |key: &PublicKey| sheet.signers.contains(key);
    if !charter.has_troop(sheet.body.group()) {
        None
    } else if authority.satisfied_by(&sheet.signers) {
        Some(Entitlement::Authority)
    } else {
        leader.filter(|leader| signed(&leader.key)).map(|_| Entitlement::Leader)
    }
}

impl Moment {
    fn same_documents(&self, other: &Self) -> bool {
        let ids = |moment: &Self| {
            let sheets = moment.sheets.iter().map(|sheet| sheet.id);
            sheets.chain([moment.charter.id]).collect::<Vec<_>>()
        };
        ids(self) == ids(other)
    }
}

//! Which documents are in force when: a pure function of the set of documents and the history's start.
//!
//! # The charters
//! 1. The unit's first charter is the one of lowest version whose authority hashes to the unit's id.
//! 2. The *chain* goes on from it by ascending version. Its next link is the charter of the lowest higher version
//!    that names another authority than the last link does, and whose signers satisfy both. Of several with one
//!    version it is the one with the lower SHA-256.
//! 3. Each link reigns over the versions up to the next link's. Every other charter is *accepted* if it names (and
//!    satisfies) the authority that reigns over its version.
//!
//! So what an authority signs with a version above that of its handing over has no standing, in whatever order
//! the two arrive, and accepted charters that are no links have no say about one another.
//!
//! # The documents at an instant
//! A document speaks from the beginning of its epoch on ([`SealedKeyring::since`](crate::SealedKeyring::since)):
//! taking something away begins an epoch, and whoever is admitted within one may read all of it anyway.
//! * The charter at `t` is the accepted one of highest version that speaks by then, and of several with one version
//!   the one with the lower SHA-256.
//! * A troop's sheet at `t` is the one of highest rank among those that speak by then and whose signers the charter
//!   at `t` entitles (its authority, or its leader of that troop). Each names the newest sheet by which the authority
//!   has taken somebody away, as far as its signer knew ([`Sheet::removal`]): first goes the one that names the
//!   highest, then the one of highest version, then the authority's before a leader's, then the one with the lower
//!   SHA-256. So whatever a leader has signed without knowing of a removal by the authority does not undo it.
//!
//! The documents in force now are those at the last instant from which any document speaks. Before the
//! start of the history, or before the unit, the documents are those at that start.
//!
//! # Rivals
//! Where two have changed a group apart from each other, an epoch of the one that is outdone may never be in force, though
//! its island has written in it. So that whoever was given its key can go on reading that, of each epoch begun
//! within the history the document of highest rank is kept, for a group's newest epochs.
//!
//! Nothing in this depends on a document that is in force at no instant and is no link: those can be forgotten, and
//! what is kept gives the same timeline again. (A rule that compared a document with the one before it, say by the
//! time of issue, would depend on what is forgotten. That a document is issued after the one it replaces is
//! therefore for its signer to see to.)

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use muster_keys::PublicKey;

use crate::authority::UnitId;
use crate::document::{Charter, Sheet};
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

/// The most epochs of one group of which a document is kept though it may never be in force: over 4 a day for each of
/// two islands, and a bound on what a leader gone wrong can make everyone keep.
const MAX_RIVALS: usize = 64;

/// The documents in force at every instant of the kept history.
#[derive(Clone)]
pub(crate) struct Timeline {
    /// The first charter and those that changed the authority, by ascending version.
    pub(crate) chain: Vec<SignedCharter>,
    past: Vec<Moment>,
    current: Moment,
    /// For each troop the newest sheet by the authority, which comes into force if its leader's falls away; none
    /// where its epoch ended before the history began.
    fallbacks: Vec<SignedSheet>,
    /// A document of each epoch begun within the history, in force or not.
    rivals: Vec<Signed>,
    /// Every charter accepted, by ascending rank.
    accepted: Vec<SignedCharter>,
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
        let chain = chain(unit, &mut charters);
        let accepted = accepted(&chain, charters);
        let mut past = moments(&accepted, &sheets, start);
        let current = past.pop()?;
        let fallbacks = fallbacks(&current.charter.body, &sheets, past.iter().chain([&current]));
        let rivals = rivals(&accepted, &sheets, &past, &current, start);
        Some(Self { chain, past, current, fallbacks, rivals, accepted })
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

    /// The documents worth keeping: the chain, all that is in force at some instant, and the fallbacks.
    ///
    /// They give the same timeline as all documents do.
    pub(crate) fn kept(&self) -> BTreeSet<DocumentId> {
        let charters = self.moments().map(|moment| &moment.charter);
        let sheets = self.moments().flat_map(|moment| &moment.sheets);
        let charters = charters.chain(&self.chain).map(|charter| charter.id);
        let sheets = sheets.chain(&self.fallbacks).map(|sheet| sheet.id);
        charters.chain(sheets).chain(self.rivals.iter().map(Signed::id)).collect()
    }

    /// A document of each epoch begun within the history, in force or not, the newest epochs of a group first.
    pub(crate) fn rivals(&self) -> impl Iterator<Item = Signed> {
        self.rivals.iter().cloned()
    }

    /// The version up to which the chain is settled: that of the newest change of authority made by `time`.
    pub(crate) fn settled(&self, time: Timestamp) -> u64 {
        let links = self.chain.iter().skip(1);
        let old = links.filter(|link| link.body.issued() <= time);
        old.map(|link| link.body.version()).max().unwrap_or(0)
    }

    /// Whether a document's signers were ever entitled to it.
    pub(crate) fn entitles(&self, document: &Signed) -> bool {
        match document {
            Signed::Charter(charter) => {
                let before = self.chain.iter().rfind(|link| link.body.version() < charter.body.version());
                let reigning = before.or(self.chain.first());
                reigning.is_some_and(|link| link.body.authority().satisfied_by(&charter.signers))
            }
            Signed::Sheet(sheet) => self.accepted.iter().any(|charter| entitlement(sheet, &charter.body).is_some()),
        }
    }
}

/// The first charter and those that changed the authority, by ascending version.
fn chain(unit: UnitId, charters: &mut [SignedCharter]) -> Vec<SignedCharter> {
    charters.sort_unstable_by_key(|charter| (charter.body.version(), charter.tie));
    let mut charters = charters.iter();
    let first = charters.find(|charter| charter.body.authority().unit() == unit);
    let mut chain: Vec<_> = first.map(Arc::clone).into_iter().collect();
    for charter in charters {
        let is_next = |last: &SignedCharter| {
            last.body.version() < charter.body.version()
                && last.body.authority() != charter.body.authority()
                && last.body.authority().satisfied_by(&charter.signers)
        };
        if chain.last().is_some_and(is_next) {
            chain.push(Arc::clone(charter));
        }
    }
    chain
}

/// The chain and every charter by an authority that reigned over its version, by ascending rank.
fn accepted(chain: &[SignedCharter], mut charters: Vec<SignedCharter>) -> Vec<SignedCharter> {
    charters.retain(|charter| {
        let version = charter.body.version();
        let Some(link) = chain.iter().rfind(|link| link.body.version() <= version) else {
            return false;
        };
        let first = chain.first().is_some_and(|first| first.id == link.id);
        let outdone = !first && link.body.version() == version;
        charter.id == link.id || (charter.body.authority() == link.body.authority() && !outdone)
    });
    charters.sort_unstable_by_key(|charter| (charter.body.version(), Reverse(charter.tie)));
    charters
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
    let mut entitled = Vec::new();
    for from in instants {
        let Some(charter) = accepted.iter().rfind(|charter| charter.body.keyring().since() <= from) else {
            continue;
        };
        if moments.last().is_none_or(|last| last.charter.id != charter.id) {
            entitled = entitled_by(&charter.body, sheets);
        }
        let charter = Arc::clone(charter);
        let moment = Moment { from, charter, sheets: sheets_at(&entitled, from) };
        if !moments.last().is_some_and(|last| last.same_documents(&moment)) {
            moments.push(moment);
        }
    }
    moments.drain(..moments.len().saturating_sub(MAX_MOMENTS));
    moments
}

/// For each troop of a charter the sheets that it entitles, by ascending rank.
fn entitled_by<'a>(charter: &Charter, sheets: &'a Sheets) -> Vec<Vec<&'a SignedSheet>> {
    let troops = charter.troops().iter().filter_map(|troop| sheets.get(&troop.id));
    let by_rank = |sheets: &'a Vec<SignedSheet>| {
        let with_right = |sheet: &'a SignedSheet| Some((entitlement(sheet, charter)?, sheet));
        let mut entitled: Vec<_> = sheets.iter().filter_map(with_right).collect();
        entitled.sort_unstable_by_key(|(right, sheet)| {
            (sheet.body.removal(), sheet.body.version(), *right, Reverse(sheet.tie))
        });
        entitled.into_iter().map(|(_, sheet)| sheet).collect()
    };
    troops.map(by_rank).collect()
}

/// The sheets in force at an instant, in the order of their standing.
fn sheets_at(entitled: &[Vec<&SignedSheet>], time: Timestamp) -> Vec<SignedSheet> {
    let speaks = |sheet: &&SignedSheet| sheet.body.keyring().since() <= time;
    let newest = |sheets: &Vec<&SignedSheet>| sheets.iter().copied().rfind(speaks).map(Arc::clone);
    let mut in_force: Vec<_> = entitled.iter().filter_map(newest).collect();
    in_force.sort_by_key(|sheet| sheet.body.issued());
    in_force
}

/// For each troop the newest sheet by the authority, unless its epoch ended before the history began.
///
/// An older one would keep a group key alive whose records are long gone. The authority signs the sheet of a troop
/// whose leader it removes in the same change, so that what is left to fall back on is not needed then.
fn fallbacks<'a>(charter: &Charter, sheets: &Sheets, moments: impl Iterator<Item = &'a Moment>) -> Vec<SignedSheet> {
    let mut oldest = BTreeMap::<&GroupId, Timestamp>::new();
    for sheet in moments.flat_map(|moment| &moment.sheets) {
        let since = sheet.body.keyring().since();
        oldest.entry(sheet.body.group()).and_modify(|oldest| *oldest = since.min(*oldest)).or_insert(since);
    }
    let is_young = |sheet: &SignedSheet| {
        let oldest = oldest.get(sheet.body.group());
        oldest.is_none_or(|oldest| *oldest <= sheet.body.keyring().since())
    };
    let by_authority = |sheet: &&SignedSheet| charter.authority().satisfied_by(&sheet.signers) && is_young(sheet);
    let newest = |sheets: Vec<&SignedSheet>| sheets.into_iter().rfind(by_authority).map(Arc::clone);
    entitled_by(charter, sheets).into_iter().filter_map(newest).collect()
}

/// Of each epoch begun within the history the document of highest rank, for the newest epochs of each group.
///
/// A sheet is judged by the charter in force when its epoch began.
fn rivals(
    accepted: &[SignedCharter],
    sheets: &Sheets,
    past: &[Moment],
    current: &Moment,
    start: Timestamp,
) -> Vec<Signed> {
    let charters = accepted.iter().map(|charter| Signed::Charter(Arc::clone(charter)));
    let mut rivals = newest_epochs(charters, start);
    let moments: Vec<_> = past.iter().chain([current]).collect();
    let mut spans = moments.chunk_by(|one, next| one.charter.id == next.charter.id).peekable();
    let mut begun = BTreeMap::<GroupId, Vec<Signed>>::new();
    while let Some(span) = spans.next() {
        let Some(first) = span.first() else { continue };
        let end = spans.peek().and_then(|next| next.first()).map(|next| next.from);
        let within = |sheet: &&SignedSheet| {
            let since = sheet.body.keyring().since();
            first.from <= since && end.is_none_or(|end| since < end)
        };
        for sheet in entitled_by(&first.charter.body, sheets).into_iter().flatten().filter(within) {
            begun.entry(sheet.body.group().clone()).or_default().push(Signed::Sheet(Arc::clone(sheet)));
        }
    }
    rivals.extend(begun.into_values().flat_map(|sheets| newest_epochs(sheets.into_iter(), start)));
    rivals
}

/// Of one group's documents, given by ascending rank, the highest of each epoch, for the newest epochs.
fn newest_epochs(documents: impl Iterator<Item = Signed>, start: Timestamp) -> Vec<Signed> {
    let epoch = |document: &Signed| (document.keyring().since(), document.keyring().epoch());
    let young = documents.filter(|document| document.keyring().since() >= start);
    let epochs: BTreeMap<_, _> = young.map(|document| (epoch(&document), document)).collect();
    epochs.into_values().rev().take(MAX_RIVALS).collect()
}

/// By what right a sheet was signed, the stronger being the greater.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Entitlement {
    Leader,
    Authority,
}

fn entitlement(sheet: &Envelope<Sheet>, charter: &Charter) -> Option<Entitlement> {
    let authority = charter.authority();
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

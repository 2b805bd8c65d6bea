//! A change that several must sign: its documents, with the signatures so far.
//!
//! A proposal goes from device to device as a file, canonical CBOR of `["muster proposal", 1, [document, …]]`: the charters by
//! version, then the sheets. Whoever signs, signs every document. What it would change is worked
//! out against the roster in force where it is shown ([`Proposal::changes`]), never taken from the file.

mod changes;

use std::collections::BTreeSet;

use muster_keys::{Identity, PublicKey};
use serde::{Deserialize, Serialize};
use serde_bytes::Bytes;

pub use self::changes::{Changes, Fault};
use crate::authority::{Authority, UnitId};
use crate::document::{Charter, MAX_TROOPS};
use crate::error::{DecodeError, InvalidDocument, ProposalError};
use crate::roster::{HISTORY_MS, MAX_AHEAD_MS, Roster};
use crate::signed::{self, Payload, Signed};
use crate::timestamp::Timestamp;
use crate::wire;

/// The longest proposal, in bytes: the documents of a full unit of [`MAX_TROOPS`] troops take under half of it.
pub const MAX_PROPOSAL_LEN: usize = 24 << 20;

/// The most documents of a proposal: a charter that changes the authority, the one with the keys, and every sheet.
const MAX_DOCUMENTS: usize = 2 + MAX_TROOPS;

/// What a proposal's file begins with.
const MAGIC: &str = "muster proposal";

/// The file's format.
const FORMAT: u64 = 1;

/// The documents of one change, with the signatures so far.
#[derive(Clone)]
pub struct Proposal {
    /// At least one; the charters by version, then the sheets.
    documents: Vec<Signed>,
}

/// Whose signatures a proposal still lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// How many more of the authority in force must sign.
    pub present: usize,
    /// How many more of the authority to come must sign, if it is another.
    pub next: usize,
    /// The keys whose signature would count and is not there, in ascending order.
    pub keys: Vec<PublicKey>,
}

impl Missing {
    /// Whether there are enough signatures.
    pub fn is_empty(&self) -> bool {
        self.present == 0 && self.next == 0
    }
}

impl Proposal {
    /// A change with the first signature on each of its documents.
    pub(crate) fn begin(payloads: Vec<Payload>, signer: &Identity) -> Result<Self, InvalidDocument> {
        let sign = |payload| {
            let bytes = signed::sign(payload, &[signer])?;
            // What was just written can be read; an error of reading would be one of writing.
            Signed::read(&bytes).map_err(|error| match error {
                DecodeError::Invalid(reason) => reason,
                _ => InvalidDocument::Keyring,
            })
        };
        Ok(Self { documents: payloads.into_iter().map(sign).collect::<Result<_, _>>()? })
    }

    /// Reads a proposal's file; nothing is known of its worth by that.
    ///
    /// # Errors
    /// If it is not a proposal, or a signature in it does not fit.
    pub fn decode(bytes: &[u8]) -> Result<Self, ProposalError> {
        if bytes.len() > MAX_PROPOSAL_LEN {
            return Err(ProposalError::TooLong { found: bytes.len() });
        }
        let WireProposal(magic, format, documents) = wire::from_cbor(bytes).map_err(ProposalError::Malformed)?;
        if magic != MAGIC || format != FORMAT {
            return Err(ProposalError::Malformed(DecodeError::Format { found: format }));
        }
        let read = |(bytes, position): (&Bytes, usize)| {
            Signed::read(bytes).map_err(|reason| ProposalError::Document { position, reason })
        };
        let documents = documents.into_iter().zip(1..).map(read).collect::<Result<Vec<_>, _>>()?;
        let proposal = Self { documents };
        if proposal.is_one_change() { Ok(proposal) } else { Err(ProposalError::NotOneChange) }
    }

    /// The proposal as a file.
    pub fn encode(&self) -> Vec<u8> {
        let documents = self.documents.iter().map(|document| Bytes::new(document.bytes()));
        wire::to_cbor(&WireProposal(MAGIC, FORMAT, documents.collect()))
    }

    /// Whether the documents are of one unit: at most two charters by version, then at most one sheet for a troop.
    fn is_one_change(&self) -> bool {
        let is_sheet = |document: &Signed| matches!(document, Signed::Sheet(_));
        let units: BTreeSet<_> = self.documents.iter().map(Signed::unit).collect();
        let first_sheet = self.documents.iter().position(is_sheet).unwrap_or(self.documents.len());
        let (charters, sheets) = self.documents.split_at(first_sheet);
        let groups: BTreeSet<_> = sheets.iter().map(Signed::group).collect();
        units.len() == 1
            && charters.len() <= 2
            && charters.is_sorted_by(|a, b| a.version() < b.version())
            && sheets.iter().all(is_sheet)
            && groups.len() == sheets.len()
    }

    /// The unit that it is about.
    pub fn unit(&self) -> UnitId {
        // There is always a first document; the other value is never seen.
        self.documents.first().map_or(UnitId::from_bytes([0; 16]), Signed::unit)
    }

    /// When it was made, by its maker's clock.
    pub fn issued(&self) -> Timestamp {
        self.documents.iter().map(Signed::issued).max().unwrap_or_default()
    }

    /// Who has signed all of it, in ascending order.
    pub fn signers(&self) -> Vec<PublicKey> {
        let mut documents = self.documents.iter();
        let mut signers = documents.next().map_or(Vec::new(), |first| first.signers().to_vec());
        for document in documents {
            signers.retain(|signer| document.signers().contains(signer));
        }
        signers
    }

    /// The documents as they are, to be given to [`Roster::accept`] once nothing is [missing](Self::missing).
    pub fn documents(&self) -> impl Iterator<Item = &[u8]> {
        self.documents.iter().map(Signed::bytes)
    }

    pub(crate) fn into_documents(self) -> Vec<Vec<u8>> {
        self.documents().map(<[u8]>::to_vec).collect()
    }

    /// Checks that it is a next step from the roster as it stands here and now.
    ///
    /// # Errors
    /// Says why it is none, or none any more.
    pub fn check(&self, roster: &Roster, now: Timestamp) -> Result<(), ProposalError> {
        if self.unit() != roster.unit() {
            return Err(ProposalError::OtherUnit { found: self.unit() });
        }
        if self.documents.iter().all(|document| roster.has_payload(document)) {
            return Err(ProposalError::InForce);
        }
        let ahead_ms = self.issued().ms().saturating_sub(now.ms());
        if ahead_ms > MAX_AHEAD_MS {
            return Err(ProposalError::FromTheFuture { ahead_ms });
        }
        if self.issued() < now.minus_ms(HISTORY_MS) {
            return Err(ProposalError::TooOld);
        }
        let mut expected = roster.charter().version();
        for document in &self.documents {
            let group = document.group();
            let has = match document {
                Signed::Charter(_) => expected,
                Signed::Sheet(_) => roster.last_version(&group),
            };
            let (found, next) = (document.version(), has.saturating_add(1));
            if found < next {
                return Err(ProposalError::Outdated { group, has });
            }
            if found > next {
                return Err(ProposalError::Ahead { group, found });
            }
            if matches!(document, Signed::Charter(_)) {
                expected = found;
            }
        }
        Ok(())
    }

    /// What signatures it lacks to come into force.
    ///
    /// A charter takes those of the authority in force and of the one that it names itself; a sheet those
    /// of the authority to come, or of the leader that the charter to come names for its troop.
    pub fn missing(&self, roster: &Roster) -> Missing {
        let present = roster.charter().authority();
        let next_charter = self.last_charter().unwrap_or(roster.charter());
        let next = next_charter.authority();
        let (mut lack_present, mut lack_next, mut keys) = (0, 0, BTreeSet::new());
        let lacking = |authority: &Authority, document: &Signed| {
            let held = document.signers().iter().filter(|key| authority.keys().contains(key)).count();
            usize::try_from(authority.threshold()).unwrap_or(usize::MAX).saturating_sub(held)
        };
        for document in &self.documents {
            let (in_present, in_next) = match document {
                Signed::Charter(_) => (lacking(present, document), lacking(next, document)),
                Signed::Sheet(sheet) => {
                    let leader = next_charter.leader_of(sheet.body.group());
                    let by_leader = leader.is_some_and(|leader| sheet.signers.contains(&leader.key));
                    (0, if by_leader { 0 } else { lacking(next, document) })
                }
            };
            let unsigned = |key: &&PublicKey| !document.signers().contains(key);
            keys.extend(present.keys().iter().filter(|_| in_present > 0).filter(unsigned));
            keys.extend(next.keys().iter().filter(|_| in_next > 0).filter(unsigned));
            lack_present = lack_present.max(in_present);
            lack_next = lack_next.max(in_next);
        }
        if present == next {
            (lack_present, lack_next) = (lack_present.max(lack_next), 0);
        }
        Missing { present: lack_present, next: lack_next, keys: keys.into_iter().collect() }
    }

    /// How many signatures it takes, of the authority that takes more of them.
    pub(crate) fn threshold(&self, roster: &Roster) -> u32 {
        let next = self.last_charter().unwrap_or(roster.charter()).authority().threshold();
        next.max(roster.charter().authority().threshold())
    }

    /// What it would change about the roster in force, to be shown to whoever is asked to sign.
    pub fn changes(&self, roster: &Roster) -> Changes {
        Changes::of(&self.documents, roster)
    }

    /// Adds a signature to every document.
    ///
    /// # Errors
    /// If the key is of neither authority, or has signed it already; or for what [`Proposal::check`] finds.
    pub fn sign(&mut self, roster: &Roster, signer: &Identity, now: Timestamp) -> Result<(), ProposalError> {
        self.check(roster, now)?;
        let key = signer.public();
        let next = self.last_charter().unwrap_or(roster.charter()).authority();
        if !roster.charter().authority().keys().contains(&key) && !next.keys().contains(&key) {
            return Err(ProposalError::NotASigner);
        }
        if self.signers().contains(&key) {
            return Err(ProposalError::SignedAlready);
        }
        self.replace(|document| signed::add_signature(document.bytes(), signer))
    }

    /// Takes over the signatures of another copy of the same proposal.
    ///
    /// # Errors
    /// If the two do not propose the same.
    pub fn merge(&mut self, other: &Self) -> Result<(), ProposalError> {
        let hashes = |proposal: &Self| proposal.documents.iter().map(|d| *d.payload_hash()).collect::<Vec<_>>();
        if hashes(self) != hashes(other) {
            return Err(ProposalError::Different);
        }
        let mut others = other.documents.iter();
        self.replace(|document| match others.next() {
            Some(other) => signed::join_signatures(document.bytes(), other.bytes()),
            None => Ok(document.bytes().to_vec()),
        })
    }

    fn replace(&mut self, mut make: impl FnMut(&Signed) -> Result<Vec<u8>, DecodeError>) -> Result<(), ProposalError> {
        let read = |(document, position): (&Signed, usize)| {
            let made = make(document).and_then(|bytes| Signed::read(&bytes));
            made.map_err(|reason| ProposalError::Document { position, reason })
        };
        self.documents = self.documents.iter().zip(1..).map(read).collect::<Result<_, _>>()?;
        Ok(())
    }

    fn last_charter(&self) -> Option<&Charter> {
        self.documents.iter().rev().find_map(|document| match document {
            Signed::Charter(charter) => Some(&charter.body),
            Signed::Sheet(_) => None,
        })
    }
}

impl std::fmt::Debug for Proposal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let documents = self.documents.iter().map(|document| (document.group(), document.version()));
        f.debug_struct("Proposal")
            .field("documents", &documents.collect::<Vec<_>>())
            .field("signers", &self.signers())
            .finish()
    }
}

#[derive(Serialize, Deserialize)]
struct WireProposal<'a>(
    &'a str,
    u64,
    #[serde(borrow, deserialize_with = "wire::bounded::<_, _, MAX_DOCUMENTS>")] Vec<&'a Bytes>,
);

#[cfg(test)]
mod tests;

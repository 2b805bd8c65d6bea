//! Why a name, a document, a roster or a change is refused.

use muster_keys::{PublicKey, RandomError, SealError};
use thiserror::Error;

use crate::authority::UnitId;
use crate::document::MAX_MEMBERS_PER_DOCUMENT;
use crate::name::{GroupId, MAX_GROUP_LEN, MAX_NAME_LEN, MAX_UNIT_NAME_CHARS, MemberName};
use crate::proposal::MAX_PROPOSAL_LEN;
use crate::signed::MAX_DOCUMENT_LEN;

/// Why a text is not a name.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NameError {
    /// Not a group's name.
    #[error("{0:?} is not a group name: expected up to {MAX_GROUP_LEN} of a-z, 0-9 and '-', the first a letter")]
    Group(String),
    /// Not a member's name.
    #[error(
        "{0:?} is not a member name: expected up to {MAX_NAME_LEN} ASCII letters, digits, '-', '_' and '.', \
         the first a letter or digit"
    )]
    Member(String),
    /// Not a troop with its letter.
    #[error("{0:?} is not a troop: expected its group and its letter, such as navy:n")]
    Troop(String),
    /// A unit's name that is empty or too long.
    #[error("a unit's name has 1 to {MAX_UNIT_NAME_CHARS} characters")]
    UnitLength,
    /// A unit's name with a character that would disturb a terminal.
    #[error("a unit's name cannot contain the character U+{:04X}", u32::from(*.0))]
    UnitCharacter(char),
}

/// Why what a document says makes no sense, whoever signed it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidDocument {
    /// Version 0.
    #[error("document has version 0")]
    Version,
    /// A sheet that names a removal of a later version than its own.
    #[error("sheet names a removal of a later version than its own")]
    Removal,
    /// Authority keys out of order or twice, or a threshold that cannot be reached.
    #[error("authority's keys are not in order or its threshold is out of reach")]
    Authority,
    /// Epoch 0, an epoch that begins after the document, or sealed keys out of order or twice.
    #[error("keyring has epoch 0, begins after its document, or is not in order")]
    Keyring,
    /// A troop twice, or called `heads`.
    #[error("group {0} cannot be a troop here: it is taken")]
    Troop(GroupId),
    /// A letter twice, reserved, or no letter.
    #[error("letter {letter:?} of troop {troop} is taken, or not a lower-case letter other than h, t, d")]
    Letter {
        /// The troop.
        troop: GroupId,
        /// Its letter.
        letter: char,
    },
    /// A leader of a troop that the charter does not have.
    #[error("leader of {0}, which is no troop of this unit")]
    LeaderOfNoTroop(GroupId),
    /// Two leaders of one troop.
    #[error("troop {0} has two leaders")]
    SecondLeader(GroupId),
    /// One name for two people, whatever its case.
    #[error("name {0} stands twice in one document")]
    NameTwice(MemberName),
    /// One key for two people.
    #[error("key {0} stands twice in one document")]
    KeyTwice(PublicKey),
    /// More members than a document holds.
    #[error("{found} soldiers or carriers in one document, the most is {MAX_MEMBERS_PER_DOCUMENT}")]
    TooManyMembers {
        /// How many.
        found: usize,
    },
}

/// Why bytes are not a roster document.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// Longer than any document.
    #[error("{found} bytes, a document has at most {MAX_DOCUMENT_LEN}")]
    TooLong {
        /// Its length.
        found: usize,
    },
    /// Not the CBOR that was expected.
    #[error("not a roster document")]
    Malformed(#[source] serde_cbor::Error),
    /// A second way of writing the same.
    #[error("not in canonical form")]
    NotCanonical,
    /// Made by a newer program, or by none.
    #[error("format {found}, expected 1")]
    Format {
        /// The format's number.
        found: u64,
    },
    /// What it says makes no sense.
    #[error(transparent)]
    Invalid(#[from] InvalidDocument),
    /// Signers out of order or twice.
    #[error("signers are not in order")]
    SignerOrder,
    /// A signature that does not fit.
    #[error("signature of {signer} does not fit")]
    BadSignature {
        /// Whose signature it claims to be.
        signer: PublicKey,
    },
    /// Nobody signed, or too few of the authority that a charter itself names.
    #[error("{found} signatures are too few")]
    UnderSigned {
        /// How many there are.
        found: usize,
    },
}

/// Why a document was not taken into the roster.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The bytes are not a properly signed document; they never will be.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// It belongs to another unit.
    #[error("document of another unit ({found})")]
    OtherUnit {
        /// The unit it belongs to.
        found: UnitId,
    },
    /// It was issued too far ahead of now: worth another try by then.
    #[error("issued {} s in the future", .ahead_ms / 1_000)]
    FromTheFuture {
        /// How far ahead.
        ahead_ms: u64,
    },
    /// Its signers are not entitled by what is known: a document still to come may change that, so
    /// it is held in reserve.
    #[error("signed by nobody who is entitled to")]
    NotYetJudgeable,
    /// It was entitled, but newer documents leave it no instant to be in force.
    #[error("superseded by newer documents")]
    Superseded,
}

/// Why documents make no roster.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RosterError {
    /// The file is not a list of documents.
    #[error("roster is damaged")]
    Damaged(#[source] DecodeError),
    /// None of the documents is a charter by a unit's first authority.
    #[error("no charter signed by the unit's first authority")]
    NoCharter,
    /// One of the documents does not belong.
    #[error("document {position} of the roster is refused")]
    Refused {
        /// Its place in the roster, from 1.
        position: usize,
        /// Why.
        #[source]
        reason: Refusal,
    },
}

/// Why a unit cannot be changed as asked.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum EditError {
    /// The signer is no member, or a member who decides nothing.
    #[error(
        "this role key may not change the roster: that takes the commander's, or a troop leader's for its own soldiers"
    )]
    NotEntitled,
    /// A leader who tries more than its own troop's soldiers.
    #[error("the leader of {own} admits and removes soldiers of {own} only")]
    OwnSoldiersOnly {
        /// The leader's troop.
        own: GroupId,
    },
    /// One signer where several must sign.
    #[error("this takes {threshold} signatures of the unit's authority, and one was given")]
    SeveralMustSign {
        /// How many must sign.
        threshold: u32,
    },
    /// There is no such troop.
    #[error("there is no troop {group} in this unit")]
    UnknownTroop {
        /// The group asked for.
        group: GroupId,
        /// The troops there are.
        troops: Vec<GroupId>,
    },
    /// The troop has a leader already.
    #[error("troop {troop} has a leader already, {leader}")]
    TroopHasLeader {
        /// The troop.
        troop: GroupId,
        /// Its leader.
        leader: MemberName,
    },
    /// A second commander.
    #[error("the unit has a commander already, {commander}")]
    SecondCommander {
        /// Who it is.
        commander: MemberName,
    },
    /// The commander cannot be removed.
    #[error("{commander} is the commander and cannot be removed")]
    CommanderStays {
        /// Who it is.
        commander: MemberName,
    },
    /// Somebody has the name.
    #[error("the name {name} is taken")]
    NameTaken {
        /// The name as it stands in the roster.
        name: MemberName,
    },
    /// Somebody has the key.
    #[error("this role key is already {name}'s")]
    KeyTaken {
        /// Whose it is.
        name: MemberName,
    },
    /// Nobody has the name.
    #[error("there is no member {name:?} in this unit")]
    UnknownMember {
        /// The name asked for.
        name: String,
    },
    /// The authority and the commander asked for are those there are.
    #[error("this is the authority and the commander already")]
    NothingChanges,
    /// What the document would say makes no sense.
    #[error(transparent)]
    Invalid(#[from] InvalidDocument),
    /// The system had no randomness to give.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The group key could not be sealed.
    #[error("the group key cannot be sealed to {name}")]
    Seal {
        /// To whom.
        name: MemberName,
        /// Why.
        #[source]
        reason: SealError,
    },
}

/// Why a proposal cannot be read, signed or joined with another.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ProposalError {
    /// Longer than any proposal.
    #[error("{found} bytes, a proposal has at most {MAX_PROPOSAL_LEN}")]
    TooLong {
        /// Its length.
        found: usize,
    },
    /// The bytes are no proposal.
    #[error("not a proposal")]
    Malformed(#[source] DecodeError),
    /// One of its documents is none.
    #[error("document {position} of the proposal is refused")]
    Document {
        /// Its place, from 1.
        position: usize,
        /// Why.
        #[source]
        reason: DecodeError,
    },
    /// Its documents are no one change: none, of several units, twice the same, or out of order.
    #[error("its documents do not make one change")]
    NotOneChange,
    /// It is about another unit.
    #[error("it is about another unit ({found})")]
    OtherUnit {
        /// The unit it is about.
        found: UnitId,
    },
    /// What it proposes is so already.
    #[error("it is in force already")]
    InForce,
    /// The roster has changed since it was made.
    #[error("the roster has changed since it was made: {group} has version {has} already")]
    Outdated {
        /// The group whose document has moved on, `heads` for the charter.
        group: GroupId,
        /// The version in force.
        has: u64,
    },
    /// It was made on a newer roster than is here.
    #[error("it was made on a newer roster: its version {found} for {group} follows one that is not here yet")]
    Ahead {
        /// The group, `heads` for the charter.
        group: GroupId,
        /// The version proposed.
        found: u64,
    },
    /// It is older than the history that is kept.
    #[error("it was made over 7 days ago")]
    TooOld,
    /// It was made too far ahead of now.
    #[error("it was made {} s in the future", .ahead_ms / 1_000)]
    FromTheFuture {
        /// How far ahead.
        ahead_ms: u64,
    },
    /// The key's signature counts for nothing in it.
    #[error("the signature of this role key does not count: it is none of the authority's")]
    NotASigner,
    /// The key has signed it.
    #[error("this role key has signed it already")]
    SignedAlready,
    /// Two proposals that propose different things.
    #[error("the two proposals are not about the same change")]
    Different,
}

impl ProposalError {
    /// What to do about it, where there is something.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Outdated { .. } | Self::TooOld => Some("make the change anew on the roster of today".into()),
            Self::Ahead { .. } => Some("let this device meet the others first: muster start".into()),
            Self::NotASigner => Some("see whose signatures count: muster authority show".into()),
            Self::SignedAlready => Some("hand the file to another holder of the authority's keys".into()),
            _ => None,
        }
    }
}

impl EditError {
    /// What to do about it, where there is something.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NotEntitled => Some("use the commander's home: muster --home DIR".into()),
            Self::OwnSoldiersOnly { own } => Some(format!("ask the commander, or give --role soldier --troop {own}")),
            Self::UnknownTroop { troops, .. } => {
                let troops: Vec<_> = troops.iter().map(GroupId::as_str).collect();
                Some(format!("the troops are: {}", troops.join(", ")))
            }
            Self::TroopHasLeader { leader, .. } => {
                Some(format!("remove the present one first: muster member remove {leader}"))
            }
            Self::SecondCommander { .. } => Some("add a leader, a soldier or a carrier".into()),
            Self::NameTaken { .. } => Some("choose another name".into()),
            Self::KeyTaken { name } => Some(format!(
                "give each device a key of its own, or remove the present member first: muster member remove {name}"
            )),
            Self::UnknownMember { .. } => Some("see who is in the unit: muster member list".into()),
            Self::CommanderStays { .. } => {
                Some("put another in its place: muster authority set --threshold K KEY… --commander NAME".into())
            }
            Self::SeveralMustSign { .. } => {
                Some("write it as a proposal for the others to sign: --proposal FILE".into())
            }
            Self::NothingChanges => Some("see what there is: muster authority show".into()),
            _ => None,
        }
    }
}

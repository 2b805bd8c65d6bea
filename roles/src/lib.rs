//! Who is who in a Muster unit, and who may do what.
//!
//! A unit is described by its [`Roster`]: one signed [`Charter`] for the whole and one signed [`Sheet`]
//! for each troop. This crate decides which documents are in force ([`Roster::accept`]), who had which
//! role at an instant ([`Roster::at`]), what a member may do in a group ([`permit_act`]), which group keys
//! a member can open ([`Roster::open_keys`]), and makes the documents that change any of it ([`found`], [`draft`]),
//! signed by one or, as a [`Proposal`], by several.
//!
//! Everything here is pure: there is no clock, file or network, and time comes in as an argument. The
//! only randomness is in fresh group keys and their sealing; what a simulation gives can take its place ([`draft_with`]
//! and the like).

mod act;
mod authority;
mod clash;
mod document;
mod edit;
mod error;
#[cfg(test)]
mod fixture;
mod join;
mod keyring;
mod name;
mod precedence;
mod proposal;
mod removal;
mod role;
mod roster;
mod signed;
mod standing;
mod timeline;
mod timestamp;
mod wire;

pub use act::Act;
pub use authority::{Authority, MAX_AUTHORITY_KEYS, UnitId};
pub use clash::Clash;
pub use document::{
    Charter, Leader, MAX_MEMBERS_PER_DOCUMENT, MAX_TROOPS, Person, RESERVED_LETTERS, SealedKey, SealedKeyring, Sheet,
    TroopDef,
};
pub use edit::{
    EPOCH_MS, Edit, NewAuthority, add_member, draft, draft_with, due_rekey, due_rekey_with, found, found_with,
    overdue_groups, propose, rekey, remove_member,
};
pub use error::{DecodeError, EditError, InvalidDocument, NameError, ProposalError, Refusal, RosterError};
pub use join::{Admitting, BrokenCommitment, Commitment, JoinNonce, JoinWords, Joining};
pub use keyring::{Keyring, MAX_KEYS_AN_EPOCH};
pub use name::{GroupId, MAX_GROUP_LEN, MAX_NAME_LEN, MAX_UNIT_NAME_CHARS, MemberName, UnitName};
pub use precedence::{Precedence, PrecedenceError};
pub use proposal::{Changes, Fault, MAX_PROPOSAL_LEN, Missing, Proposal};
pub use removal::{Removal, Signer};
pub use role::{Denial, Permit, Role, permit, permit_act};
pub use roster::{Accepted, Cited, HISTORY_MS, MAX_AHEAD_MS, Roster};
pub use signed::{DocumentId, MAX_DOCUMENT_LEN};
pub use standing::{Member, Standing};
pub use timestamp::Timestamp;

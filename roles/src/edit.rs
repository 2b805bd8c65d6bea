//! Changes to a unit, as new signed documents.
//!
//! [`draft`] makes any [`Edit`] into a [`Proposal`]: the documents, signed by one. Where that one's signature is all it
//! takes, they are ready to be handed to [`Roster::accept`] and to the other nodes, in that order; where the
//! unit's authority needs several, the others add theirs to the proposal. The functions named for one edit
//! ([`add_member`] and so on) give the documents of those that need no other signature.
//!
//! Membership and keys change in one: whoever is admitted finds the current group keys sealed to it in the same
//! documents, and whoever is removed finds a new epoch begun that it cannot read.

mod ageing;
mod editor;

use muster_keys::{Identity, PublicKey, Randomness};

use self::editor::{Editor, Right, new_epoch};
use crate::authority::Authority;
use crate::document::{CharterText, Person, SheetText, TroopDef};
use crate::error::EditError;
use crate::name::{GroupId, MemberName, UnitName};
use crate::proposal::Proposal;
use crate::role::Role;
use crate::roster::Roster;
use crate::signed::{self, Payload};
use crate::timestamp::Timestamp;

pub use ageing::{EPOCH_MS, due_rekey, due_rekey_with, overdue_groups};

/// A change to a unit.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Edit {
    /// Admit a member, with the current keys of every group that it may read.
    ///
    /// The authority may admit anyone but a second commander or a second leader of a troop; a leader, soldiers of
    /// its own troop. The whole roster is checked for the name and the key. Where the signer cannot read a
    /// group, and so has no key to pass on, a new epoch of it begins.
    Add {
        /// The name in the chat.
        name: MemberName,
        /// What it may do.
        role: Role,
        /// The public half of its role key.
        key: PublicKey,
    },
    /// Remove a member, and begin a new epoch of every group that it could read.
    ///
    /// The authority may remove anyone but the commander; a leader, soldiers of its own troop. Where several documents
    /// have come to list one name, it goes from all that the signer may sign.
    Remove {
        /// Its name, whatever the case of its letters.
        name: String,
    },
    /// Begin a new epoch of every group that the signer may sign for.
    Rekey,
    /// Let others speak for the unit from now on, or another command it.
    Authority(NewAuthority),
}

/// Who is to speak for a unit, and to command it.
///
/// Takes the signatures of the authority before and of the new one. Every group begins a new epoch, and a
/// commander that is replaced leaves the unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAuthority {
    /// The keys of the authority, in any order.
    pub keys: Vec<PublicKey>,
    /// How many of them must sign.
    pub threshold: u32,
    /// The new commander, if there is to be another: a member, who leaves its post for it, or somebody new.
    pub commander: Option<Person>,
}

/// Makes a change by the signer's own right if it has one, and else as one of the authority's keys.
///
/// # Errors
/// Says which rule forbids it, or what the signer lacks to do it.
pub fn draft(roster: &Roster, signer: &Identity, edit: &Edit, now: Timestamp) -> Result<Proposal, EditError> {
    draft_with(roster, signer, edit, now, &mut Randomness::system())
}

/// Does what [`draft`] does, with keys and seals drawn from `randomness`, so that a simulation can make the same again.
///
/// # Errors
/// Says which rule forbids it, or what the signer lacks to do it.
pub fn draft_with(
    roster: &Roster,
    signer: &Identity,
    edit: &Edit,
    now: Timestamp,
    randomness: &mut Randomness,
) -> Result<Proposal, EditError> {
    let key = signer.public();
    let authority = roster.charter().authority();
    let role = roster.member(&key).map(|member| member.role);
    let (Some(Role::Leader(troop)), false) = (role, authority.satisfied_by(&[key])) else {
        return propose_with(roster, signer, edit, now, randomness);
    };
    match Editor::new(roster, signer, Right::Leader(troop), now, randomness).apply(edit) {
        Err(EditError::OwnSoldiersOnly { .. }) if authority.keys().contains(&key) => {
            propose_with(roster, signer, edit, now, randomness)
        }
        payloads => Ok(Proposal::begin(payloads?, signer)?),
    }
}

/// Makes a change in the authority's name, as one of its keys; a leader that holds one can ask for more than its
/// own troop by this.
///
/// # Errors
/// Says which rule forbids it, or what the signer lacks to do it.
pub fn propose(roster: &Roster, signer: &Identity, edit: &Edit, now: Timestamp) -> Result<Proposal, EditError> {
    propose_with(roster, signer, edit, now, &mut Randomness::system())
}

fn propose_with(
    roster: &Roster,
    signer: &Identity,
    edit: &Edit,
    now: Timestamp,
    randomness: &mut Randomness,
) -> Result<Proposal, EditError> {
    if !roster.charter().authority().keys().contains(&signer.public()) {
        return Err(EditError::NotEntitled);
    }
    let payloads = Editor::new(roster, signer, Right::Authority, now, randomness).apply(edit)?;
    Ok(Proposal::begin(payloads, signer)?)
}

/// The documents of a change that needs no other signature.
fn alone(roster: &Roster, signer: &Identity, edit: &Edit, now: Timestamp) -> Result<Vec<Vec<u8>>, EditError> {
    let proposal = draft(roster, signer, edit, now)?;
    if proposal.missing(roster).is_empty() {
        Ok(proposal.into_documents())
    } else {
        Err(EditError::SeveralMustSign { threshold: proposal.threshold(roster) })
    }
}

/// Admits a member; see [`Edit::Add`].
///
/// # Errors
/// Says which rule forbids it, what the signer lacks to do it, or that others must sign too.
pub fn add_member(
    roster: &Roster,
    signer: &Identity,
    name: MemberName,
    role: Role,
    key: PublicKey,
    now: Timestamp,
) -> Result<Vec<Vec<u8>>, EditError> {
    alone(roster, signer, &Edit::Add { name, role, key }, now)
}

/// Removes a member; see [`Edit::Remove`].
///
/// # Errors
/// Says which rule forbids it, that there is no such member, or that others must sign too.
pub fn remove_member(
    roster: &Roster,
    signer: &Identity,
    name: &str,
    now: Timestamp,
) -> Result<Vec<Vec<u8>>, EditError> {
    alone(roster, signer, &Edit::Remove { name: name.into() }, now)
}

/// Begins a new epoch of every group that the signer may sign for.
///
/// # Errors
/// If the signer may sign for none, others must sign too, or the system has no randomness.
pub fn rekey(roster: &Roster, signer: &Identity, now: Timestamp) -> Result<Vec<Vec<u8>>, EditError> {
    alone(roster, signer, &Edit::Rekey, now)
}

/// Founds a unit: a charter with a commander and its troops, and an empty sheet for each troop.
///
/// The commander's key is the whole authority to begin with. The first charter is kept for ever, so the keys are in a
/// second one that grows old like any other.
///
/// # Errors
/// If the troops clash, or the system has no randomness.
pub fn found(
    name: &UnitName,
    chief: &MemberName,
    identity: &Identity,
    troops: &[TroopDef],
    now: Timestamp,
) -> Result<Vec<Vec<u8>>, EditError> {
    found_with(name, chief, identity, troops, now, &mut Randomness::system())
}

/// Does what [`found`] does, with keys and seals drawn from `randomness`, so that a simulation can make the same again.
///
/// # Errors
/// If the troops clash, or the system has no randomness.
pub fn found_with(
    name: &UnitName,
    chief: &MemberName,
    identity: &Identity,
    troops: &[TroopDef],
    now: Timestamp,
    randomness: &mut Randomness,
) -> Result<Vec<Vec<u8>>, EditError> {
    let authority = Authority::single(identity.public());
    let unit = authority.unit();
    let commander = Person { name: chief.clone(), key: identity.public() };
    let mut first_epoch = |group: &GroupId| new_epoch(unit, group, 1, now, [&commander].into_iter(), randomness);
    let charter = CharterText {
        name: name.clone(),
        unit,
        groups: troops.to_vec(),
        issued: now,
        keyring: first_epoch(&GroupId::heads())?,
        leaders: Vec::new(),
        version: 2,
        carriers: Vec::new(),
        authority,
        commander: commander.clone(),
    };
    let mut first = CharterText { version: 1, ..charter.clone() };
    first.keyring.sealed.clear();
    let mut documents = Vec::new();
    for charter in [first, charter] {
        documents.push(signed::sign(Payload::Charter(charter), &[identity])?);
    }
    for troop in troops {
        let sheet = SheetText {
            removal: 0,
            unit,
            group: troop.id.clone(),
            issued: now,
            keyring: first_epoch(&troop.id)?,
            version: 1,
            soldiers: Vec::new(),
        };
        documents.push(signed::sign(Payload::Sheet(sheet), &[identity])?);
    }
    Ok(documents)
}

#[cfg(test)]
mod succession_tests;
#[cfg(test)]
mod tests;

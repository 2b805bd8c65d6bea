//! What the roster's documents say: the unit's charter and the troops' sheets.
//!
//! The types ending in `Text` are what is written and signed, field by field. [`Charter`] and [`Sheet`] wrap a text
//! that has been checked, with the look-ups that judging a record needs.

mod charter;
mod sheet;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use muster_keys::{PublicKey, SEALED_LEN};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteArray;

pub use charter::Charter;
pub(crate) use charter::CharterText;
pub use sheet::Sheet;
pub(crate) use sheet::SheetText;

use crate::authority::UnitId;
use crate::error::{InvalidDocument, NameError};
use crate::name::{CaselessName, GroupId, MemberName};
use crate::timestamp::Timestamp;
use crate::wire::{self, WireKey};

/// The most soldiers on one sheet, and carriers on one charter: twice the largest unit planned for, which
/// keeps the largest document under [`crate::MAX_DOCUMENT_LEN`].
pub const MAX_MEMBERS_PER_DOCUMENT: usize = 2_000;

/// The most troops of a unit: one for each letter that the chat does not use itself.
pub const MAX_TROOPS: usize = 26 - RESERVED_LETTERS.len();

/// Letters that no troop may have, being the chat's own commands: `:h`, `:t` and `:d`.
pub const RESERVED_LETTERS: [char; 3] = ['h', 't', 'd'];

/// The most sealed copies of a group key: a full sheet's soldiers, their leader and the commander.
const MAX_SEALED: usize = MAX_MEMBERS_PER_DOCUMENT + 2;

/// A troop: its group, and the letter that selects it in the chat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "(GroupId, char)", from = "(GroupId, char)")]
pub struct TroopDef {
    /// The troop's own group.
    pub id: GroupId,
    /// A lower-case ASCII letter, no other troop's and none of [`RESERVED_LETTERS`].
    pub letter: char,
}

impl From<(GroupId, char)> for TroopDef {
    fn from((id, letter): (GroupId, char)) -> Self {
        Self { id, letter }
    }
}

impl From<TroopDef> for (GroupId, char) {
    fn from(troop: TroopDef) -> Self {
        (troop.id, troop.letter)
    }
}

impl std::str::FromStr for TroopDef {
    type Err = NameError;

    /// Reads `navy:n`.
    fn from_str(text: &str) -> Result<Self, NameError> {
        let bad = || NameError::Troop(text.into());
        let (id, letter) = text.split_once(':').ok_or_else(bad)?;
        let letter = letter.parse().map_err(|_| bad())?;
        let id = id.parse()?;
        Ok(Self { id, letter })
    }
}

/// Somebody with a name and a role key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "(MemberName, WireKey)", from = "(MemberName, WireKey)")]
pub struct Person {
    /// The name shown in the chat.
    pub name: MemberName,
    /// The public half of the role key.
    pub key: PublicKey,
}

impl From<(MemberName, WireKey)> for Person {
    fn from((name, WireKey(key)): (MemberName, WireKey)) -> Self {
        Self { name, key }
    }
}

impl From<Person> for (MemberName, WireKey) {
    fn from(person: Person) -> Self {
        (person.name, WireKey(person.key))
    }
}

/// The head of a troop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "(GroupId, Person)", from = "(GroupId, Person)")]
pub struct Leader {
    /// The troop it heads.
    pub troop: GroupId,
    /// Who it is.
    pub person: Person,
}

impl From<(GroupId, Person)> for Leader {
    fn from((troop, person): (GroupId, Person)) -> Self {
        Self { troop, person }
    }
}

impl From<Leader> for (GroupId, Person) {
    fn from(leader: Leader) -> Self {
        (leader.troop, leader.person)
    }
}

/// One member's copy of a group key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "(ByteArray<32>, ByteArray<SEALED_LEN>)", from = "(ByteArray<32>, ByteArray<SEALED_LEN>)")]
pub struct SealedKey {
    /// The public key of the one member that can open it.
    pub to: [u8; 32],
    /// The group key, sealed.
    pub sealed: [u8; SEALED_LEN],
}

impl From<(ByteArray<32>, ByteArray<SEALED_LEN>)> for SealedKey {
    fn from((to, sealed): (ByteArray<32>, ByteArray<SEALED_LEN>)) -> Self {
        Self { to: to.into_array(), sealed: sealed.into_array() }
    }
}

impl From<SealedKey> for (ByteArray<32>, ByteArray<SEALED_LEN>) {
    fn from(key: SealedKey) -> Self {
        (ByteArray::new(key.to), ByteArray::new(key.sealed))
    }
}

/// A group's current epoch, and its key sealed to everyone who may read the group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealedKeyring {
    pub(crate) epoch: u64,
    pub(crate) since: Timestamp,
    #[serde(deserialize_with = "wire::bounded::<_, _, MAX_SEALED>")]
    pub(crate) sealed: Vec<SealedKey>,
}

impl SealedKeyring {
    /// The number of the epoch, 1 being a group's first.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// When the epoch began.
    pub fn since(&self) -> Timestamp {
        self.since
    }

    /// The sealed copies, in ascending order of their recipients' keys.
    pub fn sealed(&self) -> &[SealedKey] {
        &self.sealed
    }

    /// The copy sealed to a member.
    pub fn sealed_to(&self, key: &PublicKey) -> Option<&SealedKey> {
        let at = self.sealed.binary_search_by(|entry| entry.to.cmp(key.as_bytes()));
        at.ok().and_then(|at| self.sealed.get(at))
    }

    fn check(&self, issued: Timestamp) -> Result<(), InvalidDocument> {
        let ascending = self.sealed.is_sorted_by(|a, b| a.to < b.to);
        if ascending && self.epoch > 0 && self.since <= issued { Ok(()) } else { Err(InvalidDocument::Keyring) }
    }
}

/// What the two kinds of document have in common.
pub(crate) trait Document {
    fn unit(&self) -> UnitId;
    fn version(&self) -> u64;
    fn issued(&self) -> Timestamp;
    fn keyring(&self) -> &SealedKeyring;
}

/// The people of one document, who have names and keys of their own in it.
#[derive(Clone, Debug)]
struct Listing<T> {
    people: BTreeMap<PublicKey, T>,
    names: BTreeSet<CaselessName>,
}

impl<T> Listing<T> {
    fn new() -> Self {
        Self { people: BTreeMap::new(), names: BTreeSet::new() }
    }

    fn add(&mut self, person: &Person, entry: T) -> Result<(), InvalidDocument> {
        if !self.names.insert(CaselessName(person.name.clone())) {
            return Err(InvalidDocument::NameTwice(person.name.clone()));
        }
        if self.people.insert(person.key, entry).is_some() {
            return Err(InvalidDocument::KeyTwice(person.key));
        }
        Ok(())
    }

    /// The keys before and after this one.
    fn keys_beside(&self, key: &PublicKey) -> [Option<&PublicKey>; 2] {
        let before = self.people.range(..key).next_back();
        let after = self.people.range((Bound::Excluded(key), Bound::Unbounded)).next();
        [before, after].map(|entry| entry.map(|(key, _)| key))
    }
}

fn check_count(people: &[Person]) -> Result<(), InvalidDocument> {
    if people.len() > MAX_MEMBERS_PER_DOCUMENT {
        return Err(InvalidDocument::TooManyMembers { found: people.len() });
    }
    Ok(())
}

//! The sheet: the document of one troop.

use muster_keys::PublicKey;
use serde::{Deserialize, Serialize};

use super::{Document, Listing, MAX_MEMBERS_PER_DOCUMENT, Person, SealedKeyring, check_count};
use crate::authority::UnitId;
use crate::error::InvalidDocument;
use crate::name::{CaselessName, GroupId, MemberName};
use crate::timestamp::Timestamp;
use crate::wire;

/// What a sheet says, in the order of canonical map keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SheetText {
    pub(crate) unit: UnitId,
    pub(crate) group: GroupId,
    pub(crate) issued: Timestamp,
    pub(crate) keyring: SealedKeyring,
    pub(crate) removal: u64,
    pub(crate) version: u64,
    #[serde(deserialize_with = "wire::bounded::<_, _, MAX_MEMBERS_PER_DOCUMENT>")]
    pub(crate) soldiers: Vec<Person>,
}

/// The document of one troop: its soldiers and its group's key.
#[derive(Clone, Debug)]
pub struct Sheet {
    text: SheetText,
    listing: Listing<MemberName>,
}

impl Sheet {
    /// Checks what a sheet says in itself; who signed it is another question.
    pub(crate) fn check(text: SheetText) -> Result<Self, InvalidDocument> {
        if text.version == 0 {
            return Err(InvalidDocument::Version);
        }
        if text.group.is_heads() {
            return Err(InvalidDocument::Troop(text.group));
        }
        if text.removal > text.version {
            return Err(InvalidDocument::Removal);
        }
        text.keyring.check(text.issued)?;
        check_count(&text.soldiers)?;
        let mut listing = Listing::new();
        for person in &text.soldiers {
            listing.add(person, person.name.clone())?;
        }
        Ok(Self { text, listing })
    }

    /// The troop it belongs to.
    pub fn group(&self) -> &GroupId {
        &self.text.group
    }

    /// Its version, which counts from 1.
    pub fn version(&self) -> u64 {
        self.text.version
    }

    /// The version of the newest sheet known to its signer by which the authority has taken somebody away: its own if
    /// it is such a one, 0 if there is none.
    pub fn removal(&self) -> u64 {
        self.text.removal
    }

    /// When it was made, by its signer's clock.
    pub fn issued(&self) -> Timestamp {
        self.text.issued
    }

    /// The troop's soldiers, in the order they were admitted.
    pub fn soldiers(&self) -> &[Person] {
        &self.text.soldiers
    }

    /// The current epoch of the troop's group.
    pub fn keyring(&self) -> &SealedKeyring {
        &self.text.keyring
    }

    #[cfg(test)]
    pub(crate) fn text(&self) -> &SheetText {
        &self.text
    }

    pub(crate) fn person(&self, key: &PublicKey) -> Option<&MemberName> {
        self.listing.people.get(key)
    }

    pub(crate) fn keys_beside(&self, key: &PublicKey) -> [Option<&PublicKey>; 2] {
        self.listing.keys_beside(key)
    }

    pub(crate) fn names(&self, name: &CaselessName) -> bool {
        self.listing.names.contains(name)
    }
}

impl Document for Sheet {
    fn unit(&self) -> UnitId {
        self.text.unit
    }

    fn version(&self) -> u64 {
        self.text.version
    }

    fn issued(&self) -> Timestamp {
        self.text.issued
    }

    fn keyring(&self) -> &SealedKeyring {
        &self.text.keyring
    }
}

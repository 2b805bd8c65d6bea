//! Changing the roster of a running unit.

use muster_roles::{GroupId, MemberName, Role};
use serde::{Deserialize, Serialize};

use super::Printable;
use crate::engine::join;

/// A change of the roster, signed by this node's own member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum Change {
    /// Add a member.
    Add {
        /// Its name.
        name: MemberName,
        /// Its role.
        #[serde(flatten, with = "super::role")]
        role: Role,
        /// Its public key, as the line of an OpenSSH `.pub` file.
        key: String,
    },
    /// Remove a member, and replace the keys of the groups it could read.
    Remove {
        /// Its name.
        name: String,
    },
    /// Replace the group keys.
    Rekey,
    /// Add a device that has asked to be admitted.
    Admit {
        /// The name it has asked under.
        name: MemberName,
        /// Its role.
        #[serde(flatten, with = "super::role")]
        role: Role,
        /// The words that its screen shows, or the first of them; needed only where several ask under one name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        words: Option<String>,
    },
    /// Forget a device that has asked to be admitted.
    Dismiss {
        /// The name it has asked under.
        name: MemberName,
        /// The words that its screen shows, or the first of them; needed only where several ask under one name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        words: Option<String>,
    },
    /// Set who together may sign charters, and how many of them it takes.
    Authority {
        /// How many signatures it takes.
        threshold: u32,
        /// The public keys, as the lines of OpenSSH `.pub` files.
        keys: Vec<String>,
    },
    /// Take in documents that others have signed, such as a charter with all the signatures it needs.
    Adopt {
        /// The documents as they travel, in hexadecimal digits.
        documents: Vec<String>,
    },
}

/// What a change has come to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// The version of the roster that is in force now.
    pub version: u64,
    /// The members in it.
    pub members: usize,
    /// Groups that have new keys.
    pub rekeyed: Vec<GroupId>,
    /// Connected members that have been told at once.
    pub told: usize,
}

/// A device that asks to be admitted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinRequest {
    /// The name it wants.
    pub name: MemberName,
    /// Its public key, as the line of an OpenSSH `.pub` file.
    pub key: String,
    /// The six words that the new device shows too, if nobody stands in between.
    pub words: String,
    /// When it asked, in Unix milliseconds.
    pub since_ms: u64,
    /// What the device says about itself, such as the host's name; nothing that is known.
    pub note: Option<Printable>,
}

impl From<join::JoinRequest> for JoinRequest {
    fn from(request: join::JoinRequest) -> Self {
        let join::JoinRequest { name, key, words, since } = request;
        Self { key: key.to_openssh(name.as_str()), name, words, since_ms: since.0, note: None }
    }
}

//! The members of the unit, as one node knows them.

use std::collections::BTreeSet;

use muster_roles::{MemberName, Role};
use serde::{Deserialize, Serialize};

use crate::engine::policy::Carry;

/// Somebody with a role in the unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// The name.
    pub name: MemberName,
    /// The role.
    #[serde(flatten, with = "super::role")]
    pub role: Role,
    /// The role key's fingerprint, as `ssh-keygen -lf` prints it.
    pub fingerprint: String,
    /// Whether it is this node's own member.
    pub me: bool,
    /// What is known of where the member is.
    #[serde(flatten)]
    pub presence: Presence,
}

/// What a node knows of a member's presence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presence {
    /// Whether the member's node can be heard now.
    pub online: bool,
    /// When anything was last heard of it, in Unix milliseconds; nothing since this node started, if there is none.
    pub last_heard_ms: Option<u64>,
}

/// A member that this node is connected to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer {
    /// The name.
    pub name: MemberName,
    /// The role.
    #[serde(flatten, with = "super::role")]
    pub role: Role,
    /// The role key's fingerprint.
    pub fingerprint: String,
    /// Since when it has been connected, in Unix milliseconds.
    pub since_ms: u64,
    /// By how many milliseconds its clock is ahead of this device's; behind, if negative; nothing where it is not known.
    pub clock_ahead_ms: Option<i64>,
    /// How this node found it; empty where it was the other that found this one.
    pub found: BTreeSet<Found>,
    /// Whose messages its node stores and passes on; nothing where it has not told yet.
    #[serde(default)]
    pub carries: Option<Carries>,
    /// Its roster's version; nothing where it has not told yet.
    #[serde(default)]
    pub roster_version: Option<u64>,
}

/// Whose messages a member's node stores and passes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Carries {
    /// Every group's, whether its member may read them or not.
    All,
    /// Those of the groups that its member may read.
    Own,
}

impl From<Carry> for Carries {
    fn from(carry: Carry) -> Self {
        match carry {
            Carry::All => Self::All,
            Carry::Own => Self::Own,
        }
    }
}

/// How a node came to know where a member is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Found {
    /// It was heard by multicast DNS.
    Multicast,
    /// It answered at an address, or at a name, that this node is set to dial.
    Dial,
    /// Another member told where it is.
    Told,
    /// It was remembered from when the node last ran.
    Remembered,
}

//! The members of the unit, as one node knows them.

use muster_roles::{MemberName, Role};
use serde::{Deserialize, Serialize};

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
}

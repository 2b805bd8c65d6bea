//! How a node is.

use muster_roles::{MemberName, Role};
use serde::{Deserialize, Serialize};

use super::Printable;

/// How a node is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The program's version.
    pub version: String,
    /// The process.
    pub pid: u32,
    /// How long the node has been running, in seconds.
    pub uptime_s: u64,
    /// Whose node it is.
    pub name: MemberName,
    /// The member's role.
    #[serde(flatten, with = "super::role")]
    pub role: Role,
    /// The unit's name.
    pub unit: Printable,
    /// The unit's id, in six words.
    pub unit_words: String,
    /// The roster in force.
    pub roster: RosterState,
    /// Members connected now.
    pub connected: usize,
    /// Addresses on which the node listens.
    pub listening: Vec<String>,
    /// Messages of this member that nobody else is known to have.
    pub waiting: usize,
    /// The device's clock.
    pub clock: ClockState,
    /// Whether the store takes messages; if not, the disk is full or failing.
    pub store_works: bool,
    /// Screens and programs that are told what happens.
    pub listeners: usize,
}

/// The roster in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RosterState {
    /// Its version.
    pub version: u64,
    /// When it was issued, in Unix milliseconds.
    pub issued_ms: u64,
    /// How old it is, in seconds.
    pub age_s: u64,
    /// Members in it.
    pub members: usize,
    /// The newest that a connected member is known to have; nothing where none has told.
    #[serde(default)]
    pub newest_of_peers: Option<PeerRoster>,
}

/// The roster of a connected member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerRoster {
    /// The roster's version.
    pub version: u64,
    /// Who has it.
    pub name: MemberName,
}

/// The device's clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockState {
    /// By how many milliseconds it is ahead of the unit's time; behind, if negative; nothing where it agrees.
    pub off_by_ms: Option<i64>,
}

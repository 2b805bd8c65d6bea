//! The unit that the fuzz targets are told about, the same in every run.

use muster_roles::Timestamp;

/// What a node is asked, from the sources of the node itself: with its feature all of it would be built for the fuzzer.
#[path = "../../src/control/mod.rs"]
#[allow(dead_code, unused_imports, missing_docs, reason = "the targets use a part of it")]
pub mod control;
pub mod seeds;

/// What the sources above find in the crate that they are taken from.
pub use muster::engine;

/// The members and records of the tests, so that a seed means the same to both.
#[path = "../../tests/records/mod.rs"]
mod records;

/// What a target starts from.
pub mod ground {
    use muster_keys::Identity;
    use muster_roles::{GroupId, Roster};

    use crate::records::{self, Unit};

    /// The roster of the tests' unit. Sealing draws fresh keys, so only what does not depend on them is the same.
    #[must_use]
    pub fn roster() -> Roster {
        (*Unit::found().roster).clone()
    }

    /// The role key of a member.
    #[must_use]
    pub fn identity(name: &str) -> Identity {
        records::identity(name)
    }

    /// The group of this name.
    #[must_use]
    pub fn group(name: &str) -> GroupId {
        records::group(name)
    }
}

/// When the targets run: a minute after the tests' records begin.
#[must_use]
pub fn now() -> Timestamp {
    Timestamp::from_ms(records::START_MS + 60_000)
}

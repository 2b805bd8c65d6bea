//! What a person should know though nobody asked.

use muster_roles::{GroupId, MemberName};
use serde::{Deserialize, Serialize};

use crate::engine::io;

/// Something a person should know that is no answer to a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "notice", rename_all = "snake_case")]
pub enum Notice {
    /// A newer roster is in force.
    RosterUpdated {
        /// Its version.
        version: u64,
        /// Members in it.
        members: usize,
    },
    /// Others have messages now that were shown as waiting.
    Sent {
        /// How many.
        count: u64,
    },
    /// Messages of an author are not here yet, as those before and after them show.
    Missing {
        /// Their group.
        group: GroupId,
        /// Who wrote them.
        author: MemberName,
        /// How many.
        count: u64,
    },
    /// All messages of an author that were missing have come.
    Arrived {
        /// Their group.
        group: GroupId,
        /// Who wrote them.
        author: MemberName,
        /// How many were missing.
        count: u64,
    },
    /// This member is not in the newest roster any more.
    NoLongerMember,
    /// A commit failed: nothing more is accepted.
    StoreFailed,
    /// This device's clock is off; messages are stamped with the unit's time instead.
    ClockOff {
        /// By how many milliseconds it is ahead of the unit's time; behind, if negative.
        by_ms: i64,
    },
    /// This device's clock was off and agrees with the others again.
    ClockMended,
    /// This device's clock and the only other one there do not agree, and either may be right.
    ClocksDiffer {
        /// Whose the other clock is.
        member: MemberName,
        /// By how many milliseconds this device's is ahead of it; behind, if negative.
        by_ms: i64,
    },
}

impl From<io::Notice> for Notice {
    fn from(notice: io::Notice) -> Self {
        match notice {
            io::Notice::RosterUpdated { version, members } => Self::RosterUpdated { version, members },
            io::Notice::Sent { count } => Self::Sent { count },
            io::Notice::Missing { group, author, count } => Self::Missing { group, author, count },
            io::Notice::Arrived { group, author, count } => Self::Arrived { group, author, count },
            io::Notice::NoLongerMember => Self::NoLongerMember,
            io::Notice::StoreFailed => Self::StoreFailed,
            io::Notice::ClockOff { by_ms } => Self::ClockOff { by_ms },
            io::Notice::ClockMended => Self::ClockMended,
            io::Notice::ClocksDiffer { member, by_ms } => Self::ClocksDiffer { member, by_ms },
        }
    }
}

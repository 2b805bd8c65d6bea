//! What a person should know though nobody asked.

use muster_roles::{Clash, GroupId, MemberName, Role, Timestamp};

use crate::engine::join::JoinRequest;

/// Something a person should know that is no answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// Somebody has become a member, or a member something else.
    Admitted {
        /// Who.
        name: MemberName,
        /// As what.
        role: Role,
        /// Who has signed it, as far as it is known.
        by: Vec<MemberName>,
    },
    /// Somebody is a member no more.
    Removed {
        /// Who.
        name: MemberName,
        /// Who has signed it, as far as it is known.
        by: Vec<MemberName>,
        /// When.
        at: Timestamp,
    },
    /// A device asks to be admitted.
    JoinAsked(JoinRequest),
    /// An order still waits for this member's answer.
    OrderWaits {
        /// Its group.
        group: GroupId,
        /// Who gave it.
        giver: MemberName,
    },
    /// An order of this member's has not been answered by all.
    OrderUnanswered {
        /// Its group.
        group: GroupId,
        /// Who has not answered.
        missing: Vec<MemberName>,
    },
    /// This member is not in the newest roster any more.
    NoLongerMember {
        /// Who has signed it, as far as it is known.
        by: Vec<MemberName>,
        /// When, if that is known.
        at: Option<Timestamp>,
    },
    /// This member, or somebody else, has changed the roster without knowing of the other's change; what is lost by it.
    Clash(Clash),
    /// The keys of groups are over a day old, and it takes more signatures than this member's to replace them.
    KeysOld {
        /// Whose keys.
        groups: Vec<GroupId>,
    },
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

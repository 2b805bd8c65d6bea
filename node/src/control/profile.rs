//! Who sits at a node, and which groups there are for them.

use muster_roles::{GroupId, MemberName, Role};
use serde::{Deserialize, Serialize};

use super::{Position, Printable};
use crate::engine::view;

/// Who sits at this node and which groups there are for them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// The member's name.
    pub name: MemberName,
    /// The member's role.
    #[serde(flatten, with = "super::role")]
    pub role: Role,
    /// The unit's name, safe to print.
    pub unit: Printable,
    /// The groups the member may read, heads first.
    pub groups: Vec<GroupChoice>,
}

/// A group as one member sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupChoice {
    /// The group.
    pub id: GroupId,
    /// The letter that switches to it in the chat; `h` for heads.
    pub letter: char,
    /// Whether the member may post there; reading is a given.
    pub may_post: bool,
}

/// A group and how far it has been read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupState {
    /// The group, and what the member may do there.
    #[serde(flatten)]
    pub choice: GroupChoice,
    /// Messages of others that are newer than what has been read.
    pub unread: u64,
    /// The newest message that has been read.
    pub seen: Option<Position>,
}

impl Profile {
    /// Returns the group the chat opens in: the member's own, or none for a carrier.
    #[must_use]
    pub fn home_group(&self) -> Option<&GroupId> {
        self.role.home_group()
    }
}

impl From<view::Profile> for Profile {
    fn from(profile: view::Profile) -> Self {
        let view::Profile { name, role, unit, groups } = profile;
        let choice = |choice: view::GroupChoice| {
            let view::GroupChoice { id, letter, may_post } = choice;
            GroupChoice { id, letter, may_post }
        };
        Self { name, role, unit, groups: groups.into_iter().map(choice).collect() }
    }
}

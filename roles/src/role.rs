//! Roles, and the one function that decides who may post where.

use std::fmt;

use muster_keys::PublicKey;
use thiserror::Error;

use crate::act::Act;
use crate::name::{GroupId, MemberName};
use crate::precedence::Precedence;
use crate::standing::Standing;

/// What a member is in its unit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// The chief: reads every group, posts to `heads` only.
    Commander,
    /// The head of this troop: reads and posts `heads` and the troop's group.
    Leader(GroupId),
    /// A member of this troop: reads and posts the troop's group only.
    Soldier(GroupId),
    /// A device that stores and forwards for everyone, and reads and posts nothing.
    Carrier,
}

impl Role {
    /// Whether the role gives the right to read a group of the unit.
    pub fn may_read(&self, group: &GroupId) -> bool {
        match self {
            Self::Commander => true,
            Self::Leader(troop) => group.is_heads() || group == troop,
            Self::Soldier(troop) => group == troop,
            Self::Carrier => false,
        }
    }

    /// Whether the role gives the right to post to a group of the unit.
    pub fn may_post(&self, group: &GroupId) -> bool {
        match self {
            Self::Commander => group.is_heads(),
            Self::Leader(_) | Self::Soldier(_) | Self::Carrier => self.may_read(group),
        }
    }

    /// Whether the role gives the right to give orders in a group of the unit.
    pub fn may_order(&self, group: &GroupId) -> bool {
        self.is_in_command() && self.may_post(group)
    }

    /// Whether the role is one of those that give orders, and that may send flash messages: commander and leaders.
    pub fn is_in_command(&self) -> bool {
        matches!(self, Self::Commander | Self::Leader(_))
    }

    /// Whether the role gives the right to an act in a group of the unit.
    ///
    /// Whoever reads a group may answer orders there and confirm what it has received, the commander in a troop's too.
    pub fn may(&self, act: Act, group: &GroupId) -> bool {
        let right = match act {
            Act::Text(_) => self.may_post(group),
            Act::Order(_) => self.may_order(group),
            Act::Answer(_) | Act::Receipt => self.may_read(group),
        };
        right && (act.precedence() < Precedence::Flash || self.is_in_command())
    }

    /// The troop that a leader or a soldier belongs to.
    pub fn troop(&self) -> Option<&GroupId> {
        match self {
            Self::Leader(troop) | Self::Soldier(troop) => Some(troop),
            Self::Commander | Self::Carrier => None,
        }
    }

    /// The group to start in: `heads` for the commander, the own troop for a leader or soldier.
    pub fn home_group(&self) -> Option<&GroupId> {
        match self {
            Self::Commander => Some(GroupId::heads_ref()),
            Self::Leader(_) | Self::Soldier(_) | Self::Carrier => self.troop(),
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Commander => f.write_str("commander"),
            Self::Leader(troop) => write!(f, "leader of {troop}"),
            Self::Soldier(troop) => write!(f, "soldier of {troop}"),
            Self::Carrier => f.write_str("carrier"),
        }
    }
}

/// Proof that somebody may do something in a group; only [`permit`] and [`permit_act`] make one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Permit {
    /// The author's name.
    pub name: MemberName,
    /// The author's role.
    pub role: Role,
}

/// Why somebody may not post to a group.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Denial {
    /// The unit has no such group.
    #[error("there is no group {group} in this unit")]
    UnknownGroup {
        /// The group asked for.
        group: GroupId,
    },
    /// The author's key is nobody's in this unit.
    #[error("not a member of this unit")]
    NotAMember,
    /// A soldier and `heads`.
    #[error("soldiers cannot post to heads: it is for the commander and the leaders")]
    SoldierToHeads,
    /// The commander and a troop's group.
    #[error("the commander cannot post to {group}: it posts to heads, and the leaders pass it on")]
    CommanderToTroop {
        /// The troop's group.
        group: GroupId,
    },
    /// A leader or soldier and the group of a troop not its own.
    #[error("members of {own} cannot post to {group}: it is another troop's")]
    OtherTroop {
        /// The author's troop.
        own: GroupId,
        /// The other one's group.
        group: GroupId,
    },
    /// A carrier and any group.
    #[error("carriers cannot post: they only carry")]
    CarrierPosts,
    /// A soldier and an order.
    #[error("soldiers cannot give orders: that is for the commander and the leaders")]
    SoldierOrders,
    /// A soldier and the highest precedence.
    #[error("soldiers cannot send flash messages: they are for the commander and the leaders")]
    SoldierFlash,
}

/// Decides whether an author may post a routine text to a group.
///
/// # Errors
/// Gives the reason when it may not.
pub fn permit(standing: &Standing<'_>, author: &PublicKey, group: &GroupId) -> Result<Permit, Denial> {
    permit_act(standing, author, group, Act::default())
}

/// Decides whether an author may do something in a group.
///
/// It is asked before posting, before forwarding, before storing and before showing a record, always with
/// the standing at the record's own time ([`crate::Roster::at`]).
///
/// # Errors
/// Gives the reason when it may not.
pub fn permit_act(standing: &Standing<'_>, author: &PublicKey, group: &GroupId, act: Act) -> Result<Permit, Denial> {
    if !standing.group_exists(group) {
        return Err(Denial::UnknownGroup { group: group.clone() });
    }
    let member = standing.member(author).ok_or(Denial::NotAMember)?;
    if member.role.may(act, group) {
        return Ok(Permit { name: member.name, role: member.role });
    }
    Err(match member.role {
        Role::Soldier(_) if member.role.may_post(group) && matches!(act, Act::Order(_)) => Denial::SoldierOrders,
        Role::Soldier(_) if member.role.may_post(group) => Denial::SoldierFlash,
        Role::Commander => Denial::CommanderToTroop { group: group.clone() },
        Role::Soldier(_) if group.is_heads() => Denial::SoldierToHeads,
        Role::Leader(own) | Role::Soldier(own) => Denial::OtherTroop { own, group: group.clone() },
        Role::Carrier => Denial::CarrierPosts,
    })
}

#[cfg(test)]
mod tests;

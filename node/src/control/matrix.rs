//! Who has a message, as screens see it.

use muster_roles::{GroupId, MemberName, Role};
use serde::{Deserialize, Serialize};

use super::MessageId;
use crate::engine::matrix;

/// Who has a message: everyone who may read it but its author, by the roles in force at its time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Matrix {
    /// The message.
    pub id: MessageId,
    /// Its group.
    pub group: GroupId,
    /// The members.
    pub members: Vec<Receiver>,
}

/// What is known of one member and one message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receiver {
    /// The member.
    pub name: MemberName,
    /// The role.
    #[serde(flatten, with = "super::role")]
    pub role: Role,
    /// When it confirmed to have the message, in Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivered_ms: Option<u64>,
    /// When it told to have read as far as the message, in Unix milliseconds; never, where a member does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_ms: Option<u64>,
}

impl From<matrix::Matrix> for Matrix {
    fn from(matrix: matrix::Matrix) -> Self {
        let receiver = |seen: matrix::Seen| Receiver {
            name: seen.name,
            role: seen.role,
            delivered_ms: seen.delivered.map(|time| time.ms()),
            read_ms: seen.read.map(|time| time.ms()),
        };
        let members = matrix.members.into_iter().map(receiver).collect();
        Self { id: matrix.id.into(), group: matrix.group, members }
    }
}

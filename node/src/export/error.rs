//! Why messages could not be written out.

use std::io;

use muster_roles::{GroupId, MemberName};

use crate::disk::DiskError;
use crate::new_file::FileError;

/// Why an export was not made.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The store could not be read.
    #[error("the store cannot be read")]
    Read(#[from] DiskError),
    /// There are no threads to open the messages on.
    #[error("the messages cannot be opened")]
    Thread(#[source] io::Error),
    /// What the messages were written to took no more.
    #[error("the messages cannot be written")]
    Write(#[source] io::Error),
    /// The file could not be made.
    #[error(transparent)]
    File(#[from] FileError),
    /// There is no folder to write to.
    #[error("no folder to write to")]
    NoFolder,
}

impl ExportError {
    /// Returns what the member can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::File(error) => Some(error.hint()),
            Self::NoFolder => Some("give a file in a folder of your own with -o FILE"),
            Self::Read(_) | Self::Thread(_) | Self::Write(_) => None,
        }
    }
}

/// Why a member gets no messages of the groups asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GroupError {
    /// The key is nobody's in the roster.
    #[error("this device's role key is not in the roster")]
    NotAMember,
    /// The unit has no such group.
    #[error("the unit has no group `{name}`")]
    Unknown {
        /// What was asked for.
        name: String,
        /// What there is for this member.
        readable: Vec<GroupId>,
    },
    /// The member may not read the group.
    #[error("{member} may not read {group}")]
    Denied {
        /// Who.
        member: MemberName,
        /// What.
        group: GroupId,
        /// What the member may read.
        readable: Vec<GroupId>,
    },
    /// The member carries records for others and reads none.
    #[error("{member} is a carrier and reads no group")]
    Carrier {
        /// Who.
        member: MemberName,
    },
}

impl GroupError {
    /// Returns what the member can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unknown { readable, .. } | Self::Denied { readable, .. } if !readable.is_empty() => {
                let names: Vec<&str> = readable.iter().map(GroupId::as_str).collect();
                Some(format!("groups to choose from: {}", names.join(", ")))
            }
            Self::NotAMember => Some("ask the commander for the newest roster".to_owned()),
            _ => None,
        }
    }
}

//! Why messages could not be written out.

use std::io;
use std::path::{Path, PathBuf};

use muster_roles::{GroupId, MemberName};

use crate::disk::DiskError;

/// Why an export was not made.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The store could not be read.
    #[error("the store cannot be read")]
    Read(#[from] DiskError),
    /// What the messages were written to took no more.
    #[error("the messages cannot be written")]
    Write(#[source] io::Error),
    /// Something of that name is there.
    #[error("{} exists already and is not overwritten", path.display())]
    Exists {
        /// The name.
        path: PathBuf,
    },
    /// Something is there that is no file, and must not be replaced by one.
    #[error("{} is not a regular file", path.display())]
    NotAFile {
        /// The name.
        path: PathBuf,
    },
    /// The file could not be written.
    #[error("{} cannot be written", path.display())]
    File {
        /// Its name.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is no folder to write to.
    #[error("no folder to write to")]
    NoFolder,
}

impl ExportError {
    /// Returns what the member can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Exists { .. } => Some("give another name with -o FILE, or replace it with --force"),
            Self::NotAFile { .. } => Some("give another name with -o FILE, or use -o - for standard output"),
            Self::File { .. } | Self::NoFolder => Some("give a file in a folder of your own with -o FILE"),
            Self::Read(_) | Self::Write(_) => None,
        }
    }

    /// What went wrong with a file; its name may have been taken since it was last seen free.
    pub(super) fn from_file(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::AlreadyExists => Self::Exists { path },
            _ => Self::File { path, source },
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

//! What can go wrong with the store on disk.

use std::io;
use std::path::{Path, PathBuf};

use redb::{DatabaseError, StorageError};

/// Why a store could not be opened; whatever it is, no other takes its place.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it open.
    #[error("{} is in use by another process", path.display())]
    Locked {
        /// The store's file.
        path: PathBuf,
    },
    /// A newer Muster wrote it.
    #[error("{} has schema version {found}, this muster knows {known}", path.display())]
    NewerSchema {
        /// The store's file.
        path: PathBuf,
        /// The version in the file.
        found: u64,
        /// The newest version that this program reads.
        known: u64,
    },
    /// An older Muster wrote it, whose records this one does not read.
    #[error("{} has schema version {found}, this muster reads only {known}", path.display())]
    OlderSchema {
        /// The store's file.
        path: PathBuf,
        /// The version in the file.
        found: u64,
        /// The version that this program reads.
        known: u64,
    },
    /// It is not a whole store.
    #[error("{} is damaged: {found}", path.display())]
    Damaged {
        /// The store's file.
        path: PathBuf,
        /// What was found.
        found: String,
    },
    /// The file could not be read or written.
    #[error("cannot open {}", path.display())]
    Io {
        /// The store's file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl OpenError {
    /// Returns the next step for the person whose store it is.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Locked { .. } => "stop the other node first, or use another home with --home".to_owned(),
            Self::NewerSchema { .. } => {
                "install the newer muster that wrote it, or use another home with --home".to_owned()
            }
            Self::OlderSchema { path, .. } => format!(
                "its messages can be read with the older muster that wrote them; to go on without them, \
                 move it aside with `mv {path} {path}.old` and start again",
                path = path.display()
            ),
            Self::Damaged { path, .. } => damaged_hint(path),
            Self::Io { .. } => "see that the folder is there, is yours and has room, then try again".to_owned(),
        }
    }

    pub(super) fn from_redb(path: &Path, error: DatabaseError) -> Self {
        let path = path.to_owned();
        let damaged = |path, found: String| Self::Damaged { path, found };
        match error {
            DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch => Self::Locked { path },
            // This is how redb says that a file is none of its own, or shorter than it must be.
            DatabaseError::Storage(StorageError::Io(source))
                if matches!(source.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof) =>
            {
                damaged(path, source.to_string())
            }
            DatabaseError::Storage(StorageError::Io(source)) => Self::Io { path, source },
            DatabaseError::Storage(StorageError::Corrupted(found)) => damaged(path, found),
            other => damaged(path, other.to_string()),
        }
    }

    pub(super) fn from_disk(path: &Path, error: DiskError) -> Self {
        let path = path.to_owned();
        match error {
            DiskError::Damaged { found } => Self::Damaged { path, found },
            DiskError::Storage(redb::Error::Io(source)) => Self::Io { path, source },
            DiskError::Storage(other) => Self::Damaged { path, found: other.to_string() },
        }
    }
}

/// Why a store that is open could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// It holds what no Muster wrote.
    #[error("the store is damaged: {found}")]
    Damaged {
        /// What was found.
        found: String,
    },
    /// The database failed: the disk is full or failing, or the file was changed by somebody else.
    #[error("the store failed")]
    Storage(#[source] redb::Error),
}

impl<E: Into<redb::Error>> From<E> for DiskError {
    fn from(error: E) -> Self {
        match error.into() {
            redb::Error::Corrupted(found) => Self::Damaged { found },
            other => Self::Storage(other),
        }
    }
}

/// Returns how to go on without a damaged store, and what that costs.
#[must_use]
pub fn damaged_hint(path: &Path) -> String {
    let path = path.display();
    format!(
        "move it aside with `mv {path} {path}.damaged` and start again: messages that only this \
         device had are lost, the others come back from the mesh"
    )
}

//! Opening the store's file, or making it.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use redb::backends::FileBackend;
use redb::{Builder, Database, ReadableDatabase, StorageBackend};

use super::carried::{SIZES, Search};
use super::clean;
use super::marks::MARKS;
use super::{Disk, DiskError, META, OUTBOX, OpenError, RECORDS, SEQS};

/// Memory for pages of the store: redb's own default of 1 GiB is more than many a device has, and a screenful of
/// messages is a few pages.
const CACHE_BYTES: usize = 32 * 1024 * 1024;

/// The layout of the tables and the form of the records; a file with another number is refused.
const SCHEMA_VERSION: u64 = 4;

/// Where the schema's version stands in [`META`].
const SCHEMA_KEY: &str = "schema";

impl Disk {
    /// Opens the store at `path`, which is made if there is none.
    ///
    /// Unless it was closed in good order and is as it was left, the whole file is checked against its checksums, and a
    /// commit that a crash cut short is rolled back. Whoever calls holds the lock of the home that the file is in.
    ///
    /// # Errors
    /// [`OpenError`]; what cannot be opened is never replaced.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let failed = |source| OpenError::Io { path: path.to_owned(), source };
        if !path.try_exists().map_err(failed)? {
            create(path)?;
        }
        let (checked, now) = (clean::take(path), SystemTime::now());
        let database = builder(checked.is_none()).open(path).map_err(|error| OpenError::from_redb(path, error))?;
        Self::whole(path, database, Some((path.to_owned(), checked.unwrap_or(now))))
    }

    /// Opens the store that `backend` holds, or makes one if it is empty; errors call it `name`.
    ///
    /// # Errors
    /// [`OpenError`], as with [`Disk::open`].
    pub fn with_backend(name: &Path, backend: impl StorageBackend) -> Result<Self, OpenError> {
        let empty = backend.len().map_err(|source| OpenError::Io { path: name.to_owned(), source })? == 0;
        let database = builder(true).create_with_backend(backend).map_err(|error| OpenError::from_redb(name, error))?;
        if empty {
            lay_out(&database).map_err(|error| OpenError::from_disk(name, error))?;
        }
        Self::whole(name, database, None)
    }

    /// Takes in a database that is whole, if it is a store; `mark` is its file, and when that was last checked.
    fn whole(path: &Path, database: Database, mark: Option<(PathBuf, SystemTime)>) -> Result<Self, OpenError> {
        let found = schema(&database).map_err(|error| OpenError::from_disk(path, error))?;
        let path = || path.to_owned();
        match found {
            Some(SCHEMA_VERSION) => {
                Ok(Self { database: Arc::new(Opened { database: Some(database), mark }), search: Search::new() })
            }
            Some(found) if found > SCHEMA_VERSION => {
                Err(OpenError::NewerSchema { path: path(), found, known: SCHEMA_VERSION })
            }
            Some(found) if found > 0 => Err(OpenError::OlderSchema { path: path(), found, known: SCHEMA_VERSION }),
            Some(found) => {
                Err(OpenError::Damaged { path: path(), found: format!("schema version {found}, which never was") })
            }
            None => Err(OpenError::Damaged {
                path: path(),
                found: "a database with no schema version, not a store of muster".to_owned(),
            }),
        }
    }
}

/// An open database that is closed, and marked as closed in good order, when its last handle goes.
#[derive(Debug)]
pub(super) struct Opened {
    /// There until then.
    database: Option<Database>,
    mark: Option<(PathBuf, SystemTime)>,
}

impl Opened {
    pub(super) fn get(&self) -> Result<&Database, DiskError> {
        self.database.as_ref().ok_or(DiskError::Storage(redb::Error::DatabaseClosed))
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        let Some(database) = self.database.take() else { return };
        if let Err(error) = database.close() {
            return tracing::warn!(%error, "the store was not closed in good order");
        }
        if let Some((path, checked)) = &self.mark
            && let Err(error) = clean::leave(path, *checked)
        {
            tracing::debug!(%error, "the store could not be marked as closed in good order");
        }
    }
}

fn builder(check: bool) -> Builder {
    let mut builder = Database::builder();
    builder
        .set_cache_size(CACHE_BYTES)
        // Without it redb trusts a file that was closed cleanly, and may panic where a disk has damaged it since.
        .set_check_integrity_on_open(check);
    builder
}

/// Makes a store that appears at `path` whole or not at all, so that an empty or half-made file there is damage.
fn create(path: &Path) -> Result<(), OpenError> {
    let fresh = fresh_path(path);
    let failed = |source| OpenError::Io { path: path.to_owned(), source };
    remove_if_there(&fresh).map_err(failed)?;
    let file = new_private_file(&fresh).map_err(failed)?;
    let made = FileBackend::new(file)
        .and_then(|backend| builder(true).create_with_backend(backend))
        .map_err(|error| OpenError::from_redb(path, error))
        .and_then(|database| {
            lay_out(&database).map_err(|error| OpenError::from_disk(path, error))?;
            database.close().map_err(|error| OpenError::from_redb(path, error))
        })
        // A link, unlike a rename, never replaces what is there.
        .and_then(|()| fs::hard_link(&fresh, path).map_err(failed))
        .and_then(|()| sync_parent(path).map_err(failed));
    let removed = remove_if_there(&fresh).map_err(failed);
    made.and(removed)
}

/// Writes the empty tables and the schema's version.
fn lay_out(database: &Database) -> Result<(), DiskError> {
    let transaction = database.begin_write()?;
    transaction.open_table(RECORDS)?;
    transaction.open_table(OUTBOX)?;
    transaction.open_table(MARKS)?;
    transaction.open_table(SEQS)?;
    transaction.open_table(SIZES)?;
    transaction.open_table(META)?.insert(SCHEMA_KEY, SCHEMA_VERSION)?;
    Ok(transaction.commit()?)
}

/// Reads the schema's version, and sees that the tables of a version that is known are there.
fn schema(database: &Database) -> Result<Option<u64>, DiskError> {
    let transaction = database.begin_read()?;
    let meta = match transaction.open_table(META) {
        Err(redb::TableError::TableDoesNotExist(_)) => return Ok(None),
        other => other?,
    };
    let version = meta.get(SCHEMA_KEY)?.map(|version| version.value());
    if version == Some(SCHEMA_VERSION) {
        transaction.open_table(RECORDS)?;
        transaction.open_table(OUTBOX)?;
        transaction.open_table(MARKS)?;
        transaction.open_table(SEQS)?;
        transaction.open_table(SIZES)?;
    }
    Ok(version)
}

/// Where a store is made before it gets its name.
fn fresh_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    name.into()
}

fn new_private_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Waits until the folder's list of names is on the disk too.
fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    // Only unix lets a folder be opened like a file; elsewhere the name is the file system's care.
    if cfg!(unix) {
        File::open(parent.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    Ok(())
}

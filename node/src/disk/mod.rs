//! The store on disk: one redb file whose every commit is durable once the call has returned.

mod error;
mod rows;
pub mod writer;

use std::fs::{self, File, OpenOptions};
use std::io;
use std::ops::{ControlFlow, Range};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use muster_keys::PublicKey;
use muster_roles::{GroupId, Timestamp};
use redb::backends::FileBackend;
use redb::{
    Builder, Database, ReadTransaction, ReadableDatabase, ReadableTable, StorageBackend, Table,
    TableDefinition, WriteTransaction,
};

use crate::engine::policy::Permitted;
use crate::engine::store::{Fate, Store, Stored};
use crate::engine::wire::RecordId;

pub use error::{DiskError, OpenError, damaged_hint};
pub use rows::Rows;

/// Memory for pages of the store: redb's own default of 1 GiB is more than many a device has, and a screenful of
/// messages is a few pages.
const CACHE_BYTES: usize = 32 * 1024 * 1024;

/// The layout of the tables below; a file with a higher number is refused.
const SCHEMA_VERSION: u64 = 1;

/// Where the schema's version stands in [`META`].
const SCHEMA_KEY: &str = "schema";

/// Group, time, id: records of a group lie in the order in which they are shown.
type RecordKey<'a> = (&'a str, u64, &'a [u8; 32]);

/// When it was received in Unix milliseconds, and the record's bytes as they came.
type RecordValue<'a> = (u64, &'a [u8]);

const RECORDS: TableDefinition<'_, RecordKey<'static>, RecordValue<'static>> =
    TableDefinition::new("records");

/// Group and author, and the author's highest count in that group.
const SEQS: TableDefinition<'_, (&'static str, &'static [u8; 32]), u64> =
    TableDefinition::new("seqs");

const META: TableDefinition<'_, &'static str, u64> = TableDefinition::new("meta");

/// Sorts before every record of the same group and time.
const LOWEST_ID: &[u8; 32] = &[0; 32];

/// The store on disk; clones are handles to the same open file.
#[derive(Clone, Debug)]
pub struct Disk {
    database: Arc<Database>,
}

impl Disk {
    /// Opens the store at `path`, which is made if there is none.
    ///
    /// The whole file is checked against its checksums, and a commit that a crash cut short is rolled back. Whoever
    /// calls holds the lock of the home that the file is in.
    ///
    /// # Errors
    /// [`OpenError`]; what cannot be opened is never replaced.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let failed = |source| OpenError::Io {
            path: path.to_owned(),
            source,
        };
        if !path.try_exists().map_err(failed)? {
            create(path)?;
        }
        let database = builder()
            .open(path)
            .map_err(|error| OpenError::from_redb(path, error))?;
        Self::checked(path, database)
    }

    /// Opens the store that `backend` holds, or makes one if it is empty; errors call it `name`.
    ///
    /// # Errors
    /// [`OpenError`], as with [`Disk::open`].
    pub fn with_backend(name: &Path, backend: impl StorageBackend) -> Result<Self, OpenError> {
        let empty = backend.len().map_err(|source| OpenError::Io {
            path: name.to_owned(),
            source,
        })? == 0;
        let database = builder()
            .create_with_backend(backend)
            .map_err(|error| OpenError::from_redb(name, error))?;
        if empty {
            lay_out(&database).map_err(|error| OpenError::from_disk(name, error))?;
        }
        Self::checked(name, database)
    }

    fn checked(path: &Path, database: Database) -> Result<Self, OpenError> {
        let found = schema(&database).map_err(|error| OpenError::from_disk(path, error))?;
        let path = || path.to_owned();
        match found {
            Some(SCHEMA_VERSION) => Ok(Self {
                database: Arc::new(database),
            }),
            Some(found) if found > SCHEMA_VERSION => Err(OpenError::NewerSchema {
                path: path(),
                found,
                known: SCHEMA_VERSION,
            }),
            Some(found) => Err(OpenError::Damaged {
                path: path(),
                found: format!("schema version {found}, which never was"),
            }),
            None => Err(OpenError::Damaged {
                path: path(),
                found: "a database with no schema version, not a store of muster".to_owned(),
            }),
        }
    }

    /// Returns the records of `group` with `from <= time < to`, oldest first; from the end, newest first.
    ///
    /// They are those that were stored when this was called, whatever is written meanwhile.
    ///
    /// # Errors
    /// [`DiskError`]; so may every item be.
    pub fn rows(
        &self,
        group: &GroupId,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Rows, DiskError> {
        let records = self.database.begin_read()?.open_table(RECORDS)?;
        Ok(Rows::new(records.range(span(group.as_str(), from, to))?))
    }

    fn read(&self) -> Result<ReadTransaction, DiskError> {
        Ok(self.database.begin_read()?)
    }

    fn write(&self) -> Result<WriteTransaction, DiskError> {
        // Durability is redb's default, `Immediate`: a commit that has returned survives power loss.
        Ok(self.database.begin_write()?)
    }
}

impl Store for Disk {
    type Error = DiskError;

    fn append(&mut self, batch: &[Permitted]) -> Result<Vec<Fate>, DiskError> {
        let transaction = self.write()?;
        let fates = {
            let mut records = transaction.open_table(RECORDS)?;
            let mut seqs = transaction.open_table(SEQS)?;
            batch
                .iter()
                .map(|record| {
                    let fate = insert(&mut records, record)?;
                    raise_seq(&mut seqs, record)?;
                    Ok(fate)
                })
                .collect::<Result<Vec<_>, DiskError>>()?
        };
        if fates.contains(&Fate::New) {
            transaction.commit()?;
        } else {
            transaction.abort()?;
        }
        Ok(fates)
    }

    fn remove(
        &mut self,
        group: &GroupId,
        ids: &[(Timestamp, RecordId)],
    ) -> Result<(), DiskError> {
        let transaction = self.write()?;
        {
            let mut records = transaction.open_table(RECORDS)?;
            for (time, id) in ids {
                records.remove((group.as_str(), time.to_u64(), id.as_bytes()))?;
            }
        }
        Ok(transaction.commit()?)
    }

    fn prune(&mut self, before: Timestamp) -> Result<u64, DiskError> {
        let transaction = self.write()?;
        let mut dropped = 0;
        {
            let mut records = transaction.open_table(RECORDS)?;
            for (group, _) in newest_by_group(&records)? {
                records.retain_in(span(&group, Timestamp::ZERO, before), |_, _| {
                    dropped += 1;
                    false
                })?;
            }
        }
        if dropped > 0 {
            transaction.commit()?;
        } else {
            transaction.abort()?;
        }
        Ok(dropped)
    }

    fn scan(
        &self,
        group: &GroupId,
        from: Timestamp,
        to: Timestamp,
        visit: &mut dyn FnMut(Stored) -> ControlFlow<()>,
    ) -> Result<(), DiskError> {
        for stored in self.rows(group, from, to)? {
            if visit(stored?).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn latest(&self, group: &GroupId, count: usize) -> Result<Vec<Stored>, DiskError> {
        let all = self.rows(group, Timestamp::ZERO, Timestamp::from_u64(u64::MAX))?;
        let mut newest = all.rev().take(count).collect::<Result<Vec<_>, _>>()?;
        newest.reverse();
        Ok(newest)
    }

    fn last_seq(&self, group: &GroupId, author: &PublicKey) -> Result<Option<u64>, DiskError> {
        let seqs = self.read()?.open_table(SEQS)?;
        let highest = seqs.get((group.as_str(), author.as_bytes()))?;
        Ok(highest.map(|seq| seq.value()))
    }

    fn newest(&self) -> Result<Timestamp, DiskError> {
        let records = self.read()?.open_table(RECORDS)?;
        let newest = newest_by_group(&records)?;
        let times = newest.into_iter().map(|(_, time)| time);
        Ok(times.max().unwrap_or(Timestamp::ZERO))
    }
}

/// Stores one record unless it is there.
fn insert(
    records: &mut Table<'_, RecordKey<'static>, RecordValue<'static>>,
    record: &Permitted,
) -> Result<Fate, DiskError> {
    let frame = record.frame();
    let header = frame.header();
    let id = frame.id();
    let key = (header.group.as_str(), header.time.to_u64(), id.as_bytes());
    if records.get(key)?.is_some() {
        return Ok(Fate::Known);
    }
    let value: RecordValue<'_> = (record.received_ms(), frame.bytes());
    records.insert(key, value)?;
    Ok(Fate::New)
}

/// Keeps the highest count of a record's author in its group.
fn raise_seq(
    seqs: &mut Table<'_, (&'static str, &'static [u8; 32]), u64>,
    record: &Permitted,
) -> Result<(), DiskError> {
    let header = record.frame().header();
    let key = (header.group.as_str(), header.author.as_bytes());
    let highest = seqs.get(key)?.map(|seq| seq.value());
    if highest.is_none_or(|seq| seq < header.seq) {
        seqs.insert(key, header.seq)?;
    }
    Ok(())
}

/// Returns every group that has records, with the time of its newest, from the last group to the first.
fn newest_by_group(
    records: &impl ReadableTable<RecordKey<'static>, RecordValue<'static>>,
) -> Result<Vec<(String, Timestamp)>, DiskError> {
    let mut found: Vec<(String, Timestamp)> = Vec::new();
    loop {
        // Each step jumps over all the records of a group at once.
        let last = match found.last() {
            None => records.last()?,
            Some((group, _)) => records
                .range::<RecordKey<'_>>(..(group.as_str(), 0, LOWEST_ID))?
                .next_back()
                .transpose()?,
        };
        let Some((key, _)) = last else {
            return Ok(found);
        };
        let (group, time, _) = key.value();
        let group = group.to_owned();
        found.push((group, Timestamp::from_u64(time)));
    }
}

/// Returns the keys of `group` with `from <= time < to`.
fn span(group: &str, from: Timestamp, to: Timestamp) -> Range<RecordKey<'_>> {
    // redb is not asked for a range that ends before it begins.
    let to = to.max(from);
    (group, from.to_u64(), LOWEST_ID)..(group, to.to_u64(), LOWEST_ID)
}

fn builder() -> Builder {
    let mut builder = Database::builder();
    builder
        .set_cache_size(CACHE_BYTES)
        // Without it redb trusts a file that was closed cleanly, and may panic where a disk has damaged it since.
        .set_check_integrity_on_open(true);
    builder
}

/// Makes a store that appears at `path` whole or not at all, so that an empty or half-made file there is damage.
fn create(path: &Path) -> Result<(), OpenError> {
    let fresh = fresh_path(path);
    let failed = |source| OpenError::Io {
        path: path.to_owned(),
        source,
    };
    remove_if_there(&fresh).map_err(failed)?;
    let file = new_private_file(&fresh).map_err(failed)?;
    let made = FileBackend::new(file)
        .and_then(|backend| builder().create_with_backend(backend))
        .map_err(|error| OpenError::from_redb(path, error))
        .and_then(|database| {
            lay_out(&database).map_err(|error| OpenError::from_disk(path, error))?;
            database
                .close()
                .map_err(|error| OpenError::from_redb(path, error))
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
    transaction.open_table(SEQS)?;
    transaction
        .open_table(META)?
        .insert(SCHEMA_KEY, SCHEMA_VERSION)?;
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
        transaction.open_table(SEQS)?;
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
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    // Only unix lets a folder be opened like a file; elsewhere the name is the file system's care.
    if cfg!(unix) {
        File::open(parent.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;

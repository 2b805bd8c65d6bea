//! Carrying records and roster documents on a stick: into a bundle and out of it.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::path::Path;

use muster_roles::{GroupId, Roster, Timestamp, UnitId};

use crate::disk::{Disk, DiskError, END_OF_TIME};
use crate::engine::bundle::{BundleReader, BundleWriter, Counts, Found, Judge, Kind, Refused};
use crate::engine::policy::Permitted;
use crate::engine::store::{Fate, Store};
use crate::engine::time::{Clock, UnixMillis};
use crate::export::ExportError;
use crate::new_file::{FileError, NewFile};

/// Records that are stored in one commit.
const COMMIT_RECORDS: usize = 1024;

/// Writes every document of the roster, and every stored record since a time whether readable or not, to a file.
///
/// The file is its owner's alone, and there whole or not at all; memory does not grow with its length.
///
/// # Errors
/// [`ExportError`]; nothing is left behind then, and what was there is untouched.
pub fn export(
    disk: &Disk,
    roster: &Roster,
    since: Timestamp,
    path: &Path,
    overwrite: bool,
) -> Result<Counts, ExportError> {
    let groups: Vec<GroupId> = roster.groups().cloned().collect();
    export_groups(disk, roster, &groups, since, path, overwrite)
}

/// Does the same with the records of some groups only.
///
/// # Errors
/// As [`export`].
pub fn export_groups(
    disk: &Disk,
    roster: &Roster,
    groups: &[GroupId],
    since: Timestamp,
    path: &Path,
    overwrite: bool,
) -> Result<Counts, ExportError> {
    let mut file = NewFile::create(path, overwrite)?;
    let counts = write(disk, roster, groups, since, &mut file).map_err(|error| match error {
        ExportError::Write(source) => FileError::at(path, source).into(),
        other => other,
    })?;
    file.keep()?;
    Ok(counts)
}

fn write(
    disk: &Disk,
    roster: &Roster,
    groups: &[GroupId],
    since: Timestamp,
    out: &mut impl Write,
) -> Result<Counts, ExportError> {
    let mut bundle = BundleWriter::new(out, roster.unit()).map_err(ExportError::Write)?;
    for (_, document) in roster.documents() {
        bundle.document(document).map_err(ExportError::Write)?;
    }
    for group in groups {
        for stored in disk.rows(group, since, END_OF_TIME)? {
            bundle.record(stored?.frame().bytes()).map_err(ExportError::Write)?;
        }
    }
    bundle.finish().map_err(ExportError::Write)
}

/// Why a bundle could not be imported, or no further.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// It is another unit's.
    #[error("the bundle is of another unit: {}", found.words())]
    OtherUnit {
        /// Whose it is.
        found: UnitId,
    },
    /// The file could not be read to its end.
    #[error("the bundle cannot be read")]
    Read(#[source] io::Error),
    /// The store took no more.
    #[error("the store failed")]
    Store(#[from] DiskError),
    /// The roster that came in the bundle could not be kept.
    #[error("the roster cannot be written")]
    Roster(#[source] io::Error),
}

/// What became of documents, or of records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// They were not here and are now.
    pub new: u64,
    /// They were here, or tell nothing that is not.
    pub known: u64,
    /// They were not taken.
    pub refused: u64,
}

impl Tally {
    fn total(self) -> u64 {
        self.new + self.known + self.refused
    }
}

/// What became of everything in a bundle.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The roster documents.
    pub documents: Tally,
    /// The records.
    pub records: Tally,
    /// Why so many were refused.
    pub reasons: BTreeMap<Refused, u64>,
    /// Bytes between items, or behind the end, that are nothing.
    pub unreadable_bytes: u64,
    /// Whether the end is there; without it nobody knows what else was.
    pub ended: bool,
}

impl Report {
    /// Tells whether everything that was written into the bundle was found in it, and was good.
    ///
    /// What has only become too old since was good.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.ended && self.unreadable_bytes == 0 && self.reasons.keys().all(|reason| *reason == Refused::TooOld)
    }

    fn count(&mut self, kind: Kind, outcome: Result<Fate, Refused>) {
        let tally = match kind {
            Kind::Document => &mut self.documents,
            Kind::Record => &mut self.records,
            Kind::End => return,
        };
        match outcome {
            Ok(Fate::New) => tally.new += 1,
            Ok(Fate::Known) => tally.known += 1,
            Err(reason) => {
                tally.refused += 1;
                *self.reasons.entry(reason).or_default() += 1;
            }
        }
    }

    /// Counts as damaged what was written and has not been found.
    fn end(&mut self, written: Counts) {
        self.ended = true;
        for (tally, written) in [(&mut self.documents, written.documents), (&mut self.records, written.records)] {
            let lost = written.saturating_sub(tally.total());
            tally.refused = tally.refused.saturating_add(lost);
            if lost > 0 {
                let damaged = self.reasons.entry(Refused::Damaged).or_default();
                *damaged = damaged.saturating_add(lost);
            }
        }
    }
}

/// A home that a bundle is imported into.
pub struct Importer<'a> {
    /// Its store.
    pub disk: &'a mut Disk,
    /// Its roster.
    pub roster: Roster,
    /// Keeps the roster that the bundle's documents make.
    pub keep_roster: &'a mut dyn FnMut(&Roster) -> io::Result<()>,
    /// The wall clock.
    pub now: UnixMillis,
}

impl Importer<'_> {
    /// Takes in what is good of a bundle: its documents, then its records; what was there is as good as before.
    ///
    /// # Errors
    /// [`ImportError`]; what was taken in before stays.
    pub fn import<R: Read>(self, bundle: BundleReader<R>) -> Result<Report, ImportError> {
        let Self { disk, roster, keep_roster, now } = self;
        if bundle.unit() != roster.unit() {
            return Err(ImportError::OtherUnit { found: bundle.unit() });
        }
        let present = Clock::new(roster.issued().max(disk.newest()?)).present(now);
        let judge = Judge::new(roster, present, now);
        let mut import = Import {
            disk,
            judge,
            keep_roster,
            unkept: false,
            records_began: false,
            batch: Vec::new(),
            report: Report::default(),
        };
        for found in bundle {
            import.take(found.map_err(ImportError::Read)?)?;
        }
        import.keep()?;
        import.store()?;
        Ok(import.report)
    }
}

/// An import under way.
struct Import<'a> {
    disk: &'a mut Disk,
    judge: Judge,
    keep_roster: &'a mut dyn FnMut(&Roster) -> io::Result<()>,
    /// The roster has changed since it was kept.
    unkept: bool,
    records_began: bool,
    batch: Vec<Permitted>,
    report: Report,
}

impl Import<'_> {
    fn take(&mut self, found: Found) -> Result<(), ImportError> {
        match found {
            Found::Document(bytes) => {
                let outcome = self.document(&bytes);
                self.report.count(Kind::Document, outcome);
            }
            Found::Record(bytes) => {
                self.records_began = true;
                self.keep()?;
                match self.judge.record(&bytes) {
                    Ok(record) => self.batch.push(record),
                    Err(reason) => self.report.count(Kind::Record, Err(reason)),
                }
                if self.batch.len() >= COMMIT_RECORDS {
                    self.store()?;
                }
            }
            Found::Damaged(kind) => self.report.count(kind, Err(Refused::Damaged)),
            Found::Unreadable { len, .. } => self.report.unreadable_bytes += len,
            Found::End(counts) => {
                self.store()?;
                self.report.end(counts);
            }
        }
        Ok(())
    }

    fn document(&mut self, bytes: &[u8]) -> Result<Fate, Refused> {
        if self.records_began {
            return Err(Refused::OutOfPlace);
        }
        let changed = self.judge.document(bytes)?;
        self.unkept |= changed;
        Ok(if changed { Fate::New } else { Fate::Known })
    }

    /// Keeps a roster that has changed, and takes out of the store what it forbids.
    fn keep(&mut self) -> Result<(), ImportError> {
        if std::mem::take(&mut self.unkept) {
            (self.keep_roster)(&self.judge.roster).map_err(ImportError::Roster)?;
            self.disk.rejudge(&self.judge.roster)?;
        }
        Ok(())
    }

    fn store(&mut self) -> Result<(), ImportError> {
        let batch = std::mem::take(&mut self.batch);
        if batch.is_empty() {
            return Ok(());
        }
        for fate in self.disk.append(&batch)? {
            self.report.count(Kind::Record, Ok(fate));
        }
        Ok(())
    }
}

//! Writing stored messages out, for people and for other programs.

mod error;
mod format;
mod groups;
mod merge;
mod parts;

use std::io::Write;
use std::path::{Path, PathBuf};

use jiff::Zoned;
use jiff::tz::TimeZone;
use muster_roles::{GroupId, Timestamp};

use crate::disk::Disk;
use crate::engine::view::Reader;
use crate::new_file::{FileError, NewFile};

use self::format::Lines;
use self::merge::Merged;
use self::parts::Part;

pub use crate::control::Format;
pub use error::{ExportError, GroupError};
pub use groups::readable;

/// Exports of one group on one day that get a name of their own; a person who wants more gives the name.
pub(crate) const MAX_NUMBER: u32 = 99;

/// What to write out, and how.
#[derive(Clone, Debug)]
pub struct Export<'a> {
    /// Where the records are.
    pub disk: &'a Disk,
    /// Turns them into messages for this member.
    pub reader: Reader<'a>,
    /// The groups, whose messages are put in one order of time.
    pub groups: Vec<GroupId>,
    /// The oldest time to write out.
    pub since: Timestamp,
    /// What a message looks like.
    pub format: Format,
    /// The zone of the times in [`Format::Text`].
    pub zone: TimeZone,
}

/// How many messages there were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Messages written.
    pub written: u64,
    /// Records left out because this member may not, or cannot, read them.
    pub unreadable: u64,
}

/// Lines of records that stand one after the other.
#[derive(Default)]
struct Opened {
    text: Vec<u8>,
    written: u64,
    unreadable: u64,
}

impl Export<'_> {
    /// Writes the messages to `out`, oldest first; memory does not grow with their number.
    ///
    /// # Errors
    /// [`ExportError::Read`] or [`ExportError::Write`], after part of them may have been written.
    pub fn write_to(&self, out: &mut impl Write) -> Result<Tally, ExportError> {
        let lines = Lines { format: self.format, zone: &self.zone, with_group: self.groups.len() > 1 };
        let mut tally = Tally::default();
        lines.head(out).map_err(ExportError::Write)?;
        let records = Merged::new(self.disk, &self.groups, self.since)?;
        parts::for_each(
            records,
            |part| self.open(part, &lines),
            |opened| {
                let Opened { text, written, unreadable } = opened?;
                tally.written += written;
                tally.unreadable += unreadable;
                out.write_all(&text).map_err(ExportError::Write)
            },
        )?;
        out.flush().map_err(ExportError::Write)?;
        Ok(tally)
    }

    /// Makes lines of records.
    fn open(&self, part: &Part, lines: &Lines<'_>) -> Result<Opened, ExportError> {
        let mut opened = Opened::default();
        for (which, raw) in part {
            let Some(group) = self.groups.get(*which) else { continue };
            match self.reader.row(&raw.read(group.as_str())?) {
                Ok(row) => {
                    lines.line(&mut opened.text, &row).map_err(ExportError::Write)?;
                    opened.written += 1;
                }
                Err(reason) => {
                    tracing::debug!(%reason, "record left out of an export");
                    opened.unreadable += 1;
                }
            }
        }
        Ok(opened)
    }

    /// Writes the messages to a file that only its owner may read, and which is there whole or not at all.
    ///
    /// # Errors
    /// [`ExportError`]; nothing is left behind then, and what was there is untouched.
    pub fn save(&self, path: &Path, overwrite: bool) -> Result<Tally, ExportError> {
        let mut file = NewFile::create(path, overwrite)?;
        let tally = self.write_to(&mut file).map_err(|error| match error {
            ExportError::Write(source) => FileError::at(path, source).into(),
            other => other,
        })?;
        file.keep()?;
        Ok(tally)
    }

    /// Writes the messages to a new file in the first of `folders` that takes it, under the default name or, where
    /// that is taken, with a number added.
    ///
    /// # Errors
    /// [`ExportError`], of the last folder.
    pub fn save_in(&self, folders: &[PathBuf], today: &Zoned) -> Result<(PathBuf, Tally), ExportError> {
        let mut result = Err(ExportError::NoFolder);
        for folder in folders {
            result = self.save_numbered(folder, today);
            if !matches!(result, Err(ExportError::File(FileError::Write { .. }))) {
                break;
            }
        }
        result
    }

    fn save_numbered(&self, folder: &Path, today: &Zoned) -> Result<(PathBuf, Tally), ExportError> {
        let mut number = 1;
        loop {
            let path = folder.join(self.file_name(today, number));
            match self.save(&path, false) {
                Err(ExportError::File(FileError::Exists { .. })) if number < MAX_NUMBER => number += 1,
                other => return other.map(|tally| (path, tally)),
            }
        }
    }

    /// Returns the name of a file that nobody has named, as [`save_as`] does.
    #[must_use]
    pub fn file_name(&self, today: &Zoned, number: u32) -> String {
        save_as(&self.groups, self.format, today, number)
    }
}

/// Returns the name of a file that nobody has named: `muster-army-2026-11-22.txt`, with a number from the second on.
#[must_use]
pub fn save_as(groups: &[GroupId], format: Format, today: &Zoned, number: u32) -> String {
    let group = match groups {
        [group] => group.as_str(),
        _ => "all",
    };
    let number = if number > 1 { format!("-{number}") } else { String::new() };
    format!("muster-{group}-{}{number}.{}", today.date(), format.extension())
}

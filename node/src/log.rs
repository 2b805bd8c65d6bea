//! The node's log: a bounded file in the home folder, or standard error where nobody sits.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::writer::BoxMakeWriter;

use crate::error::CommandError;

/// The log file's length at which it is set aside as `muster.log.1`: weeks of a quiet node, and two
/// such files are all that a small device has to hold.
const MAX_LOG_LEN: u64 = 8 * 1024 * 1024;

/// Where the log goes.
#[derive(Clone, Copy, Debug)]
pub enum LogTo<'a> {
    /// To this file, which is its owner's alone and bounded.
    File(&'a Path),
    /// To standard error, for a service manager to keep.
    Stderr,
}

/// Starts logging; `filter` is a level such as `info`, or directives such as `info,muster=debug`.
///
/// # Errors
/// When the filter is not one, the file cannot be opened, or logging was started before.
pub fn init(to: LogTo<'_>, filter: &str) -> Result<(), CommandError> {
    let filter = EnvFilter::try_new(filter).map_err(|error| {
        CommandError::usage(format!("`{filter}` is not a log filter"))
            .because(&error)
            .with_hint("MUSTER_LOG takes error, warn, info, debug or trace".to_owned())
    })?;
    let (writer, colour) = match to {
        LogTo::File(path) => (BoxMakeWriter::new(Mutex::new(open(path)?)), false),
        LogTo::Stderr => (BoxMakeWriter::new(io::stderr), io::IsTerminal::is_terminal(&io::stderr())),
    };
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer)
        .with_ansi(colour)
        .try_init()
        .map_err(|error| CommandError::failed("the log could not be started").because(&*error))
}

/// Why a text is no log filter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected error, warn, info, debug or trace, or directives such as info,muster=debug")]
pub struct FilterError;

/// Takes a log filter for one if it is: a level, or directives such as `info,muster=debug`.
///
/// # Errors
/// When it is none. A bare word that is no level is none either: the filter's own grammar would take a mistyped level
/// for the name of a module, and log nothing else.
pub fn check_filter(text: &str) -> Result<String, FilterError> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    let is_sound = |part: &str| part.contains(['=', '[']) || LEVELS.contains(&part.to_ascii_lowercase().as_str());
    if text.split(',').all(is_sound) && EnvFilter::try_new(text).is_ok() {
        Ok(text.to_owned())
    } else {
        Err(FilterError)
    }
}

fn open(path: &Path) -> Result<LogFile, CommandError> {
    LogFile::open(path, MAX_LOG_LEN)
        .map_err(|error| CommandError::failed(format!("cannot write the log {}", path.display())).because(&error))
}

/// A file that is set aside when it has grown to its bound, in place of the one set aside before.
struct LogFile {
    path: PathBuf,
    file: File,
    len: u64,
    max_len: u64,
}

impl LogFile {
    fn open(path: &Path, max_len: u64) -> io::Result<Self> {
        let file = append_to(path)?;
        let len = file.metadata()?.len();
        let mut log = Self { path: path.to_owned(), file, len, max_len };
        log.set_aside_if_full()?;
        Ok(log)
    }

    fn set_aside_if_full(&mut self) -> io::Result<()> {
        if self.len < self.max_len {
            return Ok(());
        }
        let mut aside = self.path.clone().into_os_string();
        aside.push(".1");
        fs::rename(&self.path, aside)?;
        self.file = append_to(&self.path)?;
        self.len = 0;
        Ok(())
    }
}

impl Write for LogFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.set_aside_if_full()?;
        let written = self.file.write(bytes)?;
        self.len += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn append_to(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_appended_to_across_starts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("muster.log");
        LogFile::open(&path, 100).unwrap().write_all(b"one\n").unwrap();
        LogFile::open(&path, 100).unwrap().write_all(b"two\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\ntwo\n");
    }

    #[test]
    fn a_full_log_is_set_aside_at_start_and_while_running() {
        let folder = tempfile::tempdir().unwrap();
        let (path, aside) = (folder.path().join("muster.log"), folder.path().join("muster.log.1"));
        fs::write(&path, b"12345678").unwrap();
        let mut log = LogFile::open(&path, 8).unwrap();
        assert_eq!(fs::read(&aside).unwrap(), b"12345678");
        log.write_all(b"abcdefgh").unwrap();
        log.write_all(b"ij").unwrap();
        assert_eq!(fs::read(&aside).unwrap(), b"abcdefgh");
        assert_eq!(fs::read(&path).unwrap(), b"ij");
    }

    #[cfg(unix)]
    #[test]
    fn a_log_is_its_owners_alone() {
        use std::os::unix::fs::MetadataExt;

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("muster.log");
        drop(LogFile::open(&path, 8).unwrap());
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn levels_and_directives_are_filters_and_a_mistyped_level_is_none() {
        for text in ["info", "DEBUG", "warn,muster=debug", "off", "info,libp2p=warn"] {
            assert_eq!(check_filter(text).as_deref(), Ok(text));
        }
        for text in ["", "loudly", "muster=loudly", "info,verbose", "info,"] {
            assert_eq!(check_filter(text), Err(FilterError), "{text:?}");
        }
    }

    #[test]
    fn a_filter_that_is_none_is_a_usage_error() {
        let error = init(LogTo::Stderr, "muster=loudly").unwrap_err();
        assert_eq!(error.kind(), crate::error::Kind::Usage);
    }
}

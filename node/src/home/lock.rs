//! The lock that keeps two processes off one home.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::Path;

use super::owner;
use crate::error::CommandError;

/// The longest process id that is read from a lock file.
const MAX_PID_LEN: u64 = 20;

/// Held while this process may change the home; given back when dropped, and by the system when the process dies.
#[derive(Debug)]
pub struct NodeLock {
    _file: File,
}

impl NodeLock {
    /// Takes the lock, without waiting for who holds it.
    pub(super) fn take(path: &Path) -> Result<Self, CommandError> {
        let failed = |error: io::Error| {
            path.parent()
                .and_then(|home| owner::refusal(home, &error))
                .unwrap_or_else(|| CommandError::failed(format!("cannot lock {}", path.display())).because(&error))
        };
        let mut file = open(path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(held(&mut file)),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        // The lock is what counts; the id is for whoever is refused.
        write_pid(&mut file).map_err(failed)?;
        Ok(Self { _file: file })
    }
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn write_pid(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

/// The refusal, naming the holder where it has written its id.
fn held(file: &mut File) -> CommandError {
    let mut text = String::new();
    let read = file.take(MAX_PID_LEN).read_to_string(&mut text);
    let message = match read.ok().and_then(|_| text.trim().parse::<u32>().ok()) {
        // Containers count their processes each for itself: the holder cannot be this very process.
        Some(1) if std::process::id() == 1 => "already running (pid 1 of another container)".to_owned(),
        Some(pid) => format!("already running (pid {pid})"),
        None => "already running".to_owned(),
    };
    CommandError::store(message)
        .with_hint("leave the running node first (`logmeout` in its chat), or use another home with --home".to_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::error::Kind;

    #[test]
    fn a_second_taker_is_refused_until_the_first_lets_go() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("muster.lock");
        let first = NodeLock::take(&path).unwrap();
        let refused = NodeLock::take(&path).unwrap_err();
        assert_eq!(refused.kind(), Kind::Store);
        let report = refused.to_string();
        let expected = format!("error: already running (pid {})\nhint: ", std::process::id());
        assert!(report.starts_with(&expected), "{report}");
        drop(first);
        drop(NodeLock::take(&path).unwrap());
    }

    #[test]
    fn what_an_earlier_holder_left_in_the_file_does_not_matter() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("muster.lock");
        std::fs::write(&path, "99999999999999999999 and more").unwrap();
        let _held = NodeLock::take(&path).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{}\n", std::process::id()));
    }
}

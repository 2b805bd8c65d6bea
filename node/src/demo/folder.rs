//! The folder in which the demo's homes lie, and which goes with them.

use std::fs;
use std::io;
use std::panic;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::CommandError;

/// How long removing may be tried again, where a process that was just killed still has its last file written.
const REMOVAL_LIMIT: Duration = Duration::from_secs(1);

/// The pause between two tries.
const REMOVAL_PAUSE: Duration = Duration::from_millis(50);

/// A new folder for this user alone, removed when dropped unless it is to be kept.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    keep: bool,
}

impl Folder {
    /// Makes the folder among the system's temporary ones.
    pub(super) fn create(keep: bool) -> Result<Self, CommandError> {
        let number = u32::from_le_bytes(muster_keys::random_bytes()?);
        let path = std::env::temp_dir().join(format!("muster-demo-{number:08x}"));
        let mut builder = fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder
            .create(&path)
            .map_err(|error| CommandError::failed(format!("cannot make {}", path.display())).because(&error))?;
        if !keep {
            remove_on_panic(path.clone());
        }
        Ok(Self { path, keep })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.keep {
            return;
        }
        let deadline = Instant::now() + REMOVAL_LIMIT;
        while let Err(error) = fs::remove_dir_all(&self.path) {
            if error.kind() == io::ErrorKind::NotFound || Instant::now() >= deadline {
                return;
            }
            thread::sleep(REMOVAL_PAUSE);
        }
    }
}

/// Where a panic ends the process at once, nothing is dropped; the nodes end by themselves then, with their input.
fn remove_on_panic(path: PathBuf) {
    let report = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        report(info);
        let _left_behind = fs::remove_dir_all(&path);
    }));
}

//! Destroying what a home holds.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use super::{Home, NodeLock};
use crate::error::CommandError;

/// How much is overwritten at a time, in bytes.
const BLOCK_LEN: usize = 64 * 1024;

/// What the names of a home's files begin with, in the order in which they go; a file being written, or set aside, has
/// more behind it. Role keys go before all of these.
const NAMES: [&str; 7] =
    ["roster.cbor", "peers.cbor", "muster.toml", "muster.log", "control.sock", "muster.redb", "muster.lock"];

/// What is left of a home that was wiped.
#[derive(Debug)]
pub struct Wiped {
    /// The names in the folder that are not of a home, which stay as they are.
    pub left: Vec<OsString>,
}

impl Home {
    /// Checks that this is the folder of a home, so that no other one is ever emptied.
    ///
    /// # Errors
    /// When there is no such folder, or neither a role key, nor a roster, nor a store in it.
    pub fn check_can_be_wiped(&self) -> Result<(), CommandError> {
        let dir = self.dir();
        let is_folder = fs::symlink_metadata(dir).is_ok_and(|found| found.is_dir());
        let marks = [self.role_key_path(), self.roster_path(), self.database_path()];
        if is_folder && marks.iter().any(|mark| fs::symlink_metadata(mark).is_ok()) {
            return Ok(());
        }
        Err(CommandError::failed(format!("{} is not the home of a member", dir.display()))
            .with_hint("name the home to wipe with --home DIR".to_owned()))
    }

    /// Destroys all that a home holds, the role keys first: overwritten, so far as the file system writes in place,
    /// and removed.
    ///
    /// What cannot be removed does not keep the rest from going. The folder goes too, unless something lies in it that is
    /// not of a home.
    ///
    /// # Errors
    /// When this is no home, or something in it could not be destroyed.
    pub fn wipe(&self, lock: NodeLock) -> Result<Wiped, CommandError> {
        self.check_can_be_wiped()?;
        let dir = self.dir();
        let failed = |name: &OsStr, error: &io::Error| {
            CommandError::failed(format!("{} could not be destroyed", dir.join(name).display())).because(error)
        };
        let names = list(dir).map_err(|error| failed(OsStr::new(""), &error))?;
        let mut order: Vec<(usize, OsString)> =
            names.iter().filter_map(|name| Some((rank(name)?, name.clone()))).collect();
        order.sort();
        let (mut first_failure, mut keys_synced) = (None, false);
        for (rank, name) in order {
            // The keys are gone for good before anything else takes its time.
            if rank > 0 && !keys_synced {
                keys_synced = true;
                drop(sync_folder(dir));
            }
            if let Err(error) = destroy(&dir.join(&name)) {
                first_failure.get_or_insert_with(|| failed(&name, &error));
            }
        }
        drop(sync_folder(dir));
        drop(lock);
        if let Some(failure) = first_failure {
            return Err(failure);
        }
        let left = list(dir).map_err(|error| failed(OsStr::new(""), &error))?;
        if left.is_empty() {
            fs::remove_dir(dir).map_err(|error| failed(OsStr::new(""), &error))?;
            dir.parent().map(sync_folder).transpose().map_err(|error| failed(OsStr::new(""), &error))?;
        }
        Ok(Wiped { left })
    }
}

/// When a file of a home goes; none for what is not of a home.
fn rank(name: &OsStr) -> Option<usize> {
    let text = name.to_string_lossy();
    // A file that was being written has a dot before its name.
    let text = text.strip_prefix('.').unwrap_or(&text);
    if text.ends_with(".key") || text.starts_with("role.key") {
        return Some(0);
    }
    NAMES.iter().position(|known| text.starts_with(known)).map(|place| place + 1)
}

fn list(dir: &Path) -> io::Result<Vec<OsString>> {
    let mut names =
        fs::read_dir(dir)?.map(|entry| entry.map(|entry| entry.file_name())).collect::<Result<Vec<_>, _>>()?;
    names.sort();
    Ok(names)
}

/// Overwrites a file and removes its name; of a link or a socket there is only the name.
fn destroy(path: &Path) -> io::Result<()> {
    let found = fs::symlink_metadata(path)?;
    if found.is_dir() {
        for name in list(path)? {
            destroy(&path.join(name))?;
        }
        return fs::remove_dir(path);
    }
    // A file that cannot be written to can be removed all the same.
    let overwritten = if found.is_file() { overwrite(path, found.len()) } else { Ok(()) };
    fs::remove_file(path)?;
    overwritten
}

fn overwrite(path: &Path, len: u64) -> io::Result<()> {
    let mut file = File::options().write(true).open(path)?;
    let noise: [u8; 32] = muster_keys::random_bytes().map_err(io::Error::other)?;
    let block: Vec<u8> = noise.into_iter().cycle().take(BLOCK_LEN).collect();
    let mut left = len;
    while left > 0 {
        let take = usize::try_from(left).unwrap_or(BLOCK_LEN).min(BLOCK_LEN);
        file.write_all(block.get(..take).unwrap_or(&block))?;
        left = left.saturating_sub(u64::try_from(take).unwrap_or(left));
    }
    file.sync_all()
}

/// Waits until the folder's list of names is on the disk.
fn sync_folder(dir: &Path) -> io::Result<()> {
    // Only unix lets a folder be opened like a file; elsewhere the name is the file system's care.
    let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
    if cfg!(unix) { File::open(dir)?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn home_with(files: &[&str]) -> (tempfile::TempDir, Home) {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::new(folder.path().join("home"));
        home.create().unwrap();
        for file in files {
            fs::write(home.dir().join(file), vec![0xab; 100_000]).unwrap();
        }
        (folder, home)
    }

    #[test]
    fn everything_of_a_home_goes_with_its_folder() {
        let files = [
            "role.key",
            "Army1.key",
            "roster.cbor",
            "roster.cbor.new",
            "muster.redb",
            "peers.cbor",
            "muster.toml",
            "muster.log",
            "muster.log.1",
            ".roster.cbor.0123",
        ];
        let (_folder, home) = home_with(&files);
        let lock = home.lock().unwrap();
        assert!(home.wipe(lock).unwrap().left.is_empty());
        assert!(!home.dir().exists());
    }

    #[test]
    fn what_is_not_of_a_home_stays() {
        let (_folder, home) = home_with(&["role.key", "notes.txt", "id_ed25519"]);
        let wiped = home.wipe(home.lock().unwrap()).unwrap();
        assert_eq!(wiped.left, ["id_ed25519", "notes.txt"]);
        assert_eq!(fs::read(home.dir().join("notes.txt")).unwrap().len(), 100_000);
        assert!(!home.role_key_path().exists());
    }

    #[test]
    fn a_folder_that_is_no_home_is_refused() {
        let (folder, home) = home_with(&["notes.txt", "muster.log"]);
        assert!(home.check_can_be_wiped().is_err());
        assert!(home.wipe(home.lock().unwrap()).is_err());
        assert!(home.dir().join("muster.log").exists());
        assert!(Home::new(folder.path().join("nowhere")).check_can_be_wiped().is_err());
    }

    #[test]
    fn a_home_that_was_half_wiped_can_be_wiped() {
        for left in ["roster.cbor", "muster.redb"] {
            let (_folder, home) = home_with(&[left]);
            drop(home.wipe(home.lock().unwrap()).unwrap());
            assert!(!home.dir().exists(), "{left}");
        }
    }

    #[test]
    fn keys_go_first_and_the_store_near_the_end() {
        let order = ["Army1.key", "roster.cbor", "muster.toml", "muster.redb", "muster.lock"];
        let ranks: Vec<_> = order.iter().map(|name| rank(OsStr::new(name)).unwrap()).collect();
        assert!(ranks.is_sorted(), "{ranks:?}");
        assert_eq!(rank(OsStr::new("keynote")), None);
    }

    #[cfg(unix)]
    #[test]
    fn what_is_removed_was_overwritten_before_and_a_link_s_target_stays() {
        let (folder, home) = home_with(&["roster.cbor"]);
        let elsewhere = folder.path().join("elsewhere");
        fs::write(&elsewhere, b"kept").unwrap();
        std::os::unix::fs::symlink(&elsewhere, home.role_key_path()).unwrap();
        // A second name shows what became of the bytes.
        let second_name = folder.path().join("second");
        fs::hard_link(home.roster_path(), &second_name).unwrap();
        drop(home.wipe(home.lock().unwrap()).unwrap());
        let bytes = fs::read(&second_name).unwrap();
        assert_eq!(bytes.len(), 100_000);
        assert!(!bytes.windows(8).any(|bytes| bytes == [0xab; 8]));
        assert_eq!(fs::read(&elsewhere).unwrap(), b"kept");
        assert!(!home.dir().exists());
    }
}

//! A node's home folder: what lies in it, and how it is opened.

mod key;
mod lock;
mod owner;
mod peers;
pub(crate) mod terminal;
mod wipe;

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use muster_keys::{Identity, PublicKey};
use muster_roles::{Member, Roster, Timestamp};

pub(crate) use self::key::HEADING;
pub use self::key::KeyChoice;
pub use self::lock::NodeLock;
pub use self::wipe::Wiped;
use crate::error::CommandError;

/// The longest roster file that is read: a week's documents of a unit of thousands stay well below.
const MAX_ROSTER_LEN: u64 = 64 * 1024 * 1024;

/// The folder in which one member's node keeps everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    dir: PathBuf,
}

/// Whether opening a home keeps other processes off it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Locking {
    /// Take the lock, and refuse if another process has it.
    Take,
    /// Only look.
    Leave,
}

/// An opened home: who sits here, and in which unit.
#[derive(Debug)]
pub struct Opened {
    /// The role key, unlocked.
    pub identity: Identity,
    /// The unit's roster.
    pub roster: Roster,
    /// The member whose key it is.
    pub member: Member,
    /// Keeps other processes off the home, if asked for; hold it for as long as the home is in use.
    pub lock: Option<NodeLock>,
}

impl Home {
    /// The home in this folder, which need not exist yet.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// The folder itself.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where the member's role key lies.
    #[must_use]
    pub fn role_key_path(&self) -> PathBuf {
        self.dir.join("role.key")
    }

    /// Where the roster lies.
    #[must_use]
    pub fn roster_path(&self) -> PathBuf {
        self.dir.join("roster.cbor")
    }

    /// Where the store lies.
    #[must_use]
    pub fn database_path(&self) -> PathBuf {
        self.dir.join("muster.redb")
    }

    /// Where the log goes.
    #[must_use]
    pub fn log_path(&self) -> PathBuf {
        self.dir.join("muster.log")
    }

    /// Where is kept where members could be reached last.
    #[must_use]
    pub fn peers_path(&self) -> PathBuf {
        self.dir.join("peers.cbor")
    }

    /// Where the member's settings lie, if there are any.
    #[must_use]
    pub fn config_path(&self) -> PathBuf {
        self.dir.join("muster.toml")
    }

    /// Where a running node's control socket lies.
    #[must_use]
    pub fn socket_path(&self) -> PathBuf {
        self.dir.join("control.sock")
    }

    fn lock_path(&self) -> PathBuf {
        self.dir.join("muster.lock")
    }

    /// Makes the folder, for its owner alone, with the folders above it; one that exists is left as it is.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn create(&self) -> Result<(), CommandError> {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&self.dir).map_err(|error| {
            CommandError::failed(format!("cannot make the folder {}", self.dir.display())).because(&error)
        })
    }

    /// Whether a unit's roster lies here.
    #[must_use]
    pub fn has_unit(&self) -> bool {
        self.roster_path().exists()
    }

    /// Whether a role key and a unit's roster lie here, which is all that a node needs.
    ///
    /// # Errors
    /// When the system does not let this user look.
    pub fn is_whole(&self) -> Result<bool, CommandError> {
        let there = |path: PathBuf| path.try_exists().map_err(|error| self.unreadable(&path, &error));
        Ok(there(self.role_key_path())? && there(self.roster_path())?)
    }

    /// Takes the home's lock, without waiting.
    ///
    /// # Errors
    /// When another process has it, naming that, or the lock file cannot be written.
    pub fn lock(&self) -> Result<NodeLock, CommandError> {
        NodeLock::take(&self.lock_path())
    }

    /// Reads the roster and checks every document in it.
    ///
    /// # Errors
    /// When there is none, or it is damaged or not rightly signed.
    pub fn read_roster(&self, now: Timestamp) -> Result<Roster, CommandError> {
        let path = self.roster_path();
        let refused = |error: &dyn std::error::Error| {
            CommandError::store(format!("{} is refused", path.display())).because(error).with_hint(
                "move it aside and put the roster.cbor of another member of the unit in its place".to_owned(),
            )
        };
        match read_bounded(&path, MAX_ROSTER_LEN) {
            Ok(bytes) => Roster::decode(&bytes, now).map_err(|error| refused(&error)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(self.no_unit()),
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => Err(refused(&error)),
            Err(error) => Err(self.unreadable(&path, &error)),
        }
    }

    /// Keeps a roster in place of the one before; a crash leaves one of the two, whole.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_roster(&self, roster: &Roster) -> io::Result<()> {
        replace_file(&self.roster_path(), &roster.encode())
    }

    /// Takes in documents just signed here, and keeps the roster they make.
    ///
    /// # Errors
    /// When the roster refuses one, or cannot be written.
    pub fn adopt(&self, roster: &mut Roster, documents: &[Vec<u8>], now: Timestamp) -> Result<(), CommandError> {
        for document in documents {
            roster.accept(document, now).map_err(|error| {
                CommandError::failed("the roster does not take what was just signed").because(&error)
            })?;
        }
        self.write_roster(roster).map_err(|error| {
            CommandError::failed(format!("cannot write {}", self.roster_path().display())).because(&error)
        })
    }

    /// The role key that lies here, unlocked; `None` if there is none and none was named.
    ///
    /// # Errors
    /// When there is one that cannot be used.
    pub fn role_key(&self, choice: &KeyChoice) -> Result<Option<Identity>, CommandError> {
        let path = choice.named(self).unwrap_or_else(|| self.role_key_path());
        if choice.key.is_none() && !path.exists() {
            return Ok(None);
        }
        choice.unlock(muster_keys::load(&path)?, &path).map(Some)
    }

    /// The role key that the home is used with, and the member whose it is; nothing is asked, and nothing unlocked.
    ///
    /// # Errors
    /// When there is no key, it cannot be used, or it is not in the roster.
    pub fn public_key(&self, choice: &KeyChoice, roster: &Roster) -> Result<(PublicKey, Member), CommandError> {
        let path = choice.named(self).unwrap_or_else(|| self.role_key_path());
        if choice.key.is_none() && !path.exists() {
            return Err(key::no_key(self));
        }
        let public = muster_keys::load(&path)?.public();
        let member = roster.member(&public).ok_or_else(|| foreign(&path, &public, roster))?;
        Ok((public, member))
    }

    /// Opens the home: reads its roster, finds the role key's place in it, and unlocks the key.
    ///
    /// Asks at the terminal for what it cannot know: which of several keys, and a passphrase.
    ///
    /// # Errors
    /// When another process holds the home (if `locking`), the roster or key cannot be used, or the key is
    /// not in the roster.
    pub fn open(&self, locking: Locking, choice: &KeyChoice, now: Timestamp) -> Result<Opened, CommandError> {
        match self.roster_path().try_exists() {
            Ok(true) => {}
            Ok(false) => return Err(self.no_unit()),
            Err(error) => return Err(self.unreadable(&self.dir, &error)),
        }
        let lock = match locking {
            Locking::Take => Some(self.lock()?),
            Locking::Leave => None,
        };
        let roster = self.read_roster(now)?;
        let path = choice.file(self, &roster)?;
        let file = muster_keys::load(&path)?;
        // Before the passphrase is asked for: typing it for a key that is of no use here would be in vain.
        let Some(member) = roster.member(&file.public()) else {
            return Err(foreign(&path, &file.public(), &roster));
        };
        let identity = choice.unlock(file, &path)?;
        Ok(Opened { identity, roster, member, lock })
    }

    fn unreadable(&self, path: &Path, error: &io::Error) -> CommandError {
        owner::refusal(&self.dir, error)
            .unwrap_or_else(|| CommandError::failed(format!("cannot read {}", path.display())).because(error))
    }

    /// Opens the home to sign in it: as [`Home::open`] does, but for a key that need not be a member's, since an
    /// authority may have keys that lie in a safe.
    ///
    /// # Errors
    /// When another process holds the home, or the roster or key cannot be used.
    pub fn open_to_sign(
        &self,
        locking: Locking,
        choice: &KeyChoice,
        now: Timestamp,
    ) -> Result<(Identity, Roster, Option<NodeLock>), CommandError> {
        if !self.has_unit() {
            return Err(self.no_unit());
        }
        let lock = match locking {
            Locking::Take => Some(self.lock()?),
            Locking::Leave => None,
        };
        let roster = self.read_roster(now)?;
        let path = choice.file(self, &roster)?;
        let identity = choice.unlock(muster_keys::load(&path)?, &path)?;
        Ok((identity, roster, lock))
    }

    fn no_unit(&self) -> CommandError {
        CommandError::failed(format!("no unit in {}", self.dir.display())).with_hint(
            "found one with `muster unit create --name NAME --chief CHIEF`, or name the home you were given \
             with --home DIR"
                .to_owned(),
        )
    }
}

/// The refusal of a key that is sound, but nobody's in this unit.
fn foreign(path: &Path, key: &PublicKey, roster: &Roster) -> CommandError {
    CommandError::failed(format!("{} is not the key of a member of {}", path.display(), roster.unit_name())).with_hint(
        format!(
            "ask the chief or your leader to admit {key}: `ssh-keygen -y -f {}` prints the line to hand over",
            path.display()
        ),
    )
}

fn read_bounded(path: &Path, max_len: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = File::open(path)?.take(max_len.saturating_add(1)).read_to_end(&mut bytes)?;
    if read as u64 > max_len {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("longer than {max_len} bytes")));
    }
    Ok(bytes)
}

/// Puts new content in a file's place at one stroke, on the disk when it returns; the file is its owner's alone.
fn replace_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = path.with_added_extension("new");
    let mut options = File::options();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    drop(file);
    fs::rename(&temporary, path)?;
    // Only unix lets a folder be opened like a file; elsewhere the name is the file system's care.
    match path.parent() {
        Some(folder) if cfg!(unix) => File::open(folder)?.sync_all(),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;

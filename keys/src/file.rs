//! Role keys in OpenSSH private key files.

use std::{
    fmt,
    fs::{self, File, Metadata, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use ssh_key::{Kdf, LineEnding, PrivateKey, getrandom::SysRng, private::Ed25519Keypair};
use zeroize::Zeroizing;

use crate::{
    error::{CreateError, LoadError, PublicKeyError, UnlockError},
    identity::{Identity, PublicKey, one_line, readable},
    words::random_bytes,
};

/// The longest key file that is read: one of Ed25519 has about 500 bytes, the rest is room for its comment.
pub const MAX_KEY_FILE_LEN: u64 = 16 * 1024;

/// The most rounds of bcrypt that unlocking does, about half a minute: ssh-keygen's default is 24 and
/// careful people choose some hundreds, so that a larger number is damage and would look like a hang.
const MAX_BCRYPT_ROUNDS: u32 = 4096;

/// The permission bits that a key file must not have: anything at all for group and others.
#[cfg(unix)]
const OTHERS_BITS: u32 = 0o077;

/// A passphrase of a key file.
pub struct Passphrase(Zeroizing<String>);

impl From<String> for Passphrase {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(…)")
    }
}

/// A key file that was read.
#[derive(Debug)]
pub enum KeyFile {
    /// It has no passphrase.
    Open {
        /// The key.
        identity: Identity,
        /// Its comment, by custom the member's name.
        comment: String,
    },
    /// It needs a passphrase.
    Locked(LockedKey),
}

impl KeyFile {
    /// The public half, which a locked file shows too.
    pub fn public(&self) -> PublicKey {
        match self {
            Self::Open { identity, .. } => identity.public(),
            Self::Locked(locked) => locked.public(),
        }
    }
}

/// A key file that needs a passphrase.
pub struct LockedKey {
    path: PathBuf,
    public: PublicKey,
    key: PrivateKey,
}

impl LockedKey {
    /// The public half.
    pub fn public(&self) -> PublicKey {
        self.public
    }

    /// Unlocks the key: gives it and its comment.
    ///
    /// Takes as long as the file's key derivation is set to: about a tenth of a second by default.
    ///
    /// # Errors
    /// When the passphrase is wrong or the file is damaged.
    pub fn unlock(&self, passphrase: &Passphrase) -> Result<(Identity, String), UnlockError> {
        let path = || self.path.clone();
        if let Kdf::Bcrypt { rounds, .. } = self.key.kdf()
            && *rounds > MAX_BCRYPT_ROUNDS
        {
            return Err(UnlockError::TooManyRounds { path: path(), found: *rounds, limit: MAX_BCRYPT_ROUNDS });
        }
        let key = self.key.decrypt(passphrase.0.as_bytes()).map_err(|error| match error {
            ssh_key::Error::Crypto => UnlockError::WrongPassphrase { path: path() },
            source => UnlockError::Damaged { path: path(), source },
        })?;
        identity_of(&key).ok_or_else(|| UnlockError::Damaged { path: path(), source: ssh_key::Error::PublicKey })
    }
}

impl fmt::Debug for LockedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LockedKey({})", self.public)
    }
}

/// Writes a role key to a new file that only its owner may read.
///
/// The file appears whole or not at all, and is on the disk when this returns.
///
/// # Errors
/// When something of that name exists, which is left as it is, or the file cannot be written.
pub fn create(
    path: &Path,
    identity: &Identity,
    comment: &str,
    passphrase: Option<&Passphrase>,
) -> Result<(), CreateError> {
    if passphrase.is_some_and(|passphrase| passphrase.0.is_empty()) {
        return Err(CreateError::EmptyPassphrase);
    }
    let text = encode(identity, comment, passphrase).map_err(CreateError::Encode)?;
    let temporary = temporary_beside(path, random_bytes()?);
    let written = write_new(&temporary, text.as_bytes())
        .and_then(|()| put_in_place(&temporary, path))
        .and_then(|()| sync_parent(path));
    written.map_err(|error| {
        // Gone already unless something failed before it was put in place.
        drop(fs::remove_file(&temporary));
        let path = path.to_owned();
        match error.kind() {
            io::ErrorKind::AlreadyExists => CreateError::Exists { path },
            _ => CreateError::Write { path, source: error },
        }
    })
}

/// Reads a role key from its file.
///
/// # Errors
/// When the file is missing, unreadable, open to others, somebody else's, or anything but an Ed25519
/// private key in OpenSSH's format. The file is never changed.
pub fn load(path: &Path) -> Result<KeyFile, LoadError> {
    decode(path, &read(path, check_private)?)
}

/// Reads a public key and its comment from a `.pub` file.
///
/// # Errors
/// When the file is missing, unreadable, or anything but one Ed25519 public key.
pub fn load_public(path: &Path) -> Result<(PublicKey, String), LoadError> {
    let text = read(path, |_, _| Ok(()))?;
    PublicKey::from_openssh(&text).map_err(|source| LoadError::Key { path: path.to_owned(), source })
}

/// Puts a role key into OpenSSH's file format.
fn encode(
    identity: &Identity,
    comment: &str,
    passphrase: Option<&Passphrase>,
) -> Result<Zeroizing<String>, ssh_key::Error> {
    let key = PrivateKey::new(Ed25519Keypair::from(&identity.0).into(), one_line(comment))?;
    match passphrase {
        Some(passphrase) => key.encrypt(&mut SysRng, passphrase.0.as_bytes())?.to_openssh(LineEnding::LF),
        None => key.to_openssh(LineEnding::LF),
    }
}

/// Reads a role key from the text of its file; `path` is for the error to name.
fn decode(path: &Path, text: &str) -> Result<KeyFile, LoadError> {
    check_format(path, text)?;
    let key = PrivateKey::from_openssh(text).map_err(|source| match source {
        ssh_key::Error::AlgorithmUnknown | ssh_key::Error::AlgorithmUnsupported { .. } => {
            let algorithm = "another kind of key".to_owned();
            LoadError::Key { path: path.to_owned(), source: PublicKeyError::NotEd25519 { algorithm } }
        }
        source => LoadError::Damaged { path: path.to_owned(), source },
    })?;
    let public = PublicKey::from_key_data(key.public_key().key_data())
        .map_err(|source| LoadError::Key { path: path.to_owned(), source })?;
    if key.is_encrypted() {
        return Ok(KeyFile::Locked(LockedKey { path: path.to_owned(), public, key }));
    }
    match identity_of(&key) {
        Some((identity, comment)) => Ok(KeyFile::Open { identity, comment }),
        None => Err(LoadError::Damaged { path: path.to_owned(), source: ssh_key::Error::PublicKey }),
    }
}

/// The role key and comment in an unlocked OpenSSH key; `None` if the halves do not fit one another.
fn identity_of(key: &PrivateKey) -> Option<(Identity, String)> {
    let pair = key.key_data().ed25519()?;
    let identity = Identity::from_seed(pair.private.as_ref());
    let public = PublicKey::from_key_data(key.public_key().key_data()).ok()?;
    (identity.public() == public).then(|| (identity, readable(key.comment())))
}

/// Tells apart, by its first line, what a person may have given instead of a private key.
fn check_format(path: &Path, text: &str) -> Result<(), LoadError> {
    let path = path.to_owned();
    let start = text.trim_start();
    if start.starts_with("-----BEGIN OPENSSH PRIVATE KEY-----") {
        Ok(())
    } else if start.starts_with("ssh-") || start.starts_with("ecdsa-") || start.starts_with("sk-") {
        Err(LoadError::PublicGiven { path })
    } else if start.starts_with("-----BEGIN ") && start.contains("PRIVATE KEY-----") {
        Err(LoadError::OtherFormat { path })
    } else {
        Err(LoadError::NotAKey { path })
    }
}

/// Reads a whole small file after `check` has passed what it is.
fn read(
    path: &Path,
    check: impl Fn(&Path, &Metadata) -> Result<(), LoadError>,
) -> Result<Zeroizing<String>, LoadError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => LoadError::Missing { path: path.to_owned() },
        _ => LoadError::Read { path: path.to_owned(), source },
    };
    // Before opening it, since opening a pipe waits for whoever writes to it.
    if !fs::metadata(path).map_err(failed)?.is_file() {
        return Err(LoadError::NotAFile { path: path.to_owned() });
    }
    let file = File::open(path).map_err(failed)?;
    let found = file.metadata().map_err(failed)?;
    check(path, &found)?;
    if found.len() > MAX_KEY_FILE_LEN {
        return Err(LoadError::TooLong { path: path.to_owned(), found: found.len(), limit: MAX_KEY_FILE_LEN });
    }
    // The full room at once: a growing buffer would leave copies of the secret behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_KEY_FILE_LEN as usize));
    file.take(MAX_KEY_FILE_LEN).read_to_end(&mut bytes).map_err(failed)?;
    match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(_) => Err(LoadError::NotAKey { path: path.to_owned() }),
    }
}

/// Checks that a private key's file is its owner's alone, and that we are the owner.
#[cfg(unix)]
fn check_private(path: &Path, found: &Metadata) -> Result<(), LoadError> {
    use std::os::unix::fs::MetadataExt;

    let mode = found.mode() & 0o7777;
    if mode & OTHERS_BITS != 0 {
        return Err(LoadError::TooOpen { path: path.to_owned(), mode });
    }
    let user = nix::unistd::geteuid().as_raw();
    if found.uid() != user {
        return Err(LoadError::NotOurs { path: path.to_owned(), owner: found.uid(), user });
    }
    Ok(())
}

/// Elsewhere the folder's own access list is what protects the file.
#[cfg(not(unix))]
fn check_private(_path: &Path, _found: &Metadata) -> Result<(), LoadError> {
    Ok(())
}

/// Writes a file that must not exist yet, readable by its owner alone, and waits until it is on the disk.
fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Gives a finished file its name, which nothing must have yet.
fn put_in_place(temporary: &Path, path: &Path) -> io::Result<()> {
    // A link, unlike a rename, never replaces what is there.
    match fs::hard_link(temporary, path) {
        Ok(()) => fs::remove_file(temporary),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
        // The file systems of memory sticks, by which homes are handed out, know no links.
        Err(_) if !path.try_exists()? => fs::rename(temporary, path),
        Err(error) => Err(error),
    }
}

/// A name in the same folder that nothing else uses.
fn temporary_beside(path: &Path, random: [u8; 8]) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{:016x}", u64::from_le_bytes(random)));
    path.with_file_name(name)
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

#[cfg(test)]
mod tests;

//! What can go wrong with keys, an enum per operation.

use std::{
    io,
    path::{Path, PathBuf},
};

use thiserror::Error;

/// The operating system had no randomness to give.
#[derive(Debug, Error)]
#[error("the system gave no random bytes")]
pub struct RandomError(#[from] getrandom::Error);

/// A signature that does not fit the message and the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("signature does not fit")]
pub struct BadSignature;

/// Why something is not a public key that a member may have.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PublicKeyError {
    /// The bytes are no point of the curve.
    #[error("not a public key: no point of the Ed25519 curve")]
    NotAPoint,
    /// The point is of small order.
    #[error("weak public key: a point of small order")]
    Weak,
    /// The point has another encoding, which is the valid one.
    #[error("public key is not in its canonical encoding")]
    NotCanonical,
    /// A key of another algorithm.
    #[error("not an Ed25519 key but {algorithm}")]
    NotEd25519 {
        /// What it is instead.
        algorithm: String,
    },
    /// The text is a private key.
    #[error("a private key was given where a public one belongs")]
    PrivateGiven,
    /// The text does not begin like a public key line.
    #[error("not a public key line: it does not begin with ssh-ed25519")]
    NotAKeyLine,
    /// More than one line of text.
    #[error("several lines where one public key belongs")]
    SeveralLines,
    /// A line of an impossible length.
    #[error("public key line of {found} bytes, longer than {limit}")]
    TooLong {
        /// Its length.
        found: usize,
        /// The longest that is read.
        limit: usize,
    },
    /// The line begins well but cannot be decoded.
    #[error("damaged public key line")]
    Malformed(#[source] ssh_key::Error),
}

impl PublicKeyError {
    /// The next step for the person who gave the key.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NotEd25519 { .. } => Some("make one with: ssh-keygen -t ed25519".to_owned()),
            Self::PrivateGiven => {
                Some("give the .pub file that lies beside it, and keep this one to yourself".to_owned())
            }
            _ => None,
        }
    }
}

/// Why a key file could not be created.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CreateError {
    /// Something of that name is there already.
    #[error("{} exists already and is not overwritten", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The passphrase is empty.
    #[error("the passphrase is empty")]
    EmptyPassphrase,
    /// The key could not be put into its file format.
    #[error("the key could not be encoded")]
    Encode(#[source] ssh_key::Error),
    /// The system had no randomness to give.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The file could not be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl CreateError {
    /// The next step for the person at the keyboard.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Exists { .. } => {
                Some("choose another folder, or move the file away if it is no longer needed".to_owned())
            }
            Self::EmptyPassphrase => Some("give a passphrase, or none at all for a key file without one".to_owned()),
            _ => None,
        }
    }
}

/// Why a key file could not be loaded.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LoadError {
    /// There is no such file.
    #[error("no key file at {}", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The file could not be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A folder, a device or a pipe.
    #[error("{} is not a regular file", path.display())]
    NotAFile {
        /// The file.
        path: PathBuf,
    },
    /// Others than the owner may use the file.
    #[error("{} is open to others: mode {mode:04o}, expected 0600", path.display())]
    TooOpen {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file belongs to another user.
    #[error("{} belongs to user {owner}, not to user {user} who runs this", path.display())]
    NotOurs {
        /// The file.
        path: PathBuf,
        /// Who owns it.
        owner: u32,
        /// Who we are.
        user: u32,
    },
    /// The file is too long for a key.
    #[error("{} is {found} bytes long, more than a key file can be ({limit})", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// Its length.
        found: u64,
        /// The longest that is read.
        limit: u64,
    },
    /// A public key where the private one belongs.
    #[error("{} holds a public key, a private one is needed", path.display())]
    PublicGiven {
        /// The file.
        path: PathBuf,
    },
    /// A private key, but in another format than OpenSSH's.
    #[error("{} is a private key in another format than OpenSSH's", path.display())]
    OtherFormat {
        /// The file.
        path: PathBuf,
    },
    /// Nothing like a key.
    #[error("{} is not an OpenSSH private key", path.display())]
    NotAKey {
        /// The file.
        path: PathBuf,
    },
    /// It begins like an OpenSSH private key, but cannot be decoded.
    #[error("{} is a damaged OpenSSH private key", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What the decoder said.
        source: ssh_key::Error,
    },
    /// The key in it is none that a member may have.
    #[error("{} cannot be a role key", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: PublicKeyError,
    },
}

impl LoadError {
    /// The next step for the person at the keyboard.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Missing { .. } | Self::NotAFile { .. } | Self::TooLong { .. } => None,
            Self::Read { path, .. } => Some(format!("see who may read it: ls -l {}", quoted(path))),
            Self::TooOpen { path, .. } => Some(format!("chmod 600 {}", quoted(path))),
            Self::NotOurs { path, user, .. } => Some(format!("chown {user} {}", quoted(path))),
            Self::OtherFormat { path } => Some(format!(
                "if it is an Ed25519 key, this puts it into OpenSSH's format: ssh-keygen -p -f {}",
                quoted(path)
            )),
            Self::PublicGiven { path } if path.extension().is_some_and(|end| end == "pub") => {
                Some(format!("the private half is usually {}", quoted(&path.with_extension(""))))
            }
            Self::PublicGiven { .. } | Self::NotAKey { .. } => {
                Some("a role key is made with: ssh-keygen -t ed25519".to_owned())
            }
            Self::Damaged { path, .. } => Some(format!("see what ssh-keygen says: ssh-keygen -y -f {}", quoted(path))),
            Self::Key { source, .. } => source.hint(),
        }
    }
}

/// Why a key file could not be unlocked.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum UnlockError {
    /// The passphrase does not fit.
    #[error("wrong passphrase for {}", path.display())]
    WrongPassphrase {
        /// The file.
        path: PathBuf,
    },
    /// The file asks for more hashing than a person would wait for.
    #[error("{} asks for {found} rounds of passphrase hashing, more than {limit}", path.display())]
    TooManyRounds {
        /// The file.
        path: PathBuf,
        /// The rounds it asks for.
        found: u32,
        /// The most that are done.
        limit: u32,
    },
    /// The passphrase fits, but what it unlocks cannot be decoded.
    #[error("{} is a damaged OpenSSH private key", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What the decoder said.
        source: ssh_key::Error,
    },
}

impl UnlockError {
    /// The next step for the person at the keyboard.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::WrongPassphrase { .. } => {
                Some("try again; a lost passphrase cannot be recovered, ask to be added anew with a new key".to_owned())
            }
            Self::TooManyRounds { path, .. } => Some(format!("ssh-keygen -p -a 24 -f {}", quoted(path))),
            Self::Damaged { path, .. } => Some(format!("see what ssh-keygen says: ssh-keygen -y -f {}", quoted(path))),
        }
    }
}

/// Why a group key could not be sealed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SealError {
    /// The system had no randomness to give.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The context is too long.
    #[error("context of {found} bytes, longer than {limit}")]
    InfoTooLong {
        /// Its length.
        found: usize,
        /// The longest that is taken.
        limit: usize,
    },
    /// Nothing can be sealed to this key.
    #[error("the recipient's key cannot receive")]
    Recipient,
}

/// Why a sealed group key could not be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// It has an impossible length.
    #[error("sealed key of {found} bytes, expected {expected}")]
    Length {
        /// Its length.
        found: usize,
        /// The only possible length.
        expected: usize,
    },
    /// Sealed to somebody else, for another purpose, or changed on the way.
    #[error("sealed key does not open")]
    NotForUs,
}

/// A path as it can be pasted into a shell.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:,@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_in_a_hint_survives_the_shell() {
        assert_eq!(quoted(Path::new("/home/a/role.key")), "/home/a/role.key");
        assert_eq!(quoted(Path::new("/my homes/role.key")), "'/my homes/role.key'");
        assert_eq!(quoted(Path::new("it's;rm")), r"'it'\''s;rm'");
    }
}

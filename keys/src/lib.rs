//! Role keys, sealing and spoken words of a Muster unit.
//!
//! Everything that touches a secret of a member lives here: the Ed25519 role key that signs its records
//! and names it on the mesh ([`Identity`]), the OpenSSH file the key is kept in ([`load`], [`create`]),
//! and the sealing of group keys to a member ([`seal`], [`open`]). Secrets are wiped from memory when
//! dropped, redacted when debugged, and cannot be printed.

mod error;
mod file;
mod identity;
mod points;
mod randomness;
mod seal;
mod words;

pub use error::{BadSignature, CreateError, LoadError, OpenError, PublicKeyError, RandomError, SealError, UnlockError};
pub use file::{KeyFile, LockedKey, MAX_KEY_FILE_LEN, Passphrase, create, load, load_public};
pub use identity::{Identity, PublicKey, Signature};
pub use randomness::Randomness;
pub use seal::{GroupKey, MAX_INFO_LEN, SEALED_LEN, open, seal};
pub use words::{random_bytes, six_words};

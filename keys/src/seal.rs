//! Group keys, and sealing them to one member.
//!
//! The seal is HPKE in base mode (RFC 9180), DHKEM(X25519, HKDF-SHA256) with ChaCha20-Poly1305. The
//! recipient's X25519 key is its Ed25519 role key carried over by the birational map of RFC 7748 §4.1;
//! that one key pair may serve both is shown in E. Thormarker, "On using the same key pair for Ed25519
//! and an X25519 based KEM" (2021).

use std::fmt;

use hpke::{Deserializable, OpModeR, OpModeS, Serializable, aead::ChaCha20Poly1305, kdf::HkdfSha256};
use zeroize::Zeroizing;

use crate::{
    error::{OpenError, RandomError, SealError},
    identity::{Identity, PublicKey},
    randomness::{Randomness, Source},
};

type Kem = hpke::kem::X25519HkdfSha256;
type EncappedKey = <Kem as hpke::Kem>::EncappedKey;

/// The length of a group key.
const KEY_LEN: usize = 32;

/// The length of the encapsulated X25519 key that a seal begins with.
const ENCAPPED_LEN: usize = 32;

/// The length of a sealed group key: encapsulated key, encrypted key, authentication tag.
pub const SEALED_LEN: usize = ENCAPPED_LEN + KEY_LEN + 16;

/// The most context a seal is bound to; HPKE takes up to 64 KiB, a unit, group and epoch need under 100 bytes.
pub const MAX_INFO_LEN: usize = 1024;

/// The key that one group's messages are encrypted with in one epoch.
#[derive(Clone, PartialEq, Eq)]
pub struct GroupKey(Zeroizing<[u8; KEY_LEN]>);

impl GroupKey {
    /// Makes a new group key.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub fn generate(randomness: &mut Randomness) -> Result<Self, RandomError> {
        randomness.bytes().map(Self::from_bytes)
    }

    /// Takes the 32 bytes of a group key.
    pub fn from_bytes(bytes: [u8; KEY_LEN]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The 32 bytes of the key.
    pub fn as_bytes(&self) -> &[u8; KEY_LEN] {
        &self.0
    }
}

impl fmt::Debug for GroupKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GroupKey(…)")
    }
}

/// Seals a group key so that only the holder of `to` can open it, and only under the same `info`.
///
/// # Errors
/// When the system has no randomness to give, or `info` is longer than [`MAX_INFO_LEN`].
pub fn seal(to: &PublicKey, info: &[u8], key: &GroupKey, randomness: &mut Randomness) -> Result<Vec<u8>, SealError> {
    if info.len() > MAX_INFO_LEN {
        return Err(SealError::InfoTooLong { found: info.len(), limit: MAX_INFO_LEN });
    }
    // The HPKE library panics where the system has no randomness: asking first makes that an error.
    let _: [u8; 32] = randomness.bytes()?;
    let recipient = recipient_key(to)?;
    let (mode, key) = (OpModeS::Base, key.as_bytes());
    let sealed = match randomness.source() {
        Source::System => {
            hpke::single_shot_seal::<ChaCha20Poly1305, HkdfSha256, Kem>(&mode, &recipient, info, key, b"")
        }
        Source::Seeded(seeded) => hpke::single_shot_seal_with_rng::<ChaCha20Poly1305, HkdfSha256, Kem>(
            &mode, &recipient, info, key, b"", seeded,
        ),
    };
    let (encapped, ciphertext) = sealed.map_err(|_| SealError::Recipient)?;
    Ok([encapped.to_bytes().as_slice(), &ciphertext].concat())
}

/// Opens a group key sealed to `identity` under `info`.
///
/// # Errors
/// When it is not [`SEALED_LEN`] bytes long, was sealed to somebody else or under another `info`, or was
/// changed on the way; the last three cannot be told apart.
pub fn open(identity: &Identity, info: &[u8], sealed: &[u8]) -> Result<GroupKey, OpenError> {
    if sealed.len() != SEALED_LEN {
        return Err(OpenError::Length { found: sealed.len(), expected: SEALED_LEN });
    }
    if info.len() > MAX_INFO_LEN {
        return Err(OpenError::NotForUs);
    }
    let (encapped, ciphertext) = sealed.split_at(ENCAPPED_LEN);
    let scalar = Zeroizing::new(identity.0.to_scalar_bytes());
    let opened = (|| {
        let secret = <Kem as hpke::Kem>::PrivateKey::from_bytes(scalar.as_slice())?;
        let encapped = EncappedKey::from_bytes(encapped)?;
        hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, Kem>(
            &OpModeR::Base,
            &secret,
            &encapped,
            info,
            ciphertext,
            b"",
        )
    })()
    .map(Zeroizing::new)
    .map_err(|_| OpenError::NotForUs)?;
    let key = <[u8; KEY_LEN]>::try_from(opened.as_slice()).map_err(|_| OpenError::NotForUs)?;
    Ok(GroupKey::from_bytes(key))
}

/// The X25519 public key that a role key maps to.
fn recipient_key(to: &PublicKey) -> Result<<Kem as hpke::Kem>::PublicKey, SealError> {
    let point = to.point().map_err(|_| SealError::Recipient)?;
    <Kem as hpke::Kem>::PublicKey::from_bytes(point.to_montgomery().as_bytes()).map_err(|_| SealError::Recipient)
}

#[cfg(test)]
mod tests;

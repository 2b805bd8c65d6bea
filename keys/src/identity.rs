//! The role key: a member's Ed25519 key pair, its public half and its signatures.

use std::fmt;

use ed25519_dalek::{Signer, SigningKey, VerifyingKey};
use ssh_key::{
    Comment, HashAlg,
    public::{Ed25519PublicKey, KeyData},
};
use zeroize::Zeroizing;

use crate::{
    error::{BadSignature, PublicKeyError, RandomError},
    points,
    words::random_bytes,
};

/// A public key line longer than this is not one: OpenSSH's own limit for a line is 8 KiB.
const MAX_PUBLIC_LINE_LEN: usize = 8 * 1024;

/// The OpenSSH name of the only kind of key that a role may have.
pub(crate) const ALGORITHM: &str = "ssh-ed25519";

/// A role key: the Ed25519 key pair that signs for one member.
pub struct Identity(pub(crate) SigningKey);

impl Identity {
    /// Makes a new role key from the system's randomness.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub fn generate() -> Result<Self, RandomError> {
        Ok(Self::from_seed(&Zeroizing::new(random_bytes()?)))
    }

    /// The role key that grows from a 32-byte seed (the private key of RFC 8032).
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }

    /// Signs a message.
    pub fn sign(&self, message: &[u8]) -> Signature {
        Signature(self.0.sign(message).to_bytes())
    }

    /// The seed, for handing the key to a library that keeps its own copy.
    pub fn seed(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes())
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({})", self.public())
    }
}

/// The public half of a role key: a point of the curve in its one canonical encoding, and not a weak one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// Reads a public key.
    ///
    /// # Errors
    /// When the bytes are not a point of the curve, are not its canonical encoding, or are a point of
    /// small order, under which one signature fits many messages.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, PublicKeyError> {
        // A second encoding of the same point would be a second name for the same member.
        points::point(bytes).map(|_| Self(*bytes))
    }

    /// The 32 bytes of the key.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Checks that this key signed this message, by the strict rules: no weak points, no second
    /// encoding of a signature.
    ///
    /// # Errors
    /// When it did not.
    pub fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), BadSignature> {
        let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
        let key = self.point().map_err(|_| BadSignature)?;
        key.verify_strict(message, &signature).map_err(|_| BadSignature)
    }

    /// The fingerprint as `ssh-keygen -lf` prints it: `SHA256:` and the hash in base64.
    pub fn fingerprint(&self) -> String {
        self.key_data().fingerprint(HashAlg::Sha256).to_string()
    }

    /// The line that OpenSSH keeps in a `.pub` file, without a line end.
    ///
    /// Control characters are left out of the comment, so that the result is one line whatever it was.
    pub fn to_openssh(&self, comment: &str) -> String {
        ssh_key::PublicKey::new(self.key_data(), one_line(comment)).to_string()
    }

    /// Reads a public key and its comment from the line of a `.pub` file.
    ///
    /// # Errors
    /// When it is not such a line, the key is not Ed25519, or it is one that [`PublicKey::from_bytes`] refuses.
    pub fn from_openssh(line: &str) -> Result<(Self, String), PublicKeyError> {
        if line.len() > MAX_PUBLIC_LINE_LEN {
            return Err(PublicKeyError::TooLong { found: line.len(), limit: MAX_PUBLIC_LINE_LEN });
        }
        let line = line.trim();
        if line.starts_with("-----BEGIN") {
            return Err(PublicKeyError::PrivateGiven);
        }
        match line.split_whitespace().next() {
            Some(ALGORITHM) => {}
            Some(other) if is_key_algorithm(other) => {
                return Err(PublicKeyError::NotEd25519 { algorithm: other.to_owned() });
            }
            _ => return Err(PublicKeyError::NotAKeyLine),
        }
        if line.lines().count() > 1 {
            return Err(PublicKeyError::SeveralLines);
        }
        let key = ssh_key::PublicKey::from_openssh(line).map_err(PublicKeyError::Malformed)?;
        Ok((Self::from_key_data(key.key_data())?, readable(key.comment())))
    }

    /// The key inside OpenSSH's public key data, if it is an Ed25519 one.
    pub(crate) fn from_key_data(data: &KeyData) -> Result<Self, PublicKeyError> {
        match data.ed25519() {
            Some(key) => Self::from_bytes(&key.0),
            None => Err(PublicKeyError::NotEd25519 { algorithm: data.algorithm().as_str().to_owned() }),
        }
    }

    /// The decoded curve point; it exists, as [`PublicKey::from_bytes`] has seen to.
    pub(crate) fn point(&self) -> Result<VerifyingKey, PublicKeyError> {
        points::point(&self.0)
    }

    fn key_data(&self) -> KeyData {
        KeyData::Ed25519(Ed25519PublicKey(self.0))
    }
}

/// Whether a word looks like the name of some other OpenSSH key algorithm.
fn is_key_algorithm(word: &str) -> bool {
    ["ssh-", "ecdsa-", "sk-"].iter().any(|prefix| word.starts_with(prefix))
}

/// The comment of a key as text that is safe to show.
pub(crate) fn readable(comment: &Comment) -> String {
    one_line(&String::from_utf8_lossy(comment.as_bytes()))
}

/// A comment without control characters, which could end the line or steer a terminal.
pub(crate) fn one_line(comment: &str) -> String {
    comment.chars().filter(|c| !c.is_control()).collect()
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.fingerprint())
    }
}

/// An Ed25519 signature, not yet checked against anything.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature([u8; 64]);

impl Signature {
    /// Takes the 64 bytes of a signature.
    pub const fn from_bytes(bytes: [u8; 64]) -> Self {
        Self(bytes)
    }

    /// The 64 bytes of the signature.
    pub const fn as_bytes(&self) -> &[u8; 64] {
        &self.0
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signature(")?;
        for byte in self.0.iter().take(4) {
            write!(f, "{byte:02x}")?;
        }
        f.write_str("…)")
    }
}

#[cfg(test)]
mod tests;

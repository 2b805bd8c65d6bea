//! The six words by which two people see that two devices speak to each other and to nobody in between.
//!
//! Joining is the one moment at which a device is let in whose key nobody knew before. Its screen and the admitting
//! device's show six words, and the people compare them. The words are drawn from both public keys and the
//! unit's id, so that a device in the middle, which must show its own key to at least one side, changes them.
//!
//! # Why that alone does not do
//! Six words are 77.5 bits, and the device in the middle chooses on both sides: the key that it shows the admitting
//! device, and the key and unit that it shows the joining one. It needs any two choices that give the same words. An
//! admitting device's key and unit are known long before, so that 2⁴⁰ keys can be tried and written down at
//! leisure (16 TB); then 2³⁷·⁵ tries, 20 seconds at the 10¹⁰ hashes a second of one graphics card, find a match
//! while the people wait.
//!
//! # What does
//! Each side adds 32 random bytes, and the joining side is bound to its own before it learns the other's:
//!
//! 1. joining device → admitting device: [`Commitment`], a hash over its key and its nonce ([`Joining::new`]);
//! 2. back: a fresh nonce, and with it the unit ([`Admitting::new`]). The admitting side's key and unit are settled now;
//! 3. joining device → admitting device: its nonce. It can show the words ([`Joining::answer`]), and so can the other
//!    side once the nonce fits the commitment ([`Admitting::reveal`]).
//!
//! Whoever sits in between has settled everything on one side before it learns the random bytes of the other, so it
//! has no choices left to try: one guess in 2⁷⁷·⁵ for each time that two people compare words. (The shape is S.
//! Vaudenay's, "Secure Communications over Insecure Channels Based on Short Authenticated Strings", 2005; ZRTP, RFC
//! 6189, uses it too.) The types see to it that nonces serve once: a second commitment, or another admitting device,
//! takes new ones.

use std::fmt;

use muster_keys::{PublicKey, RandomError};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteArray;
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::authority::UnitId;

const COMMITMENT_DOMAIN: &[u8] = b"muster join commitment 1";
const WORDS_DOMAIN: &[u8] = b"muster join words 1";

/// One side's random bytes for one joining.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "ByteArray<32>", from = "ByteArray<32>")]
pub struct JoinNonce([u8; 32]);

impl JoinNonce {
    /// Draws one from the system's randomness.
    ///
    /// # Errors
    /// When the system has none to give.
    pub fn generate() -> Result<Self, RandomError> {
        muster_keys::random_bytes().map(Self)
    }

    /// The nonce that 32 bytes stand for; they must be random and used once.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl From<ByteArray<32>> for JoinNonce {
    fn from(bytes: ByteArray<32>) -> Self {
        Self(bytes.into_array())
    }
}

impl From<JoinNonce> for ByteArray<32> {
    fn from(nonce: JoinNonce) -> Self {
        Self::new(nonce.0)
    }
}

impl fmt::Debug for JoinNonce {
    /// Shows nothing: a nonce is a secret until it is sent.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JoinNonce(…)")
    }
}

/// What binds the joining device to its nonce before it is known: a hash over both its key and the nonce.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "ByteArray<32>", from = "ByteArray<32>")]
pub struct Commitment([u8; 32]);

impl Commitment {
    fn of(joiner: &PublicKey, nonce: &JoinNonce) -> Self {
        Self(hash(COMMITMENT_DOMAIN, &[joiner.as_bytes(), &nonce.0]))
    }

    /// The commitment that 32 bytes stand for.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl From<ByteArray<32>> for Commitment {
    fn from(bytes: ByteArray<32>) -> Self {
        Self(bytes.into_array())
    }
}

impl From<Commitment> for ByteArray<32> {
    fn from(commitment: Commitment) -> Self {
        Self::new(commitment.0)
    }
}

impl fmt::Debug for Commitment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Commitment(")?;
        self.0.iter().take(4).try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str("…)")
    }
}

/// The nonce that a joining device sent is not the one it committed itself to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the joining device did not keep to what it had committed itself to")]
pub struct BrokenCommitment;

/// Six words to compare by voice, the same on both devices unless one in the middle deceives them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinWords(String);

impl JoinWords {
    /// The words, separated by single spaces.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for JoinWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A joining device's side, from its commitment to the words.
#[derive(Debug)]
pub struct Joining {
    joiner: PublicKey,
    nonce: JoinNonce,
}

impl Joining {
    /// Begins, for one admitting device, with the device's own key and a fresh nonce.
    pub fn new(joiner: PublicKey, nonce: JoinNonce) -> Self {
        Self { joiner, nonce }
    }

    /// What to send first.
    pub fn commitment(&self) -> Commitment {
        Commitment::of(&self.joiner, &self.nonce)
    }

    /// Takes the answer of the admitting device, whose key is the one that its connection has proved.
    ///
    /// Gives the words to show, and the nonce to send back.
    pub fn answer(self, unit: UnitId, admitter: &PublicKey, nonce: &JoinNonce) -> (JoinWords, JoinNonce) {
        (join_words(unit, &self.joiner, admitter, &self.nonce, nonce), self.nonce)
    }
}

/// An admitting device's side, from the other's commitment to the words.
#[derive(Debug)]
pub struct Admitting {
    unit: UnitId,
    admitter: PublicKey,
    joiner: PublicKey,
    commitment: Commitment,
    nonce: JoinNonce,
}

impl Admitting {
    /// Begins when a commitment has come: `joiner` is the key that its connection has proved, `nonce` a fresh one, never
    /// used with another commitment.
    pub fn new(unit: UnitId, admitter: PublicKey, joiner: PublicKey, commitment: Commitment, nonce: JoinNonce) -> Self {
        Self { unit, admitter, joiner, commitment, nonce }
    }

    /// The joining device's key: who is admitted if the words agree.
    pub fn joiner(&self) -> &PublicKey {
        &self.joiner
    }

    /// What to answer with.
    pub fn nonce(&self) -> &JoinNonce {
        &self.nonce
    }

    /// Takes the nonce that the joining device reveals, and gives the words to show.
    ///
    /// # Errors
    /// When it is not the one committed to: nothing may be shown then, and the request is dropped.
    pub fn reveal(self, nonce: &JoinNonce) -> Result<JoinWords, BrokenCommitment> {
        if Commitment::of(&self.joiner, nonce) != self.commitment {
            return Err(BrokenCommitment);
        }
        Ok(join_words(self.unit, &self.joiner, &self.admitter, nonce, &self.nonce))
    }
}

/// The words of one joining; the order of what is hashed is that of the roles, the same on both sides.
fn join_words(
    unit: UnitId,
    joiner: &PublicKey,
    admitter: &PublicKey,
    joiner_nonce: &JoinNonce,
    admitter_nonce: &JoinNonce,
) -> JoinWords {
    let parts: [&[u8]; 5] =
        [unit.as_bytes(), joiner.as_bytes(), admitter.as_bytes(), &joiner_nonce.0, &admitter_nonce.0];
    JoinWords(muster_keys::six_words(&hash(WORDS_DOMAIN, &parts)))
}

/// SHA-256 over a domain and parts of fixed lengths.
fn hash(domain: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new_with_prefix(domain);
    parts.iter().for_each(|part| hash.update(part));
    hash.finalize().into()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use crate::fixture::key;

    const UNIT: UnitId = UnitId::from_bytes([7; 16]);
    const OURS: JoinNonce = JoinNonce::from_bytes([1; 32]);
    const THEIRS: JoinNonce = JoinNonce::from_bytes([2; 32]);

    #[test]
    fn both_devices_show_the_same_six_words() {
        let joining = Joining::new(key("Army7"), OURS);
        let admitting = Admitting::new(UNIT, key("Chief"), key("Army7"), joining.commitment(), THEIRS);
        let (shown, revealed) = joining.answer(UNIT, &key("Chief"), admitting.nonce());
        let words = admitting.reveal(&revealed).unwrap();
        assert_eq!(words, shown);
        assert_eq!(words.as_str().split(' ').count(), 6);
    }

    #[test]
    fn whatever_differs_changes_the_words() {
        let words = |unit: u8, joiner: &str, admitter: &str, ours: u8, theirs: u8| {
            let (ours, theirs) = (JoinNonce::from_bytes([ours; 32]), JoinNonce::from_bytes([theirs; 32]));
            join_words(UnitId::from_bytes([unit; 16]), &key(joiner), &key(admitter), &ours, &theirs)
        };
        let all = [
            words(7, "Army7", "Chief", 1, 2),
            words(8, "Army7", "Chief", 1, 2),
            words(7, "Middle", "Chief", 1, 2),
            words(7, "Army7", "Middle", 1, 2),
            words(7, "Chief", "Army7", 1, 2),
            words(7, "Army7", "Chief", 3, 2),
            words(7, "Army7", "Chief", 1, 3),
            words(7, "Army7", "Chief", 2, 1),
        ];
        for (at, one) in all.iter().enumerate() {
            assert!(all[..at].iter().all(|other| other != one), "{one}");
        }
    }

    #[test]
    fn a_device_in_the_middle_shows_two_sets_of_words() {
        let joining = Joining::new(key("Army7"), OURS);
        // It passes everything on but the keys, which the connections prove: the admitting device sees its key.
        let admitting = Admitting::new(UNIT, key("Chief"), key("Middle"), joining.commitment(), THEIRS);
        let (shown, revealed) = joining.answer(UNIT, &key("Middle"), admitting.nonce());
        assert_eq!(admitting.reveal(&revealed), Err(BrokenCommitment));

        // With a commitment of its own it is bound before it learns anything.
        let middle = Joining::new(key("Middle"), JoinNonce::from_bytes([9; 32]));
        let admitting = Admitting::new(UNIT, key("Chief"), key("Middle"), middle.commitment(), THEIRS);
        let (_, revealed) = middle.answer(UNIT, &key("Chief"), admitting.nonce());
        assert_ne!(admitting.reveal(&revealed).unwrap(), shown);
    }

    #[test]
    fn a_nonce_chosen_after_the_answer_is_refused() {
        let commitment = Joining::new(key("Middle"), OURS).commitment();
        let admitting = Admitting::new(UNIT, key("Chief"), key("Middle"), commitment, THEIRS);
        assert_eq!(admitting.reveal(&JoinNonce::from_bytes([3; 32])), Err(BrokenCommitment));
    }

    #[test]
    fn a_nonce_does_not_show_itself() {
        assert_eq!(format!("{OURS:?}"), "JoinNonce(…)");
    }
}

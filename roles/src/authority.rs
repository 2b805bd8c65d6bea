//! Who speaks for a unit, and the identity that follows from it.

use std::fmt;

use muster_keys::PublicKey;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteArray;
use sha2::{Digest, Sha256};

use crate::error::InvalidDocument;
use crate::wire;

/// The most keys of an authority: more than any council that has to meet to sign.
pub const MAX_AUTHORITY_KEYS: usize = 16;

/// A unit's identity: the first 16 bytes of SHA-256 over the canonical CBOR of its first authority.
///
/// Whoever knows it can check the whole roster, as every later authority is vouched for by the one before.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "ByteArray<16>", from = "ByteArray<16>")]
pub struct UnitId([u8; 16]);

impl UnitId {
    /// The identity that 16 bytes stand for.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Its bytes, as records and documents carry them.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Six words to compare by voice.
    pub fn words(&self) -> String {
        muster_keys::six_words(&Sha256::digest(self.0).into())
    }
}

impl From<ByteArray<16>> for UnitId {
    fn from(bytes: ByteArray<16>) -> Self {
        Self(bytes.into_array())
    }
}

impl From<UnitId> for ByteArray<16> {
    fn from(unit: UnitId) -> Self {
        Self::new(unit.0)
    }
}

impl fmt::Display for UnitId {
    /// Writes 32 hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for UnitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UnitId({self})")
    }
}

/// The keys that speak for a unit, and how many of them must sign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Authority {
    #[serde(with = "authority_keys")]
    keys: Vec<PublicKey>,
    threshold: u32,
}

impl Authority {
    /// The authority of a single key, which every unit begins with.
    pub(crate) fn single(key: PublicKey) -> Self {
        Self { keys: vec![key], threshold: 1 }
    }

    /// The authority of these keys, in whatever order they are given.
    ///
    /// # Errors
    /// If there are too many or one of them twice, or the threshold is 0 or more than there are keys.
    pub(crate) fn new(keys: &[PublicKey], threshold: u32) -> Result<Self, InvalidDocument> {
        let mut keys = keys.to_vec();
        keys.sort_unstable();
        let authority = Self { keys, threshold };
        authority.check().map(|()| authority)
    }

    #[cfg(test)]
    pub(crate) fn of(keys: Vec<PublicKey>, threshold: u32) -> Self {
        Self { keys, threshold }
    }

    /// The keys, in ascending order.
    pub fn keys(&self) -> &[PublicKey] {
        &self.keys
    }

    /// How many different keys must sign.
    pub fn threshold(&self) -> u32 {
        self.threshold
    }

    /// The unit that has this as its first authority.
    pub fn unit(&self) -> UnitId {
        UnitId(wire::first_bytes(&Sha256::digest(wire::to_cbor(self))))
    }

    /// Whether enough of these signers, all different, hold its keys.
    pub(crate) fn satisfied_by(&self, signers: &[PublicKey]) -> bool {
        let held = signers.iter().filter(|key| self.keys.contains(key));
        u32::try_from(held.count()).is_ok_and(|held| held >= self.threshold)
    }

    pub(crate) fn check(&self) -> Result<(), InvalidDocument> {
        let ascending = self.keys.is_sorted_by(|a, b| a < b);
        let reachable = usize::try_from(self.threshold).is_ok_and(|n| (1..=self.keys.len()).contains(&n));
        if ascending && reachable && self.keys.len() <= MAX_AUTHORITY_KEYS {
            Ok(())
        } else {
            Err(InvalidDocument::Authority)
        }
    }
}

mod authority_keys {
    use muster_keys::PublicKey;
    use serde::{Deserializer, Serializer};

    use super::MAX_AUTHORITY_KEYS;
    use crate::wire::{self, WireKey};

    pub(super) fn serialize<S: Serializer>(keys: &[PublicKey], s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(keys.iter().copied().map(WireKey))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<PublicKey>, D::Error> {
        let keys = wire::bounded::<D, WireKey, MAX_AUTHORITY_KEYS>(d)?;
        Ok(keys.into_iter().map(|key| key.0).collect())
    }
}

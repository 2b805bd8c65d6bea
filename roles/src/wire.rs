//! Canonical CBOR: one way only to write a value, and no more memory than the bytes brought.
//!
//! Values are written by `serde` in the order of their fields, which are declared in the order that
//! RFC 8949 §4.2.1 asks of map keys: the shorter first, then bytewise. What is read is written again and
//! must give the same bytes, so indefinite lengths, long integers, unknown fields and other second ways to say
//! the same are refused.

use std::fmt;
use std::marker::PhantomData;

use muster_keys::PublicKey;
use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_bytes::ByteArray;

use crate::error::DecodeError;

/// Writes a value as canonical CBOR.
#[allow(clippy::expect_used, reason = "plain data has an encoding, and memory does not fail to be written to")]
pub(crate) fn to_cbor<T: Serialize>(value: &T) -> Vec<u8> {
    serde_cbor::to_vec(value).expect("plain data can be written to memory")
}

/// Reads a value of canonical CBOR that takes up all of the bytes.
pub(crate) fn from_cbor<'a, T>(bytes: &'a [u8]) -> Result<T, DecodeError>
where
    T: Serialize + Deserialize<'a>,
{
    let value: T = serde_cbor::from_slice(bytes).map_err(DecodeError::Malformed)?;
    if to_cbor(&value) == bytes { Ok(value) } else { Err(DecodeError::NotCanonical) }
}

/// The first `N` bytes, or those there are and then zeros.
pub(crate) fn first_bytes<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut first = [0; N];
    first.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    first
}

/// A public key as 32 bytes; reading checks that it is a point that signatures can be checked against.
#[derive(Clone, Copy)]
pub(crate) struct WireKey(pub(crate) PublicKey);

impl Serialize for WireKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0.as_bytes())
    }
}

impl<'de> Deserialize<'de> for WireKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = ByteArray::<32>::deserialize(deserializer)?;
        PublicKey::from_bytes(&bytes).map(Self).map_err(D::Error::custom)
    }
}

/// Reads an array of at most `MAX` elements.
///
/// The length an array claims is not believed: memory grows only with elements that are there.
pub(crate) fn bounded<'de, D, T, const MAX: usize>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    deserializer.deserialize_seq(BoundedVisitor::<T, MAX>(PhantomData))
}

struct BoundedVisitor<T, const MAX: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const MAX: usize> Visitor<'de> for BoundedVisitor<T, MAX> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an array of at most {MAX} elements")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<T>, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = seq.next_element()? {
            if elements.len() == MAX {
                return Err(A::Error::invalid_length(MAX + 1, &self));
            }
            elements.push(element);
        }
        Ok(elements)
    }
}

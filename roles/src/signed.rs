//! Signed documents: from untrusted bytes to a charter or a sheet whose signatures fit.
//!
//! A document is `[1, payload, [[key, signature], …]]` in canonical CBOR, the signers ascending. Each signature is over the
//! payload's exact bytes behind a prefix that says what is being signed, so a signature given for one
//! kind of thing can never pass for another. Whether the signers were entitled is for the roster to say.

use std::fmt;
use std::sync::Arc;

use muster_keys::{Identity, PublicKey, Signature};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteArray;
use sha2::{Digest, Sha256};

use crate::authority::{MAX_AUTHORITY_KEYS, UnitId};
use crate::document::{Charter, CharterText, Document, SealedKeyring, Sheet, SheetText};
use crate::error::{DecodeError, InvalidDocument};
use crate::name::GroupId;
use crate::timestamp::Timestamp;
use crate::wire::{self, WireKey};

/// The longest document, in bytes: a full sheet with the longest names takes under half of it.
pub const MAX_DOCUMENT_LEN: usize = 1 << 20;

/// The most signatures on a document: a change of authority is signed by the old and the new one.
const MAX_SIGNATURES: usize = 2 * MAX_AUTHORITY_KEYS;

/// The envelope's format.
const FORMAT: u64 = 1;

const CHARTER_DOMAIN: &[u8] = b"muster charter 1";
const SHEET_DOMAIN: &[u8] = b"muster sheet 1";

/// A document's identity: the first 16 bytes of SHA-256 over its bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "ByteArray<16>", from = "ByteArray<16>")]
pub struct DocumentId([u8; 16]);

impl DocumentId {
    /// The identity of a document's bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(wire::first_bytes(&Sha256::digest(bytes)))
    }

    /// The identity that 16 bytes stand for.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl From<ByteArray<16>> for DocumentId {
    fn from(bytes: ByteArray<16>) -> Self {
        Self(bytes.into_array())
    }
}

impl From<DocumentId> for ByteArray<16> {
    fn from(id: DocumentId) -> Self {
        Self::new(id.0)
    }
}

impl fmt::Debug for DocumentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DocumentId(")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(")")
    }
}

/// A document whose signatures fit, with the bytes it came as.
pub(crate) struct Envelope<T> {
    pub(crate) id: DocumentId,
    pub(crate) bytes: Box<[u8]>,
    /// Decides between documents of one version: SHA-256 of the payload, then of all bytes.
    ///
    /// The payload comes first because anyone can add a signature, and so choose the second.
    pub(crate) tie: ([u8; 32], DocumentId),
    pub(crate) signers: Vec<PublicKey>,
    pub(crate) body: T,
}

/// A properly signed document of either kind.
#[derive(Clone)]
pub(crate) enum Signed {
    Charter(Arc<Envelope<Charter>>),
    Sheet(Arc<Envelope<Sheet>>),
}

impl Signed {
    /// Reads a document and checks its signatures, of which a charter needs those of the authority that it names.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let document = Self::read(bytes)?;
        match &document {
            Self::Charter(charter) if !charter.body.authority().satisfied_by(&charter.signers) => {
                Err(DecodeError::UnderSigned { found: charter.signers.len() })
            }
            _ => Ok(document),
        }
    }

    /// Reads a document that may still lack signatures, and checks those it has.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.len() > MAX_DOCUMENT_LEN {
            return Err(DecodeError::TooLong { found: bytes.len() });
        }
        let WireEnvelope(format, payload, signatures) = wire::from_cbor(bytes)?;
        if format != FORMAT {
            return Err(DecodeError::Format { found: format });
        }
        let text: Payload = wire::from_cbor(payload)?;
        let signers = verify(text.domain(), payload, &signatures)?;
        let id = DocumentId::of(bytes);
        let tie = (Sha256::digest(payload).into(), id);
        let bytes = bytes.into();
        Ok(match text {
            Payload::Charter(text) => {
                Self::Charter(Arc::new(Envelope { id, bytes, tie, signers, body: Charter::check(text)? }))
            }
            Payload::Sheet(text) => {
                Self::Sheet(Arc::new(Envelope { id, bytes, tie, signers, body: Sheet::check(text)? }))
            }
        })
    }

    pub(crate) fn id(&self) -> DocumentId {
        match self {
            Self::Charter(charter) => charter.id,
            Self::Sheet(sheet) => sheet.id,
        }
    }

    pub(crate) fn keyring(&self) -> &SealedKeyring {
        self.document().keyring()
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::Charter(charter) => &charter.bytes,
            Self::Sheet(sheet) => &sheet.bytes,
        }
    }

    pub(crate) fn signers(&self) -> &[PublicKey] {
        match self {
            Self::Charter(charter) => &charter.signers,
            Self::Sheet(sheet) => &sheet.signers,
        }
    }

    /// SHA-256 of what was signed: equal for documents that differ in their signatures only.
    pub(crate) fn payload_hash(&self) -> &[u8; 32] {
        match self {
            Self::Charter(charter) => &charter.tie.0,
            Self::Sheet(sheet) => &sheet.tie.0,
        }
    }

    fn document(&self) -> &dyn Document {
        match self {
            Self::Charter(charter) => &charter.body,
            Self::Sheet(sheet) => &sheet.body,
        }
    }

    /// The group whose key it holds: `heads` for a charter.
    pub(crate) fn group(&self) -> GroupId {
        match self {
            Self::Charter(_) => GroupId::heads(),
            Self::Sheet(sheet) => sheet.body.group().clone(),
        }
    }

    pub(crate) fn unit(&self) -> UnitId {
        self.document().unit()
    }

    pub(crate) fn version(&self) -> u64 {
        self.document().version()
    }

    pub(crate) fn issued(&self) -> Timestamp {
        self.document().issued()
    }
}

/// What is signed, as bytes carry it.
#[derive(Serialize, Deserialize)]
pub(crate) enum Payload {
    #[serde(rename = "charter")]
    Charter(CharterText),
    #[serde(rename = "sheet")]
    Sheet(SheetText),
}

impl Payload {
    fn domain(&self) -> &'static [u8] {
        match self {
            Self::Charter(_) => CHARTER_DOMAIN,
            Self::Sheet(_) => SHEET_DOMAIN,
        }
    }
}

#[derive(Serialize, Deserialize)]
struct WireEnvelope<'a>(
    u64,
    #[serde(borrow, with = "serde_bytes")] &'a [u8],
    #[serde(deserialize_with = "wire::bounded::<_, _, MAX_SIGNATURES>")] Vec<WireSignature>,
);

#[derive(Serialize, Deserialize)]
struct WireSignature(WireKey, ByteArray<64>);

/// Checks every signature and gives the signers.
fn verify(domain: &[u8], payload: &[u8], signatures: &[WireSignature]) -> Result<Vec<PublicKey>, DecodeError> {
    if signatures.is_empty() {
        return Err(DecodeError::UnderSigned { found: 0 });
    }
    if !signatures.is_sorted_by(|a, b| a.0.0 < b.0.0) {
        return Err(DecodeError::SignerOrder);
    }
    let message = [domain, payload].concat();
    let check = |&WireSignature(WireKey(signer), bytes): &WireSignature| {
        let signature = Signature::from_bytes(bytes.into_array());
        match signer.verify(&message, &signature) {
            Ok(()) => Ok(signer),
            Err(_) => Err(DecodeError::BadSignature { signer }),
        }
    };
    signatures.iter().map(check).collect()
}

/// Makes a document signed by each of the identities, or says what is wrong with the text.
pub(crate) fn sign(payload: Payload, signers: &[&Identity]) -> Result<Vec<u8>, InvalidDocument> {
    let domain = payload.domain();
    let bytes = wire::to_cbor(&payload);
    match payload {
        Payload::Charter(text) => drop(Charter::check(text)?),
        Payload::Sheet(text) => drop(Sheet::check(text)?),
    }
    let message = [domain, &bytes].concat();
    let mut signatures: Vec<_> = signers
        .iter()
        .map(|signer| {
            let signature = *signer.sign(&message).as_bytes();
            WireSignature(WireKey(signer.public()), ByteArray::new(signature))
        })
        .collect();
    signatures.sort_unstable_by_key(|signature| signature.0.0);
    Ok(wire::to_cbor(&WireEnvelope(FORMAT, &bytes, signatures)))
}

/// Adds a signature to a document; one that has it stays as it is.
pub(crate) fn add_signature(bytes: &[u8], signer: &Identity) -> Result<Vec<u8>, DecodeError> {
    let WireEnvelope(format, payload, mut signatures) = wire::from_cbor(bytes)?;
    let text: Payload = wire::from_cbor(payload)?;
    if !signatures.iter().any(|signature| signature.0.0 == signer.public()) {
        let signature = *signer.sign(&[text.domain(), payload].concat()).as_bytes();
        signatures.push(WireSignature(WireKey(signer.public()), ByteArray::new(signature)));
    }
    signatures.sort_unstable_by_key(|signature| signature.0.0);
    Ok(wire::to_cbor(&WireEnvelope(format, payload, signatures)))
}

/// A document with the signatures of two that say the same.
pub(crate) fn join_signatures(one: &[u8], other: &[u8]) -> Result<Vec<u8>, DecodeError> {
    let WireEnvelope(format, payload, mut signatures) = wire::from_cbor(one)?;
    let WireEnvelope(_, _, more) = wire::from_cbor(other)?;
    signatures.extend(more);
    signatures.sort_unstable_by_key(|signature| signature.0.0);
    signatures.dedup_by_key(|signature| signature.0.0);
    Ok(wire::to_cbor(&WireEnvelope(format, payload, signatures)))
}

#[cfg(test)]
mod tests;

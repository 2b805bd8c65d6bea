//! The record as it travels: strict decoding, and the one encoding there is.

use std::ops::Range;
use std::sync::Arc;

use muster_keys::{PublicKey, Signature};
use muster_roles::{Act, GroupId, Precedence, Timestamp, UnitId};
use serde::Serialize;
use serde_bytes::{ByteArray, Bytes};
use sha2::{Digest, Sha256};

use super::strict::{Strict, StrictError};

mod id;
mod tree;

pub use id::{Rank, RecordId};
pub(crate) use tree::{MAX_TOGETHER, Path, plant};

/// A record is at most this many bytes: 4 KiB of text, its padding and about 300 bytes around it, with room to grow.
pub const MAX_RECORD_LEN: usize = 8 * 1024;

/// A gossip message is at most this many bytes of records, so that a few fit any peer's queue.
pub const MAX_BATCH_LEN: usize = 32 * 1024;

/// A gossip message holds at most this many records: the smallest record is over 200 bytes.
pub const MAX_BATCH_RECORDS: usize = 128;

/// The version that stands first in every record. In the first one records had no precedence, and held bare text; in the second,
/// each was signed by itself.
const RECORD_VERSION: u64 = 3;

/// Keeps a record's signature from standing for anything else that is signed with a role key.
const SIGNING_DOMAIN: &[u8] = b"muster record 3";

/// What kind of thing a record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A text message.
    Text,
    /// An order, which is to be answered.
    Order,
    /// An answer to an order.
    Answer,
    /// A confirmation of what has been received and read; no message by itself.
    Receipt,
}

impl Kind {
    const fn code(self) -> u64 {
        match self {
            Self::Text => 0,
            Self::Order => 1,
            Self::Answer => 2,
            Self::Receipt => 3,
        }
    }

    const fn from_code(code: u64) -> Option<Self> {
        match code {
            0 => Some(Self::Text),
            1 => Some(Self::Order),
            2 => Some(Self::Answer),
            3 => Some(Self::Receipt),
            _ => None,
        }
    }

    /// Tells whether it is something said, which is shown to people and counted; a receipt is not.
    #[must_use]
    pub const fn is_message(self) -> bool {
        !matches!(self, Self::Receipt)
    }
}

const fn precedence_code(precedence: Precedence) -> u64 {
    match precedence {
        Precedence::Routine => 0,
        Precedence::Priority => 1,
        Precedence::Immediate => 2,
        Precedence::Flash => 3,
    }
}

fn precedence_from_code(code: u64) -> Option<Precedence> {
    Precedence::ALL.into_iter().find(|precedence| precedence_code(*precedence) == code)
}

/// The part of a record that everyone can read, carriers too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The unit it belongs to.
    pub unit: UnitId,
    /// What it says.
    pub kind: Kind,
    /// How urgent it is; a receipt is routine.
    pub precedence: Precedence,
    /// Where it is posted.
    pub group: GroupId,
    /// Who says it.
    pub author: PublicKey,
    /// The author's own count in this group, from 1: of its messages, or where it is a receipt, of its receipts.
    pub seq: u64,
    /// When, by the author's hybrid clock.
    pub time: Timestamp,
    /// The charter the author went by.
    pub charter_version: u64,
    /// The sheet of the group the author went by; 0 for `heads`, which has none.
    pub sheet_version: u64,
    /// The period of the group key in use.
    pub epoch: u64,
}

/// The header's fields in wire order.
type HeaderFields<'a> = (ByteArray<16>, u64, u64, &'a str, ByteArray<32>, u64, u64, u64, u64, u64);

impl Header {
    fn fields(&self) -> HeaderFields<'_> {
        (
            ByteArray::new(*self.unit.as_bytes()),
            self.kind.code(),
            precedence_code(self.precedence),
            self.group.as_str(),
            ByteArray::new(*self.author.as_bytes()),
            self.seq,
            self.time.to_u64(),
            self.charter_version,
            self.sheet_version,
            self.epoch,
        )
    }

    fn from_fields(fields: HeaderFields<'_>) -> Result<Self, DecodeError> {
        let (unit, kind, precedence, group, author, seq, time, charter_version, sheet_version, epoch) = fields;
        let header = Self {
            unit: UnitId::from_bytes(unit.into_array()),
            kind: Kind::from_code(kind).ok_or(DecodeError::UnknownVersion)?,
            precedence: precedence_from_code(precedence).ok_or(DecodeError::BadField)?,
            group: group.parse().map_err(|_| DecodeError::BadField)?,
            author: PublicKey::from_bytes(&author).map_err(|_| DecodeError::BadField)?,
            seq,
            time: Timestamp::from_u64(time),
            charter_version,
            sheet_version,
            epoch,
        };
        let is_possible = header.kind.is_message() || header.precedence == Precedence::Routine;
        if is_possible { Ok(header) } else { Err(DecodeError::BadField) }
    }

    /// Returns what its author needs the right to.
    #[must_use]
    pub const fn act(&self) -> Act {
        match self.kind {
            Kind::Text => Act::Text(self.precedence),
            Kind::Order => Act::Order(self.precedence),
            Kind::Answer => Act::Answer(self.precedence),
            Kind::Receipt => Act::Receipt,
        }
    }

    /// Returns what it goes before and after.
    #[must_use]
    pub fn rank(&self) -> Rank {
        if self.kind.is_message() { self.precedence.into() } else { Rank::Receipt }
    }

    /// Returns what the cipher binds the body to: these fields, encoded.
    pub(crate) fn associated_data(&self) -> Vec<u8> {
        encode(&self.fields())
    }
}

/// The payload's fields in wire order.
#[derive(Serialize)]
struct PayloadFields<'a>(
    ByteArray<16>,
    u64,
    u64,
    &'a str,
    ByteArray<32>,
    u64,
    u64,
    u64,
    u64,
    u64,
    ByteArray<24>,
    &'a Bytes,
);

/// Fields of a payload, and those of them that are its header.
const PAYLOAD_FIELDS: u64 = 12;
const HEADER_FIELDS: u8 = 10;

/// What a list of [`HEADER_FIELDS`] begins with.
const HEADER_LIST: u8 = 0x80 | HEADER_FIELDS;

/// The record's fields in wire order: version, payload, signature, and the way to what is signed: its turns and digests.
#[derive(Serialize)]
struct RecordFields<'a>(u64, &'a Bytes, ByteArray<64>, u64, &'a Bytes);

/// Fields of a record.
const RECORD_FIELDS: u64 = 5;

/// Why bytes are not a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// More bytes than a record, or a list of them, may have.
    #[error("found {len} bytes, expected at most {max}")]
    TooLong {
        /// Bytes found.
        len: usize,
        /// The limit.
        max: usize,
    },
    /// Not CBOR of this shape.
    #[error("not a record")]
    Malformed,
    /// A version or kind that this node does not know.
    #[error("unknown record version or kind")]
    UnknownVersion,
    /// The same content in another encoding than the one there is.
    #[error("not in canonical encoding")]
    NotCanonical,
    /// A field holds what it cannot: a group's name or an author's key.
    #[error("a field holds an impossible value")]
    BadField,
    /// A list of records is empty or too long.
    #[error("found {0} records, expected 1 to {MAX_BATCH_RECORDS}")]
    Count(usize),
}

impl From<StrictError> for DecodeError {
    fn from(error: StrictError) -> Self {
        match error {
            StrictError::Malformed => Self::Malformed,
            StrictError::NotCanonical => Self::NotCanonical,
        }
    }
}

/// What an author has signed, or is said to have: the root over one record or several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Root {
    author: PublicKey,
    digest: [u8; 32],
    signature: Signature,
}

impl Root {
    /// Tells whether the author did sign it.
    pub(crate) fn is_signed(&self) -> bool {
        self.author.verify(&signed_bytes(&self.digest), &self.signature).is_ok()
    }
}

/// A well-formed record whose signature nobody has checked yet.
#[derive(Clone, Debug)]
pub struct Frame {
    bytes: Arc<[u8]>,
    header_fields: Range<usize>,
    body: Range<usize>,
    nonce: [u8; 24],
    signature: Signature,
    root: [u8; 32],
    is_alone: bool,
    id: RecordId,
    header: Header,
}

impl Frame {
    /// Decodes a record and keeps its bytes as they came.
    ///
    /// # Errors
    /// [`DecodeError`] for anything but the one canonical encoding of a record.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.len() > MAX_RECORD_LEN {
            return Err(DecodeError::TooLong { len: bytes.len(), max: MAX_RECORD_LEN });
        }
        let mut record = Strict::new(bytes);
        record.list_of(RECORD_FIELDS)?;
        let (version, payload, signature) = (record.number()?, record.bytes_at()?, record.array()?);
        let (turns, siblings) = (record.number()?, record.bytes()?);
        record.finish()?;
        if version != RECORD_VERSION {
            return Err(DecodeError::UnknownVersion);
        }
        let mut fields = record.within(payload.clone());
        fields.list_of(PAYLOAD_FIELDS)?;
        let before = fields.at();
        let header = read_header(&mut fields)?;
        let header_fields = before..fields.at();
        let (nonce, body) = (fields.array()?, fields.bytes_at()?);
        fields.finish()?;
        let header = Header::from_fields(header)?;
        let digest = digest(bytes.get(payload).unwrap_or_default());
        let root = tree::climb(digest, turns, siblings).ok_or(DecodeError::BadField)?;
        Ok(Self {
            id: RecordId::of(digest, header.rank()),
            bytes: bytes.into(),
            header_fields,
            body,
            nonce,
            signature: Signature::from_bytes(signature),
            root,
            is_alone: siblings.is_empty(),
            header,
        })
    }

    /// Returns the record as it came.
    #[must_use]
    pub fn bytes(&self) -> &Arc<[u8]> {
        &self.bytes
    }

    /// Returns its name.
    #[must_use]
    pub fn id(&self) -> RecordId {
        self.id
    }

    /// Returns what everyone can read of it.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Returns the cipher's nonce.
    pub(crate) fn nonce(&self) -> &[u8; 24] {
        &self.nonce
    }

    /// Returns what the cipher binds the body to, as [`Header::associated_data`] does, without encoding anything.
    pub(crate) fn associated_data(&self) -> Vec<u8> {
        // The fields stand in the payload as they do in a list of their own; only the head of that is another one.
        [&[HEADER_LIST], self.bytes.get(self.header_fields.clone()).unwrap_or_default()].concat()
    }

    /// Returns the sealed text.
    pub(crate) fn body(&self) -> &[u8] {
        self.bytes.get(self.body.clone()).unwrap_or_default()
    }

    /// Returns what its author is said to have signed.
    pub(crate) fn root(&self) -> Root {
        Root { author: self.header.author, digest: self.root, signature: self.signature }
    }

    /// Tells whether it was signed alone, so that no other record has the same root.
    pub(crate) fn is_alone(&self) -> bool {
        self.is_alone
    }
}

/// Reads a header's fields.
fn read_header<'a>(fields: &mut Strict<'a>) -> Result<HeaderFields<'a>, StrictError> {
    Ok((
        ByteArray::new(fields.array()?),
        fields.number()?,
        fields.number()?,
        fields.text()?,
        ByteArray::new(fields.array()?),
        fields.number()?,
        fields.number()?,
        fields.number()?,
        fields.number()?,
        fields.number()?,
    ))
}

/// Encodes a payload from its header, nonce and sealed text.
pub(crate) fn encode_payload(header: &Header, nonce: &[u8; 24], body: &[u8]) -> Vec<u8> {
    let (unit, kind, precedence, group, author, seq, time, charter_version, sheet_version, epoch) = header.fields();
    encode(&PayloadFields(
        unit,
        kind,
        precedence,
        group,
        author,
        seq,
        time,
        charter_version,
        sheet_version,
        epoch,
        ByteArray::new(*nonce),
        Bytes::new(body),
    ))
}

/// Returns a payload's digest, which is a leaf of the tree that it is signed in, and but for its rank the record's id.
pub(crate) fn digest(payload: &[u8]) -> [u8; 32] {
    Sha256::digest(payload).into()
}

/// Returns what the signature of records is over: the root of the tree of their payloads' digests.
pub(crate) fn signed_bytes(root: &[u8; 32]) -> Vec<u8> {
    [SIGNING_DOMAIN, root].concat()
}

/// Encodes a record from its payload, the signature over the root of its tree, and its way there.
pub(crate) fn encode_record(payload: &[u8], signature: &Signature, path: &Path) -> Vec<u8> {
    encode(&RecordFields(
        RECORD_VERSION,
        Bytes::new(payload),
        ByteArray::new(*signature.as_bytes()),
        path.turns,
        Bytes::new(&path.siblings),
    ))
}

/// Decodes a gossip message: one to [`MAX_BATCH_RECORDS`] records.
///
/// # Errors
/// [`DecodeError`] where the list or any record in it is not in its one encoding.
pub fn decode_batch(bytes: &[u8]) -> Result<Vec<Frame>, DecodeError> {
    if bytes.len() > MAX_BATCH_LEN {
        return Err(DecodeError::TooLong { len: bytes.len(), max: MAX_BATCH_LEN });
    }
    split_batch(bytes)?.into_iter().map(Frame::decode).collect()
}

/// Takes a gossip message apart into its records.
fn split_batch(bytes: &[u8]) -> Result<Vec<&[u8]>, DecodeError> {
    let mut list = Strict::new(bytes);
    let (mut records, mut count) = (Vec::new(), 0);
    // However many are claimed: each takes a byte at least, so this ends with the bytes.
    for _ in 0..list.list()? {
        let record = list.bytes()?;
        if count < MAX_BATCH_RECORDS {
            records.push(record);
        }
        count += 1;
    }
    list.finish()?;
    if (1..=MAX_BATCH_RECORDS).contains(&count) { Ok(records) } else { Err(DecodeError::Count(count)) }
}

/// Encodes records as one gossip message.
#[must_use]
pub fn encode_batch(records: &[Arc<[u8]>]) -> Vec<u8> {
    let records: Vec<&Bytes> = records.iter().map(|record| Bytes::new(record)).collect();
    encode(&records)
}

/// Returns how many bytes a record takes in a gossip message: itself and its length before it.
#[must_use]
pub fn batched_len(record: &[u8]) -> usize {
    record.len() + 3
}

fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    // Tuples of integers, text and bytes: nothing in them can fail to encode, and a buffer takes all that is written.
    serde_cbor::to_vec(value).unwrap_or_default()
}

#[cfg(test)]
mod tests;

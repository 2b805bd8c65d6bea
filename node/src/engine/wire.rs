//! The record as it travels: strict decoding, and the one encoding there is.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use muster_keys::{PublicKey, Signature};
use muster_roles::{Act, GroupId, Precedence, Timestamp, UnitId};
use serde::{Deserialize, Serialize};
use serde_bytes::{ByteArray, Bytes};
use sha2::{Digest, Sha256};

/// A record is at most this many bytes: 4 KiB of text, its padding and about 300 bytes around it, with room to grow.
pub const MAX_RECORD_LEN: usize = 8 * 1024;

/// A gossip message is at most this many bytes of records, so that a few fit any peer's queue.
pub const MAX_BATCH_LEN: usize = 32 * 1024;

/// A gossip message holds at most this many records: the smallest record is over 200 bytes.
pub const MAX_BATCH_RECORDS: usize = 128;

/// The version that stands first in every record. In the first one records had no precedence, and held bare text.
const RECORD_VERSION: u64 = 2;

/// Keeps a record's signature from standing for anything else that is signed with a role key.
const SIGNING_DOMAIN: &[u8] = b"muster record 2";

/// What goes first where something waits: the lowest makes room, the highest is sent and fetched before the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rank {
    /// A receipt.
    Receipt,
    /// A routine message.
    Routine,
    /// A priority message.
    Priority,
    /// An immediate message.
    Immediate,
    /// A flash message.
    Flash,
}

impl Rank {
    /// All ranks, the lowest first.
    pub const ALL: [Self; 5] = [Self::Receipt, Self::Routine, Self::Priority, Self::Immediate, Self::Flash];

    const fn code(self) -> u8 {
        match self {
            Self::Receipt => 0,
            Self::Routine => 1,
            Self::Priority => 2,
            Self::Immediate => 3,
            Self::Flash => 4,
        }
    }

    /// Reads a rank; a code that is none, which no record's is, counts for the lowest.
    #[must_use]
    pub const fn from_code(code: u8) -> Self {
        match code {
            1 => Self::Routine,
            2 => Self::Priority,
            3 => Self::Immediate,
            4 => Self::Flash,
            _ => Self::Receipt,
        }
    }
}

impl From<Precedence> for Rank {
    fn from(precedence: Precedence) -> Self {
        match precedence {
            Precedence::Routine => Self::Routine,
            Precedence::Priority => Self::Priority,
            Precedence::Immediate => Self::Immediate,
            Precedence::Flash => Self::Flash,
        }
    }
}

/// A record's name: SHA-256 over its payload, the first byte of it replaced by the record's rank.
///
/// So whoever knows a record by name alone, as one does that is yet to be fetched, knows whether it goes first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordId([u8; 32]);

impl RecordId {
    /// Wraps an id read back from a store or an index.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Names a payload of this rank.
    fn of(payload: &[u8], rank: Rank) -> Self {
        let [_, rest @ ..]: [u8; 32] = Sha256::digest(payload).into();
        let mut id = [rank.code(); 32];
        id.iter_mut().skip(1).zip(rest).for_each(|(to, from)| *to = from);
        Self(id)
    }

    /// Returns the record's rank.
    #[must_use]
    pub const fn rank(&self) -> Rank {
        let [code, ..] = self.0;
        Rank::from_code(code)
    }

    /// Returns the id's bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().take(5).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

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
#[derive(Serialize, Deserialize)]
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
    #[serde(borrow)] &'a Bytes,
);

/// The record's fields in wire order.
#[derive(Serialize, Deserialize)]
struct RecordFields<'a>(u64, #[serde(borrow)] &'a Bytes, ByteArray<64>);

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

/// A well-formed record whose signature nobody has checked yet.
#[derive(Clone, Debug)]
pub struct Frame {
    bytes: Arc<[u8]>,
    payload: Range<usize>,
    body: Range<usize>,
    nonce: [u8; 24],
    signature: Signature,
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
        let record: RecordFields<'_> = serde_cbor::from_slice(bytes).map_err(|_| DecodeError::Malformed)?;
        let RecordFields(version, payload, ref signature) = record;
        if version != RECORD_VERSION {
            return Err(DecodeError::UnknownVersion);
        }
        let fields: PayloadFields<'_> = serde_cbor::from_slice(payload).map_err(|_| DecodeError::Malformed)?;
        if encode(&fields) != **payload || encode(&record) != bytes {
            return Err(DecodeError::NotCanonical);
        }
        let header = fields.header()?;
        let payload_range = offset_of(payload, bytes).ok_or(DecodeError::Malformed)?;
        let body = offset_of(fields.11, bytes).ok_or(DecodeError::Malformed)?;
        Ok(Self {
            bytes: bytes.into(),
            payload: payload_range,
            body,
            nonce: fields.10.into_array(),
            signature: Signature::from_bytes(signature.into_array()),
            id: RecordId::of(payload, header.rank()),
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

    /// Returns the sealed text.
    pub(crate) fn body(&self) -> &[u8] {
        self.bytes.get(self.body.clone()).unwrap_or_default()
    }

    /// Tells whether the author signed exactly this payload.
    pub(crate) fn signature_holds(&self) -> bool {
        let payload = self.bytes.get(self.payload.clone()).unwrap_or_default();
        self.header.author.verify(&signed_bytes(payload), &self.signature).is_ok()
    }
}

impl PayloadFields<'_> {
    fn header(&self) -> Result<Header, DecodeError> {
        let header = Header {
            unit: UnitId::from_bytes(self.0.into_array()),
            kind: Kind::from_code(self.1).ok_or(DecodeError::UnknownVersion)?,
            precedence: precedence_from_code(self.2).ok_or(DecodeError::BadField)?,
            group: self.3.parse().map_err(|_| DecodeError::BadField)?,
            author: PublicKey::from_bytes(&self.4).map_err(|_| DecodeError::BadField)?,
            seq: self.5,
            time: Timestamp::from_u64(self.6),
            charter_version: self.7,
            sheet_version: self.8,
            epoch: self.9,
        };
        let is_possible = header.kind.is_message() || header.precedence == Precedence::Routine;
        if is_possible { Ok(header) } else { Err(DecodeError::BadField) }
    }
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

/// Returns what a record's signature is over.
pub(crate) fn signed_bytes(payload: &[u8]) -> Vec<u8> {
    [SIGNING_DOMAIN, payload].concat()
}

/// Encodes a record from its payload and signature.
pub(crate) fn encode_record(payload: &[u8], signature: &Signature) -> Vec<u8> {
    encode(&RecordFields(RECORD_VERSION, Bytes::new(payload), ByteArray::new(*signature.as_bytes())))
}

/// Decodes a gossip message: one to [`MAX_BATCH_RECORDS`] records.
///
/// # Errors
/// [`DecodeError`] where the list or any record in it is not in its one encoding.
pub fn decode_batch(bytes: &[u8]) -> Result<Vec<Frame>, DecodeError> {
    if bytes.len() > MAX_BATCH_LEN {
        return Err(DecodeError::TooLong { len: bytes.len(), max: MAX_BATCH_LEN });
    }
    let records: Vec<&Bytes> = serde_cbor::from_slice(bytes).map_err(|_| DecodeError::Malformed)?;
    if records.is_empty() || records.len() > MAX_BATCH_RECORDS {
        return Err(DecodeError::Count(records.len()));
    }
    if encode(&records) != bytes {
        return Err(DecodeError::NotCanonical);
    }
    records.into_iter().map(|record| Frame::decode(record)).collect()
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

/// Returns where `part`, a slice borrowed from `whole`, stands in it.
fn offset_of(part: &[u8], whole: &[u8]) -> Option<Range<usize>> {
    let start = (part.as_ptr() as usize).checked_sub(whole.as_ptr() as usize)?;
    let range = start..start.checked_add(part.len())?;
    (whole.get(range.clone())? == part).then_some(range)
}

#[cfg(test)]
mod tests;

//! What two nodes say before anything else: the messages of the hello protocol, and what follows from them.
//!
//! A hello tells a stranger nothing but the unit, how new the node's roster is and its clock. A message is the
//! CBOR array `[kind, body: bstr]`, the body an array of its fields; like records, it is read in its one canonical
//! encoding only, so that whatever is taken in can be told again byte for byte.

use std::collections::BTreeSet;

use muster_keys::PublicKey;
use muster_roles::{Commitment, DocumentId, JoinNonce, MemberName, Roster, UnitId};
use serde::{Deserialize, Serialize};
use serde_bytes::{ByteArray, Bytes};

#[cfg(test)]
mod tests;

/// The largest request in bytes: a hello stays below 10 KiB, a fetch names [`MAX_HAVE`] documents in 20 KiB.
pub const MAX_REQUEST_LEN: usize = 64 * 1024;

/// The largest response in bytes: a document of the largest size and as much again, so that slow links see progress.
pub const MAX_RESPONSE_LEN: usize = 2 * 1024 * 1024;

/// The most addresses that a node tells of itself: a few interfaces, each with two transports.
pub const MAX_LISTEN: usize = 16;

/// The most peers whose addresses a node tells.
pub const MAX_PEERS: usize = 32;

/// The bytes that a hello takes at most, so that two nodes in step spend less than 1 KiB: as many peers are told as fit,
/// others in the next one.
pub const MAX_HELLO_LEN: usize = 480;

/// The most addresses told of each of those.
pub const MAX_PEER_ADDRESSES: usize = 4;

/// The longest address in bytes; an IPv6 one with its port and transport takes 24.
pub const MAX_ADDRESS_LEN: usize = 64;

/// The most documents that a fetch names as known; of a roster that has more, some arrive again and are known then.
pub const MAX_HAVE: usize = 1024;

/// The most documents in one response.
pub const MAX_DOCUMENTS: usize = 1024;

/// The most bytes of documents that are handed on unasked. With a sheet of a hundred it saves a round trip a hop; what is
/// larger is fetched, so that nobody is sent much that a neighbour has just sent it.
pub const MAX_NEWS_LEN: usize = 16 * 1024;

/// What each document of a response costs beside its own bytes, rounded up.
const DOCUMENT_OVERHEAD_LEN: usize = 8;

/// Where a node can be reached, in the network's own binary form; the engine only carries it.
pub type Address = Vec<u8>;

/// How a node introduces itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The unit it belongs to.
    pub unit: UnitId,
    /// A random number drawn when the process started: another one means a restart.
    pub incarnation: u64,
    /// Its roster's version.
    pub roster_version: u64,
    /// Its roster's digest.
    pub roster_digest: [u8; 32],
    /// What its clock shows in milliseconds since 1970, uncorrected: a correction must not feed on others' corrections.
    pub clock_ms: u64,
    /// Where it can be reached; empty towards a stranger.
    pub listen: Vec<Address>,
    /// Members that it is connected to, and where they can be reached; empty towards a stranger.
    pub peers: Vec<(PublicKey, Vec<Address>)>,
}

/// What a node asks of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Who are you; here is who I am.
    Hello(Hello),
    /// A hello, with the roster documents that have just changed what I am.
    News {
        /// The introduction.
        hello: Hello,
        /// The documents, the ones that others build on first.
        documents: Vec<Vec<u8>>,
    },
    /// The roster documents that I lack.
    Fetch {
        /// Those that I have.
        have: BTreeSet<DocumentId>,
    },
    /// Let me into your unit: the beginning of [joining](super::join).
    Join {
        /// The name that I would have.
        name: MemberName,
        /// What binds me to my nonce.
        commitment: Commitment,
    },
    /// The nonce that I have committed myself to; then, again and again: am I in?
    Reveal {
        /// The nonce.
        nonce: JoinNonce,
    },
}

/// What it is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Response {
    /// Who I am.
    Hello {
        /// The introduction.
        hello: Hello,
        /// Whether my roster lists you: then I listen to your gossip from now on.
        admitted: bool,
    },
    /// Roster documents, the ones that others build on first.
    Documents(Vec<Vec<u8>>),
    /// Your request to join waits for a person.
    Waiting {
        /// The unit that you would join.
        unit: UnitId,
        /// The nonce drawn for you.
        nonce: JoinNonce,
    },
    /// Nothing for you.
    Refused,
}

/// Why bytes are not a hello message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Longer than any message may be.
    #[error("found {len} bytes, expected at most {max}")]
    TooLong {
        /// Bytes found.
        len: usize,
        /// The limit.
        max: usize,
    },
    /// Not the CBOR of a message.
    #[error("not a hello message")]
    Malformed,
    /// A message of a kind that this version does not know.
    #[error("unknown message kind {0}")]
    UnknownKind(u64),
    /// The same content has another encoding, which is the one to use.
    #[error("not in canonical encoding")]
    NotCanonical,
    /// Too many or too long parts, or a public key that is none.
    #[error("a field holds an impossible value")]
    BadField,
}

const KIND_HELLO: u64 = 0;
const KIND_FETCH: u64 = 1;
const KIND_DOCUMENTS: u64 = 2;
const KIND_REFUSED: u64 = 3;
const KIND_NEWS: u64 = 4;
const KIND_JOIN: u64 = 5;
const KIND_REVEAL: u64 = 6;
const KIND_WAITING: u64 = 7;

#[derive(Serialize, Deserialize)]
struct Envelope<'a>(u64, #[serde(borrow)] &'a Bytes);

#[derive(Serialize, Deserialize)]
struct HelloFields<'a>(
    ByteArray<16>,
    u64,
    u64,
    ByteArray<32>,
    u64,
    #[serde(borrow)] Vec<&'a Bytes>,
    #[serde(borrow)] Vec<(ByteArray<32>, Vec<&'a Bytes>)>,
);

#[derive(Serialize, Deserialize)]
struct AnswerFields<'a>(bool, #[serde(borrow)] HelloFields<'a>);

#[derive(Serialize, Deserialize)]
struct NewsFields<'a>(#[serde(borrow)] HelloFields<'a>, #[serde(borrow)] Vec<&'a Bytes>);

#[derive(Serialize, Deserialize)]
struct JoinFields<'a>(&'a str, Commitment);

#[derive(Serialize, Deserialize)]
struct WaitingFields(UnitId, JoinNonce);

impl<'a> From<&'a Hello> for HelloFields<'a> {
    fn from(hello: &'a Hello) -> Self {
        Self(
            ByteArray::new(*hello.unit.as_bytes()),
            hello.incarnation,
            hello.roster_version,
            ByteArray::new(hello.roster_digest),
            hello.clock_ms,
            hello.listen.iter().map(|address| Bytes::new(address)).collect(),
            hello
                .peers
                .iter()
                .map(|(key, addresses)| {
                    (ByteArray::new(*key.as_bytes()), addresses.iter().map(|address| Bytes::new(address)).collect())
                })
                .collect(),
        )
    }
}

impl TryFrom<HelloFields<'_>> for Hello {
    type Error = DecodeError;

    fn try_from(fields: HelloFields<'_>) -> Result<Self, DecodeError> {
        let HelloFields(unit, incarnation, roster_version, roster_digest, clock_ms, listen, peers) = fields;
        if peers.len() > MAX_PEERS {
            return Err(DecodeError::BadField);
        }
        Ok(Self {
            unit: UnitId::from_bytes(unit.into_array()),
            incarnation,
            roster_version,
            roster_digest: roster_digest.into_array(),
            clock_ms,
            listen: addresses(&listen, MAX_LISTEN)?,
            peers: peers
                .iter()
                .map(|(key, told)| {
                    let key = PublicKey::from_bytes(key).map_err(|_| DecodeError::BadField)?;
                    Ok((key, addresses(told, MAX_PEER_ADDRESSES)?))
                })
                .collect::<Result<_, DecodeError>>()?,
        })
    }
}

fn addresses(told: &[&Bytes], max: usize) -> Result<Vec<Address>, DecodeError> {
    if told.len() > max || told.iter().any(|address| address.is_empty() || address.len() > MAX_ADDRESS_LEN) {
        return Err(DecodeError::BadField);
    }
    Ok(told.iter().map(|address| address.to_vec()).collect())
}

impl Hello {
    /// Tells of as many of these peers as [`MAX_HELLO_LEN`] has room for; returns how many that are.
    pub fn tell_of(&mut self, peers: impl IntoIterator<Item = (PublicKey, Vec<Address>)>) -> usize {
        let mut told = 0;
        for peer in peers.into_iter().take(MAX_PEERS) {
            self.peers.push(peer);
            if Request::Hello(self.clone()).encode().len() > MAX_HELLO_LEN {
                self.peers.pop();
                break;
            }
            told += 1;
        }
        told
    }
}

impl Request {
    /// Returns the message as it travels.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Hello(hello) => message(KIND_HELLO, &HelloFields::from(hello)),
            Self::News { hello, documents } => message(KIND_NEWS, &NewsFields(hello.into(), bytes_of(documents))),
            Self::Fetch { have } => {
                message(KIND_FETCH, &have.iter().map(|id| ByteArray::new(*id.as_bytes())).collect::<Vec<_>>())
            }
            Self::Join { name, commitment } => message(KIND_JOIN, &JoinFields(name.as_str(), *commitment)),
            Self::Reveal { nonce } => message(KIND_REVEAL, &[nonce]),
        }
    }

    /// Reads a request.
    ///
    /// # Errors
    ///
    /// When the bytes are not a request in its canonical encoding and within its bounds.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let Envelope(kind, body) = envelope(bytes, MAX_REQUEST_LEN)?;
        let request = match kind {
            KIND_HELLO => Self::Hello(fields::<HelloFields<'_>>(body)?.try_into()?),
            KIND_NEWS => {
                let NewsFields(hello, documents) = fields(body)?;
                Self::News { hello: hello.try_into()?, documents: documents_of(&documents)? }
            }
            KIND_JOIN => {
                let JoinFields(name, commitment) = fields(body)?;
                let name = name.parse().map_err(|_| DecodeError::BadField)?;
                Self::Join { name, commitment }
            }
            KIND_REVEAL => {
                let [nonce] = fields::<[JoinNonce; 1]>(body)?;
                Self::Reveal { nonce }
            }
            KIND_FETCH => {
                let have: Vec<ByteArray<16>> = fields(body)?;
                if have.len() > MAX_HAVE {
                    return Err(DecodeError::BadField);
                }
                Self::Fetch { have: have.into_iter().map(|id| DocumentId::from_bytes(id.into_array())).collect() }
            }
            kind => return Err(DecodeError::UnknownKind(kind)),
        };
        canonical(&request.encode(), bytes)?;
        Ok(request)
    }
}

impl Response {
    /// Returns the message as it travels.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Hello { hello, admitted } => message(KIND_HELLO, &AnswerFields(*admitted, hello.into())),
            Self::Documents(documents) => message(KIND_DOCUMENTS, &bytes_of(documents)),
            Self::Waiting { unit, nonce } => message(KIND_WAITING, &WaitingFields(*unit, *nonce)),
            Self::Refused => message(KIND_REFUSED, &Vec::<u64>::new()),
        }
    }

    /// Reads a response.
    ///
    /// # Errors
    ///
    /// When the bytes are not a response in its canonical encoding and within its bounds.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let Envelope(kind, body) = envelope(bytes, MAX_RESPONSE_LEN)?;
        let response = match kind {
            KIND_HELLO => {
                let AnswerFields(admitted, hello) = fields(body)?;
                Self::Hello { hello: hello.try_into()?, admitted }
            }
            KIND_DOCUMENTS => Self::Documents(documents_of(&fields::<Vec<&Bytes>>(body)?)?),
            KIND_WAITING => {
                let WaitingFields(unit, nonce) = fields(body)?;
                Self::Waiting { unit, nonce }
            }
            KIND_REFUSED => Self::Refused,
            kind => return Err(DecodeError::UnknownKind(kind)),
        };
        canonical(&response.encode(), bytes)?;
        Ok(response)
    }
}

fn bytes_of(documents: &[Vec<u8>]) -> Vec<&Bytes> {
    documents.iter().map(|document| Bytes::new(document)).collect()
}

fn documents_of(told: &[&Bytes]) -> Result<Vec<Vec<u8>>, DecodeError> {
    if told.len() > MAX_DOCUMENTS {
        return Err(DecodeError::BadField);
    }
    Ok(told.iter().map(|document| document.to_vec()).collect())
}

fn envelope(bytes: &[u8], max: usize) -> Result<Envelope<'_>, DecodeError> {
    if bytes.len() > max {
        return Err(DecodeError::TooLong { len: bytes.len(), max });
    }
    fields(bytes)
}

fn fields<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, DecodeError> {
    serde_cbor::from_slice(bytes).map_err(|_| DecodeError::Malformed)
}

fn canonical(encoded: &[u8], bytes: &[u8]) -> Result<(), DecodeError> {
    if encoded == bytes { Ok(()) } else { Err(DecodeError::NotCanonical) }
}

fn message<T: Serialize>(kind: u64, body: &T) -> Vec<u8> {
    encode(&Envelope(kind, Bytes::new(&encode(body))))
}

fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    // Tuples of integers, booleans and bytes: nothing in them can fail to encode, and a buffer takes all that is written.
    serde_cbor::to_vec(value).unwrap_or_default()
}

/// What a hello leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// Another unit's node: there is nothing to talk about.
    OtherUnit,
    /// A node of this unit, or one that says so.
    SameUnit {
        /// Whether this roster lists the peer: it gets gossip, documents and addresses.
        admit: bool,
        /// Whether the peer may have roster documents that are not here.
        fetch: bool,
    },
}

/// Judges the hello of a peer whose key the transport has proved.
#[must_use]
pub fn judge(roster: &Roster, peer: &PublicKey, hello: &Hello) -> Judgement {
    if hello.unit != roster.unit() {
        return Judgement::OtherUnit;
    }
    Judgement::SameUnit { admit: roster.member(peer).is_some(), fetch: hello.roster_digest != roster.digest() }
}

/// Answers a fetch: whoever this roster lists gets what it lacks, as much as one response holds.
#[must_use]
pub fn answer_fetch(roster: &Roster, peer: &PublicKey, have: &BTreeSet<DocumentId>) -> Response {
    if roster.member(peer).is_none() {
        return Response::Refused;
    }
    let mut room = MAX_RESPONSE_LEN - 2 * DOCUMENT_OVERHEAD_LEN;
    let documents = roster.missing_from(have).into_iter().take(MAX_DOCUMENTS).map_while(|document| {
        room = room.checked_sub(document.len() + DOCUMENT_OVERHEAD_LEN)?;
        Some(document.to_vec())
    });
    Response::Documents(documents.collect())
}

/// Returns what a node that held `before` lacks of `roster`, if it is little enough to be handed on unasked.
#[must_use]
pub fn news(before: &Roster, roster: &Roster) -> Option<Vec<Vec<u8>>> {
    let had: BTreeSet<DocumentId> = before.documents().map(|(id, _)| id).collect();
    let documents = roster.missing_from(&had);
    let len: usize = documents.iter().map(|document| document.len() + DOCUMENT_OVERHEAD_LEN).sum();
    let fits = !documents.is_empty() && documents.len() <= MAX_DOCUMENTS && len <= MAX_NEWS_LEN;
    fits.then(|| documents.into_iter().map(<[u8]>::to_vec).collect())
}

/// Returns the request for what a peer has and this roster has not.
#[must_use]
pub fn fetch(roster: &Roster) -> Request {
    Request::Fetch { have: roster.documents().map(|(id, _)| id).take(MAX_HAVE).collect() }
}

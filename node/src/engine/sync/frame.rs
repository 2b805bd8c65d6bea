//! What travels on a sync stream: bounded frames, read in their one encoding only.

use muster_roles::{GroupId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_bytes::{ByteArray, ByteBuf};

use super::index::SyncId;
use crate::engine::floors::Floors;
use crate::engine::wire::{MAX_RECORD_LEN, batched_len};

/// A frame is at most this many bytes, so that no session holds up another for long.
pub const MAX_FRAME_LEN: usize = 32 * 1024;

/// A round of comparing is at most this many bytes: a frame less what stands around it.
pub(super) const MAX_ROUND_LEN: u64 = MAX_FRAME_LEN as u64 - 256;

/// Records asked for at once: some 40 KiB of usual ones, 1 MiB of the largest.
pub const MAX_WANTED: usize = 128;

/// Bytes of a frame around its records: kinds, lengths and the group's name.
const RECORDS_OVERHEAD: usize = 64;

/// One thing said on a sync stream.
///
/// The side that opened the stream leads: it compares, and asks for what it lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// The leader's next round of comparing the records of a group that `from` keeps and that are older than `to`.
    Compare {
        /// The group.
        group: GroupId,
        /// The oldest times.
        from: Floors,
        /// The first time left out.
        to: Timestamp,
        /// A negentropy message.
        round: Vec<u8>,
    },
    /// The answer to a round; nothing in it means that this group is not carried here.
    Compared {
        /// The group.
        group: GroupId,
        /// A negentropy message, or nothing.
        round: Vec<u8>,
    },
    /// The answer to a round that began too early: older records of the group are not kept here, compare from these times.
    Since {
        /// The group.
        group: GroupId,
        /// The oldest times that both sides keep.
        from: Floors,
    },
    /// The leader lacks these; answered by [`Frame::Records`], the last of which says so.
    Want {
        /// The group.
        group: GroupId,
        /// Their names, up to [`MAX_WANTED`].
        names: Vec<SyncId>,
    },
    /// Wanted records, as they travel.
    Records {
        /// The group.
        group: GroupId,
        /// The records.
        records: Vec<Vec<u8>>,
        /// Whether this ends the answer.
        last: bool,
    },
    /// The leader found that the other side lacks something: it may lead a session of its own.
    Behind,
}

/// Why bytes are not a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Longer than a frame may be.
    #[error("found {len} bytes, expected at most {MAX_FRAME_LEN}")]
    TooLong {
        /// Bytes found.
        len: usize,
    },
    /// Not a frame in its one encoding.
    #[error("not a sync frame")]
    Malformed,
    /// More names or longer records than a frame may hold, or a group's name that is none.
    #[error("a field holds an impossible value")]
    BadField,
}

/// The fields in wire order; what stands first in the array tells the kind.
#[derive(Serialize, Deserialize)]
enum Fields {
    #[serde(rename = "c")]
    Compare(String, Vec<u64>, u64, ByteBuf),
    #[serde(rename = "a")]
    Compared(String, ByteBuf),
    #[serde(rename = "s")]
    Since(String, Vec<u64>),
    #[serde(rename = "w")]
    Want(String, Vec<ByteArray<32>>),
    #[serde(rename = "r")]
    Records(String, Vec<ByteBuf>, bool),
    #[serde(rename = "b")]
    Behind,
}

impl Frame {
    /// Returns the frame as it travels.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let name = |group: &GroupId| group.as_str().to_owned();
        let bytes = |bytes: &Vec<u8>| ByteBuf::from(bytes.clone());
        let fields = match self {
            Self::Compare { group, from, to, round } => {
                Fields::Compare(name(group), from.to_times(), to.to_u64(), bytes(round))
            }
            Self::Compared { group, round } => Fields::Compared(name(group), bytes(round)),
            Self::Since { group, from } => Fields::Since(name(group), from.to_times()),
            Self::Want { group, names } => {
                Fields::Want(name(group), names.iter().map(|name| ByteArray::new(*name.as_bytes())).collect())
            }
            Self::Records { group, records, last } => {
                Fields::Records(name(group), records.iter().map(bytes).collect(), *last)
            }
            Self::Behind => Fields::Behind,
        };
        // Text, integers and bytes: nothing in them can fail to encode, and a buffer takes all that is written.
        serde_cbor::to_vec(&fields).unwrap_or_default()
    }

    /// Reads a frame.
    ///
    /// # Errors
    /// [`FrameError`] for anything but the one encoding of a frame within its bounds.
    pub fn decode(bytes: &[u8]) -> Result<Self, FrameError> {
        if bytes.len() > MAX_FRAME_LEN {
            return Err(FrameError::TooLong { len: bytes.len() });
        }
        let fields: Fields = serde_cbor::from_slice(bytes).map_err(|_| FrameError::Malformed)?;
        let frame = Self::from_fields(fields)?;
        if frame.encode() == bytes { Ok(frame) } else { Err(FrameError::Malformed) }
    }

    fn from_fields(fields: Fields) -> Result<Self, FrameError> {
        let group = |name: String| name.parse::<GroupId>().map_err(|_| FrameError::BadField);
        let floors = |times: &[u64]| Floors::from_times(times).ok_or(FrameError::BadField);
        Ok(match fields {
            Fields::Compare(name, from, to, round) => Self::Compare {
                group: group(name)?,
                from: floors(&from)?,
                to: Timestamp::from_u64(to),
                round: round.into_vec(),
            },
            Fields::Compared(name, round) => Self::Compared { group: group(name)?, round: round.into_vec() },
            Fields::Since(name, from) => Self::Since { group: group(name)?, from: floors(&from)? },
            Fields::Want(name, names) if names.len() <= MAX_WANTED => Self::Want {
                group: group(name)?,
                names: names.into_iter().map(|name| SyncId::from_bytes(name.into_array())).collect(),
            },
            Fields::Records(name, records, last) if records.iter().all(|record| record.len() <= MAX_RECORD_LEN) => {
                let records = records.into_iter().map(ByteBuf::into_vec).collect();
                Self::Records { group: group(name)?, records, last }
            }
            Fields::Behind => Self::Behind,
            Fields::Want(..) | Fields::Records(..) => return Err(FrameError::BadField),
        })
    }
}

/// Cuts records into frames, the last of which says so; there is always one.
pub(super) fn answer(group: &GroupId, records: Vec<Vec<u8>>) -> Vec<Frame> {
    let mut batches: Vec<Vec<Vec<u8>>> = vec![Vec::new()];
    let mut len = RECORDS_OVERHEAD;
    for record in records {
        if len + batched_len(&record) > MAX_FRAME_LEN {
            batches.push(Vec::new());
            len = RECORDS_OVERHEAD;
        }
        len += batched_len(&record);
        if let Some(batch) = batches.last_mut() {
            batch.push(record);
        }
    }
    let count = batches.len();
    let frame = |(nth, records): (usize, Vec<Vec<u8>>)| Frame::Records {
        group: group.clone(),
        records,
        last: nth + 1 == count,
    };
    batches.into_iter().enumerate().map(frame).collect()
}

//! Records made by hand from the wire format alone, as a patched client would make them.

use muster_keys::Identity;
use muster_roles::{GroupId, Roster, Timestamp};
use serde::Serialize;
use serde_bytes::{ByteArray, Bytes};
use sha2::{Digest, Sha256};

/// The payload's fields, as the format lists them.
#[derive(Serialize)]
struct Payload<'a>(ByteArray<16>, u64, u64, &'a str, ByteArray<32>, u64, u64, u64, u64, u64, ByteArray<24>, &'a Bytes);

/// What a forger claims.
pub struct Forged<'a> {
    pub roster: &'a Roster,
    pub signer: &'a Identity,
    pub author: &'a Identity,
    pub group: GroupId,
    pub time: Timestamp,
    pub seq: u64,
    /// 0 text, 1 order, 2 answer, 3 receipt.
    pub kind: u64,
    /// 0 routine, 1 priority, 2 immediate, 3 flash.
    pub precedence: u64,
}

impl Forged<'_> {
    /// A record whose signature is the signer's: genuine in everything but the right to say it.
    pub fn record(&self) -> Vec<u8> {
        let cited = self.roster.versions_for(&self.group);
        let payload = cbor(&Payload(
            ByteArray::new(*self.roster.unit().as_bytes()),
            self.kind,
            self.precedence,
            self.group.as_str(),
            ByteArray::new(*self.author.public().as_bytes()),
            self.seq,
            self.time.to_u64(),
            cited.charter_version,
            cited.sheet_version,
            cited.epoch,
            ByteArray::new([7; 24]),
            Bytes::new(&[0x5a; 80]),
        ));
        let root: [u8; 32] = Sha256::digest(&payload).into();
        let signature = self.signer.sign(&[b"muster record 3", root.as_slice()].concat());
        cbor(&(3_u64, Bytes::new(&payload), ByteArray::new(*signature.as_bytes()), 0_u64, Bytes::new(&[])))
    }

    /// The record as a gossip message.
    pub fn message(&self) -> Vec<u8> {
        message(&self.record())
    }
}

/// A record as a gossip message.
pub fn message(record: &[u8]) -> Vec<u8> {
    cbor(&[Bytes::new(record)])
}

fn cbor<T: Serialize>(value: &T) -> Vec<u8> {
    serde_cbor::to_vec(value).expect("plain values encode")
}

//! The step from well-formed to authentic.

use std::collections::VecDeque;

use muster_keys::Identity;
use muster_roles::UnitId;

use super::wire::{DecodeError, Frame, Header, Root, digest, encode_payload, encode_record, plant, signed_bytes};

/// Roots remembered whose signatures hold: those of all that talk at once, and more than what is under way of each.
const MAX_ROOTS: usize = 64;

/// What authors have signed lately, as has been checked: of records that were signed together, only the first one's
/// signature is checked.
///
/// It is a memory of what a pure function gave, and nothing else: whoever has it forget something makes nothing true.
#[derive(Debug, Default)]
pub struct Roots {
    /// The latest last.
    signed: VecDeque<Root>,
}

impl Roots {
    /// Tells whether a record's author has signed what its way leads to.
    fn hold(&mut self, frame: &Frame) -> bool {
        let root = frame.root();
        // Its neighbours come with it or soon after, so the latest is looked at first.
        if !frame.is_alone() && self.signed.iter().rev().any(|signed| *signed == root) {
            return true;
        }
        if !root.is_signed() {
            return false;
        }
        if !frame.is_alone() {
            if self.signed.len() >= MAX_ROOTS {
                self.signed.pop_front();
            }
            self.signed.push_back(root);
        }
        true
    }
}

/// A record of this unit whose author's signature holds.
#[derive(Clone, Debug)]
pub struct Verified {
    frame: Frame,
}

/// A record of one's own that is yet to be signed.
#[derive(Clone, Debug)]
pub(crate) struct Unsigned {
    payload: Vec<u8>,
}

impl Unsigned {
    /// Puts a record together from what everyone can read of it, the cipher's nonce and the sealed content.
    pub(crate) fn new(header: &Header, nonce: &[u8; 24], body: &[u8]) -> Self {
        Self { payload: encode_payload(header, nonce, body) }
    }
}

/// Why a well-formed record is not authentic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// It belongs to another unit.
    #[error("a record of another unit")]
    OtherUnit,
    /// The signature is not its author's over these bytes.
    #[error("the signature does not hold")]
    BadSignature,
}

impl Verified {
    /// Checks unit and signature, unless the record's author is known to have signed it with another one.
    ///
    /// # Errors
    /// [`VerifyError`] says which does not hold.
    pub fn check(frame: Frame, unit: UnitId, roots: &mut Roots) -> Result<Self, VerifyError> {
        if frame.header().unit != unit {
            return Err(VerifyError::OtherUnit);
        }
        if !roots.hold(&frame) {
            return Err(VerifyError::BadSignature);
        }
        Ok(Self { frame })
    }

    /// Makes records of one's own and signs them together, [`MAX_TOGETHER`](super::wire::MAX_TOGETHER) at most; the author
    /// of each must be the signer.
    ///
    /// # Errors
    /// [`DecodeError`] where the parts do not make a record, for one because a body is too long.
    pub(crate) fn sign(identity: &Identity, unsigned: &[Unsigned]) -> Result<Vec<Self>, DecodeError> {
        let (root, paths) = plant(unsigned.iter().map(|record| digest(&record.payload)).collect());
        let signature = identity.sign(&signed_bytes(&root));
        let records = unsigned.iter().zip(&paths);
        let frame = |(record, path): (&Unsigned, _)| Frame::decode(&encode_record(&record.payload, &signature, path));
        records.map(|record| frame(record).map(|frame| Self { frame })).collect()
    }

    /// Returns the record.
    #[must_use]
    pub fn frame(&self) -> &Frame {
        &self.frame
    }
}

/// Decodes and checks records as a session brought them; tells also whether one did not hold.
#[must_use]
pub fn check_records(records: &[Vec<u8>], unit: UnitId) -> (Vec<Verified>, bool) {
    let mut roots = Roots::default();
    let check = |bytes: &Vec<u8>| Verified::check(Frame::decode(bytes).ok()?, unit, &mut roots).ok();
    let checked: Vec<Verified> = records.iter().filter_map(check).collect();
    let forged = checked.len() < records.len();
    (checked, forged)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use muster_roles::{Precedence, Timestamp};

    use super::super::wire::Kind;
    use super::*;

    const UNIT: UnitId = UnitId::from_bytes([9; 16]);

    /// So many records of an author, signed together.
    fn together(author: &Identity, count: u64, nonce: u8) -> Vec<Frame> {
        let unsigned = (1..=count).map(|seq| {
            let header = Header {
                unit: UNIT,
                kind: Kind::Text,
                precedence: Precedence::Routine,
                group: "army".parse().unwrap(),
                author: author.public(),
                seq,
                time: Timestamp::from_ms(1_800_000_000_000 + seq),
                charter_version: 1,
                sheet_version: 1,
                epoch: 1,
            };
            Unsigned::new(&header, &[nonce; 24], &[0; 80])
        });
        let records = Verified::sign(author, &unsigned.collect::<Vec<_>>()).unwrap();
        records.iter().map(|record| record.frame().clone()).collect()
    }

    #[test]
    fn of_records_signed_together_one_signature_is_checked() {
        let (author, mut roots) = (Identity::from_seed(&[1; 32]), Roots::default());
        for frame in together(&author, 16, 1) {
            Verified::check(frame, UNIT, &mut roots).unwrap();
        }
        assert_eq!(roots.signed.len(), 1);
    }

    #[test]
    fn nothing_is_remembered_of_what_was_signed_alone_or_does_not_hold() {
        let (author, mut roots) = (Identity::from_seed(&[1; 32]), Roots::default());
        Verified::check(together(&author, 1, 1).remove(0), UNIT, &mut roots).unwrap();
        let mut bytes = together(&author, 2, 1)[0].bytes().to_vec();
        // The last byte is one of the way to the root.
        *bytes.last_mut().unwrap() ^= 1;
        assert!(Verified::check(Frame::decode(&bytes).unwrap(), UNIT, &mut roots).is_err());
        assert!(roots.signed.is_empty());
    }

    #[test]
    fn so_many_roots_are_remembered_and_the_latest_are_kept() {
        let (author, mut roots) = (Identity::from_seed(&[1; 32]), Roots::default());
        for nonce in 0..100 {
            for frame in together(&author, 2, nonce) {
                Verified::check(frame, UNIT, &mut roots).unwrap();
            }
        }
        assert_eq!(roots.signed.len(), MAX_ROOTS);
        assert!(roots.signed.contains(&together(&author, 2, 99)[0].root()));
    }
}

//! The step from well-formed to authentic.

use muster_keys::Identity;
use muster_roles::UnitId;

use super::wire::{DecodeError, Frame, Header, encode_payload, encode_record, signed_bytes};

/// A record of this unit whose author's signature holds.
#[derive(Clone, Debug)]
pub struct Verified {
    frame: Frame,
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
    /// Checks unit and signature.
    ///
    /// # Errors
    /// [`VerifyError`] says which does not hold.
    pub fn check(frame: Frame, unit: UnitId) -> Result<Self, VerifyError> {
        if frame.header().unit != unit {
            return Err(VerifyError::OtherUnit);
        }
        if !frame.signature_holds() {
            return Err(VerifyError::BadSignature);
        }
        Ok(Self { frame })
    }

    /// Makes and signs a record of one's own; `header.author` must be the signer.
    ///
    /// # Errors
    /// [`DecodeError`] where the parts do not make a record, for one because the body is too long.
    pub(crate) fn sign(
        identity: &Identity,
        header: &Header,
        nonce: &[u8; 24],
        body: &[u8],
    ) -> Result<Self, DecodeError> {
        debug_assert_eq!(header.author, identity.public());
        let payload = encode_payload(header, nonce, body);
        let signature = identity.sign(&signed_bytes(&payload));
        Ok(Self { frame: Frame::decode(&encode_record(&payload, &signature))? })
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
    let check = |bytes: &Vec<u8>| Frame::decode(bytes).ok().and_then(|frame| Verified::check(frame, unit).ok());
    let checked: Vec<Verified> = records.iter().filter_map(check).collect();
    let forged = checked.len() < records.len();
    (checked, forged)
}

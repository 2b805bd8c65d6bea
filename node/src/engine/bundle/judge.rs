//! What of a bundle is taken: judged as if a stranger had sent it.

use muster_roles::{Accepted, DecodeError, Refusal, Roster, Timestamp};

use crate::engine::policy::{Permitted, Untimely, check_time};
use crate::engine::time::UnixMillis;
use crate::engine::verify::{Roots, Verified, VerifyError};
use crate::engine::wire::Frame;

/// Why something in a bundle is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Refused {
    /// The bytes are not those that were written, or not there any more.
    #[error("damaged on the way")]
    Damaged,
    /// It is no record and no document.
    #[error("malformed")]
    Malformed,
    /// It belongs to another unit.
    #[error("of another unit")]
    OtherUnit,
    /// A signature does not hold.
    #[error("badly signed")]
    BadSignature,
    /// A document that nobody entitled has signed.
    #[error("signed by nobody who is entitled to")]
    NotEntitled,
    /// A record whose author had no right to post it.
    #[error("not permitted to its author")]
    NotPermitted,
    /// A record that cites roster documents which neither this home nor the bundle has.
    #[error("by a roster that is neither here nor in the bundle")]
    UnknownRoster,
    /// It is older than what is kept.
    #[error("older than the week that is kept")]
    TooOld,
    /// It is from too far ahead.
    #[error("from too far in the future")]
    TooFarAhead,
    /// A document behind the first record, which may have been judged without it.
    #[error("a document behind the records")]
    OutOfPlace,
}

/// Judges by one roster at one time.
#[derive(Debug)]
pub struct Judge {
    /// The roster, to which documents are added.
    pub roster: Roster,
    /// The latest that it is known to be, by the clock or by what is stored.
    pub present: Timestamp,
    /// The wall clock.
    pub now: UnixMillis,
    roots: Roots,
}

impl Judge {
    /// Begins with a roster, at a time of which the wall clock shows `now`.
    #[must_use]
    pub fn new(roster: Roster, present: Timestamp, now: UnixMillis) -> Self {
        Self { roster, present, now, roots: Roots::default() }
    }

    /// Takes a document into the roster; tells whether it changed anything.
    ///
    /// # Errors
    /// [`Refused`], the reason.
    pub fn document(&mut self, bytes: &[u8]) -> Result<bool, Refused> {
        match self.roster.accept(bytes, self.present) {
            Ok(Accepted::New | Accepted::History) => Ok(true),
            // What newer documents have replaced for good tells this roster nothing.
            Ok(Accepted::Known) | Err(Refusal::Superseded) => Ok(false),
            Err(Refusal::OtherUnit { .. }) => Err(Refused::OtherUnit),
            Err(Refusal::FromTheFuture { .. }) => Err(Refused::TooFarAhead),
            Err(Refusal::NotYetJudgeable) => Err(Refused::NotEntitled),
            Err(Refusal::Decode(DecodeError::BadSignature { .. } | DecodeError::UnderSigned { .. })) => {
                Err(Refused::BadSignature)
            }
            Err(_) => Err(Refused::Malformed),
        }
    }

    /// Puts a record through every check that one from the mesh goes through.
    ///
    /// # Errors
    /// [`Refused`], the reason.
    pub fn record(&mut self, bytes: &[u8]) -> Result<Permitted, Refused> {
        let frame = Frame::decode(bytes).map_err(|_| Refused::Malformed)?;
        check_time(frame.header().time, self.present, self.now)?;
        let record = Verified::check(frame, self.roster.unit(), &mut self.roots)?;
        let header = record.frame().header();
        if !self.roster.holds(&header.group, header.charter_version, header.sheet_version) {
            return Err(Refused::UnknownRoster);
        }
        Permitted::judge(record, &self.roster, self.now.0).map_err(|_| Refused::NotPermitted)
    }
}

impl From<Untimely> for Refused {
    fn from(untimely: Untimely) -> Self {
        match untimely {
            Untimely::TooOld => Self::TooOld,
            Untimely::TooFarAhead => Self::TooFarAhead,
        }
    }
}

impl From<VerifyError> for Refused {
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::OtherUnit => Self::OtherUnit,
            VerifyError::BadSignature => Self::BadSignature,
        }
    }
}

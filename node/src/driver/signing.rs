//! Signing changes of the roster: the one part of a change that draws random numbers, so the engine has it done here.

use muster_keys::Identity;
use muster_roles::{EditError, Roster, Timestamp, draft, due_rekey};

use crate::engine::change::Change;

/// Makes and signs the documents of a change; a unit of a thousand takes some tenths of a second.
///
/// # Errors
/// Says which rule forbids it, or what the signer lacks to do it.
pub(super) fn sign(
    change: Change,
    roster: &Roster,
    signer: &Identity,
    now: Timestamp,
) -> Result<Vec<Vec<u8>>, EditError> {
    match change {
        Change::Make(edit) => {
            let proposal = draft(roster, signer, &edit, now)?;
            if proposal.missing(roster).is_empty() {
                return Ok(proposal.documents().map(<[u8]>::to_vec).collect());
            }
            Err(EditError::SeveralMustSign { threshold: roster.charter().authority().threshold() })
        }
        Change::RekeyDue => Ok(due_rekey(roster, signer, now)?.unwrap_or_default()),
        Change::Adopt(documents) => Ok(documents),
    }
}

//! Changes of the roster on a home whose node runs: the node makes them, and tells the mesh at once.

use super::running::{client, failure, unexpected, wait_for};
use super::time;
use crate::api::ClientError;
use crate::config::Settings;
use crate::control::{Answer, Change, Changed, RefusalKind, Request};
use crate::error::CommandError;

/// Has the running node change the roster; nothing where no node runs on the home.
///
/// Nothing either where the node's own signature is not enough: the change is then to be written down for others to
/// sign. The node has the new roster on disk when this returns.
pub(super) fn change(settings: &Settings, change: Change) -> Result<Option<Changed>, CommandError> {
    match ask(settings, change)? {
        Ok(changed) => Ok(Some(changed)),
        Err(ClientError::NotRunning) => Ok(None),
        Err(ClientError::Refused(refusal)) if refusal.kind == RefusalKind::Denied && several_must_sign(settings)? => {
            Ok(None)
        }
        Err(error) => Err(failure(&error)),
    }
}

/// Has the running node take in documents that carry all the signatures they need.
///
/// The node has the new roster on disk when this returns.
pub(super) fn adopt<'a>(
    settings: &Settings,
    documents: impl Iterator<Item = &'a [u8]>,
) -> Result<Changed, CommandError> {
    let documents = documents.map(hexadecimal).collect();
    ask(settings, Change::Adopt { documents })?.map_err(|error| failure(&error))
}

/// Whether a node runs on the home.
pub(super) fn runs(settings: &Settings) -> Result<bool, CommandError> {
    let client = client(settings)?;
    wait_for(async {
        match client.ask(&Request::Groups).await {
            Ok(_) => Ok(true),
            Err(ClientError::NotRunning) => Ok(false),
            Err(error) => Err(failure(&error)),
        }
    })
}

fn ask(settings: &Settings, change: Change) -> Result<Result<Changed, ClientError>, CommandError> {
    let client = client(settings)?;
    wait_for(async {
        match client.ask(&Request::Change(change)).await {
            Ok(Answer::Changed(changed)) => Ok(Ok(changed)),
            Ok(_) => Err(unexpected()),
            Err(error) => Ok(Err(error)),
        }
    })
}

fn several_must_sign(settings: &Settings) -> Result<bool, CommandError> {
    let roster = settings.home()?.read_roster(time::now())?;
    Ok(roster.charter().authority().threshold() > 1)
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len().saturating_mul(2)), |mut digits, byte| {
        digits.extend([byte >> 4, byte & 15].into_iter().filter_map(|half| char::from_digit(half.into(), 16)));
        digits
    })
}

/// How many members have been told, for a person.
pub(super) fn told(changed: &Changed) -> String {
    match changed.told {
        0 => "No member is in reach: the others learn of it when they are.".to_owned(),
        1 => "1 member in reach was told at once.".to_owned(),
        count => format!("{count} members in reach were told at once."),
    }
}

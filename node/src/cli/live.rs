//! Changes of the roster on a home whose node runs: the node makes them, and tells the mesh at once.

use super::running::{client, failure, unexpected, wait_for};
use crate::api::ClientError;
use crate::config::Settings;
use crate::control::{Answer, Change, Changed, Request};
use crate::error::CommandError;

/// Has the running node change the roster; nothing where no node runs on the home.
///
/// The node has the new roster on disk when this returns.
pub(super) fn change(settings: &Settings, change: Change) -> Result<Option<Changed>, CommandError> {
    let client = client(settings)?;
    wait_for(async {
        match client.ask(&Request::Change(change)).await {
            Ok(Answer::Changed(changed)) => Ok(Some(changed)),
            Ok(_) => Err(unexpected()),
            Err(ClientError::NotRunning) => Ok(None),
            Err(error) => Err(failure(&error)),
        }
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

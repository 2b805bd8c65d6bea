//! The node that runs on a home, as a command finds it.

use std::future::Future;

use muster_roles::Timestamp;

use crate::api::{Client, ClientError};
use crate::config::Settings;
use crate::control::{Answer, Refusal, RefusalKind, Request};
use crate::error::{CommandError, Kind};

/// A way to the node that runs on the home in the settings, if one does.
pub(super) fn client(settings: &Settings) -> Result<Client, CommandError> {
    let home = settings.home()?;
    if !home.has_unit() {
        // What is missing is told in the words of every other command.
        home.read_roster(Timestamp::ZERO)?;
    }
    Ok(Client::new(&home.socket_path()))
}

/// Asks the node that runs on the home in the settings.
pub(super) fn ask(settings: &Settings, request: &Request) -> Result<Answer, CommandError> {
    let client = client(settings)?;
    wait_for(async { client.ask(request).await.map_err(|error| failure(&error)) })
}

/// Waits for something that talks to the node.
pub(super) fn wait_for<T>(work: impl Future<Output = Result<T, CommandError>>) -> Result<T, CommandError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| CommandError::failed("the command's tasks cannot be started").because(&error))?;
    let result = runtime.block_on(work);
    // A thread that waits for a line of input cannot be woken; it ends with the process.
    runtime.shutdown_background();
    result
}

/// Tells a person why the node could not be asked, or what it said.
pub(super) fn failure(error: &ClientError) -> CommandError {
    let kind = match error {
        ClientError::Refused(Refusal { kind: RefusalKind::Invalid | RefusalKind::TooLarge, .. }) => Kind::Usage,
        _ => Kind::Failed,
    };
    CommandError::from_error(kind, error).with_hint(error.hint())
}

/// An answer that is none to what was asked.
pub(super) fn unexpected() -> CommandError {
    CommandError::failed("the node's answer is not understood: is it of the same version?")
}

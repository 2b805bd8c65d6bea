//! `muster send`: one message by the running node.

use clap::Args;
use muster_roles::GroupId;

use super::output::Output;
use super::running::{ask, unexpected};
use super::wait::Wait;
use crate::config::Settings;
use crate::control::{Answer, Delivery, Manner, Posted, Request};
use crate::error::CommandError;

/// Send a message by the running node
///
/// Ends well only once the message is stored on this device: from then on it survives a crash, and is delivered as soon
/// as somebody is in reach.
#[derive(Debug, Args)]
pub(super) struct SendArgs {
    /// Group to post to
    group: GroupId,

    /// Text of the message
    text: String,

    /// Wait so long, such as 5s or 2m, until another member has it; fail if none has it then
    #[arg(long, env = "MUSTER_WAIT", value_name = "TIME")]
    wait: Option<Wait>,

    /// Print one JSON object
    #[arg(long, env = "MUSTER_JSON")]
    json: bool,
}

pub(super) fn run(settings: &Settings, args: SendArgs, output: &mut Output) -> Result<(), CommandError> {
    let SendArgs { group, text, wait, json } = args;
    let wait_ms = wait.map_or(0, Wait::ms);
    let Answer::Posted(posted) = ask(settings, &Request::Post { group, text, manner: Manner::default(), wait_ms })?
    else {
        return Err(unexpected());
    };
    if json {
        output.json(&posted)?;
    } else {
        tell(&posted, wait, output)?;
    }
    if wait.is_some() && posted.delivery == Delivery::Waiting {
        return Err(CommandError::failed("stored, but no other member has it yet")
            .with_hint("it is delivered as soon as one is in reach; `muster peers` lists who is".to_owned()));
    }
    Ok(())
}

fn tell(posted: &Posted, wait: Option<Wait>, output: &mut Output) -> Result<(), CommandError> {
    match (&posted.delivery, wait) {
        (Delivery::Waiting, None) => output.line(format_args!("stored {}", posted.id)),
        (Delivery::Waiting, Some(_)) => Ok(()),
        (Delivery::Sent, _) => output.line(format_args!("sent {}: at least 1 other member has it", posted.id)),
        (delivery, _) => output.line(format_args!("sent {}: {delivery}", posted.id)),
    }
}

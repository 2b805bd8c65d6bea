//! `muster send`: one message by the running node.

use clap::Args;
use muster_roles::{GroupId, Precedence};

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

    /// Wait so long, such as 5s or 2m, until a member that may read it has confirmed it; fail if nobody has it then
    ///
    /// Tells how many have confirmed it, or which carriers hold it meanwhile.
    #[arg(long, env = "MUSTER_WAIT", value_name = "TIME")]
    wait: Option<Wait>,

    /// Send it as an order, which its readers are to answer
    #[arg(long, env = "MUSTER_ORDER")]
    order: bool,

    /// Send it before routine messages
    #[arg(long, env = "MUSTER_PRIORITY", group = "precedence")]
    priority: bool,

    /// Send it before priority messages
    #[arg(long, env = "MUSTER_IMMEDIATE", group = "precedence")]
    immediate: bool,

    /// Send it before everything else; for the commander and the leaders
    #[arg(long, env = "MUSTER_FLASH", group = "precedence")]
    flash: bool,

    /// Print one JSON object
    #[arg(long, env = "MUSTER_JSON")]
    json: bool,
}

pub(super) fn run(settings: &Settings, args: SendArgs, output: &mut Output) -> Result<(), CommandError> {
    let manner = args.manner();
    let SendArgs { group, text, wait, json, .. } = args;
    let wait_ms = wait.map_or(0, Wait::ms);
    let Answer::Posted(posted) = ask(settings, &Request::Post { group, text, manner, wait_ms })? else {
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

impl SendArgs {
    fn manner(&self) -> Manner {
        let precedence = match (self.flash, self.immediate, self.priority) {
            (true, ..) => Precedence::Flash,
            (_, true, _) => Precedence::Immediate,
            (.., true) => Precedence::Priority,
            _ => Precedence::Routine,
        };
        Manner { order: self.order, precedence, ..Manner::default() }
    }
}

fn tell(posted: &Posted, wait: Option<Wait>, output: &mut Output) -> Result<(), CommandError> {
    match (&posted.delivery, wait) {
        (Delivery::Waiting, None) => output.line(format_args!("stored {}", posted.id)),
        (Delivery::Waiting, Some(_)) => Ok(()),
        (Delivery::Sent, _) => output.line(format_args!("sent {}: at least 1 other member has it", posted.id)),
        (Delivery::Carried { .. }, _) => output.line(format_args!(
            "sent {}: {}, and no member that may read it has confirmed it yet",
            posted.id, posted.delivery
        )),
        (Delivery::Delivered { to: 0, of }, _) => {
            output.line(format_args!("sent {}: handed on, and none of {of} members has confirmed it yet", posted.id))
        }
        (Delivery::Delivered { to: 1, of: 1 }, _) => {
            output.line(format_args!("sent {}: the only other member has it", posted.id))
        }
        (Delivery::Delivered { to, of }, _) => {
            output.line(format_args!("sent {}: {to} of {of} members have it", posted.id))
        }
    }
}

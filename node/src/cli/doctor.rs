//! `muster doctor`: why nodes may not see each other, and what to do.

use std::ffi::OsString;

use clap::{Args, FromArgMatches};
use serde::Serialize;

use super::config::start_as_set;
use super::output::Output;
use super::start::StartArgs;
use super::{command, time};
use crate::api::Client;
use crate::config::{Layers, Settings};
use crate::control::{Answer, Request, Status};
use crate::doctor::{Asked, Dial, Finding, Level, dial, examine, gather};
use crate::error::CommandError;
use crate::home::Home;

/// Find out why nodes do not see each other, and what to do
///
/// Looks at this device, its home and its network, whether a node runs on the home or not, and gives the --dial line with
/// which another device reaches this node. Unless the settings forbid it, it asks the local network for nodes, as a node
/// does that starts. It changes nothing. The exit code is 1 if something is in the way.
#[derive(Debug, Args)]
pub(super) struct DoctorArgs {
    /// Print one JSON object a line
    #[arg(long, env = "MUSTER_JSON")]
    json: bool,

    /// Flags of `muster start`, for a node that is started with them
    #[arg(last = true, value_name = "FLAGS")]
    flags: Vec<OsString>,
}

pub(super) fn run(
    settings: &Settings,
    args: &DoctorArgs,
    words: &[OsString],
    output: &mut Output,
) -> Result<(), CommandError> {
    let home = settings.home()?;
    // Settings that cannot be read are one more finding, and no reason to look no further.
    let (layers, mistake) = match Layers::read(&command(), &home.config_path()) {
        Ok(layers) => (layers, None),
        Err(error) => (Layers::none(&command()), Some(error)),
    };
    let start = start_as_set(&layers, words, &args.flags);
    let start = start.subcommand_matches("start").map(StartArgs::from_arg_matches).transpose();
    let start = start.map_err(|error| CommandError::usage(error.to_string()))?;
    let Some(StartArgs { listen, dial: dialled, no_mdns, .. }) = start else { return Ok(()) };
    let asked =
        Asked { home: &home, key: &settings.key, listen, dial: dialled, mdns: !no_mdns, now: time::now(), status };
    let mut facts = gather(&asked);
    facts.home.troubles.extend(mistake.map(|error| (error.in_one_line(), error.hint().map(str::to_owned))));
    let findings = examine(&facts);
    let dial = dial(&facts);
    if args.json {
        tell_program(&findings, &dial, output)?;
    } else {
        tell(&findings, &dial, output)?;
    }
    match findings.iter().filter(|finding| finding.level == Level::Problem).count() {
        0 => Ok(()),
        1 => Err(CommandError::failed("1 problem found")),
        count => Err(CommandError::failed(format!("{count} problems found"))),
    }
}

fn tell(findings: &[Finding], dial: &Dial, output: &mut Output) -> Result<(), CommandError> {
    for Finding { check, level, what, advice } in findings {
        let level = match level {
            Level::Good => "ok",
            Level::Note => "note",
            Level::Problem => "PROBLEM",
        };
        output.line(format_args!("{level:7}  {check:10}  {what}"))?;
        if let Some(advice) = advice {
            output.line(format_args!("{:21}-> {advice}", ""))?;
        }
    }
    output.line("")?;
    if dial.there.is_empty() {
        return output.line("No other device can dial this one: it has no address.");
    }
    if let Some(here) = &dial.here {
        output.line(format_args!("On this device:\n  {here}"))?;
    }
    let whence = if dial.loopback_only { "From another home on this very device" } else { "On another device" };
    output.line(format_args!("{whence}{}:", if dial.there.len() > 1 { ", one of" } else { "" }))?;
    dial.there.iter().try_for_each(|line| output.line(format_args!("  {line}")))
}

fn tell_program(findings: &[Finding], dial: &Dial, output: &mut Output) -> Result<(), CommandError> {
    #[derive(Serialize)]
    struct Told<'a> {
        dial: &'a Dial,
    }
    findings.iter().try_for_each(|finding| output.json(finding))?;
    output.json(&Told { dial })
}

/// Asks the node that runs on a home how it is.
fn status(home: &Home) -> Result<Status, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let client = Client::new(&home.socket_path());
    match runtime.block_on(client.ask(&Request::Status)) {
        Ok(Answer::Status(status)) => Ok(*status),
        Ok(_) => Err("its answer is not understood".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

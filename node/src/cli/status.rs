//! `muster status`: how the running node is.

use clap::Args;

use super::output::Output;
use super::running::{ask, unexpected};
use super::time;
use crate::config::Settings;
use crate::control::{Answer, Request, Status};
use crate::error::CommandError;

/// Show how the running node is
///
/// Fails where no node runs on this home or its store takes no messages any more, so it suits a container's health check.
#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    /// Print one JSON object
    #[arg(long, env = "MUSTER_JSON")]
    json: bool,
}

pub(super) fn run(settings: &Settings, args: &StatusArgs, output: &mut Output) -> Result<(), CommandError> {
    let Answer::Status(status) = ask(settings, &Request::Status)? else { return Err(unexpected()) };
    if args.json {
        output.json(&status)?;
    } else {
        output.columns(&rows(&status))?;
    }
    if status.store_works {
        return Ok(());
    }
    Err(CommandError::failed("the store takes no messages: the disk is full or failing")
        .with_hint("make room on the disk and start the node again".to_owned()))
}

fn rows(status: &Status) -> Vec<[String; 2]> {
    let row = |name: &str, value: String| [name.to_owned(), value];
    let mut rows = vec![
        row("member", format!("{}, {}", status.name, status.role)),
        row("unit", format!("{} ({})", status.unit, status.unit_words)),
        row("node", format!("muster {}, pid {}, up {}", status.version, status.pid, span(status.uptime_s))),
        row(
            "roster",
            format!(
                "version {}, {} members, issued {}",
                status.roster.version,
                status.roster.members,
                time::local(muster_roles::Timestamp::from_ms(status.roster.issued_ms))
            ),
        ),
        row("in reach", format!("{} members", status.connected)),
        row("waiting", format!("{} messages", status.waiting)),
        row("screens", status.listeners.to_string()),
    ];
    if let Some(by_ms) = status.clock.off_by_ms {
        let side = if by_ms < 0 { "behind" } else { "ahead of" };
        rows.push(row("clock", format!("{} {side} the unit's", span(by_ms.unsigned_abs() / 1000))));
    }
    rows.extend(status.listening.iter().map(|address| row("listens on", address.clone())));
    if !status.store_works {
        rows.push(row("store", "takes no messages".to_owned()));
    }
    rows
}

/// A span of time in its two largest units.
fn span(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_told_in_its_two_largest_units() {
        let spans = [5, 59, 60, 3599, 3600, 7260, 86_400, 90_061].map(span);
        assert_eq!(spans, ["5 s", "59 s", "1 min", "59 min", "1 h 0 min", "2 h 1 min", "1 d 0 h", "1 d 1 h"]);
    }
}

//! `muster log`: stored messages on standard output.

use clap::Args;
use jiff::tz::TimeZone;

use super::export::print;
use super::stored::{Ago, Stored};
use crate::config::Settings;
use crate::error::CommandError;
use crate::export::{Export, Format};

/// Print stored messages
///
/// Works while no node runs on this home.
#[derive(Debug, Args)]
pub(super) struct LogArgs {
    /// Group to print [default: every group this member may read]
    group: Option<String>,

    /// Only messages since so long ago, such as 30m, 12h or 7d
    #[arg(long, env = "MUSTER_SINCE", value_name = "AGO")]
    since: Option<Ago>,

    /// Print one JSON object a line
    #[arg(long, env = "MUSTER_JSON")]
    json: bool,
}

pub(super) fn run(settings: &Settings, args: &LogArgs) -> Result<(), CommandError> {
    let stored = Stored::open(settings)?;
    let export = Export {
        disk: &stored.disk,
        reader: stored.reader(),
        groups: stored.groups(args.group.as_deref())?,
        since: stored.since(args.since),
        format: if args.json { Format::Jsonl } else { Format::Text },
        zone: TimeZone::system(),
    };
    print(&stored, &export)
}

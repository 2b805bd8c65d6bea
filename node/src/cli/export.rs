//! `muster export`: stored messages into a file.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use jiff::Zoned;

use super::output::Output;
use super::stored::{Ago, Stored, left_out, messages};
use crate::config::Settings;
use crate::error::CommandError;
use crate::export::{Export, Format};

/// Write stored messages to a file
///
/// Works while no node runs on this home; in the chat of one that runs, `:d` does the same.
#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    /// Group to export [default: every group this member may read]
    group: Option<String>,

    /// Only messages since so long ago, such as 30m, 12h or 7d
    #[arg(long, env = "MUSTER_SINCE", value_name = "AGO")]
    since: Option<Ago>,

    /// Form of the messages
    #[arg(long, env = "MUSTER_FORMAT", value_enum, default_value_t)]
    format: Format,

    /// File to write, - for standard output [default: muster-GROUP-DATE.txt in this folder]
    #[arg(short, long, env = "MUSTER_OUTPUT", value_name = "FILE")]
    output: Option<PathBuf>,

    /// Replace the file if it exists
    #[arg(long, env = "MUSTER_FORCE")]
    force: bool,
}

pub(super) fn run(settings: &Settings, args: ExportArgs, output: &mut Output) -> Result<(), CommandError> {
    let stored = Stored::open(settings)?;
    let now = Zoned::now();
    let export = Export {
        disk: &stored.disk,
        reader: stored.reader(),
        groups: stored.groups(args.group.as_deref())?,
        since: stored.since(args.since),
        format: args.format,
        zone: now.time_zone().clone(),
    };
    if args.output.as_deref() == Some(Path::new("-")) {
        return print(&stored, &export);
    }
    let path = args.output.unwrap_or_else(|| export.file_name(&now, 1).into());
    let tally = export.save(&path, args.force).map_err(|error| stored.failure(&error))?;
    let path = std::path::absolute(&path).unwrap_or(path);
    output.line(format_args!("{} in {}", messages(tally), path.display()))?;
    left_out(tally).map_or(Ok(()), |left_out| output.line(left_out))
}

/// Writes messages to standard output; what could not be read is told beside it.
pub(super) fn print(stored: &Stored, export: &Export<'_>) -> Result<(), CommandError> {
    let mut out = BufWriter::new(io::stdout().lock());
    let tally = export.write_to(&mut out).map_err(|error| stored.failure(&error))?;
    left_out(tally)
        .map_or(Ok(()), |left_out| writeln!(io::stderr(), "{left_out}").map_err(|error| CommandError::output(&error)))
}

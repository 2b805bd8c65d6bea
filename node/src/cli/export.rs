//! `muster export`: stored messages into a file.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use jiff::Zoned;

use super::output::Output;
use super::source::Source;
use super::stored::{Ago, Stored, left_out, messages};
use crate::bundle;
use crate::config::Settings;
use crate::error::CommandError;
use crate::export::{Format, save_as};

/// Write stored messages to a file
///
/// They come from the running node, or from the store where none runs; in a chat, `:d` does the same.
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

    /// Write the records themselves, sealed and signed, with the roster that judges them: `muster verify` proves them anywhere
    #[arg(long, env = "MUSTER_SIGNED", conflicts_with = "format", requires = "output")]
    signed: bool,

    /// File to write, - for standard output [default: muster-GROUP-DATE.txt in this folder]
    #[arg(short, long, env = "MUSTER_OUTPUT", value_name = "FILE")]
    output: Option<PathBuf>,

    /// Replace the file if it exists
    #[arg(long, env = "MUSTER_FORCE")]
    force: bool,
}

pub(super) fn run(settings: &Settings, args: ExportArgs, output: &mut Output) -> Result<(), CommandError> {
    if let Some(path) = args.output.as_deref().filter(|_| args.signed) {
        return export_signed(&Stored::open(settings)?, &args, path, output);
    }
    let ExportArgs { group, since, format, output: path, force, .. } = args;
    let now = Zoned::now();
    let source = Source::open(settings, group, since, format, &now)?;
    if path.as_deref() == Some(Path::new("-")) {
        return print(&source);
    }
    let path = path.unwrap_or_else(|| save_as(source.groups(), format, &now, 1).into());
    let tally = source.save(&path, force)?;
    let path = std::path::absolute(&path).unwrap_or(path);
    output.line(format_args!("{} in {}", messages(tally), path.display()))?;
    left_out(tally).map_or(Ok(()), |left_out| output.line(left_out))
}

/// Writes records as they are stored, for `muster verify`.
fn export_signed(stored: &Stored, args: &ExportArgs, path: &Path, output: &mut Output) -> Result<(), CommandError> {
    let groups = stored.groups(args.group.as_deref())?;
    let since = stored.since(args.since);
    let counts = bundle::export_groups(&stored.disk, stored.roster(), &groups, since, path, args.force)
        .map_err(|error| stored.failure(&error))?;
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let (records, documents) = (counts.records, counts.documents);
    output.line(format_args!("{records} records and {documents} roster documents in {}", path.display()))
}

/// Writes messages to standard output; what could not be read is told beside it.
pub(super) fn print(source: &Source) -> Result<(), CommandError> {
    let tally = source.write(&mut BufWriter::new(io::stdout().lock()))?;
    left_out(tally)
        .map_or(Ok(()), |left_out| writeln!(io::stderr(), "{left_out}").map_err(|error| CommandError::output(&error)))
}

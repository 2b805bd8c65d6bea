//! `muster bundle`: sealed records on a stick, for where no network reaches.

use std::fs::File;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use muster_roles::Timestamp;

use super::output::Output;
use super::stored::{Ago, running};
use super::time;
use crate::bundle::{self, ImportError, Importer, Report, Tally};
use crate::config::Settings;
use crate::disk::{Disk, damaged_hint};
use crate::engine::bundle::{BundleError, BundleReader};
use crate::engine::time::UnixMillis;
use crate::error::{CommandError, Kind};
use crate::export::ExportError;
use crate::home::{Home, NodeLock};

#[derive(Debug, Subcommand)]
pub(super) enum BundleCommand {
    /// Write what this device carries to a file, sealed as it is
    ///
    /// The file holds every group's messages as ciphertext, and the roster: nobody reads a text in it without the role key
    /// of a member who may. Every device can write one, a carrier's too. Works while no node runs on this home, and needs no
    /// network.
    Export(ExportArgs),
    /// Take in what another device has written
    ///
    /// Everything in the file proves itself by its signatures, whoever brings it. What is good is taken even where other
    /// parts are damaged or refused; the exit code is 1 then. The next `muster start` shows the messages, and passes them
    /// on. Works while no node runs on this home, and needs no network.
    Import(ImportArgs),
}

#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    /// Only messages since so long ago, such as 30m, 12h or 7d
    #[arg(long, env = "MUSTER_SINCE", value_name = "AGO", default_value = "7d")]
    since: Ago,

    /// File to write
    #[arg(short, long, env = "MUSTER_OUTPUT", value_name = "FILE")]
    output: PathBuf,

    /// Replace the file if it exists
    #[arg(long, env = "MUSTER_FORCE")]
    force: bool,
}

#[derive(Debug, Args)]
pub(super) struct ImportArgs {
    /// File to read
    file: PathBuf,
}

pub(super) fn run(settings: &Settings, command: BundleCommand, output: &mut Output) -> Result<(), CommandError> {
    match command {
        BundleCommand::Export(args) => export(settings, &args, output),
        BundleCommand::Import(args) => import(settings, &args.file, output),
    }
}

fn export(settings: &Settings, args: &ExportArgs, output: &mut Output) -> Result<(), CommandError> {
    let now = time::now();
    let (home, _lock) = hold(settings, now)?;
    let roster = home.read_roster(now)?;
    let disk = Disk::open(&home.database_path())?;
    let counts = bundle::export(&disk, &roster, args.since.before(now), &args.output, args.force)
        .map_err(|error| not_exported(&home, &error))?;
    let path = std::path::absolute(&args.output).unwrap_or_else(|_| args.output.clone());
    output.line(format_args!(
        "{} and {} in {}",
        counted(counts.records, "record"),
        counted(counts.documents, "roster document"),
        path.display()
    ))
}

fn import(settings: &Settings, path: &Path, output: &mut Output) -> Result<(), CommandError> {
    let now = time::now();
    let (home, _lock) = hold(settings, now)?;
    let roster = home.read_roster(now)?;
    let file = File::open(path)
        .map_err(|error| CommandError::failed(format!("cannot open {}", path.display())).because(&error))?;
    let bundle = BundleReader::new(file).map_err(|error| no_bundle(path, &error))?;
    let mut disk = Disk::open(&home.database_path())?;
    let importer = Importer {
        disk: &mut disk,
        roster,
        keep_roster: &mut |roster| home.write_roster(roster),
        now: UnixMillis(now.ms()),
    };
    let report = importer.import(bundle).map_err(|error| not_imported(&home, path, &error))?;
    tell(&report, output)?;
    if report.is_whole() {
        return Ok(());
    }
    Err(CommandError::failed(format!("not all of {} was good", path.display())).with_hint(
        "what was good is here now; have the bundle written anew for the rest, importing twice does no harm".to_owned(),
    ))
}

/// Keeps nodes off the home in the settings, which must have a unit.
fn hold(settings: &Settings, now: Timestamp) -> Result<(Home, NodeLock), CommandError> {
    let home = settings.home()?;
    if !home.has_unit() {
        // What is missing is told in the words of every other command.
        home.read_roster(now)?;
    }
    let lock = home.lock().map_err(|error| running(error, "stop it first (`logmeout` in its chat)"))?;
    Ok((home, lock))
}

fn tell(report: &Report, output: &mut Output) -> Result<(), CommandError> {
    for (what, Tally { new, known, refused }) in [("documents", report.documents), ("records", report.records)] {
        output.line(format_args!("{what}: {new} new, {known} known, {refused} refused"))?;
    }
    for (reason, count) in &report.reasons {
        output.line(format_args!("  {count} {reason}"))?;
    }
    if report.unreadable_bytes > 0 {
        output.line(format_args!("  {} of it cannot be read", counted(report.unreadable_bytes, "byte")))?;
    }
    if !report.ended {
        output.line("  its end is missing: the file was cut off, and may have held more")?;
    }
    Ok(())
}

fn counted(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

fn not_exported(home: &Home, error: &ExportError) -> CommandError {
    match error {
        ExportError::Read(_) => {
            CommandError::from_error(Kind::Store, error).with_hint(damaged_hint(&home.database_path()))
        }
        _ => CommandError::from_error(Kind::Failed, error).with_hint(error.hint().map(str::to_owned)),
    }
}

fn no_bundle(path: &Path, error: &BundleError) -> CommandError {
    let failure = CommandError::failed(format!("{} cannot be imported", path.display())).because(error);
    match error {
        BundleError::UnknownVersion => {
            failure.with_hint("install the newer muster that wrote it, or have the bundle written anew".to_owned())
        }
        BundleError::NotABundle | BundleError::DamagedHead => {
            failure.with_hint("have it written anew with `muster bundle export -o FILE`".to_owned())
        }
        BundleError::Read(_) => failure,
    }
}

fn not_imported(home: &Home, path: &Path, error: &ImportError) -> CommandError {
    let failure = |kind| CommandError::from_error(kind, error);
    match error {
        ImportError::OtherUnit { .. } => failure(Kind::Failed).with_hint(
            "see with `muster roster show` which unit this home is of, or name another with --home".to_owned(),
        ),
        ImportError::Store(_) => failure(Kind::Store).with_hint(damaged_hint(&home.database_path())),
        ImportError::Read(_) => {
            failure(Kind::Failed).with_hint(format!("copy {} to this device and import it from there", path.display()))
        }
        ImportError::Roster(_) => failure(Kind::Failed),
    }
}

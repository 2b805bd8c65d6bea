//! `muster verify`: what a file of signed records proves.

use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;

use clap::Args;
use muster_roles::{Keyring, Timestamp};

use super::output::Output;
use super::time;
use crate::config::Settings;
use crate::engine::bundle::BundleReader;
use crate::engine::proof::{Fault, Hole, Named, Prover, Report, Row, Share};
use crate::engine::store::Stored;
use crate::engine::view::Reader;
use crate::error::CommandError;
use crate::home::Locking;

/// Check what a file of signed records proves
///
/// Says whose records they are, whether every signature holds and every author had the right to its record, and what is
/// missing in whose numbering. Takes what `muster export --signed` and `muster bundle export` write. Needs no keys, no home
/// and no network; compare the unit's words with your unit's.
#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    /// File to check
    file: PathBuf,

    /// Show the messages too, with the keys of this home
    #[arg(long, env = "MUSTER_TEXT")]
    text: bool,
}

pub(super) fn run(settings: &Settings, args: &VerifyArgs, output: &mut Output) -> Result<(), CommandError> {
    let path = &args.file;
    let file = File::open(path)
        .map_err(|error| CommandError::failed(format!("cannot open {}", path.display())).because(&error))?;
    let unreadable = |error: &dyn std::error::Error| {
        CommandError::failed(format!("{} cannot be checked", path.display())).because(error)
    };
    let bundle = BundleReader::new(BufReader::new(file)).map_err(|error| unreadable(&error))?;
    let unit = bundle.unit();
    let keys = if args.text { Some(Keys::open(settings)?) } else { None };
    let mut prover = Prover::default();
    for found in bundle {
        let record = prover.take(found.map_err(|error| unreadable(&error))?);
        if let (Some(frame), Some(keys), Some(roster)) = (record, &keys, prover.roster()) {
            let stored = Stored::from_store(frame.bytes(), 0).map_err(|error| unreadable(&error))?;
            let reader = Reader { roster, keyring: &keys.keyring, me: &keys.me };
            if let Ok(row) = reader.row(&stored) {
                let (time, group) = (rfc3339(row.time()), row.group());
                output.line(format_args!("{time}  [{group}] {}: {}", row.author(), row.text()))?;
            }
        }
    }
    let name = prover.roster().map(|roster| roster.unit_name().to_owned()).unwrap_or_default();
    output.line(format_args!("unit: {name}, {}", unit.words()))?;
    let report = prover.finish();
    tell(&report, output)?;
    if report.is_whole() {
        return Ok(());
    }
    Err(CommandError::failed(format!("not everything in {} is there and good", path.display()))
        .with_hint("ask for the file again, or for an export by another member".to_owned()))
}

/// What opens the records.
struct Keys {
    keyring: Keyring,
    me: muster_keys::PublicKey,
}

impl Keys {
    fn open(settings: &Settings) -> Result<Self, CommandError> {
        let opened = settings.home()?.open(Locking::Leave, &settings.key, time::now())?;
        Ok(Self { keyring: opened.roster.open_keys(&opened.identity), me: opened.identity.public() })
    }
}

fn tell(report: &Report, output: &mut Output) -> Result<(), CommandError> {
    let all = report.good + report.bad;
    let span = report.span.map_or_else(String::new, |(from, to)| format!(", {} to {}", rfc3339(from), rfc3339(to)));
    output.line(format_args!("{} records by {} roster documents{span}", all, report.documents))?;
    for Share { group, author, messages, receipts } in &report.shares {
        let (messages, receipts) = (describe_row(messages, "message"), describe_row(receipts, "receipt"));
        output.line(format_args!("  {group}  {author}: {messages}, {receipts}"))?;
    }
    match report.bad {
        0 => output.line("all signatures are good, and every author had the right to its records")?,
        bad => output.line(format_args!("{bad} of {all} records are not good:"))?,
    }
    for Fault { number, named, flaw } in &report.faults {
        output.line(format_args!("  record {number}{}: {flaw}", named.as_ref().map(describe).unwrap_or_default()))?;
    }
    match report.missing {
        0 => output.line("no holes in anybody's numbering")?,
        1 => output.line("1 record is missing in its author's numbering:")?,
        missing => output.line(format_args!("{missing} records are missing in their authors' numbering:"))?,
    }
    for hole in &report.holes {
        output.line(format_args!("  {}", describe_hole(hole)))?;
    }
    if report.bad_documents > 0 {
        output.line(format_args!("{} roster documents are not good", report.bad_documents))?;
    }
    if report.unreadable_bytes > 0 {
        output.line(format_args!("{} bytes of it cannot be read", report.unreadable_bytes))?;
    }
    match report.lost {
        Some(0) => Ok(()),
        Some(lost) => output.line(format_args!("{lost} records fewer than were written")),
        None => output.line("its end is missing: the file was cut off, and may have held more"),
    }
}

fn describe(Named { group, author, count, is_receipt, time, id }: &Named) -> String {
    let author = author.as_ref().map_or_else(|| "nobody".to_owned(), ToString::to_string);
    let what = if *is_receipt { "receipt" } else { "message" };
    format!(" ({group}, {author}'s {what} {count} of {}, {id})", rfc3339(*time))
}

/// How many there are, and from which to which of the author's own count they reach.
fn describe_row(Row { count, span }: &Row, what: &str) -> String {
    let span = span.map_or_else(String::new, |(first, last)| format!(" ({first} to {last})"));
    format!("{count} {what}{}{span}", if *count == 1 { "" } else { "s" })
}

fn describe_hole(Hole { group, author, is_receipt, first, last }: &Hole) -> String {
    let what = if *is_receipt { "receipt" } else { "message" };
    if first == last {
        format!("{group}  {author}: {what} {first}")
    } else {
        format!("{group}  {author}: {what}s {first} to {last}")
    }
}

fn rfc3339(time: Timestamp) -> String {
    let instant = i64::try_from(time.ms()).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    format!("{:.3}", instant.unwrap_or(jiff::Timestamp::MAX))
}

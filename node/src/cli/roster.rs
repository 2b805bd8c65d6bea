//! `muster roster`: who is who.

mod sign;

use clap::{Args, Subcommand};
use muster_roles::{GroupId, Roster};
use serde::Serialize;

use super::member::{self, Listed};
use super::output::Output;
use super::time;
use crate::config::Settings;
use crate::error::CommandError;

#[derive(Debug, Subcommand)]
pub(super) enum RosterCommand {
    /// Show the unit, its groups and its members
    Show(ShowArgs),
    /// Sign a change that others must sign too
    Sign(sign::SignArgs),
}

#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// Print one JSON object
    #[arg(long, env = "MUSTER_JSON")]
    json: bool,
}

pub(super) fn run(settings: &Settings, command: RosterCommand, output: &mut Output) -> Result<(), CommandError> {
    match command {
        RosterCommand::Show(args) => run_show(settings, &args, output),
        RosterCommand::Sign(args) => sign::run(settings, &args, output),
    }
}

fn run_show(settings: &Settings, args: &ShowArgs, output: &mut Output) -> Result<(), CommandError> {
    let roster = settings.home()?.read_roster(time::now())?;
    if args.json { output.json(&Shown::from(&roster)) } else { show(&roster, output) }
}

fn show(roster: &Roster, output: &mut Output) -> Result<(), CommandError> {
    output.columns(&[
        ["unit".to_owned(), roster.unit_name().to_owned()],
        ["words".to_owned(), roster.unit().words()],
        ["version".to_owned(), roster.version().to_string()],
        ["issued".to_owned(), time::local(roster.issued())],
    ])?;
    output.line("")?;
    let head = ["GROUP", "LETTER", "EPOCH", "VERSION"].map(str::to_owned);
    let groups = roster.groups().map(|group| {
        let letter = letter_of(roster, group).map_or_else(String::new, |letter| format!(":{letter}"));
        let (epoch, version) = epoch_and_version(roster, group);
        [group.to_string(), letter, epoch.to_string(), version.to_string()]
    });
    output.columns(&std::iter::once(head).chain(groups).collect::<Vec<_>>())?;
    output.line("")?;
    output.columns(&member::rows(&roster.members()))
}

/// A group's current epoch, and the version of the document that says so: the charter, or the troop's sheet.
fn epoch_and_version(roster: &Roster, group: &GroupId) -> (u64, u64) {
    let cited = roster.versions_for(group);
    let version = if group.is_heads() { cited.charter_version } else { cited.sheet_version };
    (cited.epoch, version)
}

/// The letter that brings the commander to a troop's group.
fn letter_of(roster: &Roster, group: &GroupId) -> Option<char> {
    roster.troops().iter().find(|troop| troop.id == *group).map(|troop| troop.letter)
}

/// The roster as a program reads it.
#[derive(Debug, Serialize)]
struct Shown {
    unit: String,
    words: String,
    version: u64,
    issued_ms: u64,
    groups: Vec<ShownGroup>,
    members: Vec<Listed>,
}

#[derive(Debug, Serialize)]
struct ShownGroup {
    group: String,
    letter: Option<char>,
    epoch: u64,
    version: u64,
}

impl From<&Roster> for Shown {
    fn from(roster: &Roster) -> Self {
        let group = |group: &GroupId| {
            let (epoch, version) = epoch_and_version(roster, group);
            ShownGroup { group: group.to_string(), letter: letter_of(roster, group), epoch, version }
        };
        Self {
            unit: roster.unit_name().to_owned(),
            words: roster.unit().words(),
            version: roster.version(),
            issued_ms: roster.issued().ms(),
            groups: roster.groups().map(group).collect(),
            members: roster.members().iter().map(Listed::from).collect(),
        }
    }
}

//! `muster authority`: whose keys speak for the unit, and how many of them must sign.

use std::path::Path;

use clap::{Args, Subcommand};
use muster_keys::PublicKey;
use muster_roles::{Edit, NewAuthority, Person, Roster};
use serde::Serialize;

use super::change::{self, ProposalArgs};
use super::output::Output;
use super::time;
use crate::config::Settings;
use crate::error::CommandError;

#[derive(Debug, Subcommand)]
pub(super) enum AuthorityCommand {
    /// Show whose keys speak for the unit
    Show(ShowArgs),
    /// Let other keys speak for the unit, or another command it
    ///
    /// Takes the signatures of the authority before and of the new one. Where this device's is not enough, the change is
    /// written to a file for the others to sign with `muster roster sign`. Every group gets new keys, and a commander that
    /// is replaced leaves the unit.
    Set(SetArgs),
}

#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// Print one JSON object
    #[arg(long, env = "MUSTER_JSON")]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct SetArgs {
    /// How many of the keys must sign
    #[arg(long, env = "MUSTER_THRESHOLD", value_name = "K")]
    threshold: u32,

    /// The keys: a member's name, a public key file, or a line beginning with ssh-ed25519
    #[arg(value_name = "KEY", required = true)]
    keys: Vec<String>,

    /// The new commander: a member, or a new name with --commander-key
    #[arg(long, env = "MUSTER_COMMANDER", value_name = "NAME")]
    commander: Option<String>,

    /// Key of a new commander: a public key file, or a line beginning with ssh-ed25519
    #[arg(long, env = "MUSTER_COMMANDER_KEY", value_name = "KEY", requires = "commander")]
    commander_key: Option<String>,

    #[command(flatten)]
    proposal: ProposalArgs,
}

pub(super) fn run(settings: &Settings, command: AuthorityCommand, output: &mut Output) -> Result<(), CommandError> {
    match command {
        AuthorityCommand::Show(args) => show(settings, &args, output),
        AuthorityCommand::Set(args) => set(settings, &args, output),
    }
}

/// The authority as a program reads it.
#[derive(Debug, Serialize)]
struct Shown {
    threshold: u32,
    keys: Vec<ShownKey>,
}

#[derive(Debug, Serialize)]
struct ShownKey {
    fingerprint: String,
    name: Option<String>,
    role: Option<String>,
}

impl From<&Roster> for Shown {
    fn from(roster: &Roster) -> Self {
        let authority = roster.charter().authority();
        let key = |key: &PublicKey| {
            let member = roster.member(key);
            ShownKey {
                fingerprint: key.fingerprint(),
                name: member.as_ref().map(|member| member.name.to_string()),
                role: member.map(|member| member.role.to_string()),
            }
        };
        Self { threshold: authority.threshold(), keys: authority.keys().iter().map(key).collect() }
    }
}

fn show(settings: &Settings, args: &ShowArgs, output: &mut Output) -> Result<(), CommandError> {
    let shown = Shown::from(&settings.home()?.read_roster(time::now())?);
    if args.json {
        return output.json(&shown);
    }
    let (needed, all) = (shown.threshold, shown.keys.len());
    output.line(format_args!("{needed} of {all} must sign"))?;
    let rows = shown.keys.into_iter().map(|key| {
        let name = key.name.unwrap_or_else(|| "-".to_owned());
        [name, key.role.unwrap_or_else(|| "no member".to_owned()), key.fingerprint]
    });
    let head = ["NAME", "ROLE", "KEY"].map(str::to_owned);
    output.columns(&std::iter::once(head).chain(rows).collect::<Vec<_>>())
}

fn set(settings: &Settings, args: &SetArgs, output: &mut Output) -> Result<(), CommandError> {
    let now = time::now();
    let (home, mut opened) = change::open(settings, now)?;
    let keys = args.keys.iter().map(|key| read_key(key, &opened.roster)).collect::<Result<Vec<_>, _>>()?;
    let commander = match &args.commander {
        Some(name) => Some(heir(name, args.commander_key.as_deref(), &opened.roster)?),
        None => None,
    };
    let edit = Edit::Authority(NewAuthority { keys, threshold: args.threshold, commander });
    if let Some(proposed) = change::make(settings, &home, &mut opened, &edit, &args.proposal, now)? {
        return proposed.tell(output);
    }
    let charter = opened.roster.charter();
    let (needed, all) = (charter.authority().threshold(), charter.authority().keys().len());
    output.line(format_args!("{needed} of {all} must sign from now on; {} commands.", charter.commander().name))
}

/// The new commander: somebody who is a member, or a new name with its key.
fn heir(name: &str, key: Option<&str>, roster: &Roster) -> Result<Person, CommandError> {
    if let Some(key) = key {
        let name = name.parse().map_err(|error: muster_roles::NameError| CommandError::usage(error.to_string()))?;
        return Ok(Person { name, key: read_key(key, roster)? });
    }
    let member = roster.find(name).ok_or_else(|| {
        CommandError::failed(format!("there is no member {name:?} in this unit"))
            .with_hint("give the key of somebody new with --commander-key FILE".to_owned())
    })?;
    Ok(Person { name: member.name, key: member.key })
}

/// A key as it is given on the command line.
fn read_key(given: &str, roster: &Roster) -> Result<PublicKey, CommandError> {
    if let Some(member) = roster.find(given) {
        return Ok(member.key);
    }
    if Path::new(given).exists() {
        return Ok(muster_keys::load_public(Path::new(given))?.0);
    }
    PublicKey::from_openssh(given).map(|(key, _)| key).map_err(|error| {
        CommandError::failed(format!("{given:?} is no member, no file and no public key"))
            .because(&error)
            .with_hint("give a name from `muster member list`, a .pub file, or the line in it".to_owned())
    })
}

//! `muster member`: admitting, listing and removing members.

mod add;

use clap::{Args, Subcommand};
use muster_roles::{Edit, Member, Role};
use serde::Serialize;

use super::change::{self, ProposalArgs};
use super::live;
use super::output::Output;
use super::time;
use crate::config::Settings;
use crate::control;
use crate::error::CommandError;

#[derive(Debug, Subcommand)]
pub(super) enum MemberCommand {
    /// Add a member and write the home folder for its device
    ///
    /// The folder holds all that the device needs: give it over, and `muster --home DIR start` is all it takes. With
    /// --pubkey the private key never leaves the device: it is put into the folder there, as role.key.
    Add(add::AddArgs),
    /// List the members and their keys
    List(ListArgs),
    /// Remove a member, and replace the keys of the groups it could read
    Remove(RemoveArgs),
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// Print one JSON object a line
    #[arg(long, env = "MUSTER_JSON")]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct RemoveArgs {
    /// Name of the member
    name: String,

    #[command(flatten)]
    proposal: ProposalArgs,
}

pub(super) fn run(settings: &Settings, command: MemberCommand, output: &mut Output) -> Result<(), CommandError> {
    match command {
        MemberCommand::Add(args) => add::run(settings, &args, output),
        MemberCommand::List(args) => list(settings, &args, output),
        MemberCommand::Remove(args) => remove(settings, &args, output),
    }
}

fn list(settings: &Settings, args: &ListArgs, output: &mut Output) -> Result<(), CommandError> {
    let roster = settings.home()?.read_roster(time::now())?;
    let members = roster.members();
    if args.json {
        members.iter().try_for_each(|member| output.json(&Listed::from(member)))
    } else {
        output.columns(&rows(&members))
    }
}

fn remove(settings: &Settings, args: &RemoveArgs, output: &mut Output) -> Result<(), CommandError> {
    let now = time::now();
    let change = control::Change::Remove { name: args.name.clone() };
    let running = if args.proposal.is_asked_for() { None } else { live::change(settings, change)? };
    if let Some(changed) = running {
        output.line(format_args!("Removed {}; the groups it could read have new keys.", args.name))?;
        return output.line(live::told(&changed));
    }
    let (home, mut opened) = change::open(settings, now)?;
    let edit = Edit::Remove { name: args.name.clone() };
    let key = opened.roster.find(&args.name).map(|member| member.key);
    if let Some(proposed) = change::make(settings, &home, &mut opened, &edit, &args.proposal, now)? {
        return proposed.tell(output);
    }
    output.line(format_args!("Removed {}; the groups it could read have new keys.", args.name))?;
    if key.is_some_and(|key| opened.roster.charter().authority().keys().contains(&key)) {
        output.line("Its key still speaks for the unit: put another in its place with `muster authority set`.")?;
    }
    Ok(())
}

/// A member as a program reads it.
#[derive(Debug, Serialize)]
pub(super) struct Listed {
    name: String,
    role: &'static str,
    troop: Option<String>,
    fingerprint: String,
}

impl From<&Member> for Listed {
    fn from(member: &Member) -> Self {
        let (role, troop) = match &member.role {
            Role::Commander => ("commander", None),
            Role::Leader(troop) => ("leader", Some(troop)),
            Role::Soldier(troop) => ("soldier", Some(troop)),
            Role::Carrier => ("carrier", None),
        };
        Self {
            name: member.name.to_string(),
            role,
            troop: troop.map(ToString::to_string),
            fingerprint: member.key.fingerprint(),
        }
    }
}

/// Members as a table for a person, with a head.
pub(super) fn rows(members: &[Member]) -> Vec<[String; 3]> {
    let head = ["NAME", "ROLE", "KEY"].map(str::to_owned);
    let row = |member: &Member| {
        let Listed { name, fingerprint, .. } = Listed::from(member);
        [name, member.role.to_string(), fingerprint]
    };
    std::iter::once(head).chain(members.iter().map(row)).collect()
}

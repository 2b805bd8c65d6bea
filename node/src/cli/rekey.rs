//! `muster rekey`: new group keys.

use clap::Args;
use muster_roles::Edit;

use super::change::{self, ProposalArgs};
use super::live;
use super::output::Output;
use super::time;
use crate::config::Settings;
use crate::control::Change;
use crate::error::CommandError;

/// Replace the group keys, so that what is said from now on needs the new ones
///
/// The commander replaces those of every group, a leader those of its troop. A running node does it by itself once a day.
#[derive(Debug, Args)]
pub(super) struct RekeyArgs {
    #[command(flatten)]
    proposal: ProposalArgs,
}

pub(super) fn run(settings: &Settings, args: &RekeyArgs, output: &mut Output) -> Result<(), CommandError> {
    let now = time::now();
    let running = if args.proposal.is_asked_for() { None } else { live::change(settings, Change::Rekey)? };
    if let Some(changed) = running {
        let roster = settings.home()?.read_roster(now)?;
        for group in &changed.rekeyed {
            output.line(format_args!("{group}: epoch {}", roster.versions_for(group).epoch))?;
        }
        return output.line(live::told(&changed));
    }
    let (home, mut opened) = change::open(settings, now)?;
    let before = opened.roster.clone();
    if let Some(proposed) = change::make(settings, &home, &mut opened, &Edit::Rekey, &args.proposal, now)? {
        return proposed.tell(output);
    }
    for group in opened.roster.groups() {
        let (old, new) = (before.versions_for(group).epoch, opened.roster.versions_for(group).epoch);
        if new != old {
            output.line(format_args!("{group}: epoch {new}"))?;
        }
    }
    Ok(())
}

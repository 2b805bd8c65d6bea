//! `muster roster sign`: adding a signature to a change that several must sign.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;
use muster_keys::Identity;
use muster_roles::{MAX_PROPOSAL_LEN, Proposal, ProposalError, Roster};

use crate::cli::output::Output;
use crate::cli::{change, live, time};
use crate::config::Settings;
use crate::error::CommandError;
use crate::home::{Locking, terminal};

#[derive(Debug, Args)]
pub(in crate::cli) struct SignArgs {
    /// The proposal; several copies of one are joined, and the first is written
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,

    /// Sign without asking
    #[arg(long, env = "MUSTER_YES")]
    yes: bool,
}

pub(super) fn run(settings: &Settings, args: &SignArgs, output: &mut Output) -> Result<(), CommandError> {
    let now = time::now();
    let home = settings.home()?;
    let (file, mut proposal) = read_all(&args.files)?;
    let locking = if live::runs(settings)? { Locking::Leave } else { Locking::Take };
    let (identity, mut roster, lock) = home.open_to_sign(locking, &settings.key, now)?;
    proposal.check(&roster, now)?;
    show(&proposal, &roster, output)?;

    let has_signed = proposal.signers().contains(&identity.public());
    if !has_signed {
        if !args.yes && !agreed(&proposal, &roster)? {
            return Err(CommandError::failed("not signed"));
        }
        proposal.sign(&roster, &identity, now)?;
        change::write(&file, &proposal, true)?;
    } else if args.files.len() > 1 {
        change::write(&file, &proposal, true)?;
    } else if !proposal.missing(&roster).is_empty() {
        return Err(ProposalError::SignedAlready.into());
    }
    let missing = proposal.missing(&roster);
    if !missing.is_empty() {
        output.line(format_args!("{}; {}.", signed(has_signed, &file), change::in_words(&missing, &roster)))?;
        return output
            .line(format_args!("Take {0} on to another device; there: muster roster sign {0}", file.display()));
    }
    match change::keep(settings, (&home, lock.as_ref()), (&mut roster, &proposal), now)? {
        None => tell_in_force(&identity, &roster, output),
        Some(changed) => {
            output.line("That is enough: the change is in force here.")?;
            output.line(live::told(&changed))
        }
    }
}

fn signed(before: bool, file: &Path) -> String {
    if before { format!("Joined into {}", file.display()) } else { format!("Signed {}", file.display()) }
}

fn tell_in_force(identity: &Identity, roster: &Roster, output: &mut Output) -> Result<(), CommandError> {
    output.line("That is enough: the change is in force here, and spreads as this device meets others.")?;
    if roster.member(&identity.public()).is_none() {
        output.line("This key is no member's: start a member's node with this roster.cbor, so that it spreads.")?;
    }
    Ok(())
}

/// Shows what would change against the roster in force here, and who has signed.
fn show(proposal: &Proposal, roster: &Roster, output: &mut Output) -> Result<(), CommandError> {
    output.line(format_args!("A change to {}, made {}:", roster.unit_name(), time::local(proposal.issued())))?;
    output.line(proposal.changes(roster))?;
    let name = |key: &muster_keys::PublicKey| {
        roster.member(key).map_or_else(|| key.fingerprint(), |member| member.name.to_string())
    };
    let signers: Vec<_> = proposal.signers().iter().map(name).collect();
    output.line(format_args!("signed by  {}", signers.join(", ")))
}

fn agreed(proposal: &Proposal, roster: &Roster) -> Result<bool, CommandError> {
    if !terminal::is_attended() {
        return Err(CommandError::failed("there is no terminal to ask at whether to sign")
            .with_hint("look at the change above, and give --yes to sign it".to_owned()));
    }
    let beware = if proposal.changes(roster).faults.is_empty() { "" } else { "BEWARE, see above. " };
    let answer = terminal::ask_line(&format!("{beware}Sign it? [y/N] "));
    let answer = answer.map_err(|error| CommandError::failed("not signed").because(&error))?;
    Ok(answer.is_some_and(|answer| matches!(answer.to_ascii_lowercase().as_str(), "y" | "yes")))
}

/// Reads the copies of a proposal and joins their signatures; the first is the one to write.
fn read_all(files: &[PathBuf]) -> Result<(PathBuf, Proposal), CommandError> {
    let mut read = files.iter().map(|file| Ok::<_, CommandError>((file, read(file)?)));
    let Some(first) = read.next() else { return Err(CommandError::usage("no file is given")) };
    let (file, mut proposal) = first?;
    for other in read {
        let (other_file, other) = other?;
        proposal.merge(&other).map_err(|error| {
            CommandError::failed(format!("{} and {} cannot be joined", file.display(), other_file.display()))
                .because(&error)
        })?;
    }
    Ok((file.clone(), proposal))
}

fn read(path: &Path) -> Result<Proposal, CommandError> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(MAX_PROPOSAL_LEN).unwrap_or(u64::MAX).saturating_add(1);
    File::open(path)
        .and_then(|file| file.take(limit).read_to_end(&mut bytes))
        .map_err(|error| CommandError::failed(format!("cannot read {}", path.display())).because(&error))?;
    Proposal::decode(&bytes)
        .map_err(|error| CommandError::failed(format!("{} is refused", path.display())).because(&error))
}

//! A change to the roster: made at once where one signature is enough, and else written down for others to sign.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use muster_roles::{Edit, Missing, Proposal, Roster, Timestamp};

use super::live;
use super::output::Output;
use crate::config::Settings;
use crate::control::Changed;
use crate::error::CommandError;
use crate::home::{Home, Locking, NodeLock, Opened};
use crate::new_file::{FileError, NewFile};

#[derive(Debug, Args)]
pub(super) struct ProposalArgs {
    /// File for the change if others must sign it too; to ask for it in the authority's name
    #[arg(long, env = "MUSTER_PROPOSAL", value_name = "FILE")]
    proposal: Option<PathBuf>,
}

impl ProposalArgs {
    /// Whether the change is wanted as a file for others to sign: then a running node has no part in it.
    pub(super) const fn is_asked_for(&self) -> bool {
        self.proposal.is_some()
    }
}

/// A change that waits for other signatures.
pub(super) struct Proposed {
    file: PathBuf,
    missing: String,
}

impl Proposed {
    /// Tells whose signature it waits for.
    pub(super) fn tell(&self, output: &mut Output) -> Result<(), CommandError> {
        let file = self.file.display();
        output.line(format_args!("Nothing is changed yet: {}.", self.missing))?;
        output.line(format_args!("Take {file} to another device; there: muster roster sign {file}"))
    }
}

/// Opens the home to change its roster: with its lock, unless a node runs on it, which then takes the change in.
pub(super) fn open(settings: &Settings, now: Timestamp) -> Result<(Home, Opened), CommandError> {
    let locking = if live::runs(settings)? { Locking::Leave } else { Locking::Take };
    settings.open(locking, now)
}

/// Keeps what is signed by all who must: by the node that runs on the home, or here with the home's lock.
pub(super) fn keep(
    settings: &Settings,
    (home, lock): (&Home, Option<&NodeLock>),
    (roster, proposal): (&mut Roster, &Proposal),
    now: Timestamp,
) -> Result<Option<Changed>, CommandError> {
    if lock.is_some() {
        let documents: Vec<_> = proposal.documents().map(<[u8]>::to_vec).collect();
        home.adopt(roster, &documents, now)?;
        return Ok(None);
    }
    let changed = live::adopt(settings, proposal.documents())?;
    *roster = home.read_roster(now)?;
    Ok(Some(changed))
}

/// Makes a change and keeps the roster, or writes it down as a proposal and says so.
pub(super) fn make(
    settings: &Settings,
    home: &Home,
    opened: &mut Opened,
    edit: &Edit,
    args: &ProposalArgs,
    now: Timestamp,
) -> Result<Option<Proposed>, CommandError> {
    let proposal = draft(opened, edit, args, now)?;
    carry_out(settings, home, opened, (edit, &proposal), args, now)
}

/// Signs a change without making it: a change that is refused is refused by this.
pub(super) fn draft(
    opened: &Opened,
    edit: &Edit,
    args: &ProposalArgs,
    now: Timestamp,
) -> Result<Proposal, CommandError> {
    let make = if args.proposal.is_some() { muster_roles::propose } else { muster_roles::draft };
    Ok(make(&opened.roster, &opened.identity, edit, now)?)
}

/// Makes a change that was drafted, as [`make`] does.
pub(super) fn carry_out(
    settings: &Settings,
    home: &Home,
    opened: &mut Opened,
    (edit, proposal): (&Edit, &Proposal),
    args: &ProposalArgs,
    now: Timestamp,
) -> Result<Option<Proposed>, CommandError> {
    let missing = proposal.missing(&opened.roster);
    if missing.is_empty() {
        keep(settings, (home, opened.lock.as_ref()), (&mut opened.roster, proposal), now)?;
        return Ok(None);
    }
    let file = args.proposal.clone().unwrap_or_else(|| default_file(edit));
    write(&file, proposal, false)?;
    Ok(Some(Proposed { file, missing: in_words(&missing, &opened.roster) }))
}

/// Writes a proposal to a file, which appears whole or not at all.
pub(super) fn write(path: &Path, proposal: &Proposal, overwrite: bool) -> Result<(), CommandError> {
    let write = || {
        let mut file = NewFile::create(path, overwrite)?;
        file.write_all(&proposal.encode()).map_err(|error| FileError::at(path, error))?;
        file.keep()
    };
    write().map_err(|error: FileError| {
        let hint = match error {
            FileError::Exists { .. } => "sign that one with `muster roster sign`, or name another with --proposal FILE",
            _ => "name a file in a folder of your own with --proposal FILE",
        };
        CommandError::from_error(crate::error::Kind::Failed, &error).with_hint(hint.to_owned())
    })
}

/// Whose signatures are missing: `1 more signature is needed, of Chief or Navy1`.
pub(super) fn in_words(missing: &Missing, roster: &Roster) -> String {
    let name = |key| roster.member(key).map_or_else(|| key.fingerprint(), |member| member.name.to_string());
    let keys: Vec<_> = missing.keys.iter().map(name).collect();
    let needed = match (missing.present, missing.next) {
        (present, 0) => count(present),
        (0, next) => format!("{} of the new authority", count(next)),
        (present, next) => format!("{} of the present authority and {next} of the new one", count(present)),
    };
    let is = if needed.starts_with("1 more signature") { "is" } else { "are" };
    format!("{needed} {is} needed, of {}", keys.join(" or "))
}

fn count(signatures: usize) -> String {
    if signatures == 1 { "1 more signature".to_owned() } else { format!("{signatures} more signatures") }
}

/// The name of the file in the folder that the command runs in.
fn default_file(edit: &Edit) -> PathBuf {
    PathBuf::from(match edit {
        Edit::Add { name, .. } => format!("add-{name}.proposal"),
        // What the person typed need not be a name; the change was found possible, so it is one by now.
        Edit::Remove { name } => format!("remove-{name}.proposal"),
        Edit::Authority(_) => "authority.proposal".to_owned(),
        _ => "rekey.proposal".to_owned(),
    })
}

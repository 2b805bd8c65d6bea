//! `muster member add`: a new member, and the home folder for its device.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use muster_keys::{Identity, PublicKey};
use muster_roles::{Edit, GroupId, MemberName, Role};

use crate::cli::change::{self, ProposalArgs};
use crate::cli::live;
use crate::cli::output::Output;
use crate::cli::time;
use crate::config::Settings;
use crate::control::{Change, Changed};
use crate::error::CommandError;
use crate::home::Home;

#[derive(Debug, Args)]
pub(in crate::cli) struct AddArgs {
    /// Name in the chat, such as Army3
    name: MemberName,

    /// What the member may do
    #[arg(long, env = "MUSTER_ROLE", value_enum)]
    role: RoleKind,

    /// Troop of a leader or soldier
    #[arg(
        long,
        env = "MUSTER_TROOP",
        value_name = "GROUP",
        required_if_eq_any = [("role", "leader"), ("role", "soldier")],
    )]
    troop: Option<GroupId>,

    /// Public key file that the device handed over (id_ed25519.pub), in place of a new key made here
    #[arg(long, env = "MUSTER_PUBKEY", value_name = "FILE")]
    pubkey: Option<PathBuf>,

    /// Folder to write the new home to; must be empty or not exist yet
    #[arg(long, env = "MUSTER_OUT", value_name = "DIR")]
    out: PathBuf,

    #[command(flatten)]
    proposal: ProposalArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum RoleKind {
    /// Head of a troop: reads and posts heads and its troop's group
    Leader,
    /// Member of a troop: reads and posts its troop's group
    Soldier,
    /// Device without reading rights that stores and forwards for everyone
    Carrier,
}

impl AddArgs {
    fn role(&self) -> Result<Role, CommandError> {
        match (self.role, &self.troop) {
            (RoleKind::Leader, Some(troop)) => Ok(Role::Leader(troop.clone())),
            (RoleKind::Soldier, Some(troop)) => Ok(Role::Soldier(troop.clone())),
            (RoleKind::Carrier, None) => Ok(Role::Carrier),
            (RoleKind::Carrier, Some(_)) => {
                Err(CommandError::usage("a carrier belongs to no troop").with_hint("leave out --troop".to_owned()))
            }
            (RoleKind::Leader | RoleKind::Soldier, None) => {
                Err(CommandError::usage("a leader or soldier needs a troop").with_hint("add --troop GROUP".to_owned()))
            }
        }
    }
}

/// The new member's key: made here and handed over, or kept on its own device.
enum NewKey {
    Made(Identity),
    Given(PublicKey),
}

impl NewKey {
    fn get(pubkey: Option<&Path>) -> Result<Self, CommandError> {
        match pubkey {
            Some(path) => Ok(Self::Given(muster_keys::load_public(path)?.0)),
            None => Ok(Self::Made(Identity::generate()?)),
        }
    }

    fn public(&self) -> PublicKey {
        match self {
            Self::Made(identity) => identity.public(),
            Self::Given(public) => *public,
        }
    }
}

pub(super) fn run(settings: &Settings, args: &AddArgs, output: &mut Output) -> Result<(), CommandError> {
    let role = args.role()?;
    let key = NewKey::get(args.pubkey.as_deref())?;
    check_free(&args.out)?;
    let now = time::now();
    if !args.proposal.is_asked_for()
        && let Some(changed) = add_live(settings, args, &role, &key)?
    {
        tell_added(args, &role, &key, output)?;
        return output.line(live::told(&changed));
    }
    let (home, mut opened) = change::open(settings, now)?;
    let edit = Edit::Add { name: args.name.clone(), role: role.clone(), key: key.public() };
    let change = change::draft(&opened, &edit, &args.proposal, now)?;
    let mut proposed = None;
    if !change.missing(&opened.roster).is_empty() {
        proposed = change::carry_out(settings, &home, &mut opened, (&edit, &change), &args.proposal, now)?;
    }

    let handed_out = Home::new(&args.out);
    handed_out.create()?;
    if let NewKey::Made(identity) = &key {
        muster_keys::create(&handed_out.role_key_path(), identity, args.name.as_str(), None)?;
    }
    // Kept here before the new home is whole: nobody must hold a roster that its signer has forgotten.
    if proposed.is_none() {
        change::carry_out(settings, &home, &mut opened, (&edit, &change), &args.proposal, now)?;
    }
    handed_out.write_roster(&opened.roster).map_err(|error| unfinished(args, &error))?;

    let out = args.out.display();
    if let Some(proposed) = proposed {
        proposed.tell(output)?;
        return output.line(format_args!(
            "Once it is signed, copy roster.cbor from the home where it was signed last into {out}, and give {out} to the \
             device."
        ));
    }
    tell_added(args, &role, &key, output)
}

/// Has the running node add the member, and writes the new home with the roster that includes it.
fn add_live(settings: &Settings, args: &AddArgs, role: &Role, key: &NewKey) -> Result<Option<Changed>, CommandError> {
    let handed_out = Home::new(&args.out);
    let there_before = args.out.exists();
    // The key first: nobody must be a member whose key never reached the disk.
    handed_out.create()?;
    if let NewKey::Made(identity) = key {
        muster_keys::create(&handed_out.role_key_path(), identity, args.name.as_str(), None)?;
    }
    let line = key.public().to_openssh(args.name.as_str());
    let change = Change::Add { name: args.name.clone(), role: role.clone(), key: line };
    match live::change(settings, change) {
        Ok(Some(changed)) => {
            let roster = settings.home()?.read_roster(time::now())?;
            handed_out.write_roster(&roster).map_err(|error| unfinished(args, &error))?;
            Ok(Some(changed))
        }
        nothing => {
            // As it was: the folder is made again where the change is made without a node.
            let _none_made = fs::remove_file(handed_out.role_key_path());
            if !there_before {
                let _not_empty = fs::remove_dir(&args.out);
            }
            nothing
        }
    }
}

fn tell_added(args: &AddArgs, role: &Role, key: &NewKey, output: &mut Output) -> Result<(), CommandError> {
    let out = args.out.display();
    output.line(format_args!("Added {}, {}.", args.name, role))?;
    match key {
        NewKey::Made(_) => output.line(format_args!("Give {out} to the device; there: muster --home {out} start")),
        NewKey::Given(_) => output.line(format_args!(
            "Give {out} to the device; there, put its private key into it as role.key, then: muster --home {out} start"
        )),
    }
}

/// Refuses a folder with something in it, before anything is changed.
fn check_free(out: &Path) -> Result<(), CommandError> {
    let taken = match fs::read_dir(out) {
        Ok(mut entries) => entries.next().is_some(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(error) => return Err(CommandError::failed(format!("cannot use {}", out.display())).because(&error)),
    };
    if taken {
        return Err(CommandError::failed(format!("{} is not empty", out.display()))
            .with_hint("name a folder that does not exist yet with --out".to_owned()));
    }
    Ok(())
}

/// The member is in the roster, but its home could not be finished.
fn unfinished(args: &AddArgs, error: &io::Error) -> CommandError {
    CommandError::failed(format!("{} was added, but {} could not be written", args.name, args.out.display()))
        .because(error)
        .with_hint(format!(
            "copy roster.cbor from this home into it, or start over with `muster member remove {}`",
            args.name
        ))
}

//! `muster unit`: founding a unit.

mod raise;

use clap::{Args, Subcommand};
use muster_keys::Identity;
use muster_roles::{MemberName, Roster, TroopDef, UnitName};

use super::output::Output;
use super::time;
use crate::config::Settings;
use crate::error::{CommandError, Kind};
use crate::home::Home;

#[derive(Debug, Subcommand)]
pub(super) enum UnitCommand {
    /// Found a unit with you as its commander
    ///
    /// Makes the home folder with your role key, unless one lies there already, and the unit's roster. The key gets
    /// the passphrase of --passphrase-file; without that it has none, until `ssh-keygen -p` sets one.
    Create(CreateArgs),
    /// Found a unit and make a home for each of its members, or finish what an earlier run began
    ///
    /// What is there already stays as it is, so that it can run before every start of a unit whose homes lie on one
    /// machine. A member that has been removed from the unit is not let in again. The keys have no passphrase.
    Raise(raise::RaiseArgs),
}

#[derive(Debug, Args)]
pub(super) struct CreateArgs {
    /// Name of the unit, such as "1st Brigade"
    #[arg(long, env = "MUSTER_NAME")]
    pub(super) name: UnitName,

    /// Name of the commander in the chat
    #[arg(long, env = "MUSTER_CHIEF", value_name = "NAME")]
    pub(super) chief: MemberName,

    /// A troop, and the letter that brings the commander to its group; once for each
    #[arg(
        long = "group",
        env = "MUSTER_GROUP",
        value_name = "TROOP:LETTER",
        value_delimiter = ',',
        default_values = ["navy:n", "airforce:a", "army:r"],
    )]
    pub(super) groups: Vec<TroopDef>,
}

pub(super) fn run(settings: &Settings, command: UnitCommand, output: &mut Output) -> Result<(), CommandError> {
    match command {
        UnitCommand::Create(args) => create(settings, &args, output),
        UnitCommand::Raise(args) => raise::run(settings, &args, output),
    }
}

fn create(settings: &Settings, args: &CreateArgs, output: &mut Output) -> Result<(), CommandError> {
    establish(settings, &settings.home()?, args)?.into_iter().try_for_each(|line| output.line(line))
}

/// Founds a unit in a home that has none, and returns what there is to say about it.
pub(super) fn establish(settings: &Settings, home: &Home, args: &CreateArgs) -> Result<Vec<String>, CommandError> {
    home.create()?;
    let _lock = home.lock()?;
    if home.has_unit() {
        return Err(CommandError::failed(format!("{} already has a unit", home.dir().display()))
            .with_hint("name another folder with --home, or see this one with `muster roster show`".to_owned()));
    }
    let chief = Chief::find(settings, home)?;
    let roster = found(&args.name, &args.chief, &args.groups, &chief.identity)?;
    // The key first: a roster whose commander's key never reached the disk would be of no use to anybody.
    if chief.is_new {
        let passphrase = settings.key.passphrase()?;
        muster_keys::create(&home.role_key_path(), &chief.identity, args.chief.as_str(), passphrase.as_ref())?;
    }
    home.write_roster(&roster).map_err(|error| CommandError::failed("the roster was not written").because(&error))?;
    Ok(vec![
        format!("Founded {} in {}.", roster.unit_name(), home.dir().display()),
        format!("Its words, to compare by voice: {}", roster.unit().words()),
        format!("Next: muster --home {} member add NAME --role leader --troop TROOP --out DIR", home.dir().display()),
    ])
}

/// The commander's role key: the one that lies in the home, or a new one.
struct Chief {
    identity: Identity,
    is_new: bool,
}

impl Chief {
    fn find(settings: &Settings, home: &Home) -> Result<Self, CommandError> {
        match home.role_key(&settings.key)? {
            Some(identity) => Ok(Self { identity, is_new: false }),
            None => Ok(Self { identity: Identity::generate()?, is_new: true }),
        }
    }
}

/// Signs the first roster of a unit.
pub(super) fn found(
    name: &UnitName,
    chief: &MemberName,
    groups: &[TroopDef],
    identity: &Identity,
) -> Result<Roster, CommandError> {
    let now = time::now();
    let documents = muster_roles::found(name, chief, identity, groups, now)?;
    Roster::from_documents(documents.iter().map(Vec::as_slice), now)
        .map_err(|error| CommandError::from_error(Kind::Failed, &error))
}

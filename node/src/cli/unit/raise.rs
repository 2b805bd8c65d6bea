//! `muster unit raise`: a whole unit whose homes lie in one place, founded or completed.
//!
//! Each step leaves what the next run goes on from. A home gets its key first, then its member gets its place in the
//! commander's roster, and the roster comes into the home last: a key alone is a home half made, and a home with a
//! roster whose member the commander's does not name belongs to somebody who has been removed.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};
use std::str::FromStr;

use clap::Args;
use muster_keys::{Identity, PublicKey};
use muster_roles::{GroupId, MemberName, Role, Roster, TroopDef, UnitName};

use crate::cli::output::Output;
use crate::cli::time;
use crate::config::Settings;
use crate::error::CommandError;
use crate::home::{Home, NodeLock};

#[derive(Debug, Args)]
pub(in crate::cli) struct RaiseArgs {
    /// Name of the unit, such as "1st Brigade"
    #[arg(long, env = "MUSTER_NAME")]
    name: UnitName,

    /// A troop, and the letter that brings the commander to its group; once for each
    #[arg(
        long = "group",
        env = "MUSTER_GROUP",
        value_name = "TROOP:LETTER",
        value_delimiter = ',',
        default_values = ["navy:n", "airforce:a", "army:r"],
    )]
    groups: Vec<TroopDef>,

    /// Folder in which the homes lie
    #[arg(long, env = "MUSTER_HOMES", value_name = "DIR")]
    homes: PathBuf,

    /// Make the other homes where one cannot be made, and exit with 0 after saying so
    #[arg(long, env = "MUSTER_KEEP_GOING")]
    keep_going: bool,

    /// The members, one of them the commander: hq=Chief:commander, lead=Army1:leader:army, a2=Army2:soldier:army,
    /// van=Van:carrier
    #[arg(value_name = "FOLDER=NAME:ROLE[:TROOP]", required = true)]
    posts: Vec<Post>,
}

/// One member to be, and the folder of its home.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Post {
    folder: PathBuf,
    name: MemberName,
    role: Role,
}

/// Why a word does not say who a member is to be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum PostError {
    #[error("expected FOLDER=NAME:ROLE or FOLDER=NAME:ROLE:TROOP")]
    Form,
    #[error("expected the name of a folder, without `/`, but found `{0}`")]
    Folder(String),
    #[error("expected commander or carrier, or leader or soldier with a troop, but found `{0}`")]
    Role(String),
    #[error(transparent)]
    Name(#[from] muster_roles::NameError),
}

impl FromStr for Post {
    type Err = PostError;

    fn from_str(text: &str) -> Result<Self, PostError> {
        let (folder, member) = text.split_once('=').ok_or(PostError::Form)?;
        let (name, role) = member.split_once(':').ok_or(PostError::Form)?;
        let mut parts = Path::new(folder).components();
        if !matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None)) || folder.ends_with('/') {
            return Err(PostError::Folder(folder.to_owned()));
        }
        let role = match role.split_once(':') {
            None if role == "commander" => Role::Commander,
            None if role == "carrier" => Role::Carrier,
            Some(("leader", troop)) => Role::Leader(troop.parse::<GroupId>()?),
            Some(("soldier", troop)) => Role::Soldier(troop.parse::<GroupId>()?),
            _ => return Err(PostError::Role(role.to_owned())),
        };
        Ok(Self { folder: folder.into(), name: name.parse()?, role })
    }
}

pub(super) fn run(settings: &Settings, args: &RaiseArgs, output: &mut Output) -> Result<(), CommandError> {
    let (chief, others) = args.chief_and_others()?;
    let mut unit = Unit::open_or_found(settings, args, chief, output)?;
    let mut changed = unit.chief.is_some();
    for post in others {
        match unit.complete(settings, post, &Home::new(args.homes.join(&post.folder)), output) {
            Ok(made) => changed |= made,
            Err(error) if args.keep_going => {
                changed = true;
                output.line(error)?;
            }
            Err(error) => return Err(error),
        }
    }
    if changed {
        return Ok(());
    }
    output.line(format_args!("{} is there, with all homes in {}.", args.name, args.homes.display()))
}

impl RaiseArgs {
    /// Finds the one commander, and sees that nobody is named twice.
    fn chief_and_others(&self) -> Result<(&Post, impl Iterator<Item = &Post>), CommandError> {
        let (mut names, mut folders) = (BTreeSet::new(), BTreeSet::new());
        for post in &self.posts {
            if !names.insert(post.name.as_str()) || !folders.insert(&post.folder) {
                return Err(CommandError::usage(format!("{} or its folder is named twice", post.name)));
            }
        }
        let mut commanders = self.posts.iter().filter(|post| post.role == Role::Commander);
        match (commanders.next(), commanders.next()) {
            (Some(chief), None) => Ok((chief, self.posts.iter().filter(|post| post.role != Role::Commander))),
            _ => Err(CommandError::usage("a unit has exactly one commander")
                .with_hint("name it FOLDER=NAME:commander".to_owned())),
        }
    }
}

/// The unit as the commander's home has it.
struct Unit {
    home: Home,
    roster: Roster,
    /// Who signs, once there has been something to sign.
    chief: Option<Chief>,
}

/// The commander's role key, and the lock of its home.
struct Chief {
    identity: Identity,
    _lock: NodeLock,
}

impl Unit {
    fn open_or_found(
        settings: &Settings,
        args: &RaiseArgs,
        chief: &Post,
        output: &mut Output,
    ) -> Result<Self, CommandError> {
        let home = Home::new(args.homes.join(&chief.folder));
        if home.is_whole()? {
            let roster = home.read_roster(time::now())?;
            if roster.unit_name() != args.name.as_str() {
                return Err(another_unit(&home, &roster));
            }
            return Ok(Self { home, roster, chief: None });
        }
        if home.has_unit() {
            return Err(lost(chief, &home));
        }
        home.create()?;
        let lock = home.lock()?;
        let identity = match home.role_key(&settings.key)? {
            Some(identity) => identity,
            None => new_key(&home, &chief.name)?,
        };
        let roster = super::found(&args.name, &chief.name, &args.groups, &identity)?;
        home.write_roster(&roster)
            .map_err(|error| CommandError::failed("the roster was not written").because(&error))?;
        output.line(format_args!("Founded {}. Its words: {}", args.name, roster.unit().words()))?;
        Ok(Self { home, roster, chief: Some(Chief { identity, _lock: lock }) })
    }

    /// Makes what is missing of a member's home; returns whether anything was.
    fn complete(
        &mut self,
        settings: &Settings,
        post: &Post,
        home: &Home,
        output: &mut Output,
    ) -> Result<bool, CommandError> {
        let name = &post.name;
        if home.is_whole()? && self.roster.find(name.as_str()).is_none() {
            let theirs = home.read_roster(time::now())?;
            if theirs.unit() != self.roster.unit() {
                return Err(another_unit(home, &theirs));
            }
            let dir = home.dir().display();
            output.line(format_args!("{name} is not in the unit any more: {dir} is left as it is."))?;
            return Ok(true);
        }
        let key = public_key(home)?;
        match (self.roster.find(name.as_str()), key) {
            (Some(member), Some(key)) if member.key == key => {
                if home.has_unit() {
                    return Ok(false);
                }
            }
            (Some(_), _) => return Err(lost(post, home)),
            (None, key) => self.admit(settings, post, home, key)?,
        }
        home.write_roster(&self.roster).map_err(|error| {
            CommandError::failed(format!("cannot write {}", home.roster_path().display())).because(&error)
        })?;
        output.line(format_args!("Added {name}, {}.", post.role))?;
        Ok(true)
    }

    /// Gives a member a key, unless its home has one, and a place in the roster.
    fn admit(
        &mut self,
        settings: &Settings,
        post: &Post,
        home: &Home,
        key: Option<PublicKey>,
    ) -> Result<(), CommandError> {
        let now = time::now();
        if self.chief.is_none() {
            let lock = self.home.lock()?;
            // Since it was first read, a node may have changed it and ended.
            self.roster = self.home.read_roster(now)?;
            let identity = self
                .home
                .role_key(&settings.key)?
                .ok_or_else(|| CommandError::failed(format!("no role key in {}", self.home.dir().display())))?;
            self.chief = Some(Chief { identity, _lock: lock });
        }
        let Some(chief) = &self.chief else { return Ok(()) };
        let key = match key {
            Some(key) => key,
            None => {
                home.create()?;
                new_key(home, &post.name)?.public()
            }
        };
        let (name, role) = (post.name.clone(), post.role.clone());
        let documents = muster_roles::add_member(&self.roster, &chief.identity, name, role, key, now)?;
        self.home.adopt(&mut self.roster, &documents, now)
    }
}

/// Makes a role key, and puts it into a home.
fn new_key(home: &Home, name: &MemberName) -> Result<Identity, CommandError> {
    let identity = Identity::generate()?;
    muster_keys::create(&home.role_key_path(), &identity, name.as_str(), None)?;
    Ok(identity)
}

/// Reads the public half of the role key that lies in a home, if one does.
fn public_key(home: &Home) -> Result<Option<PublicKey>, CommandError> {
    let path = home.role_key_path();
    if !path.exists() {
        return Ok(None);
    }
    Ok(Some(muster_keys::load(&path)?.public()))
}

/// Another unit's home lies in the folder.
fn another_unit(home: &Home, roster: &Roster) -> CommandError {
    CommandError::failed(format!("{} is of another unit: {}", home.dir().display(), roster.unit_name()))
        .with_hint("name another folder, or move that home away".to_owned())
}

/// The member is in the unit, but its home is not the one that it was given.
fn lost(post: &Post, home: &Home) -> CommandError {
    let name = &post.name;
    CommandError::failed(format!("{} does not hold the role key of {name}", home.dir().display())).with_hint(format!(
        "put its role.key there again; where it is lost, `muster member remove {name}` in the commander's home, and \
         remove what is left of the folder: then {name} gets a new one"
    ))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_post_names_folder_member_role_and_troop() {
        let post: Post = "army-lead=Army-Lead:leader:army".parse().unwrap();
        assert_eq!(post.folder, Path::new("army-lead"));
        assert_eq!(post.name.as_str(), "Army-Lead");
        assert_eq!(post.role, Role::Leader("army".parse().unwrap()));
        assert_eq!("hq=Chief:commander".parse::<Post>().unwrap().role, Role::Commander);
        assert_eq!("van=Van:carrier".parse::<Post>().unwrap().role, Role::Carrier);
        for bad in [
            "army1",
            "army1=Army1",
            "army1=Army1:soldier",
            "army1=Army1:carrier:army",
            "army1=Army1:king:army",
            "a/b=Army1:carrier",
            "../a=Army1:carrier",
            "=Army1:carrier",
            "/=Army1:carrier",
            "a/=Army1:carrier",
            "army1=Army 1:soldier:army",
            "army1=Army1:soldier:Army",
        ] {
            assert!(bad.parse::<Post>().is_err(), "{bad}");
        }
    }
}

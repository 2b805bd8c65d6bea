//! The first `muster start` on a device: asks what there is to do where the home is still empty, and does it.
//!
//! Nothing is written before the last question is answered, so leaving at any of them leaves everything as it was.

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use muster_keys::Identity;
use muster_roles::{MemberName, TroopDef};

use super::time;
use super::unit::{self, CreateArgs};
use crate::config::Settings;
use crate::error::CommandError;
use crate::home::{Home, terminal};
use crate::new_file::NewFile;

/// The most folders that are looked into for a home that was handed out.
const MAX_LOOKED_INTO: usize = 500;

/// The most homes that are offered: a screenful.
const MAX_OFFERED: usize = 12;

/// The longest key file that is copied; OpenSSH's own are half a KiB.
const MAX_KEY_LEN: u64 = 64 * 1024;

/// Where sticks and cards appear, one folder each or one folder a person.
const MEDIA: [&str; 3] = ["/media", "/run/media", "/mnt"];

/// The troops of a unit unless others are named.
const DEFAULT_TROOPS: &str = "navy:n airforce:a army:r";

/// What a new member is asked.
const YOUR_NAME: &str = "Your name in the unit, such as Army3: ";

/// What came of asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Led {
    /// The home has a unit now: the node can start.
    Ready,
    /// The person wants to ask the nodes nearby to be let in, under this name.
    Join(MemberName),
    /// The person has left, or has to wait for somebody; what there was to say has been said.
    NotYet,
}

/// Asks one question and returns the answer; nothing at the end of input.
type Ask<'a> = &'a mut dyn FnMut(&str) -> io::Result<Option<String>>;

/// Leads the person at the terminal to a home with a unit.
///
/// # Errors
/// When what was chosen cannot be done.
pub(super) fn lead(settings: &Settings, home: &Home) -> Result<Led, CommandError> {
    let here = std::env::current_dir().unwrap_or_default();
    Guide { settings, home, given: Given::find(&here, home) }.lead(&mut terminal::ask_line)
}

struct Guide<'a> {
    settings: &'a Settings,
    home: &'a Home,
    given: Vec<Given>,
}

/// A home that was handed out for this device, and lies somewhere else yet.
struct Given {
    home: Home,
    /// Whose it is.
    member: String,
}

/// What there is to choose.
#[derive(Clone, Copy)]
enum Choice<'a> {
    Take(&'a Given),
    Found,
    Join,
    BeAdmitted,
}

impl Guide<'_> {
    fn lead(&self, ask: Ask<'_>) -> Result<Led, CommandError> {
        let given = self.given.iter().map(Choice::Take);
        let choices: Vec<Choice<'_>> = given.chain([Choice::Found, Choice::Join, Choice::BeAdmitted]).collect();
        let mut question = format!("\nNo unit in {} yet. What is to be done?\n\n", self.home.dir().display());
        for (number, choice) in choices.iter().enumerate() {
            question += &format!("{:4}  {}\n", number + 1, self.describe(*choice));
        }
        question += "\nNumber, or Enter to leave: ";
        let parse = |answer: &str| {
            let chosen = answer.parse::<usize>().ok().and_then(|number| choices.get(number.checked_sub(1)?));
            chosen.copied().ok_or_else(|| format!("a number from 1 to {}", choices.len()))
        };
        let Some(choice) = asked(ask, &question, None, parse)? else { return Ok(left()) };
        match choice {
            Choice::Take(given) => self.take(given),
            Choice::Found => self.found(ask),
            Choice::Join => Ok(asked(ask, YOUR_NAME, None, parsed)?.map_or_else(left, Led::Join)),
            Choice::BeAdmitted => self.be_admitted(ask),
        }
    }

    fn describe(&self, choice: Choice<'_>) -> String {
        match choice {
            Choice::Take(given) => format!("I am {}: take the home in {}", given.member, given.home.dir().display()),
            Choice::Found if self.has_key() => {
                "Found a unit, with the role key that is here and me as its commander".to_owned()
            }
            Choice::Found => "Found a unit, with me as its commander".to_owned(),
            Choice::Join => "Join a unit whose nodes are in reach: compare six words with who may admit me".to_owned(),
            Choice::BeAdmitted => "Be admitted from afar: get the line that my chief or leader needs".to_owned(),
        }
    }

    fn has_key(&self) -> bool {
        self.home.role_key_path().exists()
    }

    /// Copies a home that was handed out.
    fn take(&self, given: &Given) -> Result<Led, CommandError> {
        let roster = given.home.read_roster(time::now())?;
        self.home.create()?;
        let _lock = self.home.lock()?;
        // The key first: without it the roster would make a home of nobody.
        copy_key(&given.home.role_key_path(), &self.home.role_key_path())?;
        self.home.write_roster(&roster).map_err(|error| not_set_up(&error))?;
        say(&format!(
            "Copied to {}. Once all is well, remove {}: a role key belongs in one place.",
            self.home.dir().display(),
            given.home.dir().display()
        ));
        Ok(Led::Ready)
    }

    fn found(&self, ask: Ask<'_>) -> Result<Led, CommandError> {
        let Some(name) = asked(ask, "Name of the unit, such as 1st Brigade: ", None, parsed)? else {
            return Ok(left());
        };
        let Some(chief) = asked(ask, "Your name in the chat [Chief]: ", Some("Chief"), parsed::<MemberName>)? else {
            return Ok(left());
        };
        let question = format!("Troops, each with a letter [{DEFAULT_TROOPS}]: ");
        let Some(groups) = asked(ask, &question, Some(DEFAULT_TROOPS), troops)? else { return Ok(left()) };
        let args = CreateArgs { name, chief, groups };
        for line in unit::establish(self.settings, self.home, &args)? {
            say(&line);
        }
        Ok(Led::Ready)
    }

    fn be_admitted(&self, ask: Ask<'_>) -> Result<Led, CommandError> {
        let Some(name) = asked(ask, YOUR_NAME, None, parsed::<MemberName>)? else { return Ok(left()) };
        let public = match self.home.role_key(&self.settings.key)? {
            Some(identity) => identity.public(),
            None => {
                let identity = Identity::generate()?;
                self.home.create()?;
                let passphrase = self.settings.key.passphrase()?;
                let path = self.home.role_key_path();
                muster_keys::create(&path, &identity, name.as_str(), passphrase.as_ref())?;
                identity.public()
            }
        };
        let home = self.home.dir().display();
        say(&format!(
            "\nYour role key is in {home}. Give this line to your chief or leader, by any way at all; it is no secret:\n\n  \
             {}\n\nThere, in a file {name}.pub, it makes a home for you:\n\n  \
             muster member add {name} --role soldier --troop TROOP --pubkey {name}.pub --out {name}\n\n\
             Put the roster.cbor of that folder into {home}, and `muster start` again.",
            public.to_openssh(name.as_str())
        ));
        Ok(Led::NotYet)
    }
}

impl Given {
    /// Looks for homes in the current folder, those in it, and on sticks and cards.
    fn find(here: &Path, own: &Home) -> Vec<Self> {
        let media = MEDIA.iter().flat_map(|top| folders_in(Path::new(top)));
        let media = media.flat_map(|folder| {
            let inside = folders_in(&folder);
            std::iter::once(folder).chain(inside)
        });
        let deeper = media.flat_map(|folder| {
            let inside = folders_in(&folder);
            std::iter::once(folder).chain(inside)
        });
        let candidates = std::iter::once(here.to_owned()).chain(folders_in(here)).chain(deeper).take(MAX_LOOKED_INTO);
        let mut found: Vec<Self> = Vec::new();
        for folder in candidates {
            if found.len() >= MAX_OFFERED || folder == own.dir() || found.iter().any(|given| given.home.dir() == folder)
            {
                continue;
            }
            found.extend(Self::at(Home::new(folder)));
        }
        found
    }

    /// The home in a folder, if one lies there that is sound.
    fn at(home: Home) -> Option<Self> {
        if !home.has_unit() || !home.role_key_path().is_file() {
            return None;
        }
        let roster = home.read_roster(time::now()).ok()?;
        let (_, member) = home.public_key(&crate::home::KeyChoice::default(), &roster).ok()?;
        Some(Self { home, member: format!("{}, {} of {}", member.name, member.role, roster.unit_name()) })
    }
}

/// The folders in a folder, by name; nothing, where there are none to be read.
fn folders_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().take(MAX_LOOKED_INTO);
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

/// Asks until the answer makes sense; nothing, if the person leaves.
fn asked<T>(
    ask: Ask<'_>,
    question: &str,
    default: Option<&str>,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<Option<T>, CommandError> {
    let mut prompt = question.to_owned();
    loop {
        let Some(answer) = ask(&prompt).map_err(|error| not_set_up(&error))? else { return Ok(None) };
        let answer = match (answer.trim(), default) {
            ("", None) => return Ok(None),
            ("", Some(default)) => default.to_owned(),
            (answer, _) => answer.to_owned(),
        };
        match parse(&answer) {
            Ok(value) => return Ok(Some(value)),
            Err(expected) => {
                prompt = format!("{expected}\n{}", question.trim_start().lines().last().unwrap_or_default());
            }
        }
        prompt = if prompt.ends_with(' ') { prompt } else { format!("{prompt} ") };
    }
}

fn parsed<T: FromStr<Err: ToString>>(answer: &str) -> Result<T, String> {
    answer.parse().map_err(|error: T::Err| error.to_string())
}

fn troops(answer: &str) -> Result<Vec<TroopDef>, String> {
    let words = answer.split([' ', ',']).filter(|word| !word.is_empty());
    let troops: Vec<TroopDef> = words.map(parsed).collect::<Result<_, _>>()?;
    // What no roster would take is better said now than when everything has been answered.
    let unnamed = (parsed("Unit")?, parsed("Chief")?, Identity::from_seed(&[1; 32]));
    let tried = unit::found(&unnamed.0, &unnamed.1, &troops, &unnamed.2);
    tried.map(|_| troops).map_err(|error| error.in_one_line())
}

fn copy_key(from: &Path, to: &Path) -> Result<(), CommandError> {
    let mut bytes = zeroize::Zeroizing::new(Vec::with_capacity(MAX_KEY_LEN as usize));
    let read = fs::File::open(from).and_then(|file| file.take(MAX_KEY_LEN).read_to_end(&mut bytes));
    read.map_err(|error| not_set_up(&error))?;
    let written = NewFile::create(to, false).and_then(|mut file| {
        file.write_all(&bytes).map_err(|error| crate::new_file::FileError::at(to, error))?;
        file.keep()
    });
    written.map_err(|error| not_set_up(&error))
}

fn not_set_up(error: &dyn std::error::Error) -> CommandError {
    CommandError::failed("the home was not set up").because(error)
}

fn left() -> Led {
    say("Nothing was changed. `muster --help` lists the commands, `muster demo` shows a whole unit.");
    Led::NotYet
}

/// Tells the person something, where the questions stand too.
fn say(text: &str) {
    // Where it cannot be shown there is nobody to be told.
    drop(writeln!(io::stderr(), "{text}"));
}

#[cfg(test)]
mod tests;

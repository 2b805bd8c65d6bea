//! Which role key a home is used with, and unlocking it.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use muster_keys::{Identity, KeyFile, LockedKey, Passphrase};
use muster_roles::Roster;
use zeroize::Zeroizing;

use super::{Home, terminal};
use crate::error::CommandError;

/// How often a passphrase may be mistyped.
const MAX_TRIES: usize = 3;

/// The longest passphrase file that is read: a generous sentence.
const MAX_PASSPHRASE_LEN: u64 = 4096;

/// The most keys that are offered to choose from.
const MAX_OFFERED: usize = 50;

/// The heading, in a command's help, of the settings that every command takes.
pub(crate) const HEADING: &str = "Settings of every command";

/// Which role key to use, and where its passphrase comes from.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct KeyChoice {
    /// Role key to use in place of the home's role.key: a file, or NAME for NAME.key in the home
    #[arg(long, global = true, env = "MUSTER_KEY", value_name = "FILE", help_heading = HEADING)]
    pub key: Option<PathBuf>,

    /// File whose first line is the role key's passphrase [default: asked for at the terminal]
    #[arg(long, global = true, env = "MUSTER_PASSPHRASE_FILE", value_name = "FILE", help_heading = HEADING)]
    pub passphrase_file: Option<PathBuf>,
}

impl KeyChoice {
    /// The passphrase in the file, if one was named.
    ///
    /// # Errors
    /// When the file cannot be read or holds no passphrase.
    pub fn passphrase(&self) -> Result<Option<Passphrase>, CommandError> {
        self.passphrase_file.as_deref().map(read_passphrase).transpose()
    }

    /// The key file that the person named: a path as it is, or a bare name for a key file in the home.
    pub(super) fn named(&self, home: &Home) -> Option<PathBuf> {
        let named = self.key.as_ref()?;
        let inside = home.dir().join(named).with_added_extension("key");
        let is_bare = named.components().count() == 1 && !named.exists();
        Some(if is_bare && inside.exists() { inside } else { named.clone() })
    }

    /// Finds the file of the role key to use in this home.
    pub(super) fn file(&self, home: &Home, roster: &Roster) -> Result<PathBuf, CommandError> {
        if let Some(named) = self.named(home) {
            return Ok(named);
        }
        let usual = home.role_key_path();
        if usual.exists() {
            return Ok(usual);
        }
        let offered = Offered::find(home, roster)?;
        if offered.files.is_empty() {
            return Err(no_key(home));
        }
        offered.choose()
    }

    /// Unlocks a role key that was loaded from `path`, asking for its passphrase if need be.
    pub(super) fn unlock(&self, file: KeyFile, path: &Path) -> Result<Identity, CommandError> {
        let locked = match file {
            KeyFile::Open { identity, .. } => return Ok(identity),
            KeyFile::Locked(locked) => locked,
        };
        if let Some(passphrase) = self.passphrase()? {
            return Ok(locked.unlock(&passphrase)?.0);
        }
        if !terminal::is_attended() {
            return Err(nobody_to_ask(path));
        }
        let prompt = format!("Passphrase for {}: ", path.display());
        unlock_asking(&locked, || terminal::ask_passphrase(&prompt))
    }
}

/// Tries passphrases until one fits or [`MAX_TRIES`] have not.
fn unlock_asking(
    locked: &LockedKey,
    mut ask: impl FnMut() -> io::Result<Passphrase>,
) -> Result<Identity, CommandError> {
    let mut refused = None;
    for _ in 0..MAX_TRIES {
        let passphrase = ask().map_err(|error| CommandError::failed("no passphrase was given").because(&error))?;
        match locked.unlock(&passphrase) {
            Ok((identity, _)) => return Ok(identity),
            Err(error @ muster_keys::UnlockError::WrongPassphrase { .. }) => refused = Some(error),
            Err(error) => return Err(error.into()),
        }
    }
    Err(refused.map_or_else(|| CommandError::failed("no passphrase was given"), CommandError::from))
}

fn read_passphrase(path: &Path) -> Result<Passphrase, CommandError> {
    let failed = || CommandError::failed(format!("cannot read the passphrase file {}", path.display()));
    let mut text = Zeroizing::new(String::with_capacity(MAX_PASSPHRASE_LEN as usize + 1));
    fs::File::open(path)
        .and_then(|file| file.take(MAX_PASSPHRASE_LEN + 1).read_to_string(&mut text))
        .map_err(|error| failed().because(&error))?;
    match text.lines().next() {
        Some(line) if text.len() as u64 <= MAX_PASSPHRASE_LEN && !line.is_empty() => {
            Ok(Passphrase::from(line.to_owned()))
        }
        Some(line) if !line.is_empty() => {
            Err(CommandError::failed(format!("{} is too long for a passphrase file", path.display())))
        }
        _ => Err(CommandError::failed(format!("the first line of {} is empty", path.display()))
            .with_hint("write the passphrase into its first line".to_owned())),
    }
}

/// The key files of a home that has no `role.key`.
struct Offered {
    home: PathBuf,
    /// Each with what the roster says of it.
    files: Vec<(PathBuf, String)>,
}

impl Offered {
    fn find(home: &Home, roster: &Roster) -> Result<Self, CommandError> {
        let listed = fs::read_dir(home.dir())
            .map_err(|error| CommandError::failed(format!("cannot list {}", home.dir().display())).because(&error))?;
        let mut paths: Vec<PathBuf> = listed
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|end| end == "key"))
            .take(MAX_OFFERED)
            .collect();
        paths.sort();
        let files = paths.into_iter().map(|path| {
            let standing = standing(&path, roster);
            (path, standing)
        });
        Ok(Self { home: home.dir().to_owned(), files: files.collect() })
    }

    /// Asks which key to use; where nobody can be asked, says how to name one.
    fn choose(&self) -> Result<PathBuf, CommandError> {
        if terminal::is_attended() {
            return self.choose_by(terminal::ask_line);
        }
        let names: Vec<_> = self.files.iter().filter_map(|(path, _)| path.file_stem()).collect();
        let names: Vec<_> = names.iter().map(|name| name.to_string_lossy()).collect();
        let first = names.first().cloned().unwrap_or_default();
        Err(CommandError::failed(format!("{} has no role.key, but others: {}", self.home.display(), names.join(", ")))
            .with_hint(format!("choose one with --key, for example --key {first}")))
    }

    fn choose_by(&self, mut ask: impl FnMut(&str) -> io::Result<Option<String>>) -> Result<PathBuf, CommandError> {
        let failed = || CommandError::failed("no role key was chosen");
        let mut prompt = format!("{} has no role.key. Which key is yours?\n", self.home.display());
        for (number, (path, standing)) in self.files.iter().enumerate() {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            prompt += &format!("{:4}  {name}  {standing}\n", number + 1);
        }
        prompt += "Number: ";
        for _ in 0..MAX_TRIES {
            let Some(answer) = ask(&prompt).map_err(|error| failed().because(&error))? else { break };
            let index = answer.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
            if let Some((path, _)) = index.and_then(|index| self.files.get(index)) {
                return Ok(path.clone());
            }
            prompt = format!("A number from 1 to {}: ", self.files.len());
        }
        Err(failed())
    }
}

/// What a person should know of a key file when choosing: whose it is, or what is wrong with it.
fn standing(path: &Path, roster: &Roster) -> String {
    match muster_keys::load(path) {
        Ok(file) => match roster.member(&file.public()) {
            Some(member) => format!("{}, {}", member.name, member.role),
            None => format!("not a member of {}", roster.unit_name()),
        },
        Err(error) => error.to_string(),
    }
}

pub(super) fn no_key(home: &Home) -> CommandError {
    CommandError::failed(format!("no role key in {}", home.dir().display())).with_hint(format!(
        "get a home from your chief or leader (`muster member add NAME … --out DIR`), or put the private key \
         you are listed with at {}",
        home.role_key_path().display()
    ))
}

fn nobody_to_ask(path: &Path) -> CommandError {
    CommandError::failed(format!("{} needs a passphrase, and there is no terminal to ask at", path.display()))
        .with_hint("put it into a file and name that with --passphrase-file or MUSTER_PASSPHRASE_FILE".to_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn locked() -> (tempfile::TempDir, LockedKey) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("role.key");
        let passphrase = Passphrase::from("correct horse".to_owned());
        muster_keys::create(&path, &Identity::from_seed(&[1; 32]), "Chief", Some(&passphrase)).unwrap();
        match muster_keys::load(&path).unwrap() {
            KeyFile::Locked(locked) => (folder, locked),
            KeyFile::Open { .. } => panic!("not locked"),
        }
    }

    /// Unlocks with these answers, and tells how many of them were asked for.
    fn unlock_with(answers: &[&str]) -> (Result<Identity, CommandError>, usize) {
        let (_folder, locked) = locked();
        let mut asked = 0;
        let result = unlock_asking(&locked, || {
            let answer = answers.get(asked).ok_or(io::ErrorKind::UnexpectedEof)?;
            asked += 1;
            Ok(Passphrase::from((*answer).to_owned()))
        });
        (result, asked)
    }

    #[test]
    fn a_passphrase_is_asked_for_until_it_fits() {
        let (unlocked, asked) = unlock_with(&["horse", "correct horse", "never asked"]);
        assert_eq!(unlocked.unwrap().public(), Identity::from_seed(&[1; 32]).public());
        assert_eq!(asked, 2);
    }

    #[test]
    fn three_wrong_passphrases_are_enough() {
        let (refused, asked) = unlock_with(&["a", "b", "c", "correct horse"]);
        assert!(refused.unwrap_err().to_string().starts_with("error: wrong passphrase for "));
        assert_eq!(asked, 3);
    }

    #[test]
    fn the_end_of_input_ends_the_asking() {
        let (refused, _) = unlock_with(&["a"]);
        assert!(refused.unwrap_err().to_string().starts_with("error: no passphrase was given"));
    }

    fn choose(answers: &[&str]) -> Result<PathBuf, CommandError> {
        let files = ["a.key", "b.key"].map(|name| (PathBuf::from(name), "whose".to_owned()));
        let offered = Offered { home: "home".into(), files: files.to_vec() };
        let mut answers = answers.iter();
        offered.choose_by(|_| Ok(answers.next().map(|answer| (*answer).to_owned())))
    }

    #[test]
    fn a_key_is_chosen_by_its_number_and_by_no_other() {
        assert_eq!(choose(&["2"]).unwrap(), Path::new("b.key"));
        assert_eq!(choose(&["0", "b", "1"]).unwrap(), Path::new("a.key"));
        assert!(choose(&["3", "-1", "", "1"]).is_err(), "three answers are enough");
        assert!(choose(&[]).is_err());
    }
}

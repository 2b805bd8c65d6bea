//! The four places a setting may come from: built-in defaults, `muster.toml`, the environment, flags; the later wins.
//!
//! The file's values become the defaults of the flags. What the flags take, the file takes, and the rest of the program
//! need not know that there is a file.

use std::ffi::OsString;
use std::path::Path;

use clap::parser::ValueSource;
use clap::{ArgMatches, Command};

use super::file::{ConfigFile, Mistake};
use super::key::{Key, keys, unknown};
use crate::error::CommandError;

/// The most mistakes that are told at once: a screenful, where the file is something else altogether.
const MAX_TOLD: usize = 40;

/// What a home's `muster.toml` says, checked.
#[derive(Debug)]
pub(crate) struct Layers {
    keys: Vec<Key>,
    given: Vec<Given>,
}

/// A key that the file gives.
#[derive(Debug)]
struct Given {
    name: String,
    line: usize,
    /// The values of the key's flag.
    values: Vec<String>,
}

/// Where a setting's value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    Default,
    /// `muster.toml`, with the line.
    File(usize),
    /// The variable's name.
    Environment(String),
    /// The flag, with its dashes.
    Flag(String),
}

/// A setting as it is in force.
#[derive(Debug)]
pub(crate) struct Setting<'a> {
    pub(crate) key: &'a Key,
    /// As the file would say it; empty where there is none.
    pub(crate) values: Vec<String>,
    pub(crate) origin: Origin,
}

impl Layers {
    /// Reads the file at `path` for the given program.
    ///
    /// # Errors
    /// When it cannot be read, or anything in it is wrong: every mistake is told.
    pub(crate) fn read(program: &Command, path: &Path) -> Result<Self, CommandError> {
        let file = ConfigFile::read(path)
            .map_err(|error| CommandError::usage(format!("cannot read {}", path.display())).because(&error))?;
        Self::check(program, file, path.parent().unwrap_or(Path::new("."))).map_err(|mistakes| told(path, &mistakes))
    }

    /// What a home without the file says: nothing.
    pub(crate) fn none(program: &Command) -> Self {
        Self { keys: keys(program), given: Vec::new() }
    }

    fn check(program: &Command, file: ConfigFile, folder: &Path) -> Result<Self, Vec<Mistake>> {
        let keys = keys(program);
        let ConfigFile { entries, mut mistakes } = file;
        let mut given = Vec::new();
        for entry in entries {
            match keys.iter().find(|key| key.name == entry.key) {
                None => mistakes.push(unknown(&entry, &keys)),
                Some(key) => match key.flag_values(&entry, folder) {
                    Ok(values) => given.push(Given { name: entry.key, line: entry.line, values }),
                    Err(wrong) => mistakes.extend(wrong),
                },
            }
        }
        mistakes.sort();
        if mistakes.is_empty() { Ok(Self { keys, given }) } else { Err(mistakes) }
    }

    /// Whether the file gives nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.given.is_empty()
    }

    /// The program with the file's values as the defaults of its flags, in the commands of these names.
    pub(crate) fn apply(&self, mut program: Command, commands: &[&str]) -> Command {
        for given in &self.given {
            let Some(key) = self.keys.iter().find(|key| key.name == given.name) else { continue };
            let id = key.flag.get_id().clone();
            let has = |command: &Command| command.get_arguments().any(|arg| *arg.get_id() == id);
            if has(&program) {
                program = program.mut_arg(&id, |arg| arg.default_values(given.values.clone()));
                continue;
            }
            for name in commands {
                if program.find_subcommand(name).is_some_and(has) {
                    program = program.mut_subcommand(*name, |command| {
                        command.mut_arg(&id, |arg| arg.default_values(given.values.clone()))
                    });
                }
            }
        }
        program
    }

    /// Every setting, as a parsed command line has it.
    pub(crate) fn settings<'a>(&'a self, matches: &'a ArgMatches) -> impl Iterator<Item = Setting<'a>> {
        self.keys.iter().map(|key| {
            let id = key.flag.get_id().as_str();
            let origin = match matches.value_source(id) {
                Some(ValueSource::CommandLine) => {
                    Origin::Flag(format!("--{}", key.flag.get_long().unwrap_or_default()))
                }
                Some(ValueSource::EnvVariable) => {
                    Origin::Environment(key.flag.get_env().unwrap_or_default().to_string_lossy().into_owned())
                }
                _ => self
                    .given
                    .iter()
                    .find(|given| given.name == key.name)
                    .map_or(Origin::Default, |given| Origin::File(given.line)),
            };
            let values = matches.get_raw(id).into_iter().flatten().map(|value| key.shown(value)).collect();
            Setting { key, values, origin }
        })
    }
}

/// The flags of every command that a command line gave, for another command line.
pub(crate) fn global_flags(program: &Command, matches: &ArgMatches) -> Vec<OsString> {
    let mut words = Vec::new();
    for flag in program.get_arguments().filter(|flag| flag.is_global_set()) {
        let id = flag.get_id().as_str();
        let Some(long) = flag.get_long() else { continue };
        if matches.try_contains_id(id).is_ok() && matches.value_source(id) == Some(ValueSource::CommandLine) {
            for value in matches.get_raw(id).into_iter().flatten() {
                let mut word = OsString::from(format!("--{long}="));
                word.push(value);
                words.push(word);
            }
        }
    }
    words
}

/// The refusal of a file, with every mistake in it.
fn told(path: &Path, mistakes: &[Mistake]) -> CommandError {
    let count = match mistakes.len() {
        1 => "a mistake".to_owned(),
        count => format!("{count} mistakes"),
    };
    let refused = CommandError::usage(format!("{} has {count}", path.display()));
    let refused = mistakes.iter().take(MAX_TOLD).fold(refused, |refused, mistake| refused.because(mistake));
    let hint = "mend it, or move it aside; `muster config show` lists every key once it can be read";
    refused.with_hint(hint.to_owned())
}

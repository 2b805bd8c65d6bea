//! The keys of `muster.toml`: each is a flag of `muster start`, or one that every command takes.

use std::ffi::OsStr;
use std::path::Path;

use clap::builder::BoolishValueParser;
use clap::error::{ContextKind, ContextValue};
use clap::{Arg, ArgAction, Command, ValueHint};

use super::file::{Entry, Mistake, Value, quoted};

/// The command whose flags are keys; the program's own, which every command takes, are too.
const COMMAND: &str = "start";

/// Flags that cannot be keys: the file lies in the home, and the other two are no settings.
const NO_KEYS: [&str; 3] = ["home", "help", "version"];

/// How many characters a mistyped key may be off for a suggestion.
const MAX_TYPOS: usize = 3;

/// One key.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    /// As it is written in the file.
    pub(crate) name: String,
    /// The flag of which it is the default.
    pub(crate) flag: Arg,
    kind: Kind,
}

/// What a key's value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// `true` or `false`; where the flag says `no-`, the other of the two.
    Switch { inverted: bool },
    /// One text.
    One,
    /// One text or a list of them.
    Many,
}

/// Lets every switch of a command take a value: what the file has switched on, a flag must be able to switch off.
pub(crate) fn with_values_for_switches(arg: Arg) -> Arg {
    if !matches!(arg.get_action(), ArgAction::SetTrue) {
        return arg;
    }
    arg.action(ArgAction::Set)
        .num_args(0..=1)
        .require_equals(true)
        .default_missing_value("true")
        .default_value("false")
        .value_parser(BoolishValueParser::new())
        .value_name("BOOL")
        .hide_default_value(true)
        .hide_possible_values(true)
}

/// Every key that there is, in the order of the help.
pub(crate) fn keys(program: &Command) -> Vec<Key> {
    let own = program.find_subcommand(COMMAND).map(|command| command.get_arguments()).into_iter().flatten();
    own.chain(program.get_arguments()).filter_map(Key::of).collect()
}

impl Key {
    fn of(flag: &Arg) -> Option<Self> {
        let long = flag.get_long().filter(|long| !NO_KEYS.contains(long))?;
        let (positive, inverted) = long.strip_prefix("no-").map_or((long, false), |rest| (rest, true));
        let is_switch = flag.get_num_args().is_some_and(|count| count.min_values() == 0)
            || matches!(flag.get_action(), ArgAction::SetTrue);
        let (name, kind) = match (is_switch, flag.get_action()) {
            (true, _) => (positive, Kind::Switch { inverted }),
            (false, ArgAction::Append) => (long, Kind::Many),
            (false, _) => (long, Kind::One),
        };
        Some(Self { name: name.to_owned(), flag: flag.clone(), kind })
    }

    /// The values of the flag that the file's value stands for; paths count from the file's folder.
    pub(crate) fn flag_values(&self, entry: &Entry, folder: &Path) -> Result<Vec<String>, Vec<Mistake>> {
        let whole = (entry.line, entry.value.clone());
        let values = match (self.kind, &entry.value) {
            (Kind::Switch { inverted }, Value::Switch(on)) => return Ok(vec![(*on != inverted).to_string()]),
            (Kind::Many, Value::List(values)) => values.as_slice(),
            (Kind::One | Kind::Many, Value::Text(_)) => std::slice::from_ref(&whole),
            (_, other) => return Err(vec![self.wrong_type(entry.line, other)]),
        };
        let mut texts = Vec::new();
        let mut mistakes = Vec::new();
        for (line, value) in values {
            match value {
                Value::Text(text) => match self.check(text) {
                    Ok(()) => texts.push(self.resolved(text, folder)),
                    Err(why) => mistakes.push(self.bad_value(*line, text, &why)),
                },
                other => {
                    let what = format!("`{}` holds {}: expected texts in quotes", self.name, other.describe());
                    mistakes.push(Mistake { line: *line, what });
                }
            }
        }
        if mistakes.is_empty() { Ok(texts) } else { Err(mistakes) }
    }

    /// What the flag's value means in the file: a switch the other way round, where the flag says `no-`.
    pub(crate) fn shown(&self, flag_value: &OsStr) -> String {
        let text = flag_value.to_string_lossy();
        match self.kind {
            Kind::Switch { inverted } => (is_true(&text) != inverted).to_string(),
            Kind::One | Kind::Many => text.into_owned(),
        }
    }

    /// Whether it is true or false.
    pub(crate) fn is_switch(&self) -> bool {
        matches!(self.kind, Kind::Switch { .. })
    }

    /// Whether there may be several values.
    pub(crate) fn is_list(&self) -> bool {
        self.kind == Kind::Many
    }

    /// Has the flag itself judge a value, so that file and command line never differ in what they take.
    fn check(&self, text: &str) -> Result<(), String> {
        // The file has lists of its own; the flag would take a comma for the end of a value.
        if self.kind == Kind::Many && text.contains(',') {
            return Err("a list stands in brackets, each value in quotes".to_owned());
        }
        let Some(long) = self.flag.get_long() else { return Ok(()) };
        let alone = Command::new("muster").no_binary_name(true).disable_help_flag(true).arg(alone(&self.flag));
        let Err(error) = alone.try_get_matches_from([format!("--{long}={text}")]) else { return Ok(()) };
        if let Some(ContextValue::Strings(possible)) = error.get(ContextKind::ValidValue) {
            return Err(format!("expected {}", possible.join(" or ")));
        }
        Err(std::error::Error::source(&error).map_or_else(|| "it is empty".to_owned(), ToString::to_string))
    }

    fn resolved(&self, text: &str, folder: &Path) -> String {
        let is_path = matches!(self.flag.get_value_hint(), ValueHint::AnyPath | ValueHint::FilePath);
        // A bare name may be that of a key in the home, which the flag looks up itself.
        let resolved = folder.join(text);
        if is_path && (resolved.exists() || Path::new(text).components().count() > 1) {
            return resolved.to_string_lossy().into_owned();
        }
        text.to_owned()
    }

    fn wrong_type(&self, line: usize, found: &Value) -> Mistake {
        let expected = match self.kind {
            Kind::Switch { .. } => "true or false, without quotes",
            Kind::One => "a text in quotes",
            Kind::Many => "a list of texts in quotes",
        };
        Mistake { line, what: format!("`{}` is {}: expected {expected}", self.name, found.describe()) }
    }

    fn bad_value(&self, line: usize, text: &str, why: &str) -> Mistake {
        let why = why.lines().collect::<Vec<_>>().join(" ");
        Mistake { line, what: format!("`{}` cannot be {}: {why}", self.name, quoted(text)) }
    }
}

/// The mistake of an entry whose key there is not.
pub(crate) fn unknown(entry: &Entry, keys: &[Key]) -> Mistake {
    let line = entry.line;
    if entry.value == Value::Section {
        let what = format!("unknown section {}: every key stands at the top level", quoted(&entry.key));
        return Mistake { line, what };
    }
    let flag_of = |key: &&Key| key.flag.get_long() == Some(entry.key.as_str());
    let what = match keys.iter().find(flag_of).or_else(|| nearest(&entry.key, keys)) {
        Some(key) => format!("unknown key {}: did you mean `{}`?", quoted(&entry.key), key.name),
        None if NO_KEYS.contains(&entry.key.as_str()) => {
            format!("unknown key {}: that can be given as a flag only", quoted(&entry.key))
        }
        None => {
            let names: Vec<&str> = keys.iter().map(|key| key.name.as_str()).collect();
            format!("unknown key {}: expected one of {}", quoted(&entry.key), names.join(", "))
        }
    };
    Mistake { line, what }
}

/// The flag by itself, without what it has to do with other flags and the environment.
fn alone(flag: &Arg) -> Arg {
    let long = flag.get_long().unwrap_or_default().to_owned();
    Arg::new("value").long(long).action(flag.get_action().clone()).value_parser(flag.get_value_parser().clone())
}

fn is_true(text: &str) -> bool {
    // What `BoolishValueParser` takes for true.
    matches!(text.to_ascii_lowercase().as_str(), "true" | "t" | "yes" | "y" | "on" | "1")
}

/// The key that was probably meant.
fn nearest<'a>(typed: &str, keys: &'a [Key]) -> Option<&'a Key> {
    let typed = typed.to_lowercase();
    let off = |key: &&Key| typos(&typed, &key.name);
    keys.iter().min_by_key(off).filter(|key| off(key) <= MAX_TYPOS.min(key.name.len() / 2))
}

/// The least number of characters to put in, leave out or replace between two words (Levenshtein's distance).
fn typos(typed: &str, meant: &str) -> usize {
    let meant: Vec<char> = meant.chars().collect();
    let mut row: Vec<usize> = (0..=meant.len()).collect();
    for (done, letter) in typed.chars().enumerate() {
        let mut above_left = done;
        let mut left = done + 1;
        let mut next = vec![left];
        for (wanted, above) in meant.iter().zip(row.iter().skip(1)) {
            let replaced = above_left + usize::from(*wanted != letter);
            left = replaced.min(above + 1).min(left + 1);
            next.push(left);
            above_left = *above;
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typos_are_counted() {
        for (typed, meant, count) in [
            ("listen", "listen", 0),
            ("lisen", "listen", 1),
            ("log_level", "log-level", 1),
            ("", "dial", 4),
            ("dail", "dial", 2),
        ] {
            assert_eq!(typos(typed, meant), count, "{typed} {meant}");
        }
    }
}

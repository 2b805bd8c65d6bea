//! `muster config`: what is set, and where.

use std::ffi::OsString;

use clap::{ArgMatches, Args, Subcommand};
use serde::Serialize;

use super::output::Output;
use super::{CONFIGURED, command};
use crate::config::{Layers, Origin, Setting, Settings, global_flags};
use crate::error::CommandError;

#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Show every setting of `muster start`, its value, and where that comes from
    ///
    /// A value comes from a flag, else from the environment, else from muster.toml in the home, else it is built in.
    Show(ShowArgs),
}

#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// Print one JSON object a line
    #[arg(long, env = "MUSTER_JSON")]
    json: bool,

    /// Flags of `muster start`, to see what they would change
    #[arg(last = true, value_name = "FLAGS")]
    flags: Vec<OsString>,
}

/// Runs the command; `words` is the command line that it was given on.
pub(super) fn run(
    settings: &Settings,
    given: &ConfigCommand,
    words: &[OsString],
    output: &mut Output,
) -> Result<(), CommandError> {
    let ConfigCommand::Show(args) = given;
    let path = settings.home()?.config_path();
    let layers = Layers::read(&command(), &path)?;
    let start = start_as_set(&layers, words, &args.flags);
    let Some(start) = start.subcommand_matches("start") else { return Ok(()) };
    let settings: Vec<Setting<'_>> = layers.settings(start).collect();
    if args.json {
        return settings.into_iter().try_for_each(|setting| output.json(&Shown::from(&setting)));
    }
    let head = ["KEY", "VALUE", "FROM"].map(str::to_owned);
    let rows: Vec<[String; 3]> = std::iter::once(head).chain(settings.iter().map(row)).collect();
    output.columns(&rows)?;
    output.line(format_args!("File: {}{}", path.display(), if path.exists() { "" } else { " (there is none)" }))
}

/// The command line of the node that would be started: with these flags, and those that every command takes of the command
/// line that was given instead.
pub(super) fn start_as_set(layers: &Layers, words: &[OsString], flags: &[OsString]) -> ArgMatches {
    let program = command();
    let given = program.clone().get_matches_from(words);
    let (mut deepest, mut globals) = (&given, Vec::new());
    while let Some((_, inner)) = deepest.subcommand() {
        deepest = inner;
        globals = global_flags(&program, deepest);
    }
    let start = ["muster", "start"].map(OsString::from).into_iter().chain(globals).chain(flags.iter().cloned());
    layers.apply(program, &CONFIGURED).get_matches_from(start)
}

fn row(setting: &Setting<'_>) -> [String; 3] {
    let from = match &setting.origin {
        Origin::Default if setting.values.is_empty() => String::new(),
        Origin::Default => "built in".to_owned(),
        Origin::File(line) => format!("muster.toml, line {line}"),
        Origin::Environment(name) | Origin::Flag(name) => name.clone(),
    };
    let value = if setting.values.is_empty() { "-".to_owned() } else { setting.values.join(", ") };
    [setting.key.name.clone(), value, from]
}

/// A setting as a program reads it.
#[derive(Debug, Serialize)]
struct Shown<'a> {
    key: &'a str,
    /// As `muster.toml` would say it; null where there is none.
    value: serde_json::Value,
    from: &'static str,
    /// The line of muster.toml, where it is from there.
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    /// The variable or flag it is from.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
}

impl<'a> From<&'a Setting<'a>> for Shown<'a> {
    fn from(setting: &'a Setting<'a>) -> Self {
        let (from, line, name) = match &setting.origin {
            Origin::Default => ("default", None, None),
            Origin::File(line) => ("file", Some(*line), None),
            Origin::Environment(name) => ("environment", None, Some(name.as_str())),
            Origin::Flag(name) => ("flag", None, Some(name.as_str())),
        };
        let value = match setting.values.as_slice() {
            values if setting.key.is_list() => serde_json::json!(values),
            [] => serde_json::Value::Null,
            [value, ..] if setting.key.is_switch() => serde_json::json!(value == "true"),
            [value, ..] => serde_json::json!(value),
        };
        Self { key: &setting.key.name, value, from, line, name }
    }
}

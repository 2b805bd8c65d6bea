//! The command line: one file per command.

mod attached;
mod authority;
mod bundle;
mod change;
mod chat;
mod completions;
mod config;
mod demo;
mod doctor;
mod export;
mod first_run;
mod join;
mod live;
mod log;
mod man;
mod member;
mod output;
mod peers;
mod rekey;
mod roster;
mod running;
mod screen;
mod send;
mod source;
mod start;
mod status;
mod stored;
mod time;
mod unit;
mod verify;
mod wait;
mod wipe;

use std::ffi::OsString;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use self::output::Output;
use crate::config::{Layers, Settings, with_values_for_switches};
use crate::error::CommandError;

/// The commands that lead to a first chat.
const FIRST_STEPS: &str = "\
muster demo                                                      see a whole unit talk, on this machine
muster unit create --name \"1st Brigade\" --chief Chief            on the chief's device
muster member add Army1 --role leader --troop army --out army1   there too: a home for Army1's device
muster --home army1 start                                        on Army1's device";

/// What the program's exit codes mean.
const EXIT_CODES: &str = "0 done, 1 could not be carried out, 2 usage, 3 store damaged or in use";

/// What stands below the list of commands.
fn after_help() -> String {
    let steps: String = FIRST_STEPS.lines().map(|step| format!("  {step}\n")).collect();
    format!("First steps:\n{steps}\nExit codes: {EXIT_CODES}")
}

/// Peer-to-peer mesh chat for units that must keep talking with no server.
///
/// A unit is founded once, on the chief's device. Every member gets a home folder, and starts a node on it; the nodes
/// find each other on the local network, and what they say follows the chain of command.
#[derive(Debug, Parser)]
#[command(
    name = "muster",
    version = env!("MUSTER_VERSION"),
    arg_required_else_help = true,
    after_help = after_help()
)]
pub struct Cli {
    #[command(flatten)]
    settings: Settings,
    #[command(subcommand)]
    command: Command,
    /// The words it was read from.
    #[arg(skip)]
    words: Vec<OsString>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Found a unit
    #[command(subcommand)]
    Unit(unit::UnitCommand),
    /// Add, list and remove members
    #[command(subcommand)]
    Member(member::MemberCommand),
    Rekey(rekey::RekeyArgs),
    /// Show who is who, and sign changes with others
    #[command(subcommand)]
    Roster(roster::RosterCommand),
    /// Show and change whose keys speak for the unit
    #[command(subcommand)]
    Authority(authority::AuthorityCommand),
    /// Start the node, and the chat at a terminal
    Start(start::StartArgs),
    Chat(chat::ChatArgs),
    Send(send::SendArgs),
    Status(status::StatusArgs),
    Peers(peers::PeersArgs),
    Join(join::JoinArgs),
    Export(export::ExportArgs),
    Log(log::LogArgs),
    Verify(verify::VerifyArgs),
    /// Carry sealed messages on a stick
    #[command(subcommand)]
    Bundle(bundle::BundleCommand),
    /// Show what is set, and where it was set
    #[command(subcommand)]
    Config(config::ConfigCommand),
    Wipe(wipe::WipeArgs),
    #[command(hide = true)]
    Completions(completions::CompletionsArgs),
    #[command(hide = true)]
    Man(man::ManArgs),
    Doctor(doctor::DoctorArgs),
    /// Let a whole unit talk on this machine, and show every member's screen
    Demo(demo::DemoArgs),
}

/// The commands whose flags `muster.toml` sets, beside the flags of every command.
const CONFIGURED: [&str; 2] = ["start", "chat"];

/// The program's command line as it is read, described and completed.
pub(crate) fn command() -> clap::Command {
    let derived = Cli::command();
    let configured = CONFIGURED.iter().filter(|name| derived.find_subcommand(name).is_some());
    configured.fold(derived.clone(), |program, name| {
        program.mut_subcommand(*name, |command| command.mut_args(with_values_for_switches))
    })
}

impl Cli {
    /// Reads a command line, over what the home's `muster.toml` and the environment say.
    ///
    /// Ends the process where the command line itself makes no sense, or asks for help.
    ///
    /// # Errors
    /// When the command needs the home's settings, and their file is not in order.
    pub fn read(words: impl IntoIterator<Item = OsString>) -> Result<Self, CommandError> {
        let words: Vec<OsString> = words.into_iter().collect();
        let parse = |program: clap::Command| {
            let matches = program.get_matches_from(&words);
            let cli = Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
            Self { words: words.clone(), ..cli }
        };
        let cli = parse(command());
        // A platform without a place for a home is told of by the command, in case it needs one.
        let Some(home) = cli.settings.home().ok().filter(|_| cli.command.takes_settings()) else { return Ok(cli) };
        let layers = Layers::read(&command(), &home.config_path())?;
        if layers.is_empty() { Ok(cli) } else { Ok(parse(layers.apply(command(), &CONFIGURED))) }
    }

    /// Runs the command that was given.
    ///
    /// # Errors
    /// When it could not be carried out; the error says what to tell the person and how to exit.
    pub fn run(self) -> Result<(), CommandError> {
        let Self { settings, command, words } = self;
        // A screen writes to standard output by itself, so what holds it is made only for a command's answer.
        let output = Output::standard;
        match command {
            Command::Unit(command) => unit::run(&settings, command, &mut output()),
            Command::Member(command) => member::run(&settings, command, &mut output()),
            Command::Rekey(args) => rekey::run(&settings, &args, &mut output()),
            Command::Roster(command) => roster::run(&settings, command, &mut output()),
            Command::Authority(command) => authority::run(&settings, command, &mut output()),
            Command::Start(args) => start::run(&settings, args),
            Command::Chat(args) => chat::run(&settings, &args),
            Command::Send(args) => send::run(&settings, args, &mut output()),
            Command::Status(args) => status::run(&settings, &args, &mut output()),
            Command::Peers(args) => peers::run(&settings, &args, &mut output()),
            Command::Join(args) => join::run(&settings, args),
            Command::Export(args) => export::run(&settings, args, &mut output()),
            Command::Log(args) => log::run(&settings, args),
            Command::Verify(args) => verify::run(&settings, &args, &mut output()),
            Command::Bundle(command) => bundle::run(&settings, command, &mut output()),
            Command::Config(command) => config::run(&settings, &command, &words, &mut output()),
            Command::Completions(args) => completions::run(&args, &mut output()),
            Command::Man(args) => man::run(&args, &mut output()),
            Command::Doctor(args) => doctor::run(&settings, &args, &words, &mut output()),
            Command::Wipe(args) => wipe::run(&settings, &args, &mut output()),
            Command::Demo(args) => demo::run(args, &mut output()),
        }
    }
}

impl Command {
    /// Whether it is carried out by what the home's `muster.toml` says; a broken file must not keep from the others.
    const fn takes_settings(&self) -> bool {
        !matches!(
            self,
            Self::Completions(_) | Self::Config(_) | Self::Demo(_) | Self::Doctor(_) | Self::Man(_) | Self::Wipe(_)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn every_flag_has_an_environment_variable() {
        fn check(command: &clap::Command) {
            for flag in command.get_opts().chain(command.get_arguments().filter(|flag| flag.get_long().is_some())) {
                let built_in = matches!(flag.get_id().as_str(), "help" | "version");
                let env = flag.get_env().and_then(|env| env.to_str()).unwrap_or_default();
                assert!(built_in || env.starts_with("MUSTER_"), "--{} of {}", flag.get_id(), command.get_name());
            }
            command.get_subcommands().for_each(check);
        }
        check(&command());
    }
}

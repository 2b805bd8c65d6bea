//! `muster demo`: a whole unit on this machine, played by real nodes, with each member's own screen.

mod cast;
mod folder;
mod namespace;
mod network;
mod play;
mod screens;
mod script;
mod signals;
mod stage;

use std::path::Path;
use std::time::Instant;

use muster_roles::Timestamp;

use self::cast::{CAST, Part};
use self::folder::Folder;
use self::network::Network;
use self::play::Tally;
use self::stage::{Stage, StageError};
use crate::error::{CommandError, Kind};

pub use self::namespace::{NamespaceError, enter as enter_namespace};

/// The command line by which this program only calls [`enter_namespace`] and ends.
pub const TRY_NAMESPACE: [&str; 2] = ["demo", "--try-namespace"];

/// Prints a line for the person who watches.
pub type Tell<'a> = &'a mut dyn FnMut(&str) -> Result<(), CommandError>;

/// What the person who watches asks for.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Let the person sit down as this member once the play is over.
    pub join_as: Option<String>,
    /// Leave the homes behind.
    pub keep: bool,
    /// Use this machine's own loopback also where a network of the demo's own can be had.
    pub loopback: bool,
}

/// Plays the demo, from founding the unit to removing it.
///
/// Must be called before the process has a second thread, as [`enter_namespace`] must.
///
/// # Errors
/// When a node cannot be started, a line does not appear where it must or appears where it must not, or the person
/// interrupts. Nothing is left running or behind in any case.
pub fn run(options: &Options, now: Timestamp, tell: Tell<'_>) -> Result<(), CommandError> {
    let person = options.join_as.as_deref().map(find).transpose()?;
    let network = Network::choose(options)?;
    let folder = Folder::create(options.keep)?;
    let played = play_in(folder.path(), &network, person, now, tell);
    if options.keep {
        tell(&format!("The homes and their logs are kept in {}.", folder.path().display()))?;
    }
    played
}

fn play_in(
    folder: &Path,
    network: &Network,
    person: Option<&'static Part>,
    now: Timestamp,
    tell: Tell<'_>,
) -> Result<(), CommandError> {
    let mut stage = Stage::open(folder)?;
    tell(&format!("{}: {} members, each with a home and a node of its own.", cast::UNIT, CAST.len()))?;
    tell(&format!("  Network: {}.", network.describe()))?;
    cast::assemble(folder, now)?;
    tell(&format!("  Homes: {}, handed out one after the other.", folder.display()))?;
    let started = Instant::now();
    network.gather(&mut stage)?;
    tell(&format!("  {} nodes up, all have met in {:.1} s.", CAST.len(), started.elapsed().as_secs_f64()))?;

    let tally = play::play(&mut stage, tell)?;
    if person.is_none() {
        stage.close()?;
    }
    screens::show(&stage, tell)?;
    screens::show_export(&stage, tell)?;
    play::judge(&stage)?;
    tell(&format!("\n{}", sum_up(&tally)))?;

    if let Some(person) = person {
        tell(&format!("\nNow you are {}: the others hear you and keep silent.\n", person.name))?;
        let args = network.start_args(&stage, person);
        stage.hand_over(person.name, &args)?;
        stage.close()?;
    }
    Ok(())
}

/// The member of that name.
fn find(name: &str) -> Result<&'static Part, CommandError> {
    CAST.iter().find(|part| part.name.eq_ignore_ascii_case(name)).ok_or_else(|| {
        let names = CAST.each_ref().map(|part| part.name).join(", ");
        CommandError::usage(format!("nobody in the demo is called `{name}`"))
            .with_hint(format!("--as takes one of {names}"))
    })
}

fn sum_up(tally: &Tally) -> String {
    let Tally { messages, lines, slowest } = tally;
    format!(
        "{messages} messages made {lines} lines on {} screens, each where it belongs and nowhere else;\n\
         the slowest was on its last screen after {} ms.",
        CAST.len(),
        slowest.as_millis()
    )
}

impl From<StageError> for CommandError {
    fn from(error: StageError) -> Self {
        let hint = match error {
            StageError::Interrupted => None,
            _ => Some("`muster demo --keep` leaves the homes behind, each with its muster.log".to_owned()),
        };
        Self::from_error(Kind::Failed, &error).with_hint(hint)
    }
}

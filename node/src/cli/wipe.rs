//! `muster wipe`: destroying what a device holds, before it falls into other hands.

use clap::Args;

use super::output::Output;
use super::time;
use crate::config::Settings;
use crate::error::CommandError;
use crate::home::{Home, terminal};

/// What is typed to confirm where the member's name cannot be read any more.
const WORD: &str = "wipe";

/// Destroy this home: its key first, then the roster, the messages and everything else
///
/// The key, the roster with the group keys, the settings, addresses and logs are overwritten and removed, and so are the
/// messages, which nobody can read any more without the key. Flash memory may keep old blocks until it reuses them: only a
/// key with a passphrase, or a disk that is encrypted as a whole, protects those. Others end what this device could still
/// do with `muster member remove`.
#[derive(Debug, Args)]
pub(super) struct WipeArgs {
    /// Do not ask for the member's name
    #[arg(long, env = "MUSTER_WIPE_YES")]
    yes: bool,
}

pub(super) fn run(settings: &Settings, args: &WipeArgs, output: &mut Output) -> Result<(), CommandError> {
    let home = settings.home()?;
    home.check_can_be_wiped()?;
    let lock = home.lock()?;
    if !args.yes {
        confirm(&home)?;
    }
    let wiped = home.wipe(lock)?;
    let dir = home.dir().display();
    if wiped.left.is_empty() {
        return output.line(format_args!("{dir} is wiped."));
    }
    let left: Vec<_> = wiped.left.iter().map(|name| name.display().to_string()).collect();
    output.line(format_args!("{dir} is wiped but for what is not of muster: {}", left.join(", ")))
}

/// Has the person type the name of the member whose home it is.
fn confirm(home: &Home) -> Result<(), CommandError> {
    let member = muster_keys::load(&home.role_key_path()).ok().and_then(|key| {
        let roster = home.read_roster(time::now()).ok()?;
        roster.member(&key.public())
    });
    let expected = member.map_or_else(|| WORD.to_owned(), |member| member.name.to_string());
    if !terminal::is_attended() {
        return Err(CommandError::failed("nothing is wiped: there is no terminal to confirm at")
            .with_hint("give --yes to wipe without being asked".to_owned()));
    }
    let prompt = format!("This destroys {} for good. Type {expected} to do it: ", home.dir().display());
    let answer =
        terminal::ask_line(&prompt).map_err(|error| CommandError::failed("nothing is wiped").because(&error))?;
    match answer {
        Some(answer) if answer == expected => Ok(()),
        _ => Err(CommandError::failed("nothing is wiped: that was something else")),
    }
}

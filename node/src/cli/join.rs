//! `muster join`: a new device makes its key and asks to be let in.

use std::io::{self, IsTerminal};

use clap::Args;
use muster_keys::Identity;
use muster_roles::MemberName;
use tokio::sync::mpsc;

use super::output::Output;
use super::start::{self, StartArgs};
use crate::config::Settings;
use crate::error::{CommandError, Kind};
use crate::home::Home;
use crate::log::{self, LogTo};
use crate::net::{JoinConfig, JoinEvent, Joined, join};

/// Things to show that wait for the screen: one for each node that is asked, and again.
const EVENT_QUEUE_LEN: usize = 16;

/// Join a unit with this device, by six words that two people compare
///
/// Makes this device's role key, finds the unit's nodes on the local network or by --dial, and shows six words. Whoever
/// may admit sees the same words in the chat, by `:requests`, and lets the device in with `:admit NAME GROUP`. The private
/// key never leaves the device. Stopped in between, the same command goes on with the same key.
#[derive(Debug, Args)]
pub(super) struct JoinArgs {
    /// Name in the chat, such as Army7
    pub(super) name: MemberName,

    #[command(flatten)]
    pub(super) start: StartArgs,
}

pub(super) fn run(settings: &Settings, args: JoinArgs) -> Result<(), CommandError> {
    let home = settings.home()?;
    let JoinArgs { name, mut start } = args;
    let goes_on = start.goes_on() || io::stdout().is_terminal();
    {
        let mut output = Output::standard();
        let joined = ask(settings, &home, &name, &start, goes_on, &mut output)?;
        welcome(&home, &joined, goes_on, &mut output)?;
        // The node that has let it in is the one that it is sure to meet.
        start.dial.extend(joined.address);
    }
    if goes_on { start::run(settings, start) } else { Ok(()) }
}

/// Asks until the device is let in, and keeps the roster it is given.
fn ask(
    settings: &Settings,
    home: &Home,
    name: &MemberName,
    start: &StartArgs,
    goes_on: bool,
    output: &mut Output,
) -> Result<Joined, CommandError> {
    home.create()?;
    let _lock = home.lock()?;
    if home.has_unit() {
        return Err(CommandError::failed(format!("{} already has a unit", home.dir().display()))
            .with_hint("start its node with `muster start`, or name another folder with --home".to_owned()));
    }
    // There is one log a process, and the node that follows begins it.
    if !goes_on {
        log::init(LogTo::File(&home.log_path()), &settings.log_level)?;
    }
    let identity = role_key(settings, home, name)?;
    output.line(format_args!("Asking to join as {name}; this device's key is {}.", identity.public().fingerprint()))?;
    output
        .line("Whoever may admit you must see the words that appear here. Ctrl-C leaves; the same command goes on.")?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| CommandError::failed("the device's tasks cannot be started").because(&error))?;
    let config = JoinConfig { name: name.clone(), dial: start.dial.clone(), mdns: !start.no_mdns };
    let joined = runtime.block_on(wait(config, &identity, output))?;
    home.write_roster(&joined.roster)
        .map_err(|error| CommandError::failed("the roster was not written").because(&error))?;
    Ok(joined)
}

/// Shows what there is to compare, until the device is let in.
async fn wait(config: JoinConfig, identity: &Identity, output: &mut Output) -> Result<Joined, CommandError> {
    let (events, mut told) = mpsc::channel(EVENT_QUEUE_LEN);
    let joining = join(config, identity, events);
    tokio::pin!(joining);
    loop {
        tokio::select! {
            joined = &mut joining => return joined.map_err(|error| CommandError::from_error(Kind::Failed, &error)),
            Some(event) = told.recv() => show(&event, output)?,
        }
    }
}

fn show(event: &JoinEvent, output: &mut Output) -> Result<(), CommandError> {
    match event {
        JoinEvent::Words { admitter, words, .. } => {
            output.line(format_args!("words: {words}"))?;
            output.line(format_args!("  shown to whoever holds {}; waiting", admitter.fingerprint()))
        }
        JoinEvent::Over { admitter } => {
            output.line(format_args!("not waited for any more at the node of {}; asking again", admitter.fingerprint()))
        }
    }
}

fn welcome(home: &Home, joined: &Joined, goes_on: bool, output: &mut Output) -> Result<(), CommandError> {
    let unit = joined.roster.unit_name();
    let by = joined.roster.member(&joined.admitter).map(|member| format!(" by the node of {}", member.name));
    output.line(format_args!(
        "Admitted to {unit}{}. If nobody has compared the words with you: leave, and remove {}.",
        by.unwrap_or_default(),
        home.dir().display()
    ))?;
    output.line(format_args!("The unit's words: {}", joined.roster.unit().words()))?;
    if goes_on { Ok(()) } else { output.line(format_args!("Next: muster --home {} start", home.dir().display())) }
}

/// The device's key: the one that lies in the home, or a new one.
fn role_key(settings: &Settings, home: &Home, name: &MemberName) -> Result<Identity, CommandError> {
    if let Some(identity) = home.role_key(&settings.key)? {
        return Ok(identity);
    }
    let identity = Identity::generate()?;
    let passphrase = settings.key.passphrase()?;
    muster_keys::create(&home.role_key_path(), &identity, name.as_str(), passphrase.as_ref())?;
    Ok(identity)
}

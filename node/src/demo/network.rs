//! The network the demo plays on: one of its own where the system lets it, else this machine's loopback.

use std::process::{Command, Stdio};
use std::time::Duration;

use super::cast::{CAST, Part};
use super::namespace::{self, NamespaceError};
use super::stage::{Stage, StageError};
use super::{Options, TRY_NAMESPACE};
use crate::error::{CommandError, Kind};

/// How long the nodes may take until all have met; usually it is a second or two.
const MEETING_LIMIT: Duration = Duration::from_secs(12);

/// The line a node prints when all the others are in its reach.
pub(super) const ALL_MET: &str = "-- 9 members in reach";

/// How a node's line about an address it listens on starts.
const LISTENING: &str = "-- listening on ";

/// Where the nodes meet.
#[derive(Debug)]
pub(super) enum Network {
    /// A network of the demo's own, where they find each other by multicast.
    Own,
    /// The machine's loopback, where each is told of one other.
    Loopback {
        /// Why not the other, unless it was asked for.
        reason: Option<String>,
    },
}

impl Network {
    /// Moves this process into a network of its own, unless that is not wanted or cannot be had.
    ///
    /// Must be called before the process has a second thread.
    pub(super) fn choose(options: &Options) -> Result<Self, CommandError> {
        if options.loopback {
            return Ok(Self::Loopback { reason: None });
        }
        // A process that failed half-way would have lost the loopback too: another one tries it out first.
        match try_namespace() {
            None => {
                namespace::enter()?;
                Ok(Self::Own)
            }
            reason => Ok(Self::Loopback { reason }),
        }
    }

    /// What it is, in words.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Own => {
                "one of its own, with no way out of this machine; the nodes look for each other (mDNS)".to_owned()
            }
            Self::Loopback { reason: None } => "this machine's loopback; the nodes are told whom to dial".to_owned(),
            Self::Loopback { reason: Some(reason) } => {
                format!("this machine's loopback, and the nodes are told whom to dial, for {reason}")
            }
        }
    }

    /// Starts everybody's node and waits until each has met all the others.
    pub(super) fn gather(&self, stage: &mut Stage) -> Result<(), StageError> {
        let [chief, others @ ..] = &CAST;
        stage.enter(chief, &self.start_args(stage, chief))?;
        if matches!(self, Self::Loopback { .. }) {
            let awaited = |_: &Stage| format!("{} listening", chief.name);
            stage.wait(MEETING_LIMIT, awaited, |stage| address(stage, chief).is_some())?;
        }
        for part in others {
            stage.enter(part, &self.start_args(stage, part))?;
        }
        let alone = |stage: &Stage| -> Vec<&'static str> {
            let has_met = |screen: &[String]| screen.iter().any(|line| line == ALL_MET);
            stage.screens().filter(|(_, screen)| !has_met(screen)).map(|(part, _)| part.name).collect()
        };
        let awaited = |stage: &Stage| format!("all nodes in reach of {}", alone(stage).join(", "));
        stage.wait(MEETING_LIMIT, awaited, |stage| alone(stage).is_empty())
    }

    /// The arguments with which a member's node is started: none where nodes find each other by themselves.
    pub(super) fn start_args(&self, stage: &Stage, part: &Part) -> Vec<String> {
        match self {
            Self::Own => Vec::new(),
            Self::Loopback { .. } => {
                let other = stage.screens().map(|(other, _)| other).find(|other| other.name != part.name);
                let dial = other.and_then(|other| address(stage, other));
                let dial = dial.into_iter().flat_map(|address| ["--dial", address]);
                ["--no-mdns", "--listen", "/ip4/127.0.0.1/tcp/0"].into_iter().chain(dial).map(str::to_owned).collect()
            }
        }
    }
}

/// The address on which a member's node listens, as it said.
fn address<'a>(stage: &'a Stage, part: &Part) -> Option<&'a str> {
    stage.screen(part.name).iter().find_map(|line| line.strip_prefix(LISTENING))
}

/// Tries in another process whether a network of one's own can be had, and returns why not.
fn try_namespace() -> Option<String> {
    let tried = std::env::current_exe()
        .and_then(|program| Command::new(program).args(TRY_NAMESPACE).stdin(Stdio::null()).output());
    match tried {
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(reason_in(&String::from_utf8_lossy(&output.stderr))),
        Err(error) => Some(error.to_string()),
    }
}

/// The one line that says why, of what the other process wrote.
fn reason_in(errors: &str) -> String {
    errors.lines().next().unwrap_or("it cannot be told why").trim_start_matches("error: ").to_owned()
}

impl From<NamespaceError> for CommandError {
    fn from(error: NamespaceError) -> Self {
        Self::from_error(Kind::Failed, &error)
    }
}

//! `muster peers`: the members that the running node is connected to.

use clap::Args;
use muster_roles::{Role, Timestamp};

use super::output::Output;
use super::running::{ask, unexpected};
use super::time;
use crate::config::Settings;
use crate::control::{Answer, Carries, Found, Peer, Request};
use crate::error::CommandError;

/// List the members that the running node is connected to
#[derive(Debug, Args)]
pub(super) struct PeersArgs {
    /// Print one JSON object a line
    #[arg(long, env = "MUSTER_JSON")]
    json: bool,
}

pub(super) fn run(settings: &Settings, args: &PeersArgs, output: &mut Output) -> Result<(), CommandError> {
    let Answer::Peers { peers } = ask(settings, &Request::Peers)? else { return Err(unexpected()) };
    if args.json {
        return peers.iter().try_for_each(|peer| output.json(peer));
    }
    let head = ["NAME", "ROLE", "SINCE", "CLOCK", "CARRIES", "FOUND BY"].map(str::to_owned);
    let rows: Vec<[String; 6]> = std::iter::once(head).chain(peers.iter().map(row)).collect();
    output.columns(&rows)
}

fn row(peer: &Peer) -> [String; 6] {
    let clock = match peer.clock_ahead_ms {
        None => "not known".to_owned(),
        Some(ahead) if ahead.unsigned_abs() < 1000 => "the same".to_owned(),
        Some(ahead) => format!("{} s {}", ahead.unsigned_abs() / 1000, if ahead < 0 { "behind" } else { "ahead" }),
    };
    [
        peer.name.to_string(),
        peer.role.to_string(),
        time::local(Timestamp::from_ms(peer.since_ms)),
        clock,
        carries(peer),
        found_by(peer),
    ]
}

/// Whose messages the peer carries: those of all groups, or those of the groups it may read.
fn carries(peer: &Peer) -> String {
    let groups = match (peer.carries, &peer.role) {
        (None, _) => "not known",
        (Some(Carries::All), _) | (_, Role::Carrier | Role::Commander) => "all groups",
        (Some(Carries::Own), Role::Leader(troop)) => return format!("heads, {troop}"),
        (Some(Carries::Own), Role::Soldier(troop)) => return troop.to_string(),
    };
    groups.to_owned()
}

fn found_by(peer: &Peer) -> String {
    let ways: Vec<&str> = peer
        .found
        .iter()
        .map(|found| match found {
            Found::Multicast => "multicast",
            Found::Dial => "dial",
            Found::Told => "others",
            Found::Remembered => "memory",
        })
        .collect();
    if ways.is_empty() { "itself".to_owned() } else { ways.join(", ") }
}

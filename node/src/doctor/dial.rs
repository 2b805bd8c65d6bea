//! The line with which another device reaches this node where they do not find each other by themselves.

use std::net::{IpAddr, Ipv4Addr};

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use serde::Serialize;

use super::Facts;
use super::facts::{NodeFacts, is_reachable};

/// The port that is proposed where the settings leave it to chance.
const PROPOSED_PORT: u16 = 4001;

/// The most lines that are given: one for each network that a device is usually on.
const MAX_LINES: usize = 4;

/// How another device can dial this node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Dial {
    /// What to start here first; nothing, where a node runs.
    pub here: Option<String>,
    /// What to start on the other device: any of these, the likeliest first.
    pub there: Vec<String>,
    /// Whether that works on this very device only.
    pub loopback_only: bool,
}

/// Works out how another device can dial this node.
#[must_use]
pub fn dial(facts: &Facts) -> Dial {
    let (listening, is_running) = match &facts.node {
        NodeFacts::Running(status) => {
            (status.listening.iter().filter_map(|address| address.parse().ok()).collect(), true)
        }
        _ => (facts.listen.iter().map(|listen| listen.address.clone()).collect::<Vec<Multiaddr>>(), false),
    };
    let start = format!("muster --home {} start", shell_word(&facts.home.dir.to_string_lossy()));
    let mut here = (!is_running).then(|| start.clone());
    let mut at: Vec<(IpAddr, u16)> = listening.iter().filter_map(tcp_at).filter(|(_, port)| *port != 0).collect();
    if at.is_empty() && !is_running {
        here = Some(format!("{start} --listen /ip4/0.0.0.0/tcp/{PROPOSED_PORT}"));
        at = vec![(Ipv4Addr::UNSPECIFIED.into(), PROPOSED_PORT)];
    }
    let own = own_addresses(facts);
    let mut places: Vec<(IpAddr, u16)> = at
        .into_iter()
        .flat_map(|(ip, port)| {
            let same_kind = own.iter().filter(move |own| ip.is_unspecified() && own.is_ipv4() == ip.is_ipv4());
            let own: Vec<IpAddr> = if ip.is_unspecified() { same_kind.copied().collect() } else { vec![ip] };
            own.into_iter().map(move |ip| (ip, port))
        })
        .collect();
    let loopback_only = !places.iter().any(|(ip, _)| is_reachable(ip));
    places.retain(|(ip, _)| if loopback_only { ip.is_loopback() } else { is_reachable(ip) });
    places.sort_by_key(|(ip, port)| (ip.is_ipv6(), *ip, *port));
    places.dedup();
    places.truncate(MAX_LINES);
    let there = places.into_iter().map(|(ip, port)| {
        let kind = if ip.is_ipv4() { "ip4" } else { "ip6" };
        format!("muster start --dial /{kind}/{ip}/tcp/{port}")
    });
    Dial { here, there: there.collect(), loopback_only }
}

/// The addresses of the interfaces that are up, loopback's too; bridges of this device lead to its containers only.
fn own_addresses(facts: &Facts) -> Vec<IpAddr> {
    let up = facts.interfaces.iter().flatten().filter(|interface| interface.up && !interface.bridge);
    up.flat_map(|interface| interface.addresses.iter().copied()).collect()
}

/// Where a TCP address leads.
pub(super) fn tcp_at(address: &Multiaddr) -> Option<(IpAddr, u16)> {
    let mut parts = address.iter();
    let ip = match parts.next()? {
        Protocol::Ip4(ip) => IpAddr::V4(ip),
        Protocol::Ip6(ip) => IpAddr::V6(ip),
        _ => return None,
    };
    match parts.next()? {
        Protocol::Tcp(port) => Some((ip, port)),
        _ => None,
    }
}

/// A word as a shell takes it for one.
fn shell_word(text: &str) -> String {
    let is_plain = !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_./=+:,@%".contains(c));
    if is_plain { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests;

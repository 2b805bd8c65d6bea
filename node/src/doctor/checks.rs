//! The checks of the network: whether nodes can look for each other, reach each other, and be reached.

use super::facts::{Dialled, Heard, Hindrance, Interface, NodeFacts, Outcome, Search};
use super::{Check, Facts, Finding};

/// What helps wherever nodes cannot look for each other.
const DIAL_INSTEAD: &str = "use the --dial line below on the other device";

/// Every check of the network.
pub(super) const CHECKS: &[Check] =
    &[interfaces, multicast, address_kinds, container, mdns_settings, search, strangers, unreached, listening, dialled];

/// Whether there is a way out of the device at all.
fn interfaces(facts: &Facts) -> Vec<Finding> {
    let Some(interfaces) = &facts.interfaces else {
        let advice = "look them up with the system's own tools";
        return vec![Finding::note("interfaces", "the network interfaces are not known on this system", advice)];
    };
    let out: Vec<&Interface> = interfaces.iter().filter(|interface| !interface.loopback).collect();
    if out.is_empty() {
        let what = "this device has no network interface but loopback, which leads nowhere";
        return vec![Finding::problem(
            "interfaces",
            what,
            "connect it to a network; nodes on this device meet by --dial",
        )];
    }
    let good: Vec<&str> =
        out.iter().filter(|interface| interface.leads_out()).map(|found| found.name.as_str()).collect();
    if !good.is_empty() {
        return vec![Finding::good("interfaces", format!("connected by {}", good.join(", ")))];
    }
    let trouble = |interface: &&Interface| {
        let name = &interface.name;
        if !interface.up {
            Finding::problem("interfaces", format!("{name} is switched off"), format!("sudo ip link set {name} up"))
        } else if !interface.running {
            let what = format!("{name} is not connected");
            Finding::problem("interfaces", what, "plug in its cable, or join a wireless network")
        } else {
            let what = format!("{name} has no address that other devices can reach");
            Finding::problem(
                "interfaces",
                what,
                format!("give it one: sudo dhclient {name}, or sudo ip address add ADDRESS/24 dev {name}"),
            )
        }
    };
    out.iter().map(trouble).collect()
}

/// Whether an interface takes multicast, by which nodes look for each other.
fn multicast(facts: &Facts) -> Vec<Finding> {
    let Some(interfaces) = &facts.interfaces else { return Vec::new() };
    let takers: Vec<&str> =
        interfaces.iter().filter(|found| found.takes_search()).map(|found| found.name.as_str()).collect();
    if !takers.is_empty() {
        return vec![Finding::good(
            "multicast",
            format!("{} takes multicast, by which nodes find each other", takers.join(", ")),
        )];
    }
    let why = "so nodes cannot find each other by themselves here";
    let mute: Vec<&str> = interfaces
        .iter()
        .filter(|found| found.leads_out() && !found.multicast)
        .map(|found| found.name.as_str())
        .collect();
    match mute.first() {
        Some(first) => {
            let what = format!("no multicast: {} does not take it, {why}", mute.join(", "));
            vec![Finding::problem(
                "multicast",
                what,
                format!("sudo ip link set {first} multicast on, or {DIAL_INSTEAD}"),
            )]
        }
        None => {
            vec![Finding::problem("multicast", format!("no multicast: no interface takes it, {why}"), DIAL_INSTEAD)]
        }
    }
}

/// Whether there is an IPv4 address, by which nodes look for each other.
fn address_kinds(facts: &Facts) -> Vec<Finding> {
    let out = facts.interfaces.iter().flatten().filter(|interface| interface.leads_out());
    let addresses: Vec<_> =
        out.flat_map(|interface| &interface.addresses).filter(|ip| super::facts::is_reachable(ip)).collect();
    if addresses.is_empty() || addresses.iter().any(|ip| ip.is_ipv4()) {
        return Vec::new();
    }
    let what = "there are IPv6 addresses only, and nodes look for each other by IPv4";
    vec![Finding::problem(
        "ip",
        what,
        format!("give an interface an IPv4 address, or let the node --listen /ip6/::/tcp/4001 and {DIAL_INSTEAD}"),
    )]
}

/// Whether a container's walls are in between.
fn container(facts: &Facts) -> Vec<Finding> {
    let bridges: Vec<&str> = facts
        .interfaces
        .iter()
        .flatten()
        .filter(|interface| interface.bridge && interface.leads_out())
        .map(|interface| interface.name.as_str())
        .collect();
    if let Some(kind) = facts.container {
        let what = format!("this runs in a container ({kind}): nodes outside its network neither hear nor reach it");
        let advice = "publish a port and dial it from outside, or give the container the host's network";
        return vec![Finding::note("container", what, advice)];
    }
    if bridges.is_empty() {
        return Vec::new();
    }
    let what =
        format!("{} is a bridge of this device: nodes in its containers are heard only there", bridges.join(", "));
    vec![Finding::note("container", what, "nothing to do, unless a node in a container is what is missed")]
}

/// Whether looking for each other is wanted.
fn mdns_settings(facts: &Facts) -> Vec<Finding> {
    if facts.mdns {
        return Vec::new();
    }
    let what = "the settings keep this node from looking for others and from being found";
    vec![Finding::note("mdns", what, "leave out --no-mdns, or see where it is set with `muster config show`")]
}

/// What came of looking for other nodes.
fn search(facts: &Facts) -> Vec<Finding> {
    match &facts.search {
        None => Vec::new(),
        Some(Search::PortTaken(why)) => {
            let what = format!(
                "UDP port 5353 is taken by a program that does not share it ({why}), so nodes cannot be looked for"
            );
            vec![Finding::problem(
                "mdns",
                what,
                format!("see which: sudo ss -lunp 'sport = :5353'; stop it, or {DIAL_INSTEAD}"),
            )]
        }
        Some(Search::NotSent(why)) => {
            let what = format!("nodes cannot be looked for: {why}");
            vec![Finding::problem("mdns", what, DIAL_INSTEAD)]
        }
        Some(Search::Heard(heard)) => {
            let members: Vec<&str> = heard.iter().filter_map(|node| node.member.as_deref()).collect();
            if !members.is_empty() {
                return vec![Finding::good("mdns", format!("heard {}", members.join(", ")))];
            }
            let advice = format!(
                "are others running, and on the same network? Some wireless networks keep their devices apart or drop multicast: then {DIAL_INSTEAD}"
            );
            vec![Finding::note("mdns", "no other member of the unit answered on the local network", advice)]
        }
    }
}

/// Nodes that this home's roster does not know.
fn strangers(facts: &Facts) -> Vec<Finding> {
    let Some(Search::Heard(heard)) = &facts.search else { return Vec::new() };
    let count = heard.iter().filter(|node| node.member.is_none()).count();
    if count == 0 {
        return Vec::new();
    }
    let what = match count {
        1 => "a node was heard that this home's roster does not know".to_owned(),
        count => format!("{count} nodes were heard that this home's roster does not know"),
    };
    let version = facts.home.roster.map_or_else(String::new, |(version, _)| format!(" (here: version {version})"));
    let advice = format!(
        "they are of another unit, or were admitted after this roster: compare the words and the version in \
         `muster roster show` on both devices{version}; a newer roster comes by itself from any member met"
    );
    vec![Finding::note("unit", what, advice)]
}

/// Members that were heard, but take no connection.
fn unreached(facts: &Facts) -> Vec<Finding> {
    let Some(Search::Heard(heard)) = &facts.search else { return Vec::new() };
    let is_walled = |node: &&Heard| node.reached == Some(false);
    let names: Vec<&str> = heard.iter().filter(is_walled).filter_map(|node| node.member.as_deref()).collect();
    if names.is_empty() {
        return Vec::new();
    }
    let what = format!("{} can be heard, but takes no connection", names.join(", "));
    let advice = "look for a firewall on that device: it must let its node's port in, which --listen fixes";
    vec![Finding::problem("reach", what, advice)]
}

/// Whether the node can listen where it is to.
fn listening(facts: &Facts) -> Vec<Finding> {
    if !matches!(facts.node, NodeFacts::Stopped) {
        return Vec::new();
    }
    let told = facts.listen.iter().filter_map(|listen| {
        let address = &listen.address;
        Some(match listen.hindrance.as_ref()? {
            Hindrance::InUse => Finding::problem(
                "listen",
                format!("the port of {address} is in use by another program"),
                "choose another with --listen, or stop that program: `ss -ltnup` lists who has which",
            ),
            Hindrance::NotOurs => Finding::problem(
                "listen",
                format!("{address} is not an address of this device"),
                "listen on /ip4/0.0.0.0/tcp/PORT, which is all of them",
            ),
            Hindrance::NotAllowed => Finding::problem(
                "listen",
                format!("this user may not listen on {address}"),
                "choose a port from 1024 up",
            ),
            Hindrance::Other(why) => {
                Finding::problem("listen", format!("cannot listen on {address}: {why}"), "choose another with --listen")
            }
        })
    });
    told.collect()
}

/// Whether the nodes that are to be dialled can be.
fn dialled(facts: &Facts) -> Vec<Finding> {
    let told = |Dialled { address, outcome }: &Dialled| match outcome {
        Outcome::Taken => Some(Finding::good("dial", format!("{address} takes connections"))),
        Outcome::Refused => Some(Finding::problem(
            "dial",
            format!("nobody listens at {address}"),
            "is the node there running, and at that port? `muster doctor` on that device gives its --dial line",
        )),
        Outcome::Silence => Some(Finding::problem(
            "dial",
            format!("{address} does not answer"),
            "is that device on? A firewall on it may drop what comes to the port",
        )),
        Outcome::NoWay => Some(Finding::problem(
            "dial",
            format!("this device has no way to the network of {address}"),
            "give it an address in that network, or a route to it",
        )),
        Outcome::NoName => Some(Finding::problem(
            "dial",
            format!("the name in {address} is not known here"),
            "give the address itself, /ip4/…, or see to it that this device can look names up",
        )),
        Outcome::Untried => None,
    };
    facts.dialled.iter().filter_map(told).collect()
}

#[cfg(test)]
mod tests;

//! The checks of the device itself: home, disk, node, clock, and what stands in front of it.

use super::facts::{FirewallKind, NodeFacts};
use super::{Check, Facts, Finding};

/// Below this the store may soon be unable to grow: redb makes its file larger by doubling.
const LITTLE_SPACE: u64 = 64 * 1024 * 1024;

/// By how many milliseconds a clock may be off before the node corrects it, and a person is told.
const CLOCK_TOLERANCE_MS: u64 = 60 * 1000;

/// How far ahead of the present a roster may be issued: clocks differ.
const MAX_AHEAD_MS: u64 = 5 * 60 * 1000;

/// Every check of the device.
pub(super) const CHECKS: &[Check] = &[home, space, node, roster, clock, firewall];

fn home(facts: &Facts) -> Vec<Finding> {
    let dir = facts.home.dir.display();
    let troubles = facts.home.troubles.iter();
    let mut found: Vec<Finding> = troubles
        .map(|(what, advice)| {
            Finding::problem("home", what, advice.clone().unwrap_or_else(|| format!("see what lies in {dir}")))
        })
        .collect();
    if let (true, Some(member)) = (found.is_empty(), &facts.home.member) {
        found.push(Finding::good("home", format!("{dir} is {member}")));
    }
    found
}

fn space(facts: &Facts) -> Vec<Finding> {
    match facts.free_bytes {
        Some(free) if free < LITTLE_SPACE => {
            let what = format!("{} MiB are left for {}", free / (1024 * 1024), facts.home.dir.display());
            vec![Finding::problem("space", what, "make room: a full disk keeps the node from taking messages")]
        }
        _ => Vec::new(),
    }
}

fn node(facts: &Facts) -> Vec<Finding> {
    let status = match &facts.node {
        NodeFacts::Stopped if facts.home.member.is_none() => return Vec::new(),
        NodeFacts::Stopped => return vec![Finding::note("node", "no node runs on this home", "muster start")],
        NodeFacts::Mute(why) => {
            let what = format!("a node runs on this home, but does not answer: {why}");
            return vec![Finding::problem("node", what, "wait a moment and ask again; else stop it and start it anew")];
        }
        NodeFacts::Running(status) => status,
    };
    let mut found = Vec::new();
    if status.connected > 0 {
        let members =
            if status.connected == 1 { "1 member".to_owned() } else { format!("{} members", status.connected) };
        found.push(Finding::good("node", format!("running (pid {}), connected to {members}", status.pid)));
    } else {
        let what = format!("running (pid {}), connected to nobody", status.pid);
        found.push(Finding::note("node", what, "what stands below may say why"));
    }
    if !status.store_works {
        let what = "the store takes no messages";
        found.push(Finding::problem("store", what, "make room on the disk, and see the log; then start the node anew"));
    }
    found
}

/// Whether a connected member has a newer roster than this node.
fn roster(facts: &Facts) -> Vec<Finding> {
    let NodeFacts::Running(status) = &facts.node else { return Vec::new() };
    let own = status.roster.version;
    match &status.roster.newest_of_peers {
        Some(newest) if newest.version > own => {
            let what = format!(
                "this node's roster is version {own}, older than that of its peers: {} has version {}",
                newest.name, newest.version
            );
            let advice =
                "a newer roster comes by itself within moments; if this stays, see the log for why it was refused";
            vec![Finding::problem("roster", what, advice)]
        }
        Some(_) => vec![Finding::good("roster", format!("version {own}, no peer has a newer one"))],
        None => Vec::new(),
    }
}

fn clock(facts: &Facts) -> Vec<Finding> {
    let set = "set it: sudo timedatectl set-ntp true, or sudo date --set 'YYYY-MM-DD HH:MM:SS'";
    if let NodeFacts::Running(status) = &facts.node
        && let Some(off_by_ms) = status.clock.off_by_ms.filter(|off| off.unsigned_abs() > CLOCK_TOLERANCE_MS)
    {
        let way = if off_by_ms > 0 { "ahead of" } else { "behind" };
        let what = format!("the clock is {} {way} the other members'", span(off_by_ms.unsigned_abs()));
        return vec![Finding::problem("clock", what, format!("the node makes up for it; {set}"))];
    }
    match facts.home.roster {
        Some((_, issued_ms)) if facts.now_ms.saturating_add(MAX_AHEAD_MS) < issued_ms => {
            let behind = span(issued_ms - facts.now_ms);
            let what = format!("the clock is at least {behind} behind: the roster was issued later than it shows");
            vec![Finding::problem("clock", what, set)]
        }
        _ => match &facts.node {
            NodeFacts::Running(status) if status.connected > 0 => {
                vec![Finding::good("clock", "within a minute of the other members'")]
            }
            _ => Vec::new(),
        },
    }
}

fn firewall(facts: &Facts) -> Vec<Finding> {
    let open = |commands: &str| {
        format!("let Muster in: {commands}; and fix the node's port with --listen /ip4/0.0.0.0/tcp/4001")
    };
    match facts.firewall.active {
        Some(FirewallKind::Ufw) => {
            let what = "a firewall is on (ufw); whether it lets Muster in can only root read";
            vec![Finding::note("firewall", what, open("sudo ufw allow 5353/udp && sudo ufw allow 4001"))]
        }
        Some(FirewallKind::Firewalld) => {
            let what = "a firewall is on (firewalld); whether it lets Muster in can only root read";
            let commands = "sudo firewall-cmd --permanent --add-service=mdns --add-port=4001/tcp --add-port=4001/udp \
                            && sudo firewall-cmd --reload";
            vec![Finding::note("firewall", what, open(commands))]
        }
        None if facts.firewall.filter_loaded => {
            let what = "the kernel has a packet filter loaded; its rules can only root read, so whether it is in the way is not known";
            let advice = "sudo nft list ruleset; needed are UDP port 5353 and the node's own port";
            vec![Finding::note("firewall", what, advice)]
        }
        None => Vec::new(),
    }
}

/// A span of time as a person says it, in its largest unit.
fn span(ms: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(24 * 60 * 60 * 1000, "days"), (60 * 60 * 1000, "hours"), (60 * 1000, "minutes")];
    let fits = UNITS.iter().find(|(unit_ms, _)| ms >= 2 * unit_ms);
    fits.map_or_else(|| format!("{} seconds", ms / 1000), |(unit_ms, name)| format!("{} {name}", ms / unit_ms))
}

#[cfg(test)]
mod tests;

//! Gathering the facts: the one part of the doctor that looks at the world.

use std::io;
use std::net::{IpAddr, SocketAddr};

use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};
use muster_roles::{Roster, Timestamp};
use socket2::{Domain, Socket, Type};

use super::facts::{Dialled, Hindrance, HomeFacts, Interface, Listen, NodeFacts, Search};
use super::{Facts, search, system};
use crate::control::Status;
use crate::disk::Disk;
use crate::error::{CommandError, Kind};
use crate::home::{Home, KeyChoice};
use crate::net;

/// The most addresses that are tried.
const MAX_TRIED: usize = 16;

/// What the doctor is asked about.
#[derive(Debug)]
pub struct Asked<'a> {
    /// The home.
    pub home: &'a Home,
    /// Which role key the home is used with.
    pub key: &'a KeyChoice,
    /// Where a node would listen.
    pub listen: Vec<Multiaddr>,
    /// Whom a node would dial.
    pub dial: Vec<Multiaddr>,
    /// Whether a node would look for others by multicast.
    pub mdns: bool,
    /// The present by the device's clock.
    pub now: Timestamp,
    /// Asks the node that runs on the home how it is.
    pub status: fn(&Home) -> Result<Status, String>,
}

/// Gathers what there is to know; takes some seconds, for it waits for answers from the network.
#[must_use]
pub fn gather(asked: &Asked<'_>) -> Facts {
    let (home, known) = home_facts(asked);
    let (node, home) = node_facts(asked, home);
    let interfaces = system::interfaces();
    let search = asked.mdns.then(|| look_for(interfaces.as_deref().unwrap_or_default(), known.as_ref())).flatten();
    let check = |address: &Multiaddr| match node {
        NodeFacts::Stopped => hindrance(address),
        _ => None,
    };
    let listen = asked.listen.iter().take(MAX_TRIED);
    let listen = listen.map(|address| Listen { address: address.clone(), hindrance: check(address) }).collect();
    let dialled = asked.dial.iter().take(MAX_TRIED);
    let dialled =
        dialled.map(|address| Dialled { address: address.clone(), outcome: search::connect(address) }).collect();
    Facts {
        search,
        listen,
        dialled,
        container: system::container(),
        firewall: system::firewall(),
        mdns: asked.mdns,
        free_bytes: system::free_bytes(asked.home.dir()),
        now_ms: asked.now.ms(),
        interfaces,
        home,
        node,
    }
}

/// Who sits at a home, and who may be heard there.
struct Known {
    me: Option<PeerId>,
    roster: Roster,
}

fn look_for(interfaces: &[Interface], known: Option<&Known>) -> Option<Search> {
    // Where there is nothing to ask through, the interfaces' own checks say so.
    interfaces.iter().any(Interface::takes_search).then(|| {
        let name = |peer: &PeerId| {
            let member = known?.roster.member(&net::role_key(peer)?)?;
            Some(member.name.to_string())
        };
        search::search(interfaces, known.and_then(|known| known.me), name)
    })
}

fn home_facts(asked: &Asked<'_>) -> (HomeFacts, Option<Known>) {
    let home = asked.home;
    let mut facts = HomeFacts { dir: home.dir().to_owned(), ..HomeFacts::default() };
    let trouble = |error: &CommandError| (error.in_one_line(), error.hint().map(str::to_owned));
    if home.dir().exists() && !system::is_own(home.dir()) {
        let what = format!("{} belongs to another user", home.dir().display());
        let advice = "run muster as that user, or give the folder to this one: sudo chown -R USER DIR";
        facts.troubles.push((what, Some(advice.to_owned())));
    }
    let roster = match home.read_roster(asked.now) {
        Ok(roster) => roster,
        Err(error) => {
            facts.troubles.push(trouble(&error));
            return (facts, None);
        }
    };
    facts.roster = Some((roster.version(), roster.issued().ms()));
    let mut me = None;
    match home.public_key(asked.key, &roster) {
        Ok((key, member)) => {
            me = net::peer_id(&key);
            facts.member = Some(format!("{}, {} of {}", member.name, member.role, roster.unit_name()));
        }
        Err(error) => facts.troubles.push(trouble(&error)),
    }
    (facts, Some(Known { me, roster }))
}

/// Whether a node runs on the home; where none does, whether its store is sound.
fn node_facts(asked: &Asked<'_>, mut home: HomeFacts) -> (NodeFacts, HomeFacts) {
    if home.roster.is_none() {
        return (NodeFacts::Stopped, home);
    }
    let _lock = match asked.home.lock() {
        Ok(lock) => lock,
        Err(error) if error.kind() == Kind::Store => {
            let node =
                (asked.status)(asked.home).map_or_else(NodeFacts::Mute, |status| NodeFacts::Running(Box::new(status)));
            return (node, home);
        }
        Err(error) => {
            home.troubles.push((error.in_one_line(), error.hint().map(str::to_owned)));
            return (NodeFacts::Stopped, home);
        }
    };
    let path = asked.home.database_path();
    if path.exists()
        && let Err(error) = Disk::open(&path)
    {
        let error = CommandError::from(error);
        home.troubles.push((error.in_one_line(), error.hint().map(str::to_owned)));
    }
    (NodeFacts::Stopped, home)
}

/// Tries to take an address, and gives it back at once.
fn hindrance(address: &Multiaddr) -> Option<Hindrance> {
    let (ip, transport) = {
        let mut parts = address.iter();
        (parts.next()?, parts.next()?)
    };
    let ip = match ip {
        Protocol::Ip4(ip) => ip.into(),
        Protocol::Ip6(ip) => IpAddr::V6(ip),
        _ => return None,
    };
    let (kind, port) = match transport {
        Protocol::Tcp(port) => (Type::STREAM, port),
        Protocol::Udp(port) => (Type::DGRAM, port),
        _ => return None,
    };
    let bind = || {
        let socket = Socket::new(Domain::for_address(SocketAddr::new(ip, port)), kind, None)?;
        if kind == Type::STREAM {
            // As the node does: connections of an earlier run that are still closing are not in the way.
            socket.set_reuse_address(true)?;
        }
        socket.bind(&SocketAddr::new(ip, port).into())?;
        if kind == Type::STREAM { socket.listen(1) } else { Ok(()) }
    };
    let error: io::Error = bind().err()?;
    Some(match error.kind() {
        io::ErrorKind::AddrInUse => Hindrance::InUse,
        io::ErrorKind::AddrNotAvailable => Hindrance::NotOurs,
        io::ErrorKind::PermissionDenied => Hindrance::NotAllowed,
        _ => Hindrance::Other(error.to_string()),
    })
}

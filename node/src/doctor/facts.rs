//! What is known of a device before anything is made of it.

use std::net::IpAddr;
use std::path::PathBuf;

use libp2p::Multiaddr;

use crate::control::Status;

/// Everything that the checks look at.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The network interfaces; nothing, where this system is not asked for them.
    pub interfaces: Option<Vec<Interface>>,
    /// The kind of container that this runs in.
    pub container: Option<&'static str>,
    /// What keeps packets away.
    pub firewall: Firewall,
    /// Whether the settings have nodes looked for by multicast.
    pub mdns: bool,
    /// What came of taking part in multicast DNS; nothing, where it was not tried.
    pub search: Option<Search>,
    /// Where the settings have the node listen.
    pub listen: Vec<Listen>,
    /// The nodes that the settings have dialled.
    pub dialled: Vec<Dialled>,
    /// The home folder.
    pub home: HomeFacts,
    /// The node on the home.
    pub node: NodeFacts,
    /// What the device's clock shows, in Unix milliseconds.
    pub now_ms: u64,
    /// Bytes that the home's file system has left.
    pub free_bytes: Option<u64>,
}

/// A network interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its name, such as `eth0`.
    pub name: String,
    /// Whether it is switched on.
    pub up: bool,
    /// Whether it is plugged in, or in a network's reach.
    pub running: bool,
    /// Whether it leads nowhere but back.
    pub loopback: bool,
    /// Whether it takes multicast.
    pub multicast: bool,
    /// Whether it is a bridge of this device's own, such as those that containers sit at.
    pub bridge: bool,
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
}

/// What is known of packet filters without being allowed to read their rules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Firewall {
    /// A firewall that says that it is switched on.
    pub active: Option<FirewallKind>,
    /// Whether the kernel has a packet filter loaded, which may have rules or none.
    pub filter_loaded: bool,
}

/// A firewall that can be told of without being root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirewallKind {
    /// Ubuntu's and Debian's.
    Ufw,
    /// Fedora's and SUSE's.
    Firewalld,
}

/// What came of taking part in multicast DNS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Search {
    /// The port is taken by a program that does not share it.
    PortTaken(String),
    /// The question could not be asked on any interface.
    NotSent(String),
    /// It was asked, and these answered, this node left out.
    Heard(Vec<Heard>),
}

/// A node that answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// The member, as this home's roster has it; nothing for a stranger to it.
    pub member: Option<String>,
    /// Where it says that it can be reached.
    pub addresses: Vec<Multiaddr>,
    /// Whether it can be, as far as that was tried.
    pub reached: Option<bool>,
}

/// An address to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// The address.
    pub address: Multiaddr,
    /// What hinders it.
    pub hindrance: Option<Hindrance>,
}

/// Why an address cannot be listened on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hindrance {
    /// Another program has the port.
    InUse,
    /// The address is not this device's.
    NotOurs,
    /// Ports below 1024 need rights.
    NotAllowed,
    /// Something else, in the system's words.
    Other(String),
}

/// A node that the settings have dialled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dialled {
    /// Its address.
    pub address: Multiaddr,
    /// What came of trying.
    pub outcome: Outcome,
}

/// What came of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was taken.
    Taken,
    /// The device is there, and nobody listens at the port.
    Refused,
    /// Nothing came back.
    Silence,
    /// There is no way to that network.
    NoWay,
    /// Nobody knows the name in it.
    NoName,
    /// Not tried: what is no TCP address says nothing by itself.
    Untried,
}

/// What was found in the home folder.
#[derive(Clone, Debug, Default)]
pub struct HomeFacts {
    /// The folder.
    pub dir: PathBuf,
    /// What is wrong with it, each with what to do.
    pub troubles: Vec<(String, Option<String>)>,
    /// The member and the unit.
    pub member: Option<String>,
    /// The roster's version, and when it was issued in Unix milliseconds.
    pub roster: Option<(u64, u64)>,
}

/// The node on the home.
#[derive(Clone, Debug, Default)]
pub enum NodeFacts {
    /// None runs.
    #[default]
    Stopped,
    /// One runs, and does not say how it is.
    Mute(String),
    /// One runs, and says how it is.
    Running(Box<Status>),
}

impl Interface {
    /// Whether other devices may be reached through it.
    pub(super) fn leads_out(&self) -> bool {
        self.up && self.running && !self.loopback && self.addresses.iter().any(is_reachable)
    }

    /// Whether nodes can be looked for through it: that goes by IPv4.
    pub(super) fn takes_search(&self) -> bool {
        self.leads_out() && self.multicast && self.addresses.iter().any(IpAddr::is_ipv4)
    }
}

/// Whether an address may mean something on another device.
pub(super) fn is_reachable(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(ip) => !ip.is_loopback() && !ip.is_unspecified() && !ip.is_link_local(),
        IpAddr::V6(ip) => !ip.is_loopback() && !ip.is_unspecified() && !ip.is_unicast_link_local(),
    }
}

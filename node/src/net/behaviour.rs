//! The protocols that a node speaks.

use std::io;
use std::time::Duration;

use libp2p::swarm::NetworkBehaviour;
use libp2p::swarm::behaviour::toggle::Toggle;
use libp2p::{PeerId, mdns, ping};

use super::alive::{PING_INTERVAL, PING_TIMEOUT};
use super::doors::Doors;
use super::gate::Gated;
use super::{gossip, hello};

/// How long others remember what multicast DNS has told them; crashed nodes are listed no longer.
const MDNS_TTL: Duration = Duration::from_secs(5 * 60);

/// How often multicast DNS asks when nothing is heard: one lost round on a radio network must not hide a node.
const MDNS_QUERY_INTERVAL: Duration = Duration::from_secs(60);

/// Everything that a connection can be used for; what denies connections comes first, so that no other part takes
/// one for established that is not.
#[derive(NetworkBehaviour)]
pub(crate) struct Behaviour {
    pub(crate) doors: Doors,
    pub(crate) mdns: Toggle<mdns::tokio::Behaviour>,
    pub(crate) hello: hello::Behaviour,
    pub(crate) members: Gated<Members>,
}

/// What only members' connections are used for.
#[derive(NetworkBehaviour)]
pub(crate) struct Members {
    ping: ping::Behaviour,
    pub(crate) gossip: gossip::Behaviour,
    sync: libp2p_stream::Behaviour,
}

impl Behaviour {
    /// Puts the protocols together.
    pub(crate) fn new(doors: Doors, gossip: gossip::Behaviour, mdns: Option<mdns::tokio::Behaviour>) -> Self {
        let ping = ping::Config::new().with_interval(PING_INTERVAL).with_timeout(PING_TIMEOUT);
        Self {
            doors,
            mdns: mdns.into(),
            hello: hello::behaviour(),
            members: Gated::new(Members {
                ping: ping::Behaviour::new(ping),
                gossip,
                sync: libp2p_stream::Behaviour::new(),
            }),
        }
    }

    /// Returns what opens and accepts the streams of synchronisation.
    pub(crate) fn sync_control(&mut self) -> libp2p_stream::Control {
        self.members.inner_mut().sync.new_control()
    }

    /// Returns gossipsub.
    pub(crate) fn gossip(&mut self) -> &mut gossip::Behaviour {
        &mut self.members.inner_mut().gossip
    }
}

/// Starts multicast DNS.
///
/// # Errors
///
/// When the system does not tell about its network interfaces.
pub(crate) fn mdns(me: PeerId) -> io::Result<mdns::tokio::Behaviour> {
    let config = mdns::Config { ttl: MDNS_TTL, query_interval: MDNS_QUERY_INTERVAL, enable_ipv6: false };
    mdns::tokio::Behaviour::new(config, me)
}

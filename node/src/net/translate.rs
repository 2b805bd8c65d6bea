//! From libp2p's events to the ones that matter here.

use std::net::IpAddr;

use libp2p::core::ConnectedPoint;
use libp2p::gossipsub::{self, Message, MessageId, TopicHash};
use libp2p::multiaddr::Protocol;
use libp2p::request_response::{self, OutboundFailure, OutboundRequestId, ResponseChannel};
use libp2p::swarm::{ConnectionId, DialError, SwarmEvent};
use libp2p::{Multiaddr, PeerId, mdns, ping};

use super::behaviour::{BehaviourEvent, MembersEvent};
use super::gate::GateEvent;
use crate::engine::hello::{Request, Response};

/// One thing that happened on the network.
#[derive(Debug)]
pub(crate) enum Happening {
    /// The node can be reached at this address.
    Listening(Multiaddr),
    /// It no longer can.
    NotListening(Multiaddr),
    /// A connection is there.
    Connected {
        /// The other end.
        peer: PeerId,
        /// The connection.
        connection: ConnectionId,
        /// The address that answered, if this end dialled.
        dialled: Option<Multiaddr>,
        /// Where the other end is.
        host: Option<IpAddr>,
    },
    /// A connection is gone.
    Disconnected {
        /// The other end.
        peer: PeerId,
        /// The connection.
        connection: ConnectionId,
        /// Whether it was the last one with that peer.
        last: bool,
    },
    /// A dial came to nothing.
    DialFailed {
        /// The connection that it would have been.
        connection: ConnectionId,
        /// An address at which somebody other than the wanted peer answers.
        wrong: Option<Multiaddr>,
        /// Whether that somebody is this node.
        own: bool,
        /// What went wrong.
        reason: String,
    },
    /// Peers were found.
    Discovered(Vec<(PeerId, Multiaddr)>),
    /// A peer asks something.
    Asked {
        /// Who.
        peer: PeerId,
        /// Over which connection.
        connection: ConnectionId,
        /// What.
        request: Request,
        /// Where the response goes.
        channel: ResponseChannel<Response>,
    },
    /// A peer responds.
    Answered {
        /// Who.
        peer: PeerId,
        /// Over which connection.
        connection: ConnectionId,
        /// To which request.
        id: OutboundRequestId,
        /// What.
        response: Response,
    },
    /// A peer does not respond.
    Unanswered {
        /// Who.
        peer: PeerId,
        /// Over which connection.
        connection: ConnectionId,
        /// To which request.
        id: OutboundRequestId,
        /// Why not.
        error: OutboundFailure,
    },
    /// A connection's gate is open at this end.
    Opened {
        /// The connection.
        connection: ConnectionId,
    },
    /// A connection's gate is open at both ends.
    Speaking {
        /// The other end.
        peer: PeerId,
        /// The connection.
        connection: ConnectionId,
    },
    /// A gossip message came in.
    Gossip {
        /// From whom; not the author, perhaps.
        from: PeerId,
        /// Its id.
        id: MessageId,
        /// The message.
        message: Message,
    },
    /// A peer listens to a topic now.
    Subscribed {
        /// Who.
        peer: PeerId,
        /// To which.
        topic: TopicHash,
    },
    /// A peer does not take its messages fast enough, and some were dropped.
    Slow {
        /// Who.
        peer: PeerId,
    },
    /// An admitted peer speaks no gossip.
    Deaf {
        /// Who.
        peer: PeerId,
    },
    /// The other end of an admitted connection does not speak what members speak, or speaks it no more.
    ShutOut {
        /// Which one.
        connection: ConnectionId,
    },
    /// A connection shows no sign of life.
    Dead {
        /// The connection.
        connection: ConnectionId,
    },
}

/// Returns what an event means, if it means anything.
pub(crate) fn translate(event: SwarmEvent<BehaviourEvent>) -> Option<Happening> {
    match event {
        SwarmEvent::Behaviour(event) => from_behaviour(event),
        SwarmEvent::NewListenAddr { address, .. } => Some(Happening::Listening(address)),
        SwarmEvent::ExpiredListenAddr { address, .. } => Some(Happening::NotListening(address)),
        SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => Some(Happening::Connected {
            peer: peer_id,
            connection: connection_id,
            host: host(endpoint.get_remote_address()),
            dialled: match endpoint {
                ConnectedPoint::Dialer { address, .. } => Some(address),
                ConnectedPoint::Listener { .. } => None,
            },
        }),
        SwarmEvent::ConnectionClosed { peer_id, connection_id, num_established, cause, .. } => {
            tracing::debug!(connection = %connection_id, ?cause, "connection closed");
            Some(Happening::Disconnected { peer: peer_id, connection: connection_id, last: num_established == 0 })
        }
        SwarmEvent::OutgoingConnectionError { connection_id, error, .. } => Some(Happening::DialFailed {
            connection: connection_id,
            own: matches!(error, DialError::LocalPeerId { .. }),
            reason: error.to_string(),
            wrong: match error {
                DialError::LocalPeerId { address } | DialError::WrongPeerId { address, .. } => Some(address),
                _ => None,
            },
        }),
        SwarmEvent::IncomingConnectionError { error, .. } => {
            tracing::debug!(%error, "incoming connection failed");
            None
        }
        SwarmEvent::ListenerError { error, .. } => {
            tracing::warn!(%error, "listener failed");
            None
        }
        SwarmEvent::ListenerClosed { addresses, reason, .. } => {
            tracing::warn!(?addresses, ?reason, "listener closed");
            None
        }
        _ => None,
    }
}

fn from_behaviour(event: BehaviourEvent) -> Option<Happening> {
    match event {
        BehaviourEvent::Mdns(mdns::Event::Discovered(peers)) => Some(Happening::Discovered(peers)),
        // A peer that falls silent is not gone: its connection, or the next dial, will tell.
        BehaviourEvent::Mdns(mdns::Event::Expired(_)) => None,
        BehaviourEvent::Hello(event) => from_hello(event),
        BehaviourEvent::Members(GateEvent::Opened { connection }) => Some(Happening::Opened { connection }),
        BehaviourEvent::Members(GateEvent::Speaking { peer, connection }) => {
            Some(Happening::Speaking { peer, connection })
        }
        BehaviourEvent::Members(GateEvent::Inner(MembersEvent::Ping(ping))) => {
            let connection = ping.connection;
            match ping.result {
                Ok(_) => None,
                Err(ping::Failure::Unsupported) => Some(Happening::ShutOut { connection }),
                Err(_) => Some(Happening::Dead { connection }),
            }
        }
        BehaviourEvent::Members(GateEvent::Inner(MembersEvent::Gossip(event))) => from_gossip(event),
        BehaviourEvent::Members(GateEvent::Inner(MembersEvent::Sync(()))) => None,
    }
}

fn from_hello(event: request_response::Event<Request, Response>) -> Option<Happening> {
    match event {
        request_response::Event::Message { peer, connection_id: connection, message } => Some(match message {
            request_response::Message::Request { request, channel, .. } => {
                Happening::Asked { peer, connection, request, channel }
            }
            request_response::Message::Response { request_id: id, response } => {
                Happening::Answered { peer, connection, id, response }
            }
        }),
        request_response::Event::OutboundFailure { peer, connection_id: connection, request_id: id, error } => {
            Some(Happening::Unanswered { peer, connection, id, error })
        }
        request_response::Event::InboundFailure { connection_id, error, .. } => {
            tracing::debug!(connection = %connection_id, %error, "hello from a peer failed");
            None
        }
        request_response::Event::ResponseSent { .. } => None,
    }
}

fn from_gossip(event: gossipsub::Event) -> Option<Happening> {
    match event {
        gossipsub::Event::Message { propagation_source, message_id, message } => {
            Some(Happening::Gossip { from: propagation_source, id: message_id, message })
        }
        gossipsub::Event::Subscribed { peer_id, topic } => Some(Happening::Subscribed { peer: peer_id, topic }),
        gossipsub::Event::Unsubscribed { .. } => None,
        gossipsub::Event::GossipsubNotSupported { peer_id } => Some(Happening::Deaf { peer: peer_id }),
        gossipsub::Event::SlowPeer { peer_id, .. } => Some(Happening::Slow { peer: peer_id }),
    }
}

/// Returns the host part of an address.
pub(crate) fn host(address: &Multiaddr) -> Option<IpAddr> {
    match address.iter().next() {
        Some(Protocol::Ip4(ip)) => Some(ip.into()),
        Some(Protocol::Ip6(ip)) => Some(ip.into()),
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_that_multicast_dns_has_lost_is_not_disconnected() {
        let address: Multiaddr = "/ip4/10.0.0.1/tcp/4000".parse().unwrap();
        let lost = mdns::Event::Expired(vec![(PeerId::random(), address)]);
        assert!(translate(SwarmEvent::Behaviour(BehaviourEvent::Mdns(lost))).is_none());
    }
}

#![allow(clippy::unwrap_used)]

use std::convert::Infallible;
use std::future::poll_fn;

use futures::task::noop_waker_ref;
use libp2p::core::upgrade::{InboundUpgrade, OutboundUpgrade, UpgradeInfo};
use libp2p::swarm::{Stream, StreamProtocol};

use muster_roles::UnitId;
use tokio::time::timeout;

use super::*;
use crate::net::gossip;
use crate::net::shape::HEARTBEAT;

/// A behaviour that writes down what it is told, and wants done what it is given.
#[derive(Default)]
struct Probe {
    told: Vec<String>,
    wants: VecDeque<ToSwarm<(), u8>>,
    denies: bool,
}

impl NetworkBehaviour for Probe {
    type ConnectionHandler = ProbeHandler;
    type ToSwarm = ();

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<ProbeHandler, ConnectionDenied> {
        if self.denies {
            return Err(ConnectionDenied::new("no"));
        }
        self.told.push(format!("in {id}"));
        Ok(ProbeHandler)
    }

    fn handle_established_outbound_connection(
        &mut self,
        id: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<ProbeHandler, ConnectionDenied> {
        self.told.push(format!("out {id}"));
        Ok(ProbeHandler)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        self.told.push(match event {
            FromSwarm::ConnectionEstablished(up) => format!("up {} beside {}", up.connection_id, up.other_established),
            FromSwarm::ConnectionClosed(down) => {
                format!("down {} leaving {}", down.connection_id, down.remaining_established)
            }
            other => format!("{other:?}"),
        });
    }

    fn on_connection_handler_event(&mut self, _: PeerId, id: ConnectionId, event: u8) {
        self.told.push(format!("{event} from {id}"));
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<(), u8>> {
        self.wants.pop_front().map_or(Poll::Pending, Poll::Ready)
    }
}

/// A protocol that is done when it has been agreed on.
#[derive(Debug)]
struct Knock;

impl UpgradeInfo for Knock {
    type Info = StreamProtocol;
    type InfoIter = [StreamProtocol; 1];

    fn protocol_info(&self) -> Self::InfoIter {
        [StreamProtocol::new("/knock")]
    }
}

impl InboundUpgrade<Stream> for Knock {
    type Output = ();
    type Error = Infallible;
    type Future = future::Ready<Result<(), Infallible>>;

    fn upgrade_inbound(self, _: Stream, _: StreamProtocol) -> Self::Future {
        future::ready(Ok(()))
    }
}

impl OutboundUpgrade<Stream> for Knock {
    type Output = ();
    type Error = Infallible;
    type Future = future::Ready<Result<(), Infallible>>;

    fn upgrade_outbound(self, _: Stream, _: StreamProtocol) -> Self::Future {
        future::ready(Ok(()))
    }
}

/// A handler that wants a stream whenever it is polled.
struct ProbeHandler;

impl ConnectionHandler for ProbeHandler {
    type FromBehaviour = u8;
    type ToBehaviour = u8;
    type InboundProtocol = Knock;
    type OutboundProtocol = Knock;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = ();

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol> {
        SubstreamProtocol::new(Knock, ())
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ConnectionHandlerEvent<Self::OutboundProtocol, (), u8>> {
        Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol: self.listen_protocol() })
    }

    fn on_behaviour_event(&mut self, _: u8) {}

    fn on_connection_event(&mut self, _: ConnectionEvent<'_, Self::InboundProtocol, Self::OutboundProtocol>) {}
}

fn id(number: usize) -> ConnectionId {
    ConnectionId::new_unchecked(number)
}

fn endpoint() -> ConnectedPoint {
    let address: Multiaddr = "/ip4/10.0.0.1/tcp/1".parse().unwrap();
    ConnectedPoint::Listener { local_addr: address.clone(), send_back_addr: address }
}

/// A gate with so many connections to one peer.
fn gate(connections: usize) -> (Gated<Probe>, PeerId) {
    let peer = PeerId::random();
    let mut gate = Gated::new(Probe::default());
    for number in 1..=connections {
        gate.on_swarm_event(FromSwarm::ConnectionEstablished(ConnectionEstablished {
            peer_id: peer,
            connection_id: id(number),
            endpoint: &endpoint(),
            failed_addresses: &[],
            other_established: number - 1,
        }));
    }
    (gate, peer)
}

fn close(gate: &mut Gated<Probe>, peer: PeerId, number: usize) {
    gate.on_swarm_event(FromSwarm::ConnectionClosed(ConnectionClosed {
        peer_id: peer,
        connection_id: id(number),
        endpoint: &endpoint(),
        cause: None,
        remaining_established: 0,
    }));
}

fn next(gate: &mut Gated<Probe>) -> Option<Action<Probe>> {
    match gate.poll(&mut Context::from_waker(noop_waker_ref())) {
        Poll::Ready(action) => Some(action),
        Poll::Pending => None,
    }
}

fn told(gate: &mut Gated<Probe>) -> Vec<String> {
    std::mem::take(&mut gate.inner.told)
}

#[test]
fn the_behaviour_inside_hears_of_attached_connections_only_and_counts_only_them() {
    let (mut gate, peer) = gate(3);
    assert!(told(&mut gate).is_empty());
    assert!(gate.attach(id(2), false));
    assert_eq!(told(&mut gate), ["in 2", "up 2 beside 0"]);
    assert!(gate.attach(id(3), true));
    assert_eq!(told(&mut gate), ["in 3", "up 3 beside 1"]);
    close(&mut gate, peer, 1);
    assert!(told(&mut gate).is_empty());
    close(&mut gate, peer, 2);
    close(&mut gate, peer, 3);
    assert_eq!(told(&mut gate), ["down 2 leaving 1", "down 3 leaving 0"]);
}

#[test]
fn a_gate_once_shut_stays_shut_and_its_connection_is_closed_once() {
    let (mut gate, peer) = gate(2);
    gate.attach(id(1), true);
    assert!(matches!(next(&mut gate), Some(ToSwarm::NotifyHandler { .. })));
    told(&mut gate);
    for number in [1, 1, 2] {
        gate.shut(id(number));
    }
    assert_eq!(told(&mut gate), ["down 1 leaving 0"]);
    for number in [1, 2] {
        let Some(ToSwarm::CloseConnection { connection: CloseConnection::One(closed), .. }) = next(&mut gate) else {
            panic!("not closed");
        };
        assert_eq!(closed, id(number));
    }
    assert!(next(&mut gate).is_none());
    assert!(!gate.attach(id(1), true));
    assert!(!gate.attach(id(2), true));
    gate.on_connection_handler_event(peer, id(1), FromHandler::Inner(7));
    close(&mut gate, peer, 1);
    assert!(told(&mut gate).is_empty());
}

#[test]
fn what_is_unknown_or_denied_is_not_attached() {
    let (mut gate, _) = gate(1);
    assert!(!gate.attach(id(9), true));
    gate.inner.denies = true;
    assert!(!gate.attach(id(1), true));
    assert!(told(&mut gate).is_empty());
    gate.inner.denies = false;
    assert!(gate.attach(id(1), true));
}

#[test]
fn what_the_behaviour_inside_says_reaches_attached_connections_only() {
    let (mut gate, peer) = gate(2);
    gate.attach(id(2), true);
    assert!(next(&mut gate).is_some());
    let to = |handler| ToSwarm::NotifyHandler { peer_id: peer, handler, event: 7 };
    gate.inner.wants.extend([
        to(NotifyHandler::One(id(1))),
        to(NotifyHandler::One(id(2))),
        to(NotifyHandler::Any),
        ToSwarm::GenerateEvent(()),
    ]);
    for _ in 0..2 {
        let Some(ToSwarm::NotifyHandler { handler: NotifyHandler::One(to), event: ToHandler::Inner(7), .. }) =
            next(&mut gate)
        else {
            panic!("not told");
        };
        assert_eq!(to, id(2));
    }
    assert!(matches!(next(&mut gate), Some(ToSwarm::GenerateEvent(GateEvent::Inner(())))));
    assert!(next(&mut gate).is_none());
}

fn poll(handler: &mut GatedHandler<ProbeHandler>) -> Option<String> {
    match handler.poll(&mut Context::from_waker(noop_waker_ref())) {
        Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(event)) => Some(format!("{event:?}")),
        Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { .. }) => Some("a stream".into()),
        Poll::Ready(other) => panic!("unexpected: {other:?}"),
        Poll::Pending => None,
    }
}

fn offers(handler: &GatedHandler<ProbeHandler>) -> usize {
    handler.listen_protocol().upgrade().protocol_info().into_iter().count()
}

fn attach(handler: &mut GatedHandler<ProbeHandler>, speak: bool) {
    handler.on_behaviour_event(ToHandler::Attach { handler: Box::new(ProbeHandler), speak });
}

#[test]
fn a_closed_gate_offers_nothing_and_wants_nothing() {
    let mut handler = GatedHandler::closed();
    handler.on_behaviour_event(ToHandler::Speak);
    handler.on_behaviour_event(ToHandler::Inner(7));
    assert_eq!(offers(&handler), 0);
    assert_eq!(poll(&mut handler), None);
    assert!(!handler.connection_keep_alive());
}

#[test]
fn an_open_gate_stays_silent_until_the_other_end_speaks() {
    let mut handler = GatedHandler::closed();
    attach(&mut handler, false);
    assert_eq!(offers(&handler), 1);
    assert_eq!(poll(&mut handler).as_deref(), Some("Opened"));
    assert_eq!(poll(&mut handler), None);
    handler.on_connection_event(ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound {
        protocol: future::Either::Left(()),
        info: Some(()),
    }));
    assert_eq!(poll(&mut handler).as_deref(), Some("Speaking"));
    assert_eq!(poll(&mut handler).as_deref(), Some("a stream"));
}

#[test]
fn a_gate_that_may_speak_says_so_and_does() {
    for late in [false, true] {
        let mut handler = GatedHandler::closed();
        attach(&mut handler, !late);
        assert_eq!(poll(&mut handler).as_deref(), Some("Opened"));
        if late {
            assert_eq!(poll(&mut handler), None);
            handler.on_behaviour_event(ToHandler::Speak);
            handler.on_behaviour_event(ToHandler::Speak);
        }
        assert_eq!(poll(&mut handler).as_deref(), Some("Speaking"));
        assert_eq!(poll(&mut handler).as_deref(), Some("a stream"));
    }
}

#[tokio::test]
async fn heartbeats_of_gossip_go_on_though_nothing_else_wakes_the_node() {
    let gossip = gossip::behaviour(&gossip::Topics::new(UnitId::from_bytes([1; 16]))).unwrap();
    let (mut gated, mut polls) = (Gated::new(gossip), 0);
    let woken = poll_fn(|cx| {
        polls += 1;
        assert!(gated.poll(cx).is_pending());
        if polls > 3 { Poll::Ready(()) } else { Poll::Pending }
    });
    // Of its timers the other runs out every ten seconds.
    timeout(8 * HEARTBEAT, woken).await.unwrap();
}

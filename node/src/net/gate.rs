//! The gate: protocols that a connection gets only once its peer has been admitted.
//!
//! [`Gated`] wraps a behaviour and shows it the attached connections alone: for the behaviour inside, a connection is
//! established when the gate opens for it and closed when it shuts. A stranger's connection therefore offers none of
//! the protocols inside, takes none of their memory, and becomes a full one without a new dial.
//!
//! The two ends of a connection open their gates one after the other, and most protocols give a peer up for good that
//! refuses their first stream. So the end that opens first stays silent (it accepts streams and opens none) until the
//! other's first stream proves that it may speak.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::task::{Context, Poll, ready};

use futures::future;
use libp2p::core::transport::PortUse;
use libp2p::core::upgrade::DeniedUpgrade;
use libp2p::core::{ConnectedPoint, Endpoint};
use libp2p::swarm::behaviour::ConnectionEstablished;
use libp2p::swarm::derive_prelude::Either;
use libp2p::swarm::handler::{
    ConnectionEvent, ConnectionHandler, ConnectionHandlerEvent, FullyNegotiatedInbound, ListenUpgradeError,
    SendWrapper, SubstreamProtocol,
};
use libp2p::swarm::{
    AddressChange, CloseConnection, ConnectionClosed, ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour,
    NotifyHandler, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId};

#[cfg(test)]
mod tests;

/// A behaviour behind a gate.
pub(crate) struct Gated<B: NetworkBehaviour> {
    inner: B,
    connections: BTreeMap<ConnectionId, Connection>,
    actions: VecDeque<Action<B>>,
}

type Action<B> = ToSwarm<GateEvent<<B as NetworkBehaviour>::ToSwarm>, ToHandler<THandler<B>>>;

struct Connection {
    peer: PeerId,
    endpoint: ConnectedPoint,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Closed,
    Attached,
    /// Was attached, and never is again.
    Detached,
    /// Was attached, or is not wanted: on its way down, and never attached again.
    Shut,
}

/// What the gate reports.
#[derive(Debug)]
pub(crate) enum GateEvent<E> {
    /// The connection accepts the streams of the protocols inside from now on.
    Opened {
        /// The connection.
        connection: ConnectionId,
    },
    /// Both ends have opened their gates.
    Speaking {
        /// The other end.
        peer: PeerId,
        /// The connection.
        connection: ConnectionId,
    },
    /// The behaviour inside says something.
    Inner(E),
}

impl<B: NetworkBehaviour> Gated<B> {
    /// Puts a behaviour behind a gate that is closed for every connection.
    pub(crate) fn new(inner: B) -> Self {
        Self { inner, connections: BTreeMap::new(), actions: VecDeque::new() }
    }

    /// Returns the behaviour inside.
    pub(crate) fn inner_mut(&mut self) -> &mut B {
        &mut self.inner
    }

    /// Opens the gate for a connection; it speaks at once, or when the peer's first stream has arrived.
    ///
    /// Returns false where there is no such connection, it is being closed, or the behaviour inside denies it. Opening
    /// an open gate again only lets it speak.
    pub(crate) fn attach(&mut self, id: ConnectionId, speak: bool) -> bool {
        let Some(connection) = self.connections.get(&id) else { return false };
        let (peer, endpoint) = (connection.peer, connection.endpoint.clone());
        match connection.stage {
            Stage::Detached | Stage::Shut => return false,
            Stage::Attached => {
                if speak {
                    self.notify(peer, id, ToHandler::Speak);
                }
                return true;
            }
            Stage::Closed => {}
        }
        let handler = match &endpoint {
            ConnectedPoint::Dialer { address, role_override, port_use } => {
                self.inner.handle_established_outbound_connection(id, peer, address, *role_override, *port_use)
            }
            ConnectedPoint::Listener { local_addr, send_back_addr } => {
                self.inner.handle_established_inbound_connection(id, peer, local_addr, send_back_addr)
            }
        };
        let Ok(handler) = handler else { return false };
        let other_established = self.attached(peer).count();
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.stage = Stage::Attached;
        }
        self.inner.on_swarm_event(FromSwarm::ConnectionEstablished(ConnectionEstablished {
            peer_id: peer,
            connection_id: id,
            endpoint: &endpoint,
            failed_addresses: &[],
            other_established,
        }));
        self.notify(peer, id, ToHandler::Attach { handler: Box::new(handler), speak });
        true
    }

    /// Shuts the gate for good and closes the connection.
    pub(crate) fn shut(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let (peer, endpoint) = (connection.peer, connection.endpoint.clone());
        let before = std::mem::replace(&mut connection.stage, Stage::Shut);
        if before == Stage::Attached {
            self.tell_closed(peer, id, &endpoint, None);
        }
        if before != Stage::Shut {
            self.actions.push_back(ToSwarm::CloseConnection { peer_id: peer, connection: CloseConnection::One(id) });
        }
    }

    /// Shuts the gate for good and leaves the connection, for a last word over the protocols outside.
    pub(crate) fn detach(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let (peer, endpoint) = (connection.peer, connection.endpoint.clone());
        if connection.stage == Stage::Attached {
            connection.stage = Stage::Detached;
            self.tell_closed(peer, id, &endpoint, None);
            self.notify(peer, id, ToHandler::Detach);
        }
    }

    fn attached(&self, peer: PeerId) -> impl Iterator<Item = ConnectionId> {
        self.connections
            .iter()
            .filter(move |(_, connection)| connection.peer == peer && connection.stage == Stage::Attached)
            .map(|(id, _)| *id)
    }

    fn is_attached(&self, id: ConnectionId) -> bool {
        self.connections.get(&id).is_some_and(|connection| connection.stage == Stage::Attached)
    }

    fn notify(&mut self, peer: PeerId, id: ConnectionId, event: ToHandler<THandler<B>>) {
        self.actions.push_back(ToSwarm::NotifyHandler { peer_id: peer, handler: NotifyHandler::One(id), event });
    }

    fn tell_closed(
        &mut self,
        peer: PeerId,
        id: ConnectionId,
        endpoint: &ConnectedPoint,
        cause: Option<&libp2p::swarm::ConnectionError>,
    ) {
        let remaining_established = self.attached(peer).count();
        self.inner.on_swarm_event(FromSwarm::ConnectionClosed(ConnectionClosed {
            peer_id: peer,
            connection_id: id,
            endpoint,
            cause,
            remaining_established,
        }));
    }

    /// Directs what the behaviour inside wants done to attached connections only.
    fn admit(&self, action: ToSwarm<B::ToSwarm, THandlerInEvent<B>>) -> Option<Action<B>> {
        if let ToSwarm::NotifyHandler { peer_id, handler, event } = action {
            let id = match handler {
                NotifyHandler::One(id) => self.is_attached(id).then_some(id),
                NotifyHandler::Any => self.attached(peer_id).next(),
            }?;
            return Some(ToSwarm::NotifyHandler {
                peer_id,
                handler: NotifyHandler::One(id),
                event: ToHandler::Inner(event),
            });
        }
        Some(action.map_in(ToHandler::Inner).map_out(GateEvent::Inner))
    }
}

impl<B: NetworkBehaviour> NetworkBehaviour for Gated<B> {
    type ConnectionHandler = GatedHandler<THandler<B>>;
    type ToSwarm = GateEvent<B::ToSwarm>;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(GatedHandler::closed())
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(GatedHandler::closed())
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(established) => {
                let connection = Connection {
                    peer: established.peer_id,
                    endpoint: established.endpoint.clone(),
                    stage: Stage::Closed,
                };
                self.connections.insert(established.connection_id, connection);
            }
            FromSwarm::ConnectionClosed(closed) => {
                let connection = self.connections.remove(&closed.connection_id);
                if connection.is_some_and(|connection| connection.stage == Stage::Attached) {
                    self.tell_closed(closed.peer_id, closed.connection_id, closed.endpoint, closed.cause);
                }
            }
            FromSwarm::AddressChange(AddressChange { connection_id, new, .. }) => {
                if let Some(connection) = self.connections.get_mut(&connection_id) {
                    connection.endpoint = new.clone();
                }
                if self.is_attached(connection_id) {
                    self.inner.on_swarm_event(event);
                }
            }
            _ => self.inner.on_swarm_event(event),
        }
    }

    fn on_connection_handler_event(&mut self, peer: PeerId, connection: ConnectionId, event: THandlerOutEvent<Self>) {
        if !self.is_attached(connection) {
            return;
        }
        match event {
            FromHandler::Opened => {
                self.actions.push_back(ToSwarm::GenerateEvent(GateEvent::Opened { connection }));
            }
            FromHandler::Speaking => {
                self.actions.push_back(ToSwarm::GenerateEvent(GateEvent::Speaking { peer, connection }));
            }
            FromHandler::Inner(event) => self.inner.on_connection_handler_event(peer, connection, event),
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        loop {
            if let Some(action) = self.actions.pop_front() {
                return Poll::Ready(action);
            }
            let action = match self.inner.poll(cx) {
                Poll::Ready(action) => action,
                // Once more: gossipsub (0.50) sets its timers anew when they have run out and does not poll them, so nothing would
                // wake it for the next heartbeat.
                Poll::Pending => ready!(self.inner.poll(cx)),
            };
            if let Some(action) = self.admit(action) {
                return Poll::Ready(action);
            }
        }
    }
}

/// One connection's side of the gate.
pub(crate) struct GatedHandler<H> {
    inner: Option<H>,
    speaking: bool,
    reports: VecDeque<Report>,
}

enum Report {
    Opened,
    Speaking,
}

/// What the gate tells a connection.
pub(crate) enum ToHandler<H: ConnectionHandler> {
    /// Open.
    Attach {
        /// The handler of the protocols inside.
        handler: Box<H>,
        /// Whether it speaks at once.
        speak: bool,
    },
    /// Speak, if open.
    Speak,
    /// Close: the handler goes, and every stream that it holds.
    Detach,
    /// For the handler inside.
    Inner(H::FromBehaviour),
}

impl<H: ConnectionHandler> fmt::Debug for ToHandler<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Attach { speak, .. } => f.debug_struct("Attach").field("speak", speak).finish_non_exhaustive(),
            Self::Speak => f.write_str("Speak"),
            Self::Detach => f.write_str("Detach"),
            Self::Inner(event) => f.debug_tuple("Inner").field(event).finish(),
        }
    }
}

/// What a connection tells the gate.
#[derive(Debug)]
pub(crate) enum FromHandler<E> {
    /// Streams of the protocols inside are accepted now.
    Opened,
    /// Streams of the protocols inside are opened now.
    Speaking,
    /// From the handler inside.
    Inner(E),
}

impl<H: ConnectionHandler> GatedHandler<H> {
    fn closed() -> Self {
        Self { inner: None, speaking: false, reports: VecDeque::new() }
    }

    fn speak(&mut self) {
        if self.inner.is_some() && !self.speaking {
            self.speaking = true;
            self.reports.push_back(Report::Speaking);
        }
    }

    fn on_inbound(
        &mut self,
        FullyNegotiatedInbound { protocol, info }: FullyNegotiatedInbound<
            <Self as ConnectionHandler>::InboundProtocol,
            <Self as ConnectionHandler>::InboundOpenInfo,
        >,
    ) {
        let (future::Either::Left(protocol), Some(info)) = (protocol, info) else { return };
        if let Some(inner) = self.inner.as_mut() {
            inner.on_connection_event(ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound {
                protocol,
                info,
            }));
            // The peer's gate was open before it asked for a stream.
            self.speak();
        }
    }
}

impl<H: ConnectionHandler> ConnectionHandler for GatedHandler<H> {
    type FromBehaviour = ToHandler<H>;
    type ToBehaviour = FromHandler<H::ToBehaviour>;
    type InboundProtocol = Either<SendWrapper<H::InboundProtocol>, SendWrapper<DeniedUpgrade>>;
    type OutboundProtocol = H::OutboundProtocol;
    type InboundOpenInfo = Option<H::InboundOpenInfo>;
    type OutboundOpenInfo = H::OutboundOpenInfo;

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol, Self::InboundOpenInfo> {
        match &self.inner {
            Some(inner) => {
                inner.listen_protocol().map_upgrade(|upgrade| Either::Left(SendWrapper(upgrade))).map_info(Some)
            }
            None => SubstreamProtocol::new(Either::Right(SendWrapper(DeniedUpgrade)), None),
        }
    }

    fn connection_keep_alive(&self) -> bool {
        self.inner.as_ref().is_some_and(ConnectionHandler::connection_keep_alive)
    }

    fn on_behaviour_event(&mut self, event: Self::FromBehaviour) {
        match event {
            ToHandler::Attach { handler, speak } => {
                self.inner = Some(*handler);
                self.reports.push_back(Report::Opened);
                if speak {
                    self.speak();
                }
            }
            ToHandler::Speak => self.speak(),
            ToHandler::Detach => *self = Self::closed(),
            ToHandler::Inner(event) => {
                if let Some(inner) = self.inner.as_mut() {
                    inner.on_behaviour_event(event);
                }
            }
        }
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Self::OutboundProtocol, Self::OutboundOpenInfo, Self::ToBehaviour>> {
        if let Some(report) = self.reports.pop_front() {
            return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(match report {
                Report::Opened => FromHandler::Opened,
                Report::Speaking => FromHandler::Speaking,
            }));
        }
        match self.inner.as_mut() {
            Some(inner) if self.speaking => inner.poll(cx).map(|event| event.map_custom(FromHandler::Inner)),
            _ => Poll::Pending,
        }
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<Option<Self::ToBehaviour>> {
        match self.inner.as_mut() {
            Some(inner) => inner.poll_close(cx).map(|event| event.map(FromHandler::Inner)),
            None => Poll::Ready(None),
        }
    }

    fn on_connection_event(
        &mut self,
        event: ConnectionEvent<
            '_,
            Self::InboundProtocol,
            Self::OutboundProtocol,
            Self::InboundOpenInfo,
            Self::OutboundOpenInfo,
        >,
    ) {
        if let ConnectionEvent::FullyNegotiatedInbound(inbound) = event {
            return self.on_inbound(inbound);
        }
        let Some(inner) = self.inner.as_mut() else { return };
        inner.on_connection_event(match event {
            ConnectionEvent::FullyNegotiatedInbound(_) => return,
            ConnectionEvent::ListenUpgradeError(ListenUpgradeError { info, error }) => {
                let (Some(info), Either::Left(error)) = (info, error) else { return };
                ConnectionEvent::ListenUpgradeError(ListenUpgradeError { info, error })
            }
            ConnectionEvent::FullyNegotiatedOutbound(outbound) => {
                ConnectionEvent::FullyNegotiatedOutbound(libp2p::swarm::handler::FullyNegotiatedOutbound {
                    protocol: outbound.protocol,
                    info: outbound.info,
                })
            }
            ConnectionEvent::DialUpgradeError(failed) => {
                ConnectionEvent::DialUpgradeError(libp2p::swarm::handler::DialUpgradeError {
                    info: failed.info,
                    error: failed.error,
                })
            }
            ConnectionEvent::AddressChange(change) => ConnectionEvent::AddressChange(change),
            ConnectionEvent::LocalProtocolsChange(change) => ConnectionEvent::LocalProtocolsChange(change),
            ConnectionEvent::RemoteProtocolsChange(change) => ConnectionEvent::RemoteProtocolsChange(change),
            _ => return,
        });
    }
}

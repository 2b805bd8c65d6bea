//! Somebody with a libp2p of their own and no respect for the rules.

use std::io;
use std::time::Duration;

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, StreamExt};
use libp2p::identity::Keypair;
use libp2p::request_response::{self, OutboundRequestId, ProtocolSupport};
use libp2p::swarm::{NetworkBehaviour, SwarmEvent};
use libp2p::{Multiaddr, PeerId, StreamProtocol, Swarm, SwarmBuilder, gossipsub, noise, tcp, yamux};
use muster::engine::hello::{Hello, Request, Response};
use muster_keys::Identity;
use muster_roles::Roster;

use super::node::PATIENCE;
use super::tap::{Heard, Tapped};

/// A libp2p node that speaks the hello protocol in bytes, and would like to gossip.
pub(crate) struct Stranger {
    swarm: Swarm<Behaviour>,
    /// What it hands out when it is asked for documents.
    pub(crate) documents: Vec<Vec<u8>>,
    /// What it says of itself when it is asked.
    pub(crate) hello: Option<Hello>,
    /// Answers that it got.
    pub(crate) answers: Vec<Vec<u8>>,
    /// Requests that got none.
    pub(crate) unanswered: usize,
    /// Whether it was told that gossip is not spoken with it.
    pub(crate) gossip_refused: bool,
    /// Whether its connection was closed.
    pub(crate) closed: bool,
    /// How often it was fetched from.
    pub(crate) fetches: usize,
    /// Every byte that came over its connections, decrypted.
    pub(crate) heard: Heard,
}

#[derive(NetworkBehaviour)]
struct Behaviour {
    hello: request_response::Behaviour<Bytes>,
    gossip: gossipsub::Behaviour,
}

/// Messages as they are.
#[derive(Clone, Default)]
struct Bytes;

impl request_response::Codec for Bytes {
    type Protocol = StreamProtocol;
    type Request = Vec<u8>;
    type Response = Vec<u8>;

    async fn read_request<T: AsyncRead + Unpin + Send>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
    ) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        io.read_to_end(&mut bytes).await?;
        Ok(bytes)
    }

    async fn read_response<T: AsyncRead + Unpin + Send>(
        &mut self,
        p: &StreamProtocol,
        io: &mut T,
    ) -> io::Result<Vec<u8>> {
        self.read_request(p, io).await
    }

    async fn write_request<T: AsyncWrite + Unpin + Send>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        bytes: Vec<u8>,
    ) -> io::Result<()> {
        io.write_all(&bytes).await
    }

    async fn write_response<T: AsyncWrite + Unpin + Send>(
        &mut self,
        p: &StreamProtocol,
        io: &mut T,
        bytes: Vec<u8>,
    ) -> io::Result<()> {
        self.write_request(p, io, bytes).await
    }
}

impl Stranger {
    /// Connects to a node as whoever the key says.
    pub(crate) async fn connect(identity: &Identity, node: &Multiaddr) -> Self {
        Self::connect_for(identity, node, &["anything".to_owned()]).await
    }

    /// Connects to a node, wanting to hear these topics.
    pub(crate) async fn connect_for(identity: &Identity, node: &Multiaddr, topics: &[String]) -> Self {
        let keypair = Keypair::ed25519_from_bytes(*identity.seed()).unwrap();
        let heard = Heard::default();
        let tap = heard.clone();
        let secure = move |keypair: &Keypair| noise::Config::new(keypair).map(|noise| Tapped::new(noise, tap.clone()));
        let swarm = SwarmBuilder::with_existing_identity(keypair)
            .with_tokio()
            .with_tcp(tcp::Config::default(), secure, yamux::Config::default)
            .unwrap()
            .with_behaviour(|keypair| {
                let hello = [(StreamProtocol::new("/muster/hello/1"), ProtocolSupport::Full)];
                let signed = gossipsub::MessageAuthenticity::Signed(keypair.clone());
                let mut gossip = gossipsub::Behaviour::new(signed, gossipsub::Config::default()).unwrap();
                for topic in topics {
                    gossip.subscribe(&gossipsub::IdentTopic::new(topic)).unwrap();
                }
                Behaviour { hello: request_response::Behaviour::new(hello, Default::default()), gossip }
            })
            .unwrap()
            .with_swarm_config(|config| config.with_idle_connection_timeout(Duration::from_secs(3600)))
            .build();
        let mut stranger = Self {
            swarm,
            documents: Vec::new(),
            hello: None,
            answers: Vec::new(),
            unanswered: 0,
            gossip_refused: false,
            closed: false,
            fetches: 0,
            heard,
        };
        stranger.swarm.dial(node.clone()).unwrap();
        stranger.until("a connection", |stranger| stranger.swarm.network_info().num_peers() > 0).await;
        stranger
    }

    /// Returns the peer that it is connected to.
    pub(crate) fn node(&self) -> PeerId {
        *self.swarm.connected_peers().next().unwrap()
    }

    /// Sends a request and leaves its answer to be seen.
    pub(crate) fn ask(&mut self, bytes: Vec<u8>) -> OutboundRequestId {
        let node = self.node();
        self.swarm.behaviour_mut().hello.send_request(&node, bytes)
    }

    /// Sends a request and waits for the answer.
    pub(crate) async fn answer(&mut self, request: &Request) -> Vec<u8> {
        let before = self.answers.len();
        self.ask(request.encode());
        self.until("an answer", |stranger| stranger.answers.len() > before).await;
        self.answers[before].clone()
    }

    /// Lives on until something is so.
    pub(crate) async fn until(&mut self, what: &str, so: impl Fn(&Self) -> bool) {
        self.until_within(PATIENCE, what, so).await;
    }

    /// Lives on until something is so, and not longer than this.
    pub(crate) async fn until_within(&mut self, limit: Duration, what: &str, so: impl Fn(&Self) -> bool) {
        let life = async {
            while !so(self) {
                let event = self.swarm.select_next_some().await;
                self.on_event(event);
            }
        };
        tokio::time::timeout(limit, life).await.unwrap_or_else(|_| panic!("waited {limit:?} for {what}"));
    }

    fn on_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::ConnectionClosed { .. } => self.closed = true,
            SwarmEvent::Behaviour(BehaviourEvent::Gossip(gossipsub::Event::GossipsubNotSupported { .. })) => {
                self.gossip_refused = true;
            }
            SwarmEvent::Behaviour(BehaviourEvent::Hello(request_response::Event::OutboundFailure { .. })) => {
                self.unanswered += 1;
            }
            SwarmEvent::Behaviour(BehaviourEvent::Hello(request_response::Event::Message { message, .. })) => {
                match message {
                    request_response::Message::Response { response, .. } => self.answers.push(response),
                    request_response::Message::Request { request, channel, .. } => {
                        let response = match (Request::decode(&request).unwrap(), &self.hello) {
                            (Request::Fetch { .. }, _) => {
                                self.fetches += 1;
                                Response::Documents(self.documents.clone())
                            }
                            (Request::Hello(_) | Request::News { .. }, Some(hello)) => {
                                Response::Hello { hello: hello.clone(), admitted: true }
                            }
                            _ => Response::Refused,
                        };
                        self.swarm.behaviour_mut().hello.send_response(channel, response.encode()).unwrap();
                    }
                }
            }
            _ => {}
        }
    }
}

/// Returns the hello of somebody who says to be of the roster's unit, with a roster of their own.
pub(crate) fn hello(roster: &Roster, digest: [u8; 32]) -> Hello {
    Hello {
        unit: roster.unit(),
        incarnation: 1,
        roster_version: roster.version() + 1,
        roster_digest: digest,
        clock_ms: 0,
        listen: Vec::new(),
        peers: Vec::new(),
    }
}

//! A device that sits between one that joins and one that admits: a node to the first, a joiner to the second.

use std::io;

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, StreamExt};
use libp2p::identity::Keypair;
use libp2p::request_response::{self, Message, ProtocolSupport, ResponseChannel};
use libp2p::swarm::SwarmEvent;
use libp2p::{Multiaddr, PeerId, StreamProtocol, Swarm, SwarmBuilder, noise, tcp, yamux};
use muster::engine::hello::{Request, Response};
use muster_keys::Identity;
use muster_roles::{JoinNonce, Joining};

type Behaviour = request_response::Behaviour<Bytes>;

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

/// Passes on what it can, and puts its own commitment in place of the device's, which only its own key fits.
pub(crate) struct Middle {
    identity: Identity,
    swarm: Swarm<Behaviour>,
    node: PeerId,
    /// Its own nonce towards the node.
    nonce: JoinNonce,
    /// Whoever waits for the node's next answer.
    waiting: Option<ResponseChannel<Vec<u8>>>,
}

impl Middle {
    /// Connects to a node, and returns the address at which it plays that node itself.
    pub(crate) async fn between(node: &Multiaddr) -> Multiaddr {
        let identity = Identity::from_seed(&[66; 32]);
        let keypair = Keypair::ed25519_from_bytes(*identity.seed()).unwrap();
        let protocol = [(StreamProtocol::new("/muster/hello/1"), ProtocolSupport::Full)];
        let mut swarm = SwarmBuilder::with_existing_identity(keypair)
            .with_tokio()
            .with_tcp(tcp::Config::default(), noise::Config::new, yamux::Config::default)
            .unwrap()
            .with_behaviour(|_| Behaviour::new(protocol, request_response::Config::default()))
            .unwrap()
            .with_swarm_config(|config| config.with_idle_connection_timeout(std::time::Duration::from_secs(60)))
            .build();
        swarm.dial(node.clone()).unwrap();
        swarm.listen_on("/ip4/127.0.0.1/tcp/0".parse().unwrap()).unwrap();
        let (mut peer, mut address) = (None, None);
        while peer.is_none() || address.is_none() {
            match swarm.select_next_some().await {
                SwarmEvent::ConnectionEstablished { peer_id, .. } => peer = Some(peer_id),
                SwarmEvent::NewListenAddr { address: own, .. } => address = Some(own),
                _ => {}
            }
        }
        let nonce = JoinNonce::from_bytes([7; 32]);
        let middle = Self { identity, swarm, node: peer.unwrap(), nonce, waiting: None };
        tokio::spawn(middle.run());
        address.unwrap()
    }

    async fn run(mut self) {
        loop {
            let event = self.swarm.select_next_some().await;
            let SwarmEvent::Behaviour(request_response::Event::Message { peer, message, .. }) = event else { continue };
            match message {
                Message::Request { request, channel, .. } if peer != self.node => {
                    let passed_on = match Request::decode(&request).unwrap() {
                        Request::Join { name, .. } => {
                            let commitment = Joining::new(self.identity.public(), self.nonce).commitment();
                            Request::Join { name, commitment }
                        }
                        Request::Reveal { .. } => Request::Reveal { nonce: self.nonce },
                        other => other,
                    };
                    self.waiting = Some(channel);
                    self.swarm.behaviour_mut().send_request(&self.node, passed_on.encode());
                }
                Message::Response { response, .. } => {
                    assert!(Response::decode(&response).is_ok());
                    if let Some(channel) = self.waiting.take() {
                        let _gone = self.swarm.behaviour_mut().send_response(channel, response);
                    }
                }
                Message::Request { .. } => {}
            }
        }
    }
}

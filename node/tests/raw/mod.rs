//! A libp2p client with no respect for the rules: any bytes over any protocol, as a stranger or with a member's key.
//!
//! Every protocol is a plain stream to it. What the node under test asks in its turn is answered as the test says, and
//! everything else that comes is read and thrown away.

#![allow(dead_code, reason = "each test binary uses a part of it")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

pub(crate) mod gossip;
pub(crate) mod passage;
pub(crate) mod sync;
pub(crate) mod tap;

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::{AsyncReadExt, AsyncWriteExt, FutureExt, StreamExt};
use libp2p::identity::Keypair;
use libp2p::swarm::SwarmEvent;
use libp2p::swarm::dial_opts::DialOpts;
use libp2p::{Multiaddr, PeerId, Stream, StreamProtocol, Swarm, SwarmBuilder, noise, tcp, yamux};
use libp2p_stream::{Behaviour, Control, IncomingStreams, OpenStreamError};
use muster::engine::hello::{Hello, Request, Response};
use muster_keys::Identity;
use muster_roles::Roster;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use self::gossip::Gossip;
use self::tap::{Heard, Tapped};

pub(crate) const HELLO: StreamProtocol = StreamProtocol::new("/muster/hello/1");
pub(crate) const SYNC: StreamProtocol = StreamProtocol::new("/muster/sync/2");
pub(crate) const GOSSIP: StreamProtocol = StreamProtocol::new("/meshsub/1.1.0");
const PING: StreamProtocol = StreamProtocol::new("/ipfs/ping/1.0.0");

/// No wait for the other side is longer.
const PATIENCE: Duration = Duration::from_secs(20);

/// How often a thing that cannot be waited for is looked at.
const GLANCE: Duration = Duration::from_millis(20);

/// How a request of the other side is answered; nothing leaves the stream without an answer.
pub(crate) type Answer = Arc<dyn Fn(PeerId, Vec<u8>) -> BoxFuture<'static, Option<Vec<u8>>> + Send + Sync>;

/// What is done with a stream of synchronisation that the other side opens.
pub(crate) type Follow = Arc<dyn Fn(Stream) -> BoxFuture<'static, ()> + Send + Sync>;

/// How the client behaves when others turn to it.
#[derive(Clone)]
pub(crate) struct Manner {
    pub(crate) answer: Answer,
    pub(crate) follow: Follow,
}

impl Default for Manner {
    /// Answers hellos as one who is in step, has no documents, and turns sessions away.
    fn default() -> Self {
        Self {
            answer: Arc::new(|_, request| async move { Some(in_step(&request).encode()) }.boxed()),
            follow: Arc::new(|stream| async { drop(stream) }.boxed()),
        }
    }
}

impl Manner {
    /// Takes a session, reads what it says, and never answers.
    pub(crate) fn silent() -> Self {
        Self { follow: Arc::new(|stream| drain(stream).boxed()), ..Self::default() }
    }
}

/// How often a dial is tried again.
const REDIALS: u32 = 3;

/// What there is to know of the client's connections.
#[derive(Clone, Debug, Default)]
struct State {
    listening: Option<Multiaddr>,
    peer: Option<PeerId>,
    established: usize,
    failed: Option<String>,
}

/// A raw client, connected or listening; gone from the network when it is dropped.
pub(crate) struct Raw {
    control: Control,
    state: watch::Receiver<State>,
    /// Every byte that came over its connections, decrypted.
    pub(crate) heard: Heard,
    tasks: Vec<JoinHandle<()>>,
}

impl Drop for Raw {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl Raw {
    /// Connects to a node as whoever the key says.
    pub(crate) async fn connect(identity: &Identity, node: &Multiaddr) -> Self {
        Self::connect_with(identity, node, Manner::default()).await
    }

    /// Connects to a node, with manners of its own.
    pub(crate) async fn connect_with(identity: &Identity, node: &Multiaddr, manner: Manner) -> Self {
        let mut raw = Self::start(identity, None, REDIALS, node, manner);
        raw.wait("a connection", |state| state.peer.is_some()).await;
        raw
    }

    /// Tries to connect to a node from an address of loopback; nothing where the node does not want it.
    pub(crate) async fn try_from(identity: &Identity, from: Ipv4Addr, node: &Multiaddr) -> Option<Self> {
        let (begins, way) = passage::open(from, node).await;
        let mut raw = Self::start(identity, None, 0, &begins, Manner::default());
        raw.tasks.push(way);
        raw.wait("an outcome", |state| state.peer.is_some() || state.failed.is_some()).await;
        let connected = raw.state.borrow().peer.is_some();
        connected.then_some(raw)
    }

    /// Listens on loopback, connected to a node besides.
    pub(crate) async fn between(identity: &Identity, node: &Multiaddr, manner: Manner) -> Self {
        let listen = "/ip4/127.0.0.1/tcp/0".parse().unwrap();
        let mut raw = Self::start(identity, Some(listen), REDIALS, node, manner);
        raw.wait("both ends", |state| state.peer.is_some() && state.listening.is_some()).await;
        raw
    }

    /// Starts a client that dials at once from a new port, and as often again where that comes to nothing.
    fn start(identity: &Identity, listen: Option<Multiaddr>, redials: u32, node: &Multiaddr, manner: Manner) -> Self {
        let heard = Heard::default();
        let mut swarm = swarm(identity, &heard);
        let mut control = swarm.behaviour().new_control();
        let Manner { answer, follow } = manner;
        let hello: Each = Arc::new(move |peer, stream| respond(peer, stream, Arc::clone(&answer)).boxed());
        let gossip: Each = Arc::new(|_, stream| drain(stream).boxed());
        let sync: Each = Arc::new(move |_, stream| follow(stream));
        // Who gives no sign of life is cut off.
        let ping: Each = Arc::new(|_, stream| echo(stream).boxed());
        let mut tasks: Vec<_> = [(HELLO, hello), (GOSSIP, gossip), (SYNC, sync), (PING, ping)]
            .map(|(protocol, each)| tokio::spawn(accept(control.accept(protocol).unwrap(), each)))
            .into();
        let (tell, state) = watch::channel(State::default());
        if let Some(address) = listen {
            swarm.listen_on(address).unwrap();
        }
        tasks.push(tokio::spawn(live(swarm, redials, node.clone(), tell)));
        Self { control, state, heard, tasks }
    }

    /// Returns the node that it is connected to.
    pub(crate) fn node(&self) -> PeerId {
        self.state.borrow().peer.unwrap()
    }

    /// Returns the address on which it listens.
    pub(crate) fn address(&self) -> Multiaddr {
        self.state.borrow().listening.clone().unwrap()
    }

    /// Waits until these bytes have come.
    pub(crate) async fn hears(&self, bytes: &[u8]) {
        let heard = async {
            while !self.heard.contains(bytes) {
                tokio::time::sleep(GLANCE).await;
            }
        };
        tokio::time::timeout(PATIENCE, heard).await.expect("the bytes come");
    }

    /// Tells whether the node has closed its connections.
    pub(crate) fn is_closed(&self) -> bool {
        let state = self.state.borrow();
        state.peer.is_some() && state.established == 0
    }

    /// Waits until the node has closed its connections.
    pub(crate) async fn closed_within(&mut self, limit: Duration) {
        let closed = self.state.wait_for(|state| state.peer.is_some() && state.established == 0);
        drop(tokio::time::timeout(limit, closed).await.unwrap_or_else(|_| panic!("not closed after {limit:?}")));
    }

    async fn wait(&mut self, what: &str, so: impl FnMut(&State) -> bool) {
        let is_so = tokio::time::timeout(PATIENCE, self.state.wait_for(so)).await.is_ok();
        if !is_so {
            panic!("waited in vain for {what}: {:?}", self.state.borrow());
        }
    }

    /// Opens a stream to the node.
    pub(crate) async fn open(&self, protocol: StreamProtocol) -> Result<Stream, OpenStreamError> {
        let (mut control, node) = (self.control.clone(), self.node());
        let opened = tokio::time::timeout(PATIENCE, control.open_stream(node, protocol)).await;
        opened.unwrap_or_else(|_| Err(OpenStreamError::Io(io::ErrorKind::TimedOut.into())))
    }

    /// Sends a request over the hello protocol and returns the answer; empty where there is none.
    pub(crate) async fn ask(&self, bytes: &[u8]) -> Vec<u8> {
        let Ok(mut stream) = self.open(HELLO).await else { return Vec::new() };
        let mut answer = Vec::new();
        let asked = async {
            stream.write_all(bytes).await?;
            stream.close().await?;
            stream.read_to_end(&mut answer).await
        };
        // Without an answer the stream breaks, or ends.
        let _broken = tokio::time::timeout(PATIENCE, asked).await;
        answer
    }

    /// Sends a request and returns the answer as it reads.
    pub(crate) async fn answer(&self, request: &Request) -> Response {
        Response::decode(&self.ask(&request.encode()).await).expect("an answer")
    }

    /// Becomes a connected member: says hello with the roster's own digest, is let in, and opens gossip.
    pub(crate) async fn join_mesh(&self, roster: &Roster) -> Gossip {
        self.try_join(roster).await.expect("let in")
    }

    /// Tries to; again on the same connection, it only opens gossip anew.
    pub(crate) async fn try_join(&self, roster: &Roster) -> io::Result<Gossip> {
        let answer = self.ask(&Request::Hello(hello(roster, roster.digest())).encode()).await;
        if !matches!(Response::decode(&answer), Ok(Response::Hello { admitted: true, .. })) {
            return Err(io::Error::other("not let in"));
        }
        let stream = self.open(GOSSIP).await.map_err(io::Error::other)?;
        Gossip::new(stream, roster).subscribe_to_all(roster).await
    }
}

/// Returns what somebody answers who knows nothing but what it is asked.
pub(crate) fn in_step(request: &[u8]) -> Response {
    match Request::decode(request) {
        Ok(Request::Hello(hello) | Request::News { hello, .. }) => {
            let hello = Hello { incarnation: 1, listen: Vec::new(), peers: Vec::new(), ..hello };
            Response::Hello { hello, admitted: true }
        }
        Ok(Request::Fetch { .. }) => Response::Documents(Vec::new()),
        _ => Response::Refused,
    }
}

/// Returns the hello of somebody who says to be of the roster's unit, with a roster of this digest.
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

fn swarm(identity: &Identity, heard: &Heard) -> Swarm<Behaviour> {
    let keypair = Keypair::ed25519_from_bytes(*identity.seed()).unwrap();
    let tap = heard.clone();
    let secure = move |keypair: &Keypair| noise::Config::new(keypair).map(|noise| Tapped::new(noise, tap.clone()));
    SwarmBuilder::with_existing_identity(keypair)
        .with_tokio()
        .with_tcp(tcp::Config::default(), secure, yamux::Config::default)
        .unwrap()
        .with_behaviour(|_| Behaviour::new())
        .unwrap()
        .with_swarm_config(|config| config.with_idle_connection_timeout(Duration::from_secs(3600)))
        .build()
}

/// Keeps the connections alive and tells how they are; a dial is tried again, as a node's would be.
async fn live(mut swarm: Swarm<Behaviour>, mut redials: u32, node: Multiaddr, state: watch::Sender<State>) {
    let dial = |swarm: &mut Swarm<Behaviour>| {
        let opts = DialOpts::unknown_peer_id().address(node.clone()).allocate_new_port();
        swarm.dial(opts.build()).unwrap();
    };
    dial(&mut swarm);
    loop {
        match swarm.select_next_some().await {
            SwarmEvent::NewListenAddr { address, .. } => {
                state.send_modify(|state| state.listening = Some(address));
            }
            SwarmEvent::ConnectionEstablished { peer_id, endpoint, .. } if endpoint.is_dialer() => {
                state.send_modify(|state| {
                    state.peer = Some(peer_id);
                    state.established += 1;
                });
            }
            SwarmEvent::ConnectionClosed { endpoint, .. } if endpoint.is_dialer() => {
                state.send_modify(|state| state.established -= 1);
            }
            SwarmEvent::OutgoingConnectionError { error, .. } => {
                state.send_modify(|state| state.failed = Some(error.to_string()));
                if redials > 0 {
                    redials -= 1;
                    dial(&mut swarm);
                }
            }
            _ => {}
        }
    }
}

type Each = Arc<dyn Fn(PeerId, Stream) -> BoxFuture<'static, ()> + Send + Sync>;

async fn accept(mut opened: IncomingStreams, each: Each) {
    while let Some((peer, stream)) = opened.next().await {
        tokio::spawn(each(peer, stream));
    }
}

async fn respond(peer: PeerId, mut stream: Stream, answer: Answer) {
    let mut request = Vec::new();
    if stream.read_to_end(&mut request).await.is_err() {
        return;
    }
    if let Some(answer) = answer(peer, request).await {
        // The node may have gone.
        let _gone = stream.write_all(&answer).await;
    }
    let _gone = stream.close().await;
}

async fn drain(mut stream: Stream) {
    let _broken = futures::io::copy(&mut stream, &mut futures::io::sink()).await;
}

async fn echo(stream: Stream) {
    let (reader, mut writer) = stream.split();
    let _broken = futures::io::copy(reader, &mut writer).await;
}

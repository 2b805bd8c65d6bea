//! A node that is nothing but gossipsub: what Muster's mesh is set beside.
//!
//! It does what lines on its standard input say, and answers on its standard output.

use std::collections::BTreeSet;
use std::io::BufRead;
use std::time::Duration;

use futures::StreamExt;
use libp2p::core::upgrade::Version;
use libp2p::gossipsub::{self, ConfigBuilder, IdentTopic, Message, MessageAuthenticity, MessageId, ValidationMode};
use libp2p::identity::Keypair;
use libp2p::swarm::{Config as SwarmConfig, Swarm, SwarmEvent};
use libp2p::{Multiaddr, Transport, noise, tcp, yamux};
use muster::net::shape;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use crate::crowd::{now_us, number_of};

/// The argument that makes this program a bare node, before whether gossipsub signs.
pub(crate) const BARE: &str = "bare-node";

/// Whether gossipsub signs what it publishes, and checks what it gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signing {
    /// Messages say nothing of their author.
    Anonymous,
    /// Gossipsub's own signatures.
    Signed,
}

impl Signing {
    /// The name of such a mesh among the figures.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Anonymous => "bare",
            Self::Signed => "signed",
        }
    }
}

/// Tells whether this process is to be a bare node, and of which kind.
pub(crate) fn asked_for(args: &[String]) -> Option<Signing> {
    match args {
        [bare, signing] if bare == BARE => {
            Some(if signing == Signing::Signed.name() { Signing::Signed } else { Signing::Anonymous })
        }
        _ => None,
    }
}

/// Runs a bare node until its input ends.
pub(crate) fn run(signing: Signing) {
    // As `muster start` has it.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut node = BareNode::new(signing);
        let mut lines = lines();
        loop {
            tokio::select! {
                line = lines.recv() => match line {
                    Some(line) => node.obey(&line),
                    None => break,
                },
                event = node.swarm.select_next_some() => node.on_event(event),
            }
        }
    });
    runtime.shutdown_background();
}

/// Reads standard input in a thread of its own; a reader that is busy makes whoever writes wait.
fn lines() -> mpsc::Receiver<String> {
    const WAITING: usize = 256;
    let (sender, lines) = mpsc::channel(WAITING);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            let Ok(line) = line else { return };
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    lines
}

struct BareNode {
    swarm: Swarm<gossipsub::Behaviour>,
    topic: IdentTopic,
    heard: BTreeSet<u64>,
    times: Vec<(u64, u64)>,
}

impl BareNode {
    fn new(signing: Signing) -> Self {
        let keypair = Keypair::generate_ed25519();
        let transport = tcp::tokio::Transport::new(tcp::Config::default().nodelay(true))
            .upgrade(Version::V1Lazy)
            .authenticate(noise::Config::new(&keypair).unwrap())
            .multiplex(yamux::Config::default())
            .boxed();
        let me = keypair.public().to_peer_id();
        let (author, validation) = match signing {
            Signing::Anonymous => (MessageAuthenticity::Anonymous, ValidationMode::Anonymous),
            Signing::Signed => (MessageAuthenticity::Signed(keypair), ValidationMode::Strict),
        };
        let mut gossip = gossipsub::Behaviour::new(author, config(validation)).unwrap();
        let topic = IdentTopic::new("/muster/1/0123456789abcdef0123456789abcdef/army");
        gossip.subscribe(&topic).unwrap();
        let settings = SwarmConfig::with_tokio_executor().with_idle_connection_timeout(Duration::from_secs(24 * 3600));
        let mut swarm = Swarm::new(transport, gossip, me, settings);
        swarm.listen_on("/ip4/127.0.0.1/tcp/0".parse().unwrap()).unwrap();
        Self { swarm, topic, heard: BTreeSet::new(), times: Vec::new() }
    }

    fn obey(&mut self, line: &str) {
        let (command, rest) = line.split_once(' ').unwrap_or((line, ""));
        match command {
            "dial" => self.swarm.dial(rest.parse::<Multiaddr>().unwrap()).unwrap(),
            // What cannot be published is lost: nobody hears of it, and that is counted.
            "say" => drop(self.swarm.behaviour_mut().publish(self.topic.clone(), rest.as_bytes())),
            "state" => {
                let listening = self.swarm.behaviour().all_peers().filter(|(_, topics)| !topics.is_empty()).count();
                let in_mesh = self.swarm.behaviour().mesh_peers(&self.topic.hash()).count();
                println!("state {listening} {in_mesh} {}", self.heard.len());
            }
            "times" => {
                for (number, at_us) in self.times.drain(..) {
                    println!("heard {number} {at_us}");
                }
                println!("end");
            }
            other => panic!("no such command: {other}"),
        }
    }

    fn on_event(&mut self, event: SwarmEvent<gossipsub::Event>) {
        match event {
            SwarmEvent::NewListenAddr { address, .. } => println!("listening {address}"),
            SwarmEvent::Behaviour(gossipsub::Event::Message { message, .. }) => {
                if let Some(number) = number_of(&message.data)
                    && self.heard.insert(number)
                {
                    self.times.push((number, now_us()));
                }
            }
            _ => {}
        }
    }
}

/// As in `net/gossip.rs`, but that nothing is judged before it is passed on, and that gossipsub's own, far longer queues
/// are left: they lose nothing where Muster would mend a loss by synchronising.
fn config(validation: ValidationMode) -> gossipsub::Config {
    ConfigBuilder::default()
        .validation_mode(validation)
        .message_id_fn(message_id)
        .flood_publish(shape::FLOOD_PUBLISH)
        .mesh_outbound_min(shape::MESH_OUTBOUND_MIN)
        .mesh_n_low(shape::MESH_N_LOW)
        .mesh_n(shape::MESH_N)
        .mesh_n_high(shape::MESH_N_HIGH)
        .heartbeat_interval(shape::HEARTBEAT)
        .heartbeat_initial_delay(shape::FIRST_HEARTBEAT)
        .history_length(shape::HISTORY_LEN)
        .history_gossip(shape::HISTORY_GOSSIP)
        .max_control_messages_sent(400)
        .idontwant_message_size_threshold(shape::DECLINED_LEN)
        .build()
        .unwrap()
}

fn message_id(message: &Message) -> MessageId {
    let hash =
        Sha256::new().chain_update(message.topic.as_str()).chain_update([0]).chain_update(&message.data).finalize();
    MessageId::new(&hash[..shape::MESSAGE_ID_LEN])
}

//! A node's network side with the least of a driver behind it: it judges gossip by its first bytes, takes in roster
//! documents, and writes down what it sees.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use libp2p::Multiaddr;
use muster::control::Found;
use muster::engine::io::{PublishOutcome, Verdict};
use muster::net::{self, Carry, Command, Config, Event, Net};
use muster_keys::{Identity, PublicKey};
use muster_roles::{Accepted, GroupId, Roster};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;

use super::unit::NOON;

/// No wait of these tests is longer; most take some milliseconds.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Messages that begin like this are invalid to every node.
pub(crate) const BAD: &[u8] = b"bad";

/// A running node.
pub(crate) struct Node {
    pub(crate) key: PublicKey,
    log: Arc<Log>,
    commands: mpsc::Sender<Command>,
    network: JoinHandle<()>,
    driver: JoinHandle<()>,
}

/// What a node has seen so far.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) listening: Vec<Multiaddr>,
    pub(crate) up: BTreeSet<PublicKey>,
    /// Members as they came up, and the digest of the node's roster at that time.
    pub(crate) ups: Vec<(PublicKey, [u8; 32])>,
    /// How members were found.
    pub(crate) found: BTreeMap<PublicKey, BTreeSet<Found>>,
    pub(crate) gossip: Vec<(GroupId, Vec<u8>)>,
    pub(crate) published: Vec<PublishOutcome>,
    pub(crate) listeners: Vec<GroupId>,
    /// Members' clocks, each with what this machine's showed then.
    pub(crate) clocks: Vec<(PublicKey, u64, u64)>,
    pub(crate) roster: Option<Arc<Roster>>,
    /// Documents that were fetched and refused.
    pub(crate) refused: usize,
}

#[derive(Default)]
struct Log {
    seen: Mutex<Seen>,
    news: Notify,
}

impl Log {
    fn write(&self, write: impl FnOnce(&mut Seen)) {
        write(&mut self.seen.lock().unwrap());
        self.news.notify_waiters();
    }
}

/// Addresses of loopback on which a node may listen.
pub(crate) const TCP: &str = "/ip4/127.0.0.1/tcp/0";
pub(crate) const QUIC: &str = "/ip4/127.0.0.1/udp/0/quic-v1";

/// Returns a configuration for loopback, without multicast.
pub(crate) fn config(listen: &[&str], dial: &[Multiaddr]) -> Config {
    Config {
        listen: listen.iter().map(|address| address.parse().unwrap()).collect(),
        dial: dial.to_vec(),
        places: Vec::new(),
        mdns: false,
        carry: Carry::All,
    }
}

impl Node {
    /// Starts a node on TCP that dials these addresses.
    pub(crate) fn start(identity: &Identity, roster: Arc<Roster>, dial: &[Multiaddr]) -> Self {
        Self::with(config(&[TCP], dial), identity, roster)
    }

    /// Starts a node.
    pub(crate) fn with(config: Config, identity: &Identity, roster: Arc<Roster>) -> Self {
        let Net { commands, events, task, .. } = net::start(config, identity, Arc::clone(&roster)).unwrap();
        let log = Arc::new(Log::default());
        log.write(|seen| seen.roster = Some(roster));
        let driver = tokio::spawn(drive(events, commands.clone(), Arc::clone(&log)));
        Self { key: identity.public(), log, commands, network: task, driver }
    }

    /// Looks at what the node has seen so far.
    pub(crate) fn with_seen<T>(&self, look: impl FnOnce(&Seen) -> T) -> T {
        look(&self.log.seen.lock().unwrap())
    }

    /// Waits until what the node has seen holds something, and returns it.
    pub(crate) async fn wait<T>(&self, what: &str, wanted: impl Fn(&Seen) -> Option<T>) -> T {
        self.wait_within(PATIENCE, what, wanted).await
    }

    /// Waits so long at most.
    pub(crate) async fn wait_within<T>(&self, limit: Duration, what: &str, wanted: impl Fn(&Seen) -> Option<T>) -> T {
        let search = async {
            loop {
                let news = self.log.news.notified();
                tokio::pin!(news);
                news.as_mut().enable();
                if let Some(found) = self.with_seen(&wanted) {
                    return found;
                }
                news.await;
            }
        };
        tokio::time::timeout(limit, search).await.unwrap_or_else(|_| panic!("waited {limit:?} for {what}"))
    }

    /// Returns the first address that the node listens on.
    pub(crate) async fn address(&self) -> Multiaddr {
        self.wait("an address", |seen| seen.listening.first().cloned()).await
    }

    /// Waits until a member is connected.
    pub(crate) async fn meets(&self, other: &Node) {
        let key = other.key;
        self.wait("a member", |seen| seen.up.contains(&key).then_some(())).await;
    }

    /// Waits until so many have come to listen to a group.
    pub(crate) async fn has_listeners(&self, group: &GroupId, count: usize) {
        let listeners = |seen: &Seen| seen.listeners.iter().filter(|listened| *listened == group).count();
        self.wait("listeners", |seen| (listeners(seen) >= count).then_some(())).await;
    }

    /// Waits until a message has arrived.
    pub(crate) async fn hears(&self, message: &[u8]) {
        self.wait("a message", |seen| seen.gossip.iter().any(|(_, heard)| heard == message).then_some(())).await;
    }

    /// Returns whether a message has arrived.
    pub(crate) fn has_heard(&self, message: &[u8]) -> bool {
        self.with_seen(|seen| seen.gossip.iter().any(|(_, heard)| heard == message))
    }

    /// Publishes a message, again as often as nobody listens yet.
    pub(crate) async fn says(&self, group: &GroupId, message: &[u8]) {
        loop {
            let (published, listeners) = self.with_seen(|seen| (seen.published.len(), seen.listeners.len()));
            self.tell(Command::Publish { group: group.clone(), message: message.to_vec() }).await;
            let outcome = self.wait("an outcome", |seen| seen.published.get(published).copied()).await;
            if outcome != PublishOutcome::NobodyListens {
                assert_eq!(outcome, PublishOutcome::Sent);
                return;
            }
            self.wait("a listener", |seen| (seen.listeners.len() > listeners).then_some(())).await;
        }
    }

    /// Publishes a message that nobody may hear.
    pub(crate) async fn says_unheard(&self, group: &GroupId, message: &[u8]) {
        let published = self.with_seen(|seen| seen.published.len());
        self.tell(Command::Publish { group: group.clone(), message: message.to_vec() }).await;
        let outcome = self.wait("an outcome", |seen| seen.published.get(published).copied()).await;
        assert_eq!(outcome, PublishOutcome::NobodyListens);
    }

    /// Gives a sign of life.
    pub(crate) async fn shows_up(&self, beacon: &[u8]) {
        self.tell(Command::Beacon(beacon.to_vec())).await;
    }

    /// Puts a newer roster in force.
    pub(crate) async fn adopt(&self, roster: Arc<Roster>) {
        self.log.write(|seen| seen.roster = Some(Arc::clone(&roster)));
        self.tell(Command::Roster(roster)).await;
    }

    /// Ends the node in good order.
    pub(crate) async fn stop(mut self) {
        self.tell(Command::Shutdown).await;
        tokio::time::timeout(PATIENCE, &mut self.network).await.unwrap().unwrap();
    }

    async fn tell(&self, command: Command) {
        self.commands.send(command).await.unwrap();
    }
}

impl Drop for Node {
    /// Ends the node as if it were killed.
    fn drop(&mut self) {
        self.network.abort();
        self.driver.abort();
    }
}

async fn drive(mut events: mpsc::Receiver<Event>, commands: mpsc::Sender<Command>, log: Arc<Log>) {
    while let Some(event) = events.recv().await {
        match event {
            Event::Listening(address) => log.write(|seen| seen.listening.push(address)),
            Event::Gossip { handle, group, bytes, .. } => {
                let verdict = if bytes.starts_with(BAD) { Verdict::Reject } else { Verdict::Accept };
                log.write(|seen| seen.gossip.push((group, bytes)));
                commands.send(Command::Verdict { handle, verdict }).await.unwrap();
            }
            Event::Beacon { handle, .. } => {
                commands.send(Command::Verdict { handle, verdict: Verdict::Accept }).await.unwrap();
            }
            Event::Published { outcome, .. } => log.write(|seen| seen.published.push(outcome)),
            Event::Listener { group, .. } => log.write(|seen| seen.listeners.push(group)),
            Event::MemberUp(key) => log.write(|seen| {
                seen.up.insert(key);
                let digest = seen.roster.as_ref().unwrap().digest();
                seen.ups.push((key, digest));
            }),
            Event::Found { member, found } => log.write(|seen| {
                seen.found.insert(member, found);
            }),
            Event::MemberDown(key) => log.write(|seen| {
                seen.up.remove(&key);
            }),
            Event::Clock { member, theirs_ms, ours_ms } => {
                log.write(|seen| seen.clocks.push((member, theirs_ms, ours_ms)));
            }
            Event::RosterOf { .. } => {}
            Event::Documents(documents) => {
                let mut roster = Roster::clone(log.seen.lock().unwrap().roster.as_ref().unwrap());
                let mut changed = false;
                let mut refused = 0;
                for document in &documents {
                    match roster.accept(document, NOON) {
                        Ok(accepted) => changed |= accepted != Accepted::Known,
                        Err(_) => refused += 1,
                    }
                }
                let roster = Arc::new(roster);
                log.write(|seen| {
                    seen.refused += refused;
                    seen.roster = Some(Arc::clone(&roster));
                });
                if changed {
                    commands.send(Command::Roster(roster)).await.unwrap();
                }
            }
            _ => {}
        }
    }
}

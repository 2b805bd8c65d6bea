//! Gossipsub by hand: its protobuf messages, written to a stream as the test pleases.

use std::io;

use futures::AsyncWriteExt;
use libp2p::Stream;
use muster_roles::{GroupId, Roster, UnitId};
use sha2::{Digest, Sha256};

/// The stream over which a member speaks gossipsub.
pub(crate) struct Gossip {
    stream: Stream,
    unit: UnitId,
}

impl Gossip {
    pub(super) fn new(stream: Stream, roster: &Roster) -> Self {
        Self { stream, unit: roster.unit() }
    }

    /// Subscribes to every group of the unit, as a node that carries all does.
    pub(super) async fn subscribe_to_all(mut self, roster: &Roster) -> io::Result<Self> {
        let topics: Vec<String> = roster.groups().map(|group| self.topic(group)).collect();
        self.subscribe(&topics).await?;
        Ok(self)
    }

    /// Returns the topic of a group.
    pub(crate) fn topic(&self, group: &GroupId) -> String {
        topic(self.unit, group)
    }

    /// Says that it listens to these topics, all in one message.
    pub(crate) async fn subscribe(&mut self, topics: &[String]) -> io::Result<()> {
        let options = |topic: &String| {
            let options = [number(1, 1), field(2, topic.as_bytes())].concat();
            field(1, &options)
        };
        self.send(&topics.iter().flat_map(options).collect::<Vec<u8>>()).await
    }

    /// Returns the topic of signs of life.
    pub(crate) fn presence(&self) -> String {
        format!("{}+presence", prefix(self.unit))
    }

    /// Publishes bytes on a group's topic.
    pub(crate) async fn publish(&mut self, group: &GroupId, data: &[u8]) -> io::Result<()> {
        self.publish_on(&self.topic(group), data).await
    }

    /// Publishes bytes on a topic.
    pub(crate) async fn publish_on(&mut self, topic: &str, data: &[u8]) -> io::Result<()> {
        let message = [field(2, data), field(4, topic.as_bytes())].concat();
        self.send(&field(2, &message)).await
    }

    /// Leaves the meshes of these topics, as gossipsub has peers do who have enough others.
    pub(crate) async fn prune(&mut self, topics: &[String]) -> io::Result<()> {
        let prune = |topic: &String| field(4, &field(1, topic.as_bytes()));
        self.send(&field(3, &topics.iter().flat_map(prune).collect::<Vec<u8>>())).await
    }

    /// Claims to have messages of these ids.
    pub(crate) async fn have(&mut self, group: &GroupId, ids: &[[u8; 20]]) -> io::Result<()> {
        let ids: Vec<u8> = ids.iter().flat_map(|id| field(2, id)).collect();
        let ihave = [field(1, self.topic(group).as_bytes()), ids].concat();
        self.send(&field(3, &field(1, &ihave))).await
    }

    /// Writes one message of the protocol, whatever is in it.
    pub(crate) async fn send(&mut self, rpc: &[u8]) -> io::Result<()> {
        self.write(&[varint(rpc.len() as u64), rpc.to_vec()].concat()).await
    }

    /// Writes bytes as they are.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }
}

/// Returns the topic of a unit's group.
pub(crate) fn topic(unit: UnitId, group: &GroupId) -> String {
    format!("{}{group}", prefix(unit))
}

/// Returns what a claim to have messages of a topic holds, up to the first one's id.
pub(crate) fn claim(topic: &str) -> Vec<u8> {
    [field(1, topic.as_bytes()), vec![2 << 3 | 2, 20]].concat()
}

/// Returns the id of a message.
pub(crate) fn message_id(topic: &str, data: &[u8]) -> Vec<u8> {
    let hash = Sha256::new().chain_update(topic).chain_update([0]).chain_update(data).finalize();
    hash[..20].to_vec()
}

fn prefix(unit: UnitId) -> String {
    let hex: String = unit.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("/muster/1/{hex}/")
}

/// A protobuf field of bytes.
fn field(tag: u64, bytes: &[u8]) -> Vec<u8> {
    [varint(tag << 3 | 2), varint(bytes.len() as u64), bytes.to_vec()].concat()
}

/// A protobuf field that is a number.
fn number(tag: u64, value: u64) -> Vec<u8> {
    [varint(tag << 3), varint(value)].concat()
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

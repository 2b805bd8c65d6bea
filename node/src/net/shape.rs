//! The shape of the mesh: how many connections a node has, and how gossip goes over them.
//!
//! Both the network task and the simulation of large units (`benches/scale`) go by these. None of them grows with the unit:
//! what a message costs a node is the same among a thousand members as among a hundred.

use std::time::Duration;

/// Connections in all, strangers' and members'.
pub const MAX_ESTABLISHED: usize = 200;

/// Members dialled and connected that way; a large unit must not become a full mesh.
pub const MAX_OUTGOING: usize = 16;

/// How many of those may be near ones; the rest ties the groups of a unit together.
pub const MAX_OUTGOING_NEAR: usize = 12;

/// Peers that pass a topic's messages on to one another at once, as a node aims at.
///
/// A node gets nearly one copy less of each message than it has such peers. With four, and never fewer where as many are
/// connected, any three may fail before a message is late by a heartbeat; a fifth or sixth costs more than it gains. On a
/// grid of cables all four neighbours are among them.
pub const MESH_N: usize = 4;

/// With fewer of them a node looks for more.
pub const MESH_N_LOW: usize = 4;

/// With so many of them a node lets some go: a room of one above what it aims at, so that those who look for peers find some.
pub const MESH_N_HIGH: usize = 6;

/// How many of them a node has dialled itself, so that whoever dials it cannot be all it hears.
pub const MESH_OUTBOUND_MIN: usize = 2;

/// Whether a node gives its own messages to everyone connected, and not to its mesh alone: where few are near, all have them
/// at once.
pub const FLOOD_PUBLISH: bool = true;

/// How long a message that came from its author waits at least before it is passed on.
///
/// It is on its way from there to everyone the author is connected with, and what is passed on would only be in its way: on a
/// device's own link, and even more on air that all share.
pub const FIRSTHAND_WAIT: Duration = Duration::from_millis(5);

/// Up to how much longer it waits, by chance. Whoever comes first spares its neighbours their copies to it, so this has to be
/// long beside a copy's way to a neighbour. Three further neighbours have it in a quarter of this, most likely.
pub const FIRSTHAND_SPREAD: Duration = Duration::from_millis(15);

/// Messages of at least so many bytes are declined (IDONTWANT) of those who may be about to bring them too. It takes a message of
/// its own for each of them, which costs as much as a copy that is no longer than this.
pub const DECLINED_LEN: usize = 16 * 1024;

/// How often gossipsub tends its mesh.
pub const HEARTBEAT: Duration = Duration::from_secs(1);

/// The first tending comes early: a node that has just started should not wait for its mesh.
pub const FIRST_HEARTBEAT: Duration = Duration::from_millis(100);

/// Heartbeats that a message stays with gossipsub; also the time that there is for a verdict.
pub const HISTORY_LEN: usize = 12;

/// Heartbeats of messages that are told of to peers outside the mesh.
pub const HISTORY_GOSSIP: usize = 6;

/// Peers outside the mesh that are told at each heartbeat, at least.
pub const GOSSIP_LAZY: usize = 6;

/// The part of the peers outside the mesh that is told, where that is more.
pub const GOSSIP_FACTOR: f64 = 0.25;

/// How long peers that have parted in a mesh leave each other alone in it.
pub const PRUNE_BACKOFF: Duration = Duration::from_secs(60);

/// How long a message is known when it comes again.
pub const DUPLICATE_CACHE: Duration = Duration::from_secs(60);

/// Bytes of a message id; 160 bits of SHA-256, short for the sake of the control messages.
pub const MESSAGE_ID_LEN: usize = 20;

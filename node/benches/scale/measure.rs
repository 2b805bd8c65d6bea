//! What is counted: when each text was where, in how many copies it travelled, and all bytes that were sent.

use std::collections::HashMap;

use muster::engine::sync::SyncId;
use muster::engine::wire::{RecordId, decode_batch};
use muster_roles::Timestamp;

use crate::gossip::Topic;
use crate::shape::MESSAGE_ID_LEN;

/// Bytes of every text.
const TEXT_LEN: usize = 200;

/// Bytes around a gossip message: topic and lengths, encryption, streams, TCP and IP.
const MESSAGE_OVERHEAD: usize = 140;

/// The same around a list of message ids, or without one.
const CONTROL_OVERHEAD: usize = 120;

/// Bytes around each message id.
const ID_OVERHEAD: usize = 2;

/// Bytes around a frame of synchronisation: its length, encryption, streams, TCP and IP.
const FRAME_OVERHEAD: usize = 90;

/// A text that was said.
struct Text {
    by: usize,
    said_us: u64,
    copies: u64,
    arrived: Vec<bool>,
}

/// Bytes that all nodes together have sent.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Traffic {
    pub(crate) texts: u64,
    pub(crate) presence: u64,
    pub(crate) control: u64,
    pub(crate) sync: u64,
}

impl Traffic {
    pub(crate) fn all(&self) -> u64 {
        self.texts + self.presence + self.control + self.sync
    }
}

/// What was counted so far.
pub(crate) struct Measure {
    nodes: usize,
    texts: Vec<Text>,
    names: HashMap<SyncId, usize>,
    delays_us: Vec<u64>,
    pub(crate) traffic: Traffic,
    /// Records that sessions have brought.
    brought: usize,
}

/// What comes of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spread {
    pub(crate) p50_us: u64,
    pub(crate) p99_us: u64,
    pub(crate) longest_us: u64,
    /// Texts, each counted for every node that it has not reached.
    pub(crate) missed: usize,
    /// The part of them that has arrived.
    pub(crate) delivered: f64,
    /// Copies of a text that a node gets beyond the first.
    pub(crate) redundancy: f64,
    /// Records that sessions have brought.
    pub(crate) brought: usize,
}

impl Measure {
    pub(crate) fn new(nodes: usize) -> Self {
        Self {
            nodes,
            texts: Vec::new(),
            names: HashMap::new(),
            delays_us: Vec::new(),
            traffic: Traffic::default(),
            brought: 0,
        }
    }

    /// A member says something; returns what.
    pub(crate) fn say(&mut self, by: usize, now_us: u64) -> String {
        self.texts.push(Text { by, said_us: now_us, copies: 0, arrived: vec![false; self.nodes] });
        format!("{:0TEXT_LEN$}", self.texts.len())
    }

    /// The text said last has become this record.
    pub(crate) fn made(&mut self, time: Timestamp, id: RecordId) {
        self.names.insert(SyncId::new(time, &id), self.texts.len() - 1);
    }

    /// The text that a gossip message carries.
    pub(crate) fn text_in(&self, message: &[u8]) -> Option<usize> {
        let frames = decode_batch(message).ok()?;
        frames.iter().find_map(|frame| self.names.get(&SyncId::new(frame.header().time, &frame.id())).copied())
    }

    /// A copy of a text has arrived somewhere.
    pub(crate) fn copy(&mut self, text: Option<usize>) {
        if let Some(text) = text {
            self.texts[text].copies += 1;
        }
    }

    /// A node has checked a record.
    pub(crate) fn arrived(&mut self, name: SyncId, node: usize, now_us: u64) {
        let Some(text) = self.names.get(&name).map(|text| &mut self.texts[*text]) else { return };
        if node != text.by && !std::mem::replace(&mut text.arrived[node], true) {
            self.delays_us.push(now_us - text.said_us);
        }
    }

    pub(crate) fn sent_message(&mut self, topic: Topic, len: usize) {
        let bytes = (len + MESSAGE_OVERHEAD) as u64;
        match topic {
            Topic::Group => self.traffic.texts += bytes,
            Topic::Presence => self.traffic.presence += bytes,
        }
    }

    pub(crate) fn sent_control(&mut self, ids: usize) {
        self.traffic.control += (CONTROL_OVERHEAD + ids * (MESSAGE_ID_LEN + ID_OVERHEAD)) as u64;
    }

    pub(crate) fn sent_frame(&mut self, len: usize) {
        self.traffic.sync += (len + FRAME_OVERHEAD) as u64;
    }

    pub(crate) fn brought(&mut self, records: usize) {
        self.brought += records;
    }

    /// How many texts have not reached a node, each counted for every such node.
    pub(crate) fn missing(&self) -> usize {
        self.texts.len() * (self.nodes - 1) - self.delays_us.len()
    }

    /// Says what came of it all.
    pub(crate) fn spread(&self) -> Spread {
        let mut delays_us = self.delays_us.clone();
        delays_us.sort_unstable();
        let rank = |part: f64| {
            let at = (part * delays_us.len() as f64).ceil() as usize;
            delays_us[at.clamp(1, delays_us.len()) - 1]
        };
        let copies: u64 = self.texts.iter().map(|text| text.copies).sum();
        let arrived = delays_us.len() as f64;
        Spread {
            p50_us: rank(0.5),
            p99_us: rank(0.99),
            longest_us: rank(1.0),
            missed: self.missing(),
            delivered: arrived / (arrived + self.missing() as f64),
            redundancy: copies as f64 / arrived - 1.0,
            brought: self.brought,
        }
    }
}

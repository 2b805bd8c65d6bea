//! What the engines want done, and the streams of their synchronisation: these lose nothing, but take longer in bad weather.

use std::collections::HashMap;

use muster::engine::io::{Effect, Input, SyncInput};
use muster::engine::recall::Recall;
use muster::engine::sync::{SessionId, SyncEffect};
use muster::engine::verify::check_records;

use crate::gossip::Topic;
use crate::world::{Happening, World};

/// What a lost frame of a stream costs: TCP sends it again after this, in microseconds (Linux, least).
const RETRANSMISSION_US: u64 = 200_000;

/// How long the store takes to be read.
const READING_US: u64 = 1_000;

/// One end of a stream: who is at the other, by which name and over which connection.
struct End {
    node: usize,
    session: SessionId,
    way_us: u64,
    busy_until_us: u64,
}

/// Every stream, by its ends.
#[derive(Default)]
pub(crate) struct Streams {
    ends: HashMap<(usize, SessionId), End>,
    named: u64,
}

impl World {
    pub(crate) fn carry_out(&mut self, node: usize, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Append(records) => self.append(node, records),
                Effect::Publish { group, message } => {
                    let was_heard = self.publish(node, Topic::Group, message);
                    self.answer_publish(node, group, was_heard);
                }
                Effect::Beacon(bytes) => {
                    self.publish(node, Topic::Presence, bytes);
                }
                Effect::Verdict { handle, verdict } => self.judged(node, handle, verdict),
                Effect::Count(group) => self.feed(node, Input::Recalled { group, recall: Recall::default() }),
                Effect::Sync(effect) => self.carry_out_sync(node, effect),
                Effect::Made { time, id, .. } => self.measure.made(time, id),
                Effect::Refused { reason, .. } => panic!("node {node} could not post: {reason}"),
                // Shown to people, or asked of a disk that has room.
                _ => {}
            }
        }
    }

    fn carry_out_sync(&mut self, node: usize, effect: SyncEffect) {
        match effect {
            SyncEffect::Index(group) => self.plan_sync(0, node, SyncInput::Indexed { group, names: Vec::new() }),
            SyncEffect::Open(peer) => {
                let other = self.unit.places[&peer];
                let links = &self.nodes[node].gossip.links;
                let way_us = links.iter().find(|link| link.peer == other).unwrap().way_us;
                self.streams.named += 2;
                let (mine, theirs) = (SessionId(self.streams.named), SessionId(self.streams.named + 1));
                let end = |node, session| End { node, session, way_us, busy_until_us: 0 };
                self.streams.ends.insert((node, mine), end(other, theirs));
                self.streams.ends.insert((other, theirs), end(node, mine));
                let opened = |session, peer, leading| SyncInput::Opened { session, peer, leading };
                let asker = self.nodes[node].state.public();
                self.plan_sync(way_us, other, opened(theirs, asker, false));
                self.plan_sync(2 * way_us, node, opened(mine, peer, true));
            }
            SyncEffect::Send(session, bytes) => {
                self.measure.sent_frame(bytes.len());
                let again_us = if self.is_lost() { RETRANSMISSION_US } else { 0 };
                let now_us = self.now_us;
                let Some(end) = self.streams.ends.get_mut(&(node, session)) else { return };
                // A stream keeps its order.
                end.busy_until_us = end.busy_until_us.max(now_us + end.way_us + again_us);
                let (to, session, after_us) = (end.node, end.session, end.busy_until_us - now_us);
                self.plan_sync(after_us, to, SyncInput::Frame { session, bytes });
            }
            SyncEffect::Load(session, group, names) => {
                let records = names.iter().filter_map(|name| self.records.get(name).cloned()).collect();
                self.plan_sync(READING_US, node, SyncInput::Loaded { session, group, records });
            }
            SyncEffect::Verify { session, group, records, last } => {
                self.measure.brought(records.len());
                let (records, forged) = check_records(&records, self.unit.roster.unit());
                self.plan_sync(READING_US, node, SyncInput::Verified { session, group, records, forged, last });
            }
            SyncEffect::Close(session) => {
                let Some(end) = self.streams.ends.remove(&(node, session)) else { return };
                self.streams.ends.remove(&(end.node, end.session));
                let after_us = end.busy_until_us.saturating_sub(self.now_us).max(end.way_us);
                self.plan_sync(after_us, end.node, SyncInput::Closed(end.session));
            }
        }
    }

    fn plan_sync(&mut self, after_us: u64, node: usize, input: SyncInput) {
        self.plan(after_us, Happening::Sync { node, input: Box::new(input) });
    }
}

//! The streams of synchronisation: they keep their order, take their time and break.

use muster::engine::io::{Input, SyncInput};
use muster::engine::sync::{MAX_FRAME_LEN, SessionId, SyncEffect};
use muster::engine::verify::check_records;

use super::World;
use super::happening::Happening;

/// One end of a stream: whose, by which name, and until when what it sends is on its way.
#[derive(Clone, Copy)]
pub(super) struct End {
    pub(super) node: usize,
    session: SessionId,
    busy_until: u64,
}

impl World {
    pub(super) fn carry_out_sync(&mut self, node: usize, effect: SyncEffect) {
        match effect {
            SyncEffect::Index(group) => {
                // Nothing is compared where the disk has failed.
                let Ok(names) = self.nodes[node].store.disk().names(&group) else { return };
                self.schedule(3, Happening::Sync { node, input: SyncInput::Indexed { group, names } });
            }
            SyncEffect::Open(peer) => {
                let other = (0..self.nodes.len()).find(|other| self.key(*other) == peer).expect("a node");
                if !self.nodes[node].neighbours.contains(&other) {
                    return self.schedule(1, Happening::Sync { node, input: SyncInput::NotOpened(peer) });
                }
                self.counter += 2;
                let (mine, theirs) = (SessionId(self.counter), SessionId(self.counter + 1));
                self.streams.insert((node, mine), End { node: other, session: theirs, busy_until: 0 });
                self.streams.insert((other, theirs), End { node, session: mine, busy_until: 0 });
                let opened = |session, peer, leading| SyncInput::Opened { session, peer, leading };
                let asker = self.key(node);
                self.schedule(1, Happening::Sync { node, input: opened(mine, peer, true) });
                self.schedule(1, Happening::Sync { node: other, input: opened(theirs, asker, false) });
            }
            SyncEffect::Send(session, bytes) => {
                self.sync_bytes += bytes.len() as u64;
                assert!(bytes.len() <= MAX_FRAME_LEN, "a frame of {} bytes", bytes.len());
                let delay = self.rng.u64(1..=self.weather.max_delay_ms);
                let now = self.now.0;
                let Some(end) = self.streams.get_mut(&(node, session)) else { return };
                // A stream keeps its order.
                end.busy_until = end.busy_until.max(now + delay);
                let (to, session, after) = (end.node, end.session, end.busy_until - now);
                self.schedule(after, Happening::Sync { node: to, input: SyncInput::Frame { session, bytes } });
            }
            SyncEffect::Load(session, group, names) => {
                let lies = self.lies.get(&node).cloned();
                let records = lies.unwrap_or_else(|| self.nodes[node].store.find(&group, &names));
                self.schedule(1, Happening::Sync { node, input: SyncInput::Loaded { session, group, records } });
            }
            SyncEffect::Verify { session, group, records, last } => {
                self.brought[node] += records.len();
                let unit = self.nodes[node].state.roster().unit();
                let (records, forged) = check_records(&records, unit);
                self.on_verified(node, &records);
                let input = SyncInput::Verified { session, group, records, forged, last };
                self.schedule(1, Happening::Sync { node, input });
            }
            SyncEffect::Close(session) => {
                let Some(end) = self.streams.remove(&(node, session)) else { return };
                let after = end.busy_until.saturating_sub(self.now.0) + 1;
                self.streams.remove(&(end.node, end.session));
                self.schedule(after, Happening::Sync { node: end.node, input: SyncInput::Closed(end.session) });
            }
        }
    }

    /// Breaks every stream there is, in the middle of whatever it carries.
    pub fn break_streams(&mut self) -> usize {
        let ends: Vec<(usize, SessionId)> = self.streams.keys().copied().collect();
        for (node, session) in &ends {
            self.streams.remove(&(*node, *session));
            self.feed(*node, Input::Sync(SyncInput::Closed(*session)));
        }
        ends.len()
    }
}

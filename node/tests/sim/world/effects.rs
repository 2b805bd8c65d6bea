//! What engines are told, and how what they want is carried out.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::RangeInclusive;

use muster::disk::writer::Job;
use muster::engine::io::{Effect, Input, Notice, PublishOutcome, Verdict};
use muster::engine::recall::Recall;
use muster::engine::store::RETENTION_MS;
use muster::engine::view::Row;
use muster_keys::PublicKey;
use muster_roles::Standing;

use super::World;
use super::happening::Happening;
use super::network::name_of;
use super::node::SimNode;
use crate::breakage::Breakage;

/// Bytes around a gossip message: topic and lengths, encryption, streams, TCP and IP.
const GOSSIP_OVERHEAD: u64 = 140;

/// How long what came from its author waits until it is passed on, in milliseconds (`net/shape.rs`).
const FIRSTHAND_MS: RangeInclusive<u64> = 5..=20;

impl World {
    pub fn key(&self, node: usize) -> PublicKey {
        self.nodes[node].state.public()
    }

    pub fn feed(&mut self, node: usize, input: Input) {
        if !self.nodes[node].is_up {
            return;
        }
        let wall = self.wall(node);
        let effects = self.nodes[node].state.handle(input, wall);
        for effect in effects {
            self.carry_out(node, effect);
        }
    }

    pub fn carry_out(&mut self, node: usize, effect: Effect) {
        match effect {
            Effect::Append(records) => {
                self.check_permitted(node, &records);
                self.ask(node, Job::Append(records));
            }
            Effect::Publish { group, message } => {
                self.gossip_bytes += message.len() as u64 + GOSSIP_OVERHEAD;
                let alone = self.minds_listeners && self.listeners(node).is_empty() || self.nobody_listens;
                let outcome = if alone { PublishOutcome::NobodyListens } else { PublishOutcome::Sent };
                // What a node has heard already, it does not publish.
                if outcome == PublishOutcome::Sent && self.nodes[node].carries.insert(name_of(&message)) {
                    self.spread(node, Some(&group), &message);
                }
                self.schedule(1, Happening::Published { node, group, outcome });
            }
            Effect::Beacon(bytes) => {
                self.beacons += 1;
                self.nodes[node].carries.insert(name_of(&bytes));
                self.spread(node, None, &bytes);
            }
            Effect::Presence(_) => {}
            Effect::Verdict { handle, verdict } => {
                let (_, group, message) = self.nodes[node].waiting.remove(&handle).expect("each is judged once");
                let name = match verdict {
                    Verdict::Accept | Verdict::Firsthand => "accept",
                    Verdict::Ignore => "ignore",
                    Verdict::Reject => "reject",
                };
                if group.is_some() {
                    *self.verdicts.entry((node, name)).or_default() += 1;
                }
                match verdict {
                    Verdict::Accept => self.spread(node, group.as_ref(), &message),
                    Verdict::Firsthand => {
                        let waits_ms = self.rng.u64(FIRSTHAND_MS);
                        self.schedule(waits_ms, Happening::Forward { node, group, message });
                    }
                    Verdict::Ignore | Verdict::Reject => {}
                }
            }
            Effect::Show(row) => self.show(node, row),
            Effect::ShowLate(late) => {
                for late in late {
                    assert!(late.rows.is_sorted_by_key(Row::time), "late rows come in the order of their times");
                    self.nodes[node].not_shown += late.older;
                    self.nodes[node].blocks.push((late.rows.len(), late.while_away));
                    late.rows.into_iter().for_each(|row| self.show(node, row));
                }
            }
            Effect::Refused { .. } => self.nodes[node].refused += 1,
            Effect::Progress { .. } => {}
            Effect::Order(order) => {
                let orders = &mut self.nodes[node].orders;
                orders.retain(|other| other.row.id() != order.row.id());
                orders.push(order);
            }
            Effect::Shed(shed) => self.ask(node, Job::Shed(shed)),
            Effect::Count(group) => {
                let mut recall = Recall::default();
                let stored = self.nodes[node].store.all(&group);
                stored.iter().for_each(|stored| recall.note(stored, &self.nodes[node].state.reader()));
                self.schedule(5, Happening::Recalled { node, group, recall });
            }
            Effect::Sync(effect) => self.carry_out_sync(node, effect),
            Effect::Prune { before } => {
                let kept_ms = self.now.0.saturating_sub(before.ms());
                assert!(kept_ms + self.skew_allowed_ms >= RETENTION_MS, "node {node} keeps no more than {kept_ms} ms");
                self.ask(node, Job::Prune { before });
            }
            Effect::Sent { group, records } => self.ask(node, Job::Sent { group, records }),
            Effect::Notice(Notice::Sent { count }) => self.nodes[node].told_sent += count,
            Effect::Notice(notice) => self.nodes[node].notices.push(notice),
            Effect::RosterChanged(roster) => self.on_roster(node, &roster),
            Effect::Sign { change, roster, now } => {
                let signed = self.sign(node, change, &roster, now);
                let delay = 1 + self.nodes[node].pace_ms;
                self.schedule(delay, Happening::Signed { node, signed });
            }
            Effect::Changed { .. } => self.nodes[node].changed += 1,
            Effect::NotChanged { reason, .. } => self.nodes[node].not_changed.push(reason.to_string()),
            Effect::Made { group, time, id, .. } => {
                if self.breakage == Some(Breakage::AcknowledgesUnstored) {
                    self.nodes[node].acknowledged.push((group, time, id));
                }
            }
            Effect::JoinAnswer { .. } | Effect::JoinRequests(_) => {}
        }
    }

    /// Nothing is shown that is not stored, or that the member's role forbids.
    pub(super) fn show(&mut self, node: usize, row: Row) {
        let shower = &mut self.nodes[node];
        // A disk that has failed cannot be asked.
        let is_stored = shower.state.has_failed() || shower.store.contains(row.group(), row.time(), row.id());
        assert!(is_stored, "node {node} was shown what is not stored");
        assert!(is_entitled(shower, &row), "{:?} was shown {}", shower.role, row.group());
        let what = (node, row.id(), row.text().to_string());
        shower.shown.push(row);
        self.note(what);
    }

    /// Adds something to the trace, wherever in its millisecond it happened.
    pub fn note(&mut self, what: impl Hash) {
        let mut hasher = DefaultHasher::new();
        (self.now.0, what).hash(&mut hasher);
        self.trace = self.trace.wrapping_add(hasher.finish());
    }
}

/// Tells whether a member may be shown a row: by its role, now or at the row's time, or because the group's own sheet lists it.
///
/// The last is so where two leaders apart have admitted one device, until the key that one of them gave it is changed.
fn is_entitled(shower: &SimNode, row: &Row) -> bool {
    let (roster, key) = (shower.state.roster(), shower.identity.public());
    let is_entitled_by = |standing: Standing<'_>| {
        let may_read = standing.member(&key).is_some_and(|member| member.role.may_read(row.group()));
        let sheet = standing.sheet(row.group());
        may_read || sheet.is_some_and(|sheet| sheet.soldiers().iter().any(|soldier| soldier.key == key))
    };
    shower.role.may_read(row.group()) || is_entitled_by(roster.current()) || is_entitled_by(roster.at(row.time()))
}

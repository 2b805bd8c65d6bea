//! Gossip that comes in: who brings it, what becomes of it, and who listens.

use std::time::Instant;

use libp2p::PeerId;
use libp2p::gossipsub::{Message, MessageId, TopicHash};

use super::Event;
use super::gossip::{self, Unheard};
use super::peer::{Named, role_key};
use super::task::Task;
use crate::engine::io::{GossipHandle, Verdict};

impl Task {
    pub(super) fn on_gossip(&mut self, from: PeerId, id: &MessageId, message: Message) {
        let group = self.topics.group(&message.topic);
        let is_known = group.is_some() || self.topics.is_presence(&message.topic);
        let bearer = role_key(&from).filter(|_| is_known);
        let told = bearer.and_then(|bearer| {
            let bytes = message.data;
            let handle = self.give_out(id, from, bytes.len())?;
            let event = match group {
                Some(group) => Event::Gossip { handle, bearer, group, bytes },
                None => Event::Beacon { handle, bearer, bytes },
            };
            if self.reports.gossip(event) {
                return Some(());
            }
            self.pending.withdraw(handle);
            None
        });
        if told.is_none() {
            self.ignored = self.ignored.saturating_add(1);
            // Told rarely: in a flood the log must not become the bottleneck.
            if self.ignored.is_power_of_two() {
                tracing::warn!(ignored = self.ignored, "gossip ignored: the node does not keep up");
            }
            self.give_verdict(id, &from, Verdict::Ignore);
        }
    }

    /// Names a message to be judged. What an overburdened peer brings is left to synchronisation.
    fn give_out(&mut self, id: &MessageId, from: PeerId, len: usize) -> Option<GossipHandle> {
        match self.pending.insert(id.clone(), from, len, Instant::now()) {
            Ok(handle) => Some(handle),
            Err(Unheard::Overburdened { news: true }) => {
                tracing::warn!(peer = %Named(&from), "brings too much in vain, and is not listened to for a while");
                if let Some(member) = role_key(&from) {
                    self.reports.tell(Event::Slow(member));
                }
                None
            }
            Err(_) => None,
        }
    }

    pub(super) fn on_subscribed(&mut self, peer: PeerId, topic: &TopicHash) {
        self.links.heard(peer);
        if let Some(group) = self.topics.group(topic)
            && self.joined.contains(&group)
            && let Some(member) = role_key(&peer)
        {
            self.reports.listener(group, member);
        }
    }

    pub(super) fn on_verdict(&mut self, id: &MessageId, from: PeerId, verdict: Verdict) {
        let now = Instant::now();
        if verdict != Verdict::Firsthand || !self.firsthand.wait(id, from, now) {
            self.give_verdict(id, &from, verdict);
        }
    }

    /// Passes on what has waited long enough.
    pub(super) fn forward_firsthand(&mut self, now: Instant) {
        for (id, from) in self.firsthand.take_due(now) {
            self.give_verdict(&id, &from, Verdict::Firsthand);
        }
    }

    pub(super) fn give_verdict(&mut self, id: &MessageId, from: &PeerId, verdict: Verdict) {
        if verdict == Verdict::Reject {
            tracing::warn!(peer = %Named(from), "invalid gossip message");
        }
        self.swarm.behaviour_mut().gossip().report_message_validation_result(id, from, gossip::acceptance(verdict));
    }
}

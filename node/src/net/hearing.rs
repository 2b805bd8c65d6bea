//! Gossip that comes in: who brings it, what becomes of it, and who listens.

use std::time::Instant;

use libp2p::PeerId;
use libp2p::gossipsub::{Message, MessageAcceptance, MessageId, TopicHash};

use super::Event;
use super::gossip::{self, Brought, Unheard};
use super::peer::{Named, role_key};
use super::task::Task;
use crate::engine::io::{GossipHandle, Verdict};

impl Task {
    pub(super) fn on_gossip(&mut self, from: PeerId, id: MessageId, message: Message) {
        let group = self.topics.group(&message.topic);
        let brought = Brought { id, from, is_beacon: self.topics.is_presence(&message.topic) };
        let bearer = role_key(&from).filter(|_| group.is_some() || brought.is_beacon);
        let told = bearer.and_then(|bearer| {
            let bytes = message.data;
            let handle = self.give_out(&brought, bytes.len())?;
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
            self.give_verdict(&brought, Verdict::Ignore);
        }
    }

    /// Names a message to be judged. What an overburdened peer brings is left to synchronisation.
    fn give_out(&mut self, brought: &Brought, len: usize) -> Option<GossipHandle> {
        match self.pending.insert(brought.clone(), len, Instant::now()) {
            Ok(handle) => Some(handle),
            Err(Unheard::Overburdened { news: true }) => {
                tracing::warn!(peer = %Named(&brought.from), "brings too much in vain, and is not listened to for a while");
                if let Some(member) = role_key(&brought.from) {
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

    pub(super) fn on_verdict(&mut self, brought: &Brought, verdict: Verdict) {
        if verdict != Verdict::Firsthand || !self.firsthand.wait(brought, Instant::now()) {
            self.give_verdict(brought, verdict);
        }
    }

    /// Passes on what has waited long enough.
    pub(super) fn forward_firsthand(&mut self, now: Instant) {
        for brought in self.firsthand.take_due(now) {
            self.give_verdict(&brought, Verdict::Firsthand);
        }
    }

    fn give_verdict(&mut self, brought: &Brought, verdict: Verdict) {
        let Brought { id, from, is_beacon } = brought;
        if verdict == Verdict::Reject {
            tracing::warn!(peer = %Named(from), "invalid gossip message");
        }
        let acceptance = gossip::acceptance(verdict);
        let is_good = matches!(acceptance, MessageAcceptance::Accept);
        let was_kept = self.swarm.behaviour_mut().gossip().report_message_validation_result(id, from, acceptance);
        if *is_beacon && is_good && was_kept {
            self.forget(id, from);
        }
    }

    /// Publishes this member's sign of life.
    pub(super) fn publish_beacon(&mut self, beacon: Vec<u8>) {
        let topic = self.topics.presence();
        match self.swarm.behaviour_mut().gossip().publish(topic, beacon) {
            Ok(id) => {
                let me = *self.swarm.local_peer_id();
                self.forget(&id, &me);
            }
            Err(error) => tracing::debug!(%error, "beacon not published"),
        }
    }

    /// Has gossipsub keep a message no longer that it has just given to its mesh: at six heartbeats it would tell others that it is
    /// here, which costs more than to send it, and a sign of life comes again.
    fn forget(&mut self, id: &MessageId, from: &PeerId) {
        // It blames nobody: the message has been found valid.
        self.swarm.behaviour_mut().gossip().report_message_validation_result(id, from, MessageAcceptance::Ignore);
    }
}

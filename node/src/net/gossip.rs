//! Gossip: one topic a group, how gossipsub is set up for them, and the messages that wait for a verdict.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use libp2p::PeerId;
use libp2p::gossipsub::{
    self, Config, ConfigBuilder, IdentityTransform, MaxCountSubscriptionFilter, Message, MessageAcceptance,
    MessageAuthenticity, MessageId, PeerScoreParams, PeerScoreThresholds, PublishError, TopicHash, TopicScoreParams,
    TopicSubscriptionFilter, ValidationMode,
};
use muster_roles::{GroupId, UnitId};
use sha2::{Digest, Sha256};

use crate::engine::io::{GossipHandle, PublishOutcome, Verdict};
use crate::engine::wire::MAX_BATCH_LEN;

/// How often gossipsub tends its mesh.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// The first tending comes early: a node that has just started should not wait for its mesh.
const FIRST_HEARTBEAT: Duration = Duration::from_millis(100);

/// Heartbeats that a message stays with gossipsub; also the time that there is for a verdict.
const HISTORY_LEN: usize = 12;

/// Heartbeats of messages that are told of to peers outside the mesh.
const HISTORY_GOSSIP: usize = 6;

/// Messages waiting for one peer: at 32 KiB each this bounds a slow peer's queue to 16 MiB.
const PEER_QUEUE_LEN: usize = 512;

/// Message ids in one control message: 400 of 20 bytes stay below the 16 KiB at which receivers close the stream.
const MAX_CONTROL_MESSAGES: usize = 400;

/// Bytes of a message id; 160 bits of SHA-256, short for the sake of the control messages.
const MESSAGE_ID_LEN: usize = 20;

/// Groups that one peer may subscribe to: letters bound a unit to 23 troops and the heads.
const MAX_TOPICS: usize = 64;

/// Messages that may wait for a verdict; more than the event queue and the engine hold together.
const MAX_PENDING: usize = 4096;

/// How long it takes until one invalid message is forgiven.
const FORGIVING: Duration = Duration::from_secs(600);

/// The weight of the square of a peer's invalid messages; with the default threshold of -80, the third silences it.
const INVALID_MESSAGE_WEIGHT: f64 = -10.0;

/// Gossipsub as it is used here.
pub(crate) type Behaviour = gossipsub::Behaviour<IdentityTransform, MaxCountSubscriptionFilter<Topics>>;

/// The topics of a unit: one for each group.
#[derive(Clone, Debug)]
pub(crate) struct Topics {
    prefix: String,
}

impl Topics {
    /// Returns the topics of a unit.
    pub(crate) fn new(unit: UnitId) -> Self {
        let hex: String = unit.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        Self { prefix: format!("/muster/1/{hex}/") }
    }

    /// Returns the topic of a group.
    pub(crate) fn topic(&self, group: &GroupId) -> gossipsub::IdentTopic {
        gossipsub::IdentTopic::new(format!("{}{group}", self.prefix))
    }

    /// Returns the topic of signs of life; no group can have its name.
    pub(crate) fn presence(&self) -> gossipsub::IdentTopic {
        gossipsub::IdentTopic::new(format!("{}+presence", self.prefix))
    }

    /// Tells whether a topic is that of signs of life.
    pub(crate) fn is_presence(&self, topic: &TopicHash) -> bool {
        topic.as_str().strip_prefix(&self.prefix) == Some("+presence")
    }

    /// Returns the group of a topic, if it is one of the unit's.
    pub(crate) fn group(&self, topic: &TopicHash) -> Option<GroupId> {
        topic.as_str().strip_prefix(&self.prefix)?.parse().ok()
    }
}

impl TopicSubscriptionFilter for Topics {
    /// Topics are told by their form alone: a peer may know of a group before this node does, and says so only once.
    fn can_subscribe(&mut self, topic: &TopicHash) -> bool {
        self.group(topic).is_some() || self.is_presence(topic)
    }
}

/// Sets gossipsub up.
///
/// # Errors
///
/// Only if the constants above contradict one another.
pub(crate) fn behaviour(topics: &Topics) -> Result<Behaviour, String> {
    let config = config().map_err(|error| error.to_string())?;
    let filter = MaxCountSubscriptionFilter {
        filter: topics.clone(),
        max_subscribed_topics: MAX_TOPICS,
        max_subscriptions_per_request: MAX_TOPICS,
    };
    let mut behaviour = Behaviour::new_with_subscription_filter(MessageAuthenticity::Anonymous, config, filter)?;
    // Members of one household or of one test share an address: nothing is held against that.
    let scores = PeerScoreParams { ip_colocation_factor_weight: 0.0, ..PeerScoreParams::default() };
    behaviour.with_peer_score(scores, PeerScoreThresholds::default())?;
    Ok(behaviour)
}

fn config() -> Result<Config, gossipsub::ConfigBuilderError> {
    ConfigBuilder::default()
        .validate_messages()
        // Records carry their authors' signatures; a second one for each copy would halve the rate.
        .validation_mode(ValidationMode::Anonymous)
        .message_id_fn(message_id)
        // A receiver counts the message and what it has read of the next one.
        .max_transmit_size(2 * MAX_BATCH_LEN)
        .flood_publish(true)
        .mesh_outbound_min(2)
        .mesh_n_low(4)
        .mesh_n(6)
        .mesh_n_high(12)
        .heartbeat_interval(HEARTBEAT)
        .heartbeat_initial_delay(FIRST_HEARTBEAT)
        .history_length(HISTORY_LEN)
        .history_gossip(HISTORY_GOSSIP)
        .connection_handler_queue_len(PEER_QUEUE_LEN)
        .max_control_messages_sent(MAX_CONTROL_MESSAGES)
        .build()
}

fn message_id(message: &Message) -> MessageId {
    let hash =
        Sha256::new().chain_update(message.topic.as_str()).chain_update([0]).chain_update(&message.data).finalize();
    MessageId::new(hash.get(..MESSAGE_ID_LEN).unwrap_or_default())
}

/// Returns how peers are scored in a topic: only for what is invalid.
///
/// Quiet groups are normal here, so nothing is expected of a peer (no P3), and nothing is earned by chattering.
pub(crate) fn topic_score() -> TopicScoreParams {
    TopicScoreParams {
        topic_weight: 1.0,
        time_in_mesh_weight: 0.0,
        first_message_deliveries_weight: 0.0,
        mesh_message_deliveries_weight: 0.0,
        mesh_failure_penalty_weight: 0.0,
        invalid_message_deliveries_weight: INVALID_MESSAGE_WEIGHT,
        invalid_message_deliveries_decay: gossipsub::score_parameter_decay(FORGIVING),
        ..TopicScoreParams::default()
    }
}

/// Returns what the result of a publish means to the engine.
pub(crate) fn outcome(result: &Result<MessageId, PublishError>) -> PublishOutcome {
    match result {
        Ok(_) | Err(PublishError::Duplicate) => PublishOutcome::Sent,
        Err(PublishError::NoPeersSubscribedToTopic) => PublishOutcome::NobodyListens,
        Err(_) => PublishOutcome::Dropped,
    }
}

/// Returns gossipsub's word for a verdict.
pub(crate) fn acceptance(verdict: Verdict) -> MessageAcceptance {
    match verdict {
        Verdict::Accept => MessageAcceptance::Accept,
        Verdict::Ignore => MessageAcceptance::Ignore,
        Verdict::Reject => MessageAcceptance::Reject,
    }
}

/// Messages given out to be judged.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    next: u64,
    waiting: BTreeMap<GossipHandle, Waiting>,
}

#[derive(Debug)]
struct Waiting {
    id: MessageId,
    from: PeerId,
    since: Instant,
}

impl Pending {
    /// Names a message, unless too many wait already.
    pub(crate) fn insert(&mut self, id: MessageId, from: PeerId, now: Instant) -> Option<GossipHandle> {
        if self.waiting.len() >= MAX_PENDING {
            return None;
        }
        let handle = GossipHandle(self.next);
        self.next = self.next.wrapping_add(1);
        self.waiting.insert(handle, Waiting { id, from, since: now });
        Some(handle)
    }

    /// Takes the message that a verdict is about.
    pub(crate) fn take(&mut self, handle: GossipHandle) -> Option<(MessageId, PeerId)> {
        self.waiting.remove(&handle).map(|waiting| (waiting.id, waiting.from))
    }

    /// Forgets messages that gossipsub has forgotten; returns how many.
    pub(crate) fn expire(&mut self, now: Instant) -> usize {
        let window = HEARTBEAT.saturating_mul(u32::try_from(HISTORY_LEN).unwrap_or(u32::MAX));
        let before = self.waiting.len();
        self.waiting.retain(|_, waiting| now.saturating_duration_since(waiting.since) < window);
        before - self.waiting.len()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn message(topic: &str, data: &[u8]) -> Message {
        Message { source: None, data: data.to_vec(), sequence_number: None, topic: TopicHash::from_raw(topic) }
    }

    #[test]
    fn a_topic_names_its_group_and_those_of_other_units_name_none() {
        let (topics, others) = (Topics::new(UnitId::from_bytes([0xab; 16])), Topics::new(UnitId::from_bytes([1; 16])));
        let army: GroupId = "army".parse().unwrap();
        let topic = topics.topic(&army).hash();
        assert_eq!(topic.as_str(), format!("/muster/1/{}/army", "ab".repeat(16)));
        assert_eq!(topics.group(&topic), Some(army.clone()));
        assert_eq!(topics.group(&others.topic(&army).hash()), None);
        assert_eq!(topics.group(&TopicHash::from_raw(format!("{}No Group", topics.prefix))), None);
    }

    #[test]
    fn only_the_units_own_topics_can_be_subscribed_to() {
        let mut topics = Topics::new(UnitId::from_bytes([0; 16]));
        let ours = topics.topic(&GroupId::heads()).hash();
        assert!(topics.can_subscribe(&ours) && topics.can_subscribe(&topics.presence().hash()));
        assert_eq!(topics.group(&topics.presence().hash()), None);
        assert!(!topics.can_subscribe(&TopicHash::from_raw("anything")));
    }

    #[test]
    fn the_settings_agree_with_one_another() {
        assert!(behaviour(&Topics::new(UnitId::from_bytes([0; 16]))).is_ok());
        assert_eq!(topic_score().validate(), Ok(()));
    }

    #[test]
    fn messages_are_told_apart_by_topic_and_content() {
        let id = message_id(&message("a", b"b"));
        assert_eq!(id.0.len(), MESSAGE_ID_LEN);
        assert_eq!(id, message_id(&message("a", b"b")));
        assert_ne!(id, message_id(&message("a", b"c")));
        assert_ne!(id, message_id(&message("b", b"b")));
    }

    #[test]
    fn what_went_out_once_counts_as_sent_and_what_may_have_is_not_sent_again() {
        assert_eq!(outcome(&Ok(MessageId::new(b"id"))), PublishOutcome::Sent);
        assert_eq!(outcome(&Err(PublishError::Duplicate)), PublishOutcome::Sent);
        assert_eq!(outcome(&Err(PublishError::NoPeersSubscribedToTopic)), PublishOutcome::NobodyListens);
        assert_eq!(outcome(&Err(PublishError::AllQueuesFull(3))), PublishOutcome::Dropped);
    }

    #[test]
    fn a_message_waits_for_its_verdict_no_longer_than_gossipsub_keeps_it() {
        let (mut pending, start) = (Pending::default(), Instant::now());
        let from = PeerId::random();
        let mut insert = |at| pending.insert(MessageId::new(b"id"), from, start + Duration::from_secs(at)).unwrap();
        let (early, late) = (insert(0), insert(5));
        assert_ne!(early, late);
        assert_eq!(pending.expire(start + Duration::from_secs(11)), 0);
        assert_eq!(pending.expire(start + Duration::from_secs(12)), 1);
        assert_eq!(pending.take(early), None);
        assert_eq!(pending.take(late), Some((MessageId::new(b"id"), from)));
        assert_eq!(pending.take(late), None);
    }

    #[test]
    fn messages_waiting_for_a_verdict_are_bounded() {
        let (mut pending, now) = (Pending::default(), Instant::now());
        let accepted =
            (0..MAX_PENDING + 10).filter_map(|_| pending.insert(MessageId::new(b"id"), PeerId::random(), now)).count();
        assert_eq!(accepted, MAX_PENDING);
    }
}

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

use super::shape::{
    DECLINED_LEN, DUPLICATE_CACHE, FIRST_HEARTBEAT, FLOOD_PUBLISH, GOSSIP_FACTOR, GOSSIP_LAZY, HEARTBEAT,
    HISTORY_GOSSIP, HISTORY_LEN, MESH_N, MESH_N_HIGH, MESH_N_LOW, MESH_OUTBOUND_MIN, MESSAGE_ID_LEN, PRUNE_BACKOFF,
};
use crate::engine::io::{GossipHandle, PublishOutcome, Verdict};
use crate::engine::wire::MAX_BATCH_LEN;

/// Messages waiting for one peer: at 32 KiB each this bounds a slow peer's queue to 16 MiB.
const PEER_QUEUE_LEN: usize = 512;

/// Message ids in one control message: 400 of 20 bytes stay below the 16 KiB at which receivers close the stream.
const MAX_CONTROL_MESSAGES: usize = 400;

/// Groups that one peer may subscribe to: letters bound a unit to 23 troops and the heads.
const MAX_TOPICS: usize = 64;

/// Messages that may wait for a verdict; more than the event queue and the engine hold together.
const MAX_PENDING: usize = 4096;

/// Bytes that one peer may have brought in vain or that wait for their verdict; then its gossip is not looked at. It is
/// what thirty of the largest messages take, or three thousand usual ones.
const MAX_BURDEN: usize = 32 * MAX_BATCH_LEN;

/// Bytes in vain that are forgiven a second: two of the largest messages, some milliseconds' work.
const FORGIVEN_PER_S: u64 = 2 * MAX_BATCH_LEN as u64;

/// How long it takes until one invalid message is forgiven.
const FORGIVING: Duration = Duration::from_secs(600);

/// What is left of it then; less counts for nothing.
const FORGIVEN_SHARE: f64 = 0.1;

/// How often scores are worked out anew: nothing in them is forgiven faster.
const SCORING_INTERVAL: Duration = Duration::from_secs(10);

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
    let scores = PeerScoreParams {
        ip_colocation_factor_weight: 0.0,
        decay_interval: SCORING_INTERVAL,
        decay_to_zero: FORGIVEN_SHARE,
        ..PeerScoreParams::default()
    };
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
        .flood_publish(FLOOD_PUBLISH)
        .mesh_outbound_min(MESH_OUTBOUND_MIN)
        .mesh_n_low(MESH_N_LOW)
        .mesh_n(MESH_N)
        .mesh_n_high(MESH_N_HIGH)
        .gossip_lazy(GOSSIP_LAZY)
        .gossip_factor(GOSSIP_FACTOR)
        .prune_backoff(PRUNE_BACKOFF)
        .duplicate_cache_time(DUPLICATE_CACHE)
        .heartbeat_interval(HEARTBEAT)
        .heartbeat_initial_delay(FIRST_HEARTBEAT)
        .history_length(HISTORY_LEN)
        .history_gossip(HISTORY_GOSSIP)
        .connection_handler_queue_len(PEER_QUEUE_LEN)
        .max_control_messages_sent(MAX_CONTROL_MESSAGES)
        .idontwant_message_size_threshold(DECLINED_LEN)
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
        invalid_message_deliveries_decay: gossipsub::score_parameter_decay_with_base(
            FORGIVING,
            SCORING_INTERVAL,
            FORGIVEN_SHARE,
        ),
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
        Verdict::Accept | Verdict::Firsthand => MessageAcceptance::Accept,
        Verdict::Ignore => MessageAcceptance::Ignore,
        Verdict::Reject => MessageAcceptance::Reject,
    }
}

/// Messages given out to be judged.
///
/// Each peer answers for what it brings: what waits for a verdict and what turned out to be of no use weighs on it until
/// time has forgiven that, and a peer that is overburdened is not listened to. A flood so costs the node what it costs to
/// throw it away.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    next: u64,
    waiting: BTreeMap<GossipHandle, Waiting>,
    /// Of peers only that have brought something in vain of late, or wait for a verdict.
    burdens: BTreeMap<PeerId, Burden>,
}

/// A message that has come in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Brought {
    /// Its id.
    pub(crate) id: MessageId,
    /// Who has brought it; not the author, perhaps.
    pub(crate) from: PeerId,
    /// Whether it is a sign of life, which is worth nothing when the next has come.
    pub(crate) is_beacon: bool,
}

#[derive(Debug)]
struct Waiting {
    brought: Brought,
    len: usize,
    since: Instant,
}

/// What weighs on a peer.
#[derive(Debug)]
struct Burden {
    waiting: usize,
    in_vain: usize,
    forgiven: Instant,
    told: bool,
}

/// Why a message is not given out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unheard {
    /// Too many wait.
    Full,
    /// Its bearer is overburdened; `news` the first time.
    Overburdened {
        /// Whether this has just begun.
        news: bool,
    },
}

impl Burden {
    fn forgive(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.forgiven);
        let us = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        let bytes = us.saturating_mul(FORGIVEN_PER_S) / 1_000_000;
        let forgiven = usize::try_from(bytes).unwrap_or(usize::MAX);
        if forgiven >= self.in_vain {
            (self.in_vain, self.forgiven) = (0, now);
        } else {
            self.in_vain -= forgiven;
            // What is less than a byte's time counts the next time.
            self.forgiven += Duration::from_micros(bytes.saturating_mul(1_000_000) / FORGIVEN_PER_S);
        }
    }
}

impl Pending {
    /// Names a message, unless too many wait already or its bearer is overburdened.
    pub(crate) fn insert(&mut self, brought: Brought, len: usize, now: Instant) -> Result<GossipHandle, Unheard> {
        if self.waiting.len() >= MAX_PENDING {
            return Err(Unheard::Full);
        }
        let new = || Burden { waiting: 0, in_vain: 0, forgiven: now, told: false };
        let burden = self.burdens.entry(brought.from).or_insert_with(new);
        burden.forgive(now);
        if burden.waiting.saturating_add(burden.in_vain).saturating_add(len) > MAX_BURDEN {
            return Err(Unheard::Overburdened { news: !std::mem::replace(&mut burden.told, true) });
        }
        burden.waiting += len;
        let handle = GossipHandle(self.next);
        self.next = self.next.wrapping_add(1);
        self.waiting.insert(handle, Waiting { brought, len, since: now });
        Ok(handle)
    }

    /// Takes the message that a verdict is about.
    pub(crate) fn take(&mut self, handle: GossipHandle, verdict: Verdict) -> Option<Brought> {
        let Waiting { brought, len, .. } = self.waiting.remove(&handle)?;
        self.settle(&brought.from, len, !matches!(verdict, Verdict::Accept | Verdict::Firsthand));
        Some(brought)
    }

    /// Takes a message back that nobody has looked at.
    pub(crate) fn withdraw(&mut self, handle: GossipHandle) {
        self.take(handle, Verdict::Accept);
    }

    fn settle(&mut self, from: &PeerId, len: usize, in_vain: bool) {
        if let Some(burden) = self.burdens.get_mut(from) {
            burden.waiting = burden.waiting.saturating_sub(len);
            burden.in_vain += if in_vain { len } else { 0 };
        }
    }

    /// Forgets messages that gossipsub has forgotten, and burdens that time has forgiven; returns how many messages.
    pub(crate) fn expire(&mut self, now: Instant) -> usize {
        let window = HEARTBEAT.saturating_mul(u32::try_from(HISTORY_LEN).unwrap_or(u32::MAX));
        let is_old = |_: &GossipHandle, waiting: &mut Waiting| now.saturating_duration_since(waiting.since) >= window;
        let forgotten: Vec<Waiting> = self.waiting.extract_if(.., is_old).map(|(_, waiting)| waiting).collect();
        for waiting in &forgotten {
            self.settle(&waiting.brought.from, waiting.len, false);
        }
        self.burdens.retain(|_, burden| {
            burden.forgive(now);
            burden.waiting + burden.in_vain > 0
        });
        forgotten.len()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn brought(from: PeerId) -> Brought {
        Brought { id: MessageId::new(b"id"), from, is_beacon: false }
    }

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
        let mut insert = |at| pending.insert(brought(from), 1, start + Duration::from_secs(at)).unwrap();
        let (early, late) = (insert(0), insert(5));
        assert_ne!(early, late);
        assert_eq!(pending.expire(start + Duration::from_secs(11)), 0);
        assert_eq!(pending.expire(start + Duration::from_secs(12)), 1);
        assert_eq!(pending.take(early, Verdict::Accept), None);
        assert_eq!(pending.take(late, Verdict::Accept), Some(brought(from)));
        assert_eq!(pending.take(late, Verdict::Accept), None);
    }

    #[test]
    fn messages_waiting_for_a_verdict_are_bounded() {
        let (mut pending, now) = (Pending::default(), Instant::now());
        let accepted =
            (0..MAX_PENDING + 10).filter(|_| pending.insert(brought(PeerId::random()), 1, now).is_ok()).count();
        assert_eq!(accepted, MAX_PENDING);
    }

    #[test]
    fn a_peer_that_brings_much_in_vain_is_not_listened_to_for_a_while_and_others_are() {
        let (mut pending, start) = (Pending::default(), Instant::now());
        let (flood, other) = (PeerId::random(), PeerId::random());
        let bring = |pending: &mut Pending, from, now| {
            let handle = pending.insert(brought(from), MAX_BATCH_LEN, now)?;
            pending.take(handle, if from == flood { Verdict::Ignore } else { Verdict::Accept });
            Ok::<(), Unheard>(())
        };
        let looked_at = (0..1000).filter(|_| bring(&mut pending, flood, start).is_ok()).count();
        assert_eq!(looked_at * MAX_BATCH_LEN, MAX_BURDEN);
        assert!((0..1000).all(|_| bring(&mut pending, other, start).is_ok()));
        // In the long run no more is looked at than is forgiven.
        let looked_at =
            (1..=10_000).filter(|ms| bring(&mut pending, flood, start + Duration::from_millis(*ms)).is_ok());
        let (looked_at, forgiven) = (looked_at.count() * MAX_BATCH_LEN, 10 * usize::try_from(FORGIVEN_PER_S).unwrap());
        assert!((forgiven - MAX_BATCH_LEN..=forgiven).contains(&looked_at), "{looked_at}");
    }

    #[test]
    fn that_a_peer_is_overburdened_is_news_once_and_forgotten_in_time() {
        let (mut pending, start) = (Pending::default(), Instant::now());
        let peer = PeerId::random();
        let insert = |pending: &mut Pending, now| pending.insert(brought(peer), MAX_BURDEN, now);
        let handle = insert(&mut pending, start).unwrap();
        assert_eq!(insert(&mut pending, start), Err(Unheard::Overburdened { news: true }));
        assert_eq!(insert(&mut pending, start), Err(Unheard::Overburdened { news: false }));
        pending.take(handle, Verdict::Reject);
        assert!(insert(&mut pending, start).is_err());
        let later = start + Duration::from_secs(60);
        assert_eq!(pending.expire(later), 0);
        assert!(pending.burdens.is_empty());
        insert(&mut pending, later).unwrap();
    }
}

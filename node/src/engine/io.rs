//! What goes into the engine and what comes out of it.

mod notice;

use std::collections::BTreeSet;
use std::sync::Arc;

use muster_keys::PublicKey;
use muster_roles::{Denial, EditError, GroupId, Roster, Timestamp};

pub use self::notice::Notice;
use super::change::{Change, ChangeError};
use super::delivery::Progress;
use super::draft::Draft;
use super::floors::Floors;
use super::join::{JoinAnswer, JoinAsk, JoinRequest};
use super::late::LateRows;
use super::order::Order;
use super::policy::Permitted;
use super::recall::Recall;
use super::store::{Fate, Shed};
use super::sync::{SessionId, SyncEffect, SyncId};
use super::time::UnixMillis;
use super::verify::Verified;
use super::view::Row;
use super::wire::RecordId;

/// Names one received gossip message until its verdict is given; the network side gives it out and understands it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GossipHandle(pub u64);

/// Names one request of a screen, so that its answer finds the way back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// Names one question of a device that asks to join, until it is answered; the network side gives it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JoinTicket(pub u64);

/// One thing that happened outside the engine.
#[derive(Debug)]
pub enum Input {
    /// The member wants to say something.
    Post {
        /// Comes back in [`Effect::Made`] or [`Effect::Refused`].
        request: RequestId,
        /// Where to.
        group: GroupId,
        /// What.
        draft: Draft,
        /// 24 fresh random bytes for the record's cipher.
        nonce: [u8; 24],
    },
    /// A gossip message came in on the topic of `group`; it waits for [`Effect::Verdict`].
    Gossip {
        /// The message to judge.
        handle: GossipHandle,
        /// The member from whose node it came.
        bearer: PublicKey,
        /// The topic's group.
        group: GroupId,
        /// The message: a list of records as they travel.
        bytes: Vec<u8>,
    },
    /// A beacon came in on the topic of presence; it waits for [`Effect::Verdict`].
    Beacon {
        /// The message to judge.
        handle: GossipHandle,
        /// The member from whose node it came.
        bearer: PublicKey,
        /// The beacon as it travels.
        bytes: Vec<u8>,
    },
    /// A batch given out by [`Effect::Append`] is on disk.
    Committed {
        /// What became of each record, in the batch's order.
        records: Vec<(Permitted, Fate)>,
    },
    /// A batch given out by [`Effect::Append`] is not on disk.
    CommitFailed {
        /// The records that were not stored.
        records: Vec<Permitted>,
    },
    /// The store has dropped something for [`Effect::Shed`].
    Shed {
        /// The times before which nothing of the groups that are carried for others is left.
        before: Floors,
    },
    /// An [`Effect::Publish`] has been carried out, or not.
    Published {
        /// The topic's group.
        group: GroupId,
        /// How it went.
        outcome: PublishOutcome,
    },
    /// A member became able to hear the topic of this group: what is forwarded from now on reaches it too.
    Listener {
        /// The topic's group.
        group: GroupId,
        /// The member.
        member: PublicKey,
    },
    /// Roster documents arrived from a peer, unverified.
    Documents {
        /// The documents as they travel.
        documents: Vec<Vec<u8>>,
    },
    /// The member wants to change the roster; answered by [`Effect::Changed`] or [`Effect::NotChanged`].
    Change {
        /// Comes back in the answer.
        request: RequestId,
        /// What.
        change: Change,
    },
    /// What [`Effect::Sign`] asked for: the signed documents, or why there are none.
    Signed(Result<Vec<Vec<u8>>, EditError>),
    /// A device that is no member asks to join; it waits for [`Effect::JoinAnswer`].
    Join {
        /// Names the question.
        ticket: JoinTicket,
        /// The device's key, proved.
        key: PublicKey,
        /// What it says.
        ask: JoinAsk,
    },
    /// The person turns a device away that asks to join.
    Dismiss(PublicKey),
    /// A member is connected and speaks gossip.
    MemberUp(PublicKey),
    /// A member's last connection is gone.
    MemberDown(PublicKey),
    /// A connected member has told what its clock shows, uncorrected.
    Clock {
        /// The member.
        member: PublicKey,
        /// What its clock showed.
        theirs: UnixMillis,
        /// What this device's clock showed at that moment, as nearly as it is known.
        ours: UnixMillis,
    },
    /// Gossip to this member was dropped, because it does not take it fast enough.
    Slow(PublicKey),
    /// What [`Effect::Count`] asked for.
    Recalled {
        /// The group.
        group: GroupId,
        /// What its stored records tell.
        recall: Recall,
    },
    /// The person has read a group.
    Read {
        /// The group.
        group: GroupId,
        /// The time of the newest message read.
        upto: Timestamp,
    },
    /// Something happened to synchronisation.
    Sync(SyncInput),
    /// Time has passed; wanted about once a second.
    Tick {
        /// A fresh random number.
        random: u64,
    },
}

/// One thing that happened to synchronisation.
#[derive(Debug)]
pub enum SyncInput {
    /// The names of all records of a group that the store held when the node started.
    Indexed {
        /// The group.
        group: GroupId,
        /// The names, in any order.
        names: Vec<SyncId>,
    },
    /// The store gave up records that the roster in force forbids.
    Withdrawn {
        /// Their group.
        group: GroupId,
        /// Their names.
        names: BTreeSet<SyncId>,
    },
    /// A stream is open.
    Opened {
        /// Names the session from now on.
        session: SessionId,
        /// The member at the other end.
        peer: PublicKey,
        /// Whether [`SyncEffect::Open`] asked for it; else the member did.
        leading: bool,
    },
    /// The stream that [`SyncEffect::Open`] asked for could not be opened.
    NotOpened(PublicKey),
    /// A frame came in.
    Frame {
        /// The session.
        session: SessionId,
        /// The frame as it travels.
        bytes: Vec<u8>,
    },
    /// What [`SyncEffect::Load`] asked for.
    Loaded {
        /// The session.
        session: SessionId,
        /// The records' group.
        group: GroupId,
        /// The records as they travel.
        records: Vec<Vec<u8>>,
    },
    /// What [`SyncEffect::Verify`] asked for: the records that are authentic.
    Verified {
        /// The session.
        session: SessionId,
        /// The group they are said to belong to.
        group: GroupId,
        /// Those that are authentic.
        records: Vec<Verified>,
        /// Whether one was not: the member has sent what it should have refused.
        forged: bool,
        /// Whether they end an answer.
        last: bool,
    },
    /// The stream is closed.
    Closed(SessionId),
}

/// How publishing a gossip message went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublishOutcome {
    /// At least one peer was given it.
    Sent,
    /// Nobody is there who listens to the topic; the records wait.
    NobodyListens,
    /// Some peers' queues were full; it may have reached others and must not be published again.
    Dropped,
}

/// What is to be told to the mesh about a gossip message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Valid: forward it.
    Accept,
    /// Valid, and all of it is its bearer's own, who gives what it says to everyone it is connected with: forward it a
    /// moment later, as most have it by then.
    Firsthand,
    /// Of no use now, and nobody's fault.
    Ignore,
    /// Invalid whoever judges it: the sender is scored down.
    Reject,
}

/// One thing for the world outside to do.
#[derive(Debug)]
pub enum Effect {
    /// Store these records in one commit, then answer [`Input::Committed`] or [`Input::CommitFailed`].
    Append(Vec<Permitted>),
    /// Publish these records as one gossip message, then answer [`Input::Published`].
    Publish {
        /// The topic's group.
        group: GroupId,
        /// The gossip message.
        message: Vec<u8>,
    },
    /// Publish this sign of life on the topic of presence; nobody waits for how that went.
    Beacon(Vec<u8>),
    /// What is known of the presence of a member has changed: it was heard, or has fallen silent.
    Presence(PublicKey),
    /// Answer a gossip message.
    Verdict {
        /// Which one.
        handle: GossipHandle,
        /// The answer.
        verdict: Verdict,
    },
    /// A stored record is to be shown.
    Show(Row),
    /// Records that synchronisation has brought are to be shown, together.
    ShowLate(Vec<LateRows>),
    /// Note in the store that others have these records of this member now.
    Sent {
        /// Their group.
        group: GroupId,
        /// Their times and ids.
        records: Vec<(Timestamp, RecordId)>,
    },
    /// A post has been made; it is stored once its record is committed.
    Made {
        /// The request of [`Input::Post`].
        request: RequestId,
        /// Where to.
        group: GroupId,
        /// The record's time.
        time: Timestamp,
        /// The record.
        id: RecordId,
    },
    /// Messages of this member have come further; what is shown as waiting is told by [`Effect::Sent`].
    Progress {
        /// Their group.
        group: GroupId,
        /// How far each has come.
        changes: Vec<(RecordId, Progress)>,
    },
    /// An order has been given, or answered.
    Order(Order),
    /// A post could not be made.
    Refused {
        /// The request of [`Input::Post`].
        request: RequestId,
        /// Why.
        reason: PostError,
    },
    /// Make and sign the documents of a change with this member's key, then answer [`Input::Signed`].
    ///
    /// Group keys are drawn and sealed with the system's randomness, which the engine has none of.
    Sign {
        /// The change; never [`Change::Adopt`].
        change: Change,
        /// The roster to be changed.
        roster: Arc<Roster>,
        /// The present, for the documents' time of issue.
        now: Timestamp,
    },
    /// A change of this member's is in force, or what it asked for was so already.
    Changed {
        /// The request of [`Input::Change`].
        request: RequestId,
        /// The roster before.
        before: Arc<Roster>,
        /// The roster now.
        roster: Arc<Roster>,
    },
    /// A change could not be made.
    NotChanged {
        /// The request of [`Input::Change`].
        request: RequestId,
        /// Why.
        reason: ChangeError,
    },
    /// Answer a device that asks to join.
    JoinAnswer {
        /// Which question.
        ticket: JoinTicket,
        /// The answer.
        answer: JoinAnswer,
    },
    /// The devices that ask to join are others than before.
    JoinRequests(Vec<JoinRequest>),
    /// The roster changed: keep it, tell the network who is a member now, and take out of the store what it forbids.
    RosterChanged(Arc<Roster>),
    /// Drop every record older than this.
    Prune {
        /// The oldest time that is kept.
        before: Timestamp,
    },
    /// Too much may be carried for others: drop the least urgent and oldest of it, and answer [`Input::Shed`] if
    /// there was any to drop.
    Shed(Shed),
    /// Go through all stored records of a group, then answer [`Input::Recalled`].
    Count(GroupId),
    /// Something for synchronisation.
    Sync(SyncEffect),
    /// Something a person should know.
    Notice(Notice),
}

/// Why a post was not made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PostError {
    /// The roster does not allow it.
    #[error("{0}")]
    Denied(Denial),
    /// Nothing is left of the text after trimming.
    #[error("the message is empty")]
    Empty,
    /// The text is too long.
    #[error("the message is {len} bytes long, at most {max} fit")]
    TooLong {
        /// Bytes after trimming.
        len: usize,
        /// The limit in bytes.
        max: usize,
    },
    /// This member holds no key of the group's current epoch.
    #[error("this device has no key of {group} yet")]
    NoKey {
        /// The group.
        group: GroupId,
    },
    /// More is being stored or waiting than the node is willing to hold.
    #[error("the node is busy storing earlier messages")]
    Busy,
    /// The store has failed and accepts nothing more.
    #[error("the store does not accept messages: the disk is full or failing")]
    StoreFailed,
    /// An answer to what is no order that is known here, or is this member's own.
    #[error("there is no such order to answer")]
    NoOrder,
    /// The device's random numbers or the cipher failed.
    #[error("the message could not be sealed")]
    Seal,
}

impl PostError {
    /// Returns what the member can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Denied(_) => Some("`:help` lists the groups you may post to"),
            Self::Empty => None,
            Self::NoOrder => Some("the orders that wait for your answer stand on top; `:help` lists how to answer"),
            Self::TooLong { .. } => Some("send it in parts"),
            Self::NoKey { .. } => Some("wait until the command node's newest roster has arrived"),
            Self::Busy => Some("send it again in a moment"),
            Self::StoreFailed => Some("make room on the disk and start the node again"),
            Self::Seal => Some("send it again"),
        }
    }
}

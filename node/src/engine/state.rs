//! The engine's state and how each input changes it.

mod clock;
mod confirming;
mod post;
mod receive;
mod roster;
mod sending;
mod storing;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use muster_keys::{Identity, PublicKey};
use muster_roles::{GroupId, Keyring, Roster, Timestamp};

use self::post::Post;
use super::carried::Carried;
use super::change::Changes;
use super::delivery::Deliveries;
use super::floors::Floors;
use super::held::Held;
use super::holes::Holes;
use super::io::{Effect, Input, SyncInput};
use super::join::{JoinRequest, Requests};
use super::late::Late;
use super::order::Orders;
use super::outbox::Outbox;
use super::policy::{Carry, Limiter};
use super::presence::Beacons;
use super::receipts::Receipts;
use super::recent::Recent;
use super::store::{CARRY_QUOTA_BYTES, Stored};
use super::sync::{SessionId, Sync, SyncEffect, SyncId};
use super::time::{Clock, UnitTime, UnixMillis};
use super::unsent::Unsent;
use super::verify::Roots;
use super::view::{Reader, Row, Unreadable};
use super::wire::RecordId;

/// Records that may wait for the store at once, 32 MiB at the very most; beyond it gossip is ignored, to come again
/// by synchronisation, and posts are refused.
const MAX_APPENDING: usize = 4096;

/// Documents from the future that are kept until their time: a charter and a few sheets.
const MAX_EARLY_DOCUMENTS: usize = 16;

/// What the engine must know of the store when it starts.
#[derive(Clone, Debug)]
pub struct Boot {
    /// This member's highest `seq` in each group.
    pub last_seq: BTreeMap<GroupId, u64>,
    /// The time of the newest stored record.
    pub newest: Timestamp,
    /// Which groups' records this node carries.
    pub carry: Carry,
    /// This member's records that nobody else had yet, oldest first in each group.
    pub waiting: Vec<Stored>,
    /// Bytes that may be stored of groups that the member may not read.
    pub quota_bytes: u64,
    /// The times before which nothing of them is left, because there was no room.
    pub floors: Floors,
    /// The member does not tell others how far it has read.
    pub is_discreet: bool,
}

impl Default for Boot {
    /// An empty store.
    fn default() -> Self {
        Self {
            last_seq: BTreeMap::new(),
            newest: Timestamp::ZERO,
            carry: Carry::default(),
            waiting: Vec::new(),
            quota_bytes: CARRY_QUOTA_BYTES,
            floors: Floors::NONE,
            is_discreet: false,
        }
    }
}

/// Everything a node knows and decides by.
#[derive(Debug)]
pub struct State {
    identity: Identity,
    me: PublicKey,
    roster: Arc<Roster>,
    keyring: Keyring,
    clock: Clock,
    unit_time: UnitTime,
    /// When what is older than the week was last dropped.
    pruned: Option<UnixMillis>,
    last_seq: BTreeMap<GroupId, u64>,
    outbox: Outbox,
    unsent: Unsent,
    /// Messages shown as waiting that somebody has now, and the person has not been told of.
    sent_untold: u64,
    /// What the store is to note as sent.
    sent_unnoted: BTreeMap<GroupId, Vec<(Timestamp, RecordId)>>,
    limiter: Limiter,
    recent: Recent,
    held: Held,
    early_documents: Vec<Vec<u8>>,
    changes: Changes,
    /// When it was last looked for epochs that are old.
    aged: Option<UnixMillis>,
    /// When this member was last told of keys that it cannot replace alone.
    told_old_keys: Option<UnixMillis>,
    /// Devices that ask to join.
    requests: Requests,
    carry: Carry,
    carried: Carried,
    sync: Sync,
    late: Late,
    holes: Holes,
    receipts: Receipts,
    deliveries: Deliveries,
    orders: Orders,
    /// How many members read each group that this one reads.
    readers: BTreeMap<GroupId, usize>,
    beacons: Beacons,
    /// When a member last came while none was there.
    joined: UnixMillis,
    /// Members to compare with as soon as so many batches are stored, which came before these could hear of them.
    meeting: BTreeMap<PublicKey, usize>,
    /// Where the records that are being stored came from, in the order in which the store answers for them.
    appending: VecDeque<Batch>,
    /// Of these, the batches of this member's own making.
    own_appending: usize,
    /// Posts that wait for those to be stored: fewer than are made at once.
    posts: Vec<Post>,
    roots: Roots,
    store_failed: bool,
}

/// Records handed to the store together.
#[derive(Debug)]
struct Batch {
    left: usize,
    new: usize,
    /// Whether this member has just made them.
    is_own: bool,
    /// The session that brought them, and whether they end an answer in it.
    session: Option<(SessionId, bool)>,
}

fn sync_effects(effects: Vec<SyncEffect>) -> Vec<Effect> {
    effects.into_iter().map(Effect::Sync).collect()
}

impl State {
    /// Starts from the roster in force and what the store holds.
    #[must_use]
    pub fn new(identity: Identity, roster: Arc<Roster>, boot: Boot) -> Self {
        let me = identity.public();
        let keyring = roster.open_keys(&identity);
        let clock = Clock::new(roster.issued().max(boot.newest));
        let mut state = Self {
            identity,
            me,
            roster,
            keyring,
            clock,
            unit_time: UnitTime::default(),
            pruned: None,
            last_seq: boot.last_seq,
            outbox: Outbox::default(),
            unsent: Unsent::default(),
            sent_untold: 0,
            sent_unnoted: BTreeMap::new(),
            limiter: Limiter::default(),
            recent: Recent::default(),
            held: Held::default(),
            early_documents: Vec::new(),
            changes: Changes::default(),
            aged: None,
            told_old_keys: None,
            requests: Requests::default(),
            carry: boot.carry,
            carried: Carried::new(boot.quota_bytes, boot.floors),
            sync: Sync::default(),
            late: Late::default(),
            holes: Holes::default(),
            receipts: Receipts::new(boot.is_discreet),
            deliveries: Deliveries::default(),
            orders: Orders::new(me),
            readers: BTreeMap::new(),
            beacons: Beacons::default(),
            joined: UnixMillis(0),
            meeting: BTreeMap::new(),
            appending: VecDeque::new(),
            own_appending: 0,
            posts: Vec::new(),
            roots: Roots::default(),
            store_failed: false,
        };
        boot.waiting.iter().for_each(|stored| state.wait_on(stored));
        state
    }

    /// Says what is to be done before anything has happened.
    pub fn start(&mut self) -> Vec<Effect> {
        let groups = self.carry.groups(&self.roster, &self.me);
        let mut effects = sync_effects(self.sync.carry(groups));
        if let Some(member) = self.roster.member(&self.me) {
            let own: Vec<GroupId> = self.roster.groups().filter(|group| member.role.may_read(group)).cloned().collect();
            self.count_readers(&own);
            effects.extend(self.holes.watch(own.iter().cloned()).into_iter().map(Effect::Count));
            self.carried.set_own(own.into_iter().collect());
            effects.push(Effect::Shed(self.carried.shed()));
        }
        self.sync.set_floors(|group| self.carried.floors(group));
        effects
    }

    /// Takes in one thing that happened when this device's clock showed `wall`, and says what is to be done about it.
    pub fn handle(&mut self, input: Input, wall: UnixMillis) -> Vec<Effect> {
        let before = self.unit_time.now(wall);
        let mut effects = self.take_in(input, before);
        let now = self.unit_time.now(wall);
        // Where the unit's time has just been learned, what is remembered of the old time moves along.
        self.joined = UnixMillis(now.0.saturating_sub(before.0.saturating_sub(self.joined.0)));
        effects.extend(self.show_late(now));
        effects
    }

    fn take_in(&mut self, input: Input, now: UnixMillis) -> Vec<Effect> {
        match input {
            Input::Post { request, group, draft, nonce } => self.on_post(Post { request, group, draft, nonce }, now),
            Input::Gossip { handle, bearer, group, bytes } => self.on_gossip(handle, &bearer, &group, &bytes, now),
            Input::Beacon { handle, bearer, bytes } => {
                let (verdict, heard) = self.beacons.judge(&bytes, &bearer, &self.roster, &self.me, now);
                let heard = heard.map(Effect::Presence);
                [Effect::Verdict { handle, verdict }].into_iter().chain(heard).collect()
            }
            Input::Committed { records } => self.on_committed(&records, now),
            Input::CommitFailed { records } => self.on_commit_failed(&records, now),
            Input::Shed { before } => {
                self.carried.raise(before);
                self.sync.set_floors(|group| self.carried.floors(group));
                self.sync.dropped(&before, |group| self.carried.is_own(group));
                Vec::new()
            }
            Input::Published { group, outcome } => self.on_published(&group, outcome, now),
            Input::Listener { group, member } => {
                self.outbox.listener(&group);
                let published = self.publish(&group);
                published.into_iter().chain(self.meet(member)).collect()
            }
            Input::Documents { documents } => self.on_documents(documents, now),
            Input::Change { request, change } => self.on_change(Some(request), change, now),
            Input::Signed(result) => self.on_signed(result, now),
            Input::Join { ticket, key, ask } => self.on_join(ticket, key, ask, now),
            Input::Dismiss(key) => self.on_dismiss(&key, now),
            Input::MemberUp(peer) => {
                self.unit_time.member_up(peer);
                if self.sync.is_alone() {
                    self.joined = now;
                    self.beacons.hurry();
                }
                self.sync.member_up(&self.me, peer, now);
                self.meet(peer)
            }
            Input::MemberDown(peer) => {
                self.meeting.remove(&peer);
                self.unit_time.member_down(&peer);
                self.sync.member_down(&peer);
                Vec::new()
            }
            Input::Clock { member, theirs, ours } => self.on_clock(&member, theirs, ours),
            Input::Slow(peer) => sync_effects(self.sync.lost(peer, now)),
            Input::Recalled { group, recall } => self.on_recalled(&group, recall, now),
            Input::Read { group, upto } => {
                self.receipts.read(&group, upto);
                Vec::new()
            }
            Input::Sync(input) => self.on_sync(input, now),
            Input::Tick { random } => self.on_tick(now, random),
        }
    }

    /// Returns this member's key.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        self.me
    }

    /// Returns how many milliseconds ago the last sign of life of a member came, near or far, and whether they come as
    /// they should.
    #[must_use]
    pub fn heard_of(&self, member: &PublicKey, wall: UnixMillis) -> Option<(u64, bool)> {
        let now = self.unit_time.peek(wall);
        let silent_ms = now.0.saturating_sub(self.beacons.heard(member)?.at.0);
        Some((silent_ms, self.beacons.is_online(member, self.members(), now)))
    }

    /// Returns which groups' records a member's node carries, as far as it has said.
    #[must_use]
    pub fn carry_of(&self, member: &PublicKey) -> Option<Carry> {
        self.beacons.heard(member).map(|heard| heard.carry)
    }

    /// Returns the roster in force.
    #[must_use]
    pub fn roster(&self) -> &Arc<Roster> {
        &self.roster
    }

    /// Returns what turns stored records into rows for this member.
    #[must_use]
    pub fn reader(&self) -> Reader<'_> {
        Reader { roster: &self.roster, keyring: &self.keyring, me: &self.me }
    }

    /// Turns a stored record into a row for this member, which says whether the record waits.
    ///
    /// # Errors
    /// [`Unreadable`] says why it is not to be shown.
    pub fn row(&self, stored: &Stored) -> Result<Row, Unreadable> {
        let row = self.reader().row(stored)?;
        Ok(if self.unsent.is_waiting(&row) { row.into_waiting() } else { self.with_progress(row) })
    }

    /// Says how far a row of this member's own has come.
    fn with_progress(&self, row: Row) -> Row {
        match self.progress(row.group(), &row.id()) {
            Some(progress) if row.mine() => row.into_progress(progress),
            _ => row,
        }
    }

    /// Returns how many of this member's own messages wait, as nobody else is known to have them.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.unsent.waiting()
    }

    /// Tells whether the row's record is this member's own and waits.
    #[must_use]
    pub fn is_waiting(&self, row: &Row) -> bool {
        self.unsent.is_waiting(row)
    }

    /// Tells whether the store has failed and nothing more is accepted.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.store_failed
    }

    /// Returns the devices that ask to join and that this member may admit, the oldest first.
    pub fn join_requests(&mut self, wall: UnixMillis) -> Vec<JoinRequest> {
        let now = self.unit_time.now(wall);
        self.requests.list(now)
    }

    /// Tells whether everything posted has been stored, and somebody has it.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.is_stored() && self.unsent.is_empty()
    }

    /// Tells whether everything posted has been stored.
    #[must_use]
    pub fn is_stored(&self) -> bool {
        self.appending.is_empty() && self.posts.is_empty()
    }

    /// Counts the members.
    fn members(&self) -> usize {
        self.roster.current().count(|_| true)
    }

    /// Tells whether gossip has been given all that is posted and that anybody listens to.
    #[must_use]
    pub fn is_published(&self) -> bool {
        self.outbox.is_at_rest()
    }

    fn appending(&self) -> usize {
        self.appending.iter().map(|batch| batch.left).sum()
    }

    fn on_sync(&mut self, input: SyncInput, now: UnixMillis) -> Vec<Effect> {
        let present = UnixMillis(self.clock.present(now).ms());
        let effects = match input {
            SyncInput::Indexed { group, names } => self.sync.indexed(&group, names),
            SyncInput::Withdrawn { group, names } => {
                self.sync.withdraw(&group, &names);
                self.unsent.forget(&group, &names);
                let is_gone = |time, id: &_| names.contains(&SyncId::new(time, id));
                self.orders.withdraw(&group, is_gone);
                self.late.withdraw(&group, is_gone);
                Vec::new()
            }
            SyncInput::Opened { session, peer, .. } if self.roster.member(&peer).is_none() => {
                vec![SyncEffect::Close(session)]
            }
            SyncInput::Opened { session, peer, leading } => {
                self.sync.opened(session, peer, leading, &self.me, (now, present), &self.unsent)
            }
            SyncInput::NotOpened(peer) => self.sync.not_opened(&peer, now),
            SyncInput::Frame { session, bytes } => return self.on_frame(session, &bytes),
            SyncInput::Loaded { session, group, records } => return self.on_loaded(session, &group, records),
            SyncInput::Verified { session, group, records, forged, last } => {
                return self.on_brought(session, &group, records, forged, last, now);
            }
            SyncInput::Closed(session) => self.sync.closed(session, now),
        };
        sync_effects(effects)
    }

    fn on_tick(&mut self, now: UnixMillis, random: u64) -> Vec<Effect> {
        let mut effects = self.keep_time(now);
        effects.extend(sync_effects(self.sync.tick(now, random)));
        if !self.early_documents.is_empty() {
            let documents = std::mem::take(&mut self.early_documents);
            effects.extend(self.on_documents(documents, now));
        }
        effects.extend(self.end_old_epochs(now));
        effects.extend(self.tell_old_keys(now));
        if self.requests.expire(now) {
            effects.push(Effect::JoinRequests(self.requests.list(now)));
        }
        for group in self.outbox.retry() {
            effects.extend(self.publish(&group));
        }
        effects.extend(self.give_verdicts_up(now));
        if !self.sync.is_alone() && self.roster.member(&self.me).is_some() {
            let beacon = self.beacons.next(&self.identity, &self.roster, self.carry, random, now);
            effects.extend(beacon.map(Effect::Beacon));
        }
        let silent = self.beacons.fallen_silent(self.members(), now);
        effects.extend(silent.into_iter().map(Effect::Presence));
        effects.extend(self.report_sent());
        effects.extend(self.report_holes(now));
        effects.extend(self.confirm_due(now, random));
        effects.extend(self.remind(now));
        effects
    }
}

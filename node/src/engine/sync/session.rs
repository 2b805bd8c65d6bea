//! One session: the leader compares and asks, the other side answers.

use std::collections::{BTreeMap, BTreeSet};

use muster_roles::{GroupId, Timestamp};
use negentropy::{Id, Negentropy};

use super::frame::{Frame, FrameError, MAX_ROUND_LEN, MAX_WANTED, answer};
use super::index::{Index, SyncId};
use crate::engine::floors::Floors;
use crate::engine::unsent::Unsent;

/// Questions under way at once: while one answer is on its way, one is checked on each of two cores and one is stored.
const MAX_WANTS: usize = 4;

/// Frames of records that wait to be checked and stored: every record asked for in one of its own, and a last one that is
/// empty of each answer. In usual frames it is a tenth of that.
const MAX_STORING: usize = MAX_WANTS * (MAX_WANTED + 1);

/// Names of lacking records that a session keeps, 48 MiB; what is beyond is left to the next session.
const MAX_NAMES: usize = 1_000_000;

/// Rounds of comparing in a session: what a million records at one side only need, with room to spare.
const MAX_ROUNDS: u32 = 8192;

/// What a session wants done.
#[derive(Debug)]
pub(super) enum Step {
    /// Send this.
    Send(Frame),
    /// Read these from the store.
    Load(GroupId, Vec<SyncId>),
    /// Check these.
    Verify { group: GroupId, records: Vec<Vec<u8>>, last: bool },
    /// The other side has what is not here: compare with it.
    Wish,
    /// The other side has these, which nobody else was known to have.
    Held(GroupId, BTreeSet<SyncId>),
    /// There is nothing left to do.
    Finish,
}

/// Why a session cannot go on; the other side is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Broken {
    /// Bytes that are no frame.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// A comparing message that cannot be.
    #[error("a round of comparing does not read")]
    Round,
    /// A frame that this side did not wait for.
    #[error("a frame that nobody waits for")]
    Unexpected,
    /// More than a session may cost.
    #[error("over a session's bounds")]
    TooMuch,
}

/// One side of a session.
#[derive(Debug)]
pub(super) enum Session {
    Leading(Leading),
    Following(Following),
}

/// The side that compares and asks.
#[derive(Debug)]
pub(super) struct Leading {
    to: Timestamp,
    /// Groups that are still being compared, and from which times on.
    comparing: BTreeMap<GroupId, Floors>,
    rounds: u32,
    /// Names that comparing has brought up, and groups that it is done with.
    learned: usize,
    /// What this side lacks; the most urgent last once all is compared, and of one rank the newest.
    lacking: Vec<(SyncId, GroupId)>,
    /// Whether the other side lacks something.
    other_lacks: bool,
    wants: usize,
    /// Frames of records that are being checked or stored, in no certain order.
    storing: usize,
    /// Records that nobody else is known to have, as far as this comparison has not found them missing.
    unsent: BTreeMap<GroupId, BTreeSet<SyncId>>,
}

/// The side that answers.
#[derive(Debug, Default)]
pub(super) struct Following {
    rounds: u32,
    /// Answers being read from the store.
    answering: usize,
}

impl Session {
    pub(super) fn lead(
        indexes: &BTreeMap<GroupId, Index>,
        (from, to): (Timestamp, Timestamp),
        unsent: &Unsent,
    ) -> Self {
        let since = |index: &Index| Floors::at(from).max(index.floors());
        let stored = |(group, index): (&GroupId, &Index)| {
            let since = since(index);
            let names = unsent.names(group, since.lowest(), to).into_iter();
            (group.clone(), names.filter(|name| since.keep_name(name) && index.contains(name)).collect())
        };
        Self::Leading(Leading {
            to,
            comparing: indexes.iter().map(|(group, index)| (group.clone(), since(index))).collect(),
            rounds: 0,
            learned: 0,
            lacking: Vec::new(),
            other_lacks: false,
            wants: 0,
            storing: 0,
            unsent: indexes.iter().map(stored).collect(),
        })
    }

    pub(super) fn follow() -> Self {
        Self::Following(Following::default())
    }

    pub(super) fn is_leading(&self) -> bool {
        matches!(self, Self::Leading(_))
    }

    /// Gives up what lies beyond the floors, which have risen: it would be dropped as soon as it came.
    pub(super) fn narrow(&mut self, indexes: &BTreeMap<GroupId, Index>) {
        if let Self::Leading(leading) = self {
            leading
                .lacking
                .retain(|(name, group)| indexes.get(group).is_none_or(|index| index.floors().keep_name(name)));
        }
    }

    /// Returns what grows as long as comparing gets on.
    pub(super) fn learned(&self) -> usize {
        match self {
            Self::Leading(leading) => leading.learned,
            Self::Following(_) => 0,
        }
    }

    /// Opens the comparison of every group at once: of two nodes in step, one round trip settles all.
    pub(super) fn compare_all(&self, indexes: &BTreeMap<GroupId, Index>) -> Result<Vec<Step>, Broken> {
        let Self::Leading(leading) = self else { return Err(Broken::Unexpected) };
        let open = |(group, from): (&GroupId, &Floors)| Some(leading.open(group, *from, indexes.get(group)?));
        let steps: Vec<Step> = leading.comparing.iter().filter_map(open).collect();
        Ok(if steps.is_empty() { vec![Step::Finish] } else { steps })
    }

    pub(super) fn on_frame(
        &mut self,
        frame: Frame,
        indexes: &BTreeMap<GroupId, Index>,
        is_refused: impl Fn(&GroupId, &SyncId) -> bool,
    ) -> Result<Vec<Step>, Broken> {
        match (self, frame) {
            (Self::Leading(leading), Frame::Compared { group, round }) => {
                leading.on_compared(group, &round, indexes, is_refused)
            }
            (Self::Leading(leading), Frame::Since { group, from }) => leading.on_since(&group, from, indexes),
            (Self::Leading(leading), Frame::Records { group, records, last }) => {
                leading.on_records(group, records, last)
            }
            (Self::Following(following), Frame::Compare { group, from, to, round }) => {
                following.on_compare(group, (from, to), &round, indexes)
            }
            (Self::Following(following), Frame::Want { group, names }) => following.on_want(group, names, indexes),
            (Self::Following(_), Frame::Behind) => Ok(vec![Step::Wish]),
            _ => Err(Broken::Unexpected),
        }
    }

    /// Sends on what was read from the store.
    pub(super) fn on_loaded(&mut self, group: &GroupId, records: Vec<Vec<u8>>) -> Result<Vec<Step>, Broken> {
        let Self::Following(following) = self else { return Err(Broken::Unexpected) };
        following.answering = following.answering.saturating_sub(1);
        Ok(answer(group, records).into_iter().map(Step::Send).collect())
    }

    /// A frame of records is stored; the last of an answer makes room for the next question.
    pub(super) fn on_stored(&mut self, last: bool) -> Result<Vec<Step>, Broken> {
        let Self::Leading(leading) = self else { return Err(Broken::Unexpected) };
        leading.storing = leading.storing.saturating_sub(1);
        leading.wants = leading.wants.saturating_sub(usize::from(last));
        Ok(leading.ask())
    }
}

impl Leading {
    /// Opens the comparison of a group.
    fn open(&self, group: &GroupId, from: Floors, index: &Index) -> Step {
        let round = index.window(&from, self.to).opening();
        Step::Send(Frame::Compare { group: group.clone(), from, to: self.to, round })
    }

    /// The other side keeps less of a group: what it has dropped is not missing there, so the comparison begins anew.
    fn on_since(
        &mut self,
        group: &GroupId,
        since: Floors,
        indexes: &BTreeMap<GroupId, Index>,
    ) -> Result<Vec<Step>, Broken> {
        let from = self.comparing.get_mut(group).ok_or(Broken::Unexpected)?;
        if since == *from || since != from.max(since) {
            return Err(Broken::Unexpected);
        }
        *from = since;
        self.rounds += 1;
        if let Some(unsent) = self.unsent.get_mut(group) {
            // Whether the other side ever had these, it does not say.
            unsent.retain(|name| since.keep_name(name));
        }
        match indexes.get(group) {
            Some(index) if since.lowest() < self.to && self.rounds < MAX_ROUNDS => {
                Ok(vec![self.open(group, since, index)])
            }
            _ => Ok(self.settled(group)),
        }
    }

    fn on_compared(
        &mut self,
        group: GroupId,
        round: &[u8],
        indexes: &BTreeMap<GroupId, Index>,
        is_refused: impl Fn(&GroupId, &SyncId) -> bool,
    ) -> Result<Vec<Step>, Broken> {
        let from = *self.comparing.get(&group).ok_or(Broken::Unexpected)?;
        self.rounds += 1;
        let is_carried = !round.is_empty();
        let next = match indexes.get(&group) {
            Some(index) if is_carried => self.compare_on(&group, from, round, index, is_refused)?,
            // Not carried at the other end, or not here any more.
            _ => None,
        };
        let is_cut_off = next.is_some();
        if let Some(round) = next
            && self.rounds < MAX_ROUNDS
        {
            return Ok(vec![Step::Send(Frame::Compare { group, from, to: self.to, round })]);
        }
        let unsent = self.unsent.remove(&group).filter(|names| is_carried && !is_cut_off && !names.is_empty());
        let held = unsent.map(|names| Step::Held(group.clone(), names));
        Ok(held.into_iter().chain(self.settled(&group)).collect())
    }

    /// Nothing more is to be found out about a group; after the last one it is asked for what is lacking.
    fn settled(&mut self, group: &GroupId) -> Vec<Step> {
        self.comparing.remove(group);
        self.learned += 1;
        if !self.comparing.is_empty() {
            return Vec::new();
        }
        // The most urgent last, and of one rank the newest.
        // Of one instant group by group: a question is about one group, and ids are as good as random.
        self.lacking.sort_by_key(|(name, group)| (name.rank(), name.time(), group.clone(), *name));
        self.lacking.dedup();
        let behind = self.other_lacks.then_some(Step::Send(Frame::Behind));
        behind.into_iter().chain(self.ask()).collect()
    }

    /// Learns from one round what either side lacks; returns the next one, if there is still something to find out.
    fn compare_on(
        &mut self,
        group: &GroupId,
        from: Floors,
        round: &[u8],
        index: &Index,
        is_refused: impl Fn(&GroupId, &SyncId) -> bool,
    ) -> Result<Option<Vec<u8>>, Broken> {
        let window = index.window(&from, self.to);
        let mut negentropy = Negentropy::borrowed(&window, MAX_ROUND_LEN).map_err(|_| Broken::Round)?;
        negentropy.set_initiator();
        let (mut here, mut there) = (Vec::new(), Vec::new());
        let next = negentropy.reconcile_with_ids(round, &mut here, &mut there).map_err(|_| Broken::Round)?;
        self.other_lacks |= !here.is_empty();
        self.learned = self.learned.saturating_add(here.len()).saturating_add(there.len());
        if let Some(unsent) = self.unsent.get_mut(group).filter(|unsent| !unsent.is_empty()) {
            for id in &here {
                unsent.remove(&SyncId::from_bytes(*id.as_bytes()));
            }
        }
        let room = MAX_NAMES.saturating_sub(self.lacking.len());
        let names = there.iter().map(|id: &Id| SyncId::from_bytes(*id.as_bytes()));
        let kept = from.max(index.floors());
        let in_window = |name: &SyncId| kept.keep_name(name) && name.time() < self.to;
        let wanted = names.filter(|name| in_window(name) && !is_refused(group, name)).take(room);
        self.lacking.extend(wanted.map(|name| (name, group.clone())).collect::<Vec<_>>());
        Ok(next)
    }

    fn on_records(&mut self, group: GroupId, records: Vec<Vec<u8>>, last: bool) -> Result<Vec<Step>, Broken> {
        if self.wants == 0 {
            return Err(Broken::Unexpected);
        }
        if self.storing >= MAX_STORING {
            return Err(Broken::TooMuch);
        }
        self.storing += 1;
        Ok(vec![Step::Verify { group, records, last }])
    }

    /// Asks for as much as may be under way, the most urgent first and then the newest; finishes when nothing is left.
    fn ask(&mut self) -> Vec<Step> {
        let mut steps = Vec::new();
        while self.wants < MAX_WANTS
            && let Some((group, names)) = take_newest(&mut self.lacking)
        {
            self.wants += 1;
            steps.push(Step::Send(Frame::Want { group, names }));
        }
        if self.wants == 0 && self.storing == 0 {
            steps.push(Step::Finish);
        }
        steps
    }
}

/// Takes the most urgent names, all of one group, off the end of a list that has them last.
fn take_newest(names: &mut Vec<(SyncId, GroupId)>) -> Option<(GroupId, Vec<SyncId>)> {
    let group = names.last()?.1.clone();
    let in_run = names.iter().rev().take(MAX_WANTED).take_while(|(_, other)| *other == group).count();
    let taken = names.split_off(names.len() - in_run);
    Some((group, taken.into_iter().rev().map(|(name, _)| name).collect()))
}

impl Following {
    fn on_compare(
        &mut self,
        group: GroupId,
        (from, to): (Floors, Timestamp),
        round: &[u8],
        indexes: &BTreeMap<GroupId, Index>,
    ) -> Result<Vec<Step>, Broken> {
        self.rounds += 1;
        if self.rounds > MAX_ROUNDS {
            return Err(Broken::TooMuch);
        }
        let round = match indexes.get(&group) {
            None => Vec::new(),
            Some(index) if from.max(index.floors()) != from => {
                return Ok(vec![Step::Send(Frame::Since { group, from: from.max(index.floors()) })]);
            }
            Some(index) => index.window(&from, to).answer(round).map_err(|_| Broken::Round)?,
        };
        Ok(vec![Step::Send(Frame::Compared { group, round })])
    }

    fn on_want(
        &mut self,
        group: GroupId,
        names: Vec<SyncId>,
        indexes: &BTreeMap<GroupId, Index>,
    ) -> Result<Vec<Step>, Broken> {
        self.answering += 1;
        if self.answering > MAX_WANTS || !indexes.contains_key(&group) {
            return Err(Broken::TooMuch);
        }
        Ok(vec![Step::Load(group, names)])
    }
}

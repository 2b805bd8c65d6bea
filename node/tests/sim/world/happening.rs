//! What happens, and when: the queue of the world, its steps, and the passing of time.

use muster::engine::draft::Draft;
use muster::engine::io::{Input, PublishOutcome, RequestId, SyncInput};
use muster::engine::recall::Recall;
use muster::engine::sync::SessionId;
use muster::engine::time::UnixMillis;
use muster_roles::{EditError, GroupId, Timestamp};

use super::World;

pub enum Happening {
    Say { node: usize, group: GroupId, draft: Draft },
    Gossip { node: usize, bearer: usize, group: Option<GroupId>, message: Vec<u8> },
    Forward { node: usize, group: Option<GroupId>, message: Vec<u8> },
    Work { node: usize },
    Published { node: usize, group: GroupId, outcome: PublishOutcome },
    Tick { node: usize },
    Meet { a: usize, b: usize },
    Up { node: usize, other: usize },
    Hears { node: usize, other: usize },
    Documents { node: usize, documents: Vec<Vec<u8>> },
    Part { a: usize, b: usize },
    Leave { a: usize, b: usize },
    Recalled { node: usize, group: GroupId, recall: Recall },
    Sync { node: usize, input: SyncInput },
    Signed { node: usize, signed: Result<Vec<Vec<u8>>, EditError> },
}

impl Happening {
    /// The node that this is lost on unless it still runs as it did when this was on its way.
    fn bound_to(&self) -> Option<usize> {
        match self {
            Self::Say { .. } | Self::Tick { .. } | Self::Meet { .. } | Self::Part { .. } | Self::Leave { .. } => None,
            Self::Gossip { node, .. }
            | Self::Forward { node, .. }
            | Self::Work { node }
            | Self::Published { node, .. }
            | Self::Up { node, .. }
            | Self::Hears { node, .. }
            | Self::Documents { node, .. }
            | Self::Recalled { node, .. }
            | Self::Sync { node, .. }
            | Self::Signed { node, .. } => Some(*node),
        }
    }
}

impl World {
    /// A member says something after so many milliseconds.
    pub fn say(&mut self, after_ms: u64, node: usize, group: &GroupId, text: &str) {
        self.post(after_ms, node, group, Draft::text(text));
    }

    /// A member posts something after so many milliseconds.
    pub fn post(&mut self, after_ms: u64, node: usize, group: &GroupId, draft: Draft) {
        self.schedule(after_ms, Happening::Say { node, group: group.clone(), draft });
    }

    /// The person at a node has read a group up to a time.
    pub fn read(&mut self, node: usize, group: &GroupId, upto: Timestamp) {
        self.feed(node, Input::Read { group: group.clone(), upto });
    }

    /// A message made elsewhere reaches a node, as a patched client would send it.
    pub fn inject(&mut self, after_ms: u64, node: usize, group: &GroupId, message: Vec<u8>) {
        // Borne by no author: a node has nothing of its own from others.
        self.schedule(after_ms, Happening::Gossip { node, bearer: node, group: Some(group.clone()), message });
    }

    pub fn schedule(&mut self, after_ms: u64, happening: Happening) {
        self.counter += 1;
        let life = happening.bound_to().map(|node| (node, self.nodes[node].life));
        self.queue.insert((self.now.0 + after_ms, self.counter), (life, happening));
    }

    /// Lets everything happen that is going to; safety holds after every step.
    pub fn run(&mut self) {
        self.run_until(u64::MAX);
    }

    /// Lets everything happen that is going to up to a time.
    pub fn run_until(&mut self, end: u64) {
        let mut steps = 0_u64;
        while let Some(entry) = self.queue.first_entry().filter(|entry| entry.key().0 <= end) {
            let ((at, _), (life, happening)) = entry.remove_entry();
            steps += 1;
            assert!(steps < 2_000_000, "the simulation does not come to rest");
            self.now = UnixMillis(at);
            if life.is_none_or(|(node, life)| self.nodes[node].is_up && self.nodes[node].life == life) {
                self.happen(happening);
            }
        }
    }

    /// Lets so much time pass, with a tick a second for everyone.
    pub fn pass(&mut self, ms: u64) {
        let end = self.now.0 + ms;
        for second in 1..=ms / 1000 {
            (0..self.nodes.len()).for_each(|node| self.schedule(second * 1000, Happening::Tick { node }));
        }
        self.run_until(end);
        self.now = UnixMillis(end);
        // What has just been asked for is done too, so that a scene can look at it.
        while let Some(node) = (0..self.nodes.len()).find(|node| self.nodes[*node].store.jobs() > 0) {
            self.work(node);
        }
    }

    /// Lets so much time pass without more ticks.
    pub fn pass_quietly(&mut self, ms: u64) {
        let end = self.now.0 + ms;
        self.run_until(end);
        self.now = UnixMillis(end);
    }

    /// Lets so much time pass in which nobody does anything.
    pub fn jump(&mut self, ms: u64) {
        self.run();
        self.now = UnixMillis(self.now.0 + ms);
    }

    pub fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Say { node, .. } | Happening::Tick { node } if !self.nodes[node].is_up => {}
            Happening::Meet { a, b } if !self.may_meet(a, b) => {}
            Happening::Say { node, group, draft } => {
                let mut nonce = [0; 24];
                self.rng.fill(&mut nonce);
                self.feed(node, Input::Post { request: RequestId(0), group, draft, nonce });
            }
            Happening::Gossip { node, bearer, group, message } => self.hear(node, bearer, group, message),
            Happening::Forward { node, group, message } => self.spread(node, group.as_ref(), &message),
            Happening::Work { node } => self.work(node),
            Happening::Published { node, group, outcome } => self.feed(node, Input::Published { group, outcome }),
            Happening::Tick { node } => {
                let random = self.rng.u64(..);
                self.feed(node, Input::Tick { random });
            }
            Happening::Meet { a, b } => {
                for node in [a, b] {
                    self.tell_roster(node, &self.nodes[node].state.roster().clone());
                }
                for (node, other) in [(a, b), (b, a)] {
                    self.feed(node, Input::MemberUp(self.key(other)));
                    self.compare_clocks(node, other);
                    if self.minds_listeners {
                        self.hears(node, other);
                    }
                }
            }
            Happening::Up { node, other } => {
                self.feed(node, Input::MemberUp(self.key(other)));
                self.compare_clocks(node, other);
            }
            Happening::Hears { node, other } => {
                self.opening.remove(&(node, other));
                self.hears(node, other);
            }
            Happening::Documents { node, documents } => self.feed(node, Input::Documents { documents }),
            Happening::Part { a, b } => {
                let ends: Vec<(usize, SessionId)> = self.streams.keys().copied().collect();
                for (node, session) in ends {
                    let other = self.streams.get(&(node, session)).map(|end| end.node);
                    if (node == a && other == Some(b)) || (node == b && other == Some(a)) {
                        self.feed(node, Input::Sync(SyncInput::Closed(session)));
                    }
                }
                self.streams.retain(|(node, _), end| !((*node == a && end.node == b) || (*node == b && end.node == a)));
                self.feed(a, Input::MemberDown(self.key(b)));
                self.feed(b, Input::MemberDown(self.key(a)));
            }
            Happening::Recalled { .. } if !self.answers_counts => {}
            Happening::Leave { a, b } => self.separate(|one, other| (one, other) == (a.min(b), a.max(b))),
            Happening::Recalled { node, group, recall } => self.feed(node, Input::Recalled { group, recall }),
            Happening::Sync { node, input: SyncInput::Opened { session, peer, leading } } => {
                self.feed(node, Input::Sync(SyncInput::Opened { session, peer, leading }));
                if !self.streams.contains_key(&(node, session)) {
                    // It was cut before this end knew of it.
                    self.feed(node, Input::Sync(SyncInput::Closed(session)));
                }
            }
            Happening::Sync { node, input } => self.feed(node, Input::Sync(input)),
            Happening::Signed { node, signed } => self.feed(node, Input::Signed(signed)),
        }
    }
}

//! What a node reads of its store to begin with: what there is to compare, what is unread, whose messages were confirmed.
//!
//! A store may hold a million records, and going through them takes seconds and pushes all else out of the store's
//! memory. Nobody waits for it as a person waits for the first screen. So it begins when that has been read, and then one
//! thing is read after the other: the other cores are for what is said meanwhile.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use muster_roles::GroupId;
use tokio::time::{Instant, sleep_until};

use super::seen::Unread;
use super::{Done, Driver, RunError, reading};
use crate::disk::DiskError;
use crate::engine::io::Input;

/// How long the first page may take to be asked for and read: who comes without a screen, or with one that asks for
/// nothing, is not waited for any longer.
const SCREEN_WAIT: Duration = Duration::from_millis(250);

/// One thing to read of a group.
#[derive(Debug)]
pub(super) enum Reading {
    /// The names that reconciliation compares.
    Index(GroupId),
    /// What the person has not read.
    Unread(GroupId),
    /// What the engine remembers of its records.
    Recall(GroupId),
}

/// What has been read.
pub(super) enum Found {
    /// Something for the engine, if it could be had.
    Engine(Option<Input>),
    /// What of a group has not been read.
    Unread { group: GroupId, unread: Result<Unread, DiskError> },
}

/// What is still to be read; of each group of the roster a few things at most.
#[derive(Debug)]
pub(super) struct Backlog {
    waiting: VecDeque<Reading>,
    /// Nothing is read before this, or until there is a screen.
    not_before: Option<Instant>,
    is_reading: bool,
    /// Turns true when the node ends: what is being read is given up.
    given_up: Arc<AtomicBool>,
}

impl Backlog {
    /// Begins; with `screen`, when that has been served.
    pub(super) fn new(screen: bool) -> Self {
        let not_before = screen.then(|| Instant::now() + SCREEN_WAIT);
        Self { waiting: VecDeque::new(), not_before, is_reading: false, given_up: Arc::default() }
    }

    /// Waits until reading may begin, where it may not yet.
    pub(super) async fn due(&self) {
        match self.not_before {
            Some(not_before) => sleep_until(not_before).await,
            None => std::future::pending().await,
        }
    }

    /// Gives up what is being read.
    fn give_up(&mut self) {
        self.waiting.clear();
        self.given_up.store(true, Ordering::Relaxed);
    }

    /// Returns what is to be read next, if it may be now.
    fn next(&mut self) -> Option<Reading> {
        if self.is_reading || self.not_before.is_some() {
            return None;
        }
        let next = self.waiting.pop_front();
        self.is_reading = next.is_some();
        next
    }
}

impl Driver {
    /// Reads something of the store when nothing else is being read.
    pub(super) fn read_later(&mut self, reading: Reading) {
        self.backlog.waiting.push_back(reading);
        self.read_on();
    }

    /// The first screen has been served, or has had its time.
    pub(super) fn screen_is_served(&mut self) {
        self.backlog.not_before = None;
        self.read_on();
    }

    /// Ends what is being read, so that nothing holds the store open.
    pub(super) async fn stop_reading(&mut self) {
        self.backlog.give_up();
        while self.backlog.is_reading {
            match self.work.join_next().await {
                Some(Ok(Done::Read(_))) | None => self.backlog.is_reading = false,
                // Nobody waits for anything else any more.
                Some(_) => {}
            }
        }
    }

    fn read_on(&mut self) {
        let Some(next) = self.backlog.next() else { return };
        let disk = self.disk.clone();
        let given_up = Arc::clone(&self.backlog.given_up);
        let is_given_up = move || given_up.load(Ordering::Relaxed);
        match next {
            Reading::Index(group) => {
                self.work.spawn_blocking(move || Done::Read(Found::Engine(reading::index(&disk, group))));
            }
            Reading::Unread(group) => {
                let me = self.me;
                let mark = self.seen.upto(&group).map(|seen| (seen.time, seen.id.into()));
                self.work.spawn_blocking(move || {
                    let unread = reading::unread(&disk, &me, &group, mark, is_given_up);
                    Done::Read(Found::Unread { group, unread })
                });
            }
            Reading::Recall(group) => {
                let opener = self.opener();
                self.work.spawn_blocking(move || {
                    Done::Read(Found::Engine(reading::recall(&disk, &opener, group, is_given_up)))
                });
            }
        }
    }

    /// Takes in what has been read, and reads on.
    pub(super) async fn on_read(&mut self, found: Found) -> Result<(), RunError> {
        self.backlog.is_reading = false;
        match found {
            Found::Engine(None) => {}
            Found::Engine(Some(input)) => self.feed(input).await?,
            Found::Unread { group, unread } => self.seen.counted(&group, unread?),
        }
        self.read_on();
        Ok(())
    }
}

//! The one place where everything meets: a single loop that hands inputs to the engine and carries its effects out.

mod asking;
mod backlog;
mod changes;
mod checking;
mod ending;
mod hub;
mod network;
mod places;
mod posts;
mod reach;
mod reading;
mod seen;
mod signing;
mod telling;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use muster_keys::{Identity, PublicKey};
use muster_roles::{GroupId, Roster};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use self::backlog::{Backlog, Reading};
use self::changes::Changes;
use self::checking::Checking;
pub use self::ending::Ended;
use self::ending::Phase;
use self::hub::Hub;
pub use self::places::KeepPlaces;
use self::places::Places;
use self::posts::Posts;
use self::reach::Reach;
use self::seen::Seen;
use crate::control::{Answer, Call, Event, JoinRequest, Refusal, Reply};
use crate::disk::writer::{Job, Outcome, Writer};
use crate::disk::{Disk, DiskError};
use crate::engine::io::{Effect, Input, PostError, SyncInput};
use crate::engine::policy::Carry;
use crate::engine::time::UnixMillis;
use crate::engine::{Boot, State};
use crate::net::{self, Net};

/// How many ticks after each other it is noted how far the person has read: a kill costs so much of it, and a busy group no more
/// commits.
const MARK_TICKS: u32 = 5;

/// Addresses that are told to who asks how the node is; a device has a handful.
const MAX_ADDRESSES: usize = 64;

/// Keeps the roster in force, durably and whole.
pub type KeepRoster = Box<dyn FnMut(&Roster) -> io::Result<()> + Send>;

/// Everything a node is made of, opened and ready.
pub struct Parts {
    /// The member's role key.
    pub identity: Identity,
    /// The roster in force.
    pub roster: Arc<Roster>,
    /// Which groups' records the node carries.
    pub carry: Carry,
    /// Whether the member keeps how far it has read to itself.
    pub is_discreet: bool,
    /// Whether there is a screen in the node's own process, which is served before all else.
    pub screen: bool,
    /// The store.
    pub disk: Disk,
    /// The network side, started.
    pub net: Net,
    /// Where a newer roster is kept.
    pub keep_roster: KeepRoster,
    /// Where the members' addresses are kept.
    pub keep_places: KeepPlaces,
    /// Where an export that a screen asks for may go: the first of these that can be written.
    pub export_folders: Vec<PathBuf>,
    /// What screens and programs ask.
    pub calls: mpsc::Receiver<Call>,
    /// Turns true when the process is told to end.
    pub stop: watch::Receiver<bool>,
}

/// Why a node could not run, or did not end well.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The store could not be read.
    #[error("the store cannot be read")]
    Read(#[from] DiskError),
    /// The system has no randomness to give.
    #[error("no random numbers from the system")]
    Random(#[from] muster_keys::RandomError),
    /// The writer thread could not be started.
    #[error("the store's thread cannot be started")]
    Thread(#[source] io::Error),
    /// The network side ended by itself.
    #[error("the network side has stopped")]
    NetStopped,
    /// The store's writer ended by itself.
    #[error("the store's writer has stopped")]
    WriterStopped,
}

/// A running node.
struct Driver {
    state: State,
    me: PublicKey,
    /// The role key once more: the engine's own signs records, this one changes of the roster, beside the loop.
    signer: Arc<Identity>,
    started: Instant,
    disk: Disk,
    writer: Writer,
    net: Net,
    keep_roster: KeepRoster,
    places: Places,
    hub: Hub,
    posts: Posts,
    changes: Changes,
    seen: Seen,
    reach: Reach,
    /// Where the node listens.
    addresses: Vec<String>,
    /// By how much the device's clock is off, if it is.
    clock_off_ms: Option<i64>,
    phase: Phase,
    ended: Ended,
    export_folders: Vec<PathBuf>,
    /// What is read of the store to begin with.
    backlog: Backlog,
    /// Pages and exports that are being read.
    reads: usize,
    /// Of these, the files that are being written.
    saves: usize,
    /// What sessions have brought and is to be checked.
    checking: Checking,
    /// Reading and checking, beside the loop.
    work: JoinSet<Done>,
}

/// What has been done beside the loop.
enum Done {
    /// Something for the engine, if it could be had.
    Engine(Option<Input>),
    /// Records of a session have been checked, or could not be.
    Checked(Option<Input>),
    /// A page has been read.
    Page { group: GroupId, page: Result<reading::Read, DiskError>, reply: Reply<Answer> },
    /// Messages have been written out to who asked.
    WrittenOut,
    /// A file has been written, or not.
    Saved,
    /// Something has been read of what nobody waits for.
    Read(backlog::Found),
}

/// Runs a node until it is asked to end, the process is told to, or something it cannot do without fails.
///
/// # Errors
/// [`RunError`] says what failed; all that was acknowledged is stored in any case.
pub async fn run(parts: Parts) -> Result<Ended, RunError> {
    let Parts { identity, roster, carry, is_discreet, disk, net, keep_roster, keep_places, export_folders, .. } = parts;
    let (mut calls, mut stop, screen) = (parts.calls, parts.stop, parts.screen);
    let me = identity.public();
    let signer = Arc::new(Identity::from_seed(&identity.seed()));
    let boot = Boot { is_discreet, ..reading::boot(&disk, &roster, &me, carry)? };
    let seen = Seen::new(disk.marks()?);
    let run = u32::from_le_bytes(muster_keys::random_bytes()?);
    let state = State::new(identity, roster, boot);
    let writer = Writer::start(disk.clone()).map_err(RunError::Thread)?;
    let mut driver = Driver {
        state,
        me,
        signer,
        started: Instant::now(),
        disk,
        writer,
        net,
        keep_roster,
        places: Places::new(keep_places),
        hub: Hub::new(run),
        posts: Posts::default(),
        changes: Changes::default(),
        seen,
        reach: Reach::default(),
        addresses: Vec::new(),
        clock_off_ms: None,
        phase: Phase::Running,
        ended: Ended::Stored,
        export_folders,
        backlog: Backlog::new(screen),
        reads: 0,
        saves: 0,
        checking: Checking::default(),
        work: JoinSet::new(),
    };
    driver.show_profile();
    // The roster may have come while the node was going down, or while it did not run.
    driver.write(Job::Rejudge(driver.state.roster().clone())).await?;
    let effects = driver.state.start();
    driver.carry_out(effects).await?;
    let result = driver.turn(&mut calls, &mut stop).await;
    drop(calls);
    let ended = driver.ended;
    driver.end().await;
    match ended {
        Ended::Stored => result.map(|()| ended),
        // A store that fails is no reason to leave the home as it is.
        Ended::ToBeWiped => Ok(ended),
    }
}

impl Driver {
    /// The loop: ends first, then the store's answers, the person, the network, and the clock.
    async fn turn(
        &mut self,
        calls: &mut mpsc::Receiver<Call>,
        stop: &mut watch::Receiver<bool>,
    ) -> Result<(), RunError> {
        let mut ticks = 0_u32;
        self.on_tick().await?;
        while !self.has_left() {
            let running = self.phase == Phase::Running;
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop), if running => self.leave(false),
                outcome = self.writer.outcomes.recv() => {
                    self.on_outcome(outcome.ok_or(RunError::WriterStopped)?).await?;
                }
                call = calls.recv() => match call {
                    Some(call) if running => self.on_call(call).await?,
                    Some(call) => self.turn_away(call),
                    None => self.leave(false),
                },
                // Before what synchronisation brings, of which there may be hours: what is said now must not wait for it.
                event = self.net.events.recv() => self.on_net(event.ok_or(RunError::NetStopped)?).await?,
                Some(done) = self.work.join_next() => match done {
                    Ok(done) => self.on_done(done).await?,
                    Err(error) => tracing::error!(%error, "reading broke off"),
                },
                report = self.net.sync.reports.recv() => {
                    self.feed(Input::Sync(report.ok_or(RunError::NetStopped)?)).await?;
                }
                () = self.net.ticks.next() => {
                    self.on_tick().await?;
                    ticks = ticks.wrapping_add(1);
                    if ticks.is_multiple_of(MARK_TICKS) {
                        self.note_seen().await?;
                    }
                }
                () = self.backlog.due() => self.screen_is_served(),
                () = self.phase.over(), if !running => self.phase = Phase::Over,
            }
        }
        Ok(())
    }

    /// Hands one input to the engine and carries out what follows.
    async fn feed(&mut self, input: Input) -> Result<(), RunError> {
        let effects = self.state.handle(input, wall_clock());
        self.carry_out(effects).await
    }

    async fn on_tick(&mut self) -> Result<(), RunError> {
        // Only spreads rounds in time and over members: without it they are merely regular.
        let random = muster_keys::random_bytes().map(u64::from_le_bytes).unwrap_or_default();
        self.feed(Input::Tick { random }).await?;
        let now = Instant::now();
        self.places.tick(now);
        self.hub.tick(now);
        self.posts.tick(now);
        Ok(())
    }

    async fn on_done(&mut self, done: Done) -> Result<(), RunError> {
        match done {
            Done::Engine(None) => {}
            Done::Engine(Some(input)) => self.feed(input).await?,
            Done::Checked(checked) => self.on_checked(checked).await?,
            Done::Page { group, page, reply } => self.on_page(&group, page, reply)?,
            Done::WrittenOut => self.reads -= 1,
            Done::Saved => {
                self.reads -= 1;
                self.saves -= 1;
            }
            Done::Read(found) => self.on_read(found).await?,
        }
        Ok(())
    }

    async fn carry_out(&mut self, effects: Vec<Effect>) -> Result<(), RunError> {
        for effect in effects {
            match effect {
                Effect::Append(records) => self.write(Job::Append(records)).await?,
                Effect::Publish { group, message } => self.tell_net(net::Command::Publish { group, message }).await?,
                Effect::Beacon(bytes) => self.tell_net(net::Command::Beacon(bytes)).await?,
                Effect::Presence(member) => self.tell_member(&member),
                Effect::Verdict { handle, verdict } => {
                    self.tell_net(net::Command::Verdict { handle, verdict }).await?;
                }
                Effect::Show(row) => self.show(row),
                Effect::ShowLate(late) => self.show_late(late),
                Effect::Made { request, group, time, id } => self.posts.made(request, group, time, id.into()),
                Effect::Progress { group, changes } => self.on_progress(&group, &changes),
                Effect::Order(order) => self.tell(crate::control::Event::Order(order.into())),
                Effect::Sent { group, records } => self.on_sent(group, records).await?,
                Effect::Refused { request, reason } => self.posts.refused(request, reason.into()),
                Effect::RosterChanged(roster) => self.on_roster(roster).await?,
                Effect::Prune { before } => self.write(Job::Prune { before }).await?,
                Effect::Shed(shed) => self.write(Job::Shed(shed)).await?,
                Effect::Count(group) => {
                    self.read_later(Reading::Unread(group.clone()));
                    self.read_later(Reading::Recall(group));
                }
                Effect::Sync(effect) => self.synchronise(effect).await?,
                Effect::Sign { change, roster, now } => self.sign(change, roster, now),
                Effect::Changed { request, before, roster } => self.changed(request, &before, &roster),
                Effect::NotChanged { request, reason } => self.changes.refused(request, &reason),
                Effect::JoinAnswer { ticket, answer } => {
                    self.tell_net(net::Command::JoinAnswer { ticket, answer }).await?;
                }
                Effect::JoinRequests(requests) => {
                    let requests = requests.into_iter().map(JoinRequest::from).collect();
                    self.tell(Event::JoinRequests { requests });
                }
                Effect::Notice(notice) => self.on_notice(notice),
            }
        }
        Ok(())
    }

    async fn on_outcome(&mut self, outcome: Outcome) -> Result<(), RunError> {
        match outcome {
            Outcome::Committed(records) => {
                let now = Instant::now();
                records.iter().for_each(|(record, _)| self.posts.stored(record.frame().id().into(), now));
                self.feed(Input::Committed { records }).await
            }
            Outcome::Shed { before } => self.feed(Input::Shed { before }).await,
            Outcome::Withdrawn(withdrawn) => {
                for (group, names) in withdrawn {
                    self.feed(Input::Sync(SyncInput::Withdrawn { group, names })).await?;
                }
                Ok(())
            }
            Outcome::Failed(records) => {
                let refusal = Refusal::from(PostError::StoreFailed);
                records.iter().for_each(|record| self.posts.failed(record.frame().id().into(), &refusal));
                self.feed(Input::CommitFailed { records }).await
            }
        }
    }

    async fn on_roster(&mut self, roster: Arc<Roster>) -> Result<(), RunError> {
        if let Err(error) = (self.keep_roster)(&roster) {
            // The roster in force stays in force while the node runs; at the next start it is fetched again.
            tracing::error!(%error, version = roster.version(), "the new roster could not be kept");
        }
        self.reach.retain(&roster);
        self.write(Job::Rejudge(roster.clone())).await?;
        self.tell_net(net::Command::Roster(roster)).await?;
        self.show_profile();
        Ok(())
    }

    async fn write(&self, job: Job) -> Result<(), RunError> {
        self.writer.jobs.send(job).await.map_err(|_| RunError::WriterStopped)
    }

    async fn tell_net(&self, command: net::Command) -> Result<(), RunError> {
        self.net.commands.send(command).await.map_err(|_| RunError::NetStopped)
    }
}

/// The device's clock; one that stands before 1970 reads as 1970.
fn wall_clock() -> UnixMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

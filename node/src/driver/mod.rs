//! The one place where everything meets: a single loop that hands inputs to the engine and carries its effects out.

mod places;
mod reading;
mod screen;
mod seen;

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use muster_keys::{Identity, PublicKey};
use muster_roles::{GroupId, Roster};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep_until, timeout};

pub use self::places::KeepPlaces;
use self::places::Places;
use self::reading::WeekOf;
use self::screen::Screen;
use self::seen::Seen;
use crate::control::{Answer, Ask, Event, MAX_PAGE_LEN, Refusal, RefusalKind, Request, RequestId};
use crate::disk::Disk;
use crate::disk::writer::{Job, Outcome, Writer};
use crate::engine::State;
use crate::engine::io::{Effect, Input, Notice, SyncInput};
use crate::engine::policy::Carry;
use crate::engine::sync::SyncEffect;
use crate::engine::time::UnixMillis;
use crate::engine::verify::check_records;
use crate::engine::view::Profile;
use crate::net::{self, Net, SyncCommand};

/// How long a patient screen's messages may wait for somebody to take them before the node ends.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long the store and the network may take to end before the node ends without them.
const ENDING_LIMIT: Duration = Duration::from_secs(10);

/// Exports that may be written at once: a person asks for one at a time.
const MAX_EXPORTS: usize = 4;

/// How often it is noted how far the person has read: a kill costs so much of it, and a busy group no more commits.
const MARK_INTERVAL: Duration = Duration::from_secs(5);

/// How often the engine is told that time has passed.
const TICK_INTERVAL: Duration = Duration::from_secs(1);

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
    /// The store.
    pub disk: Disk,
    /// The network side, started.
    pub net: Net,
    /// Where a newer roster is kept.
    pub keep_roster: KeepRoster,
    /// Where the members' addresses are kept.
    pub keep_places: KeepPlaces,
    /// Where an export that the screen asks for may go: the first of these that can be written.
    pub export_folders: Vec<PathBuf>,
    /// What the screen asks.
    pub asks: mpsc::Receiver<Ask>,
    /// What the screen is told.
    pub events: mpsc::Sender<Event>,
    /// Turns true when the process is told to end.
    pub stop: watch::Receiver<bool>,
}

/// Why a node could not run, or did not end well.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The store could not be read.
    #[error("the store cannot be read")]
    Read(#[from] crate::disk::DiskError),
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

/// Why the loop goes on or ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Running,
    /// Nothing more is taken from the screen; ends once all is stored, and sent too where that is waited for.
    Leaving {
        until: Instant,
        patient: bool,
    },
}

/// A running node.
struct Driver {
    state: State,
    me: PublicKey,
    disk: Disk,
    writer: Writer,
    net: Net,
    keep_roster: KeepRoster,
    places: Places,
    screen: Screen,
    seen: Seen,
    connected: BTreeSet<PublicKey>,
    phase: Phase,
    export_folders: Vec<PathBuf>,
    exports: JoinSet<(RequestId, Result<Answer, Refusal>)>,
    /// Reading and checking for the engine, beside the loop.
    work: JoinSet<Option<Input>>,
}

/// Runs a node until the screen leaves, the process is told to end, or something it cannot do without fails.
///
/// # Errors
/// [`RunError`] says what failed; all that was acknowledged is stored in any case.
pub async fn run(parts: Parts) -> Result<(), RunError> {
    let Parts { identity, roster, carry, disk, net, keep_roster, keep_places, export_folders, events, .. } = parts;
    let (mut asks, mut stop) = (parts.asks, parts.stop);
    let me = identity.public();
    let boot = reading::boot(&disk, &roster, &me, carry)?;
    let seen = Seen::new(disk.marks()?);
    let state = State::new(identity, roster, boot);
    let writer = Writer::start(disk.clone()).map_err(RunError::Thread)?;
    let mut driver = Driver {
        state,
        me,
        disk,
        writer,
        net,
        keep_roster,
        places: Places::new(keep_places),
        screen: Screen::new(events),
        seen,
        connected: BTreeSet::new(),
        phase: Phase::Running,
        export_folders,
        exports: JoinSet::new(),
        work: JoinSet::new(),
    };
    driver.show_profile();
    let effects = driver.state.start();
    driver.carry_out(effects).await?;
    let result = driver.turn(&mut asks, &mut stop).await;
    driver.end().await;
    result
}

impl Driver {
    /// The loop: ends first, then the store's answers, the person, the network, and the clock.
    async fn turn(&mut self, asks: &mut mpsc::Receiver<Ask>, stop: &mut watch::Receiver<bool>) -> Result<(), RunError> {
        let mut tick = steady(TICK_INTERVAL);
        let mut mark = steady(MARK_INTERVAL);
        while !self.has_left() {
            let running = self.phase == Phase::Running;
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop), if running => self.leave(false),
                outcome = self.writer.outcomes.recv() => {
                    self.on_outcome(outcome.ok_or(RunError::WriterStopped)?).await?;
                }
                () = self.screen.drain() => {}
                ask = asks.recv(), if running => match ask {
                    Some(ask) => self.on_ask(ask).await?,
                    None => self.leave(false),
                },
                Some(done) = self.exports.join_next() => match done {
                    Ok((to, outcome)) => self.answer(to, outcome),
                    Err(error) => tracing::error!(%error, "an export broke off"),
                },
                Some(done) = self.work.join_next() => {
                    if let Ok(Some(input)) = done {
                        self.feed(input).await?;
                    }
                }
                report = self.net.sync.reports.recv() => {
                    self.feed(Input::Sync(report.ok_or(RunError::NetStopped)?)).await?;
                }
                event = self.net.events.recv() => self.on_net(event.ok_or(RunError::NetStopped)?).await?,
                _ = tick.tick() => {
                    // Only spreads rounds in time and over members: without it they are merely regular.
                    let random = muster_keys::random_bytes().map(u64::from_le_bytes).unwrap_or_default();
                    self.feed(Input::Tick { random }).await?;
                    self.places.tick(Instant::now());
                }
                _ = mark.tick() => self.note_seen().await?,
                () = until(self.phase), if !running => self.phase = Phase::Leaving { until: Instant::now(), patient: false },
            }
        }
        Ok(())
    }

    /// Hands one input to the engine and carries out what follows.
    async fn feed(&mut self, input: Input) -> Result<(), RunError> {
        let effects = self.state.handle(input, wall_clock());
        self.carry_out(effects).await
    }

    async fn carry_out(&mut self, effects: Vec<Effect>) -> Result<(), RunError> {
        for effect in effects {
            match effect {
                Effect::Append(records) => self.write(Job::Append(records)).await?,
                Effect::Publish { group, message } => self.tell_net(net::Command::Publish { group, message }).await?,
                Effect::Verdict { handle, verdict } => {
                    self.tell_net(net::Command::Verdict { handle, verdict }).await?;
                }
                Effect::Show(row) => self.screen.show(Event::Message(row.into())),
                Effect::ShowLate(late) => {
                    self.screen.show(Event::Late { groups: late.into_iter().map(Into::into).collect() });
                }
                Effect::Sent { group, records } => self.write(Job::Sent { group, records }).await?,
                Effect::Refused { request, reason } => self.answer(RequestId(request.0), Err(reason.into())),
                Effect::RosterChanged(roster) => self.on_roster(roster).await?,
                Effect::Prune { before } => self.write(Job::Prune { before }).await?,
                Effect::Shed(shed) => self.write(Job::Shed(shed)).await?,
                Effect::Count(group) => {
                    let disk = self.disk.clone();
                    self.work.spawn_blocking(move || reading::count(&disk, group));
                }
                Effect::Sync(effect) => self.synchronise(effect).await?,
                Effect::Notice(notice) => self.on_notice(notice),
            }
        }
        Ok(())
    }

    async fn synchronise(&mut self, effect: SyncEffect) -> Result<(), RunError> {
        let command = match effect {
            SyncEffect::Open(member) => SyncCommand::Open(member),
            SyncEffect::Send(session, frame) => SyncCommand::Send(session, frame),
            SyncEffect::Close(session) => SyncCommand::Close(session),
            SyncEffect::Index(group) => {
                let disk = self.disk.clone();
                self.work.spawn_blocking(move || reading::index(&disk, group));
                return Ok(());
            }
            SyncEffect::Load(session, group, names) => {
                let disk = self.disk.clone();
                self.work.spawn_blocking(move || reading::load(&disk, session, group, &names));
                return Ok(());
            }
            SyncEffect::Verify { session, group, records, last } => {
                let unit = self.state.roster().unit();
                self.work.spawn_blocking(move || {
                    let (records, forged) = check_records(&records, unit);
                    Some(Input::Sync(SyncInput::Verified { session, group, records, forged, last }))
                });
                return Ok(());
            }
        };
        self.net.sync.commands.send(command).await.map_err(|_| RunError::NetStopped)
    }

    async fn on_ask(&mut self, Ask { id, request }: Ask) -> Result<(), RunError> {
        match request {
            Request::Post { group, text } => match muster_keys::random_bytes() {
                Ok(nonce) => {
                    let request = crate::engine::io::RequestId(id.0);
                    self.feed(Input::Post { request, group, draft: text.into(), nonce }).await?;
                }
                Err(error) => {
                    tracing::error!(%error, "no random numbers");
                    self.answer(id, Err(crate::engine::io::PostError::Seal.into()));
                }
            },
            Request::Page { group, before, limit } => {
                let limit = limit.min(MAX_PAGE_LEN);
                let mut page = reading::page(&self.disk, &self.state, &group, before, limit)?;
                page.seen = self.seen.upto(&group);
                self.answer(id, Ok(Answer::Page(page)));
            }
            Request::Read { group, upto } => {
                self.seen.read(&group, upto);
            }
            Request::Export { group } => self.export(id, group),
            Request::Leave { patient } | Request::Shutdown { patient } => self.leave(patient),
            _ => self.answer(id, Err(Refusal::new(RefusalKind::Unknown, "this node does not answer that"))),
        }
        Ok(())
    }

    fn answer(&mut self, to: RequestId, outcome: Result<Answer, Refusal>) {
        self.screen.show(match outcome {
            Ok(answer) => Event::Answered { to, answer },
            Err(refusal) => Event::Refused { to, refusal },
        });
    }

    /// Writes a file beside the loop: a week may be long, and the node goes on meanwhile.
    fn export(&mut self, id: RequestId, group: GroupId) {
        if self.exports.len() >= MAX_EXPORTS {
            let refusal = Refusal::new(RefusalKind::Busy, "other exports are still being written");
            self.answer(id, Err(refusal));
            return;
        }
        let week = WeekOf {
            disk: self.disk.clone(),
            roster: self.state.roster().clone(),
            keyring: self.state.reader().keyring.clone(),
            me: self.me,
            group,
            folders: self.export_folders.clone(),
        };
        let now = self.state.unit_time(wall_clock());
        self.exports.spawn_blocking(move || (id, week.save(now)));
    }

    async fn on_net(&mut self, event: net::Event) -> Result<(), RunError> {
        match event {
            net::Event::Listening(address) => {
                tracing::info!(%address, "listening");
                self.screen.show(Event::Listening { address: address.to_string() });
            }
            net::Event::Gossip { handle, group, bytes } => self.feed(Input::Gossip { handle, group, bytes }).await?,
            net::Event::Published { group, outcome } => self.feed(Input::Published { group, outcome }).await?,
            net::Event::Listener { group, member } => self.feed(Input::Listener { group, member }).await?,
            net::Event::Documents(documents) => self.feed(Input::Documents { documents }).await?,
            net::Event::MemberUp(member) => {
                self.connected.insert(member);
                self.screen.show(Event::Presence { connected: self.connected.len() });
                self.feed(Input::MemberUp(member)).await?;
            }
            net::Event::MemberDown(member) => {
                self.connected.remove(&member);
                self.screen.show(Event::Presence { connected: self.connected.len() });
                self.feed(Input::MemberDown(member)).await?;
            }
            net::Event::Clock { member, theirs_ms, ours_ms } => {
                let (theirs, ours) = (UnixMillis(theirs_ms), UnixMillis(ours_ms));
                self.feed(Input::Clock { member, theirs, ours }).await?;
            }
            net::Event::Places(places) => self.places.changed(places),
            net::Event::Slow(member) => self.feed(Input::Slow(member)).await?,
        }
        Ok(())
    }

    async fn on_outcome(&mut self, outcome: Outcome) -> Result<(), RunError> {
        match outcome {
            Outcome::Committed(records) => self.feed(Input::Committed { records }).await,
            Outcome::Shed { before } => self.feed(Input::Shed { before }).await,
            Outcome::Withdrawn(withdrawn) => {
                for (group, names) in withdrawn {
                    self.feed(Input::Sync(SyncInput::Withdrawn { group, names })).await?;
                }
                Ok(())
            }
            Outcome::Failed(records) => self.feed(Input::CommitFailed { records }).await,
        }
    }

    async fn on_roster(&mut self, roster: Arc<Roster>) -> Result<(), RunError> {
        if let Err(error) = (self.keep_roster)(&roster) {
            // The roster in force stays in force while the node runs; at the next start it is fetched again.
            tracing::error!(%error, version = roster.version(), "the new roster could not be kept");
        }
        self.write(Job::Rejudge(roster.clone())).await?;
        self.tell_net(net::Command::Roster(roster)).await?;
        self.show_profile();
        Ok(())
    }

    fn on_notice(&mut self, notice: Notice) {
        match &notice {
            Notice::RosterUpdated { version, members } => tracing::info!(version, members, "roster updated"),
            Notice::Sent { count } => tracing::info!(count, "messages that waited have been sent"),
            Notice::Missing { group, author, count } => tracing::info!(%group, %author, count, "messages are missing"),
            Notice::Arrived { group, author, count } => {
                tracing::info!(%group, %author, count, "missing messages have come");
            }
            Notice::NoLongerMember => tracing::warn!("this member is not in the roster any more"),
            Notice::ClockOff { by_ms } => tracing::warn!(by_ms, "this device's clock is off; the unit's time is used"),
            Notice::ClockMended => tracing::info!("this device's clock agrees with the unit's"),
            Notice::ClocksDiffer { member, by_ms } => tracing::warn!(%member, by_ms, "two clocks disagree"),
            Notice::StoreFailed => tracing::error!("the store failed; nothing more is accepted"),
        }
        self.screen.show(Event::Notice(notice.into()));
    }

    fn show_profile(&mut self) {
        if let Some(profile) = Profile::of(self.state.roster(), &self.me) {
            self.screen.show(Event::Profile(profile.into()));
        }
    }

    async fn note_seen(&mut self) -> Result<(), RunError> {
        let seen = self.seen.take_changed();
        if seen.is_empty() { Ok(()) } else { self.write(Job::Mark(seen)).await }
    }

    async fn write(&self, job: Job) -> Result<(), RunError> {
        self.writer.jobs.send(job).await.map_err(|_| RunError::WriterStopped)
    }

    async fn tell_net(&self, command: net::Command) -> Result<(), RunError> {
        self.net.commands.send(command).await.map_err(|_| RunError::NetStopped)
    }

    fn leave(&mut self, patient: bool) {
        let limit = if patient { PATIENCE } else { ENDING_LIMIT };
        self.phase = Phase::Leaving { until: Instant::now() + limit, patient };
    }

    fn has_left(&self) -> bool {
        match self.phase {
            Phase::Running => false,
            Phase::Leaving { until, patient } => {
                let done = if patient { self.state.is_settled() } else { self.state.is_stored() };
                (done && self.exports.is_empty()) || Instant::now() >= until
            }
        }
    }

    /// Ends what runs beside the loop: the store first, so that all that was taken in is on disk.
    async fn end(mut self) {
        let effects = self.state.report_sent();
        let noted = match self.carry_out(effects).await {
            Ok(()) => self.note_seen().await,
            Err(error) => Err(error),
        };
        if let Err(error) = noted {
            tracing::warn!(%error, "what has been sent and seen could not be noted");
        }
        self.places.save(Instant::now());
        let Self { writer, net, screen, .. } = self;
        if timeout(ENDING_LIMIT, writer.finish()).await.is_err() {
            tracing::error!("the store did not end in time");
        }
        let net_ended = async {
            let _task_gone = net.commands.send(net::Command::Shutdown).await;
            drop(net.events);
            let _aborted = net.task.await;
        };
        if timeout(ENDING_LIMIT, net_ended).await.is_err() {
            tracing::error!("the network side did not end in time");
        }
        if timeout(ENDING_LIMIT, screen.close()).await.is_err() {
            tracing::warn!("the screen did not take its last events in time");
        }
    }
}

/// Waits for the end of a leaving node's patience.
async fn until(phase: Phase) {
    match phase {
        Phase::Running => std::future::pending().await,
        Phase::Leaving { until, .. } => sleep_until(until).await,
    }
}

/// An interval that skips what a sleeping device missed instead of making up for it.
fn steady(period: Duration) -> Interval {
    let mut interval = interval(period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Skip);
    interval
}

/// The device's clock; one that stands before 1970 reads as 1970.
fn wall_clock() -> UnixMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

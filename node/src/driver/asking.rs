//! What screens and programs ask of the node, and what they are answered.

use muster_roles::GroupId;

use super::posts::give;
use super::reading::{self, Opener, WeekOf, WriteOut};
use super::{Done, Driver, RunError, wall_clock};
use crate::control::{
    Answer, Call, ClockState, EXPORT_QUEUE_LEN, Event, Export, Exporting, GroupState, MAX_PAGE_LEN, Member, MessageId,
    Order, Peer, Position, Printable, Profile, Refusal, RefusalKind, Reply, Request, RosterState, Status,
};
use crate::engine::draft::Draft;
use crate::engine::io::{Input, PostError};
use crate::engine::view;
use crate::export::readable;

/// Pages and exports that may be read at once; more would only wait for the same disk.
const MAX_READS: usize = 32;

/// A mark that is so far ahead of this device's clock, in milliseconds, is of no message there is.
const MAX_MARK_AHEAD_MS: u64 = 24 * 60 * 60 * 1000;

impl Driver {
    /// Takes a call of a node that runs.
    pub(super) async fn on_call(&mut self, call: Call) -> Result<(), RunError> {
        match call {
            Call::Ask { request: Request::Post { group, text, manner, wait_ms }, reply } => {
                return self.post(group, manner.draft(text), wait_ms, reply).await;
            }
            Call::Ask { request: Request::Change(change), reply } => return self.change(change, reply).await,
            Call::Ask { request, reply } => self.on_request(request, reply),
            Call::Listen { after, reply } => give(reply, self.hub.listen(after)),
            Call::Export { export, reply } => self.write_out(&export, reply),
        }
        Ok(())
    }

    /// Takes a call of a node that ends.
    pub(super) fn turn_away(&mut self, call: Call) {
        match call {
            Call::Ask { request: Request::Shutdown { patient: false }, reply } => {
                self.leave(false);
                give(reply, Ok(Answer::Done));
            }
            Call::Ask { request: Request::Wipe, reply } => {
                self.leave_nothing();
                give(reply, Ok(Answer::Done));
            }
            Call::Ask { reply, .. } => give(reply, Err(Refusal::ending())),
            Call::Listen { reply, .. } => give(reply, Err(Refusal::ending())),
            Call::Export { reply, .. } => give(reply, Err(Refusal::ending())),
        }
    }

    async fn post(&mut self, group: GroupId, draft: Draft, wait_ms: u64, reply: Reply<Answer>) -> Result<(), RunError> {
        let nonce = match muster_keys::random_bytes() {
            Ok(nonce) => nonce,
            Err(error) => {
                tracing::error!(%error, "no random numbers");
                give(reply, Err(PostError::Seal.into()));
                return Ok(());
            }
        };
        match self.posts.ask(wait_ms, reply) {
            Some(request) => self.feed(Input::Post { request, group, draft, nonce }).await,
            None => Ok(()),
        }
    }

    fn on_request(&mut self, request: Request, reply: Reply<Answer>) {
        let answer = match request {
            Request::Page { group, before, limit } => return self.page(group, before, limit, reply),
            Request::Export { group } => return self.save(group, reply),
            Request::Who { group, id } => return self.who(group, id, reply),
            Request::Orders => Ok(Answer::Orders { orders: self.state.orders().map(Order::from).collect() }),
            Request::Read { group, upto } => self.read(&group, upto),
            Request::Groups => Ok(Answer::Groups { groups: self.groups() }),
            Request::Members => Ok(Answer::Members { members: self.members() }),
            Request::Peers => Ok(Answer::Peers { peers: self.peers() }),
            Request::Status => self.status().map(|status| Answer::Status(Box::new(status))),
            Request::JoinRequests => Ok(Answer::JoinRequests { requests: self.join_requests() }),
            Request::Leave { patient } | Request::Shutdown { patient } => {
                self.leave(patient);
                Ok(Answer::Done)
            }
            Request::Wipe => {
                self.leave_nothing();
                Ok(Answer::Done)
            }
            Request::Post { .. } | Request::Change(_) => {
                Err(Refusal::new(RefusalKind::Failed, "a post or a change goes another way"))
            }
        };
        give(reply, answer);
    }

    /// Reads a page beside the loop.
    fn page(&mut self, group: GroupId, before: Option<Position>, limit: usize, reply: Reply<Answer>) {
        if let Err(refusal) = self.may_read(Some(group.as_str())).and_then(|_| self.has_room()) {
            return give(reply, Err(refusal));
        }
        let (disk, roster, keyring, me) =
            (self.disk.clone(), self.state.roster().clone(), self.state.reader().keyring.clone(), self.me);
        let limit = limit.clamp(1, MAX_PAGE_LEN);
        self.reads += 1;
        self.work.spawn_blocking(move || {
            let reader = view::Reader { roster: &roster, keyring: &keyring, me: &me };
            Done::Page { page: reading::page(&disk, reader, &group, before, limit), group, reply }
        });
    }

    /// Reads who has a message, beside the loop: the receipts of a week may be many.
    fn who(&mut self, group: GroupId, id: MessageId, reply: Reply<Answer>) {
        if let Err(refusal) = self.may_read(Some(group.as_str())).and_then(|_| self.has_room()) {
            return give(reply, Err(refusal));
        }
        let (disk, opener) = (self.disk.clone(), self.opener());
        self.reads += 1;
        self.work.spawn_blocking(move || {
            let answer = match reading::who(&disk, &opener, &group, id.into()) {
                Ok(Some(matrix)) => Ok(Answer::Matrix(matrix.into())),
                Ok(None) => Err(Refusal::new(RefusalKind::Unknown, format_args!("no such message in {group}"))),
                Err(error) => Err(Refusal::new(RefusalKind::Failed, error)),
            };
            give(reply, answer);
            Done::WrittenOut
        });
    }

    /// Returns what opens records beside the loop.
    pub(super) fn opener(&self) -> Opener {
        let keyring = self.state.reader().keyring.clone();
        Opener { roster: self.state.roster().clone(), keyring, me: self.me }
    }

    /// Writes the last week of a group to a file, beside the loop: it may be long, and the node goes on meanwhile.
    fn save(&mut self, group: GroupId, reply: Reply<Answer>) {
        if let Err(refusal) = self.may_read(Some(group.as_str())).and_then(|_| self.has_room()) {
            return give(reply, Err(refusal));
        }
        let now = self.state.unit_time(wall_clock());
        let week = WeekOf {
            disk: self.disk.clone(),
            roster: self.state.roster().clone(),
            keyring: self.state.reader().keyring.clone(),
            me: self.me,
            group,
            folders: self.export_folders.clone(),
        };
        self.reads += 1;
        self.saves += 1;
        self.work.spawn_blocking(move || {
            give(reply, week.save(now));
            Done::Saved
        });
    }

    /// Writes messages out to who asks, piece by piece.
    fn write_out(&mut self, export: &Export, reply: Reply<Exporting>) {
        let groups = match self.may_read(export.group.as_deref()).and_then(|groups| self.has_room().map(|()| groups)) {
            Ok(groups) => groups,
            Err(refusal) => return give(reply, Err(refusal)),
        };
        let (pieces, received) = tokio::sync::mpsc::channel(EXPORT_QUEUE_LEN);
        let write = match WriteOut::new(
            export,
            groups.clone(),
            &self.disk,
            self.state.roster(),
            self.state.reader().keyring.clone(),
            self.me,
        ) {
            Ok(write) => write,
            Err(refusal) => return give(reply, Err(refusal)),
        };
        give(reply, Ok(Exporting { groups, pieces: received }));
        self.reads += 1;
        self.work.spawn_blocking(move || {
            write.run(&pieces);
            Done::WrittenOut
        });
    }

    /// Answers a page that has been read.
    pub(super) fn on_page(
        &mut self,
        group: &GroupId,
        page: Result<reading::Read, crate::disk::DiskError>,
        reply: Reply<Answer>,
    ) -> Result<(), RunError> {
        self.reads -= 1;
        let seen = self.seen.upto(group);
        let page = page.map(|read| read.into_page(group.clone(), seen, |row| self.state.is_waiting(row)));
        match page {
            Ok(page) => {
                give(reply, Ok(Answer::Page(page)));
                self.screen_is_served();
            }
            Err(error) => {
                give(reply, Err(Refusal::new(RefusalKind::Failed, &error)));
                return Err(RunError::Read(error));
            }
        }
        Ok(())
    }

    /// The person has read a group up to here: every screen is told.
    fn read(&mut self, group: &GroupId, upto: Position) -> Result<Answer, Refusal> {
        self.may_read(Some(group.as_str()))?;
        if upto.time.ms() > wall_clock().0.max(self.state.roster().issued().ms()).saturating_add(MAX_MARK_AHEAD_MS) {
            return Err(Refusal::new(RefusalKind::Invalid, "there is no message so far in the future"));
        }
        if self.seen.read(group, upto) {
            let unread = self.seen.unread(group);
            self.tell(Event::Read { group: group.clone(), upto, unread });
        }
        Ok(Answer::Done)
    }

    fn groups(&self) -> Vec<GroupState> {
        let profile = view::Profile::of(self.state.roster(), &self.me).map(Profile::from);
        let choices = profile.into_iter().flat_map(|profile| profile.groups);
        choices
            .map(|choice| {
                let (unread, seen) = (self.seen.unread(&choice.id), self.seen.upto(&choice.id));
                GroupState { choice, unread, seen }
            })
            .collect()
    }

    fn members(&self) -> Vec<Member> {
        self.state.roster().members().iter().map(|member| self.describe(member)).collect()
    }

    fn peers(&self) -> Vec<Peer> {
        self.reach.peers(self.state.roster(), |member| self.state.carry_of(member))
    }

    fn status(&self) -> Result<Status, Refusal> {
        let roster = self.state.roster();
        let Some(member) = roster.member(&self.me) else {
            return Err(Refusal::new(RefusalKind::Denied, "this node's member is not in the roster any more"));
        };
        let issued_ms = roster.issued().ms();
        Ok(Status {
            version: env!("MUSTER_VERSION").to_owned(),
            pid: std::process::id(),
            uptime_s: self.started.elapsed().as_secs(),
            name: member.name,
            role: member.role,
            unit: Printable::new(roster.unit_name()),
            unit_words: roster.unit().words(),
            roster: RosterState {
                version: roster.version(),
                issued_ms,
                age_s: wall_clock().0.saturating_sub(issued_ms) / 1000,
                members: roster.members().len(),
                newest_of_peers: self.reach.newest_roster(roster),
            },
            connected: self.reach.len(),
            listening: self.addresses.clone(),
            waiting: self.state.waiting(),
            clock: ClockState { off_by_ms: self.clock_off_ms },
            store_works: !self.state.has_failed(),
            listeners: self.hub.len(),
        })
    }

    fn may_read(&self, group: Option<&str>) -> Result<Vec<GroupId>, Refusal> {
        use crate::export::GroupError;

        readable(self.state.roster(), &self.me, group).map_err(|error| {
            let kind = match error {
                GroupError::Unknown { .. } => RefusalKind::Unknown,
                GroupError::NotAMember | GroupError::Denied { .. } | GroupError::Carrier { .. } => RefusalKind::Denied,
            };
            Refusal { hint: error.hint(), ..Refusal::new(kind, &error) }
        })
    }

    fn has_room(&self) -> Result<(), Refusal> {
        if self.reads < MAX_READS {
            return Ok(());
        }
        let refusal = Refusal::new(RefusalKind::Busy, "too much is being read from the store");
        Err(refusal.with_hint("try again in a moment"))
    }
}

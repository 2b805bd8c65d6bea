//! What the network side reports, and what synchronisation wants done.

use muster_keys::PublicKey;

use super::backlog::Reading;
use super::checking::Batch;
use super::{Done, Driver, MAX_ADDRESSES, RunError, reading, wall_clock};
use crate::control::{Event, Member};
use crate::engine::io::Input;
use crate::engine::sync::SyncEffect;
use crate::engine::time::UnixMillis;
use crate::net::{self, SyncCommand};

impl Driver {
    pub(super) async fn on_net(&mut self, event: net::Event) -> Result<(), RunError> {
        match event {
            net::Event::Listening(address) => {
                tracing::info!(%address, "listening");
                let address = address.to_string();
                if self.addresses.len() < MAX_ADDRESSES {
                    self.addresses.push(address.clone());
                }
                self.tell(Event::Listening { address });
            }
            net::Event::Gossip { handle, bearer, group, bytes } => {
                self.feed(Input::Gossip { handle, bearer, group, bytes }).await?;
            }
            net::Event::Beacon { handle, bearer, bytes } => self.feed(Input::Beacon { handle, bearer, bytes }).await?,
            net::Event::Published { group, outcome } => self.feed(Input::Published { group, outcome }).await?,
            net::Event::Listener { group, member } => self.feed(Input::Listener { group, member }).await?,
            net::Event::Documents(documents) => self.feed(Input::Documents { documents }).await?,
            net::Event::MemberUp(member) => {
                self.reach.up(member, wall_clock());
                self.tell_presence(&member);
                self.feed(Input::MemberUp(member)).await?;
            }
            net::Event::Found { member, found } => self.reach.found(&member, found),
            net::Event::MemberDown(member) => {
                self.reach.down(&member, wall_clock());
                self.tell_presence(&member);
                self.feed(Input::MemberDown(member)).await?;
            }
            net::Event::Clock { member, theirs_ms, ours_ms } => {
                let (theirs, ours) = (UnixMillis(theirs_ms), UnixMillis(ours_ms));
                self.reach.clock(&member, theirs, ours);
                self.feed(Input::Clock { member, theirs, ours }).await?;
            }
            net::Event::RosterOf { member, version } => self.reach.roster_of(&member, version),
            net::Event::Places(places) => self.places.changed(places),
            net::Event::Slow(member) => self.feed(Input::Slow(member)).await?,
            net::Event::Join { ticket, key, ask } => self.feed(Input::Join { ticket, key, ask }).await?,
        }
        Ok(())
    }

    /// Tells how many members are connected now, and what is known of the one that made the difference.
    fn tell_presence(&mut self, key: &PublicKey) {
        self.tell(Event::Presence { connected: self.reach.len() });
        self.tell_member(key);
    }

    /// Tells what is known of a member.
    pub(super) fn tell_member(&mut self, key: &PublicKey) {
        if let Some(member) = self.state.roster().member(key) {
            let member = self.describe(&member);
            self.tell(Event::Member(member));
        }
    }

    /// Describes a member by what is known of the connections and by the signs of life that the mesh tells on.
    pub(super) fn describe(&self, member: &muster_roles::Member) -> Member {
        let now = wall_clock();
        let mut described = self.reach.member(member, &self.me, now);
        let presence = &mut described.presence;
        if let Some((silent_ms, is_online)) = self.state.heard_of(&member.key, now) {
            presence.online |= is_online;
            presence.last_heard_ms = presence.last_heard_ms.max(Some(now.0.saturating_sub(silent_ms)));
        }
        described
    }

    pub(super) async fn synchronise(&mut self, effect: SyncEffect) -> Result<(), RunError> {
        let command = match effect {
            SyncEffect::Open(member) => SyncCommand::Open(member),
            SyncEffect::Send(session, frame) => SyncCommand::Send(session, frame),
            SyncEffect::Close(session) => SyncCommand::Close(session),
            SyncEffect::Index(group) => {
                self.read_later(Reading::Index(group));
                return Ok(());
            }
            SyncEffect::Load(session, group, names) => {
                let disk = self.disk.clone();
                self.work.spawn_blocking(move || Done::Engine(reading::load(&disk, session, group, &names)));
                return Ok(());
            }
            SyncEffect::Verify { session, group, records, last } => {
                self.check_later(Batch { session, group, records, last });
                return Ok(());
            }
        };
        self.net.sync.commands.send(command).await.map_err(|_| RunError::NetStopped)
    }
}

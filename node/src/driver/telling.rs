//! What everybody who listens is told: messages, how far they have come, who sits here, and what there is to know.

use muster_roles::{GroupId, Timestamp};
use tokio::time::Instant;

use super::{Driver, RunError};
use crate::control::{Delivery, Event, Late, Message, MessageId};
use crate::disk::writer::Job;
use crate::engine::delivery::Progress;
use crate::engine::io::{Input, Notice};
use crate::engine::late::LateRows;
use crate::engine::view::{Profile, Row};
use crate::engine::wire::RecordId;

impl Driver {
    pub(super) fn tell(&mut self, event: Event) {
        self.hub.tell(event, Instant::now());
    }

    pub(super) fn show(&mut self, row: Row) {
        let message = Message::from(row);
        self.seen.came(&message);
        self.tell(Event::Message(message));
    }

    pub(super) fn show_late(&mut self, late: Vec<LateRows>) {
        let groups: Vec<Late> = late.into_iter().map(Late::from).collect();
        for late in &groups {
            late.messages.iter().for_each(|message| self.seen.came(message));
            self.seen.came_older(&late.group, late.older);
        }
        self.tell(Event::Late { groups });
    }

    /// Others have these messages of this member now.
    pub(super) async fn on_sent(
        &mut self,
        group: GroupId,
        records: Vec<(Timestamp, RecordId)>,
    ) -> Result<(), RunError> {
        let come = |id| {
            (MessageId::from(id), self.state.progress(&group, &id).as_ref().map_or(Delivery::Sent, Delivery::from))
        };
        let come: Vec<(MessageId, Delivery)> = records.iter().map(|(_, id)| come(*id)).collect();
        self.tell_delivery(&group, come);
        self.write(Job::Sent { group, records }).await
    }

    /// Tells how far messages that somebody has have come by now.
    fn tell_delivery(&mut self, group: &GroupId, come: Vec<(MessageId, Delivery)>) {
        let mut alike: Vec<(Delivery, Vec<MessageId>)> = Vec::new();
        for (id, delivery) in come {
            self.posts.came(id, &delivery);
            match alike.iter_mut().find(|(other, _)| *other == delivery) {
                Some((_, ids)) => ids.push(id),
                None => alike.push((delivery, vec![id])),
            }
        }
        for (delivery, ids) in alike {
            self.tell(Event::Delivery { group: group.clone(), ids, delivery });
        }
    }

    /// Messages of this member have come further.
    pub(super) fn on_progress(&mut self, group: &GroupId, changes: &[(RecordId, Progress)]) {
        let come = changes.iter().map(|(id, progress)| ((*id).into(), progress.into()));
        self.tell_delivery(group, come.collect());
    }

    pub(super) fn show_profile(&mut self) {
        if let Some(profile) = Profile::of(self.state.roster(), &self.me) {
            self.tell(Event::Profile(profile.into()));
        }
    }

    pub(super) async fn note_seen(&mut self) -> Result<(), RunError> {
        let seen = self.seen.take_changed();
        for (group, (upto, _)) in &seen {
            self.feed(Input::Read { group: group.clone(), upto: *upto }).await?;
        }
        if seen.is_empty() { Ok(()) } else { self.write(Job::Mark(seen)).await }
    }

    pub(super) fn on_notice(&mut self, notice: Notice) {
        match &notice {
            Notice::RosterUpdated { version, members } => tracing::info!(version, members, "roster updated"),
            Notice::Sent { count } => tracing::info!(count, "messages that waited have been sent"),
            Notice::Missing { group, author, count } => tracing::info!(%group, %author, count, "messages are missing"),
            Notice::Arrived { group, author, count } => {
                tracing::info!(%group, %author, count, "missing messages have come");
            }
            Notice::Admitted { name, role, by } => tracing::info!(%name, %role, ?by, "member admitted"),
            Notice::Removed { name, by, .. } => tracing::info!(%name, ?by, "member removed"),
            Notice::JoinAsked(request) => tracing::info!(name = %request.name, key = %request.key, "asks to join"),
            Notice::Clash(clash) => tracing::warn!(%clash, "two have changed the roster apart"),
            Notice::KeysOld { groups } => tracing::warn!(?groups, "keys are old, and several must sign new ones"),
            Notice::NoLongerMember { by, .. } => tracing::warn!(?by, "this member is not in the roster any more"),
            Notice::OrderWaits { group, giver } => tracing::info!(%group, %giver, "an order waits for an answer"),
            Notice::OrderUnanswered { group, missing } => {
                tracing::info!(%group, missing = missing.len(), "an order has not been answered by all");
            }
            Notice::ClockOff { by_ms } => tracing::warn!(by_ms, "this device's clock is off; the unit's time is used"),
            Notice::ClockMended => tracing::info!("this device's clock agrees with the unit's"),
            Notice::ClocksDiffer { member, by_ms } => tracing::warn!(%member, by_ms, "two clocks disagree"),
            Notice::StoreFailed => tracing::error!("the store failed; nothing more is accepted"),
        }
        match &notice {
            Notice::ClockOff { by_ms } => self.clock_off_ms = Some(*by_ms),
            Notice::ClockMended => self.clock_off_ms = None,
            _ => {}
        }
        self.tell(Event::Notice(notice.into()));
    }
}

//! What the node tells.

use muster_roles::GroupId;

use super::{Model, Purpose, Stay};
use crate::control::{
    Answer, Delivery, Event, GroupState, Late, MAX_PAGE_LEN, Member, Message, Notice, Order, Page, Position, Printable,
    Profile, Refusal, Request, RequestId,
};
use crate::ui::numbers::standing;
use crate::ui::orders::News;
use crate::ui::tui::bell::rings;
use crate::ui::tui::timeline::{Key, Weight};
use crate::ui::tui::unread::Unread;
use crate::ui::wording;

impl Model {
    /// Takes in what the node tells.
    pub(in crate::ui::tui) fn on_event(&mut self, event: Event) {
        match event {
            Event::Profile(profile) => self.on_profile(&profile),
            Event::Message(message) => self.on_message(message),
            Event::Late { groups } => groups.into_iter().for_each(|late| self.on_late(late)),
            Event::Delivery { group, ids, delivery } => {
                if delivery != Delivery::Waiting
                    && let Some(view) = self.views.get_mut(&group)
                {
                    ids.iter().for_each(|id| view.timeline.note_delivery(*id, &delivery));
                    let waited = ids.iter().filter(|id| view.timeline.note_sent(**id)).count();
                    self.waiting = self.waiting.saturating_sub(waited);
                }
                self.note_progress(&ids);
            }
            Event::Read { group, upto, unread } => self.on_read(group, Some(upto), unread),
            // The status line has it, and says what it means where it is nobody.
            Event::Presence { connected } => self.connected = connected,
            Event::Member(member) => self.on_member(member),
            Event::Notice(notice) => self.on_notice(&notice),
            Event::Missed { count } => self.on_missed(count),
            Event::Answered { to, answer } => self.on_answer(to, answer),
            Event::Refused { to, refusal } => self.on_refusal(to, &refusal),
            Event::Order(order) => self.on_order(order),
            // Who asks to join is told by a notice, with the words to compare.
            Event::Listening { .. } | Event::JoinRequests { .. } => {}
            Event::Closed => self.stay = Stay::Gone,
        }
    }

    /// Welcomes the member, or takes over what a new roster says of it.
    fn on_profile(&mut self, profile: &Profile) {
        let before = self.profile.replace(profile.clone());
        for request in [Request::Groups, Request::Members, Request::Status, Request::Orders] {
            self.ask(Purpose::Own, request);
        }
        let Some(before) = before else {
            // The title says who sits here.
            if let Some(group) = profile.home_group().cloned() {
                self.open_group(group);
            }
            return;
        };
        let readable = |group: &GroupId| profile.groups.iter().any(|choice| choice.id == *group);
        self.views.retain(|group, _| readable(group));
        self.numbers.orders.keep_groups(readable);
        if (&before.name, &before.role) != (&profile.name, &profile.role) {
            self.note(Weight::News, wording::greeting(profile));
        }
        if let Some(closed) = self.open.take_if(|group| !readable(group)) {
            // No other group is opened in its place: what is being typed was meant for this one.
            self.note(Weight::Refusal, wording::closed(&closed));
        }
    }

    fn on_message(&mut self, message: Message) {
        let (id, is_waiting) = (message.id, message.is_waiting());
        if self.take_now(message, false) {
            self.waiting += usize::from(is_waiting);
        } else {
            self.note_progress(&[id]);
        }
    }

    /// Puts a message that has come now in its place; tells whether it was not there yet.
    ///
    /// One of somebody else's counts as unread where it is not seen at once, and may ring.
    fn take_now(&mut self, message: Message, late: bool) -> bool {
        let group = message.group.clone();
        let (is_mine, is_seen) = (message.is_mine(), self.is_seen(&group));
        let (calls_me, urgency, is_loud) = (message.mentions_me, message.manner.urgency(), rings(&message, is_seen));
        let is_new = self.take_message(message, late);
        if is_new && !is_mine {
            if !is_seen {
                self.views.entry(group).or_default().unread.add(calls_me, urgency);
            }
            if is_loud {
                self.bell.call();
            }
        }
        is_new
    }

    /// A group has been read up to here, and so many messages are newer.
    fn on_read(&mut self, group: GroupId, upto: Option<Position>, count: u64) {
        if !self.is_seen(&group) {
            let view = self.views.entry(group).or_default();
            view.unread = Unread { count, ..view.timeline.unread_after(upto.map(Key::from)) };
        }
    }

    /// Takes over how far groups have been read, and asks for what is unread of them: that it is urgent, or calls this
    /// member by name, is to be seen beside the group.
    fn on_groups(&mut self, groups: Vec<GroupState>) {
        for GroupState { choice, unread, seen } in groups {
            let group = choice.id;
            self.on_read(group.clone(), seen, unread);
            let limit = usize::try_from(unread).unwrap_or(usize::MAX).min(MAX_PAGE_LEN);
            let view = self.views.entry(group.clone()).or_default();
            let known = view.timeline.unread_after(seen.map(Key::from)).count;
            if self.open.as_ref() != Some(&group) && known < limit as u64 {
                self.ask(Purpose::Counting(seen), Request::Page { group, before: None, limit });
            }
        }
    }

    /// An order has been given, or answered: as long as it is open it stands on top, so little need be told.
    fn on_order(&mut self, order: Order) {
        let line = standing(&order);
        match self.numbers.orders.take(order) {
            News::ToAnswer => self.bell.call(),
            News::Answered => self.note(Weight::Answer, line),
            News::Open | News::Nothing => {}
        }
    }

    fn on_late(&mut self, late: Late) {
        let Late { group, messages, older, while_away } = late;
        let first = messages.first().map(Message::position);
        let mut count = 0u64;
        for message in messages {
            count += u64::from(self.take_now(message, !while_away));
        }
        let is_open = self.open.as_ref() == Some(&group);
        if !self.is_seen(&group) {
            let unread = &mut self.views.entry(group.clone()).or_default().unread;
            unread.count = unread.count.saturating_add(older);
        }
        if is_open && (count > 0 || older > 0) {
            self.note(Weight::News, wording::late(count.saturating_add(older), while_away));
        }
        if let Some(first) = first.filter(|_| older > 0) {
            self.ask_before(group, first, older);
        }
    }

    fn on_member(&mut self, member: Member) {
        match self.members.iter_mut().find(|known| known.name == member.name) {
            Some(known) => *known = member,
            None => self.ask(Purpose::Own, Request::Members),
        }
    }

    fn on_notice(&mut self, notice: &Notice) {
        match notice {
            Notice::RosterUpdated { .. } => {
                for request in [Request::Members, Request::Status] {
                    self.ask(Purpose::Own, request);
                }
            }
            // The mark behind each message goes, and the count in the status line: no more need be said.
            Notice::Sent { .. } => return self.ask(Purpose::Own, Request::Status),
            Notice::ClockOff { by_ms } => self.clock.off_by_ms = Some(*by_ms),
            Notice::ClockMended => {
                self.clock.off_by_ms = None;
                self.warning = None;
            }
            Notice::ClocksDiffer { .. } => self.warning = Some("clocks differ".to_owned()),
            Notice::StoreFailed => self.warning = Some("the store has failed".to_owned()),
            Notice::NoLongerMember { .. } => self.warning = Some("not in the roster".to_owned()),
            Notice::Admitted { .. } | Notice::Removed { .. } => self.ask(Purpose::Own, Request::Members),
            Notice::Missing { .. }
            | Notice::Arrived { .. }
            | Notice::JoinAsked(_)
            | Notice::Clash { .. }
            | Notice::KeysOld { .. } => {}
            Notice::OrderWaits { .. } | Notice::OrderUnanswered { .. } => self.bell.call(),
        }
        let weight = match notice {
            Notice::StoreFailed | Notice::NoLongerMember { .. } | Notice::Clash { .. } => Weight::Refusal,
            Notice::OrderWaits { .. } | Notice::OrderUnanswered { .. } => Weight::Reminder,
            _ => Weight::News,
        };
        self.note(weight, wording::notice(notice, self.open.as_ref()));
    }

    /// Says that something is missing, and asks again for what the open group has newest.
    fn on_missed(&mut self, count: u64) {
        self.note(Weight::News, wording::missed(count));
        for request in [Request::Groups, Request::Members, Request::Status, Request::Orders] {
            self.ask(Purpose::Own, request);
        }
        if let Some(group) = self.open.clone() {
            self.ask_newest(Purpose::Older(group.clone()), group);
        }
    }

    fn on_answer(&mut self, to: RequestId, answer: Answer) {
        let purpose = self.awaited.remove(&to);
        match answer {
            Answer::Page(page) => self.on_page(purpose.as_ref(), page),
            Answer::Exported { path, count } => {
                self.note(Weight::Answer, wording::exported(&Printable::new(&path.to_string_lossy()), count));
            }
            Answer::Groups { groups } => self.on_groups(groups),
            Answer::Orders { orders } => orders.into_iter().for_each(|order| self.on_order(order)),
            Answer::Members { members } => {
                if matches!(purpose, Some(Purpose::Wish)) {
                    wording::members(&members).into_iter().for_each(|line| self.note(Weight::Answer, line));
                }
                self.members = members;
            }
            Answer::Status(status) => {
                self.waiting = status.waiting;
                self.connected = status.connected;
                self.roster = Some(status.roster);
                self.clock = status.clock;
            }
            Answer::JoinRequests { requests } => {
                wording::requests(&requests).into_iter().for_each(|line| self.note(Weight::Answer, line));
            }
            Answer::Changed(changed) => self.note(Weight::Answer, wording::changed(&changed)),
            Answer::Matrix(matrix) => match purpose {
                Some(Purpose::Who(of)) => self.on_matrix(of, matrix),
                _ => wording::matrix(&matrix).into_iter().for_each(|line| self.note(Weight::Answer, line)),
            },
            Answer::Posted(_) | Answer::Peers { .. } | Answer::Done => {}
        }
    }

    fn on_page(&mut self, purpose: Option<&Purpose>, page: Page) {
        let Page { group, messages, older, seen } = page;
        for message in messages {
            self.take_message(message, false);
        }
        let (is_open, is_seen) = (self.open.as_ref() == Some(&group), self.is_seen(&group));
        let view = self.views.entry(group).or_default();
        view.has_older = older.is_some();
        match purpose {
            Some(Purpose::Opening(_)) if is_open => view.timeline.mark_unread_after(seen.map(Key::from)),
            Some(Purpose::Older(_)) => view.awaits_older = false,
            Some(Purpose::Counting(seen)) if !is_seen => {
                let known = view.timeline.unread_after(seen.map(Key::from));
                view.unread = Unread { count: view.unread.count, ..known };
            }
            _ => {}
        }
    }

    fn on_refusal(&mut self, to: RequestId, refusal: &Refusal) {
        match self.awaited.remove(&to) {
            Some(Purpose::Own | Purpose::Counting(_)) => {
                tracing::debug!(error = refusal.error, "a request of the screen was refused");
            }
            Some(Purpose::Older(group)) => {
                if let Some(view) = self.views.get_mut(&group) {
                    view.awaits_older = false;
                }
            }
            Some(Purpose::Who(of)) => self.on_no_matrix(of, refusal),
            Some(Purpose::Opening(_) | Purpose::Wish) | None => self.refused(refusal),
        }
    }

    /// Says that what was asked for could not be done.
    pub(super) fn refused(&mut self, refusal: &Refusal) {
        let (reason, hint) = wording::refusal(refusal);
        self.note(Weight::Refusal, reason);
        if let Some(hint) = hint {
            self.note(Weight::Answer, hint);
        }
    }
}

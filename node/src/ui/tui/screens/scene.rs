//! The scene that whole screens are drawn of: a troop's leader amid a conversation, and the node that answers it.

use muster_roles::{Role, Timestamp};

use crate::control::{
    Answer, Ask, ClockState, Event, Member, Message, Page, Position, Presence, Profile, Request, RequestId,
    RosterState, Status,
};
use crate::ui::sample::{group, leader, member, message, mine, waiting};
use crate::ui::tui::Drawing;

/// 14:00 on Sunday, 22 November 2026, in UTC.
pub(super) const TWO_O_CLOCK_MS: u64 = 1_795_356_000_000;

/// A message written so many minutes after two.
pub(super) fn at(minute: u32, message: Message) -> Message {
    Message { time: Timestamp::from_ms(TWO_O_CLOCK_MS + u64::from(minute) * 60_000), ..message }
}

/// A message to the army.
pub(super) fn said(minute: u32, author: &str, text: &str) -> Message {
    at(minute, message(minute, "army", author, text))
}

/// A message of the army's leader, who sits here.
pub(super) fn i_said(minute: u32, text: &str) -> Message {
    at(minute, mine(minute, "army", "Army1", text))
}

pub(super) fn who(name: &str, role: Role, heard_minutes_ago: Option<u64>) -> Member {
    let presence = Presence {
        online: heard_minutes_ago == Some(0),
        last_heard_ms: heard_minutes_ago.map(|minutes| TWO_O_CLOCK_MS + 9 * 60_000 - minutes * 60_000),
    };
    Member { name: member(name), role, fingerprint: String::new(), me: name == "Army1", presence }
}

pub(super) fn everybody() -> Vec<Member> {
    vec![
        who("Chief", Role::Commander, Some(0)),
        who("Navy1", Role::Leader(group("navy")), Some(5)),
        who("Army1", Role::Leader(group("army")), None),
        who("Army2", Role::Soldier(group("army")), Some(0)),
        who("Army3", Role::Soldier(group("army")), Some(130)),
        who("Base", Role::Carrier, None),
    ]
}

pub(super) fn status(profile: &Profile) -> Status {
    Status {
        version: String::new(),
        pid: 1,
        uptime_s: 1,
        name: profile.name.clone(),
        role: profile.role.clone(),
        unit: profile.unit.clone(),
        unit_words: String::new(),
        roster: RosterState {
            version: 7,
            issued_ms: TWO_O_CLOCK_MS - 3 * 3_600_000,
            age_s: 0,
            members: 6,
            newest_of_peers: None,
        },
        connected: 2,
        listening: Vec::new(),
        waiting: 1,
        clock: ClockState::default(),
        store_works: true,
        listeners: 1,
    }
}

pub(super) fn next(drawing: &mut Drawing, is_wanted: impl Fn(&Request) -> bool) -> Option<RequestId> {
    std::iter::from_fn(|| drawing.next_ask()).find(|Ask { request, .. }| is_wanted(request)).map(|ask| ask.id)
}

/// Answers every request of the chat's that waits, as the node of a leader of the army would.
pub(super) fn answer_all(drawing: &mut Drawing, page: &[Message], seen: Option<Position>) {
    while let Some(Ask { id: to, request }) = drawing.next_ask() {
        let answer = match request {
            Request::Page { group, before: None, .. } => {
                let messages = page.iter().filter(|message| message.group == group).cloned().collect();
                Answer::Page(Page { group, messages, older: None, seen })
            }
            Request::Members => Answer::Members { members: everybody() },
            Request::Status => Answer::Status(Box::new(status(&leader("army")))),
            _ => Answer::Done,
        };
        drawing.tell(Event::Answered { to, answer });
    }
}

/// A troop's leader amid a conversation, on a terminal of this size.
pub(super) fn conversation(columns: u16, rows: u16) -> Drawing {
    let mut drawing = Drawing::new(columns, rows);
    drawing.set_now(TWO_O_CLOCK_MS + 9 * 60_000);
    let profile = Profile { name: member("Army1"), ..leader("army") };
    drawing.tell(Event::Profile(profile));
    let yesterday = Message {
        time: Timestamp::from_ms(TWO_O_CLOCK_MS - 20 * 3_600_000),
        ..message(90, "army", "Army3", "Good night.")
    };
    let page = [
        yesterday,
        said(0, "Army2", "Hello guys, how are you doing?"),
        i_said(1, "I am fine. We meet at the bridge at six, bring what you can carry and nothing that shines."),
        said(2, "Army2", "Understood."),
        said(3, "Army3", "I am also fine."),
        at(8, waiting(8, "army", "Army1", "Then let us go.")),
    ];
    let seen = page[3].position();
    drawing.tell(Event::Presence { connected: 2 });
    answer_all(&mut drawing, &page, Some(seen));
    drawing.tell(Event::Message(at(4, message(40, "heads", "Chief", "Leaders, report."))));
    drawing
}

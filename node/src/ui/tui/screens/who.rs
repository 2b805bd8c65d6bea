//! Who has a message.

use insta::assert_snapshot;
use muster_roles::Role;
use ratatui::crossterm::event::{KeyCode, KeyModifiers};

use super::scene::{TWO_O_CLOCK_MS, conversation};
use crate::control::{
    Answer, Ask, Delivery, Event, Matrix, MessageId, Receiver, Refusal, RefusalKind, Request, RequestId,
};
use crate::ui::sample::{group, member, soldier};
use crate::ui::tui::Drawing;

/// Takes the newest question for who has a message.
fn asked(drawing: &mut Drawing) -> Option<(RequestId, MessageId)> {
    let who = |ask: Ask| match ask.request {
        Request::Who { id, .. } => Some((ask.id, id)),
        _ => None,
    };
    std::iter::from_fn(|| drawing.next_ask()).filter_map(who).last()
}

/// Says that so many of three have the message, and that the first has read it.
fn answer(drawing: &mut Drawing, (to, id): (RequestId, MessageId), have: u64) {
    let at = |seconds: u64| TWO_O_CLOCK_MS + 8 * 60_000 + seconds * 1000;
    let roles =
        [("Chief", Role::Commander), ("Army2", Role::Soldier(group("army"))), ("Army3", Role::Soldier(group("army")))];
    let receiver = |(number, (name, role)): (u64, (&str, Role))| Receiver {
        name: member(name),
        role,
        delivered_ms: (number < have).then(|| at(number)),
        read_ms: (number == 0 && have > 0).then(|| at(30)),
    };
    let members = (0..).zip(roles).map(receiver).collect();
    let matrix = Matrix { id, group: group("army"), members };
    drawing.tell(Event::Answered { to, answer: Answer::Matrix(matrix) });
}

#[test]
fn who_has_ones_newest_message_is_a_key_away_and_follows_what_comes() {
    let mut drawing = conversation(80, 24);
    drawing.press(KeyCode::F(2));
    let first = asked(&mut drawing).unwrap();
    answer(&mut drawing, first, 1);
    assert_snapshot!(drawing.screen(), @r"
     1st Brigade · Army1, the leader of army                                  :help
     groups          │
     :h heads      1 │
    ▸:r army         │
                     │
                     │
                     │
                     │
              ┌ who has it ─────────────────────────────────────────────┐
              │ 14:08 Army1 (me): Then let us go.                       │
              │ 1 of 3 have it, read by 1                               │
              │                                                         │
              │ ○ Army2  army            not yet                        │───────────
              │ ○ Army3  army            not yet                        │
              │ ● Chief  commander       has it 14:08:00  read 14:08:30 │───────────
              └ n older, N newer, Esc closes ───────────────────────────┘
                     │14:01 Army1 (me): I am fine. We meet at the bridge at six,
                     │      bring what you can carry and nothing that shines.
                     │14:02 Army2: Understood.
                     │─────────────────────────── unread ───────────────────────────
                     │14:03 Army3: I am also fine.
                     │14:08 Army1 (me): Then let us go. (waiting)
     ● 2 in reach · 1 waiting · roster 7, 3 h old
    army>
    ");

    let progress =
        |to| Event::Delivery { group: group("army"), ids: vec![first.1], delivery: Delivery::Delivered { to, of: 3 } };
    drawing.tell(progress(2));
    let again = asked(&mut drawing).unwrap();
    // More comes before the answer: it is asked once more, and not for each.
    drawing.tell(progress(3));
    drawing.tell(progress(3));
    assert_eq!(asked(&mut drawing), None);
    answer(&mut drawing, again, 2);
    assert!(drawing.screen().contains("2 of 3 have it"), "{}", drawing.screen());
    let last = asked(&mut drawing).unwrap();
    answer(&mut drawing, last, 3);
    let screen = drawing.screen();
    assert!(screen.contains("3 of 3 have it") && !screen.contains("not yet"), "{screen}");
    assert_eq!(asked(&mut drawing), None);

    drawing.press(KeyCode::Esc);
    assert!(!drawing.screen().contains("have it"));
    drawing.tell(progress(3));
    assert_eq!(asked(&mut drawing), None, "nobody looks any more");
}

#[test]
fn from_one_message_of_ones_own_to_the_next() {
    let mut drawing = conversation(80, 24);
    drawing.press_with(KeyCode::Char('w'), KeyModifiers::ALT);
    let newest = asked(&mut drawing).unwrap();
    drawing.press(KeyCode::Char('n'));
    let older = asked(&mut drawing).unwrap();
    assert_ne!(older.1, newest.1);
    assert!(drawing.screen().contains("14:01 Army1 (me): I am fine."), "{}", drawing.screen());
    // What is told of another message than the one looked at is nothing.
    answer(&mut drawing, newest, 3);
    assert!(!drawing.screen().contains("of 3 have it"), "{}", drawing.screen());
    drawing.press(KeyCode::Char('n'));
    assert!(drawing.screen().contains("no older message of yours here"), "{}", drawing.screen());
    drawing.press(KeyCode::Char('N'));
    assert_eq!(asked(&mut drawing).unwrap().1, newest.1);
}

#[test]
fn what_a_search_has_found_is_the_message_that_is_meant() {
    let mut drawing = conversation(80, 24);
    drawing.type_text("/understood");
    drawing.press(KeyCode::Enter);
    drawing.press(KeyCode::F(2));
    assert!(asked(&mut drawing).is_some());
    assert!(drawing.screen().contains("14:02 Army2: Understood."), "{}", drawing.screen());
}

#[test]
fn a_long_list_is_scrolled_and_those_who_lack_the_message_stand_first() {
    let mut drawing = conversation(40, 10);
    drawing.press(KeyCode::F(2));
    let (to, id) = asked(&mut drawing).unwrap();
    let receiver = |number: u64| Receiver {
        name: member(&format!("Army{number}")),
        role: Role::Soldier(group("army")),
        delivered_ms: (number != 17).then_some(TWO_O_CLOCK_MS + number * 1000),
        read_ms: None,
    };
    let matrix = Matrix { id, group: group("army"), members: (2..20).map(receiver).collect() };
    drawing.tell(Event::Answered { to, answer: Answer::Matrix(matrix) });
    assert_snapshot!(drawing.screen(), @r"
    ┌ who has it ─────────────────────────┐
    │ 14:08 Army1 (me): Then let us go.   │
    │ 17 of 18 have it, read by 0         │
    │                                     │
    │ ○ Army17  not yet                   │─
    │ ● Army2   14:00:02                  │
    │ ● Army3   14:00:03                  │
    │ ● Army4   14:00:04                  │
    │ ● Army5   14:00:05                  │
    └ ↑ ↓, n older, N newer, Esc closes ──┘
    ");
    (0..100).for_each(|_| drawing.press(KeyCode::PageDown));
    assert!(drawing.screen().contains("Army19"), "{}", drawing.screen());
}

#[test]
fn where_nothing_has_been_said_or_the_node_does_not_tell_the_person_hears_why() {
    let mut drawing = Drawing::new(80, 10);
    drawing.tell(Event::Profile(soldier("army")));
    drawing.press(KeyCode::F(2));
    assert!(drawing.screen().contains("you have said nothing here yet"), "{}", drawing.screen());
    let mut drawing = conversation(80, 24);
    drawing.press(KeyCode::F(2));
    let (to, _) = asked(&mut drawing).unwrap();
    drawing.tell(Event::Refused { to, refusal: Refusal::new(RefusalKind::Unknown, "there is no such message") });
    let screen = drawing.screen();
    assert!(screen.contains("-- refused: there is no such message") && !screen.contains("who has it"), "{screen}");
}

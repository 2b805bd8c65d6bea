//! What is urgent and what calls one by name: how it is marked, and when it rings.

use insta::assert_snapshot;
use muster_roles::Precedence;
use ratatui::crossterm::event::KeyCode;

use super::scene::{TWO_O_CLOCK_MS, at, conversation, i_said, next, said};
use crate::control::{Answer, Event, GroupChoice, GroupState, Late, Manner, Message, Page, Profile, Request};
use crate::ui::sample::{group, leader, member, message};
use crate::ui::tui::Drawing;

fn urgent(precedence: Precedence, message: Message) -> Message {
    Message { manner: Manner { precedence, ..Manner::default() }, ..message }
}

fn to_heads(minute: u32, text: &str) -> Message {
    at(minute, message(50 + minute, "heads", "Chief", text))
}

#[test]
fn urgent_messages_and_calls_by_name_are_marked_where_they_stand_and_beside_their_group() {
    let mut drawing = conversation(80, 16);
    drawing.tell(Event::Message(urgent(Precedence::Flash, to_heads(5, "Enemy at the bridge."))));
    drawing.tell(Event::Message(urgent(Precedence::Immediate, said(9, "Army2", "Under fire, need help."))));
    drawing.tell(Event::Message(urgent(Precedence::Priority, said(10, "Army3", "Fuel is short."))));
    let call = Message { mentions_me: true, ..to_heads(6, "@Army1, confirm.") };
    drawing.tell(Event::Message(call));
    assert_snapshot!(drawing.screen(), @r"
     1st Brigade · Army1, the leader of army                                  :help
     groups          │
     :h hea… !!!3 @1 │───────────────── Saturday, 21 November 2026 ─────────────────
    ▸:r army         │18:00 Army3: Good night.
                     │────────────────── Sunday, 22 November 2026 ──────────────────
                     │14:00 Army2: Hello guys, how are you doing?
                     │14:01 Army1 (me): I am fine. We meet at the bridge at six,
                     │      bring what you can carry and nothing that shines.
                     │14:02 Army2: Understood.
                     │─────────────────────────── unread ───────────────────────────
                     │14:03 Army3: I am also fine.
                     │14:08 Army1 (me): Then let us go. (waiting)
                     │14:09 Army2: [immediate] Under fire, need help.
                     │14:10 Army3: [priority] Fuel is short.
     ● 2 in reach · flash in heads · @1 in heads · 1 waiting · roster 7, 3 h old
    army>
    ");
    drawing.resize(40, 10);
    assert_snapshot!(drawing.screen(), @r"
     heads !!!3 @1  ▸army             Army1
    ──────────────── unread ────────────────
    14:03 Army3: I am also fine.
    14:08 Army1 (me): Then let us go.
      (waiting)
    14:09 Army2: [immediate] Under fire,
      need help.
    14:10 Army3: [priority] Fuel is short.
     ● 2 in reach · flash in heads
    army>
    ");
}

#[test]
fn flash_and_immediate_ring_and_priority_rings_only_where_it_stands_unseen() {
    let mut drawing = conversation(80, 24);
    let mut minute = 10u32;
    let mut rings = |drawing: &mut Drawing, message: Message| {
        minute += 1;
        drawing.set_now(TWO_O_CLOCK_MS + u64::from(minute) * 60_000);
        drawing.tell(Event::Message(message));
        drawing.rang()
    };
    assert!(!drawing.rang(), "nothing of what was there");
    assert!(rings(&mut drawing, urgent(Precedence::Flash, said(11, "Army2", "flash"))));
    assert!(rings(&mut drawing, urgent(Precedence::Immediate, to_heads(12, "immediate"))));
    assert!(rings(&mut drawing, urgent(Precedence::Priority, to_heads(13, "priority elsewhere"))));
    assert!(!rings(&mut drawing, urgent(Precedence::Priority, said(14, "Army2", "priority here"))));
    assert!(!rings(&mut drawing, to_heads(15, "routine elsewhere")));
    assert!(rings(&mut drawing, Message { mentions_me: true, ..to_heads(16, "@Army1") }));
    assert!(!rings(&mut drawing, urgent(Precedence::Flash, i_said(17, "one's own"))));
    assert!(!rings(&mut drawing, urgent(Precedence::Flash, said(11, "Army2", "flash"))), "told again");
    // Whoever reads further up does not see what comes.
    drawing.resize(40, 10);
    drawing.press(KeyCode::PageUp);
    assert!(rings(&mut drawing, urgent(Precedence::Priority, said(18, "Army2", "priority below"))));
}

#[test]
fn a_hundred_urgent_messages_that_come_late_ring_once() {
    let mut drawing = conversation(80, 24);
    let flash = |number| urgent(Precedence::Flash, said(number, "Army2", "late"));
    let late = Late { group: group("army"), messages: (100..200).map(flash).collect(), older: 20, while_away: true };
    drawing.tell(Event::Late { groups: vec![late] });
    assert_eq!([drawing.rang(), drawing.rang()], [true, false]);
    for number in 200..300 {
        drawing.tell(Event::Message(flash(number)));
        assert!(!drawing.rang(), "what comes right behind them has had its bell");
    }
}

#[test]
fn what_was_urgent_and_unread_before_the_chat_was_opened_is_marked_too() {
    let mut drawing = Drawing::new(80, 10);
    drawing.set_now(TWO_O_CLOCK_MS + 9 * 60_000);
    drawing.tell(Event::Profile(Profile { name: member("Army1"), ..leader("army") }));
    let groups = next(&mut drawing, |request| *request == Request::Groups).unwrap();
    let choice = GroupChoice { id: group("heads"), letter: 'h', may_post: true };
    let seen = Some(to_heads(1, "read").position());
    drawing.tell(Event::Answered {
        to: groups,
        answer: Answer::Groups { groups: vec![GroupState { choice, unread: 2, seen }] },
    });
    let asked =
        |request: &Request| matches!(request, Request::Page { group: of, limit: 2, .. } if *of == group("heads"));
    let page = next(&mut drawing, asked).unwrap();
    let messages = vec![
        urgent(Precedence::Immediate, to_heads(2, "Report at once.")),
        Message { mentions_me: true, ..to_heads(3, "@Army1!") },
    ];
    let page_of = Page { group: group("heads"), messages, older: None, seen };
    drawing.tell(Event::Answered { to: page, answer: Answer::Page(page_of) });
    assert!(!drawing.rang(), "it is no news");
    assert_snapshot!(drawing.screen(), @r"
     1st Brigade · Army1, the leader of army                                  :help
     groups          │
     :h heads !!2 @1 │
    ▸:r army         │
                     │
                     │
                     │
                     │
     ○ nobody in reach: what you write waits · immediate in heads · @1 in heads
    army>
    ");
    // It is read elsewhere.
    let upto = to_heads(3, "").position();
    drawing.tell(Event::Read { group: group("heads"), upto, unread: 0 });
    assert!(!drawing.screen().contains("@1"), "{}", drawing.screen());
}

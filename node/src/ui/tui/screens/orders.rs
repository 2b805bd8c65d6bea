//! Orders on top of the messages, until they have been answered.

use insta::assert_snapshot;
use muster_roles::Precedence;
use ratatui::crossterm::event::KeyCode;

use super::scene::{at, conversation, next};
use crate::control::{About, Answer, Event, Manner, Notice, Order, Request, Text};
use crate::ui::sample::{answered, given_order, group, member, order_to_me};
use crate::ui::tui::Drawing;

fn order(minute: u32, to: &str, text: &str) -> Order {
    let order = order_to_me(60 + minute, to, "Chief", text);
    Order { message: at(minute, order.message), ..order }
}

fn given(minute: u32, text: &str, missing: &[&str]) -> Order {
    let order = given_order(60 + minute, "army", "Army1", text, missing);
    Order { message: at(minute, order.message), ..order }
}

/// What the node tells when this member has answered.
fn done(order: &Order) -> Event {
    Event::Order(Order { mine_to_answer: false, open: false, ..answered(order.clone(), &["Army1"], &[]) })
}

#[test]
fn an_order_stands_on_top_until_it_is_answered() {
    let mut drawing = conversation(80, 24);
    let before = drawing.screen();
    let (first, second) = (
        order(
            5,
            "heads",
            "Leaders, report strength and fuel by seven, by runner where radio fails, and say who is missing, who is wounded and what you need.",
        ),
        order(6, "heads", "Then hold."),
    );
    let urgent = Manner { precedence: Precedence::Immediate, ..first.message.manner };
    let first = Order { message: crate::control::Message { manner: urgent, ..first.message }, ..first };
    for order in [&first, &second] {
        drawing.tell(Event::Order(order.clone()));
    }
    assert!(drawing.rang());
    assert_snapshot!(drawing.screen(), @r"
     1st Brigade · Army1, the leader of army                                  :help
     groups          │──────────── 2 orders to answer: :ack or :cannot ─────────────
     :h heads      1 │▸14:05 Chief in heads: [immediate] Leaders, report strength
    ▸:r army         │   and fuel by seven, by runner where radio fails, and say wh…
                     │ 14:06 Chief in heads: Then hold.
                     │──────────────────────────────────────────────────────────────
                     │
                     │
                     │
                     │
                     │
                     │
                     │───────────────── Saturday, 21 November 2026 ─────────────────
                     │18:00 Army3: Good night.
                     │────────────────── Sunday, 22 November 2026 ──────────────────
                     │14:00 Army2: Hello guys, how are you doing?
                     │14:01 Army1 (me): I am fine. We meet at the bridge at six,
                     │      bring what you can carry and nothing that shines.
                     │14:02 Army2: Understood.
                     │─────────────────────────── unread ───────────────────────────
                     │14:03 Army3: I am also fine.
                     │14:08 Army1 (me): Then let us go. (waiting)
     ● 2 in reach · 1 waiting · roster 7, 3 h old
    army>
    ");
    // What one answers is the first of them, whatever group is open.
    drawing.type_text(":ack by runner");
    drawing.press(KeyCode::Enter);
    let about = Some(About::Acknowledged(first.message.id));
    let is_answer = |request: &Request| matches!(request, Request::Post { manner, .. } if manner.about == about);
    assert!(next(&mut drawing, is_answer).is_some());
    drawing.tell(done(&first));
    assert!(drawing.screen().contains("1 order to answer: :ack or :cannot"), "{}", drawing.screen());
    drawing.tell(done(&second));
    assert_eq!(drawing.screen(), before);
}

#[test]
fn the_giver_sees_who_has_not_answered_until_all_have() {
    let mut drawing = conversation(80, 24);
    let order = given(6, "Hold the ford until noon.", &["Army2", "Army3"]);
    drawing.tell(Event::Order(order.clone()));
    let mut half = answered(order.clone(), &["Army2"], &["Army3"]);
    half.answers[0].able = false;
    half.answers[0].text = Text::new("no boats");
    drawing.tell(Event::Order(half));
    assert!(!drawing.rang(), "one's own");
    assert_snapshot!(drawing.screen(), @r"
     1st Brigade · Army1, the leader of army                                  :help
     groups          │──────────────── your order waits for answers ────────────────
     :h heads      1 │ 14:06 Army1 (me): Hold the ford until noon.
    ▸:r army         │   1 of 2 answers so far, Army2 cannot; missing: Army3
                     │──────────────────────────────────────────────────────────────
                     │
                     │
                     │
                     │
                     │
                     │
                     │
                     │───────────────── Saturday, 21 November 2026 ─────────────────
                     │18:00 Army3: Good night.
                     │────────────────── Sunday, 22 November 2026 ──────────────────
                     │14:00 Army2: Hello guys, how are you doing?
                     │14:01 Army1 (me): I am fine. We meet at the bridge at six,
                     │      bring what you can carry and nothing that shines.
                     │14:02 Army2: Understood.
                     │─────────────────────────── unread ───────────────────────────
                     │14:03 Army3: I am also fine.
                     │14:08 Army1 (me): Then let us go. (waiting)
     ● 2 in reach · 1 waiting · roster 7, 3 h old
    army>
    ");
    drawing.tell(Event::Notice(Notice::OrderUnanswered { group: group("army"), missing: vec![member("Army3")] }));
    assert!(drawing.rang());
    assert!(drawing.screen().contains("-- your order has no answer yet from Army3"), "{}", drawing.screen());
    drawing.tell(Event::Order(answered(order, &["Army2", "Army3"], &[])));
    let screen = drawing.screen();
    let is_told =
        screen.contains("-- order in army: Hold the ford until noon.: all have") && screen.contains("Army3 ack");
    assert!(is_told && !screen.contains("missing"), "{screen}");
}

#[test]
fn many_orders_take_a_part_of_the_screen_and_the_rest_is_counted() {
    let mut drawing = conversation(80, 24);
    for minute in 1..9 {
        drawing.tell(Event::Order(order(minute, if minute > 6 { "army" } else { "heads" }, "Report what you see.")));
    }
    drawing.tell(Event::Order(given(9, "Hold.", &["Army2"])));
    assert_snapshot!(drawing.screen(), @r"
     1st Brigade · Army1, the leader of army                                  :help
     groups          │──────────── 8 orders to answer: :ack or :cannot ─────────────
     :h heads      1 │▸14:07 Chief: Report what you see.
    ▸:r army         │ 14:08 Chief: Report what you see.
                     │ 14:01 Chief in heads: Report what you see.
                     │ 14:02 Chief in heads: Report what you see.
                     │ and 5 more: `:orders` lists them
                     │──────────────────────────────────────────────────────────────
                     │
                     │
                     │
                     │
                     │───────────────── Saturday, 21 November 2026 ─────────────────
                     │18:00 Army3: Good night.
                     │────────────────── Sunday, 22 November 2026 ──────────────────
                     │14:00 Army2: Hello guys, how are you doing?
                     │14:01 Army1 (me): I am fine. We meet at the bridge at six,
                     │      bring what you can carry and nothing that shines.
                     │14:02 Army2: Understood.
                     │─────────────────────────── unread ───────────────────────────
                     │14:03 Army3: I am also fine.
                     │14:08 Army1 (me): Then let us go. (waiting)
     ● 2 in reach · 1 waiting · roster 7, 3 h old
    army>
    ");
    drawing.resize(40, 10);
    assert_snapshot!(drawing.screen(), @r"
     heads 1  ▸army                   Army1
    ─ 8 orders to answer: :ack or :cannot ──
    ▸14:07 Chief: Report what you see.
    14:02 Army2: Understood.
    ──────────────── unread ────────────────
    14:03 Army3: I am also fine.
    14:08 Army1 (me): Then let us go.
      (waiting)
     ● 2 in reach · 1 waiting
    army>
    ");
    drawing.resize(120, 40);
    assert_snapshot!(drawing.screen(), @r"
     1st Brigade · Army1, the leader of army                                                                          :help
     groups          │─────────────────── 8 orders to answer: :ack or :cannot ───────────────────│ members, 3 of 6 here
     :h heads      1 │▸14:07 Chief: Report what you see.                                         │ ● Chief        commander
    ▸:r army         │ 14:08 Chief: Report what you see.                                         │ ● Army1 (me)  leads army
                     │ 14:01 Chief in heads: Report what you see.                                │ ● Army2             army
                     │ 14:02 Chief in heads: Report what you see.                                │ ○ Navy1            5 min
                     │ 14:03 Chief in heads: Report what you see.                                │ ○ Army3              2 h
                     │ 14:04 Chief in heads: Report what you see.                                │ ○ Base           carrier
                     │ 14:05 Chief in heads: Report what you see.                                │
                     │ 14:06 Chief in heads: Report what you see.                                │
                     │ 14:09 Army1 (me): Hold.                                                   │
                     │   0 of 1 answer so far; missing: Army2                                    │
                     │───────────────────────────────────────────────────────────────────────────│
                     │                                                                           │
                     │                                                                           │
                     │                                                                           │
                     │                                                                           │
                     │                                                                           │
                     │                                                                           │
                     │                                                                           │
                     │                                                                           │
                     │                                                                           │
                     │                                                                           │
                     │                                                                           │
                     │                                                                           │
                     │                                                                           │
                     │                                                                           │
                     │                                                                           │
                     │─────────────────────── Saturday, 21 November 2026 ────────────────────────│
                     │18:00 Army3: Good night.                                                   │
                     │──────────────────────── Sunday, 22 November 2026 ─────────────────────────│
                     │14:00 Army2: Hello guys, how are you doing?                                │
                     │14:01 Army1 (me): I am fine. We meet at the bridge at six, bring what you  │
                     │      can carry and nothing that shines.                                   │
                     │14:02 Army2: Understood.                                                   │
                     │───────────────────────────────── unread ──────────────────────────────────│
                     │14:03 Army3: I am also fine.                                               │
                     │14:08 Army1 (me): Then let us go. (waiting)                                │
     ● 2 in reach · 1 waiting · roster 7, 3 h old
    army>
    ");
}

#[test]
fn orders_that_came_before_the_chat_was_opened_are_asked_for() {
    let mut drawing = Drawing::new(80, 10);
    drawing.tell(Event::Profile(crate::ui::sample::soldier("army")));
    let asked = next(&mut drawing, |request| *request == Request::Orders).unwrap();
    let orders = vec![order(1, "army", "Dig in."), Order { open: false, ..given(2, "Old.", &[]) }];
    drawing.tell(Event::Answered { to: asked, answer: Answer::Orders { orders } });
    let screen = drawing.screen();
    assert!(screen.contains("1 order to answer") && screen.contains("Dig in."), "{screen}");
    assert!(!screen.contains("Old."), "{screen}");
    assert!(drawing.rang());
}

#[test]
fn whoever_has_not_answered_is_reminded() {
    let mut drawing = conversation(80, 24);
    drawing.tell(Event::Notice(Notice::OrderWaits { group: group("heads"), giver: member("Chief") }));
    assert!(drawing.rang());
    let screen = drawing.screen();
    assert!(screen.contains("-- an order of Chief in heads still waits for your answer"), "{screen}");
}

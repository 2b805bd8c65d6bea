//! What a person types and pastes.

use insta::assert_snapshot;
use ratatui::crossterm::event::{KeyCode, KeyModifiers};

use super::scene::{conversation, next, said};
use crate::control::{Event, Refusal, RefusalKind, Request};
use crate::ui::sample::{commander, soldier};
use crate::ui::tui::Drawing;

#[test]
fn the_commander_sees_where_it_may_not_post_and_why() {
    let mut drawing = Drawing::new(80, 12);
    drawing.tell(Event::Profile(commander()));
    drawing.type_text(":r");
    drawing.press(KeyCode::Enter);
    drawing.type_text("Hold your position.");
    drawing.press(KeyCode::Enter);
    let post = next(&mut drawing, |request| matches!(request, Request::Post { .. })).unwrap();
    let refusal = Refusal::new(RefusalKind::Denied, "the commander cannot post to army").with_hint("post to heads");
    drawing.tell(Event::Refused { to: post, refusal });
    assert_snapshot!(drawing.screen(), @r"
     1st Brigade · Chief, the commander                                       :help
     groups          │
     :h heads        │
     :n navy         │
     :a airforce     │
    ▸:r army         │
                     │
                     │
                     │-- refused: the commander cannot post to army
                     │-- hint: post to heads
     ○ nobody in reach: what you write waits
    army (read only)>
    ");
}

#[test]
fn text_of_several_lines_is_typed_and_shown_as_such() {
    let mut drawing = conversation(80, 14);
    drawing.tell(Event::Message(said(
        9,
        "Army2",
        "Packing list:\n* rope\n* lamp, and oil for it, enough for the whole night and the way back",
    )));
    drawing.type_text("Also:");
    drawing.press_with(KeyCode::Char('j'), KeyModifiers::CONTROL);
    drawing.type_text("* bread");
    drawing.press_with(KeyCode::Enter, KeyModifiers::ALT);
    drawing.type_text("* salt");
    assert_snapshot!(drawing.screen(), @r"
     1st Brigade · Army1, the leader of army                                  :help
     groups          │      bring what you can carry and nothing that shines.
     :h heads      1 │14:02 Army2: Understood.
    ▸:r army         │─────────────────────────── unread ───────────────────────────
                     │14:03 Army3: I am also fine.
                     │14:08 Army1 (me): Then let us go. (waiting)
                     │14:09 Army2: Packing list:
                     │      * rope
                     │      * lamp, and oil for it, enough for the whole night and
                     │      the way back
     ● 2 in reach · 1 waiting · roster 7, 3 h old
    army> Also:
          * bread
          * salt
    ");
    drawing.press(KeyCode::Enter);
    let posted = std::iter::from_fn(|| drawing.next_ask()).find_map(|ask| match ask.request {
        Request::Post { text, .. } => Some(text),
        _ => None,
    });
    assert_eq!(posted.unwrap(), "Also:\n* bread\n* salt");
}

#[test]
fn a_long_paste_is_asked_about_first() {
    let mut drawing = conversation(80, 16);
    drawing.paste("1\r\n2\r\n3\r\n4\r\n5\r\n6\r\n7\u{1b}[2J\r\n8\r\n");
    assert_snapshot!(drawing.screen(), @r"
     1st Brigade · Army1, the leader of army                                  :help
     groups          │
     :h heads      1 │┌ paste ───────────────────────────────────┐
    ▸:r army         ││ Paste 8 lines into the message for army? │
                     ││                                          │ ─────────────────
                     ││ 1                                        │
                     ││ 2                                        │──────────────────
                     ││ 3                                        │
                     ││ 4                                        │bridge at six,
                     ││ 5                                        │hat shines.
                     ││ 6                                        │
                     ││ …                                        │──────────────────
                     │└ y pastes, n does not ────────────────────┘
                     │14:08 Army1 (me): Then let us go. (waiting)
     ● 2 in reach · 1 waiting · roster 7, 3 h old
    army>
    ");
    drawing.press(KeyCode::Char('n'));
    assert!(drawing.screen().contains("not pasted"));
    drawing.paste("1\n2\n3\n4\n5\n6");
    drawing.press(KeyCode::Char('y'));
    drawing.press(KeyCode::Enter);
    let post =
        next(&mut drawing, |request| matches!(request, Request::Post { text, .. } if text == "1\n2\n3\n4\n5\n6"));
    assert!(post.is_some());
}

#[test]
fn who_sits_here_and_where_text_goes_is_known_before_anything_is_sent() {
    let mut drawing = Drawing::new(80, 10);
    drawing.type_text("hello");
    drawing.press(KeyCode::Enter);
    assert!(drawing.next_ask().is_none());
    drawing.tell(Event::Profile(soldier("army")));
    assert!(drawing.screen().ends_with("army> hello"), "what was typed meanwhile stays");
}

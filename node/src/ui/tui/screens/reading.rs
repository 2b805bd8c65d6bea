//! What a person reads: messages, marks and warnings, and the way through them.

use insta::assert_snapshot;
use ratatui::crossterm::event::KeyCode;

use super::scene::{conversation, said};
use crate::control::{Event, Notice};
use crate::ui::tui::Drawing;

#[test]
fn what_one_reads_stays_where_it_is_while_messages_come() {
    let mut drawing = conversation(40, 10);
    drawing.press(KeyCode::PageUp);
    let messages =
        |drawing: &mut Drawing| drawing.screen().lines().skip(1).take(7).map(str::to_owned).collect::<Vec<_>>();
    let before = messages(&mut drawing);
    drawing.tell(Event::Message(said(9, "Army3", "Wait for me!")));
    assert_eq!(messages(&mut drawing), before);
    assert_snapshot!(drawing.screen(), @r"
     heads 1  ▸army 1                 Army1
    ────── Saturday, 21 November 2026 ──────
    18:00 Army3: Good night.
    ─────── Sunday, 22 November 2026 ───────
    14:00 Army2: Hello guys, how are you
      doing?
    14:01 Army1 (me): I am fine. We meet at
      the bridge at six, bring what you can
     ● 2 in reach            ↓ 4 below, End
    army>
    ");
    drawing.press(KeyCode::End);
    assert!(drawing.screen().contains("Army3: Wait for me!"));
}

#[test]
fn a_search_goes_from_one_message_to_the_next() {
    let mut drawing = conversation(60, 10);
    drawing.type_text("/FINE");
    drawing.press(KeyCode::Enter);
    assert!(drawing.screen().contains("I am also fine."));
    drawing.press(KeyCode::Char('n'));
    assert_snapshot!(drawing.screen(), @r"
     1st Brigade · Army1, the leader of army              :help
     groups          │  doing?
     :h heads      1 │14:01 Army1 (me): I am fine. We meet at
    ▸:r army         │  the bridge at six, bring what you can
                     │  carry and nothing that shines.
                     │14:02 Army2: Understood.
                     │───────────────── unread ─────────────────
                     │14:03 Army3: I am also fine.
     ● 2 in reach · 1 waiting                    ↓ 1 below, End
    /FINE   n older, N newer, Esc ends the search
    ");
    drawing.press(KeyCode::Char('n'));
    assert!(drawing.screen().contains("nothing older with “FINE”"));
    drawing.press(KeyCode::Char('N'));
    assert!(drawing.screen().contains("I am also fine."));
    drawing.press(KeyCode::Esc);
    drawing.type_text("no search");
    assert!(drawing.screen().ends_with("army> no search"));
}

#[test]
fn warnings_are_words_and_not_only_colours() {
    let mut drawing = conversation(100, 12);
    drawing.tell(Event::Notice(Notice::ClockOff { by_ms: 180_000 }));
    drawing.tell(Event::Presence { connected: 0 });
    assert_snapshot!(drawing.screen(), @r"
     1st Brigade · Army1, the leader of army                                                      :help
     groups          │14:01 Army1 (me): I am fine. We meet at the bridge at  │ members, 3 of 6 here
     :h heads      1 │      six, bring what you can carry and nothing that   │ ● Chief        commander
    ▸:r army         │      shines.                                          │ ● Army1 (me)  leads army
                     │14:02 Army2: Understood.                               │ ● Army2             army
                     │─────────────────────── unread ────────────────────────│ ○ Navy1            5 min
                     │14:03 Army3: I am also fine.                           │ ○ Army3              2 h
                     │14:08 Army1 (me): Then let us go. (waiting)            │ ○ Base           carrier
                     │-- this device's clock is 3 min ahead of the unit's:   │
                     │   set it; messages are stamped with the unit's time   │
     ○ nobody in reach: what you write waits · ! clock 3 min ahead of the unit's · 1 waiting
    army>
    ");
}

#[test]
fn nothing_from_others_reaches_the_terminal_unclean() {
    let mut drawing = conversation(80, 24);
    drawing.tell(Event::Message(said(9, "Army2", "\u{1b}[2Jcleared\u{202e}desrever\u{7}\u{9b}31m\u{200f}")));
    drawing.paste("\u{1b}]0;title\u{7}\u{202e}x");
    let screen = drawing.screen();
    assert!(screen.contains("[2Jcleareddesrever31m"));
    let is_unclean = |c: char| (c.is_control() && c != '\n') || ('\u{202a}'..='\u{202e}').contains(&c);
    assert!(!screen.contains(is_unclean), "{screen:?}");
}

//! How the screen is divided, from the smallest terminal to a large one.

use insta::assert_snapshot;

use super::scene::{conversation, said};
use crate::control::Event;

#[test]
fn a_conversation_at_80_by_24() {
    let mut drawing = conversation(80, 24);
    drawing.type_text("On our w");
    assert_snapshot!(drawing.screen(), @r"
     1st Brigade · Army1, the leader of army                                  :help
     groups          │
     :h heads      1 │
    ▸:r army         │
                     │
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
    army> On our w
    ");
}

#[test]
fn a_conversation_at_120_by_40() {
    assert_snapshot!(conversation(120, 40).screen(), @r"
     1st Brigade · Army1, the leader of army                                                                          :help
     groups          │                                                                           │ members, 3 of 6 here
     :h heads      1 │                                                                           │ ● Chief        commander
    ▸:r army         │                                                                           │ ● Army1 (me)  leads army
                     │                                                                           │ ● Army2             army
                     │                                                                           │ ○ Navy1            5 min
                     │                                                                           │ ○ Army3              2 h
                     │                                                                           │ ○ Base           carrier
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
fn a_conversation_at_40_by_10() {
    assert_snapshot!(conversation(40, 10).screen(), @r"
     heads 1  ▸army                   Army1
      the bridge at six, bring what you can
      carry and nothing that shines.
    14:02 Army2: Understood.
    ──────────────── unread ────────────────
    14:03 Army3: I am also fine.
    14:08 Army1 (me): Then let us go.
      (waiting)
     ● 2 in reach · 1 waiting
    army>
    ");
}

#[test]
fn smaller_than_that_says_so() {
    assert_snapshot!(conversation(39, 10).screen(), @r"
    too small: 39×10, Muster needs 40×10
    ");
}

#[test]
fn another_size_is_laid_out_anew() {
    let mut drawing = conversation(120, 40);
    drawing.draw();
    drawing.resize(40, 10);
    let small = drawing.screen();
    drawing.resize(120, 40);
    assert_eq!(small, conversation(40, 10).screen());
    assert_eq!(drawing.screen(), conversation(120, 40).screen());
}

#[test]
fn wide_characters_and_combining_marks_keep_the_columns_straight() {
    let mut drawing = conversation(100, 12);
    drawing.tell(Event::Message(said(
        9,
        "Army2",
        "橋で六時に会う、わかったか。遅れるな、明かりは要らない。荷物は少なく。",
    )));
    drawing.tell(Event::Message(said(10, "Army3", "Cafe\u{301} a\u{300} six heures 👋🏽 d’accord")));
    drawing.type_text("はい");
    assert_snapshot!(drawing.screen(), @r"
     1st Brigade · Army1, the leader of army                                                      :help
     groups          │      six, bring what you can carry and nothing that   │ members, 3 of 6 here
     :h heads      1 │      shines.                                          │ ● Chief        commander
    ▸:r army         │14:02 Army2: Understood.                               │ ● Army1 (me)  leads army
                     │─────────────────────── unread ────────────────────────│ ● Army2             army
                     │14:03 Army3: I am also fine.                           │ ○ Navy1            5 min
                     │14:08 Army1 (me): Then let us go. (waiting)            │ ○ Army3              2 h
                     │14:09 Army2: 橋で六時に会う、わかったか。遅れるな、明か│ ○ Base           carrier
                     │      りは要らない。荷物は少なく。                     │
                     │14:10 Army3: Café à six heures 👋🏽 d’accord             │
     ● 2 in reach · 1 waiting · roster 7, 3 h old
    army> はい
    ");
}

//! Whole screens, as literally as a terminal shows them.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use insta::assert_snapshot;
use muster_roles::{Role, Timestamp};
use ratatui::crossterm::event::{KeyCode, KeyModifiers};

use super::Drawing;
use crate::control::{
    Answer, Ask, ClockState, Event, Member, Message, Notice, Page, Position, Presence, Profile, Request, RequestId,
    RosterState, Status,
};
use crate::ui::sample::{commander, group, leader, member, message, mine, soldier, waiting};

/// 14:00 on Sunday, 22 November 2026, in UTC.
const TWO_O_CLOCK_MS: u64 = 1_795_356_000_000;

/// A message written so many minutes after two.
fn at(minute: u32, message: Message) -> Message {
    Message { time: Timestamp::from_ms(TWO_O_CLOCK_MS + u64::from(minute) * 60_000), ..message }
}

/// A message to the army.
fn said(minute: u32, author: &str, text: &str) -> Message {
    at(minute, message(minute, "army", author, text))
}

/// A message of the army's leader, who sits here.
fn i_said(minute: u32, text: &str) -> Message {
    at(minute, mine(minute, "army", "Army1", text))
}

fn who(name: &str, role: Role, heard_minutes_ago: Option<u64>) -> Member {
    let presence = Presence {
        online: heard_minutes_ago == Some(0),
        last_heard_ms: heard_minutes_ago.map(|minutes| TWO_O_CLOCK_MS + 9 * 60_000 - minutes * 60_000),
    };
    Member { name: member(name), role, fingerprint: String::new(), me: name == "Army1", presence }
}

fn everybody() -> Vec<Member> {
    vec![
        who("Chief", Role::Commander, Some(0)),
        who("Navy1", Role::Leader(group("navy")), Some(5)),
        who("Army1", Role::Leader(group("army")), None),
        who("Army2", Role::Soldier(group("army")), Some(0)),
        who("Army3", Role::Soldier(group("army")), Some(130)),
        who("Base", Role::Carrier, None),
    ]
}

fn status(profile: &Profile) -> Status {
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

fn next(drawing: &mut Drawing, is_wanted: impl Fn(&Request) -> bool) -> Option<RequestId> {
    std::iter::from_fn(|| drawing.next_ask()).find(|Ask { request, .. }| is_wanted(request)).map(|ask| ask.id)
}

/// Answers every request of the chat's that waits, as the node of a leader of the army would.
fn answer_all(drawing: &mut Drawing, page: &[Message], seen: Option<Position>) {
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
fn conversation(columns: u16, rows: u16) -> Drawing {
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
fn the_commander_sees_where_it_may_not_post_and_why() {
    let mut drawing = Drawing::new(80, 12);
    drawing.tell(Event::Profile(commander()));
    drawing.type_text(":r");
    drawing.press(KeyCode::Enter);
    drawing.type_text("Hold your position.");
    drawing.press(KeyCode::Enter);
    let post = next(&mut drawing, |request| matches!(request, Request::Post { .. })).unwrap();
    let refusal =
        crate::control::Refusal::new(crate::control::RefusalKind::Denied, "the commander cannot post to army")
            .with_hint("post to heads");
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
fn help_lists_commands_and_keys() {
    let mut drawing = conversation(80, 53);
    drawing.type_text(":help");
    drawing.press(KeyCode::Enter);
    assert_snapshot!(drawing.screen(), @r"
     1st Brigade · Army1, the leader of army                                  :help
     groups          │
     :h heads      1 │
    ┌ commands and keys ───────────────────────────────────────────────────────────┐
    │ :h              open heads (read and post)                                   │
    │ :r              open army (read and post, open now)                          │
    │ :t              toggle between heads and your troop                          │
    │ :d              save the last week of the open group to a text file          │
    │ :order          TEXT: give an order, which its readers answer                │
    │ :ack            [TEXT]: answer an order: it is carried out                   │
    │ :cannot         [TEXT]: answer an order: it cannot be carried out            │
    │ :orders         list the orders that wait                                    │
    │ :flash          TEXT: post before everything else                            │
    │ :immediate      TEXT: post before priority traffic                           │
    │ :priority       TEXT: post before routine traffic                            │
    │ :reply          N TEXT: reply to message N                                   │
    │ :correct        N TEXT: correct your message N                               │
    │ :numbers        list the newest messages with their numbers                  │
    │ :who            [N]: show who has message N, or your last one                │
    │ :roster         list the members and their keys                              │
    │ :requests       list the devices that ask to join                            │
    │ :admit          NAME GROUP|leader GROUP|carrier: let in who asks to join     │
    │ :dismiss        NAME: turn away who asks to join                             │
    │ :add            NAME GROUP|leader GROUP|carrier KEY: add a member            │
    │ :remove         NAME: remove a member                                        │
    │ :rekey          replace the group keys                                       │
    │ :help           show this list                                               │
    │ :quit, logmeout leave; Ctrl-D leaves too                                     │
    │ :shutdown       end the node, and every chat on it                           │
    │ :wipe           :wipe: destroy this device's key, roster and messages        │
    │ ::text          post a text that begins with ':'                             │
    │                                                                              │
    │ Enter              send                                                      │
    │ Alt-Enter, Ctrl-J  begin another line                                        │
    │ Tab                complete a command or a member's name; again for the next │
    │ Up, Down           what you typed before and after                           │
    │ PgUp, PgDn, wheel  scroll; what arrives does not move what you read          │
    │ End, Esc           back to the newest                                        │
    │ Ctrl-Home          the oldest in view                                        │
    │ /                  search, where nothing is typed yet; n older, N newer      │
    │ Ctrl-N, Ctrl-P     next and previous group; Alt-Down and Alt-Up too          │
    │ Alt-1 … Alt-9      the group at that place; so does a click                  │
    │ Ctrl-A, Ctrl-E     to the line's start and end                               │
    │ Ctrl-U, Ctrl-K     delete to the line's start, to its end                    │
    │ Ctrl-W, Alt-D      delete a word back, forward                               │
    │ Ctrl-L             draw the screen anew                                      │
    │ Ctrl-C             clear what is typed; twice: leave                         │
    │ Shift and mouse    select text, as in any terminal                           │
    └ Esc closes ──────────────────────────────────────────────────────────────────┘
                     │14:03 Army3: I am also fine.
                     │14:08 Army1 (me): Then let us go. (waiting)
     ● 2 in reach · 1 waiting · roster 7, 3 h old
    army>
    ");
    drawing.press(KeyCode::Esc);
    assert_eq!(drawing.screen(), conversation(80, 53).screen());
}

#[test]
fn help_can_be_scrolled_to_its_end_where_it_does_not_fit() {
    let mut drawing = conversation(40, 10);
    drawing.type_text(":help");
    drawing.press(KeyCode::Enter);
    (0..100).for_each(|_| drawing.press(KeyCode::PageDown));
    assert_snapshot!(drawing.screen(), @r"
     ┌ commands and keys ─────────────────┐
     │ Ctrl-W, Alt-D      delete a word   │
     │     back, forward                  │
    1│ Ctrl-L             draw the screen │
    ─│     anew                           │─
    1│ Ctrl-C             clear what is   │
    1│     typed; twice: leave            │
     │ Shift and mouse    select text, as │
     │     in any terminal                │
    a└ ↑ ↓ scroll, Esc closes ────────────┘
    ");
    drawing.press(KeyCode::Up);
    (0..100).for_each(|_| drawing.press(KeyCode::PageUp));
    assert!(drawing.screen().contains(":h"));
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

#[test]
fn who_sits_here_and_where_text_goes_is_known_before_anything_is_sent() {
    let mut drawing = Drawing::new(80, 10);
    drawing.type_text("hello");
    drawing.press(KeyCode::Enter);
    assert!(drawing.next_ask().is_none());
    drawing.tell(Event::Profile(soldier("army")));
    assert!(drawing.screen().ends_with("army> hello"), "what was typed meanwhile stays");
}

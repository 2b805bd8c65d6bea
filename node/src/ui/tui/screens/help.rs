//! The list of commands and keys.

use insta::assert_snapshot;
use ratatui::crossterm::event::KeyCode;

use super::scene::conversation;

#[test]
fn help_lists_commands_and_keys() {
    let mut drawing = conversation(80, 53);
    drawing.type_text(":help");
    drawing.press(KeyCode::Enter);
    assert_snapshot!(drawing.screen(), @r"
     1st Brigade · Army1, the leader of army                                  :help
     groups          │
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
    │ F2, Alt-W          who has it: what a search has found, or your last message │
    │ Ctrl-N, Ctrl-P     next and previous group; Alt-Down and Alt-Up too          │
    │ Alt-1 … Alt-9      the group at that place; so does a click                  │
    │ Ctrl-A, Ctrl-E     to the line's start and end                               │
    │ Ctrl-U, Ctrl-K     delete to the line's start, to its end                    │
    │ Ctrl-W, Alt-D      delete a word back, forward                               │
    │ Ctrl-L             draw the screen anew                                      │
    │ Ctrl-C             clear what is typed; twice: leave                         │
    │ Shift and mouse    select text, as in any terminal                           │
    │ !!3 @1             3 unread, 1 calls you; ! priority !! immediate !!! flash  │
    └ Esc closes ──────────────────────────────────────────────────────────────────┘
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
    ┌ commands and keys ───────────────────┐
    │     anew                             │
    │ Ctrl-C             clear what is     │
    │     typed; twice: leave              │
    │ Shift and mouse    select text, as   │
    │     in any terminal                  │
    │ !!3 @1             3 unread, 1 calls │
    │     you; ! priority !! immediate !!! │
    │     flash                            │
    └ ↑ ↓ scroll, Esc closes ──────────────┘
    ");
    drawing.press(KeyCode::Up);
    (0..100).for_each(|_| drawing.press(KeyCode::PageUp));
    assert!(drawing.screen().contains(":h"));
}

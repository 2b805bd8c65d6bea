//! The full-screen chat at a real terminal, which tmux plays.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod terminal;
mod unit;

use std::process::Command;
use std::time::Duration;

use muster::control::{Event, Printable, Profile, SCREEN_QUEUE_LEN};
use muster_roles::Role;
use terminal::{Terminal, between_looks_at_the_settings, chat_command, count, expect_clean};
use unit::{CHIEF, Rank, Unit};

/// How long the bell rests after it has rung, and a little more.
const BELL_REST: Duration = Duration::from_millis(1200);

#[test]
fn a_chat_from_its_opening_to_a_clean_screen_after_it() {
    let unit = Unit::found();
    unit.admit("Army1", Rank::Leader("army"));
    let mut army1 = unit.start("Army1", &[]);
    let command = between_looks_at_the_settings(&chat_command(&[&army1.address()]));
    let terminal = Terminal::open(&unit, CHIEF, &command);
    terminal.expect_last("heads>");
    army1.expect_in_reach(1);
    terminal.expect("1 in reach");

    // Half a line survives what arrives, and is sent whole.
    terminal.type_text("Leaders, re");
    terminal.expect_last("heads> Leaders, re");
    army1.say(":t");
    army1.expect("-- heads is open");
    for text in ["one", "two", "three"] {
        army1.say(text);
    }
    terminal.expect("Army1: three");
    let screen = terminal.expect_last("heads> Leaders, re");
    for line in ["Army1: one", "Army1: two", "Army1: three"] {
        assert_eq!(count(&screen, line), 1, "{screen:#?}");
    }
    terminal.say("port.");
    army1.expect("[heads] Chief: Leaders, report.");
    terminal.expect("Chief (me): Leaders, report.");
    terminal.expect_last("heads>");

    // What one may only read says so, and refuses with the reason.
    army1.say(":t");
    army1.say("We march at dawn.");
    terminal.say(":r");
    terminal.expect("Army1: We march at dawn.");
    terminal.expect_last("army (read only)>");
    terminal.say("hold your position");
    terminal.expect("-- refused: the commander cannot post to army");
    terminal.say(":h");
    terminal.expect_last("heads>");
    let screen = terminal.expect("Chief (me): Leaders, report.");
    assert_eq!(count(&screen, "hold your position"), 0, "{screen:#?}");

    terminal.say(":d");
    let screen = terminal.expect("-- saved 4 messages to ");
    let saved = screen.iter().find_map(|line| line.split_once("-- saved 4 messages to ")).unwrap().1;
    let text = std::fs::read_to_string(unit.folder().join(saved)).unwrap();
    assert!(text.contains("Chief: Leaders, report."), "{text}");

    terminal.say(":quit");
    let screen = terminal.expect_end();
    expect_clean(&unit, &terminal, &screen);
    assert_eq!(screen, ["what stood here before", "ended with 0"]);
}

#[test]
fn what_one_reads_stays_where_it_is_while_messages_come() {
    const MESSAGES: usize = 60;
    let unit = Unit::found();
    for name in ["Army1", "Army3"] {
        unit.admit(name, Rank::Soldier("army"));
    }
    let mut army1 = unit.start("Army1", &[]);
    let terminal = Terminal::chat(&unit, "Army3", &[&army1.address()]);
    army1.expect_in_reach(1);
    terminal.expect("1 in reach");
    for number in 1..=MESSAGES {
        army1.say(&format!("number {number} of many"));
    }
    terminal.expect(&format!("Army1: number {MESSAGES} of many"));
    terminal.press("PPage");
    let before = terminal.wait("the page before", |screen| count(screen, &format!("number {MESSAGES} of")) == 0);
    army1.say("and one more");
    let after = terminal.expect("1 below, End");
    let message = |row: &String| row.split_once('│').map(|(_, message)| message.to_owned());
    let messages = |screen: &[String]| screen.iter().filter_map(message).collect::<Vec<_>>();
    assert_eq!(messages(&before), messages(&after));
    terminal.press("End");
    terminal.expect("Army1: and one more");
}

#[test]
fn the_history_of_the_open_group_is_there_after_a_restart() {
    let unit = Unit::found();
    unit.admit("Army3", Rank::Soldier("army"));
    let terminal = Terminal::chat(&unit, "Army3", &[]);
    terminal.expect_last("army>");
    terminal.say("one");
    terminal.say("two");
    terminal.expect("Army3 (me): two (waiting)");
    terminal.say("logmeout");
    terminal.expect_end();

    let terminal = Terminal::chat(&unit, "Army3", &[]);
    let screen = terminal.expect("Army3 (me): two (waiting)");
    assert_eq!(count(&screen, "Army3 (me): one (waiting)"), 1, "{screen:#?}");
}

#[test]
fn what_is_typed_amid_a_flood_is_all_posted_and_garbles_nothing() {
    const FLOOD_LINES: usize = 300;
    const TYPED_LINES: usize = 20;
    let unit = Unit::found();
    for name in ["Army1", "Army3"] {
        unit.admit(name, Rank::Soldier("army"));
    }
    let mut army1 = unit.start("Army1", &[]);
    let terminal = Terminal::chat(&unit, "Army3", &[&army1.address()]);
    army1.expect_in_reach(1);
    terminal.expect("1 in reach");
    for number in 1..=FLOOD_LINES {
        army1.say(&format!("flood {number} end"));
        if number % (FLOOD_LINES / TYPED_LINES) == 0 {
            terminal.say(&format!("typed {} end", number * TYPED_LINES / FLOOD_LINES));
        }
    }
    for number in 1..=TYPED_LINES {
        army1.expect(&format!("[army] Army3: typed {number} end"));
    }
    terminal.expect(&format!("Army1: flood {FLOOD_LINES} end"));
    terminal.expect(&format!("Army3 (me): typed {TYPED_LINES} end"));
    let screen = terminal.expect_last("army>");
    // Every row but the title, the status and the input is one whole message.
    let is_whole = |row: &String| {
        let (_, message) = row.split_once('│').unwrap();
        let text = message.get("00:00 ".len()..).unwrap_or_default();
        let Some((said, state)) = text.split_once(" end") else { return false };
        // How far one's own has come may stand behind it.
        let is_state = state.is_empty() || (state.starts_with(" (") && state.ends_with(" delivered)"));
        let number = said.strip_prefix("Army1: flood ").filter(|_| state.is_empty());
        let number = number.or_else(|| said.strip_prefix("Army3 (me): typed "));
        is_state && number.is_some_and(|number| number.parse::<usize>().is_ok())
    };
    assert!(screen[1..screen.len() - 2].iter().all(is_whole), "{screen:#?}");
}

#[test]
fn a_pasted_text_is_one_message_and_a_long_one_is_asked_about() {
    let unit = Unit::found();
    unit.admit("Army3", Rank::Soldier("army"));
    let terminal = Terminal::chat(&unit, "Army3", &[]);
    terminal.expect_last("army>");
    terminal.paste("first\nsecond\nthird");
    terminal.expect_last("      third");
    terminal.press("Enter");
    let screen = terminal.expect("third (waiting)");
    let at = screen.iter().position(|line| line.contains("Army3 (me): first")).unwrap();
    assert!(
        screen[at + 1].ends_with("      second") && screen[at + 2].ends_with("      third (waiting)"),
        "{screen:#?}"
    );

    terminal.paste("1\n2\n3\n4\n5\nsix");
    terminal.expect("Paste 6 lines into the message for army?");
    terminal.press("n");
    terminal.expect("not pasted");
    terminal.expect_last("army>");
}

#[test]
fn what_is_urgent_rings_orders_stand_on_top_and_who_has_a_message_is_a_key_away() {
    let unit = Unit::found();
    unit.admit("Army1", Rank::Leader("army"));
    unit.admit("Army3", Rank::Soldier("army"));
    let mut army1 = unit.start("Army1", &[]);
    let terminal = Terminal::chat(&unit, "Army3", &[&army1.address()]);
    army1.expect_in_reach(1);
    terminal.expect("1 in reach");
    terminal.record();

    army1.say("nothing new");
    terminal.expect("Army1: nothing new");
    army1.say(":flash Enemy at the bridge.");
    terminal.expect("Army1: [flash] Enemy at the bridge.");
    terminal.expect_bells(1);
    army1.say("@Army3, can you see it?");
    terminal.expect("Army1: @Army3, can you see it?");
    let looks = terminal.tmux(&["capture-pane", "-p", "-e"]);
    let looks = String::from_utf8(looks.stdout).unwrap();
    let row = looks.lines().find(|row| row.contains("@Army3")).unwrap();
    let look = row.split("@Army3").next().unwrap().rsplit(": ").next().unwrap();
    assert!(look.split(['[', ';', 'm']).any(|look| look == "4"), "underlined: {row:?}");
    assert_eq!(terminal.bells(), 1, "what is routine, and what is called out in an open group, does not ring");

    // What comes within a second of a bell rings no other.
    std::thread::sleep(BELL_REST);
    army1.say(":order Dig in by noon.");
    let screen = terminal.expect("1 order to answer: :ack or :cannot");
    // It stands on top of what has been said, and among it.
    assert!(screen[1].contains("1 order to answer") && screen[2].contains("Army1: Dig in by noon."), "{screen:#?}");
    terminal.expect("Army1: [order] Dig in by noon.");
    terminal.expect_bells(2);
    terminal.say(":cannot no spades");
    terminal.wait("the order gone from the top", |screen| count(screen, "1 order to answer") == 0);
    army1.expect("-- order in army: Dig in by noon.: all have answered: Army3 cannot: no spades");

    terminal.say("seen");
    terminal.expect("Army3 (me): seen (1/2 delivered)");
    terminal.press("F2");
    let screen = terminal.expect("1 of 2 have it");
    assert!(count(&screen, "Army3 (me): seen") >= 1 && count(&screen, "○ Chief") == 1, "{screen:#?}");
    // It is kept up while it is looked at.
    let _chief = unit.start(CHIEF, &[&army1.address()]);
    terminal.expect("2 of 2 have it");
    terminal.press("Escape");
    terminal.wait("the list gone", |screen| count(screen, "have it") == 0);
}

#[test]
fn another_size_is_laid_out_anew() {
    let unit = Unit::found();
    let terminal = Terminal::chat(&unit, CHIEF, &[]);
    terminal.expect_last("heads>");
    terminal.expect("▸:h heads");
    terminal.resize(40, 10);
    terminal.wait("the narrow layout", |screen| screen.first().is_some_and(|row| row.starts_with(" ▸heads")));
    terminal.resize(30, 10);
    terminal.expect("too small: 30×10");
    terminal.resize(120, 40);
    terminal.expect("members, ");
    terminal.expect_last("heads>");
}

#[test]
fn ctrl_c_clears_the_line_and_twice_on_an_empty_one_leaves() {
    let unit = Unit::found();
    unit.admit("Army3", Rank::Soldier("army"));
    let terminal = Terminal::chat(&unit, "Army3", &[]);
    terminal.expect_last("army>");
    terminal.type_text("never sent");
    terminal.press("C-c");
    terminal.press("C-c");
    terminal.expect("Ctrl-C once more leaves; so does :quit");
    terminal.say("sent");
    let screen = terminal.expect("Army3 (me): sent (waiting)");
    assert_eq!(count(&screen, "never sent"), 0, "{screen:#?}");
    terminal.press("C-c");
    terminal.expect("Ctrl-C once more leaves");
    terminal.press("C-c");
    terminal.expect_end();
}

#[test]
fn ctrl_d_leaves_and_says_what_it_waits_for() {
    let unit = Unit::found();
    unit.admit("Army3", Rank::Soldier("army"));
    let terminal = Terminal::chat(&unit, "Army3", &[]);
    terminal.expect_last("army>");
    terminal.say("nobody hears this");
    terminal.expect("nobody hears this (waiting)");
    terminal.press("C-d");
    terminal.expect("leaving: your last messages wait for a member in reach");
    terminal.expect_end();
}

#[test]
fn a_node_that_is_told_to_end_leaves_the_terminal_as_it_was() {
    let unit = Unit::found();
    unit.admit("Army3", Rank::Soldier("army"));
    let chat = format!("sh -c \"echo \\$\\$ > pid; exec {}\"", chat_command(&[]));
    let terminal = Terminal::open(&unit, "Army3", &between_looks_at_the_settings(&chat));
    terminal.expect_last("army>");
    terminal.type_text("half a li");
    terminal.expect_last("army> half a li");
    let pid = std::fs::read_to_string(unit.folder().join("pid")).unwrap();
    assert!(Command::new("kill").args(["-TERM", pid.trim()]).status().unwrap().success());
    let screen = terminal.expect_end();
    expect_clean(&unit, &terminal, &screen);
}

#[test]
fn a_panic_leaves_the_terminal_as_it_was_and_can_be_read() {
    let unit = Unit::found();
    let program = std::env::current_exe().unwrap();
    let chat = format!("{} --exact chat_that_panics --ignored --nocapture", program.display());
    let terminal = Terminal::open(&unit, CHIEF, &between_looks_at_the_settings(&chat));
    let screen = terminal.expect("ended with");
    assert!(count(&screen, "a panic amid a chat") > 0, "{screen:#?}");
    expect_clean(&unit, &terminal, &screen);
}

/// A screen in whose process something panics while it is shown.
#[test]
#[ignore = "run by the test above, at a terminal of its own"]
fn chat_that_panics() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (asks_tx, mut asks) = tokio::sync::mpsc::channel(SCREEN_QUEUE_LEN);
        let (events, events_rx) = tokio::sync::mpsc::channel(SCREEN_QUEUE_LEN);
        tokio::spawn(muster::ui::run_full(asks_tx, events_rx, true));
        let profile = Profile {
            name: "Army3".parse().unwrap(),
            role: Role::Soldier("army".parse().unwrap()),
            unit: Printable::new("1st Brigade"),
            groups: Vec::new(),
        };
        events.send(Event::Profile(profile)).await.unwrap();
        // It asks once it has drawn itself.
        asks.recv().await.unwrap();
        panic!("a panic amid a chat");
    });
}

#[test]
fn a_terminal_that_cannot_place_its_cursor_gets_plain_lines() {
    let unit = Unit::found();
    unit.admit("Army3", Rank::Soldier("army"));
    let terminal = Terminal::open_as(&unit, "Army3", "dumb", &chat_command(&[]));
    terminal.expect("-- Army3 of 1st Brigade, a soldier of army; :help lists the commands");
    terminal.say("hello");
    terminal.expect("[army] Army3 (me): hello (waiting)");
    terminal.press("C-d");
    terminal.expect_end();
}

#[test]
fn the_first_start_leads_from_an_empty_home_into_the_chat() {
    let unit = Unit::found();
    let terminal = Terminal::open(&unit, "New", &chat_command(&[]));
    let screen = terminal.expect_last("Number, or Enter to leave:");
    assert!(count(&screen, "No unit in ") == 1 && count(&screen, "1  ") == 1, "{screen:#?}");
    // The folder in which it runs holds the commander's home, which is offered first; a new unit comes after it.
    assert_eq!(count(&screen, "1  I am Chief, commander of 1st Brigade: take the home in "), 1, "{screen:#?}");
    terminal.say("2");
    terminal.expect_last("Name of the unit, such as 1st Brigade:");
    terminal.say("2nd Brigade");
    terminal.expect_last("Your name in the chat [Chief]:");
    terminal.say("Boss");
    terminal.expect_last("Troops, each with a letter [navy:n airforce:a army:r]:");
    terminal.press("Enter");
    terminal.expect_last("heads>");
    terminal.say("I am alone here.");
    terminal.expect("Boss (me): I am alone here.");
    terminal.say("logmeout");
    terminal.expect_end();
    assert!(unit.run_ok("New", ["roster", "show"]).contains("2nd Brigade"));
}

#[test]
fn a_first_start_that_is_left_with_ctrl_d_leaves_no_home() {
    let unit = Unit::found();
    let terminal = Terminal::open(&unit, "New", &chat_command(&[]));
    terminal.expect_last("Number, or Enter to leave:");
    terminal.say("2");
    terminal.expect_last("Name of the unit, such as 1st Brigade:");
    terminal.press("C-d");
    terminal.expect_end();
    assert!(!unit.home("New").exists());
}

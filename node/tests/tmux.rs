//! The line chat at a real terminal, which tmux plays.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod unit;

use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::Instant;

use unit::{CHIEF, MUSTER, PATIENCE, Rank, Unit, poll_until, start_args};

/// One terminal, played by a tmux server of its own; killed when dropped.
struct Terminal {
    socket: PathBuf,
}

impl Terminal {
    /// Opens a terminal of this width that runs a shell command with a member's settings.
    fn open(unit: &Unit, name: &str, columns: u32, command: &str) -> Self {
        let terminal = Self { socket: unit.folder().join(format!("tmux-{name}")) };
        let environment = format!(
            "cd '{0}' && exec env -i TERM=screen LANG=C.UTF-8 PATH=\"$PATH\" HOME='{0}' MUSTER_HOME='{1}' sh -c '{command}; echo ended with $?'",
            unit.folder().display(),
            unit.home(name).display()
        );
        let columns = columns.to_string();
        // The screen stays as it is when the command has ended, so that its last lines can be read.
        let options = ["-u", "-f", "/dev/null", "start-server", ";", "set", "-g", "remain-on-exit", "on", ";"];
        let session = ["new-session", "-d", "-x", &columns, "-y", "24", &environment];
        terminal.tmux(&[&options[..], &session[..]].concat());
        terminal
    }

    /// Opens a terminal in which a member's chat runs, dialling the given nodes.
    fn chat(unit: &Unit, name: &str, dial: &[&str]) -> Self {
        Self::open(unit, name, 80, &chat_command(dial))
    }

    fn tmux(&self, args: &[&str]) -> Output {
        let result = Command::new("tmux").arg("-S").arg(&self.socket).args(args).env_remove("TMUX").output();
        let output = result.unwrap_or_else(|error| {
            panic!("tmux cannot be run ({error}): install it, for example with `apt-get install tmux`")
        });
        assert!(output.status.success(), "tmux {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        output
    }

    /// Types text as it is.
    fn type_text(&self, text: &str) {
        self.tmux(&["send-keys", "-l", text]);
    }

    /// Presses a key by its tmux name.
    fn press(&self, key: &str) {
        self.tmux(&["send-keys", key]);
    }

    /// Types a line and presses Enter.
    fn say(&self, line: &str) {
        self.type_text(line);
        self.press("Enter");
    }

    /// Returns what stands on the screen and above it, wrapped lines joined, without empty lines.
    fn screen(&self) -> Vec<String> {
        let output = self.tmux(&["capture-pane", "-p", "-J", "-S", "-"]);
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().map(str::trim_end).filter(|line| !line.is_empty()).map(str::to_owned).collect()
    }

    /// Waits until the screen is as wanted, and returns it.
    fn wait(&self, wanted: &str, is_there: impl Fn(&[String]) -> bool) -> Vec<String> {
        let look = || Some(self.screen()).filter(|screen| is_there(screen));
        poll_until(Instant::now() + PATIENCE, look)
            .unwrap_or_else(|| panic!("waited in vain for {wanted}:\n{}", self.screen().join("\n")))
    }

    /// Waits until a line stands on the screen exactly so.
    fn expect(&self, line: &str) -> Vec<String> {
        self.wait(&format!("{line:?}"), |screen| screen.iter().any(|shown| shown == line))
    }

    /// Waits until this is the lowest line.
    fn expect_last(&self, line: &str) -> Vec<String> {
        self.wait(&format!("{line:?} at the bottom"), |screen| screen.last().is_some_and(|last| last == line))
    }

    /// Waits until the command has ended well, and returns the screen it left.
    fn expect_end(&self) -> Vec<String> {
        self.expect("ended with 0")
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Fails where the server never ran.
        let _gone = Command::new("tmux").arg("-S").arg(&self.socket).arg("kill-server").output();
    }
}

/// The command of a chat at a terminal, dialling the given nodes.
fn chat_command(dial: &[&str]) -> String {
    format!("{MUSTER} {}", start_args(dial).join(" "))
}

fn count(screen: &[String], part: &str) -> usize {
    screen.iter().filter(|line| line.contains(part)).count()
}

#[test]
fn half_a_line_survives_what_arrives_and_is_sent_whole() {
    let unit = Unit::found();
    for name in ["Army1", "Army3"] {
        unit.admit(name, Rank::Soldier("army"));
    }
    let mut army1 = unit.start("Army1", &[]);
    let terminal = Terminal::chat(&unit, "Army3", &[&army1.address()]);
    army1.expect_in_reach(1);
    terminal.expect("-- 1 member in reach");
    terminal.type_text("half a li");
    terminal.expect_last("[army] Army3> half a li");
    for number in ["one", "two", "three"] {
        army1.say(number);
    }
    terminal.expect("Army1: three");
    let screen = terminal.expect_last("[army] Army3> half a li");
    for line in ["Army1: one", "Army1: two", "Army1: three", "[army] Army3> half a li"] {
        assert_eq!(count(&screen, line), 1, "{screen:#?}");
    }

    terminal.say("ne, sent whole");
    army1.expect("[army] Army3: half a line, sent whole");
    terminal.expect("Army3 (me): half a line, sent whole");
    let screen = terminal.expect_last("[army] Army3>");
    assert_eq!(count(&screen, "half a li"), 1, "{screen:#?}");
}

#[test]
fn the_commander_is_refused_in_a_troop_and_goes_on() {
    let unit = Unit::found();
    let terminal = Terminal::chat(&unit, CHIEF, &[]);
    terminal.expect_last("[heads] Chief>");
    terminal.say(":r");
    terminal.expect("-- army is open, to read only");
    terminal.expect_last("[army] Chief>");
    terminal.say("hold your position");
    terminal.wait("the refusal", |screen| count(screen, "refused: ") == 1 && count(screen, "hint: ") == 1);
    terminal.say(":h");
    terminal.expect_last("[heads] Chief>");
    terminal.say("report");
    let screen = terminal.expect("Chief (me): report (waiting)");
    assert_eq!(count(&screen, "hold your position"), 0, "{screen:#?}");
}

#[test]
fn the_history_of_the_open_group_is_there_after_a_restart() {
    let unit = Unit::found();
    unit.admit("Army3", Rank::Soldier("army"));
    let terminal = Terminal::chat(&unit, "Army3", &[]);
    terminal.expect_last("[army] Army3>");
    terminal.say("one");
    terminal.say("two");
    terminal.expect("Army3 (me): two (waiting)");
    terminal.say(":quit");
    terminal.expect_end();

    let terminal = Terminal::open(&unit, "Army3", 80, &chat_command(&[]));
    terminal.expect("Army3 (me): two (waiting)");
    let screen = terminal.expect_last("[army] Army3>");
    assert_eq!(
        (count(&screen, "Army3 (me): one (waiting)"), count(&screen, "Army3 (me): two (waiting)")),
        (1, 1),
        "{screen:#?}"
    );
}

#[test]
fn lines_typed_faster_than_they_are_taken_are_all_posted() {
    let unit = Unit::found();
    unit.admit("Army3", Rank::Soldier("army"));
    let terminal = Terminal::chat(&unit, "Army3", &[]);
    terminal.expect_last("[army] Army3>");
    terminal.type_text("one\rtwo\rthree\rfour\rfive\r");
    terminal.expect("Army3 (me): five (waiting)");
    let screen = terminal.expect_last("[army] Army3>");
    let said: Vec<&str> = screen.iter().filter_map(|line| line.strip_prefix("Army3 (me): ")).collect();
    assert_eq!(said, ["one", "two", "three", "four", "five"].map(|text| format!("{text} (waiting)")), "{screen:#?}");
}

#[test]
fn what_is_typed_amid_a_flood_garbles_nothing() {
    const FLOOD_LINES: usize = 300;
    const TYPED_LINES: usize = 20;
    let unit = Unit::found();
    for name in ["Army1", "Army3"] {
        unit.admit(name, Rank::Soldier("army"));
    }
    let mut army1 = unit.start("Army1", &[]);
    let terminal = Terminal::chat(&unit, "Army3", &[&army1.address()]);
    army1.expect_in_reach(1);
    terminal.expect("-- 1 member in reach");
    for number in 1..=FLOOD_LINES {
        army1.say(&format!("flood {number} end"));
        if number % (FLOOD_LINES / TYPED_LINES) == 0 {
            terminal.say(&format!("typed {} end", number * TYPED_LINES / FLOOD_LINES));
        }
    }
    terminal.expect(&format!("Army1: flood {FLOOD_LINES} end"));
    terminal.expect(&format!("Army3 (me): typed {TYPED_LINES} end"));
    let screen = terminal.expect_last("[army] Army3>");
    let expected = (1..=FLOOD_LINES)
        .map(|number| format!("Army1: flood {number} end"))
        .chain((1..=TYPED_LINES).map(|number| format!("Army3 (me): typed {number} end")));
    for line in expected {
        assert_eq!(screen.iter().filter(|shown| **shown == line).count(), 1, "{line}: {screen:#?}");
    }
}

#[test]
fn every_line_of_a_pasted_text_is_a_message() {
    let unit = Unit::found();
    unit.admit("Army3", Rank::Soldier("army"));
    let terminal = Terminal::chat(&unit, "Army3", &[]);
    terminal.expect_last("[army] Army3>");
    terminal.tmux(&["set-buffer", "first\nsecond\nthird"]);
    terminal.tmux(&["paste-buffer", "-p"]);
    terminal.wait("the pasted text", |screen| count(screen, "third") == 1);
    terminal.press("Enter");
    terminal.expect("Army3 (me): third (waiting)");
    let screen = terminal.expect_last("[army] Army3>");
    for line in ["first", "second", "third"] {
        assert_eq!(count(&screen, line), 1, "{screen:#?}");
    }
}

#[test]
fn a_line_of_several_rows_is_taken_away_whole_once_entered() {
    let unit = Unit::found();
    unit.admit("Army3", Rank::Soldier("army"));
    let terminal = Terminal::open(&unit, "Army3", 40, &chat_command(&[]));
    terminal.expect_last("[army] Army3>");
    let prompt_len = "[army] Army3> ".len();
    // Shorter than a row, exactly one, exactly two, and wide characters that do not fit a row's last column.
    let texts =
        ["a".repeat(10), "b".repeat(40 - prompt_len), "c".repeat(80 - prompt_len), "d".repeat(100), "語".repeat(50)];
    for text in &texts {
        terminal.say(text);
        terminal.wait("the message", |screen| screen.concat().contains(&format!("Army3 (me): {text}")));
    }
    let screen = terminal.expect_last("[army] Army3>");
    assert_eq!(count(&screen, "Army3>"), 1, "{screen:#?}");
    let shown = screen.concat();
    for text in &texts {
        assert_eq!(shown.matches(text.as_str()).count(), 1, "{screen:#?}");
    }
}

#[test]
fn a_line_entered_with_the_cursor_inside_it_is_taken_away_whole() {
    let unit = Unit::found();
    unit.admit("Army3", Rank::Soldier("army"));
    let terminal = Terminal::open(&unit, "Army3", 40, &chat_command(&[]));
    terminal.expect_last("[army] Army3>");
    terminal.say("before");
    terminal.expect("Army3 (me): before (waiting)");
    let text = "e".repeat(110);
    terminal.type_text(&text);
    terminal.press("Home");
    terminal.press("Enter");
    terminal.wait("the message", |screen| screen.concat().contains(&format!("Army3 (me): {text}")));
    let screen = terminal.expect_last("[army] Army3>");
    assert_eq!(count(&screen, "Army3>"), 1, "{screen:#?}");
    assert_eq!(count(&screen, "Army3 (me): before (waiting)"), 1, "{screen:#?}");
}

#[test]
fn ctrl_c_clears_the_line_and_twice_on_an_empty_one_leaves() {
    let unit = Unit::found();
    unit.admit("Army3", Rank::Soldier("army"));
    let terminal = Terminal::chat(&unit, "Army3", &[]);
    terminal.expect_last("[army] Army3>");
    terminal.type_text("never sent");
    terminal.expect_last("[army] Army3> never sent");
    // As at a shell, what was typed ahead of a Ctrl-C goes with it: the next key waits for the next prompt.
    terminal.press("C-c");
    terminal.expect_last("[army] Army3>");
    terminal.press("C-c");
    terminal.expect("Ctrl-C once more leaves; so does :quit");
    terminal.expect_last("[army] Army3>");
    terminal.say("sent");
    terminal.expect("Army3 (me): sent (waiting)");
    terminal.press("C-c");
    terminal.wait("the second hint", |screen| count(screen, "Ctrl-C once more leaves") == 2);
    terminal.expect_last("[army] Army3>");
    terminal.press("C-c");
    let screen = terminal.expect_end();
    assert_eq!(count(&screen, "Army3 (me): never sent"), 0, "{screen:#?}");
}

#[test]
fn ctrl_d_leaves() {
    let unit = Unit::found();
    unit.admit("Army3", Rank::Soldier("army"));
    let terminal = Terminal::chat(&unit, "Army3", &[]);
    terminal.expect_last("[army] Army3>");
    terminal.press("C-d");
    terminal.expect_end();
}

#[test]
fn a_node_that_is_told_to_end_leaves_the_terminal_as_it_was() {
    let unit = Unit::found();
    unit.admit("Army3", Rank::Soldier("army"));
    let chat = format!("sh -c \"echo \\$\\$ > pid; exec {}\"", chat_command(&[]));
    let terminal = Terminal::open(&unit, "Army3", 80, &format!("stty -a > before; {chat}; stty -a > after"));
    terminal.expect_last("[army] Army3>");
    terminal.type_text("half a li");
    terminal.expect_last("[army] Army3> half a li");
    let written = |file: &str| std::fs::read_to_string(unit.folder().join(file)).unwrap();
    assert!(Command::new("kill").args(["-TERM", written("pid").trim()]).status().unwrap().success());
    terminal.expect_end();
    assert_eq!(written("before"), written("after"));
}

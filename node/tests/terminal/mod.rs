//! A terminal that tmux plays, with a shell command in it.

#![allow(dead_code, reason = "each test binary uses a part of it")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::Instant;

use crate::unit::{MUSTER, PATIENCE, Unit, poll_until, start_args};

/// One terminal, played by a tmux server of its own; killed when dropped.
pub(crate) struct Terminal {
    socket: PathBuf,
}

impl Terminal {
    /// Opens a terminal of 80 columns and 24 rows that runs a shell command with a member's settings.
    pub(crate) fn open(unit: &Unit, name: &str, command: &str) -> Self {
        Self::open_as(unit, name, "screen", command)
    }

    /// Opens such a terminal that calls itself by this type.
    pub(crate) fn open_as(unit: &Unit, name: &str, kind: &str, command: &str) -> Self {
        Self::open_titled(unit, name, name, kind, command)
    }

    /// Opens one of several terminals of a member, told apart by its title.
    pub(crate) fn open_titled(unit: &Unit, name: &str, title: &str, kind: &str, command: &str) -> Self {
        let terminal = Self { socket: unit.folder().join(format!("tmux-{title}")) };
        let environment = format!(
            "cd '{0}' && exec env -i TERM={kind} LANG=C.UTF-8 PATH=\"$PATH\" HOME='{0}' MUSTER_HOME='{1}' sh -c '{command}; echo ended with $?; exec sleep 300'",
            unit.folder().display(),
            unit.home(name).display()
        );
        // The shell sleeps on when the command has ended, so that the screen it left can be looked at.
        let options = ["-u", "-f", "/dev/null"];
        let session = ["new-session", "-d", "-x", "80", "-y", "24", &environment];
        terminal.tmux(&[&options[..], &session[..]].concat());
        terminal
    }

    /// Opens a terminal in which a member's chat runs, dialling the given nodes.
    pub(crate) fn chat(unit: &Unit, name: &str, dial: &[&str]) -> Self {
        Self::open(unit, name, &chat_command(dial))
    }

    pub(crate) fn tmux(&self, args: &[&str]) -> Output {
        let result = Command::new("tmux").arg("-S").arg(&self.socket).args(args).env_remove("TMUX").output();
        let output = result.unwrap_or_else(|error| {
            panic!("tmux cannot be run ({error}): install it, for example with `apt-get install tmux`")
        });
        assert!(output.status.success(), "tmux {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        output
    }

    /// Types text as it is.
    pub(crate) fn type_text(&self, text: &str) {
        self.tmux(&["send-keys", "-l", text]);
    }

    /// Presses a key by its tmux name.
    pub(crate) fn press(&self, key: &str) {
        self.tmux(&["send-keys", key]);
    }

    /// Types a line and presses Enter.
    pub(crate) fn say(&self, line: &str) {
        self.type_text(line);
        self.press("Enter");
    }

    /// Gives the terminal another size.
    pub(crate) fn resize(&self, columns: u32, rows: u32) {
        self.tmux(&["resize-window", "-x", &columns.to_string(), "-y", &rows.to_string()]);
    }

    /// Pastes a text, as a terminal does that marks what is pasted.
    pub(crate) fn paste(&self, text: &str) {
        self.tmux(&["set-buffer", text]);
        self.tmux(&["paste-buffer", "-p"]);
    }

    /// Keeps everything that is written to the terminal from now on.
    pub(crate) fn record(&self) {
        let file = self.recording();
        std::fs::write(&file, "").unwrap();
        self.tmux(&["pipe-pane", &format!("exec cat >> '{}'", file.display())]);
    }

    /// Counts the bells among it.
    pub(crate) fn bells(&self) -> usize {
        std::fs::read(self.recording()).unwrap().iter().filter(|byte| **byte == b'\x07').count()
    }

    /// Waits until so many have rung.
    pub(crate) fn expect_bells(&self, wanted: usize) {
        let rung = poll_until(Instant::now() + PATIENCE, || (self.bells() >= wanted).then_some(()));
        rung.unwrap_or_else(|| panic!("{} bells of {wanted}:\n{}", self.bells(), self.screen().join("\n")));
    }

    fn recording(&self) -> PathBuf {
        self.socket.with_extension("recorded")
    }

    /// Returns what stands on the screen, without empty rows.
    pub(crate) fn screen(&self) -> Vec<String> {
        let output = self.tmux(&["capture-pane", "-p"]);
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().map(str::trim_end).filter(|line| !line.is_empty()).map(str::to_owned).collect()
    }

    /// Waits until the screen is as wanted, and returns it.
    pub(crate) fn wait(&self, wanted: &str, is_there: impl Fn(&[String]) -> bool) -> Vec<String> {
        let look = || Some(self.screen()).filter(|screen| is_there(screen));
        poll_until(Instant::now() + PATIENCE, look)
            .unwrap_or_else(|| panic!("waited in vain for {wanted}:\n{}", self.screen().join("\n")))
    }

    /// Waits until something stands somewhere on the screen.
    pub(crate) fn expect(&self, part: &str) -> Vec<String> {
        self.wait(&format!("{part:?}"), |screen| count(screen, part) > 0)
    }

    /// Waits until this is the lowest line.
    pub(crate) fn expect_last(&self, line: &str) -> Vec<String> {
        self.wait(&format!("{line:?} at the bottom"), |screen| screen.last().is_some_and(|last| last == line))
    }

    /// Waits until the command has ended well, and returns the screen it left.
    pub(crate) fn expect_end(&self) -> Vec<String> {
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
pub(crate) fn chat_command(dial: &[&str]) -> String {
    format!("{MUSTER} {}", start_args(dial).join(" "))
}

pub(crate) fn count(screen: &[String], part: &str) -> usize {
    screen.iter().filter(|line| line.contains(part)).count()
}

/// What stands before a chat begins, whose settings it writes to a file, and what stands behind it.
pub(crate) fn between_looks_at_the_settings(command: &str) -> String {
    format!("echo what stood here before; stty -a > before; {command}; stty -a > after")
}

/// Makes sure that a terminal is as it was before the chat: its settings, and what stood on it.
pub(crate) fn expect_clean(unit: &Unit, terminal: &Terminal, screen: &[String]) {
    let written = |file: &str| std::fs::read_to_string(unit.folder().join(file)).unwrap();
    assert_eq!(written("before"), written("after"));
    assert_eq!(screen.first().map(String::as_str), Some("what stood here before"), "{screen:#?}");
    // What tmux tells of its pane: the other screen, mouse reports and the cursor.
    let flags = terminal.tmux(&["display", "-p", "#{alternate_on} #{mouse_any_flag} #{cursor_flag}"]);
    assert_eq!(String::from_utf8(flags.stdout).unwrap().trim(), "0 0 1");
}

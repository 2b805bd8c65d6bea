//! A unit of real nodes: homes made by the `muster` binary, nodes as processes on loopback, every wait bounded.

#![allow(dead_code, reason = "each test binary uses a part of it")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long anything may take before a test gives up: far more than a loaded machine needs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// How often a thing that cannot be waited for is looked at.
pub(crate) const GLANCE: Duration = Duration::from_millis(20);

/// The commander's name in every unit here.
pub(crate) const CHIEF: &str = "Chief";

/// The binary under test.
pub(crate) const MUSTER: &str = env!("CARGO_BIN_EXE_muster");

/// What a member is to be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Rank<'a> {
    /// The leader of a troop.
    Leader(&'a str),
    /// A soldier of a troop.
    Soldier(&'a str),
    /// A device that only carries.
    Carrier,
}

/// A unit in a folder of its own, removed when dropped: one home a member, named after the member.
pub(crate) struct Unit {
    dir: TempDir,
}

impl Unit {
    /// Founds a unit with the original's three troops; the commander's home is ready.
    pub(crate) fn found() -> Self {
        Self::found_with(&["navy:n", "airforce:a", "army:r"])
    }

    /// Founds a unit with the given troops, each `name:letter`.
    pub(crate) fn found_with(troops: &[&str]) -> Self {
        let unit = Self { dir: tempfile::tempdir().unwrap() };
        let groups = troops.iter().flat_map(|troop| ["--group", *troop]);
        unit.run_ok(CHIEF, ["unit", "create", "--name", "1st Brigade", "--chief", CHIEF].into_iter().chain(groups));
        unit
    }

    /// Admits a member and returns its home, made by the commander.
    pub(crate) fn admit(&self, name: &str, rank: Rank<'_>) -> PathBuf {
        let home = self.home(name);
        let mut args = vec!["member", "add", name, "--role"];
        match rank {
            Rank::Leader(troop) => args.extend(["leader", "--troop", troop]),
            Rank::Soldier(troop) => args.extend(["soldier", "--troop", troop]),
            Rank::Carrier => args.push("carrier"),
        }
        args.extend(["--out", home.to_str().unwrap()]);
        self.run_ok(CHIEF, args);
        home
    }

    /// Returns a member's home folder, there or not.
    pub(crate) fn home(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Returns the folder in which every process here runs.
    pub(crate) fn folder(&self) -> &Path {
        self.dir.path()
    }

    /// Prepares a `muster` command that works on one member's home and sees nothing of this machine's settings.
    pub(crate) fn command<'a>(&self, name: &str, args: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = Command::new(MUSTER);
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.dir.path()).env("MUSTER_HOME", self.home(name)).env("TZ", "UTC");
        command.current_dir(self.dir.path()).args(args).stdin(Stdio::null());
        command
    }

    /// Runs a `muster` command to its end.
    pub(crate) fn run<'a>(&self, name: &str, args: impl IntoIterator<Item = &'a str>) -> Output {
        self.command(name, args).output().unwrap()
    }

    /// Runs a `muster` command that must succeed, and returns what it printed.
    pub(crate) fn run_ok<'a>(&self, name: &str, args: impl IntoIterator<Item = &'a str>) -> String {
        let command = &mut self.command(name, args);
        let output = command.output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command:?} ended with {}:\n{stderr}", output.status);
        String::from_utf8(output.stdout).unwrap()
    }

    /// Tells how many records synchronisation has brought to a member's node so far, by the node's own log.
    pub(crate) fn synchronised(&self, name: &str) -> u64 {
        // There is none before the node's start.
        let log = std::fs::read_to_string(self.home(name).join("muster.log")).unwrap_or_default();
        let sessions = log.lines().filter(|line| line.contains("synchronised"));
        let brought = sessions.filter_map(|line| line.split("brought=").nth(1)?.split(' ').next()?.parse::<u64>().ok());
        brought.sum()
    }

    /// Starts a member's node in plain mode, dialling the given nodes.
    pub(crate) fn start(&self, name: &str, dial: &[&str]) -> Node {
        self.start_with(name, dial, &[])
    }

    /// Starts a member's node in plain mode with further arguments.
    pub(crate) fn start_with(&self, name: &str, dial: &[&str], more: &[&str]) -> Node {
        let mut args = start_args(dial);
        args.push("--plain");
        args.extend(more);
        Node::spawn(name, &mut self.command(name, args))
    }
}

/// Returns the arguments of a node that stays on loopback: no multicast, a free port, the given nodes dialled.
pub(crate) fn start_args<'a>(dial: &[&'a str]) -> Vec<&'a str> {
    let mut args = vec!["start", "--no-mdns", "--listen", "/ip4/127.0.0.1/tcp/0"];
    args.extend(dial.iter().flat_map(|address| ["--dial", *address]));
    args
}

/// A running node with pipes; killed when dropped.
pub(crate) struct Node {
    name: String,
    child: Child,
    input: Option<ChildStdin>,
    output: Receiver<String>,
    errors: Receiver<String>,
    seen: Vec<String>,
}

impl Node {
    /// Starts a node by a command that has been prepared for it.
    pub(crate) fn spawn(name: &str, command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (output, errors) = (lines_of(child.stdout.take().unwrap()), lines_of(child.stderr.take().unwrap()));
        let input = child.stdin.take();
        Self { name: name.to_owned(), child, input, output, errors, seen: Vec::new() }
    }

    /// Returns the process's id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Types a line.
    pub(crate) fn say(&mut self, line: &str) {
        self.write(format!("{line}\n").as_bytes());
    }

    /// Writes bytes to the node's input as they are.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.input.as_mut().expect("the input is open").write_all(bytes).unwrap();
    }

    /// Ends the node's input, as Ctrl-D does.
    pub(crate) fn end_input(&mut self) {
        self.input = None;
    }

    /// Stops reading the node's output for good; the node can notice once it has printed two lines more.
    pub(crate) fn stop_reading(&mut self) {
        let (_sender, nothing) = channel();
        self.output = nothing;
    }

    /// Waits until the node prints exactly this line, unless it has already.
    pub(crate) fn expect(&mut self, line: &str) {
        self.expect_line(&format!("{line:?}"), |printed| printed == line);
    }

    /// Waits until the node prints a line that starts like this, unless it has already, and returns the line.
    pub(crate) fn expect_start(&mut self, start: &str) -> String {
        self.expect_line(&format!("a line starting with {start:?}"), |printed| printed.starts_with(start))
    }

    /// Waits until the node prints a line that ends like this, unless it has already.
    pub(crate) fn expect_end(&mut self, end: &str) {
        self.expect_line(&format!("a line ending with {end:?}"), |printed| printed.ends_with(end));
    }

    fn expect_line(&mut self, wanted: &str, matches: impl Fn(&str) -> bool) -> String {
        if let Some(line) = self.seen.iter().find(|line| matches(line)) {
            return line.clone();
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.output.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    self.seen.push(line.clone());
                    if matches(&line) {
                        return line;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    panic!("{}: waited in vain for {wanted}\n{}", self.name, self.transcript())
                }
                Err(RecvTimeoutError::Disconnected) => {
                    panic!("{}: ended without printing {wanted}\n{}", self.name, self.transcript())
                }
            }
        }
    }

    /// Returns the address on which the node listens.
    pub(crate) fn address(&mut self) -> String {
        let line = self.expect_start("-- listening on ");
        line.trim_start_matches("-- listening on ").to_owned()
    }

    /// Waits until the node is connected to so many members.
    pub(crate) fn expect_in_reach(&mut self, members: usize) {
        let plural = if members == 1 { "" } else { "s" };
        self.expect(&format!("-- {members} member{plural} in reach"));
    }

    /// Takes in what the node has printed, without waiting for more.
    pub(crate) fn look(&mut self) {
        self.seen.extend(self.output.try_iter());
    }

    /// Returns what the node has printed so far, as far as it has been waited for.
    pub(crate) fn seen(&self) -> &[String] {
        &self.seen
    }

    /// Tells how often a line has been printed so far, as far as it has been waited for.
    pub(crate) fn count(&self, line: &str) -> usize {
        self.seen.iter().filter(|seen| *seen == line).count()
    }

    /// Kills the process outright, as a power loss would.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits until the process has ended by itself and returns its status; all it printed is in [`Node::seen`] then.
    pub(crate) fn wait_end(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        let status = poll_until(deadline, || self.child.try_wait().unwrap())
            .unwrap_or_else(|| panic!("{} does not end\n{}", self.name, self.transcript()));
        self.seen.extend(self.output.iter());
        status
    }

    /// Types a line again and again until the process has ended by itself, and returns its status.
    pub(crate) fn wait_end_saying(&mut self, line: &str) -> ExitStatus {
        let mut input = self.input.take().expect("the input is open");
        let say_and_look = || {
            // Fails once the process has ended, which is what is waited for.
            let _ended = writeln!(input, "{line}");
            self.child.try_wait().unwrap()
        };
        poll_until(Instant::now() + PATIENCE, say_and_look)
            .unwrap_or_else(|| panic!("{} does not end\n{}", self.name, self.transcript()))
    }

    /// Describes everything printed so far, for a failing test's message.
    pub(crate) fn transcript(&self) -> String {
        let lines = |lines: &[String]| lines.iter().map(|line| format!("  {line}\n")).collect::<String>();
        let errors: Vec<String> = self.errors.try_iter().collect();
        format!("its output:\n{}its errors:\n{}", lines(&self.seen), lines(&errors))
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // Either may fail where the process has ended by itself.
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Looks again and again until there is something or the time has come.
pub(crate) fn poll_until<T>(deadline: Instant, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    loop {
        let found = look();
        if found.is_some() || Instant::now() >= deadline {
            return found;
        }
        thread::sleep(GLANCE);
    }
}

/// Reads a pipe line by line in a thread of its own, which ends with the pipe.
fn lines_of(pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (lines, received) = channel();
    thread::spawn(move || forward_lines(pipe, &lines));
    received
}

fn forward_lines(pipe: impl Read, lines: &Sender<String>) {
    for line in BufReader::new(pipe).split(b'\n') {
        let Ok(line) = line else { return };
        if lines.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
            return;
        }
    }
}

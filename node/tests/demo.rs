//! `muster demo`: what it shows, and that nothing of it is left.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod unit;

use std::fs;
use std::process::{Command, Output};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::unit::{MUSTER, Node, PATIENCE, poll_until};

/// How long the whole demo may take.
const DEMO_LIMIT: Duration = Duration::from_secs(30);

/// One demo at a time: ten nodes are enough for a small machine.
static STAGE_DOOR: Mutex<()> = Mutex::new(());

/// Where demos are played: a folder for temporary ones, which must be empty afterwards.
struct Theatre {
    folder: TempDir,
    _turn: MutexGuard<'static, ()>,
}

impl Theatre {
    fn new() -> Self {
        // A demo that failed before is no reason for this one to.
        let turn = STAGE_DOOR.lock().unwrap_or_else(PoisonError::into_inner);
        Self { folder: tempfile::tempdir().unwrap(), _turn: turn }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(MUSTER);
        self.prepare(command.arg("demo").args(args));
        command
    }

    fn prepare(&self, command: &mut Command) {
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("TMPDIR", self.folder.path()).env("TZ", "UTC");
    }

    fn is_empty(&self) -> bool {
        fs::read_dir(self.folder.path()).unwrap().next().is_none()
    }

    /// The processes whose command line names a home in here.
    fn nodes(&self) -> Vec<Pid> {
        let home = self.folder.path().to_str().unwrap();
        let runs_here = |process: &fs::DirEntry| {
            fs::read(process.path().join("cmdline")).is_ok_and(|line| String::from_utf8_lossy(&line).contains(home))
        };
        let processes = fs::read_dir("/proc").unwrap().map(Result::unwrap).filter(runs_here);
        processes.map(|process| Pid::from_raw(process.file_name().to_str().unwrap().parse().unwrap())).collect()
    }

    fn expect_no_nodes(&self) {
        let none = poll_until(Instant::now() + PATIENCE, || self.nodes().is_empty().then_some(()));
        assert!(none.is_some(), "left: {:?}", self.nodes());
    }
}

/// What a demo that went well printed.
fn shown(output: Output) -> String {
    let (text, errors) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}: {errors}\n{text}", output.status);
    text
}

/// The lines in the frame with this title.
fn frame<'a>(text: &'a str, title: &str) -> Vec<&'a str> {
    let head = format!("┌─ {title} ─");
    let mut lines = text.lines().skip_while(|line| !line.starts_with(&head));
    assert!(lines.next().is_some(), "no frame {title} in:\n{text}");
    lines.map_while(|line| line.strip_prefix("│ ")).collect()
}

#[test]
fn a_whole_unit_talks_in_a_network_of_its_own() {
    let theatre = Theatre::new();
    let began = Instant::now();
    let text = shown(theatre.command(&[]).output().unwrap());
    assert!(began.elapsed() < DEMO_LIMIT, "{:?}", began.elapsed());
    assert!(text.contains("Network: one of its own"), "{text}");
    assert!(text.contains("10 nodes up, all have met in "), "{text}");
    let army3 = frame(&text, "Army3, soldier of army");
    let conversation = [
        "[army] Army1: Hello guys, how are you doing?",
        "[army] Army2: I am fine, what about you?",
        "[army] Army3 (me): I am also fine.",
    ];
    assert_eq!(army3[..3], conversation);
    assert!(frame(&text, "Navy2, soldier of navy").iter().all(|line| line.starts_with("[navy] ")), "{text}");
    let chief = frame(&text, "Chief, the commander");
    assert!(chief.iter().any(|line| line.starts_with("-- refused: ")), "{text}");
    for group in ["heads", "army", "navy", "airforce"] {
        assert!(chief.iter().any(|line| line.starts_with(&format!("[{group}] "))), "{text}");
    }
    let export = text.lines().find(|line| line.starts_with("┌─ /") && line.contains(".txt")).expect("an export");
    assert!(export.contains("Army3"), "{export}");
    assert!(
        text.lines().any(|line| line.starts_with("│ 20") && line.ends_with("  Army1: We march at dawn.")),
        "{text}"
    );
    assert!(theatre.is_empty());
    theatre.expect_no_nodes();
}

#[test]
fn without_a_network_of_its_own_it_uses_the_loopback() {
    let theatre = Theatre::new();
    let text = shown(theatre.command(&["--loopback"]).output().unwrap());
    assert!(text.contains("Network: this machine's loopback; the nodes are told whom to dial.\n"), "{text}");
    assert!(theatre.is_empty());
}

#[test]
fn where_the_system_refuses_a_network_it_says_so_and_plays_all_the_same() {
    let theatre = Theatre::new();
    let mut command = Command::new("unshare");
    let refusing = "echo 0 >/proc/sys/user/max_user_namespaces && exec \"$0\" demo";
    theatre.prepare(command.args(["--map-root-user", "sh", "-c", refusing, MUSTER]));
    let text = shown(command.output().unwrap());
    let said = text.lines().find(|line| line.contains("Network: ")).unwrap();
    assert!(
        said.contains("this machine's loopback, ") && said.contains("the system allows no network namespace"),
        "{said}"
    );
    assert!(theatre.is_empty());
}

#[test]
fn a_person_may_sit_down_as_a_member() {
    let theatre = Theatre::new();
    let mut person = Node::spawn("person", &mut theatre.command(&["--as", "army3", "--keep"]));
    person.expect_start("Now you are Army3");
    person.expect("[army] Army1: We march at dawn.");
    person.expect_start("-- 9 members in reach");
    person.say("What a day.");
    person.expect("[army] Army3 (me): What a day.");
    person.end_input();
    assert!(person.wait_end().success(), "{}", person.transcript());
    let kept = person.expect_start("The homes and their logs are kept in ");
    let folder = kept.trim_start_matches("The homes and their logs are kept in ").trim_end_matches('.');
    let export = |name: &str| {
        let home = format!("{folder}/{name}");
        shown(Command::new(MUSTER).args(["--home", &home, "export", "-o", "-"]).output().unwrap())
    };
    assert!(export("Army1").contains("Army3: What a day.\n"));
    assert!(!export("Navy1").contains("What a day."));
    theatre.expect_no_nodes();
}

#[test]
fn told_to_end_it_leaves_nothing_behind() {
    for (args, moment) in [(&[][..], "  10 nodes up"), (&["--as", "Chief"], "-- 9 members in reach")] {
        expect_a_clean_end(&Theatre::new(), args, moment);
    }
}

fn expect_a_clean_end(theatre: &Theatre, args: &[&str], moment: &str) {
    let mut demo = Node::spawn("demo", &mut theatre.command(args));
    demo.expect_start(moment);
    kill(Pid::from_raw(demo.id().try_into().unwrap()), Signal::SIGTERM).unwrap();
    assert_eq!(demo.wait_end().code(), Some(1));
    assert!(demo.transcript().contains("error: interrupted"), "{}", demo.transcript());
    assert!(theatre.is_empty());
    theatre.expect_no_nodes();
}

#[test]
fn the_nodes_end_even_when_the_demo_is_killed() {
    let theatre = Theatre::new();
    let mut demo = Node::spawn("demo", &mut theatre.command(&[]));
    demo.expect_start("  10 nodes up");
    assert_eq!(theatre.nodes().len(), 10);
    demo.kill();
    theatre.expect_no_nodes();
}

#[test]
fn a_node_that_dies_spoils_the_demo() {
    let theatre = Theatre::new();
    let mut demo = Node::spawn("demo", &mut theatre.command(&["--as", "Army3"]));
    demo.expect_start("Now you are Army3");
    kill(*theatre.nodes().first().unwrap(), Signal::SIGKILL).unwrap();
    assert_eq!(demo.wait_end().code(), Some(1));
    assert!(demo.transcript().contains("'s node "), "{}", demo.transcript());
    assert!(theatre.is_empty());
    theatre.expect_no_nodes();
}

#[test]
fn nobody_sits_down_as_somebody_unknown() {
    let theatre = Theatre::new();
    let output = theatre.command(&["--as", "Army4"]).output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(
        errors.starts_with("error: nobody in the demo is called `Army4`\nhint: --as takes one of Chief, "),
        "{errors}"
    );
}

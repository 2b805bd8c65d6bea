//! Questions asked at a terminal, answered by a person's keys.

use std::fs;
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::ground::Ground;

const PASSPHRASE: &str = "Passphrase for chief/role.key: ";

/// In seconds, after which a dialogue that does not get on is ended.
const LIMIT_S: &str = "120";

/// How long the program may take to turn the terminal's echo off.
const PATIENCE: Duration = Duration::from_secs(20);

/// Runs the program at a terminal of its own and types each answer once its question has appeared.
///
/// Gives the exit code and what the terminal showed.
fn at_terminal(ground: &Ground, words: &str, dialogue: &[(&str, &str)]) -> (i32, String) {
    // Ctrl-C ends the program here, also where these tests were started by something that does not heed it itself.
    let program = format!("tty; exec env --default-signal=INT '{}' {words}", env!("CARGO_BIN_EXE_muster"));
    let mut child = Command::new("timeout")
        .args([LIMIT_S, "script", "--quiet", "--return", "--command", &program, "/dev/null"])
        .current_dir(ground.path(""))
        .env("TZ", "UTC")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("script is needed for this test: install util-linux or bsdutils");
    let (mut keys, mut output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let terminal = read_past(&mut output, "\n");
    let mut shown = String::new();
    for (question, answer) in dialogue {
        shown += &read_past(&mut output, question);
        if *question == PASSPHRASE {
            await_silence(terminal.trim());
        }
        keys.write_all(answer.as_bytes()).unwrap();
    }
    output.read_to_string(&mut shown).unwrap();
    (child.wait().unwrap().code().unwrap(), shown.replace('\r', ""))
}

/// Reads what is shown up to the end of `text`.
fn read_past(output: &mut impl Read, text: &str) -> String {
    let mut shown = String::new();
    while !shown.ends_with(text) {
        let mut byte = [0];
        assert_eq!(output.read(&mut byte).unwrap(), 1, "{text:?} never came:\n{shown}");
        shown.push(char::from(byte[0]));
    }
    shown
}

/// Waits until what is typed at a terminal is no longer shown: the question comes a moment before that.
fn await_silence(terminal: &str) {
    let started = Instant::now();
    while started.elapsed() < PATIENCE {
        let output = Command::new("stty").args(["-F", terminal, "-a"]).output().unwrap();
        if String::from_utf8_lossy(&output.stdout).contains(" -echo ") {
            return;
        }
    }
    panic!("{terminal} still shows what is typed");
}

fn locked_unit() -> Ground {
    let ground = Ground::with_unit();
    ground.ssh_keygen(&["-q", "-p", "-P", "", "-N", "correct horse", "-f", "chief/role.key"]);
    ground
}

#[test]
fn a_passphrase_is_asked_for_and_not_shown() {
    let ground = locked_unit();
    let (code, shown) = at_terminal(&ground, "--home chief rekey", &[(PASSPHRASE, "correct horse\n")]);
    assert_eq!(code, 0, "{shown}");
    assert!(shown.contains("heads: epoch 2"), "{shown}");
    assert!(!shown.contains("correct horse"), "{shown}");
}

#[test]
fn a_passphrase_may_be_mistyped_twice() {
    let ground = locked_unit();
    let (code, shown) = at_terminal(
        &ground,
        "--home chief rekey",
        &[(PASSPHRASE, "horse\n"), (PASSPHRASE, "\n"), (PASSPHRASE, "correct horse\n")],
    );
    assert_eq!(code, 0, "{shown}");
}

#[test]
fn the_third_wrong_passphrase_ends_it() {
    let ground = locked_unit();
    let (code, shown) =
        at_terminal(&ground, "--home chief rekey", &[(PASSPHRASE, "a\n"), (PASSPHRASE, "b\n"), (PASSPHRASE, "c\n")]);
    assert_eq!(code, 1, "{shown}");
    assert!(shown.contains("error: wrong passphrase for chief/role.key\nhint: try again"), "{shown}");
}

#[test]
fn with_no_role_key_the_person_chooses_among_those_that_are_there() {
    let ground = Ground::with_unit();
    fs::rename(ground.path("chief/role.key"), ground.path("chief/mine.key")).unwrap();
    ground.ssh_keygen(&["-q", "-t", "ed25519", "-N", "", "-f", "chief/a-stranger.key"]);
    let (code, shown) =
        at_terminal(&ground, "--home chief rekey", &[("Number: ", "7\n"), ("A number from 1 to 2: ", "2\n")]);
    assert_eq!(code, 0, "{shown}");
    let offered = "chief has no role.key. Which key is yours?\n   \
                   1  a-stranger.key  not a member of Brigade\n   \
                   2  mine.key  Chief, commander\nNumber: ";
    assert!(shown.starts_with(offered), "{shown}");
    assert!(shown.contains("heads: epoch 2"), "{shown}");
}

const CHOICE: &str = "Number, or Enter to leave: ";

#[test]
fn the_first_start_founds_a_unit_and_opens_its_chat() {
    let ground = Ground::new();
    let (code, shown) = at_terminal(
        &ground,
        "--home first start --plain --no-mdns --listen /ip4/127.0.0.1/tcp/0",
        &[
            (CHOICE, "1\n"),
            ("Name of the unit, such as 1st Brigade: ", "1st Brigade\n"),
            ("Your name in the chat [Chief]: ", "General Chief\n"),
            ("Your name in the chat [Chief]: ", "\n"),
            ("[navy:n airforce:a army:r]: ", "\n"),
            ("-- listening on ", "logmeout\n"),
        ],
    );
    assert_eq!(code, 0, "{shown}");
    assert!(shown.contains("\"General Chief\" is not a member name"), "{shown}");
    assert!(shown.contains("Founded 1st Brigade in first."), "{shown}");
    assert!(ground.muster("--home first member list").done().contains("Chief  commander"));
}

#[test]
fn leaving_the_first_start_or_breaking_it_off_leaves_things_as_they_were() {
    let ground = Ground::new();
    let (code, shown) = at_terminal(&ground, "--home first start", &[(CHOICE, "\n")]);
    assert_eq!(code, 0, "{shown}");
    assert!(shown.contains("Nothing was changed."), "{shown}");
    let at_a_question = [(CHOICE, "1\n"), ("such as 1st Brigade: ", "1st Brigade\n"), ("[Chief]: ", "\u{3}")];
    let (code, shown) = at_terminal(&ground, "--home first start", &at_a_question);
    assert_eq!(code, 130, "ended by Ctrl-C: {shown}");
    assert!(!ground.path("first").exists());
}

#[test]
fn the_first_start_finds_a_home_that_was_handed_out() {
    let ground = Ground::with_unit();
    ground.muster("--home chief member add Army1 --role leader --troop army --out army1").done();
    let (code, shown) = at_terminal(
        &ground,
        "--home first start --plain --no-mdns --listen /ip4/127.0.0.1/tcp/0",
        &[(CHOICE, "1\n"), ("-- listening on ", "logmeout\n")],
    );
    assert_eq!(code, 0, "{shown}");
    assert!(shown.contains("1  I am Army1, leader of army of Brigade: take the home in "), "{shown}");
    assert!(shown.contains("-- Army1 of Brigade"), "{shown}");
}

#[test]
fn with_nobody_to_ask_a_start_in_an_empty_home_is_refused_with_a_hint() {
    let ground = Ground::new();
    let told = ground.muster("--home first start").refused(1);
    assert!(told.starts_with("error: no unit in first\nhint: found one with `muster unit create"), "{told}");
    assert!(!ground.path("first").exists());
}

#[test]
fn a_change_is_signed_when_the_person_says_yes_to_what_it_would_do() {
    let ground = Ground::with_unit();
    ground.muster("--home chief member add Army1 --role leader --troop army --out army1").done();
    ground.muster("--home chief authority set --threshold 2 Chief Army1").done();
    let question = "Sign it? [y/N] ";
    for answer in ["n\n", "\n", "yess\n"] {
        let (code, shown) = at_terminal(&ground, "--home army1 roster sign authority.proposal", &[(question, answer)]);
        assert_eq!(code, 1, "{shown}");
        assert!(shown.ends_with("error: not signed\n"), "{shown}");
    }
    let (code, shown) = at_terminal(&ground, "--home army1 roster sign authority.proposal", &[(question, "y\n")]);
    assert_eq!(code, 0, "{shown}");
    assert!(shown.contains("new keys   heads, navy, airforce, army\nsigned by  Chief\nSign it?"), "{shown}");
    assert!(shown.contains("That is enough"), "{shown}");
}

#[test]
fn a_home_is_wiped_when_its_member_s_name_is_typed() {
    let ground = Ground::with_unit();
    let question = "This destroys chief for good. Type Chief to do it: ";
    for answer in ["chief\n", "y\n", "\n"] {
        let (code, shown) = at_terminal(&ground, "--home chief wipe", &[(question, answer)]);
        assert_eq!(code, 1, "{shown}");
        assert!(ground.path("chief/role.key").exists());
    }
    let (code, shown) = at_terminal(&ground, "--home chief wipe", &[(question, "Chief\n")]);
    assert_eq!(code, 0, "{shown}");
    assert!(!ground.path("chief").exists());
}

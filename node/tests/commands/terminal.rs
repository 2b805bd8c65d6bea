//! Questions asked at a terminal, answered by a person's keys.

use std::fs;
use std::io::{Read, Write};
use std::process::Stdio;

use crate::ground::Ground;

/// Runs the program at a terminal of its own and types each answer once its question has appeared.
///
/// Gives the exit code and everything the terminal showed.
fn at_terminal(ground: &Ground, words: &str, dialogue: &[(&str, &str)]) -> (i32, String) {
    let program = format!("{} {words}", env!("CARGO_BIN_EXE_muster"));
    let mut child = std::process::Command::new("script")
        .args(["--quiet", "--return", "--command", &program, "/dev/null"])
        .current_dir(ground.path(""))
        .env("TZ", "UTC")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("script is needed for this test: install util-linux or bsdutils");
    let (mut keys, mut screen) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut shown = String::new();
    let mut seen = 0;
    for (question, answer) in dialogue {
        while !shown[seen..].contains(question) {
            let mut bytes = [0; 1024];
            let read = screen.read(&mut bytes).unwrap();
            assert!(read > 0, "{question:?} was not asked:\n{shown}");
            shown.push_str(std::str::from_utf8(&bytes[..read]).unwrap());
        }
        seen = shown.len();
        keys.write_all(answer.as_bytes()).unwrap();
        keys.flush().unwrap();
    }
    screen.read_to_string(&mut shown).unwrap();
    (child.wait().unwrap().code().unwrap(), shown.replace('\r', ""))
}

fn locked_unit() -> Ground {
    let ground = Ground::with_unit();
    ground.ssh_keygen(&["-q", "-p", "-P", "", "-N", "correct horse", "-f", "chief/role.key"]);
    ground
}

#[test]
fn a_passphrase_is_asked_for_and_not_shown() {
    let ground = locked_unit();
    let (code, shown) =
        at_terminal(&ground, "--home chief rekey", &[("Passphrase for chief/role.key: ", "correct horse\n")]);
    assert_eq!(code, 0, "{shown}");
    assert!(shown.contains("heads: epoch 2"), "{shown}");
    assert!(!shown.contains("correct horse"), "{shown}");
}

#[test]
fn a_passphrase_may_be_mistyped_twice() {
    let ground = locked_unit();
    let asked = "Passphrase for chief/role.key: ";
    let (code, shown) =
        at_terminal(&ground, "--home chief rekey", &[(asked, "horse\n"), (asked, "\n"), (asked, "correct horse\n")]);
    assert_eq!(code, 0, "{shown}");
}

#[test]
fn the_third_wrong_passphrase_ends_it() {
    let ground = locked_unit();
    let asked = "Passphrase for chief/role.key: ";
    let (code, shown) = at_terminal(&ground, "--home chief rekey", &[(asked, "a\n"), (asked, "b\n"), (asked, "c\n")]);
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

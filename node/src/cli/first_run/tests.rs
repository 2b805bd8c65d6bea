#![allow(clippy::unwrap_used)]

use std::collections::VecDeque;

use clap::Parser;

use super::*;

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    settings: Settings,
}

/// Asks as at a terminal with these answers, and returns what came of it with all that was asked.
fn led(home: &Home, given: Vec<Given>, answers: &[&str]) -> (Result<Led, CommandError>, String) {
    let settings = Line::parse_from(["muster"]).settings;
    let mut answers: VecDeque<&str> = answers.iter().copied().collect();
    let mut asked = String::new();
    let led = Guide { settings: &settings, home, given }.lead(&mut |question| {
        asked += question;
        Ok(answers.pop_front().map(str::to_owned))
    });
    assert!(answers.is_empty(), "never asked for {answers:?}:\n{asked}");
    (led, asked)
}

fn empty() -> (tempfile::TempDir, Home) {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::new(folder.path().join("home"));
    (folder, home)
}

#[test]
fn a_unit_is_founded_with_the_troops_of_the_original_unless_others_are_named() {
    let (_folder, home) = empty();
    let (led, asked) = led(&home, Vec::new(), &["1", "1st Brigade", "", ""]);
    assert_eq!(led.unwrap(), Led::Ready, "{asked}");
    let roster = home.read_roster(time::now()).unwrap();
    assert_eq!((roster.unit_name(), roster.members().len()), ("1st Brigade", 1));
    let groups: Vec<String> = roster.groups().map(ToString::to_string).collect();
    assert_eq!(groups, ["heads", "navy", "airforce", "army"]);
}

#[test]
fn an_answer_that_makes_no_sense_is_asked_for_again_with_the_reason() {
    let (_folder, home) = empty();
    let answers = ["7", "x", "1", "1st Brigade", "two words", "Boss", "army", "army:r army:q", "army:r"];
    let (led, asked) = led(&home, Vec::new(), &answers);
    assert_eq!(led.unwrap(), Led::Ready, "{asked}");
    for reason in ["a number from 1 to 3", "\"two words\" is not a member name", "\"army\" is not a troop"] {
        assert!(asked.contains(reason), "{reason:?} is missing:\n{asked}");
    }
}

#[test]
fn leaving_at_any_question_leaves_everything_as_it_was() {
    for answers in
        [&[][..], &[""], &["1"], &["1", "Brigade"], &["1", "Brigade", "Boss"], &["2"], &["2", ""], &["3"], &["3", ""]]
    {
        let (folder, home) = empty();
        let (led, _) = led(&home, Vec::new(), answers);
        assert_eq!(led.unwrap(), Led::NotYet, "{answers:?}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "{answers:?}");
    }
}

#[test]
fn a_home_that_was_handed_out_is_found_and_copied_whole() {
    let (folder, chief) = empty();
    let _founded = led(&chief, Vec::new(), &["1", "Brigade", "Boss", ""]);
    let own = Home::new(folder.path().join("own"));
    fs::create_dir(folder.path().join("nothing here")).unwrap();
    let given = Given::find(folder.path(), &own);
    let names: Vec<&str> = given.iter().map(|given| given.member.as_str()).collect();
    assert_eq!(names, ["Boss, commander of Brigade"]);
    let (led, asked) = led(&own, given, &["1"]);
    assert_eq!(led.unwrap(), Led::Ready);
    assert!(asked.contains("1  I am Boss, commander of Brigade: take the home in"), "{asked}");
    for file in ["role.key", "roster.cbor"] {
        let read = |home: &Home| fs::read(home.dir().join(file)).unwrap();
        assert_eq!(read(&own), read(&chief), "{file}");
    }
    muster_keys::load(&own.role_key_path()).unwrap();
}

#[test]
fn who_wants_to_join_is_asked_for_a_name_and_nothing_is_written_yet() {
    let (folder, home) = empty();
    let (led, _) = led(&home, Vec::new(), &["2", "Army 3", "Army3"]);
    assert_eq!(led.unwrap(), Led::Join("Army3".parse().unwrap()));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn who_waits_to_be_admitted_gets_a_key_once_and_keeps_it() {
    let (_folder, home) = empty();
    let (first, _) = led(&home, Vec::new(), &["3", "Army3"]);
    assert_eq!(first.unwrap(), Led::NotYet);
    let key = fs::read(home.role_key_path()).unwrap();
    let (again, asked) = led(&home, Vec::new(), &["3", "Army3"]);
    assert_eq!(again.unwrap(), Led::NotYet);
    assert!(asked.contains("with the role key that is here"), "{asked}");
    assert_eq!(fs::read(home.role_key_path()).unwrap(), key);
}

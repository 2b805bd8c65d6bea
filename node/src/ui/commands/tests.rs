#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use super::*;
use crate::ui::sample::{carrier, commander, group, leader, soldier};

fn open(name: &str) -> Action {
    Action::Open(group(name))
}

fn refusal(line: &str, profile: &Profile, current: Option<&GroupId>) -> String {
    parse(line, profile, current).expect_err("the line must be refused").to_string()
}

#[test]
fn a_line_is_a_message_to_the_open_group() {
    let army = group("army");
    let action = parse("  I am also fine ", &soldier("army"), Some(&army));
    assert_eq!(action.unwrap(), Action::Post { group: army, text: "I am also fine".to_owned() });
}

#[test]
fn an_empty_line_does_nothing() {
    let army = group("army");
    for line in ["", "   ", "\t"] {
        assert_eq!(parse(line, &soldier("army"), Some(&army)).unwrap(), Action::Nothing);
    }
}

#[test]
fn a_doubled_colon_posts_a_text_that_begins_with_one() {
    let army = group("army");
    let text_of = |line| match parse(line, &soldier("army"), Some(&army)) {
        Ok(Action::Post { text, .. }) => text,
        other => panic!("{line} was taken for {other:?}"),
    };
    assert_eq!(text_of("::r"), ":r");
    assert_eq!(text_of(":::r"), "::r");
    assert_eq!(text_of("::quit now"), ":quit now");
}

#[test]
fn the_commander_opens_every_group_by_its_letter() {
    let heads = GroupId::heads();
    for (line, name) in [(":h", "heads"), (":n", "navy"), (":a", "airforce"), (":r", "army")] {
        assert_eq!(parse(line, &commander(), Some(&heads)).unwrap(), open(name));
    }
}

#[test]
fn letters_come_from_the_roster() {
    let mut profile = commander();
    profile.groups.retain(|choice| choice.id.is_heads());
    profile.groups.push(GroupChoice { id: group("signals"), letter: 's', may_post: false });
    assert_eq!(parse(":s", &profile, None).unwrap(), open("signals"));
    assert!(refusal(":n", &profile, None).contains("the commander reads heads and signals"));
    assert!(help(&profile, None).iter().any(|line| line.starts_with(":s ") && line.contains("signals")));
}

#[test]
fn a_group_one_may_not_read_is_refused_with_the_reason() {
    let army = group("army");
    for line in [":h", ":n", ":a", ":x"] {
        let refusal = refusal(line, &soldier("army"), Some(&army));
        assert_eq!(refusal, format!("`{line}` opens no group of yours: a soldier of army reads army only"));
    }
    assert!(refusal(":n", &leader("army"), None).ends_with("the leader of army reads heads and army"));
}

#[test]
fn a_leader_toggles_between_heads_and_the_own_troop() {
    let army = group("army");
    assert_eq!(parse(":t", &leader("army"), Some(&army)).unwrap(), open("heads"));
    assert_eq!(parse(":t", &leader("army"), Some(&GroupId::heads())).unwrap(), open("army"));
    assert_eq!(parse(":t", &leader("army"), None).unwrap(), open("army"));
}

#[test]
fn others_are_told_that_they_have_nothing_to_toggle() {
    for profile in [commander(), soldier("army"), carrier()] {
        assert!(refusal(":t", &profile, None).starts_with("`:t` is for a troop's leader: "));
    }
}

#[test]
fn an_unknown_word_is_never_posted() {
    let army = group("army");
    for line in [":hello", ":", ": hello", ":H", ":exit now", ":é"] {
        let error = parse(line, &soldier("army"), Some(&army)).expect_err(line);
        assert!(matches!(error, CommandError::Unknown { .. }), "{line}: {error}");
        assert!(error.hint().contains(":help"));
    }
    let hint = parse(":hello", &soldier("army"), Some(&army)).unwrap_err().hint();
    assert!(hint.contains("`::hello …` posts"), "{hint}");
}

#[test]
fn a_command_with_words_behind_it_is_refused() {
    let heads = GroupId::heads();
    for line in [":r hello", ":d yesterday", ":quit now", ":help me", ":t x"] {
        let refusal = refusal(line, &commander(), Some(&heads));
        assert!(refusal.ends_with("stands alone on its line"), "{refusal}");
    }
}

#[test]
fn leaving_is_spelled_quit_or_as_the_original_did() {
    for line in [":quit", "logmeout", " logmeout "] {
        assert_eq!(parse(line, &soldier("army"), None).unwrap(), Action::Leave);
    }
    let army = group("army");
    let talk = parse("logmeout is how one leaves", &soldier("army"), Some(&army)).unwrap();
    assert!(matches!(talk, Action::Post { .. }));
}

#[test]
fn the_node_is_ended_by_a_command_of_its_own() {
    assert_eq!(parse(":shutdown", &carrier(), None).unwrap(), Action::Shutdown);
}

#[test]
fn a_home_is_destroyed_only_by_a_command_typed_twice() {
    for line in [":wipe", ":wipe now", ":wipe wipe"] {
        let error = parse(line, &soldier("army"), None).unwrap_err();
        assert!(error.hint().contains(":wipe :wipe") || error.to_string().contains(":wipe :wipe"), "{line}: {error}");
    }
    assert_eq!(parse(":wipe :wipe", &carrier(), None).unwrap(), Action::Ask(Request::Wipe));
}

#[test]
fn a_carrier_reads_posts_and_exports_nothing() {
    for line in ["hello", ":d"] {
        assert_eq!(refusal(line, &carrier(), None), "no group is open: a carrier reads no group");
    }
    assert_eq!(parse(":help", &carrier(), None).unwrap(), Action::Help);
}

#[test]
fn what_is_printed_back_cannot_deceive_the_terminal() {
    let error = refusal(":\u{1b}[2Jbell\u{7}", &commander(), None);
    assert!(!error.chars().any(char::is_control), "{error:?}");
    assert!(refusal(&format!(":{}", "x".repeat(5000)), &commander(), None).len() < 100);
}

#[test]
fn help_lists_what_this_member_can_do() {
    let heads = GroupId::heads();
    let expected = [
        ":h              open heads (read and post, open now)",
        ":n              open navy (read only)",
        ":a              open airforce (read only)",
        ":r              open army (read only)",
        ":d              save the last week of the open group to a text file",
        ":order          TEXT: give an order, which its readers answer",
        ":ack            [TEXT]: answer an order: it is carried out",
        ":cannot         [TEXT]: answer an order: it cannot be carried out",
        ":orders         list the orders that wait",
        ":flash          TEXT: post before everything else",
        ":immediate      TEXT: post before priority traffic",
        ":priority       TEXT: post before routine traffic",
        ":reply          N TEXT: reply to message N",
        ":correct        N TEXT: correct your message N",
        ":numbers        list the newest messages with their numbers",
        ":who            [N]: show who has message N, or your last one",
        ":roster         list the members and their keys",
        ":requests       list the devices that ask to join",
        ":admit          NAME GROUP|leader GROUP|carrier: let in who asks to join",
        ":dismiss        NAME: turn away who asks to join",
        ":add            NAME GROUP|leader GROUP|carrier KEY: add a member",
        ":remove         NAME: remove a member",
        ":rekey          replace the group keys",
        ":help           show this list",
        ":quit, logmeout leave; Ctrl-D leaves too",
        ":shutdown       end the node, and every chat on it",
        ":wipe           :wipe: destroy this device's key, roster and messages",
        "::text          post a text that begins with ':'",
    ];
    assert_eq!(help(&commander(), Some(&heads)), expected);
    assert!(help(&leader("army"), None).iter().any(|line| line.starts_with(":t ")));
    assert!(!help(&carrier(), None).iter().any(|line| line.starts_with(":d ")));
}

#[test]
fn every_listed_command_is_understood() {
    let army = group("army");
    for line in help(&leader("army"), Some(&army)) {
        let (names, _) = line.split_at(16);
        for name in names.split(',').map(str::trim).filter(|name| !name.starts_with("::")) {
            match parse(name, &leader("army"), Some(&army)) {
                Ok(_) | Err(CommandError::Usage { .. } | CommandError::TypeTwice) => {}
                Err(error) => panic!("{name}: {error}"),
            }
        }
    }
}

use std::path::PathBuf;

use super::*;
use crate::control::{Delivery, Notice, RefusalKind};
use crate::ui::sample::{
    answered, commander, given_order, group, leader, message, mine, order_to_me, soldier, waiting,
};

/// A chat that has been told who sits there, and whose first history has come.
fn chat(profile: Profile) -> Chat {
    let mut chat = Chat::default();
    chat.on_event(Event::Profile(profile));
    if let Some(group) = chat.open.clone() {
        chat.on_event(history(group.as_str(), &[]));
    }
    chat
}

fn history(at: &str, messages: &[Message]) -> Event {
    history_seen(at, messages, None)
}

fn history_seen(at: &str, messages: &[Message], seen: Option<Position>) -> Event {
    let page = Page { group: group(at), messages: messages.to_vec(), older: None, seen };
    Event::Answered { to: RequestId(1), answer: Answer::Page(page) }
}

/// What is printed.
fn printed(outputs: &[Output]) -> Vec<String> {
    let line = |output: &Output| match output {
        Output::Print(line) => Some(line.to_string()),
        Output::Ask(_) => None,
    };
    outputs.iter().filter_map(line).collect()
}

/// The groups whose history is asked for.
fn asked_history(outputs: &[Output]) -> Vec<String> {
    let group = |output: &Output| match output {
        Output::Ask(Ask { request: Request::Page { group, .. }, .. }) => Some(group.to_string()),
        _ => None,
    };
    outputs.iter().filter_map(group).collect()
}

/// The single post asked for: where and what.
fn asked_post(outputs: &[Output]) -> (String, String) {
    match outputs {
        [Output::Ask(Ask { request: Request::Post { group, text, .. }, .. })] => (group.to_string(), text.clone()),
        other => panic!("not a post: {other:?}"),
    }
}

#[test]
fn a_member_is_welcomed_into_the_home_group_and_its_history_is_asked_for() {
    for (profile, home) in [(soldier("army"), "army"), (leader("navy"), "navy"), (commander(), "heads")] {
        let mut chat = Chat::default();
        assert!(!chat.is_ready());
        let outputs = chat.on_event(Event::Profile(profile));
        assert!(chat.is_ready());
        assert_eq!(asked_history(&outputs), [home]);
        assert!(printed(&outputs)[0].contains("of 1st Brigade"));
    }
}

#[test]
fn a_line_is_posted_to_the_open_group() {
    let mut chat = chat(commander());
    assert_eq!(asked_post(&chat.on_line("hold")), ("heads".to_owned(), "hold".to_owned()));
    chat.on_line(":r");
    // The engine refuses it, with the reason; the screen does not guess.
    assert_eq!(asked_post(&chat.on_line("hold")), ("army".to_owned(), "hold".to_owned()));
}

#[test]
fn every_post_has_a_request_number_of_its_own() {
    let mut chat = chat(soldier("army"));
    let mut number = |line| match chat.on_line(line).as_slice() {
        [Output::Ask(Ask { id, request: Request::Post { .. } })] => id.0,
        other => panic!("not a post: {other:?}"),
    };
    assert_ne!(number("one"), number("one"));
}

#[test]
fn nothing_is_understood_before_it_is_known_who_sits_here() {
    assert!(Chat::default().on_line("hello").is_empty());
}

#[test]
fn every_message_says_where_it_was_posted() {
    let mut chat = chat(leader("army"));
    let here = chat.on_event(Event::Message(message(1, "army", "Army1", "hello")));
    let elsewhere = chat.on_event(Event::Message(message(2, "heads", "Chief", "report")));
    let mine = chat.on_event(Event::Message(mine(3, "army", "Lead", "all well")));
    assert_eq!(printed(&here), ["[army] Army1: hello"]);
    assert_eq!(printed(&elsewhere), ["[heads] Chief: report"]);
    assert_eq!(printed(&mine), ["[army] Lead (me): all well"]);
}

#[test]
fn switching_asks_for_the_history_and_tells_what_is_new() {
    let mut chat = chat(commander());
    for number in 1..=3 {
        chat.on_event(Event::Message(message(number, "navy", "Navy1", "ahoy")));
    }
    let outputs = chat.on_line(":n");
    assert_eq!(printed(&outputs), ["-- navy is open, to read only, 3 new since you looked"]);
    assert_eq!(asked_history(&outputs), ["navy"]);
    assert_eq!(printed(&chat.on_line(":h")), ["-- heads is open"]);
    assert_eq!(printed(&chat.on_line(":n")), ["-- navy is open, to read only"]);
}

#[test]
fn a_leader_toggles() {
    let mut chat = chat(leader("army"));
    for open in ["heads", "army", "heads"] {
        assert_eq!(printed(&chat.on_line(":t")), [format!("-- {open} is open")]);
        assert_eq!(chat.open, Some(group(open)));
    }
}

#[test]
fn a_refused_toggle_changes_nothing() {
    let mut chat = chat(soldier("army"));
    let refused = printed(&chat.on_line(":t"));
    assert!(refused[0].starts_with("-- refused: `:t` is for a troop's leader"), "{refused:?}");
    assert!(refused[1].starts_with("-- hint: "), "{refused:?}");
    assert_eq!(chat.open, Some(group("army")));
}

#[test]
fn a_history_is_shown_in_order_with_the_rows_that_overtook_it() {
    let mut chat = Chat::default();
    chat.on_event(Event::Profile(soldier("army")));
    let early = chat.on_event(Event::Message(message(3, "army", "Army1", "three")));
    assert!(early.is_empty());
    chat.on_event(Event::Message(message(4, "army", "Army2", "four")));
    let rows =
        [message(1, "army", "Army1", "one"), message(2, "army", "Army2", "two"), message(3, "army", "Army1", "three")];
    let outputs = chat.on_event(history("army", &rows));
    assert_eq!(
        printed(&outputs),
        ["[army] Army1: one", "[army] Army2: two", "[army] Army1: three", "[army] Army2: four"]
    );
}

#[test]
fn no_row_is_shown_twice() {
    let mut chat = chat(commander());
    let ahoy = message(1, "navy", "Navy1", "ahoy");
    assert_eq!(printed(&chat.on_event(Event::Message(ahoy.clone()))), ["[navy] Navy1: ahoy"]);
    chat.on_line(":n");
    let outputs = chat.on_event(history("navy", &[ahoy.clone(), message(2, "navy", "Navy2", "aye")]));
    assert_eq!(printed(&outputs), ["[navy] Navy2: aye"]);
    assert!(chat.on_event(Event::Message(ahoy)).is_empty());
}

#[test]
fn a_history_that_comes_after_the_next_switch_says_where_it_is_from() {
    let mut chat = chat(commander());
    chat.on_line(":n");
    chat.on_line(":r");
    let outputs = chat.on_event(history("navy", &[message(1, "navy", "Navy1", "ahoy")]));
    assert_eq!(printed(&outputs), ["[navy] Navy1: ahoy"]);
}

#[test]
fn rows_do_not_wait_for_a_history_without_bound() {
    let mut chat = Chat::default();
    chat.on_event(Event::Profile(soldier("army")));
    let last = u32::try_from(MAX_HELD).unwrap() + 1;
    let outputs: Vec<Output> =
        (1..=last).flat_map(|number| chat.on_event(Event::Message(message(number, "army", "Army1", "go")))).collect();
    assert_eq!(printed(&outputs).len(), MAX_HELD + 1);
}

fn late(at: &str, messages: &[Message], older: u64) -> Event {
    Event::Late { groups: vec![late_in(at, messages, older)] }
}

fn late_in(at: &str, messages: &[Message], older: u64) -> Late {
    Late { group: group(at), messages: messages.to_vec(), older, while_away: true }
}

#[test]
fn what_came_while_away_stands_under_one_header() {
    const MINUTE_MS: u32 = 60_000;
    let mut chat = chat(leader("army"));
    let rows = [message(MINUTE_MS, "army", "Army1", "one"), message(2 * MINUTE_MS, "army", "Army2", "two")];
    let elsewhere = [message(1, "heads", "Chief", "report"), mine(2, "heads", "Lead", "all well")];
    let block = Event::Late { groups: vec![late_in("army", &rows, 0), late_in("heads", &elsewhere, 3)] };
    let outputs = chat.on_event(block.clone());
    let expected = ["-- 2 messages while you were away", "[army] Army1: one", "[army] Army2: two", "-- 4 new in heads"];
    assert_eq!(printed(&outputs), expected);
    assert!(printed(&chat.on_event(block)).iter().all(|line| line == "-- 4 new in heads"), "shown once");
    assert_eq!(printed(&chat.on_line(":t")), ["-- heads is open, 8 new since you looked"]);
    let restored = late("army", &[mine(9, "army", "Lead", "restored")], 0);
    assert!(printed(&chat.on_event(restored)).is_empty(), "nobody need be told of what is one's own");
}

#[test]
fn more_than_a_screenful_says_where_the_rest_is() {
    let mut chat = chat(soldier("army"));
    let rows = [message(8, "army", "Army1", "eight")];
    let outputs = chat.on_event(late("army", &rows, 7));
    let expected = [
        "-- 8 messages while you were away",
        "-- 7 more before these: `:d` saves them all, `muster log army` lists them",
        "[army] Army1: eight",
    ];
    assert_eq!(printed(&outputs), expected);
    let outputs = chat.on_event(late("army", &[], 2));
    assert!(printed(&outputs)[0].starts_with("-- 2 more older than these"), "{outputs:?}");
}

#[test]
fn what_came_late_before_the_history_goes_with_it() {
    let mut chat = Chat::default();
    chat.on_event(Event::Profile(soldier("army")));
    assert!(chat.on_event(late("army", &[message(2, "army", "Army1", "two")], 0)).is_empty());
    let outputs = chat.on_event(history("army", &[message(1, "army", "Army1", "one")]));
    assert_eq!(printed(&outputs), ["[army] Army1: one", "[army] Army1: two"]);
}

#[test]
fn a_line_stands_before_what_has_not_been_seen() {
    let shown = |rows: &[Message], last_seen: &Message| {
        let mut chat = Chat::default();
        chat.on_event(Event::Profile(soldier("army")));
        printed(&chat.on_event(history_seen("army", rows, Some(last_seen.position()))))
    };
    let rows = [
        message(1, "army", "Army1", "one"),
        mine(2, "army", "Army3", "two"),
        message(3, "army", "Army1", "three"),
        message(4, "army", "Army2", "four"),
    ];
    let expected =
        ["[army] Army1: one", "[army] Army3 (me): two", "-- unread --", "[army] Army1: three", "[army] Army2: four"];
    assert_eq!(shown(&rows, &rows[0]), expected);
    assert_eq!(shown(&rows[1..2], &rows[0]), ["[army] Army3 (me): two"], "nobody need read what is one's own");
    assert_eq!(shown(&rows, &rows[3]).len(), rows.len());
    assert_eq!(shown(&rows[2..], &rows[0])[0], "-- unread --", "more than a screenful has not been seen");
}

#[test]
fn what_is_missing_is_said_and_that_it_has_come() {
    let mut chat = chat(leader("army"));
    let author = crate::ui::sample::member("Army1");
    let mut missing = |at, count| {
        let notice = Notice::Missing { group: group(at), author: author.clone(), count };
        printed(&chat.on_event(Event::Notice(notice)))
    };
    assert_eq!(missing("army", 2), ["-- 2 messages from Army1 are not here yet"]);
    assert_eq!(missing("heads", 1), ["-- 1 message from Army1 in heads is not here yet"]);
    let mut arrived = |at, count| {
        let notice = Notice::Arrived { group: group(at), author: author.clone(), count };
        printed(&chat.on_event(Event::Notice(notice)))
    };
    assert_eq!(arrived("army", 2), ["-- the 2 missing messages from Army1 have arrived"]);
    assert_eq!(arrived("heads", 1), ["-- the missing message from Army1 in heads has arrived"]);
}

#[test]
fn a_refused_post_prints_the_reason_and_the_way_on() {
    let mut chat = chat(soldier("army"));
    let reason = "the message is 5000 bytes long, at most 4096 fit";
    let refusal = Refusal::new(RefusalKind::TooLarge, reason).with_hint("send it in parts");
    let outputs = chat.on_event(Event::Refused { to: RequestId(1), refusal });
    let expected = ["-- refused: the message is 5000 bytes long, at most 4096 fit", "-- hint: send it in parts"];
    assert_eq!(printed(&outputs), expected);
}

#[test]
fn an_export_is_of_the_open_group_and_its_outcome_is_told() {
    let mut chat = chat(commander());
    chat.on_line(":a");
    let outputs = chat.on_line(":d");
    assert!(
        matches!(outputs.as_slice(), [Output::Ask(Ask { request: Request::Export { group }, .. })] if group.as_str() == "airforce")
    );
    let path = PathBuf::from("/tmp/week\u{1b}[2J.txt");
    let answer = Answer::Exported { path, count: 1 };
    let saved = printed(&chat.on_event(Event::Answered { to: RequestId(3), answer }));
    assert_eq!(saved, ["-- saved 1 message to /tmp/week[2J.txt"]);
    let refusal = Refusal::new(RefusalKind::Failed, "not saved: the disk is full");
    let failed = chat.on_event(Event::Refused { to: RequestId(3), refusal });
    assert_eq!(printed(&failed), ["-- refused: not saved: the disk is full"]);
}

#[test]
fn leaving_is_asked_of_the_node() {
    let outputs = chat(soldier("army")).on_line("logmeout");
    assert!(matches!(outputs.as_slice(), [Output::Ask(Ask { request: Request::Leave { patient: true }, .. })]));
}

#[test]
fn how_many_are_in_reach_is_told_when_it_changes() {
    let mut chat = chat(soldier("army"));
    let mut seen = |connected| printed(&chat.on_event(Event::Presence { connected }));
    assert!(seen(0).is_empty());
    assert_eq!(seen(1), ["-- 1 member in reach"]);
    assert!(seen(1).is_empty());
    assert_eq!(seen(7), ["-- 7 members in reach"]);
    assert_eq!(seen(0), ["-- no member is in reach; what you write waits"]);
}

#[test]
fn notices_are_short_lines_of_their_own() {
    let mut chat = chat(soldier("army"));
    let news = chat.on_event(Event::Notice(Notice::RosterUpdated { version: 7, members: 13 }));
    assert_eq!(printed(&news), ["-- new roster: version 7, 13 members"]);
    for notice in [Notice::NoLongerMember { by: Vec::new(), at: None }, Notice::StoreFailed] {
        let outputs = chat.on_event(Event::Notice(notice));
        assert!(printed(&outputs)[0].starts_with("-- "));
    }
}

#[test]
fn a_wrong_clock_is_reported_in_words_that_a_person_sets_it_by() {
    let mut chat = chat(soldier("army"));
    let mut said = |notice| printed(&chat.on_event(Event::Notice(notice))).join("\n");
    let off = |by_ms| Notice::ClockOff { by_ms };
    assert_eq!(
        said(off(7_200_000)),
        "-- this device's clock is 2 h ahead of the unit's: set it; messages are stamped with the unit's time"
    );
    assert!(said(off(-95_000)).contains(" is 95 s behind the unit's: "));
    assert!(said(off(7_199_400)).contains(" is 2 h ahead of the unit's: "));
    assert!(said(off(-89 * 60_000)).contains(" is 89 min behind the unit's: "));
    assert!(said(off(i64::MIN)).contains(" years behind the unit's: "));
    let member = "Army1".parse().unwrap();
    let differs = Notice::ClocksDiffer { member, by_ms: 3 * 86_400_000 };
    assert_eq!(said(differs), "-- this device's clock is 3 days ahead of Army1's: set the one that is wrong");
    assert_eq!(said(Notice::ClockMended), "-- this device's clock agrees with the unit's again");
}

#[test]
fn the_listening_address_is_told() {
    let outputs = chat(soldier("army")).on_event(Event::Listening { address: "/ip4/127.0.0.1/tcp/4001".to_owned() });
    assert_eq!(printed(&outputs), ["-- listening on /ip4/127.0.0.1/tcp/4001"]);
}

#[test]
fn what_was_missed_is_said_and_the_newest_asked_for_again() {
    let mut chat = chat(soldier("army"));
    let outputs = chat.on_event(Event::Missed { count: 12 });
    assert_eq!(printed(&outputs), ["-- 12 events could not be shown in time and are missing here"]);
    assert_eq!(asked_history(&outputs), ["army"]);
}

#[test]
fn a_roster_that_changes_nothing_for_the_member_keeps_quiet() {
    let mut chat = chat(leader("army"));
    chat.on_line(":t");
    assert!(chat.on_event(Event::Profile(leader("army"))).is_empty());
    assert_eq!(chat.open, Some(group("heads")));
}

#[test]
fn a_group_that_closes_under_ones_hands_takes_no_line_meant_for_it_elsewhere() {
    let mut chat = chat(leader("army"));
    chat.on_line(":t");
    let outputs = chat.on_event(Event::Profile(soldier("army")));
    assert!(printed(&outputs).iter().any(|line| line.starts_with("-- heads is closed to you now")));
    let refused = printed(&chat.on_line("the heads must know"));
    assert_eq!(refused[0], "-- refused: no group is open: a soldier of army reads army only");
    chat.on_line(":r");
    assert_eq!(asked_post(&chat.on_line("hello")).0, "army");
}

#[test]
fn commands_work_for_groups_that_a_new_roster_opens() {
    let mut chat = chat(soldier("army"));
    chat.on_event(Event::Profile(leader("army")));
    assert_eq!(printed(&chat.on_line(":t")), ["-- heads is open"]);
}

#[test]
fn how_far_ones_own_message_has_come_is_told_when_all_have_it_and_when_what_waited_is_carried() {
    let mut chat = chat(soldier("army"));
    let waited = waiting(1, "army", "Army3", "we march");
    chat.on_event(Event::Message(waited.clone()));
    let mut told = |delivery| {
        let ids = vec![waited.id];
        printed(&chat.on_event(Event::Delivery { group: group("army"), ids, delivery }))
    };
    let base = crate::ui::sample::member("Base");
    assert_eq!(told(Delivery::Carried { by: vec![base] }), ["-- carried by Base: “we march”"]);
    assert!(told(Delivery::Delivered { to: 1, of: 2 }).is_empty());
    assert_eq!(told(Delivery::Delivered { to: 2, of: 2 }), ["-- all have “we march”"]);
}

#[test]
fn orders_that_wait_are_asked_for_and_told_once() {
    let mut chat = Chat::default();
    let outputs = chat.on_event(Event::Profile(soldier("army")));
    let asks_orders = |output: &Output| matches!(output, Output::Ask(Ask { request: Request::Orders, .. }));
    assert_eq!(outputs.iter().filter(|output| asks_orders(output)).count(), 1);
    let (waits, old) = (order_to_me(1, "army", "Army1", "dig in"), given_order(2, "army", "Army3", "old", &["Army2"]));
    let orders = vec![waits.clone(), answered(old, &["Army2"], &[])];
    let told = printed(&chat.on_event(Event::Answered { to: RequestId(2), answer: Answer::Orders { orders } }));
    assert_eq!(told, ["-- order of Army1 in army: dig in (answer with :ack or :cannot)"]);
    assert!(chat.on_event(Event::Order(waits)).is_empty());
}

#[test]
fn giver_and_receiver_are_reminded_of_an_order_that_waits() {
    let mut chat = chat(leader("army"));
    let waits = Notice::OrderWaits { group: group("heads"), giver: "Chief".parse().unwrap() };
    let unanswered = Notice::OrderUnanswered { group: group("army"), missing: vec!["Army2".parse().unwrap()] };
    let told = |chat: &mut Chat, notice| printed(&chat.on_event(Event::Notice(notice)));
    assert_eq!(told(&mut chat, waits), ["-- an order of Chief in heads still waits for your answer: :ack or :cannot"]);
    assert_eq!(told(&mut chat, unanswered), ["-- your order has no answer yet from Army2"]);
}

//! Hostile members and strangers against real nodes: a client that sends what it likes, three nodes that talk, and what the
//! attacked one uses and keeps meanwhile.
//!
//! Here each attack lasts a moment, and every bound is read but times. `scripts/attacks` runs the last test, which measures
//! those too.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]
#![allow(clippy::print_stdout, reason = "scripts/attacks reads the table")]

#[allow(unreachable_pub, dead_code, reason = "each test binary uses a part of it")]
mod forge;
mod raw;
mod unit;
mod hostile {
    pub(crate) mod attack;
    pub(crate) mod by_members;
    pub(crate) mod by_strangers;
    pub(crate) mod claim;
    pub(crate) mod field;
    pub(crate) mod gauge;
    pub(crate) mod in_sync;
    pub(crate) mod stored;
    pub(crate) mod table;
    mod tokens;
}

use std::time::Duration;

use hostile::attack::{Attack, play};
use hostile::field::Field;
use hostile::{by_members, by_strangers, in_sync, table};

/// How long an attack lasts where times are not measured.
const MOMENT: Duration = Duration::from_secs(6);

/// Every attack, in the order of the table.
const ATTACKS: &[&Attack] = &[
    &by_members::FLOOD,
    &by_members::REPLAY,
    &by_members::INVALID,
    &by_members::UNEXPLAINED,
    &by_members::OVERSIZE,
    &by_members::TOPICS,
    &by_members::CLAIMS,
    &by_members::QUESTIONS,
    &by_members::FORGERY,
    &by_members::SLOW_HELLO,
    &in_sync::GARBAGE,
    &in_sync::SILENT,
    &in_sync::EMPTY,
    &in_sync::SLOW_SYNC,
    &in_sync::COSTLY,
    &in_sync::REPEATED,
    &in_sync::WANTED,
    &by_strangers::ONE_ADDRESS,
    &by_strangers::MANY_ADDRESSES,
    &by_strangers::MANY_KEYS,
    &by_strangers::SLOW_STRANGERS,
    &by_strangers::JOINS,
];

/// Carries out an attack on a unit of its own for a moment.
fn withstands(attack: &Attack) {
    play(&mut Field::ready(), attack, Duration::ZERO, MOMENT).assert_holds();
}

#[test]
fn a_member_s_flood_of_gossip_is_cut_off_at_its_tokens() {
    withstands(&by_members::FLOOD);
}

#[test]
fn records_that_are_old_or_known_are_not_stored_again() {
    withstands(&by_members::REPLAY);
}

#[test]
fn records_whose_signature_is_not_their_author_s_are_stored_nowhere() {
    withstands(&by_members::INVALID);
}

#[test]
fn records_by_a_roster_that_nobody_has_fill_no_store_and_no_memory() {
    withstands(&by_members::UNEXPLAINED);
}

#[test]
fn a_gossip_message_beyond_its_size_closes_its_stream() {
    withstands(&by_members::OVERSIZE);
}

#[test]
fn thousands_of_topics_cost_next_to_nothing() {
    withstands(&by_members::TOPICS);
}

#[test]
fn claims_to_have_messages_cost_next_to_nothing() {
    withstands(&by_members::CLAIMS);
}

#[test]
fn a_member_s_questions_are_answered_so_often_and_no_more() {
    withstands(&by_members::QUESTIONS);
}

#[test]
fn forged_documents_and_an_older_roster_change_nothing() {
    withstands(&by_members::FORGERY);
}

#[test]
fn a_member_that_says_one_byte_at_a_time_holds_nobody_up() {
    withstands(&by_members::SLOW_HELLO);
}

#[test]
fn garbage_ends_a_session_at_once_and_is_stored_nowhere() {
    withstands(&in_sync::GARBAGE);
}

#[test]
fn a_member_that_never_answers_in_a_session_loses_it_to_another() {
    withstands(&in_sync::SILENT);
}

#[test]
fn a_member_whose_answers_bring_nothing_loses_its_session_to_another() {
    withstands(&in_sync::EMPTY);
}

#[test]
fn a_member_that_holds_sessions_open_keeps_no_other_from_having_one() {
    withstands(&in_sync::SLOW_SYNC);
}

#[test]
fn rounds_of_comparing_made_to_be_costly_are_withstood() {
    withstands(&in_sync::COSTLY);
}

#[test]
fn session_after_session_is_withstood() {
    withstands(&in_sync::REPEATED);
}

#[test]
fn the_same_records_asked_for_again_and_again_are_read_in_turn_with_others() {
    withstands(&in_sync::WANTED);
}

#[test]
fn silent_connections_from_one_address_keep_no_member_out() {
    withstands(&by_strangers::ONE_ADDRESS);
}

#[test]
fn silent_connections_from_many_addresses_are_bounded_and_keep_no_member_out() {
    withstands(&by_strangers::MANY_ADDRESSES);
}

#[test]
fn connections_with_ever_new_keys_keep_no_member_out() {
    withstands(&by_strangers::MANY_KEYS);
}

#[test]
fn strangers_that_say_one_byte_at_a_time_keep_no_member_out() {
    withstands(&by_strangers::SLOW_STRANGERS);
}

#[test]
fn of_devices_that_ask_to_join_without_end_eight_wait() {
    withstands(&by_strangers::JOINS);
}

#[test]
#[ignore = "measures times; scripts/attacks runs it"]
fn the_table_of_attacks() {
    table::print(ATTACKS);
}

//! The engine in a simulated mesh: the same code as in a node, with everything around it played from one seed.
//!
//! A failure prints its seed; `MUSTER_SIM_SEED=N` plays that one alone.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    missing_docs,
    unreachable_pub
)]

mod breakage;
mod carrying;
mod changes;
mod check;
mod clocks;
mod crash;
mod firsthand;
#[path = "../forge/mod.rs"]
mod forge;
mod founding;
mod holes;
mod islands;
mod judged;
mod meeting;
mod outbox;
mod platter;
mod presence;
mod receipts;
mod seeds;
mod store;
mod storm;
mod together;
mod world;

use std::sync::Arc;

use muster_keys::Identity;
use muster_roles::{GroupId, Role, Roster, Timestamp};

use crate::forge::Forged;
use crate::founding::{randomness, roster_of};
use crate::world::{START, Weather, World};

const CALM: Weather = Weather { max_delay_ms: 50, lost_per_mille: 0, doubled_per_mille: 50 };
const STORM: Weather = Weather { max_delay_ms: 2000, lost_per_mille: 200, doubled_per_mille: 200 };

/// Plays a scene from many seeds, or from the one in the environment.
fn play(seeds: std::ops::Range<u64>, scene: impl Fn(u64)) {
    let only = std::env::var("MUSTER_SIM_SEED").ok().map(|seed| seed.parse().expect("MUSTER_SIM_SEED is a number"));
    for seed in only.map_or(seeds, |seed: u64| seed..seed + 1) {
        eprintln!("seed {seed}");
        scene(seed);
    }
}

fn group(name: &str) -> GroupId {
    name.parse().unwrap()
}

/// Ten members: the commander, a leader and two soldiers in each of three troops; the same keys in every run.
fn unit() -> (Arc<Roster>, Vec<Identity>) {
    let identities: Vec<Identity> = (0..10).map(|n| Identity::from_seed(&[n + 1; 32])).collect();
    let troops = [("navy", 'n'), ("airforce", 'a'), ("army", 'r')];
    let of = |(id, _)| {
        let soldier = Role::Soldier(group(id));
        [Role::Leader(group(id)), soldier.clone(), soldier]
    };
    let roster = roster_of(&identities, &troops, "Member", troops.into_iter().flat_map(of), &mut randomness(0));
    (roster, identities)
}

/// Everyone talks, wherever they like: what they may not say is refused at once.
fn chatter(world: &mut World, groups: &[GroupId], lines: usize) -> Vec<(usize, GroupId, String)> {
    let mut said = Vec::new();
    for line in 0..lines {
        let node = world.rng.usize(0..world.nodes.len());
        let to = groups[world.rng.usize(0..groups.len())].clone();
        let after_ms = world.rng.u64(0..20_000);
        let text = format!("line {line}");
        world.say(after_ms, node, &to, &text);
        if world.nodes[node].role.may_post(&to) {
            said.push((node, to, text));
        }
    }
    said
}

#[test]
fn on_a_calm_mesh_everyone_entitled_is_shown_every_message_once_and_nobody_else_any() {
    let (roster, _) = unit();
    let groups: Vec<GroupId> = roster.groups().cloned().collect();
    play(0..20, |seed| {
        let (roster, identities) = unit();
        let mut world = World::new(seed, &roster, identities, CALM);
        let said = chatter(&mut world, &groups, 200);
        world.run();
        for (n, node) in world.nodes.iter().enumerate() {
            let mut shown: Vec<String> =
                node.shown.iter().map(|row| format!("{} {} {}", row.group(), row.author(), row.text())).collect();
            let mut due: Vec<String> = said
                .iter()
                .filter(|(_, to, _)| node.role.may_read(to))
                .map(|(from, to, text)| {
                    let author = roster.member(&world_key(&world, *from)).unwrap().name;
                    format!("{to} {author} {text}")
                })
                .collect();
            shown.sort();
            due.sort();
            assert_eq!(shown, due, "seed {seed}, node {n}");
        }
        let said_by_all: u64 = world.nodes.iter().map(|node| node.refused).sum();
        assert_eq!(said_by_all as usize + said.len(), 200, "what was not said was refused");
        assert!(world.verdicts.keys().all(|(_, verdict)| *verdict != "reject"), "honest nodes reject nobody");
    });
}

fn world_key(world: &World, node: usize) -> muster_keys::PublicKey {
    world.nodes[node].state.public()
}

#[test]
fn in_a_storm_nothing_is_shown_unstored_unpermitted_or_twice() {
    play(100..120, |seed| {
        let (roster, identities) = unit();
        let groups: Vec<GroupId> = roster.groups().cloned().collect();
        let mut world = World::new(seed, &roster, identities, STORM);
        chatter(&mut world, &groups, 200);
        world.run();
        for node in &world.nodes {
            let mut ids: Vec<_> = node.shown.iter().map(muster::engine::view::Row::id).collect();
            let shown = ids.len();
            ids.sort();
            ids.dedup();
            assert_eq!(ids.len(), shown, "seed {seed}");
        }
    });
}

#[test]
fn a_group_reads_in_the_same_order_on_every_screen() {
    play(200..210, |seed| {
        let (roster, identities) = unit();
        let mut world = World::new(seed, &roster, identities, CALM);
        chatter(&mut world, &[group("army")], 100);
        world.run();
        let order = |node: usize| {
            let stored = world.nodes[node].store.latest(&group("army"), 1000).unwrap();
            stored.iter().map(|record| record.frame().id()).collect::<Vec<_>>()
        };
        assert!(!order(0).is_empty());
        assert!((1..10).all(|node| order(node) == order(0)), "seed {seed}");
    });
}

#[test]
fn a_soldiers_forged_record_for_heads_is_rejected_by_every_other_node() {
    let (roster, identities) = unit();
    let soldier = roster.members().into_iter().find(|member| matches!(member.role, Role::Soldier(_))).unwrap();
    let forger = identities.iter().find(|identity| identity.public() == soldier.key).unwrap();
    let forged = Forged {
        roster: &roster,
        signer: forger,
        author: forger,
        group: GroupId::heads(),
        time: Timestamp::from_ms(START.0),
        seq: 1,
        kind: 0,
        precedence: 0,
    };
    let message = forged.message();
    let (_, identities) = unit();
    let mut world = World::new(1, &roster, identities, CALM);
    (0..10).for_each(|node| world.inject(1, node, &GroupId::heads(), message.clone()));
    world.run();
    for node in 0..10 {
        assert_eq!(world.verdicts.get(&(node, "reject")), Some(&1), "node {node}");
        assert_eq!(world.nodes[node].store.iter().count(), 0);
    }
}

#[test]
fn a_record_signed_by_another_than_its_author_is_rejected() {
    let (roster, identities) = unit();
    let leader = roster.members().into_iter().find(|member| matches!(member.role, Role::Leader(_))).unwrap();
    let soldier = roster.members().into_iter().find(|member| matches!(member.role, Role::Soldier(_))).unwrap();
    let find = |key| identities.iter().find(|identity| identity.public() == key).unwrap();
    let message = Forged {
        roster: &roster,
        signer: find(soldier.key),
        author: find(leader.key),
        group: GroupId::heads(),
        time: Timestamp::from_ms(START.0),
        seq: 1,
        kind: 0,
        precedence: 0,
    }
    .message();
    let (_, identities) = unit();
    let mut world = World::new(1, &roster, identities, CALM);
    world.inject(1, 0, &GroupId::heads(), message);
    world.run();
    assert_eq!(world.verdicts.get(&(0, "reject")), Some(&1));
}

#[test]
fn a_flood_from_one_member_is_cut_off_and_the_others_are_still_heard() {
    let (roster, identities) = unit();
    let mut world = World::new(7, &roster, identities, CALM);
    let army = group("army");
    let talker = |world: &World, nth: usize| {
        let army = group("army");
        (0..10).filter(|n| world.nodes[*n].role == Role::Soldier(army.clone())).nth(nth).unwrap()
    };
    let (loud, quiet) = (talker(&world, 0), talker(&world, 1));
    (0..3000).for_each(|n| world.say(n % 10, loud, &army, "flood"));
    world.say(500, quiet, &army, "still here");
    world.run();
    let flood = |node: usize| world.nodes[node].shown.iter().filter(|row| row.text().as_str() == "flood").count();
    assert!(flood(loud) == 3000, "one's own messages are one's own business");
    assert!(flood(quiet) <= 1200, "{} got through", flood(quiet));
    for node in (0..10).filter(|n| world.nodes[*n].role.may_read(&army)) {
        assert!(world.nodes[node].shown.iter().any(|row| row.text().as_str() == "still here"), "node {node}");
    }
}

/// Which messages each node holds of each group.
fn holdings(world: &World) -> Vec<Vec<muster::engine::wire::RecordId>> {
    let is_message = |stored: &muster::engine::store::Stored| stored.frame().header().kind.is_message();
    let held =
        |node: &crate::world::SimNode| node.store.iter().filter(is_message).map(|stored| stored.frame().id()).collect();
    world.nodes.iter().map(held).collect()
}

#[test]
fn after_a_storm_synchronisation_makes_every_node_hold_the_same_and_every_reader_see_all() {
    play(300..310, |seed| {
        let (roster, identities) = unit();
        let groups: Vec<GroupId> = roster.groups().cloned().collect();
        let mut world = World::new(seed, &roster, identities, STORM);
        world.connect_all();
        let said = chatter(&mut world, &groups, 150);
        world.pass(240_000);
        let held = holdings(&world);
        assert_eq!(world.nodes[0].store.messages(), said.len(), "seed {seed}");
        assert!(held.iter().all(|ids| *ids == held[0]), "seed {seed}");
        for (n, node) in world.nodes.iter().enumerate() {
            let due = said.iter().filter(|(_, to, _)| node.role.may_read(to)).count();
            assert_eq!(node.seen(), due, "seed {seed}, node {n}: shown once each");
        }
    });
}

#[test]
fn a_node_that_was_away_gets_what_it_missed_from_a_carrier_of_another_troop() {
    play(400..405, |seed| {
        let (roster, identities) = unit();
        let mut world = World::new(seed, &roster, identities, CALM);
        let army = group("army");
        let of = |world: &World, role: Role| (0..10).find(|n| world.nodes[*n].role == role).unwrap();
        let author = of(&world, Role::Soldier(army.clone()));
        let reader = (author + 1..10).find(|n| world.nodes[*n].role == Role::Soldier(army.clone())).unwrap();
        let navy = of(&world, Role::Soldier(group("navy")));
        world.separate(|_, _| true);
        world.join(author, navy);
        (0..50).for_each(|line| world.say(line * 10, author, &army, &format!("line {line}")));
        world.pass(10_000);
        world.separate(|_, _| true);
        world.join(navy, reader);
        world.pass(10_000);
        let texts: Vec<String> = world.nodes[reader].shown.iter().map(|row| row.text().to_string()).collect();
        let all: Vec<String> = (0..50).map(|line| format!("line {line}")).collect();
        assert_eq!(texts, all, "seed {seed}: in order, once each");
        assert_eq!(world.nodes[reader].blocks, [(50, true)], "seed {seed}: under one header");
        assert!(world.nodes[navy].shown.is_empty(), "who carries does not read");
        let stored = world.nodes[reader].store.latest(&army, 100).unwrap();
        assert!(stored.windows(2).all(|pair| pair[0].frame().header().seq < pair[1].frame().header().seq));
    });
}

#[test]
fn what_was_said_while_a_member_came_reaches_it_within_seconds() {
    play(450..460, |seed| {
        let (roster, identities) = unit();
        let mut world = World::new(seed, &roster, identities, CALM);
        let army = group("army");
        let soldiers: Vec<usize> = (0..10).filter(|n| world.nodes[*n].role == Role::Soldier(army.clone())).collect();
        world.separate(|_, _| true);
        // It goes out to whoever else is there, and counts as sent.
        world.say(1, soldiers[0], &army, "who is there?");
        world.pass(100);
        world.join(soldiers[0], soldiers[1]);
        world.pass(5_000);
        assert_eq!(world.nodes[soldiers[1]].shown.len(), 1, "seed {seed}");
    });
}

#[test]
fn a_session_cut_again_and_again_still_ends_with_equal_sets_and_asks_for_nothing_twice() {
    play(500..505, |seed| {
        let (roster, identities) = unit();
        let mut world = World::new(seed, &roster, identities, CALM);
        let army = group("army");
        let talkers: Vec<usize> = (0..10).filter(|n| world.nodes[*n].role == Role::Soldier(army.clone())).collect();
        let (a, b) = (talkers[0], talkers[1]);
        world.separate(|_, _| true);
        for line in 0..3000 {
            let node = if line % 3 == 0 { b } else { a };
            world.say(line * 20, node, &army, &format!("line {line}"));
        }
        world.pass(70_000);
        assert!(world.nodes[a].store.iter().count() == 2000 && world.nodes[b].store.iter().count() == 1000);
        let mut cut = 0;
        for _ in 0..40 {
            world.join(a, b);
            let a_while = world.rng.u64(20..400);
            world.pass(a_while);
            cut += world.break_streams();
            world.separate(|_, _| true);
        }
        assert!(cut >= 20, "{cut} ends were cut");
        world.join(a, b);
        world.pass(60_000);
        let held = holdings(&world);
        assert_eq!(world.nodes[a].store.messages(), 3000, "seed {seed}");
        assert_eq!(held[a], held[b], "seed {seed}");
        // What was on its way when a stream was cut is all that may come again.
        let again = world.brought[a] + world.brought[b] - 3000;
        assert!(again <= cut * 2 * muster::engine::sync::MAX_WANTED, "{again} records came again");
    });
}

#[test]
fn nodes_in_step_spend_one_round_trip_and_under_a_kibibyte_a_group() {
    let (roster, identities) = unit();
    let mut world = World::new(600, &roster, identities, CALM);
    let groups: Vec<GroupId> = roster.groups().cloned().collect();
    chatter(&mut world, &groups, 300);
    world.run();
    world.pass(5_000);
    let held = holdings(&world);
    assert!(held.iter().all(|ids| *ids == held[0]), "in step before");
    world.separate(|_, _| true);
    world.join(0, 1);
    let before = world.sync_bytes;
    world.pass(3_000);
    let spent = world.sync_bytes - before;
    assert!(spent > 0 && spent < 1024 * groups.len() as u64, "{spent} bytes for {} groups", groups.len());
}

#[test]
fn the_same_seed_plays_the_same_scene() {
    let trace = || {
        let (roster, identities) = unit();
        let groups: Vec<GroupId> = roster.groups().cloned().collect();
        let mut world = World::new(42, &roster, identities, STORM);
        chatter(&mut world, &groups, 100);
        world.run();
        world.trace
    };
    assert_eq!(trace(), trace());
}

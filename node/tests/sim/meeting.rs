//! Messages that are said in the very moment when the mesh forms, or when its roster changes.

use std::sync::Arc;

use muster_keys::Identity;
use muster_roles::{Roster, Timestamp};

use crate::world::{START, World};
use crate::{CALM, group, holdings, play, unit};

/// Within so many milliseconds after the last link has opened a message is everywhere.
const DELIVERY_MS: u64 = 2000;

/// The nodes of a chain, the ends being two soldiers of the army.
fn chain(world: &World) -> Vec<usize> {
    let army = muster_roles::Role::Soldier(group("army"));
    let (soldiers, others): (Vec<usize>, Vec<usize>) = (0..10).partition(|n| world.nodes[*n].role == army);
    vec![soldiers[0], others[0], others[1], others[2], others[3], soldiers[1]]
}

#[test]
fn a_message_said_while_the_links_of_a_chain_open_is_at_its_other_end_within_two_seconds() {
    play(900..960, |seed| {
        let (roster, identities) = unit();
        let mut world = World::new(seed, &roster, identities, CALM);
        world.minds_listeners = true;
        world.separate(|_, _| true);
        let chain = chain(&world);
        let mut last_open = 0;
        for pair in chain.windows(2) {
            let after_ms = world.rng.u64(1..200);
            last_open = world.join_slowly(pair[0], pair[1], after_ms).max(last_open);
        }
        let (first, last) = (chain[0], chain[chain.len() - 1]);
        for _ in 0..5 {
            for from in [first, last] {
                let after_ms = world.rng.u64(1..last_open);
                world.say(after_ms, from, &group("army"), "is anybody there?");
            }
        }
        world.pass(last_open + DELIVERY_MS);
        for end in [first, last] {
            assert_eq!(world.nodes[end].shown.len(), 10, "seed {seed}: it was shown all");
        }
        assert_eq!(world.unanswered(), 0, "seed {seed}");
    });
}

#[test]
fn what_is_said_where_many_meet_at_once_is_everywhere_at_once_and_no_flood() {
    play(960..970, |seed| {
        let (roster, identities) = unit();
        let mut world = World::new(seed, &roster, identities, CALM);
        world.minds_listeners = true;
        world.separate(|_, _| true);
        let mut last_open = 0;
        for a in 0..10 {
            for b in 0..a {
                last_open = world.join_slowly(a, b, 1).max(last_open);
            }
        }
        let said = 20;
        for line in 0..said {
            let after_ms = world.rng.u64(1..last_open);
            world.say(after_ms, 0, &muster_roles::GroupId::heads(), &format!("line {line}"));
            world.say(after_ms, 1, &group("navy"), &format!("line {line}"));
        }
        world.pass(last_open + DELIVERY_MS);
        let held = holdings(&world);
        assert!(!held[0].is_empty() && held.iter().all(|ids| *ids == held[0]), "seed {seed}");
        // Gossip alone sends a message twice over each of the 45 links at most; single messages and lists of them may
        // each go round.
        let most = held[0].len() as u64 * 45 * 2 * 2;
        assert!(world.gossip_copies <= most, "seed {seed}: {} copies of {}", world.gossip_copies, held[0].len());
        let brought: usize = world.brought.iter().sum();
        assert!(brought <= held[0].len() * 10 * 2, "seed {seed}: sessions brought {brought} of {}", held[0].len());
    });
}

/// A roster with one soldier more, and that soldier.
fn newer(roster: &Roster, chief: &Identity) -> (Arc<Roster>, Identity) {
    let now = Timestamp::from_ms(START.0 - 500);
    let recruit = Identity::from_seed(&[99; 32]);
    let mut newer = roster.clone();
    let role = muster_roles::Role::Soldier(group("army"));
    let name = "Recruit".parse().unwrap();
    for document in muster_roles::add_member(roster, chief, name, role, recruit.public(), now).unwrap() {
        newer.accept(&document, now).unwrap();
    }
    (Arc::new(newer), recruit)
}

#[test]
fn a_message_that_overtakes_the_roster_it_goes_by_travels_on_as_soon_as_that_comes() {
    play(970..980, |seed| {
        let (roster, mut identities) = unit();
        let (newest, recruit) = newer(&roster, &identities[0]);
        identities.push(recruit);
        let mut world = World::new(seed, &newest, identities, CALM);
        world.separate(|_, _| true);
        let mut chain = chain(&world);
        // The recruit at one end; those between have not heard of it.
        chain.pop();
        chain.push(10);
        let (_, identities) = unit();
        for (node, identity) in identities.into_iter().enumerate().filter(|(node, _)| chain.contains(node)) {
            world.set_back(node, identity, &roster);
        }
        chain.windows(2).for_each(|pair| world.join(pair[0], pair[1]));
        world.pass(10_000);
        let before = world.brought.clone();
        world.say(1, 10, &group("army"), "the new one speaks");
        // The news goes a hop every 300 ms, so that the message waits for it at each.
        for (hop, node) in chain.iter().rev().skip(1).enumerate() {
            world.teach(300 * (hop as u64 + 1), *node, &newest);
        }
        world.pass(300 * 5 + 100);
        assert_eq!(world.nodes[chain[0]].shown.len(), 1, "seed {seed}");
        assert_eq!(world.brought, before, "seed {seed}: gossip carried it");
        assert_eq!(world.unanswered(), 0, "seed {seed}");
    });
}

#[test]
fn a_message_whose_roster_never_comes_is_let_go_before_gossip_forgets_it() {
    let (roster, mut identities) = unit();
    let (newest, recruit) = newer(&roster, &identities[0]);
    identities.push(recruit);
    let mut world = World::new(980, &newest, identities, CALM);
    world.separate(|_, _| true);
    let (_, mut identities) = unit();
    world.set_back(1, identities.swap_remove(1), &roster);
    world.join(1, 10);
    world.pass(1_000);
    world.say(1, 10, &group("army"), "who knows me?");
    world.pass(5_000);
    assert_eq!(world.unanswered(), 1, "it waits for a newer roster");
    world.pass(5_000);
    assert_eq!(world.unanswered(), 0);
    assert_eq!(world.verdicts.get(&(1, "ignore")), Some(&1));
}

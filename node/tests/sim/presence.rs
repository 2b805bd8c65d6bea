//! Who is there, as members learn it from afar.

use muster::engine::policy::Carry;
use muster_keys::PublicKey;

use crate::world::World;
use crate::{CALM, play, unit};

fn key(world: &World, node: usize) -> PublicKey {
    world.nodes[node].state.public()
}

/// Whether one node knows another to be there by its signs of life.
fn is_online(world: &World, node: usize, other: usize) -> bool {
    let heard = world.nodes[node].state.heard_of(&key(world, other), world.now);
    heard.is_some_and(|(_, online)| online)
}

#[test]
fn members_out_of_reach_are_known_to_be_there_and_known_to_have_gone() {
    play(1000..1005, |seed| {
        let (roster, identities) = unit();
        let mut world = World::new(seed, &roster, identities, CALM);
        world.separate(|_, _| true);
        (1..10).for_each(|node| world.join(node - 1, node));
        world.pass(45_000);
        for (node, other) in [(0, 9), (9, 0), (4, 0)] {
            assert!(is_online(&world, node, other), "seed {seed}: {node} knows of {other}");
            assert_eq!(world.nodes[node].state.carry_of(&key(&world, other)), Some(Carry::All));
        }
        assert!(world.nodes.iter().all(|node| node.store.iter().count() == 0), "nothing of it is stored");
        world.separate(|a, b| a == 8 && b == 9);
        world.pass(120_000);
        assert!(!is_online(&world, 0, 9) && !is_online(&world, 9, 0), "seed {seed}");
        assert!(is_online(&world, 0, 8) && is_online(&world, 8, 0), "seed {seed}");
        let (silent_ms, _) = world.nodes[0].state.heard_of(&key(&world, 9), world.now).unwrap();
        assert!((75_000..165_000).contains(&silent_ms), "seed {seed}: {silent_ms} ms");
    });
}

#[test]
fn all_together_send_no_more_signs_of_life_than_their_number_allows() {
    let (roster, identities) = unit();
    let mut world = World::new(1005, &roster, identities, CALM);
    world.connect_all();
    world.pass(600_000);
    // Ten members, each every 30 seconds or up to a quarter later.
    assert!((155..=201).contains(&world.beacons), "{} in ten minutes", world.beacons);
}

//! What is missing of an author's messages is said once it has lasted, and that it has come.

use muster::engine::io::Notice;
use muster::engine::wire::encode_batch;
use muster_keys::Identity;
use muster_roles::Role;

use crate::world::World;
use crate::{CALM, group, play, unit};

/// Two soldiers of the army who part after the first of four messages; the last one gets through by gossip.
fn parted(seed: u64, heard_first: bool) -> (World, usize, usize) {
    let (roster, identities) = unit();
    let mut world = World::new(seed, &roster, identities, CALM);
    let army = group("army");
    let soldiers: Vec<usize> = (0..10).filter(|n| world.nodes[*n].role == Role::Soldier(army.clone())).collect();
    let (author, reader) = (soldiers[0], soldiers[1]);
    world.separate(|_, _| true);
    if heard_first {
        world.join(author, reader);
    }
    world.say(10, author, &army, "line 0");
    world.pass(5_000);
    world.separate(|_, _| true);
    (1..4).for_each(|line| world.say(line * 10, author, &army, &format!("line {line}")));
    world.pass(1_000);
    let newest = world.nodes[author].store.latest(&army, 1).unwrap();
    world.inject(1, reader, &army, encode_batch(&[newest[0].frame().bytes().clone()]));
    world.pass(5_000);
    assert!(holes(&world, reader).is_empty(), "seed {seed}: it may come in a moment");
    world.pass(10_000);
    (world, author, reader)
}

/// What a node has been told of holes: how many are missing, or how many have arrived as a negative number.
fn holes(world: &World, node: usize) -> Vec<i64> {
    let told = |notice: &Notice| match notice {
        Notice::Missing { count, .. } => Some(i64::try_from(*count).unwrap()),
        Notice::Arrived { count, .. } => Some(-i64::try_from(*count).unwrap()),
        _ => None,
    };
    world.nodes[node].notices.iter().filter_map(told).collect()
}

#[test]
fn messages_that_are_missing_are_told_and_so_is_their_arrival() {
    play(750..755, |seed| {
        let (mut world, author, reader) = parted(seed, true);
        assert_eq!(holes(&world, reader), [2], "seed {seed}");
        let identity = Identity::from_seed(&[u8::try_from(reader).unwrap() + 1; 32]);
        world.restart(reader, identity);
        world.pass(15_000);
        assert_eq!(holes(&world, reader), [2, 2], "seed {seed}: it is found in the store again");
        world.join(author, reader);
        world.pass(5_000);
        assert_eq!(holes(&world, reader), [2, 2, -2], "seed {seed}");
        assert!(holes(&world, author).is_empty());
    });
}

#[test]
fn a_newcomer_has_no_holes_for_everything_before() {
    play(760..765, |seed| {
        let (mut world, author, reader) = parted(seed, false);
        world.join(author, reader);
        world.pass(15_000);
        assert_eq!(world.nodes[reader].shown.len(), 4, "seed {seed}");
        assert!(holes(&world, reader).is_empty(), "seed {seed}");
    });
}

//! What is carried for others has a bound, and nobody pays for it twice.

use muster::engine::Boot;
use muster_roles::{GroupId, Role};

use crate::world::World;
use crate::{CALM, group, play, unit};

/// Some 50 records: everyone's talk is a multiple of it.
const QUOTA_BYTES: u64 = 20_000;

/// A world of nodes with little room.
fn world(seed: u64) -> World {
    let (roster, identities) = unit();
    let boot = Boot { quota_bytes: QUOTA_BYTES, ..Boot::default() };
    World::with_boot(seed, &roster, identities, CALM, &boot)
}

/// Bytes that a node carries for others.
fn carried(world: &World, node: usize) -> u64 {
    let node = &world.nodes[node];
    let groups: Vec<GroupId> = node.state.roster().groups().cloned().collect();
    groups.iter().filter(|group| !node.role.may_read(group)).map(|group| node.store.size(group)).sum()
}

/// The first node of this role.
fn of(world: &World, role: &Role) -> usize {
    (0..world.nodes.len()).find(|node| world.nodes[*node].role == *role).unwrap()
}

/// The army's soldier says so many things, a second apart.
fn talk(world: &mut World, lines: u64) -> usize {
    let army = group("army");
    let author = of(world, &Role::Soldier(army.clone()));
    (0..lines).for_each(|line| world.say(line * 1000, author, &army, &format!("line {line}")));
    author
}

#[test]
fn what_is_carried_stays_within_its_bound_and_what_is_read_is_kept() {
    play(700..703, |seed| {
        let mut world = world(seed);
        world.connect_all();
        talk(&mut world, 200);
        world.pass(400_000);
        let army = group("army");
        for node in 0..world.nodes.len() {
            if world.nodes[node].role.may_read(&army) {
                assert_eq!(world.nodes[node].shown.len(), 200, "seed {seed}, node {node}");
                assert!(world.nodes[node].store.size(&army) > QUOTA_BYTES, "the talk is more than the quota");
            } else {
                let held = carried(&world, node);
                assert!((QUOTA_BYTES / 2..=QUOTA_BYTES).contains(&held), "seed {seed}, node {node}: {held} bytes");
            }
        }
    });
}

#[test]
fn what_had_to_make_room_is_not_fetched_again() {
    play(710..713, |seed| {
        let mut world = world(seed);
        world.connect_all();
        talk(&mut world, 200);
        world.pass(400_000);
        let brought = world.brought.clone();
        let before = world.sync_bytes;
        world.pass(600_000);
        assert_eq!(world.brought, brought, "seed {seed}: nothing is asked for any more");
        // Ten nodes compare four groups some fifteen times each, with a second round trip where floors differ.
        let spent = world.sync_bytes - before;
        assert!(spent < 10 * 4 * 20 * 1024, "{spent} bytes are spent on being in step");
    });
}

#[test]
fn a_node_with_little_room_still_brings_the_newest_to_who_was_away() {
    play(720..723, |seed| {
        let mut world = world(seed);
        let army = group("army");
        let author = of(&world, &Role::Soldier(army.clone()));
        let reader = (author + 1..10).find(|node| world.nodes[*node].role.may_read(&army)).unwrap();
        let navy = of(&world, &Role::Soldier(group("navy")));
        world.separate(|_, _| true);
        world.join(author, navy);
        talk(&mut world, 200);
        world.pass(260_000);
        world.separate(|_, _| true);
        world.join(navy, reader);
        world.pass(60_000);
        let texts: Vec<String> = world.nodes[reader].shown.iter().map(|row| row.text().to_string()).collect();
        assert!(texts.contains(&"line 199".to_owned()) && texts.len() >= 20, "seed {seed}: {} came", texts.len());
        assert!(carried(&world, navy) <= QUOTA_BYTES);
        // Who has all of it is compared with over the rest alone, and brings the rest.
        world.separate(|_, _| true);
        world.join(author, reader);
        world.pass(60_000);
        assert_eq!(world.nodes[reader].seen(), 200, "seed {seed}");
    });
}

#[test]
fn a_bound_on_what_is_carried_outlives_a_start() {
    let (roster, identities) = unit();
    let floor = muster_roles::Timestamp::from_ms(crate::world::START.0 + 100_500);
    let boot = Boot { quota_bytes: QUOTA_BYTES, floor, ..Boot::default() };
    let mut world = World::with_boot(730, &roster, identities, CALM, &boot);
    world.connect_all();
    let author = talk(&mut world, 120);
    world.pass(300_000);
    let oldest = |node: usize| world.nodes[node].store.iter().map(|stored| stored.frame().header().time).min().unwrap();
    assert!(oldest(author) < floor);
    let carriers = (0..10).filter(|node| !world.nodes[*node].role.may_read(&group("army")));
    assert!(carriers.map(oldest).all(|oldest| oldest >= floor));
}

//! What is carried for others has a bound, and nobody pays for it twice.

use muster::engine::Boot;
use muster::engine::draft::Draft;
use muster::engine::floors::Floors;
use muster_keys::Identity;
use muster_roles::{GroupId, Precedence, Role};

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
    let boot = Boot { quota_bytes: QUOTA_BYTES, floors: Floors::at(floor), ..Boot::default() };
    let mut world = World::with_boot(730, &roster, identities, CALM, &boot);
    world.connect_all();
    let author = talk(&mut world, 120);
    world.pass(300_000);
    let oldest = |node: usize| world.nodes[node].store.iter().map(|stored| stored.frame().header().time).min().unwrap();
    assert!(oldest(author) < floor);
    let carriers = (0..10).filter(|node| !world.nodes[*node].role.may_read(&group("army")));
    assert!(carriers.map(oldest).all(|oldest| oldest >= floor));
}

/// The army's leader says so many things, a second apart: one in ten of each higher precedence, and the rest routine.
fn talk_of_all_precedences(world: &mut World, lines: u64) -> usize {
    let army = group("army");
    let leader = of(world, &Role::Leader(army.clone()));
    for line in 0..lines {
        let precedence = match line % 10 {
            2 => Precedence::Priority,
            4 => Precedence::Immediate,
            6 => Precedence::Flash,
            _ => Precedence::Routine,
        };
        let draft = Draft::text(format!("{precedence:?} {line}")).with_precedence(precedence);
        world.post(line * 1000, leader, &army, draft);
    }
    leader
}

/// Counts the messages to the army that a node has stored, by precedence.
fn stored(world: &World, node: usize) -> [usize; 4] {
    let all = world.nodes[node].store.all(&group("army"));
    let messages = || all.iter().map(|stored| stored.frame().header()).filter(|header| header.kind.is_message());
    Precedence::ALL.map(|of| messages().filter(|header| header.precedence == of).count())
}

#[test]
fn a_carrier_flooded_with_routine_still_brings_what_is_urgent_to_who_was_away() {
    play(740..743, |seed| {
        let mut world = world(seed);
        let army = group("army");
        let (author, reader) = (of(&world, &Role::Leader(army.clone())), of(&world, &Role::Soldier(army.clone())));
        let navy = of(&world, &Role::Soldier(group("navy")));
        world.separate(|_, _| true);
        world.join(author, navy);
        let urgent = [("contact", Precedence::Flash), ("under fire", Precedence::Immediate)];
        for (after_ms, (text, precedence)) in (0..).zip(urgent) {
            world.post(after_ms, author, &army, Draft::text(text).with_precedence(precedence));
        }
        (1..300).for_each(|line| world.say(line * 1000, author, &army, &format!("line {line}")));
        world.pass(360_000);
        assert!(carried(&world, navy) <= QUOTA_BYTES, "seed {seed}");
        let [routine, _, immediate, flash] = stored(&world, navy);
        assert!(routine < 100, "seed {seed}: {routine} of 300 are left");
        assert_eq!((immediate, flash), (1, 1), "seed {seed}: the oldest of all, and the most urgent");
        world.separate(|_, _| true);
        world.join(navy, reader);
        world.pass(60_000);
        let came = stored(&world, reader);
        assert_eq!(came, [routine, 0, 1, 1], "seed {seed}: all of what is carried came");
    });
}

#[test]
fn carriers_of_different_quotas_keep_the_most_urgent_and_come_to_rest() {
    play(750..753, |seed| {
        let mut world = world(seed);
        let leader = of(&world, &Role::Leader(group("army")));
        let (large, small) = (of(&world, &Role::Soldier(group("navy"))), of(&world, &Role::Soldier(group("airforce"))));
        world.separate(|_, _| true);
        // The large one has room for all that is urgent, the small one for half of it.
        world.nodes[small].quota_bytes = QUOTA_BYTES / 2;
        let identity = Identity::from_seed(&world.nodes[small].identity.seed());
        world.restart(small, identity);
        [(leader, large), (large, small), (small, leader)].into_iter().for_each(|(a, b)| world.join(a, b));
        talk_of_all_precedences(&mut world, 200);
        world.pass(400_000);
        assert_eq!(stored(&world, leader), [140, 20, 20, 20]);
        for (node, quota) in [(large, QUOTA_BYTES), (small, QUOTA_BYTES / 2)] {
            let held = carried(&world, node);
            assert!((quota / 2..=quota).contains(&held), "seed {seed}, node {node}: {held} bytes");
        }
        let [of_large, of_small] = [large, small].map(|node| stored(&world, node));
        assert_eq!(of_large[1..], [20; 3], "seed {seed}: routine has made room enough");
        assert_eq!(of_small[3], 20, "seed {seed}: {of_small:?}, the most urgent of all is there");
        assert!(of_small[1] <= 1 && of_small[2] > 10, "seed {seed}: {of_small:?}, what is less urgent has gone first");
        let (brought, before) = (world.brought.clone(), world.sync_bytes);
        world.pass(600_000);
        assert_eq!(world.brought, brought, "seed {seed}: nothing is asked for any more");
        let spent = world.sync_bytes - before;
        assert!(spent < 3 * 4 * 20 * 1024, "seed {seed}: {spent} bytes are spent on being in step");
    });
}

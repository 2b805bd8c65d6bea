//! Clocks that are wrong.

use muster::engine::io::Notice;
use muster::engine::store::RETENTION_MS;
use muster::engine::time::UnixMillis;
use muster_roles::{GroupId, Role};

use crate::world::{SKEW_ALLOWED_MS, START, World};
use crate::{CALM, chatter, group, play, unit};

const HOUR_MS: i64 = 3_600_000;

/// What shows at 1970 when it is [`START`].
const AT_1970: i64 = -1_800_000_000_000;

/// A mesh in which two nodes' clocks are wrong; everyone has three neighbours whose clocks are right.
fn skewed(seed: u64, first: i64, second: i64) -> (World, [usize; 2]) {
    let (roster, identities) = unit();
    let mut world = World::new(seed, &roster, identities, CALM);
    let wrong = [world.rng.usize(0..5), world.rng.usize(5..10)];
    world.nodes[wrong[0]].skew_ms = first;
    world.nodes[wrong[1]].skew_ms = second;
    let right: Vec<usize> = (0..10).filter(|node| !wrong.contains(node)).collect();
    for node in 0..10 {
        for other in right.iter().filter(|other| **other != node).take(3) {
            world.join(node, *other);
        }
    }
    world.connect_all();
    world.pass(1_000);
    (world, wrong)
}

#[test]
fn among_nodes_at_1970_and_two_hours_ahead_everyone_reads_everything_in_one_order_at_its_true_time() {
    play(700..720, |seed| {
        let (mut world, wrong) = skewed(seed, AT_1970, 2 * HOUR_MS);
        let groups: Vec<GroupId> = world.nodes[0].state.roster().groups().cloned().collect();
        let began_ms = world.now.0;
        let said = chatter(&mut world, &groups, 200);
        world.pass(30_000);
        let ended_ms = world.now.0;
        for (n, node) in world.nodes.iter().enumerate() {
            let due = said.iter().filter(|(_, to, _)| node.role.may_read(to)).count();
            assert_eq!(node.seen(), due, "seed {seed}, node {n}");
            let order = |node: usize| {
                let stored = |group| world.nodes[node].store.latest(group, 1000).unwrap();
                groups.iter().flat_map(stored).map(|stored| stored.frame().id()).collect::<Vec<_>>()
            };
            assert_eq!(order(n), order(0), "seed {seed}, node {n}");
            for row in &node.shown {
                let time_ms = row.time().ms();
                assert!(time_ms + SKEW_ALLOWED_MS >= began_ms, "seed {seed}: {} ms early", began_ms - time_ms);
                assert!(time_ms <= ended_ms + SKEW_ALLOWED_MS, "seed {seed}: {} ms late", time_ms - ended_ms);
            }
        }
        for (n, node) in world.nodes.iter().enumerate() {
            let warned = node.notices.iter().filter(|notice| matches!(notice, Notice::ClockOff { .. })).count();
            assert_eq!(warned, usize::from(wrong.contains(&n)), "seed {seed}, node {n}: {:?}", node.notices);
        }
    });
}

#[test]
fn stamps_are_true_to_a_minute_at_the_moment_of_each_message() {
    play(720..725, |seed| {
        let (mut world, wrong) = skewed(seed, AT_1970, 2 * HOUR_MS);
        for step in 0..20 {
            let author = wrong[step % 2];
            let Some(to) = world.nodes[author].role.home_group().cloned() else { continue };
            let shown = world.nodes[author].shown.len();
            let said_ms = world.now.0;
            world.say(0, author, &to, "now");
            world.pass(1_000);
            let row = &world.nodes[author].shown[shown];
            assert!(row.time().ms().abs_diff(said_ms) <= SKEW_ALLOWED_MS, "seed {seed}: {}", row.time().ms());
        }
    });
}

#[test]
fn what_was_said_alone_two_hours_ahead_does_not_carry_later_messages_along() {
    play(730..735, |seed| {
        let (roster, identities) = unit();
        let mut world = World::new(seed, &roster, identities, CALM);
        let army = group("army");
        let author = (0..10).find(|n| world.nodes[*n].role == Role::Soldier(army.clone())).unwrap();
        world.nodes[author].skew_ms = 2 * HOUR_MS;
        world.separate(|a, b| a == author || b == author);
        world.say(0, author, &army, "alone");
        world.pass(5_000);
        assert!(world.nodes[author].shown[0].time().ms() > START.0 + 7_000_000, "its own clock is all it has");
        let others: Vec<usize> = (0..10).filter(|n| *n != author).collect();
        for pair in others.windows(2) {
            world.join(pair[0], pair[1]);
        }
        for other in &others[..3] {
            world.join(author, *other);
        }
        world.pass(5_000);
        world.say(0, author, &army, "together");
        world.pass(65_000);
        let readers: Vec<usize> = others.into_iter().filter(|node| world.nodes[*node].role.may_read(&army)).collect();
        let texts = |world: &World, node: usize| {
            world.nodes[node].shown.iter().map(|row| row.text().to_string()).collect::<Vec<_>>()
        };
        for node in &readers {
            assert_eq!(texts(&world, *node), ["together"], "seed {seed}, node {node}");
        }
        // When its time has come, the early one is believed too.
        world.pass(7_400_000);
        for node in &readers {
            assert_eq!(texts(&world, *node), ["together", "alone"], "seed {seed}, node {node}");
        }
    });
}

#[test]
fn a_clock_that_jumps_years_ahead_costs_no_node_its_week() {
    let (roster, identities) = unit();
    let mut world = World::new(740, &roster, identities, CALM);
    let groups: Vec<GroupId> = roster.groups().cloned().collect();
    world.connect_all();
    let said = chatter(&mut world, &groups, 50);
    world.pass(200_000);
    let victim = 3;
    let held = world.nodes[victim].store.messages();
    assert_eq!(held, said.len());
    world.separate(|a, b| a == victim || b == victim);
    world.nodes[victim].skew_ms = 5 * 365 * 24 * HOUR_MS;
    world.pass(10_000);
    assert_eq!(world.nodes[victim].store.messages(), held, "alone, it keeps everything");
    world.join(victim, 4);
    world.join(victim, 5);
    world.pass(10_000);
    assert_eq!(world.nodes[victim].store.messages(), held, "corrected, it keeps the week");
    // And the week does end, once its clock and another's say so.
    world.now = UnixMillis(world.now.0 + RETENTION_MS);
    world.connect_all();
    world.pass(2_000);
    assert_eq!(world.nodes[victim].store.messages(), 0);
}

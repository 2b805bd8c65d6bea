//! Who got it: receipts, how far one's own messages have come, and orders.

use muster::engine::content::About;
use muster::engine::delivery::Progress;
use muster::engine::draft::Draft;
use muster::engine::io::Notice;
use muster::engine::matrix::{Matrix, Seen};
use muster::engine::order::REMIND_MS;
use muster::engine::wire::{Kind, RecordId};
use muster_keys::Identity;
use muster_roles::{GroupId, Precedence, Role, Roster, Timestamp};

use crate::forge::{self, Forged};
use crate::founding::{randomness, roster_of};
use crate::world::{START, World};
use crate::{CALM, group, play, unit};

/// The commander, the army's leader, and its two soldiers.
struct Army {
    chief: usize,
    leader: usize,
    soldiers: [usize; 2],
}

fn army_of(world: &World) -> Army {
    let army = group("army");
    let all = |role: &Role| (0..10).filter(|n| world.nodes[*n].role == *role).collect::<Vec<_>>();
    let soldiers = all(&Role::Soldier(army.clone()));
    Army { chief: all(&Role::Commander)[0], leader: all(&Role::Leader(army))[0], soldiers: [soldiers[0], soldiers[1]] }
}

fn leaders(world: &World) -> Vec<usize> {
    (0..10).filter(|n| matches!(world.nodes[*n].role, Role::Leader(_))).collect()
}

/// A mesh in which everyone is alone.
fn apart(seed: u64) -> (World, Army) {
    let (roster, identities) = unit();
    let mut world = World::new(seed, &roster, identities, CALM);
    world.minds_listeners = true;
    world.separate(|_, _| true);
    world.pass(1_000);
    let army = army_of(&world);
    (world, army)
}

fn restart(world: &mut World, node: usize) {
    world.restart(node, Identity::from_seed(&[u8::try_from(node).unwrap() + 1; 32]));
}

/// The newest message of a group at a node.
fn newest(world: &World, node: usize, of: &str) -> RecordId {
    world.nodes[node].store.latest(&group(of), 1).unwrap()[0].frame().id()
}

fn progress(world: &World, node: usize, of: &str, id: RecordId) -> Option<Progress> {
    world.nodes[node].state.progress(&group(of), &id)
}

/// Who has a message, as a node's store tells.
fn matrix(world: &World, node: usize, of: &str, id: RecordId) -> Vec<Seen> {
    let node = &world.nodes[node];
    let stored = node.store.all(&group(of));
    let message = stored.iter().find(|stored| stored.frame().id() == id).unwrap();
    let mut matrix = Matrix::of(id, message.frame().header(), node.state.roster());
    for stored in &stored {
        if let Ok(content) = node.state.reader().content(stored) {
            matrix.note(stored.frame().header(), &content);
        }
    }
    matrix.members
}

fn receipts(world: &World, node: usize) -> usize {
    let all = world.nodes[node].store.iter();
    all.filter(|stored| stored.frame().header().kind == Kind::Receipt).count()
}

#[test]
fn a_sender_that_was_away_learns_from_others_when_the_last_reader_got_it() {
    play(900..905, |seed| {
        let (mut world, Army { chief, leader, soldiers: [one, other] }) = apart(seed);
        world.join(one, leader);
        world.say(500, one, &group("army"), "who has this?");
        world.pass(10_000);
        let id = newest(&world, one, "army");
        // Its readers are the leader, the other soldier and the commander.
        assert_eq!(progress(&world, one, "army", id), Some(Progress::Delivered { to: 1, of: 3 }), "seed {seed}");
        world.separate(|_, _| true);
        world.join(leader, other);
        world.pass(10_000);
        let got = world.now.0;
        world.separate(|_, _| true);
        world.pass(30_000);
        restart(&mut world, one);
        world.join(leader, one);
        world.pass(10_000);
        assert_eq!(progress(&world, one, "army", id), Some(Progress::Delivered { to: 2, of: 3 }), "seed {seed}");
        let name =
            |node: usize| world.nodes[one].state.roster().member(&world.nodes[node].state.public()).unwrap().name;
        let seen = matrix(&world, one, "army", id);
        let of = |node: usize| seen.iter().find(|seen| seen.name == name(node)).unwrap();
        assert!(of(other).delivered.is_some_and(|at| got - at.ms() < 10_000), "seed {seed}: {seen:?}");
        assert!(of(leader).delivered.is_some_and(|at| at < of(other).delivered.unwrap()));
        assert_eq!((of(chief).delivered, seen.len()), (None, 3));
        world.join(one, chief);
        world.pass(10_000);
        assert_eq!(progress(&world, one, "army", id), Some(Progress::Delivered { to: 3, of: 3 }), "seed {seed}");
    });
}

#[test]
fn what_only_a_node_has_that_cannot_read_it_is_carried_by_it() {
    play(910..913, |seed| {
        let (mut world, Army { soldiers: [one, other], .. }) = apart(seed);
        let navy = (0..10).find(|n| world.nodes[*n].role == Role::Soldier(group("navy"))).unwrap();
        world.join(one, navy);
        world.say(500, one, &group("army"), "by way of the navy");
        world.pass(5_000);
        let id = newest(&world, one, "army");
        let by = vec![world.nodes[one].state.roster().member(&world.nodes[navy].state.public()).unwrap().name];
        assert_eq!(progress(&world, one, "army", id), Some(Progress::Carried { by }), "seed {seed}");
        world.join(navy, other);
        world.pass(10_000);
        assert_eq!(progress(&world, one, "army", id), Some(Progress::Delivered { to: 1, of: 3 }), "seed {seed}");
        assert_eq!(receipts(&world, navy), 1, "the navy carries receipts, and gives none");
    });
}

#[test]
fn receipts_are_no_messages_and_have_none_themselves() {
    play(920..923, |seed| {
        let (roster, identities) = unit();
        let mut world = World::new(seed, &roster, identities, CALM);
        world.connect_all();
        world.pass(1_000);
        let Army { soldiers: [one, _], .. } = army_of(&world);
        (0..5).for_each(|line| world.say(line * 40_000, one, &group("army"), &format!("line {line}")));
        world.pass(400_000);
        let id = newest(&world, one, "army");
        assert_eq!(progress(&world, one, "army", id), Some(Progress::Delivered { to: 3, of: 3 }), "seed {seed}");
        for (n, node) in world.nodes.iter().enumerate() {
            let due = if node.role.may_read(&group("army")) { 5 } else { 0 };
            assert_eq!(node.seen(), due, "seed {seed}, node {n}");
            assert!(
                node.notices.iter().all(|notice| !matches!(notice, Notice::Missing { .. })),
                "no holes by receipts"
            );
        }
        // Three readers, five messages far apart: no receipt is ever confirmed.
        assert!((3..=15).contains(&receipts(&world, one)), "seed {seed}: {}", receipts(&world, one));
    });
}

#[test]
fn an_order_is_answered_reminded_of_and_survives_restarts_of_all() {
    play(930..933, |seed| {
        let (roster, identities) = unit();
        let mut world = World::new(seed, &roster, identities, CALM);
        world.connect_all();
        world.pass(1_000);
        let (chief, leaders) = (army_of(&world).chief, leaders(&world));
        let heads = GroupId::heads();
        world.post(1, chief, &heads, Draft::order("hold the bridge"));
        world.pass(3_000);
        let id = newest(&world, chief, "heads");
        for leader in &leaders {
            assert!(world.nodes[*leader].orders[0].is_mine_to_answer, "seed {seed}");
        }
        world.post(1, leaders[0], &heads, Draft::acknowledgement(id, "on it"));
        world.post(1, leaders[1], &heads, Draft::cannot(id, "the road is cut"));
        world.pass(3_000);
        let stands = |world: &World, node: usize| {
            let order = world.nodes[node].state.orders().next().unwrap();
            let answers: Vec<(bool, String)> =
                order.answers.iter().map(|answer| (answer.is_able, answer.text.to_string())).collect();
            (answers, order.missing.len(), order.is_open())
        };
        let two = vec![(true, "on it".to_owned()), (false, "the road is cut".to_owned())];
        let mut found = stands(&world, chief);
        found.0.sort_by_key(|(is_able, _)| !is_able);
        assert_eq!(found, (two, 1, true), "seed {seed}");
        assert!(!stands(&world, leaders[0]).2, "who has answered is done");
        assert!(stands(&world, leaders[2]).2);
        let reminders = |world: &World, node: usize| {
            let of_orders =
                |notice: &&Notice| matches!(notice, Notice::OrderWaits { .. } | Notice::OrderUnanswered { .. });
            world.nodes[node].notices.iter().filter(of_orders).count()
        };
        world.pass(REMIND_MS - 60_000);
        assert_eq!(reminders(&world, chief) + reminders(&world, leaders[2]), 0, "seed {seed}");
        world.pass(120_000);
        let counts = [chief, leaders[0], leaders[1], leaders[2]].map(|node| reminders(&world, node));
        assert_eq!(counts, [1, 0, 0, 1], "seed {seed}");
        world.separate(|_, _| true);
        (0..10).for_each(|node| restart(&mut world, node));
        world.pass(2_000);
        assert_eq!((stands(&world, chief).1, stands(&world, leaders[2]).2), (1, true), "seed {seed}: after a restart");
        assert!(!stands(&world, leaders[0]).2);
        for leader in &leaders {
            world.join(chief, *leader);
        }
        world.post(500, leaders[2], &heads, Draft::acknowledgement(id, ""));
        world.pass(10_000);
        assert_eq!((stands(&world, chief).1, stands(&world, chief).2), (0, false), "seed {seed}: all have answered");
    });
}

#[test]
fn who_may_not_order_or_flash_is_refused_here_and_the_forgery_is_by_everyone() {
    let (roster, identities) = unit();
    let soldier = roster.members().into_iter().find(|member| matches!(member.role, Role::Soldier(_))).unwrap();
    let forger = identities.iter().find(|identity| identity.public() == soldier.key).unwrap();
    let troop = soldier.role.troop().unwrap().clone();
    let at = (0..10).find(|n| identities[*n].public() == soldier.key).unwrap();
    let mut forged = Vec::new();
    for (kind, precedence) in [(1, 0), (0, 3), (2, 3)] {
        let time = Timestamp::from_ms(START.0);
        let seq = 1 + forged.len() as u64;
        let forgery = Forged {
            roster: &roster,
            signer: forger,
            author: forger,
            group: troop.clone(),
            time,
            seq,
            kind,
            precedence,
        };
        forged.push(forgery.message());
    }
    let (_, same) = unit();
    let mut world = World::new(1, &roster, same, CALM);
    world.post(1, at, &troop, Draft::order("at ease"));
    world.post(2, at, &troop, Draft::text("fire").with_precedence(Precedence::Flash));
    world.run();
    assert_eq!(world.nodes[at].refused, 2);
    for message in forged {
        (0..10).for_each(|node| world.inject(1, node, &troop, message.clone()));
    }
    world.run();
    for node in 0..10 {
        assert_eq!(world.verdicts.get(&(node, "reject")), Some(&3), "node {node}");
        assert_eq!(world.nodes[node].store.iter().count(), 0);
    }
}

/// Receipts and answers in the army's group by a soldier of the navy: in the name of one of the army, and in its own.
fn forgeries(roster: &Roster, identities: &[Identity]) -> Vec<Vec<u8>> {
    let of = |role: Role| identities.iter().find(|one| roster.member(&one.public()).unwrap().role == role).unwrap();
    let (navy, army) = (of(Role::Soldier(group("navy"))), of(Role::Soldier(group("army"))));
    let who = [(navy, army), (navy, navy)];
    let kinds = [2, 3].into_iter().flat_map(|kind| who.map(|(signer, author)| (kind, signer, author)));
    let forge = |(seq, (kind, signer, author))| {
        let (group, time) = (group("army"), Timestamp::from_ms(START.0));
        Forged { roster, signer, author, group, time, seq, kind, precedence: 0 }.record()
    };
    (1..).zip(kinds).map(forge).collect()
}

#[test]
fn a_receipt_or_an_answer_in_anothers_name_or_another_troops_group_is_rejected_by_everyone() {
    let (roster, identities) = unit();
    let forged = forgeries(&roster, &identities);
    let mut world = World::new(2, &roster, identities, CALM);
    for record in &forged {
        (0..10).for_each(|node| world.inject(1, node, &group("army"), forge::message(record)));
    }
    world.run();
    for node in 0..10 {
        assert_eq!(world.verdicts.get(&(node, "reject")), Some(&4), "node {node}");
        assert_eq!(world.nodes[node].store.iter().count(), 0);
    }
}

#[test]
fn nobody_takes_such_a_receipt_or_answer_from_a_session_either() {
    let (roster, identities) = unit();
    for (number, record) in forgeries(&roster, &identities).into_iter().enumerate() {
        let (mut world, Army { leader, soldiers: [one, liar], .. }) = apart(950 + number as u64);
        world.join(one, liar);
        world.say(500, one, &group("army"), "what the others will ask for");
        // So long that nobody tells on by gossip what comes.
        world.pass(60_000);
        assert_eq!(world.nodes[liar].store.all(&group("army")).len(), 2, "the message, and the liar's own receipt");
        world.separate(|_, _| true);
        world.lies.insert(liar, vec![record]);
        let others: Vec<usize> = (0..10).filter(|node| ![one, liar].contains(node)).collect();
        others.iter().for_each(|other| world.join(liar, *other));
        world.pass(60_000);
        for node in &others {
            assert!(world.brought[*node] > 0, "forgery {number}: node {node} was given it");
            assert_eq!(world.nodes[*node].store.iter().count(), 0, "forgery {number}: node {node} keeps it");
        }
        // And from one that tells the truth they get what there is.
        world.lies.clear();
        others.iter().for_each(|other| world.join(one, *other));
        world.pass(60_000);
        assert!(others.iter().all(|node| world.nodes[*node].store.all(&group("army")).len() > 1));
        assert_eq!(world.nodes[leader].seen(), 1, "forgery {number}");
    }
}

#[test]
fn the_commander_answers_and_confirms_in_a_troops_group_and_posts_nothing_there() {
    let (roster, identities) = unit();
    let mut world = World::new(3, &roster, identities, CALM);
    world.connect_all();
    world.pass(1_000);
    let Army { chief, leader, .. } = army_of(&world);
    world.post(1, leader, &group("army"), Draft::order("move out"));
    world.pass(5_000);
    let id = newest(&world, leader, "army");
    let order = world.nodes[chief].state.orders().next().unwrap();
    assert!(!order.is_mine_to_answer && order.missing.len() == 2, "nobody gives the commander orders");
    world.post(1, chief, &group("army"), Draft::acknowledgement(id, "good"));
    world.say(1, chief, &group("army"), "but no more");
    world.pass(5_000);
    assert_eq!(world.nodes[chief].refused, 1);
    assert_eq!(world.nodes[leader].state.orders().next().unwrap().answers.len(), 1);
    let answer = world.nodes[leader].shown.iter().find(|row| row.kind() == Kind::Answer).unwrap();
    assert_eq!(answer.about(), Some(About::Acknowledged(id)));
    assert_eq!(progress(&world, leader, "army", id), Some(Progress::Delivered { to: 3, of: 3 }));
}

#[test]
fn how_far_a_member_has_read_is_told_unless_it_is_discreet() {
    let (roster, identities) = unit();
    let mut world = World::new(4, &roster, identities, CALM);
    world.connect_all();
    world.pass(1_000);
    let Army { leader, soldiers: [one, other], .. } = army_of(&world);
    world.say(1, one, &group("army"), "read this");
    world.pass(3_000);
    let id = newest(&world, one, "army");
    let upto = world.nodes[other].shown[0].time();
    world.read(other, &group("army"), upto);
    world.pass(10_000);
    let read = matrix(&world, one, "army", id);
    let name = |node: usize| roster.member(&world.nodes[node].state.public()).unwrap().name;
    let of = |node: usize| read.iter().find(|seen| seen.name == name(node)).unwrap();
    assert!(of(other).read.is_some() && of(other).delivered.is_some(), "{read:?}");
    assert!(of(leader).read.is_none() && of(leader).delivered.is_some(), "{read:?}");
}

/// The commander and nine members of the army: ten who read its group.
fn army_of_ten() -> (std::sync::Arc<muster_roles::Roster>, Vec<Identity>) {
    let identities: Vec<Identity> = (0..10).map(|n| Identity::from_seed(&[n + 101; 32])).collect();
    let soldiers = std::iter::repeat_n(Role::Soldier(group("army")), 8);
    let roles = std::iter::once(Role::Leader(group("army"))).chain(soldiers);
    (roster_of(&identities, &[("army", 'r')], "Army", roles, &mut randomness(0)), identities)
}

/// Bytes that gossip takes where ten read a group and one message a second is posted to it for ten minutes, by so many in
/// turn; each is counted once, as all travel the same ways.
fn gossip_bytes(speakers: usize, with_receipts: bool) -> u64 {
    const TEXT: &str = "Patrol two has passed the bridge. All is quiet, there is nothing to report from here.";
    let (roster, identities) = army_of_ten();
    let mut world = World::new(77, &roster, identities, CALM);
    world.answers_counts = with_receipts;
    world.connect_all();
    world.pass(5_000);
    let before = world.gossip_bytes;
    for second in 0..600 {
        let speaker = 1 + usize::try_from(second).unwrap() % speakers;
        world.say(second * 1000, speaker, &group("army"), TEXT);
    }
    world.pass(600_000);
    world.gossip_bytes - before
}

#[test]
fn receipts_cost_a_group_of_ten_at_a_message_a_second_less_than_15_percent() {
    for speakers in [1, 3, 9] {
        let (without, with) = (gossip_bytes(speakers, false), gossip_bytes(speakers, true));
        eprintln!(
            "{speakers} speakers: {without} bytes without receipts, {with} with, {}%",
            100 * (with - without) / without
        );
        assert!(with > without, "receipts are given");
        assert!(with * 100 < without * 115, "{speakers} speakers: {without} bytes become {with}");
    }
}

#[test]
fn a_flash_message_overtakes_a_long_synchronisation() {
    play(940..943, |seed| {
        let (mut world, Army { leader, soldiers: [_, other], .. }) = apart(seed);
        (0..3000).for_each(|line| world.say(line * 20, leader, &group("army"), &format!("line {line}")));
        world.pass(70_000);
        world.join(leader, other);
        world.pass(300);
        let held = world.nodes[other].store.iter().count();
        world.post(1, leader, &group("army"), Draft::text("contact").with_precedence(Precedence::Flash));
        let said = world.now.0;
        let mut shown = None;
        while shown.is_none() && world.now.0 < said + 5_000 {
            world.pass(50);
            let is_flash = |row: &&muster::engine::view::Row| row.precedence() == Precedence::Flash;
            shown = world.nodes[other].shown.iter().find(is_flash).map(|_| world.now.0 - said);
        }
        assert!(held < 3000, "seed {seed}: the session was over");
        assert!(shown.is_some_and(|after| after <= 500), "seed {seed}: {shown:?} ms");
    });
}

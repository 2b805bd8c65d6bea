//! The roster is changed on two islands that meet again.

use muster::engine::change::Change;
use muster::engine::io::Notice;
use muster_keys::Identity;
use muster_roles::{Edit, Role};

use crate::world::World;
use crate::{CALM, group, play, unit};

fn all_of(world: &World, role: &Role) -> Vec<usize> {
    (0..10).filter(|node| world.nodes[*node].role == *role).collect()
}

fn texts(world: &World, node: usize) -> Vec<String> {
    world.nodes[node].shown.iter().map(|row| row.text().to_string()).collect()
}

fn admit(world: &mut World, by: usize, name: &str, seed: u8) {
    let key = Identity::from_seed(&[seed; 32]).public();
    world.change(by, Change::Make(Edit::Add { name: name.parse().unwrap(), role: Role::Soldier(group("army")), key }));
}

#[test]
fn a_removal_by_the_commander_holds_and_what_a_leader_s_island_said_under_its_own_keys_stays_readable() {
    play(830..835, |seed| {
        let (roster, identities) = unit();
        let mut world = World::new(seed, &roster, identities, CALM);
        world.tells_rosters = true;
        world.connect_all();
        let army = group("army");
        let (chief, leader) = (all_of(&world, &Role::Commander)[0], all_of(&world, &Role::Leader(army.clone()))[0]);
        let soldiers = all_of(&world, &Role::Soldier(army.clone()));
        let (stays, gone) = (soldiers[0], soldiers[1]);
        world.pass(3_000);
        let island = [leader, stays, gone];
        world.separate(|a, b| island.contains(&a) != island.contains(&b));
        island.windows(2).for_each(|pair| world.join(pair[0], pair[1]));
        let mainland: Vec<usize> = (0..10).filter(|node| !island.contains(node)).collect();
        mainland.windows(2).for_each(|pair| world.join(pair[0], pair[1]));
        let name = world.nodes[chief].state.roster().member(&world.nodes[gone].state.public()).unwrap().name;
        world.change(chief, Change::Make(Edit::Remove { name: name.to_string() }));
        world.pass(2_000);
        world.change(leader, Change::Make(Edit::Rekey));
        admit(&mut world, leader, "Army98", 98);
        admit(&mut world, leader, "Army99", 99);
        world.pass(2_000);
        world.say(1, leader, &army, "on our island");
        world.pass(3_000);
        assert!(texts(&world, stays).contains(&"on our island".to_owned()), "seed {seed}");
        assert!(!texts(&world, chief).contains(&"on our island".to_owned()), "seed {seed}");

        world.join(leader, chief);
        world.pass(20_000);
        world.say(1, leader, &army, "together again");
        world.pass(5_000);
        let digest = world.nodes[chief].state.roster().digest();
        for node in [chief, leader, stays] {
            let roster = world.nodes[node].state.roster();
            assert_eq!(roster.digest(), digest, "seed {seed}, node {node}");
            for out in [name.as_str(), "Army98", "Army99"] {
                assert!(roster.find(out).is_none(), "{out}, seed {seed}, node {node}");
            }
            // Both epochs have one number: what is stored opens with the one key or the other.
            for text in ["on our island", "together again"] {
                let stored = world.nodes[node].store.latest(&army, 10).unwrap();
                let opened = stored.iter().filter_map(|stored| world.nodes[node].state.row(stored).ok());
                assert!(
                    opened.into_iter().any(|row| row.text().to_string() == text),
                    "{text}, seed {seed}, node {node}"
                );
            }
        }
        assert!(!texts(&world, gone).contains(&"together again".to_owned()), "seed {seed}");
        let notices = world.nodes[leader].notices.iter();
        let lost: Vec<String> = notices
            .filter_map(|notice| if let Notice::Clash(clash) = notice { Some(clash.to_string()) } else { None })
            .collect();
        for admitted in ["Army98, admitted by", "Army99, admitted by"] {
            assert!(lost.iter().any(|lost| lost.contains(admitted)), "{lost:?}, seed {seed}");
        }
    });
}

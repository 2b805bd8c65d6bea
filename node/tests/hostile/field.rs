//! The field of every attack: three nodes of the army that talk, as processes on loopback, and members of the navy that mean harm.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use libp2p::Multiaddr;
use muster::home::Home;
use muster_keys::{Identity, KeyFile};
use muster_roles::{GroupId, Roster, Timestamp};

use crate::unit::{Node, Rank, Unit};

/// Members that mean harm; strangers need not be admitted.
pub(crate) const HOSTILE: usize = 3;

/// A unit under attack. The node that is attacked is a leader's, which has the most to do: it lets devices in too.
pub(crate) struct Field {
    _unit: Unit,
    /// Who speaks.
    pub(crate) speaker: Node,
    /// Who is attacked and listens.
    pub(crate) attacked: Node,
    /// A third, by whom the honest are a mesh.
    _third: Node,
    /// What an attacker knows.
    pub(crate) target: Arc<Target>,
}

/// What an attacker knows, and the keys that it has.
pub(crate) struct Target {
    pub(crate) address: Multiaddr,
    pub(crate) roster: Roster,
    /// The roster after a change that no node has heard of.
    pub(crate) newer: Roster,
    /// Role keys of members that mean harm, soldiers of the navy.
    pub(crate) members: Vec<Identity>,
    pub(crate) home: PathBuf,
}

impl Field {
    /// Makes everything ready: three that see one another, and nothing said yet.
    pub(crate) fn ready() -> Self {
        let unit = Unit::found();
        unit.admit("Lead", Rank::Leader("army"));
        unit.admit("Army1", Rank::Soldier("army"));
        unit.admit("Army2", Rank::Soldier("army"));
        let hostile: Vec<String> = (1..=HOSTILE).map(|nth| format!("Navy{nth}")).collect();
        hostile.iter().for_each(|name| drop(unit.admit(name, Rank::Soldier("navy"))));
        // Everybody holds the newest roster from the start.
        let newest = unit.home(hostile.last().unwrap()).join("roster.cbor");
        for name in ["Lead", "Army1", "Army2"] {
            std::fs::copy(&newest, unit.home(name).join("roster.cbor")).unwrap();
        }
        let members = hostile.iter().map(|name| role_key(&Home::new(unit.home(name)))).collect();
        let roster = roster_at(newest);
        let mut attacked = unit.start("Lead", &[]);
        let address = attacked.address();
        let mut speaker = unit.start("Army1", &[&address]);
        let mut third = unit.start("Army2", &[&address]);
        for node in [&mut attacked, &mut speaker, &mut third] {
            node.expect_in_reach(2);
        }
        let newer = roster_at(unit.admit("Navy9", Rank::Soldier("navy")).join("roster.cbor"));
        let home = unit.home("Lead");
        let target = Target { address: address.parse().unwrap(), roster, newer, members, home };
        Self { _unit: unit, speaker, attacked, _third: third, target: Arc::new(target) }
    }
}

/// Reads the roster in a file.
pub(crate) fn roster_at(path: PathBuf) -> Roster {
    Roster::decode(&std::fs::read(path).unwrap(), Timestamp::from_ms(now_ms())).unwrap()
}

/// Returns a role key without a passphrase.
fn role_key(home: &Home) -> Identity {
    match muster_keys::load(&home.role_key_path()).unwrap() {
        KeyFile::Open { identity, .. } => identity,
        KeyFile::Locked(_) => panic!("the key has no passphrase"),
    }
}

/// Returns the key of somebody whom no roster knows.
pub(crate) fn stranger(nth: usize) -> Identity {
    let mut seed = [0xee; 32];
    seed[..8].copy_from_slice(&nth.to_le_bytes());
    Identity::from_seed(&seed)
}

pub(crate) fn navy() -> GroupId {
    "navy".parse().unwrap()
}

pub(crate) fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64
}

//! What a change costs in a unit of 1,000 members: the time to sign it, and what a returning node must fetch for it.
//!
//! `cargo bench -p muster-roles --bench large_unit` prints both, for the default three troops and for one.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

use std::collections::BTreeSet;
use std::time::Instant;

use muster_keys::Identity;
use muster_roles::{Edit, GroupId, Role, Roster, Timestamp, TroopDef, draft, found};

/// How many people the unit has.
const MEMBERS: u32 = 1_000;

/// What may be fetched for one change, in bytes.
const LIMIT: usize = 100 * 1024;

fn identity(number: u32) -> Identity {
    let mut seed = [7; 32];
    seed.iter_mut().zip(number.to_be_bytes()).for_each(|(to, from)| *to = from);
    Identity::from_seed(&seed)
}

fn at(minute: u64) -> Timestamp {
    Timestamp::from_ms(1_795_000_000_000 + minute * 60_000)
}

fn take(roster: &mut Roster, documents: impl IntoIterator<Item = Vec<u8>>, minute: u64) {
    for document in documents {
        roster.accept(&document, at(minute)).unwrap();
    }
}

/// The chief, a leader a troop, and soldiers in equal number.
fn unit(troops: &[&str]) -> Roster {
    let troops: Vec<TroopDef> = troops.iter().map(|troop| troop.parse().unwrap()).collect();
    let chief = identity(0);
    let name = "1st Brigade".parse().unwrap();
    let documents = found(&name, &"Chief".parse().unwrap(), &chief, &troops, at(0)).unwrap();
    let mut roster = Roster::from_documents(documents.iter().map(Vec::as_slice), at(0)).unwrap();
    for number in 1..MEMBERS {
        let index = usize::try_from(number).unwrap() - 1;
        let troop = troops.get(index % troops.len()).unwrap().id.clone();
        let role = if index < troops.len() { Role::Leader(troop) } else { Role::Soldier(troop) };
        let edit =
            Edit::Add { name: format!("Soldier{number}").parse().unwrap(), role, key: identity(number).public() };
        let change = draft(&roster, &chief, &edit, at(0)).unwrap();
        take(&mut roster, change.documents().map(<[u8]>::to_vec), 0);
    }
    assert_eq!(roster.members().len(), usize::try_from(MEMBERS).unwrap());
    roster
}

/// Makes one change, and tells what it took here and takes a node that was away.
fn measure(what: &str, roster: &Roster, edit: &Edit) {
    let start = Instant::now();
    let change = draft(roster, &identity(0), edit, at(5)).unwrap();
    let mut after = roster.clone();
    take(&mut after, change.documents().map(<[u8]>::to_vec), 5);
    let file = after.encode();
    let took = start.elapsed();
    let have: BTreeSet<_> = roster.documents().map(|(id, _)| id).collect();
    let missing: usize = after.missing_from(&have).iter().map(|document| document.len()).sum();
    let verdict = if missing <= LIMIT { "within" } else { "OVER" };
    println!(
        "  {what:<22} {:>6.1} ms   {:>6.1} KiB to fetch, {verdict} {} KiB   roster.cbor {:>6.1} KiB",
        took.as_secs_f64() * 1_000.0,
        missing as f64 / 1_024.0,
        LIMIT / 1_024,
        file.len() as f64 / 1_024.0,
    );
}

fn main() {
    for troops in [&["navy:n", "airforce:a", "army:r"][..], &["army:r"]] {
        let roster = unit(troops);
        println!("{MEMBERS} members in {} troop(s):", troops.len());
        let army: GroupId = "army".parse().unwrap();
        let new =
            Edit::Add { name: "New".parse().unwrap(), role: Role::Soldier(army), key: identity(MEMBERS).public() };
        let soldier = format!("Soldier{}", MEMBERS - 1);
        measure("member add", &roster, &new);
        measure("member remove", &roster, &Edit::Remove { name: soldier });
        measure("member remove, leader", &roster, &Edit::Remove { name: "Soldier1".into() });
        measure("rekey of everything", &roster, &Edit::Rekey);
    }
}

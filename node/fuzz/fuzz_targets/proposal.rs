//! A change that several must sign, as a file from another device: shown, checked and merged before anybody signs it.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use muster_fuzz::{ground, now};
use muster_roles::{Proposal, Roster};

static ROSTER: LazyLock<Roster> = LazyLock::new(ground::roster);

fuzz_target!(|bytes: &[u8]| {
    let Ok(mut proposal) = Proposal::decode(bytes) else { return };
    assert_eq!(proposal.encode(), bytes);
    drop(proposal.check(&ROSTER, now()));
    drop(format!("{:?} {:?}", proposal.changes(&ROSTER), proposal.missing(&ROSTER)));
    let same = proposal.clone();
    proposal.merge(&same).expect("it is the same proposal");
    assert_eq!(proposal.signers(), same.signers());
    let is_signed = proposal.sign(&ROSTER, &ground::identity("Chief"), now()).is_ok();
    let again = Proposal::decode(&proposal.encode()).expect("what was made here reads");
    assert_eq!(again.signers().len(), same.signers().len() + usize::from(is_signed));
});

//! Several keys that speak for a unit together, and what they sign.

use std::fs;

use crate::ground::Ground;

/// A brigade whose chief and two deputies, leaders both, have homes; two of the three must sign.
fn council() -> Ground {
    let ground = Ground::with_unit();
    for (name, troop) in [("Army1", "army"), ("Navy1", "navy")] {
        let home = name.to_lowercase();
        ground.muster(&format!("--home chief member add {name} --role leader --troop {troop} --out {home}")).done();
    }
    ground.muster("--home chief member add Army2 --role soldier --troop army --out army2").done();
    let told = ground.muster("--home chief authority set --threshold 2 Chief Army1 Navy1").done();
    assert!(told.starts_with("Nothing is changed yet: 1 more signature of the new authority is needed, of "), "{told}");
    assert!(told.ends_with("there: muster roster sign authority.proposal\n"), "{told}");
    share_roster(&ground, "chief", &["army1", "navy1", "army2"]);
    let signed = ground.muster("--home army1 roster sign authority.proposal --yes").done();
    assert!(signed.contains("until now 1 of Chief\n"), "{signed}");
    assert!(signed.contains("That is enough: the change is in force here"), "{signed}");
    share_roster(&ground, "army1", &["chief", "navy1", "army2"]);
    fs::remove_file(ground.path("authority.proposal")).unwrap();
    ground
}

/// Brings homes up to date as the mesh would.
fn share_roster(ground: &Ground, from: &str, to: &[&str]) {
    for home in to {
        fs::copy(ground.path(from).join("roster.cbor"), ground.path(home).join("roster.cbor")).unwrap();
    }
}

#[test]
fn two_deputies_replace_a_lost_commander() {
    let ground = council();
    let shown = ground.muster("--home navy1 authority show").done();
    assert!(shown.starts_with("2 of 3 must sign\n"), "{shown}");
    assert!(shown.contains("commander") && shown.contains("leader of navy"), "{shown}");

    // The chief's device is lost; the two others put Navy1 in its place.
    ground.muster("--home army1 authority set --threshold 2 Army1 Navy1 Army2 --commander Navy1").done();
    let signed = ground.muster("--home navy1 roster sign authority.proposal --yes").done();
    for line in
        ["goes       Chief, commander", "becomes    Navy1, leader of navy: Navy1, commander", "signed by  Army1"]
    {
        assert!(signed.contains(line), "{signed}");
    }
    assert!(!signed.contains("BEWARE"), "{signed}");
    let members = ground.muster("--home navy1 member list").done();
    assert!(members.contains("Navy1  commander") && !members.contains("Chief"), "{members}");

    // With its old roster the lost device changes nothing of it any more, and with the new one it is nobody.
    let alone = ground.muster("--home chief member remove Army2").done();
    assert!(alone.starts_with("Nothing is changed yet: 1 more signature is needed"), "{alone}");
    share_roster(&ground, "navy1", &["chief", "army1"]);
    let nobody = ground.muster("--home chief rekey").refused(1);
    assert!(nobody.contains("is not the key of a member of Brigade"), "{nobody}");

    // The new commander and a deputy go on.
    let told = ground.muster("--home navy1 member remove Army2 --proposal out.proposal").done();
    assert!(told.contains("of Army1 or Army2") || told.contains("of Army2 or Army1"), "{told}");
    ground.muster("--home army1 roster sign out.proposal --yes").done();
    assert!(!ground.muster("--home army1 member list").done().contains("Army2"));
}

#[test]
fn a_leader_needs_nobody_for_its_own_troop() {
    let ground = council();
    ground.muster("--home army1 member add Army3 --role soldier --troop army --out army3").done();
    let told = ground.muster("--home army1 member add Navy2 --role soldier --troop navy --out navy2").done();
    assert!(told.contains("there: muster roster sign add-Navy2.proposal\n"), "{told}");
    assert!(told.contains("copy roster.cbor from the home where it was signed last into navy2"), "{told}");
    assert!(ground.path("navy2/role.key").exists());
    assert!(!ground.muster("--home army1 member list").done().contains("Navy2"));
    share_roster(&ground, "army1", &["chief"]);
    ground.muster("--home chief roster sign add-Navy2.proposal --yes").done();
    share_roster(&ground, "chief", &["navy2"]);
    assert!(ground.muster("--home navy2 roster show").done().contains("Navy2"));
}

#[test]
fn copies_signed_apart_are_joined() {
    let ground = council();
    ground.muster("--home chief authority set --threshold 3 Chief Army1 Navy1").done();
    fs::copy(ground.path("authority.proposal"), ground.path("copy.proposal")).unwrap();
    let one = ground.muster("--home army1 roster sign authority.proposal --yes").done();
    assert!(one.contains("Signed authority.proposal; 1 more signature"), "{one}");
    let both = ground.muster("--home navy1 roster sign copy.proposal authority.proposal --yes").done();
    assert!(both.contains("That is enough"), "{both}");
    assert!(ground.muster("--home navy1 authority show --json").done().starts_with(r#"{"threshold":3,"keys":[{"#));
    let again = ground.muster("--home navy1 roster sign copy.proposal --yes").refused(1);
    assert_eq!(again, "error: it is in force already\n");
}

#[test]
fn a_proposal_that_does_not_fit_is_refused_with_what_to_do() {
    let ground = council();
    ground.muster("--home chief rekey").done();
    let stranger = ground.muster("--home army2 roster sign rekey.proposal --yes");
    assert_eq!(stranger.code, 1);
    assert!(stranger.err.contains("none of the authority's\nhint: see whose signatures count"), "{}", stranger.err);
    let again = ground.muster("--home chief roster sign rekey.proposal --yes");
    assert!(again.err.starts_with("error: this role key has signed it already\nhint: "), "{}", again.err);
    let unasked = ground.muster("--home navy1 roster sign rekey.proposal");
    assert_eq!(unasked.code, 1);
    assert!(unasked.err.contains("give --yes"), "{}", unasked.err);
    assert!(unasked.out.contains("new keys   heads, navy, airforce, army"), "{}", unasked.out);

    let exists = ground.muster("--home chief rekey").refused(1);
    assert!(exists.contains("exists already") && exists.contains("--proposal FILE"), "{exists}");

    ground.muster("--home army1 rekey").done();
    let outdated = ground.muster("--home army1 roster sign rekey.proposal --yes").refused(1);
    assert!(outdated.starts_with("error: the roster has changed since it was made: army has version "), "{outdated}");

    fs::write(ground.path("junk.proposal"), "junk").unwrap();
    let junk = ground.muster("--home army1 roster sign junk.proposal").refused(1);
    assert!(junk.starts_with("error: junk.proposal is refused\n  because: not a proposal\n"), "{junk}");
    let missing = ground.muster("--home army1 roster sign nowhere.proposal").refused(1);
    assert!(missing.starts_with("error: cannot read nowhere.proposal\n"), "{missing}");
}

#[test]
fn a_key_that_is_no_member_s_signs_too() {
    let ground = Ground::with_unit();
    ground.ssh_keygen(&["-q", "-t", "ed25519", "-N", "", "-f", "safe.key"]);
    fs::rename(ground.path("safe.key.pub"), ground.path("safe.pub")).unwrap();
    ground.muster("--home chief authority set --threshold 1 Chief safe.pub").done();
    assert!(ground.muster("--home chief authority show").done().contains("no member"));
    ground.muster("--home chief member add Army1 --role leader --troop army --out army1").done();
    let set = "authority set --threshold 2 Chief safe.pub";
    ground.muster(&format!("--home chief {set}")).done();
    let signed = ground.muster("--home chief --key safe.key roster sign authority.proposal --yes").done();
    assert!(signed.contains("This key is no member's"), "{signed}");
    assert!(ground.muster("--home chief authority show").done().starts_with("2 of 2 must sign\n"));
}

#[test]
fn keys_that_make_no_authority_are_refused() {
    let ground = Ground::with_unit();
    for (words, expected) in [
        ("--threshold 3 Chief", "its threshold is out of reach"),
        ("--threshold 1 Chief", "this is the authority and the commander already"),
        ("--threshold 1 Chief Nobody", "is no member, no file and no public key"),
        ("--threshold 1 Chief --commander Nobody", "there is no member \"Nobody\" in this unit"),
    ] {
        let refused = ground.muster(&format!("--home chief authority set {words}")).refused(1);
        assert!(refused.contains(expected), "{refused}");
    }
}

#[test]
fn the_removal_of_one_who_speaks_for_the_unit_says_so() {
    let ground = Ground::with_unit();
    ground.muster("--home chief member add Army1 --role leader --troop army --out army1").done();
    ground.muster("--home chief authority set --threshold 1 Chief Army1").done();
    let told = ground.muster("--home chief member remove Army1").done();
    assert!(told.contains("Its key still speaks for the unit"), "{told}");
}

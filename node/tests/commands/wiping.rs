//! Destroying a home.

use std::fs;

use crate::ground::Ground;

#[test]
fn a_wiped_home_is_gone() {
    let ground = Ground::with_unit();
    ground.muster("--home chief member add Army1 --role leader --troop army --out army1").done();
    fs::write(ground.path("army1/muster.log"), "told").unwrap();
    let unasked = ground.muster("--home army1 wipe").refused(1);
    assert!(unasked.contains("no terminal to confirm at\nhint: give --yes"), "{unasked}");
    assert!(ground.path("army1/role.key").exists());
    assert_eq!(ground.muster("--home army1 wipe --yes").done(), "army1 is wiped.\n");
    assert!(!ground.path("army1").exists());
    assert!(ground.path("chief/role.key").exists());
    ground.muster("--home army1 wipe --yes").refused(1);
}

#[test]
fn what_is_not_of_a_home_is_left_and_named() {
    let ground = Ground::with_unit();
    fs::write(ground.path("chief/photo.jpg"), "a photo").unwrap();
    assert_eq!(
        ground.muster("--home chief wipe --yes").done(),
        "chief is wiped but for what is not of muster: photo.jpg\n"
    );
    let left: Vec<_> = fs::read_dir(ground.path("chief")).unwrap().collect();
    assert_eq!(left.len(), 1);
}

#[test]
fn a_folder_that_is_no_home_is_refused() {
    let ground = Ground::new();
    fs::create_dir(ground.path("photos")).unwrap();
    fs::write(ground.path("photos/one.jpg"), "a photo").unwrap();
    for dir in ["photos", "nowhere", "photos/one.jpg"] {
        let refused = ground.muster(&format!("--home {dir} wipe --yes")).refused(1);
        assert!(refused.starts_with(&format!("error: {dir} is not the home of a member\n")), "{refused}");
    }
    assert_eq!(fs::read(ground.path("photos/one.jpg")).unwrap(), b"a photo");
    assert_eq!(fs::read_dir(ground.path("photos")).unwrap().count(), 1, "not even a lock is left");
}

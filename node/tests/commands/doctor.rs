//! The doctor on homes that something is wrong with; it asks no network here.

use std::fs;
use std::net::TcpListener;

use serde_json::Value;

use crate::ground::Ground;

/// What the doctor says of a home, with further flags of `start`.
fn told(ground: &Ground, home: &str, flags: &str) -> Vec<Value> {
    let ran = ground.muster(&format!("--home {home} doctor --json -- --no-mdns {flags}"));
    assert!(ran.code == 0 || ran.code == 1, "{}", ran.err);
    ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The problems that a check found, with their advice.
fn problems(told: &[Value], check: &str) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let found = told.iter().filter(|found| found["check"] == check && found["level"] == "problem");
    found.map(|found| (text(&found["what"]), text(&found["advice"]))).collect()
}

#[test]
fn a_sound_home_is_told_with_its_member() {
    let ground = Ground::with_unit();
    let told = told(&ground, "chief", "");
    assert_eq!(told[0]["what"], "chief is Chief, commander of Brigade");
    assert_eq!((problems(&told, "home"), problems(&told, "listen")), (vec![], vec![]));
    assert!(!ground.path("chief/muster.redb").exists(), "it changes nothing");
}

#[test]
fn an_open_key_a_damaged_roster_and_wrong_settings_are_told_with_what_to_do() {
    use std::os::unix::fs::PermissionsExt;

    let ground = Ground::with_unit();
    fs::set_permissions(ground.path("chief/role.key"), fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(ground.path("chief/muster.toml"), "carry = 'some'\nmdns = 1\n").unwrap();
    let found = problems(&told(&ground, "chief", ""), "home");
    let [(key, close), (settings, _)] = found.as_slice() else { panic!("{found:?}") };
    assert!(key.contains("mode 0644") && close.contains("chmod 600"), "{key} {close}");
    assert!(settings.contains("2 mistakes") && settings.contains("line 2: `mdns` is a number"), "{settings}");
    fs::write(ground.path("chief/roster.cbor"), "damaged").unwrap();
    let found = problems(&told(&ground, "chief", ""), "home");
    assert!(found[0].0.starts_with("chief/roster.cbor is refused"), "{found:?}");
    let nowhere = problems(&told(&ground, "nowhere", ""), "home");
    assert!(nowhere[0].0.starts_with("no unit in nowhere"), "{nowhere:?}");
    assert!(!ground.path("nowhere").exists());
}

#[test]
fn a_damaged_store_is_told() {
    let ground = Ground::with_unit();
    fs::write(ground.path("chief/muster.redb"), "no store at all").unwrap();
    let found = problems(&told(&ground, "chief", ""), "home");
    assert!(found[0].0.contains("muster.redb"), "{found:?}");
}

#[test]
fn a_port_in_use_and_a_dialled_node_that_is_not_there_are_told() {
    let ground = Ground::with_unit();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let flags = format!("--listen /ip4/127.0.0.1/tcp/{port} --dial /ip4/127.0.0.1/tcp/{port}");
    let found = told(&ground, "chief", &flags);
    let expected = format!("the port of /ip4/127.0.0.1/tcp/{port} is in use by another program");
    assert_eq!(problems(&found, "listen")[0].0, expected);
    assert!(problems(&found, "dial").is_empty(), "somebody takes connections there");
    drop(taken);
    let found = told(&ground, "chief", &flags);
    assert_eq!(problems(&found, "listen"), []);
    assert_eq!(problems(&found, "dial")[0].0, format!("nobody listens at /ip4/127.0.0.1/tcp/{port}"));
}

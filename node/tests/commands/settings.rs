//! `muster.toml`, the environment and flags, one over the other.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::ground::{Ground, Ran};

fn with_file(text: &str) -> Ground {
    let ground = Ground::with_unit();
    fs::write(ground.path("chief/muster.toml"), text).unwrap();
    ground
}

/// What `config show --json` says of a key.
fn shown(ran: Ran, key: &str) -> Value {
    let out = ran.done();
    let settings: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    settings.into_iter().find(|setting| setting["key"] == key).unwrap_or_else(|| panic!("no {key} in {out}"))
}

#[test]
fn a_flag_goes_before_the_environment_before_the_file_before_what_is_built_in() {
    let ground = with_file("carry = \"own\"\n");
    let show = |words: &str, env: &[(&str, &str)]| {
        let mut command = ground.command(&format!("--home chief config show --json {words}"));
        shown(Ran::from(command.envs(env.iter().copied()).output().unwrap()), "carry")
    };
    let env = [("MUSTER_CARRY", "all")];
    assert_eq!(show("", &[]), serde_json::json!({"key": "carry", "value": "own", "from": "file", "line": 1}));
    assert_eq!(
        show("", &env),
        serde_json::json!({"key": "carry", "value": "all", "from": "environment", "name": "MUSTER_CARRY"})
    );
    assert_eq!(
        show("-- --carry own", &env),
        serde_json::json!({"key": "carry", "value": "own", "from": "flag", "name": "--carry"})
    );
    fs::remove_file(ground.path("chief/muster.toml")).unwrap();
    assert_eq!(show("", &[]), serde_json::json!({"key": "carry", "value": "all", "from": "default"}));
}

#[test]
fn what_the_file_switches_on_or_off_a_variable_and_a_flag_switch_back() {
    let ground = with_file("mdns = false\nplain = true\n");
    let show = |key: &str, words: &str, env: &[(&str, &str)]| {
        let mut command = ground.command(&format!("--home chief config show --json {words}"));
        shown(Ran::from(command.envs(env.iter().copied()).output().unwrap()), key)["value"].clone()
    };
    assert_eq!(show("mdns", "", &[]), false);
    assert_eq!(show("mdns", "", &[("MUSTER_NO_MDNS", "0")]), true);
    assert_eq!(show("mdns", "-- --no-mdns=false", &[]), true);
    assert_eq!(show("plain", "", &[]), true);
    assert_eq!(show("plain", "-- --plain=no", &[]), false);
    assert_eq!(show("plain", "-- --plain", &[("MUSTER_PLAIN", "false")]), true);
}

#[test]
fn lists_and_the_settings_of_every_command_come_from_the_file_too() {
    let ground = with_file(
        "log-level = \"debug\"\nlisten = [\n  '/ip4/127.0.0.1/tcp/4001',\n  '/ip4/127.0.0.1/udp/4001/quic-v1',\n]\ndial = '/ip4/127.0.0.1/tcp/4002'\n",
    );
    let out = ground.muster("--home chief config show").done();
    for line in [
        "log-level        debug                                                     muster.toml, line 1",
        "listen           /ip4/127.0.0.1/tcp/4001, /ip4/127.0.0.1/udp/4001/quic-v1  muster.toml, line 2",
        "dial             /ip4/127.0.0.1/tcp/4002                                   muster.toml, line 6",
        "mdns             true                                                      built in",
        "File: chief/muster.toml",
    ] {
        assert!(out.lines().any(|shown| shown == line), "{line:?} is missing:\n{out}");
    }
    let level = shown(ground.muster("--home chief --log-level warn config show --json"), "log-level");
    assert_eq!((&level["value"], &level["name"]), (&"warn".into(), &"--log-level".into()));
}

#[test]
fn every_mistake_is_told_at_once_with_its_line() {
    let ground = with_file(
        "lisen = []\nno-mdns = true\nlog_level = \"debug\"\ncarry = \"everything\"\nplain = \"yes\"\n\
         listen = ['nowhere', 5]\ndial = [\n  '/ip4/127.0.0.1/tcp/1',\n  'elsewhere',\n]\n\
         home = '.'\nheadless = \nwhatever = 1\n[start]\nmdns = true\n",
    );
    let expected = "error: chief/muster.toml has 12 mistakes
  because: line 1: unknown key \"lisen\": did you mean `listen`?
  because: line 2: unknown key \"no-mdns\": did you mean `mdns`?
  because: line 3: unknown key \"log_level\": did you mean `log-level`?
  because: line 4: `carry` cannot be \"everything\": expected all or own
  because: line 5: `plain` is \"yes\": expected true or false, without quotes
  because: line 6: `listen` cannot be \"nowhere\": invalid multiaddr
  because: line 6: `listen` holds a number: expected texts in quotes
";
    for words in ["--home chief config show", "--home chief start --headless", "--home chief member list"] {
        let told = ground.muster(words).refused(2);
        assert!(told.starts_with(expected), "{told}");
        for line in [
            "  because: line 9: `dial` cannot be \"elsewhere\": ",
            "  because: line 11: unknown key \"home\": that can be given as a flag only",
            "  because: line 12: ",
            "  because: line 13: unknown key \"whatever\": expected one of ",
            "  because: line 14: unknown section \"start\": every key stands at the top level",
        ] {
            assert!(told.contains(line), "{line:?} is missing:\n{told}");
        }
    }
}

#[test]
fn a_file_that_cannot_be_one_is_refused_and_the_demo_does_not_mind() {
    let ground = with_file(&"#".repeat(100_000));
    let told = ground.muster("--home chief member list").refused(2);
    let expected = "error: cannot read chief/muster.toml\n  because: longer than 65536 bytes";
    assert!(told.starts_with(expected), "{told}");
    fs::remove_file(ground.path("chief/muster.toml")).unwrap();
    let pipe = std::process::Command::new("mkfifo").arg(ground.path("chief/muster.toml")).status();
    assert!(pipe.expect("mkfifo is needed for this test").success());
    let told = ground.muster("--home chief member list").refused(2);
    assert!(told.contains("because: not a regular file"), "{told}");
    ground.muster("--home chief demo --help").done();
}

#[test]
fn a_path_in_the_file_counts_from_the_home() {
    let ground = with_file("passphrase-file = 'secret/passphrase'\n");
    ground.ssh_keygen(&["-q", "-p", "-P", "", "-N", "correct horse", "-f", "chief/role.key"]);
    fs::create_dir(ground.path("chief/secret")).unwrap();
    fs::write(ground.path("chief/secret/passphrase"), "correct horse\n").unwrap();
    let rekeyed = ground.muster("--home chief rekey").done();
    assert!(rekeyed.contains("heads: epoch 2"), "{rekeyed}");
}

#[test]
fn each_flag_of_start_has_its_key_and_its_place_in_the_documentation() {
    let ground = Ground::with_unit();
    let help = ground.muster("start --help").done();
    let out = ground.muster("--home chief config show --json").done();
    let keys: Vec<String> = out
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["key"].as_str().unwrap().to_owned())
        .collect();
    let docs = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/settings.md")).unwrap();
    let flags: Vec<&str> = help
        .lines()
        .filter_map(|line| line.trim_start().trim_start_matches("-h, ").strip_prefix("--"))
        .filter_map(|line| line.split([' ', '[']).next())
        .filter(|flag| *flag != "help")
        .collect();
    assert!(flags.len() > 8, "{help}");
    for flag in flags {
        let variable = format!("MUSTER_{}", flag.replace('-', "_").to_uppercase()).replace("_LOG_LEVEL", "_LOG");
        assert!(help.contains(&format!("[env: {variable}=]")), "{variable} is missing:\n{help}");
        let key = flag.strip_prefix("no-").unwrap_or(flag);
        assert_eq!(keys.iter().any(|known| known == key), flag != "home", "{key} of {keys:?}");
        let row = match flag {
            "home" => format!("| – | `--{flag}` | `{variable}` |"),
            _ => format!("| `{key}` | `--{flag}` | `{variable}` |"),
        };
        assert!(docs.contains(&row), "{row:?} is missing in docs/settings.md");
    }
}

//! A corpus of sound input for every target, so that a fuzzer need not find the forms by itself.

use std::error::Error;
use std::fs;
use std::path::Path;

use crate::control::{Manner, Request};
use crate::records::{START_MS, Unit, group, identity};
use muster::engine::bundle::BundleWriter;
use muster::engine::floors::Floors;
use muster::engine::hello;
use muster::engine::sync::{Frame, SyncId};
use muster::engine::wire::encode_batch;
use muster_roles::{Edit, JoinNonce, Joining, Timestamp, propose};

/// A file of settings with a value of each kind.
const CONFIG: &str =
    "# a car\nlisten = [\"/ip4/0.0.0.0/tcp/4001\"]\nmdns = false\ncarry = 'own'\nlog = \"\"\"debug\"\"\"\n";

/// Writes a folder of seeds for each target into `folder`.
///
/// # Errors
/// When a file cannot be written.
pub fn write(folder: &Path) -> Result<(), Box<dyn Error>> {
    let mut unit = Unit::found();
    let records = unit.army_talk(5);
    let bytes: Vec<_> = records.iter().map(|record| record.frame().bytes().clone()).collect();
    let seed = |target: &str, name: &str, content: &[u8]| -> std::io::Result<()> {
        fs::create_dir_all(folder.join(target))?;
        fs::write(folder.join(target).join(name), content)
    };

    for (number, record) in bytes.iter().enumerate() {
        seed("record", &format!("record-{number}"), record)?;
    }
    let message = encode_batch(&bytes);
    seed("gossip", "five", &message)?;
    seed("gossip", "one", &encode_batch(&bytes[..1]))?;

    for (number, (_, document)) in unit.roster.documents().enumerate() {
        seed("document", &format!("document-{number}"), document)?;
    }
    seed("roster", "unit", &unit.roster.encode())?;

    let fetch = hello::fetch(&unit.roster);
    seed("hello", "fetch", &fetch.encode())?;
    let answer = hello::answer_fetch(&unit.roster, &identity("Army1").public(), &[].into());
    seed("hello", "documents", &answer.encode())?;
    seed("hello", "refused", &hello::Response::Refused.encode())?;
    let nonce = JoinNonce::from_bytes([7; 32]);
    let commitment = Joining::new(identity("Army4").public(), nonce).commitment();
    seed("hello", "join", &hello::Request::Join { name: "Army4".parse()?, commitment }.encode())?;
    seed("hello", "reveal", &hello::Request::Reveal { nonce }.encode())?;
    seed("hello", "waiting", &hello::Response::Waiting { unit: unit.roster.unit(), nonce }.encode())?;

    let names: Vec<SyncId> =
        records.iter().map(|record| SyncId::new(record.frame().header().time, &record.frame().id())).collect();
    let (army, to) = (group("army"), Timestamp::from_ms(START_MS));
    let from = Floors::at(to);
    let frames = [
        ("compare", Frame::Compare { group: army.clone(), from, to, round: vec![0x61, 0, 0, 0] }),
        ("compared", Frame::Compared { group: army.clone(), round: vec![0x61] }),
        ("since", Frame::Since { group: army.clone(), from }),
        ("want", Frame::Want { group: army.clone(), names }),
        (
            "records",
            Frame::Records { group: army, records: bytes.iter().map(|record| record.to_vec()).collect(), last: true },
        ),
        ("behind", Frame::Behind),
    ];
    for (name, frame) in &frames {
        seed("sync_frame", name, &frame.encode())?;
    }

    let key = folder.join("key_file").join("ed25519");
    fs::create_dir_all(folder.join("key_file"))?;
    if !key.exists() {
        muster_keys::create(&key, &identity("Army3"), "Army3", None)?;
    }
    seed("key_file", "public", identity("Army3").public().to_openssh("Army3").as_bytes())?;

    let mut written = Vec::new();
    let mut bundle = BundleWriter::new(&mut written, unit.roster.unit())?;
    for (_, document) in unit.roster.documents() {
        bundle.document(document)?;
    }
    for record in &bytes {
        bundle.record(record)?;
    }
    bundle.finish()?;
    seed("bundle", "whole", &written)?;
    seed("proof", "whole", &written)?;

    for (name, edit) in [("rekey", Edit::Rekey), ("removed", Edit::Remove { name: "Army3".to_owned() })] {
        let proposal = propose(&unit.roster, &identity("Chief"), &edit, Timestamp::from_ms(START_MS))?;
        seed("proposal", name, &proposal.encode())?;
    }
    seed("config", "settings", CONFIG.as_bytes())?;
    seed("config", "slips", b"dial = [\"/ip4/127.0.0.1/tcp/1\", 2]\nno-mdns = maybe\n[section]\nkey = 1\n")?;
    let army = group("army");
    let post = Request::Post { group: army.clone(), text: "a word".to_owned(), manner: Manner::default(), wait_ms: 5 };
    for (name, request) in [("post", post), ("export", Request::Export { group: army }), ("status", Request::Status)] {
        seed("request", name, &serde_json::to_vec(&request)?)?;
    }

    let told = [(0, message), (2, vec![0; 2]), (3, frames[0].1.encode()), (4, bytes[0].to_vec())];
    let script: Vec<u8> = told.iter().flat_map(|(way, message)| step(*way, message)).collect();
    seed("engine", "gossip-then-sync", &script)?;
    Ok(())
}

/// A message as the target `engine` cuts them: by which way, how long, what.
fn step(way: u8, message: &[u8]) -> Vec<u8> {
    let len = u16::try_from(message.len()).unwrap_or(u16::MAX);
    [&[way][..], &len.to_le_bytes(), message].concat()
}

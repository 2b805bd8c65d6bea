//! Builds that are broken on purpose, to see that the simulation notices: each forgets one thing that the node promises.
//!
//! What is broken is the simulation's own part, which stands for the driver and for the signing of changes; nothing of
//! this is in the program.

use std::collections::BTreeMap;
use std::sync::Arc;

use muster::disk::writer::Job;
use muster::engine::change::Change;
use muster::engine::policy::{Permitted, permit_record};
use muster::engine::verify::Verified;
use muster_keys::Identity;
use muster_roles::{
    Edit, EditError, GroupId, Role, Roster, Timestamp, TroopDef, add_member, draft_with, due_rekey_with, found,
};
use serde_bytes::{ByteArray, Bytes};
use serde_cbor::Value;

use crate::world::{START, World};

/// What a build does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breakage {
    /// It says that a message is stored before the commit.
    AcknowledgesUnstored,
    /// It stores what synchronisation brings without asking whether its author was permitted to write it.
    BelievesSessions,
    /// It goes on with the old group keys when a member is removed.
    KeepsEpochs,
}

impl World {
    /// Makes and signs the documents of a change, as the driver does.
    pub fn sign(
        &mut self,
        node: usize,
        change: Change,
        roster: &Arc<Roster>,
        now: Timestamp,
    ) -> Result<Vec<Vec<u8>>, EditError> {
        let signer = &self.nodes[node].identity;
        match change {
            Change::Make(edit) => {
                let proposal = draft_with(roster, signer, &edit, now, &mut self.randomness)?;
                let documents = proposal.documents();
                let keeps_epochs = self.breakage == Some(Breakage::KeepsEpochs) && matches!(edit, Edit::Remove { .. });
                Ok(if keeps_epochs {
                    documents.map(|document| with_old_keys(document, roster, signer)).collect()
                } else {
                    documents.map(<[u8]>::to_vec).collect()
                })
            }
            Change::RekeyDue => {
                due_rekey_with(roster, signer, now, &mut self.randomness).map(Option::unwrap_or_default)
            }
            Change::Adopt(documents) => Ok(documents),
        }
    }

    /// A session has brought authentic records.
    pub fn on_verified(&mut self, node: usize, records: &[Verified]) {
        if self.breakage != Some(Breakage::BelievesSessions) {
            return;
        }
        let roster = self.nodes[node].state.roster().clone();
        let denied = records.iter().filter(|record| permit_record(&roster, record.frame().header()).is_err());
        let believed: Vec<Permitted> = denied.map(|record| permit_anyway(record.clone(), self.now.0)).collect();
        if !believed.is_empty() {
            self.ask(node, Job::Append(believed));
        }
    }
}

/// Permits a soldier's record for `heads`, by a roster made up for it in which the author is a leader.
pub fn permit_anyway(record: Verified, received_ms: u64) -> Permitted {
    let issued = Timestamp::from_ms(START.0 - 1000);
    let chief = Identity::from_seed(&[255; 32]);
    let troop: GroupId = "army".parse().unwrap();
    let troops = [TroopDef { id: troop.clone(), letter: 'r' }];
    let (unit, name) = ("Made up".parse().unwrap(), "Chief".parse().unwrap());
    let documents = found(&unit, &name, &chief, &troops, issued).unwrap();
    let mut roster = Roster::from_documents(documents.iter().map(Vec::as_slice), issued).unwrap();
    let author = record.frame().header().author;
    let role = Role::Leader(troop);
    for document in add_member(&roster, &chief, "Anybody".parse().unwrap(), role, author, issued).unwrap() {
        roster.accept(&document, issued).unwrap();
    }
    Permitted::judge(record, &roster, received_ms).expect("a leader may write to heads")
}

/// The same document with the keys of the one before, signed anew.
fn with_old_keys(document: &[u8], roster: &Roster, signer: &Identity) -> Vec<u8> {
    let (kind, mut fields) = open(document);
    let group = fields.get(&text("group")).cloned();
    let older = roster.documents().map(|(_, bytes)| open(bytes));
    let older = older.filter(|(other, text_of)| *other == kind && text_of.get(&text("group")).cloned() == group);
    let version = |fields: &BTreeMap<Value, Value>| match fields.get(&text("version")) {
        Some(Value::Integer(version)) => *version,
        _ => 0,
    };
    let before = older.max_by_key(|(_, fields)| version(fields)).expect("it replaces one").1;
    fields.insert(text("keyring"), before[&text("keyring")].clone());
    let payload = serde_cbor::to_vec(&BTreeMap::from([(kind.clone(), Value::Map(fields))])).unwrap();
    let domain = if kind == text("sheet") { "muster sheet 1" } else { "muster charter 1" };
    let signature = signer.sign(&[domain.as_bytes(), &payload].concat());
    let signed = (ByteArray::new(*signer.public().as_bytes()), ByteArray::new(*signature.as_bytes()));
    serde_cbor::to_vec(&(1, Bytes::new(&payload), [signed])).unwrap()
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

/// What kind of document it is, and its fields.
fn open(document: &[u8]) -> (Value, BTreeMap<Value, Value>) {
    let (_, payload, _): (u64, serde_bytes::ByteBuf, Value) = serde_cbor::from_slice(document).unwrap();
    let payload: BTreeMap<Value, Value> = serde_cbor::from_slice(&payload).unwrap();
    match payload.into_iter().next() {
        Some((kind, Value::Map(fields))) => (kind, fields),
        other => panic!("a document of {other:?}"),
    }
}

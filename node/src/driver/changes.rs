//! Changes of the roster that screens and programs ask for, and who waits for their answers.

use std::collections::BTreeMap;
use std::sync::Arc;

use muster_keys::PublicKey;
use muster_roles::{Edit, EditError, GroupId, MemberName, NewAuthority, Roster, Timestamp};

use super::posts::give;
use super::{Done, Driver, RunError, signing, wall_clock};
use crate::control::{self, Answer, Changed, JoinRequest, Refusal, RefusalKind, Reply};
use crate::engine::change::{Change, ChangeError, MAX_CHANGES};
use crate::engine::io::{Input, RequestId};
use crate::engine::join;

/// Documents in one change: a charter and a sheet for each troop are far fewer.
const MAX_ADOPTED: usize = 1024;

/// The changes whose answers are owed.
#[derive(Debug, Default)]
pub(super) struct Changes {
    last: u64,
    /// As many as the engine takes, and the one that is being signed.
    owed: BTreeMap<RequestId, Reply<Answer>>,
}

impl Changes {
    fn ask(&mut self, reply: Reply<Answer>) -> Result<RequestId, Reply<Answer>> {
        if self.owed.len() > MAX_CHANGES {
            return Err(reply);
        }
        self.last = self.last.wrapping_add(1);
        let request = RequestId(self.last);
        self.owed.insert(request, reply);
        Ok(request)
    }

    fn settle(&mut self, request: RequestId, outcome: Result<Answer, Refusal>) {
        if let Some(reply) = self.owed.remove(&request) {
            give(reply, outcome);
        }
    }

    /// A change could not be made.
    pub(super) fn refused(&mut self, request: RequestId, reason: &ChangeError) {
        self.settle(request, Err(reason.into()));
    }

    /// Answers all that are owed: the node ends.
    pub(super) fn end(self) {
        self.owed.into_values().for_each(|reply| give(reply, Err(Refusal::ending())));
    }
}

impl From<&ChangeError> for Refusal {
    fn from(error: &ChangeError) -> Self {
        let kind = match error {
            ChangeError::Busy => RefusalKind::Busy,
            ChangeError::Refused(_) => RefusalKind::Failed,
            ChangeError::Edit(error) => match error {
                EditError::UnknownTroop { .. } | EditError::UnknownMember { .. } => RefusalKind::Unknown,
                EditError::Random(_) | EditError::Seal { .. } => RefusalKind::Failed,
                _ => RefusalKind::Denied,
            },
        };
        Self { kind, error: error.to_string(), hint: error.hint() }
    }
}

impl Driver {
    /// Has the roster changed; the answer is given once the change is in force here, on disk and on its way.
    pub(super) async fn change(&mut self, change: control::Change, reply: Reply<Answer>) -> Result<(), RunError> {
        let change = match change {
            control::Change::Dismiss { name, words } => return self.dismiss(&name, words.as_deref(), reply).await,
            change => self.understand(change),
        };
        match change {
            Err(refusal) => give(reply, Err(refusal)),
            Ok(change) => match self.changes.ask(reply) {
                Ok(request) => self.feed(Input::Change { request, change }).await?,
                Err(reply) => give(reply, Err((&ChangeError::Busy).into())),
            },
        }
        Ok(())
    }

    fn understand(&mut self, change: control::Change) -> Result<Change, Refusal> {
        Ok(match change {
            control::Change::Add { name, role, key } => Change::Make(Edit::Add { name, role, key: public_key(&key)? }),
            control::Change::Admit { name, role, words } => {
                let key = self.asking(&name, words.as_deref())?.key;
                Change::Make(Edit::Add { name, role, key })
            }
            control::Change::Remove { name } => Change::Make(Edit::Remove { name }),
            control::Change::Rekey => Change::Make(Edit::Rekey),
            control::Change::Authority { threshold, keys } => {
                let keys = keys.iter().map(|key| public_key(key)).collect::<Result<_, _>>()?;
                Change::Make(Edit::Authority(NewAuthority { keys, threshold, commander: None }))
            }
            control::Change::Adopt { documents } => Change::Adopt(adopted(&documents)?),
            control::Change::Dismiss { .. } => {
                return Err(Refusal::new(RefusalKind::Failed, "a device is dismissed another way"));
            }
        })
    }

    async fn dismiss(&mut self, name: &MemberName, words: Option<&str>, reply: Reply<Answer>) -> Result<(), RunError> {
        match self.asking(name, words) {
            Ok(request) => {
                self.feed(Input::Dismiss(request.key)).await?;
                let roster = self.state.roster();
                let (version, members) = (roster.version(), roster.members().len());
                give(reply, Ok(Answer::Changed(Changed { version, members, rekeyed: Vec::new(), told: 0 })));
            }
            Err(refusal) => give(reply, Err(refusal)),
        }
        Ok(())
    }

    /// The one device that asks to join under this name; its words are needed where several do.
    fn asking(&mut self, name: &MemberName, words: Option<&str>) -> Result<join::JoinRequest, Refusal> {
        let typed = |request: &join::JoinRequest| words.is_none_or(|words| request.words.starts_with(words.trim()));
        let requests = self.state.join_requests(wall_clock()).into_iter();
        let mut named = requests.filter(|request| request.name.as_str().eq_ignore_ascii_case(name.as_str()));
        let (one, more) = (named.find(typed), named.any(|request| typed(&request)));
        match (one, more) {
            (Some(request), false) => Ok(request),
            (Some(_), true) => {
                Err(Refusal::new(RefusalKind::Invalid, format!("more than one device asks to join as {name}"))
                    .with_hint("say which by adding the words that its own screen shows"))
            }
            (None, _) => Err(Refusal::new(RefusalKind::Unknown, format!("no device asks to join as {name}"))
                .with_hint("`:requests` lists those that do; on the new device: muster join NAME")),
        }
    }

    /// The devices that ask to join.
    pub(super) fn join_requests(&mut self) -> Vec<JoinRequest> {
        self.state.join_requests(wall_clock()).into_iter().map(JoinRequest::from).collect()
    }

    /// Signs beside the loop.
    pub(super) fn sign(&mut self, change: Change, roster: Arc<Roster>, now: Timestamp) {
        let signer = Arc::clone(&self.signer);
        self.work
            .spawn_blocking(move || Done::Engine(Some(Input::Signed(signing::sign(change, &roster, &signer, now)))));
    }

    /// A change is in force.
    pub(super) fn changed(&mut self, request: RequestId, before: &Roster, roster: &Roster) {
        let epoch = |roster: &Roster, group: &GroupId| roster.versions_for(group).epoch;
        let changed = Changed {
            version: roster.version(),
            members: roster.members().len(),
            rekeyed: roster.groups().filter(|group| epoch(before, group) != epoch(roster, group)).cloned().collect(),
            told: self.reach.len(),
        };
        self.changes.settle(request, Ok(Answer::Changed(changed)));
    }
}

fn public_key(line: &str) -> Result<PublicKey, Refusal> {
    let read = PublicKey::from_openssh(line.trim());
    read.map(|(key, _)| key).map_err(|error| Refusal::new(RefusalKind::Invalid, error))
}

fn adopted(documents: &[String]) -> Result<Vec<Vec<u8>>, Refusal> {
    let invalid = || Refusal::new(RefusalKind::Invalid, "expected documents in hexadecimal digits");
    if documents.len() > MAX_ADOPTED {
        return Err(invalid());
    }
    documents.iter().map(|document| bytes_of(document).ok_or_else(invalid)).collect()
}

/// Reads hexadecimal digits, two a byte.
fn bytes_of(digits: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    let byte = |pair: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    if rest.is_empty() && digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        pairs.iter().map(byte).collect()
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_read_from_hexadecimal_digits_only() {
        assert_eq!(bytes_of("00ff10"), Some(vec![0, 255, 16]));
        for wrong in ["0", "+1", "0g", "é1"] {
            assert_eq!(bytes_of(wrong), None, "{wrong}");
        }
    }
}

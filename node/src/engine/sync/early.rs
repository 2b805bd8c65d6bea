//! Comparisons that are asked for before a group's stored records have been counted in.
//!
//! Answered from what is there so far, the other side would take this for all there is, and look again only by and by.

use std::collections::BTreeMap;

use muster_roles::GroupId;

use super::SessionId;
use super::frame::Frame;

/// The last question of each session about each group that is not counted in: a node is in few sessions and groups.
#[derive(Debug, Default)]
pub(super) struct Early {
    questions: BTreeMap<(SessionId, GroupId), Frame>,
}

impl Early {
    /// Keeps a question until the group is counted in.
    pub(super) fn keep(&mut self, id: SessionId, group: GroupId, question: Frame) {
        self.questions.insert((id, group), question);
    }

    /// Forgets the questions of a session that has ended.
    pub(super) fn forget(&mut self, id: SessionId) {
        self.questions.retain(|(session, _), _| *session != id);
    }

    /// Takes out the questions about groups that can be spoken of now.
    pub(super) fn take(&mut self, is_ready: impl Fn(&GroupId) -> bool) -> Vec<(SessionId, Frame)> {
        let ready = self.questions.extract_if(.., |(_, group), _| is_ready(group));
        ready.map(|((id, _), question)| (id, question)).collect()
    }
}

//! How far the person has read in each group.

use std::collections::BTreeMap;

use muster_roles::{GroupId, Timestamp};
use redb::{ReadableTable, TableDefinition};

use super::{Disk, DiskError};
use crate::engine::wire::RecordId;

/// The last message seen of a group: its time and id.
pub type Mark = (Timestamp, RecordId);

pub(super) const MARKS: TableDefinition<'_, &'static str, (u64, &'static [u8; 32])> = TableDefinition::new("marks");

impl Disk {
    /// Returns the last message seen of each group that has been looked at.
    ///
    /// # Errors
    /// [`DiskError`].
    pub fn marks(&self) -> Result<BTreeMap<GroupId, Mark>, DiskError> {
        let marks = self.read()?.open_table(MARKS)?;
        let mut found = BTreeMap::new();
        for entry in marks.iter()? {
            let (group, mark) = entry?;
            let (time, id) = mark.value();
            let group = group.value().parse::<GroupId>().map_err(|_| DiskError::Damaged {
                found: format!("a mark of {:?}, which names no group", group.value()),
            })?;
            found.insert(group, (Timestamp::from_u64(time), RecordId::from_bytes(*id)));
        }
        Ok(found)
    }

    /// Notes the last message seen of some groups, in one commit.
    ///
    /// # Errors
    /// [`DiskError`]: nothing is noted then.
    pub fn mark(&mut self, seen: &BTreeMap<GroupId, Mark>) -> Result<(), DiskError> {
        let transaction = self.write()?;
        {
            let mut marks = transaction.open_table(MARKS)?;
            for (group, (time, id)) in seen {
                marks.insert(group.as_str(), (time.to_u64(), id.as_bytes()))?;
            }
        }
        Ok(transaction.commit()?)
    }
}

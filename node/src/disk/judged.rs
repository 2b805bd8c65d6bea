//! Judging anew what is stored, and by which roster that was last done.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use muster_roles::{GroupId, Roster, Timestamp};
use redb::{TableDefinition, TableError};

use crate::engine::policy::permit_record;
use crate::engine::store::Store;
use crate::engine::sync::SyncId;

use super::{Disk, DiskError, END_OF_TIME, RECORDS, newest_by_group};

/// The digest of the roster by which all that is stored is permitted. It is not there before the first judging, nor in
/// a store that an older Muster has written.
const JUDGED: TableDefinition<'_, (), &'static [u8; 32]> = TableDefinition::new("judged");

impl Disk {
    /// Takes out what `roster` does not permit, a commit a group; returns the names of what is gone.
    ///
    /// What goes by documents that the roster does not hold waits for them. Where this is the roster by which the store
    /// was judged last, there is nothing to do and nothing is read: what came since has been judged by it too.
    ///
    /// # Errors
    /// [`DiskError`].
    pub fn rejudge(&mut self, roster: &Roster) -> Result<Vec<(GroupId, BTreeSet<SyncId>)>, DiskError> {
        let digest = roster.digest();
        if self.judged_by()? == Some(digest) {
            return Ok(Vec::new());
        }
        let mut withdrawn = Vec::new();
        for (group, _) in newest_by_group(&self.read()?.open_table(RECORDS)?)? {
            let group = group
                .parse::<GroupId>()
                .map_err(|_| DiskError::Damaged { found: format!("records of {group:?}, which names no group") })?;
            let mut denied = Vec::new();
            self.scan(&group, Timestamp::ZERO, END_OF_TIME, &mut |stored| {
                let header = stored.frame().header();
                // A home's roster may be older than the store: the newer one could not be kept, or was put back.
                let is_early = !roster.holds(&group, header.charter_version, header.sheet_version);
                if !is_early && permit_record(roster, header).is_err() {
                    denied.push((header.time, stored.frame().id()));
                }
                ControlFlow::Continue(())
            })?;
            if !denied.is_empty() {
                self.remove(&group, &denied)?;
                withdrawn.push((group, denied.iter().map(|(time, id)| SyncId::new(*time, id)).collect()));
            }
        }
        // Last: a crash before this has the store judged again.
        let transaction = self.write()?;
        transaction.open_table(JUDGED)?.insert((), &digest)?;
        transaction.commit()?;
        Ok(withdrawn)
    }

    fn judged_by(&self) -> Result<Option<[u8; 32]>, DiskError> {
        match self.read()?.open_table(JUDGED) {
            Err(TableError::TableDoesNotExist(_)) => Ok(None),
            judged => Ok(judged?.get(())?.map(|digest| *digest.value())),
        }
    }
}

//! `muster rekey`: new group keys.

use super::output::Output;
use super::time;
use crate::config::Settings;
use crate::error::CommandError;
use crate::home::Locking;

pub(super) fn run(settings: &Settings, output: &mut Output) -> Result<(), CommandError> {
    let now = time::now();
    let (home, mut opened) = settings.open(Locking::Take, now)?;
    let before = opened.roster.clone();
    let documents = muster_roles::rekey(&opened.roster, &opened.identity, now)?;
    home.adopt(&mut opened.roster, &documents, now)?;
    for group in opened.roster.groups() {
        let (old, new) = (before.versions_for(group).epoch, opened.roster.versions_for(group).epoch);
        if new != old {
            output.line(format_args!("{group}: epoch {new}"))?;
        }
    }
    Ok(())
}

//! Who plays: the original's chief, three leaders and two soldiers a troop, and a home for each.

use std::error::Error;
use std::path::Path;
use std::str::FromStr;

use muster_keys::Identity;
use muster_roles::{Role, Roster, Timestamp, TroopDef};

use crate::error::{CommandError, Kind};
use crate::home::Home;

/// The unit's name.
pub(super) const UNIT: &str = "1st Brigade";

/// The troops and the letters of their groups, as in the original.
const TROOPS: [(&str, char); 3] = [("navy", 'n'), ("airforce", 'a'), ("army", 'r')];

/// One member's part.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) name: &'static str,
    pub(super) duty: Duty,
}

/// What a member is in the unit.
#[derive(Debug)]
pub(super) enum Duty {
    Commander,
    Leader(&'static str),
    Soldier(&'static str),
}

/// The members, in the order in which they are admitted.
pub(super) const CAST: [Part; 10] = [
    Part { name: "Chief", duty: Duty::Commander },
    Part { name: "Army1", duty: Duty::Leader("army") },
    Part { name: "Navy1", duty: Duty::Leader("navy") },
    Part { name: "Air1", duty: Duty::Leader("airforce") },
    Part { name: "Army2", duty: Duty::Soldier("army") },
    Part { name: "Army3", duty: Duty::Soldier("army") },
    Part { name: "Navy2", duty: Duty::Soldier("navy") },
    Part { name: "Navy3", duty: Duty::Soldier("navy") },
    Part { name: "Air2", duty: Duty::Soldier("airforce") },
    Part { name: "Air3", duty: Duty::Soldier("airforce") },
];

impl Part {
    /// Whether the member may read a group: the rule by which the demo checks what the nodes show, stated here
    /// once more and not asked of the code that is being shown.
    pub(super) fn reads(&self, group: &str) -> bool {
        match self.duty {
            Duty::Commander => true,
            Duty::Leader(troop) => group == troop || group == "heads",
            Duty::Soldier(troop) => group == troop,
        }
    }

    /// Who it is, in words.
    pub(super) fn title(&self) -> String {
        match self.duty {
            Duty::Commander => format!("{}, the commander", self.name),
            Duty::Leader(troop) => format!("{}, leader of {troop}", self.name),
            Duty::Soldier(troop) => format!("{}, soldier of {troop}", self.name),
        }
    }
}

/// Makes the unit and everybody's home below `folder`, each in a folder of its member's name.
///
/// Homes are handed out one after the other, as in life: whoever came early learns of the others when they meet.
pub(super) fn assemble(folder: &Path, now: Timestamp) -> Result<(), CommandError> {
    let [chief, others @ ..] = &CAST;
    let home = Home::new(folder.join(chief.name));
    let signer = make_key(&home, chief.name)?;
    let documents = muster_roles::found(&read(UNIT)?, &read(chief.name)?, &signer, &troops()?, now)?;
    let mut roster = Roster::from_documents(documents.iter().map(Vec::as_slice), now)
        .map_err(|error| CommandError::from_error(Kind::Failed, &error))?;
    for part in others {
        let handed_out = Home::new(folder.join(part.name));
        let key = make_key(&handed_out, part.name)?.public();
        let documents = muster_roles::add_member(&roster, &signer, read(part.name)?, role(&part.duty)?, key, now)?;
        home.adopt(&mut roster, &documents, now)?;
        handed_out.write_roster(&roster).map_err(|error| {
            CommandError::failed(format!("cannot write {}", handed_out.roster_path().display())).because(&error)
        })?;
    }
    Ok(())
}

/// Makes a home with a new role key in it.
fn make_key(home: &Home, name: &str) -> Result<Identity, CommandError> {
    home.create()?;
    let identity = Identity::generate()?;
    muster_keys::create(&home.role_key_path(), &identity, name, None)?;
    Ok(identity)
}

fn troops() -> Result<Vec<TroopDef>, CommandError> {
    TROOPS.iter().map(|&(id, letter)| Ok(TroopDef { id: read(id)?, letter })).collect()
}

fn role(duty: &Duty) -> Result<Role, CommandError> {
    Ok(match duty {
        Duty::Commander => Role::Commander,
        Duty::Leader(troop) => Role::Leader(read(troop)?),
        Duty::Soldier(troop) => Role::Soldier(read(troop)?),
    })
}

/// Turns one of the words above into what it names.
fn read<T: FromStr<Err: Error>>(word: &str) -> Result<T, CommandError> {
    word.parse().map_err(|error: T::Err| CommandError::from_error(Kind::Failed, &error))
}

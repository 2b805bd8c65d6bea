//! How a role stands in JSON: `"role":"soldier","troop":"army"`.

use muster_roles::{GroupId, Role};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

#[derive(Serialize, Deserialize)]
struct Fields {
    role: Rank,
    #[serde(skip_serializing_if = "Option::is_none")]
    troop: Option<GroupId>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Rank {
    Commander,
    Leader,
    Soldier,
    Carrier,
}

pub(super) fn serialize<S: Serializer>(role: &Role, serializer: S) -> Result<S::Ok, S::Error> {
    let rank = match role {
        Role::Commander => Rank::Commander,
        Role::Leader(_) => Rank::Leader,
        Role::Soldier(_) => Rank::Soldier,
        Role::Carrier => Rank::Carrier,
    };
    Fields { role: rank, troop: role.troop().cloned() }.serialize(serializer)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Role, D::Error> {
    let Fields { role, troop } = Fields::deserialize(deserializer)?;
    let troop = troop.ok_or_else(|| D::Error::missing_field("troop"));
    match role {
        Rank::Commander => Ok(Role::Commander),
        Rank::Leader => troop.map(Role::Leader),
        Rank::Soldier => troop.map(Role::Soldier),
        Rank::Carrier => Ok(Role::Carrier),
    }
}

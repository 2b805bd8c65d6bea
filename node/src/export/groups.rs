//! Which groups a member gets messages of.

use muster_keys::PublicKey;
use muster_roles::{GroupId, Roster};

use super::GroupError;

/// Returns the group called `name`, or all that the member may read, heads first.
///
/// # Errors
/// [`GroupError`] where that is none.
pub fn readable(roster: &Roster, me: &PublicKey, name: Option<&str>) -> Result<Vec<GroupId>, GroupError> {
    let member = roster.member(me).ok_or(GroupError::NotAMember)?;
    let readable: Vec<GroupId> = roster.groups().filter(|group| member.role.may_read(group)).cloned().collect();
    let Some(name) = name else {
        return if readable.is_empty() { Err(GroupError::Carrier { member: member.name }) } else { Ok(readable) };
    };
    match roster.groups().find(|group| group.as_str() == name) {
        Some(group) if member.role.may_read(group) => Ok(vec![group.clone()]),
        Some(group) => Err(GroupError::Denied { member: member.name, group: group.clone(), readable }),
        None => Err(GroupError::Unknown { name: name.to_owned(), readable }),
    }
}

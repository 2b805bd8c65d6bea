//! The commands that change the roster, or destroy it here: what is typed behind them.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use muster_roles::{GroupId, MemberName, Role};

use super::CommandError;
use crate::control::{Change, Printable, Request};

/// The longest public key file that is read: one line, with a comment.
const MAX_KEY_FILE_LEN: u64 = 8 * 1024;

/// Which of these commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Add,
    Remove,
    Admit,
    Dismiss,
    Rekey,
    Wipe,
}

impl Order {
    /// What is to be typed behind the command.
    pub(super) const fn usage(self) -> &'static str {
        match self {
            Self::Add => "NAME GROUP|leader GROUP|carrier KEY",
            Self::Remove => "NAME",
            Self::Admit => "NAME GROUP|leader GROUP|carrier",
            Self::Dismiss => "NAME",
            Self::Rekey => "",
            Self::Wipe => ":wipe",
        }
    }

    /// Understands what stands behind the command.
    pub(super) fn parse(self, name: &'static str, rest: &str) -> Result<Request, CommandError> {
        let words: Vec<&str> = rest.split_whitespace().collect();
        let usage = || CommandError::Usage { name, usage: self.usage() };
        let change = match (self, words.as_slice()) {
            (Self::Wipe, [":wipe"]) => return Ok(Request::Wipe),
            (Self::Wipe, []) => return Err(CommandError::TypeTwice),
            (Self::Rekey, []) => Change::Rekey,
            (Self::Remove, [member]) => return Err(CommandError::TypeAgain { name: as_name(member)? }),
            (Self::Remove, [member, again]) if member == again => {
                Change::Remove { name: as_name(member)?.as_str().to_owned() }
            }
            (Self::Remove, [member, _]) => return Err(CommandError::TypeAgain { name: as_name(member)? }),
            (Self::Add, [member, rest @ ..]) => {
                let (role, key) = role(rest).ok_or_else(usage)?;
                let key = match key {
                    [] => return Err(usage()),
                    ["ssh-ed25519", ..] => key.join(" "),
                    [file] => read_key(file)?,
                    _ => return Err(usage()),
                };
                Change::Add { name: as_name(member)?, role: role?, key }
            }
            (Self::Admit, [member, rest @ ..]) => {
                let (role, words) = role(rest).ok_or_else(usage)?;
                let words = (!words.is_empty()).then(|| words.join(" "));
                Change::Admit { name: as_name(member)?, role: role?, words }
            }
            (Self::Dismiss, [member, words @ ..]) => {
                let words = (!words.is_empty()).then(|| words.join(" "));
                Change::Dismiss { name: as_name(member)?, words }
            }
            _ => return Err(usage()),
        };
        Ok(Request::Change(change))
    }
}

/// A role by its words, and what stands behind it.
fn role<'a, 'w>(words: &'a [&'w str]) -> Option<(Result<Role, CommandError>, &'a [&'w str])> {
    match words {
        ["carrier", rest @ ..] => Some((Ok(Role::Carrier), rest)),
        ["leader", group, rest @ ..] => Some((as_group(group).map(Role::Leader), rest)),
        ["leader"] => None,
        ["soldier", group, rest @ ..] | [group, rest @ ..] => Some((as_group(group).map(Role::Soldier), rest)),
        [] => None,
    }
}

fn as_name(word: &str) -> Result<MemberName, CommandError> {
    word.parse().map_err(|error: muster_roles::NameError| CommandError::Name { reason: error.to_string() })
}

fn as_group(word: &str) -> Result<GroupId, CommandError> {
    word.parse().map_err(|error: muster_roles::NameError| CommandError::Name { reason: error.to_string() })
}

/// The first line of a public key file.
fn read_key(file: &str) -> Result<String, CommandError> {
    let mut text = String::new();
    let read = File::open(Path::new(file)).and_then(|opened| opened.take(MAX_KEY_FILE_LEN).read_to_string(&mut text));
    match read {
        Ok(_) => Ok(text.lines().next().unwrap_or_default().to_owned()),
        Err(error) => Err(CommandError::KeyFile { file: Printable::new(file), reason: error.to_string() }),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::ui::sample::group;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKwK0 Army9";

    fn name(name: &str) -> MemberName {
        name.parse().unwrap()
    }

    fn change(order: Order, rest: &str) -> Change {
        match order.parse(":order", rest).unwrap() {
            Request::Change(change) => change,
            other => panic!("not a change: {other:?}"),
        }
    }

    #[test]
    fn a_member_is_added_with_its_role_and_its_key_or_the_file_of_it() {
        let soldier = Change::Add { name: name("Army9"), role: Role::Soldier(group("army")), key: KEY.to_owned() };
        assert_eq!(change(Order::Add, &format!("Army9 army {KEY}")), soldier);
        assert_eq!(change(Order::Add, &format!("Army9 soldier army {KEY}")), soldier);
        let leader = Change::Add { name: name("Lead"), role: Role::Leader(group("army")), key: KEY.to_owned() };
        assert_eq!(change(Order::Add, &format!("Lead leader army {KEY}")), leader);
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("id.pub");
        std::fs::write(&file, format!("{KEY}\n")).unwrap();
        assert_eq!(change(Order::Add, &format!("Army9 army {}", file.display())), soldier);
        let missing = Order::Add.parse(":add", "Army9 army /nowhere/id.pub");
        assert!(matches!(missing, Err(CommandError::KeyFile { .. })));
    }

    #[test]
    fn whoever_asks_to_join_is_admitted_as_what_is_said_and_told_apart_by_words() {
        let admit = |rest: &str| change(Order::Admit, rest);
        let (army7, army) = (name("Army7"), group("army"));
        let words = |words: &str| Some(words.to_owned());
        assert_eq!(
            admit("Army7 army"),
            Change::Admit { name: army7.clone(), role: Role::Soldier(army.clone()), words: None }
        );
        assert_eq!(
            admit("Army7 army crisp otter"),
            Change::Admit { name: army7.clone(), role: Role::Soldier(army.clone()), words: words("crisp otter") }
        );
        assert_eq!(
            admit("Army7 leader army crisp"),
            Change::Admit { name: army7.clone(), role: Role::Leader(army), words: words("crisp") }
        );
        assert_eq!(admit("Army7 carrier"), Change::Admit { name: army7, role: Role::Carrier, words: None });
    }

    #[test]
    fn a_member_is_removed_once_its_name_is_typed_again() {
        for rest in ["Army2", "Army2 Army3"] {
            let asked = Order::Remove.parse(":remove", rest);
            assert_eq!(asked, Err(CommandError::TypeAgain { name: name("Army2") }), "{rest}");
        }
        assert_eq!(change(Order::Remove, "Army2 Army2"), Change::Remove { name: "Army2".to_owned() });
    }

    #[test]
    fn what_is_incomplete_is_answered_with_how_it_goes() {
        for (order, rest) in [
            (Order::Add, ""),
            (Order::Add, "Army9"),
            (Order::Add, "Army9 army"),
            (Order::Admit, "Army7"),
            (Order::Admit, "Army7 leader"),
            (Order::Remove, ""),
            (Order::Remove, "a b c"),
            (Order::Dismiss, ""),
            (Order::Rekey, "now"),
        ] {
            let usage = order.parse(":order", rest);
            assert_eq!(usage, Err(CommandError::Usage { name: ":order", usage: order.usage() }), "{order:?} {rest}");
        }
        assert!(matches!(Order::Admit.parse(":admit", "\u{1b}[2J army"), Err(CommandError::Name { .. })));
    }
}

//! The commands of the chat: one table, by which lines are understood and from which `:help` is made.

mod error;
mod orders;
mod saying;

use muster_roles::{GroupId, Precedence, Role};

pub use self::error::CommandError;
use self::orders::Order;
use self::saying::Say;
pub use self::saying::Saying;
use crate::control::{GroupChoice, Printable, Profile, Request};

/// What a typed line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// An empty line.
    Nothing,
    /// Post a text to a group.
    Post {
        /// Where to.
        group: GroupId,
        /// What.
        text: String,
    },
    /// Say something in a manner of its own, or ask what became of what was said.
    Say {
        /// Where.
        group: GroupId,
        /// What.
        saying: Saying,
    },
    /// Make a group the current one.
    Open(GroupId),
    /// Write the last week of a group to a text file.
    Export(GroupId),
    /// Ask the node for something whose answer is shown as it comes: the roster, who asks to join, a change.
    Ask(Request),
    /// List the commands.
    Help,
    /// Leave the chat.
    Leave,
    /// End the node.
    Shutdown,
}

/// One command. Those in daily use take nothing, so a message typed behind one by mistake is never half done; those that
/// change the roster take words.
struct Command {
    name: &'static str,
    aliases: &'static [&'static str],
    help: &'static str,
    audience: Audience,
    verb: Verb,
}

/// Whom a command is listed for.
#[derive(Clone, Copy)]
enum Audience {
    Everyone,
    Readers,
    Leaders,
    /// Those who may change the roster.
    Signers,
}

#[derive(Clone, Copy)]
enum Verb {
    Toggle,
    Export,
    Roster,
    Requests,
    Order(Order),
    Say(Say),
    Help,
    Leave,
    Shutdown,
}

/// Every command but the group letters, which come from the roster.
const COMMANDS: [Command; 24] = [
    Command {
        name: ":t",
        aliases: &[],
        help: "toggle between heads and your troop",
        audience: Audience::Leaders,
        verb: Verb::Toggle,
    },
    Command {
        name: ":d",
        aliases: &[],
        help: "save the last week of the open group to a text file",
        audience: Audience::Readers,
        verb: Verb::Export,
    },
    Command {
        name: ":order",
        aliases: &[],
        help: "give an order, which its readers answer",
        audience: Audience::Signers,
        verb: Verb::Say(Say::Order),
    },
    Command {
        name: ":ack",
        aliases: &[],
        help: "answer an order: it is carried out",
        audience: Audience::Readers,
        verb: Verb::Say(Say::Ack),
    },
    Command {
        name: ":cannot",
        aliases: &[],
        help: "answer an order: it cannot be carried out",
        audience: Audience::Readers,
        verb: Verb::Say(Say::Cannot),
    },
    Command {
        name: ":orders",
        aliases: &[],
        help: "list the orders that wait",
        audience: Audience::Readers,
        verb: Verb::Say(Say::Orders),
    },
    Command {
        name: ":flash",
        aliases: &[],
        help: "post before everything else",
        audience: Audience::Signers,
        verb: Verb::Say(Say::Urgent(Precedence::Flash)),
    },
    Command {
        name: ":immediate",
        aliases: &[],
        help: "post before priority traffic",
        audience: Audience::Readers,
        verb: Verb::Say(Say::Urgent(Precedence::Immediate)),
    },
    Command {
        name: ":priority",
        aliases: &[],
        help: "post before routine traffic",
        audience: Audience::Readers,
        verb: Verb::Say(Say::Urgent(Precedence::Priority)),
    },
    Command {
        name: ":reply",
        aliases: &[],
        help: "reply to message N",
        audience: Audience::Readers,
        verb: Verb::Say(Say::Reply),
    },
    Command {
        name: ":correct",
        aliases: &[],
        help: "correct your message N",
        audience: Audience::Readers,
        verb: Verb::Say(Say::Correct),
    },
    Command {
        name: ":numbers",
        aliases: &[],
        help: "list the newest messages with their numbers",
        audience: Audience::Readers,
        verb: Verb::Say(Say::Numbers),
    },
    Command {
        name: ":who",
        aliases: &[],
        help: "show who has message N, or your last one",
        audience: Audience::Readers,
        verb: Verb::Say(Say::Who),
    },
    Command {
        name: ":roster",
        aliases: &[],
        help: "list the members and their keys",
        audience: Audience::Everyone,
        verb: Verb::Roster,
    },
    Command {
        name: ":requests",
        aliases: &[],
        help: "list the devices that ask to join",
        audience: Audience::Signers,
        verb: Verb::Requests,
    },
    Command {
        name: ":admit",
        aliases: &[],
        help: "let in who asks to join",
        audience: Audience::Signers,
        verb: Verb::Order(Order::Admit),
    },
    Command {
        name: ":dismiss",
        aliases: &[],
        help: "turn away who asks to join",
        audience: Audience::Signers,
        verb: Verb::Order(Order::Dismiss),
    },
    Command {
        name: ":add",
        aliases: &[],
        help: "add a member",
        audience: Audience::Signers,
        verb: Verb::Order(Order::Add),
    },
    Command {
        name: ":remove",
        aliases: &[],
        help: "remove a member",
        audience: Audience::Signers,
        verb: Verb::Order(Order::Remove),
    },
    Command {
        name: ":rekey",
        aliases: &[],
        help: "replace the group keys",
        audience: Audience::Signers,
        verb: Verb::Order(Order::Rekey),
    },
    Command { name: ":help", aliases: &[], help: "show this list", audience: Audience::Everyone, verb: Verb::Help },
    Command {
        name: ":quit",
        aliases: &["logmeout"],
        help: "leave; Ctrl-D leaves too",
        audience: Audience::Everyone,
        verb: Verb::Leave,
    },
    Command {
        name: ":shutdown",
        aliases: &[],
        help: "end the node, and every chat on it",
        audience: Audience::Everyone,
        verb: Verb::Shutdown,
    },
    Command {
        name: ":wipe",
        aliases: &[],
        help: "destroy this device's key, roster and messages",
        audience: Audience::Everyone,
        verb: Verb::Order(Order::Wipe),
    },
];

/// Understands one typed line.
///
/// # Errors
/// [`CommandError`] where the line is no message and no command that this member may give now.
pub fn parse(line: &str, profile: &Profile, current: Option<&GroupId>) -> Result<Action, CommandError> {
    let line = line.trim();
    let command = COMMANDS.iter().find(|command| command.name == line || command.aliases.contains(&line));
    if let Some(command) = command {
        return carry_out(command, profile, current);
    }
    let (name, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    if let Some(Command { name, verb: Verb::Order(order), .. }) = COMMANDS.iter().find(|command| command.name == name) {
        return order.parse(name, rest).map(Action::Ask);
    }
    if let Some(Command { name, verb: Verb::Say(say), .. }) = COMMANDS.iter().find(|command| command.name == name) {
        return say_so(*say, name, rest, profile, current);
    }
    match line.strip_prefix(':') {
        None if line.is_empty() => Ok(Action::Nothing),
        None => post(line, profile, current),
        Some(text) if text.starts_with(':') => post(text, profile, current),
        Some(word) => open_by_letter(word, profile),
    }
}

/// Lists the member's groups and the commands, one a line.
#[must_use]
pub fn help(profile: &Profile, current: Option<&GroupId>) -> Vec<String> {
    let groups = profile.groups.iter().map(|choice| {
        let rights = if choice.may_post { "read and post" } else { "read only" };
        let open = if current == Some(&choice.id) { ", open now" } else { "" };
        (format!(":{}", choice.letter), format!("open {} ({rights}{open})", choice.id))
    });
    let commands = COMMANDS.iter().filter(|command| command.audience.includes(&profile.role)).map(|command| {
        let names: Vec<&str> = std::iter::once(command.name).chain(command.aliases.iter().copied()).collect();
        let usage = match command.verb {
            Verb::Order(order) if !order.usage().is_empty() => format!("{}: ", order.usage()),
            Verb::Say(say) if !say.usage().is_empty() => format!("{}: ", say.usage()),
            _ => String::new(),
        };
        (names.join(", "), format!("{usage}{}", command.help))
    });
    let escape = ("::text".to_owned(), "post a text that begins with ':'".to_owned());
    groups.chain(commands).chain([escape]).map(|(names, help)| format!("{names:<16}{help}")).collect()
}

/// Returns every word that is a command for this member: what a half-typed one can be completed to.
#[must_use]
pub fn names(profile: &Profile) -> Vec<String> {
    let letters = profile.groups.iter().map(|choice| format!(":{}", choice.letter));
    let commands = COMMANDS.iter().filter(|command| command.audience.includes(&profile.role));
    letters.chain(commands.map(|command| command.name.to_owned())).collect()
}

/// Says in plain words who the member is.
#[must_use]
pub fn rank(role: &Role) -> String {
    match role {
        Role::Commander => "the commander".to_owned(),
        Role::Leader(troop) => format!("the leader of {troop}"),
        Role::Soldier(troop) => format!("a soldier of {troop}"),
        Role::Carrier => "a carrier".to_owned(),
    }
}

impl Audience {
    fn includes(self, role: &Role) -> bool {
        match self {
            Self::Everyone => true,
            Self::Readers => !matches!(role, Role::Carrier),
            Self::Leaders => matches!(role, Role::Leader(_)),
            Self::Signers => matches!(role, Role::Commander | Role::Leader(_)),
        }
    }
}

fn carry_out(command: &Command, profile: &Profile, current: Option<&GroupId>) -> Result<Action, CommandError> {
    match command.verb {
        Verb::Toggle => match &profile.role {
            Role::Leader(troop) if current == Some(troop) => Ok(Action::Open(GroupId::heads())),
            Role::Leader(troop) => Ok(Action::Open(troop.clone())),
            _ => Err(CommandError::NotALeader { reach: reach(profile) }),
        },
        Verb::Export => Ok(Action::Export(open_group(profile, current)?)),
        Verb::Roster => Ok(Action::Ask(Request::Members)),
        Verb::Requests => Ok(Action::Ask(Request::JoinRequests)),
        Verb::Order(order) => order.parse(command.name, "").map(Action::Ask),
        Verb::Say(say) => say_so(say, command.name, "", profile, current),
        Verb::Help => Ok(Action::Help),
        Verb::Leave => Ok(Action::Leave),
        Verb::Shutdown => Ok(Action::Shutdown),
    }
}

fn say_so(
    say: Say,
    name: &'static str,
    rest: &str,
    profile: &Profile,
    current: Option<&GroupId>,
) -> Result<Action, CommandError> {
    let saying = say.parse(name, rest)?;
    Ok(Action::Say { group: open_group(profile, current)?, saying })
}

fn post(text: &str, profile: &Profile, current: Option<&GroupId>) -> Result<Action, CommandError> {
    Ok(Action::Post { group: open_group(profile, current)?, text: text.to_owned() })
}

fn open_group(profile: &Profile, current: Option<&GroupId>) -> Result<GroupId, CommandError> {
    current.cloned().ok_or_else(|| CommandError::NoGroup { reach: reach(profile) })
}

/// Understands what follows a single colon: a group's letter, or a mistake.
fn open_by_letter(word: &str, profile: &Profile) -> Result<Action, CommandError> {
    let name = word.split_whitespace().next().unwrap_or_default();
    let known = COMMANDS.iter().any(|command| command.name.strip_prefix(':') == Some(name));
    let letter = sole_char(name);
    let choice = profile.groups.iter().find(|choice| letter == Some(choice.letter));
    match (choice, letter) {
        (Some(choice), _) if name == word => Ok(Action::Open(choice.id.clone())),
        (Some(_), _) => Err(CommandError::NotAlone { name: as_typed(name) }),
        _ if known => Err(CommandError::NotAlone { name: as_typed(name) }),
        (None, Some(letter)) if letter.is_ascii_lowercase() => {
            Err(CommandError::NoSuchLetter { letter, reach: reach(profile) })
        }
        _ => Err(CommandError::Unknown { word: as_typed(name) }),
    }
}

/// Says in plain words what the member may read.
fn reach(profile: &Profile) -> String {
    let groups: Vec<&str> = profile.groups.iter().map(|GroupChoice { id, .. }| id.as_str()).collect();
    let groups = match groups.as_slice() {
        [] => "no group".to_owned(),
        [one] => format!("{one} only"),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    };
    format!("{} reads {groups}", rank(&profile.role))
}

fn sole_char(word: &str) -> Option<char> {
    let mut chars = word.chars();
    chars.next().filter(|_| chars.next().is_none())
}

/// What was typed, fit to be printed back: long enough to be recognised, not to fill the screen.
fn as_typed(name: &str) -> Printable {
    const RECOGNISABLE_CHARS: usize = 24;
    let start: String = name.chars().take(RECOGNISABLE_CHARS).collect();
    Printable::new(&format!(":{start}"))
}

#[cfg(test)]
mod tests;

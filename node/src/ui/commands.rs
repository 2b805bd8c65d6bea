//! The commands of the chat: one table, by which lines are understood and from which `:help` is made.

mod orders;
mod saying;

use muster_roles::{GroupId, MemberName, Precedence, Role};

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

/// Why a typed line cannot be done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// There is no such command.
    #[error("there is no command `{word}`")]
    Unknown {
        /// The command as typed.
        word: Printable,
    },
    /// A command stands in front of other words.
    #[error("`{name}` stands alone on its line")]
    NotAlone {
        /// The command.
        name: Printable,
    },
    /// No group that this member may read has that letter.
    #[error("`:{letter}` opens no group of yours: {reach}")]
    NoSuchLetter {
        /// The letter as typed.
        letter: char,
        /// What the member may read.
        reach: String,
    },
    /// Only a leader has two groups to toggle between.
    #[error("`:t` is for a troop's leader: {reach}")]
    NotALeader {
        /// What the member may read.
        reach: String,
    },
    /// No group is open.
    #[error("no group is open: {reach}")]
    NoGroup {
        /// What the member may read.
        reach: String,
    },
    /// Something is missing behind a command, or too much is there.
    #[error("`{name}` goes: {name} {usage}")]
    Usage {
        /// The command.
        name: &'static str,
        /// What is to be typed behind it.
        usage: &'static str,
    },
    /// A member is to be removed, and its name has not been typed twice.
    #[error("{name} would be cut off, and the groups it could read get new keys")]
    TypeAgain {
        /// Who.
        name: MemberName,
    },
    /// No message has this number.
    #[error("no message here has the number {number}")]
    NoSuchNumber {
        /// The number.
        number: u32,
    },
    /// A correction of somebody else's message.
    #[error("message {number} is {author}'s: only its author corrects it")]
    NotYours {
        /// The number.
        number: u32,
        /// Whose it is.
        author: MemberName,
    },
    /// There is no order to answer.
    #[error("no order waits for your answer")]
    NoOrder,
    /// The member has said nothing in the group yet.
    #[error("you have said nothing here yet")]
    NothingSaid,
    /// Not a name.
    #[error("{reason}")]
    Name {
        /// Why not.
        reason: String,
    },
    /// A public key file cannot be read.
    #[error("cannot read the public key in {file}: {reason}")]
    KeyFile {
        /// The file.
        file: Printable,
        /// Why not.
        reason: String,
    },
}

impl CommandError {
    /// Returns what to type instead.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Unknown { word } | Self::NotAlone { name: word } => {
                format!("`:help` lists the commands; `:{word} …` posts a text that begins with ':'")
            }
            Self::NoSuchLetter { .. } | Self::NotALeader { .. } | Self::NoGroup { .. } => {
                "`:help` lists the groups you may open".to_owned()
            }
            Self::NoSuchNumber { .. } | Self::NotYours { .. } => {
                "`:numbers` lists the newest messages with their numbers".to_owned()
            }
            Self::NoOrder => "`:orders` lists the orders that wait".to_owned(),
            Self::NothingSaid => "`:who N` names another's message; `:numbers` lists them".to_owned(),
            Self::Usage { .. } | Self::Name { .. } => "`:help` lists the commands".to_owned(),
            Self::TypeAgain { name } => format!("type its name again to remove it: `:remove {name} {name}`"),
            Self::KeyFile { .. } => "give the line that the new device hands over, or its .pub file".to_owned(),
        }
    }
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
const COMMANDS: [Command; 23] = [
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
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use crate::ui::sample::{carrier, commander, group, leader, soldier};

    fn open(name: &str) -> Action {
        Action::Open(group(name))
    }

    fn refusal(line: &str, profile: &Profile, current: Option<&GroupId>) -> String {
        parse(line, profile, current).expect_err("the line must be refused").to_string()
    }

    #[test]
    fn a_line_is_a_message_to_the_open_group() {
        let army = group("army");
        let action = parse("  I am also fine ", &soldier("army"), Some(&army));
        assert_eq!(action.unwrap(), Action::Post { group: army, text: "I am also fine".to_owned() });
    }

    #[test]
    fn an_empty_line_does_nothing() {
        let army = group("army");
        for line in ["", "   ", "\t"] {
            assert_eq!(parse(line, &soldier("army"), Some(&army)).unwrap(), Action::Nothing);
        }
    }

    #[test]
    fn a_doubled_colon_posts_a_text_that_begins_with_one() {
        let army = group("army");
        let text_of = |line| match parse(line, &soldier("army"), Some(&army)) {
            Ok(Action::Post { text, .. }) => text,
            other => panic!("{line} was taken for {other:?}"),
        };
        assert_eq!(text_of("::r"), ":r");
        assert_eq!(text_of(":::r"), "::r");
        assert_eq!(text_of("::quit now"), ":quit now");
    }

    #[test]
    fn the_commander_opens_every_group_by_its_letter() {
        let heads = GroupId::heads();
        for (line, name) in [(":h", "heads"), (":n", "navy"), (":a", "airforce"), (":r", "army")] {
            assert_eq!(parse(line, &commander(), Some(&heads)).unwrap(), open(name));
        }
    }

    #[test]
    fn letters_come_from_the_roster() {
        let mut profile = commander();
        profile.groups.retain(|choice| choice.id.is_heads());
        profile.groups.push(GroupChoice { id: group("signals"), letter: 's', may_post: false });
        assert_eq!(parse(":s", &profile, None).unwrap(), open("signals"));
        assert!(refusal(":n", &profile, None).contains("the commander reads heads and signals"));
        assert!(help(&profile, None).iter().any(|line| line.starts_with(":s ") && line.contains("signals")));
    }

    #[test]
    fn a_group_one_may_not_read_is_refused_with_the_reason() {
        let army = group("army");
        for line in [":h", ":n", ":a", ":x"] {
            let refusal = refusal(line, &soldier("army"), Some(&army));
            assert_eq!(refusal, format!("`{line}` opens no group of yours: a soldier of army reads army only"));
        }
        assert!(refusal(":n", &leader("army"), None).ends_with("the leader of army reads heads and army"));
    }

    #[test]
    fn a_leader_toggles_between_heads_and_the_own_troop() {
        let army = group("army");
        assert_eq!(parse(":t", &leader("army"), Some(&army)).unwrap(), open("heads"));
        assert_eq!(parse(":t", &leader("army"), Some(&GroupId::heads())).unwrap(), open("army"));
        assert_eq!(parse(":t", &leader("army"), None).unwrap(), open("army"));
    }

    #[test]
    fn others_are_told_that_they_have_nothing_to_toggle() {
        for profile in [commander(), soldier("army"), carrier()] {
            assert!(refusal(":t", &profile, None).starts_with("`:t` is for a troop's leader: "));
        }
    }

    #[test]
    fn an_unknown_word_is_never_posted() {
        let army = group("army");
        for line in [":hello", ":", ": hello", ":H", ":exit now", ":é"] {
            let error = parse(line, &soldier("army"), Some(&army)).expect_err(line);
            assert!(matches!(error, CommandError::Unknown { .. }), "{line}: {error}");
            assert!(error.hint().contains(":help"));
        }
        let hint = parse(":hello", &soldier("army"), Some(&army)).unwrap_err().hint();
        assert!(hint.contains("`::hello …` posts"), "{hint}");
    }

    #[test]
    fn a_command_with_words_behind_it_is_refused() {
        let heads = GroupId::heads();
        for line in [":r hello", ":d yesterday", ":quit now", ":help me", ":t x"] {
            let refusal = refusal(line, &commander(), Some(&heads));
            assert!(refusal.ends_with("stands alone on its line"), "{refusal}");
        }
    }

    #[test]
    fn leaving_is_spelled_quit_or_as_the_original_did() {
        for line in [":quit", "logmeout", " logmeout "] {
            assert_eq!(parse(line, &soldier("army"), None).unwrap(), Action::Leave);
        }
        let army = group("army");
        let talk = parse("logmeout is how one leaves", &soldier("army"), Some(&army)).unwrap();
        assert!(matches!(talk, Action::Post { .. }));
    }

    #[test]
    fn the_node_is_ended_by_a_command_of_its_own() {
        assert_eq!(parse(":shutdown", &carrier(), None).unwrap(), Action::Shutdown);
    }

    #[test]
    fn a_carrier_reads_posts_and_exports_nothing() {
        for line in ["hello", ":d"] {
            assert_eq!(refusal(line, &carrier(), None), "no group is open: a carrier reads no group");
        }
        assert_eq!(parse(":help", &carrier(), None).unwrap(), Action::Help);
    }

    #[test]
    fn what_is_printed_back_cannot_deceive_the_terminal() {
        let error = refusal(":\u{1b}[2Jbell\u{7}", &commander(), None);
        assert!(!error.chars().any(char::is_control), "{error:?}");
        assert!(refusal(&format!(":{}", "x".repeat(5000)), &commander(), None).len() < 100);
    }

    #[test]
    fn help_lists_what_this_member_can_do() {
        let heads = GroupId::heads();
        let expected = [
            ":h              open heads (read and post, open now)",
            ":n              open navy (read only)",
            ":a              open airforce (read only)",
            ":r              open army (read only)",
            ":d              save the last week of the open group to a text file",
            ":order          TEXT: give an order, which its readers answer",
            ":ack            [TEXT]: answer an order: it is carried out",
            ":cannot         [TEXT]: answer an order: it cannot be carried out",
            ":orders         list the orders that wait",
            ":flash          TEXT: post before everything else",
            ":immediate      TEXT: post before priority traffic",
            ":priority       TEXT: post before routine traffic",
            ":reply          N TEXT: reply to message N",
            ":correct        N TEXT: correct your message N",
            ":numbers        list the newest messages with their numbers",
            ":who            [N]: show who has message N, or your last one",
            ":roster         list the members and their keys",
            ":requests       list the devices that ask to join",
            ":admit          NAME GROUP|leader GROUP|carrier: let in who asks to join",
            ":dismiss        NAME: turn away who asks to join",
            ":add            NAME GROUP|leader GROUP|carrier KEY: add a member",
            ":remove         NAME: remove a member",
            ":rekey          replace the group keys",
            ":help           show this list",
            ":quit, logmeout leave; Ctrl-D leaves too",
            ":shutdown       end the node, and every chat on it",
            "::text          post a text that begins with ':'",
        ];
        assert_eq!(help(&commander(), Some(&heads)), expected);
        assert!(help(&leader("army"), None).iter().any(|line| line.starts_with(":t ")));
        assert!(!help(&carrier(), None).iter().any(|line| line.starts_with(":d ")));
    }

    #[test]
    fn every_listed_command_is_understood() {
        let army = group("army");
        for line in help(&leader("army"), Some(&army)) {
            let (names, _) = line.split_at(16);
            for name in names.split(',').map(str::trim).filter(|name| !name.starts_with("::")) {
                match parse(name, &leader("army"), Some(&army)) {
                    Ok(_) | Err(CommandError::Usage { .. }) => {}
                    Err(error) => panic!("{name}: {error}"),
                }
            }
        }
    }
}

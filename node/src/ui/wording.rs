//! What people are told, in words that all screens share.

use std::fmt;

use jiff::Zoned;
use muster_roles::{GroupId, MemberName, Timestamp};

use super::commands::rank;
use crate::control::{Changed, JoinRequest, Matrix, Member, Notice, Printable, Profile, Refusal};

/// What a long leave waits for.
pub(super) const LEAVING: &str = "leaving: your last messages wait for a member in reach, a few seconds at most";

/// Who has a message, a line for each member.
pub(super) fn matrix(matrix: &Matrix) -> Vec<String> {
    let zone = jiff::tz::TimeZone::system();
    let at = |ms: Option<u64>| {
        let time = jiff::Timestamp::from_millisecond(i64::try_from(ms?).ok()?).ok()?;
        Some(time.to_zoned(zone.clone()).strftime("%a %H:%M:%S").to_string())
    };
    let (have, of) =
        (matrix.members.iter().filter(|member| member.delivered_ms.is_some()).count(), matrix.members.len());
    let lines = matrix.members.iter().map(|member| {
        let state = match (at(member.delivered_ms), at(member.read_ms)) {
            (None, _) => "not yet".to_owned(),
            (Some(delivered), None) => format!("has it since {delivered}"),
            (Some(delivered), Some(read)) => format!("has it since {delivered}, read {read}"),
        };
        format!("{}, {}: {state}", member.name, rank(&member.role))
    });
    std::iter::once(format!("{have}/{of} delivered in {}", matrix.group)).chain(lines).collect()
}

/// Who sits here.
pub(super) fn greeting(profile: &Profile) -> String {
    format!("{} of {}, {}; :help lists the commands", profile.name, profile.unit, rank(&profile.role))
}

/// The open group may not be read any more.
pub(super) fn closed(group: &GroupId) -> String {
    format!("{group} is closed to you now; :help lists the groups you may open")
}

/// How many members are in reach.
pub(super) fn presence(connected: usize) -> String {
    match connected {
        0 => "no member is in reach; what you write waits".to_owned(),
        _ => format!("{} in reach", counted(connected, "member")),
    }
}

/// Messages came late, together.
pub(super) fn late(count: u64, while_away: bool) -> String {
    format!("{} {}", counted(count, "message"), if while_away { "while you were away" } else { "came late" })
}

/// Everybody who may read it has something of this member's.
pub(super) fn delivered_to_all(what: &str) -> String {
    format!("all have {what}")
}

/// What waited has gone to members who cannot read it and pass it on.
pub(super) fn carried(by: &[MemberName], what: &str) -> String {
    let names: Vec<&str> = by.iter().map(MemberName::as_str).collect();
    format!("carried by {}: {what}", names.join(", "))
}

/// A screen was too slow.
pub(super) fn missed(count: u64) -> String {
    format!("{} could not be shown in time and are missing here", counted(count, "event"))
}

/// An export is on disk.
pub(super) fn exported(path: &Printable, count: u64) -> String {
    format!("saved {} to {path}", counted(count, "message"))
}

/// Why the node has not done what was asked, and what can be done about it.
pub(super) fn refusal(reason: &Refusal) -> (String, Option<String>) {
    let hint = reason.hint.as_deref().map(|hint| format!("hint: {}", Printable::new(hint)));
    (format!("refused: {}", Printable::new(&reason.error)), hint)
}

/// Who is in the unit, a line each.
pub(super) fn members(members: &[Member]) -> Vec<String> {
    let width = members.iter().map(|member| member.name.as_str().len()).max().unwrap_or_default();
    let line = |member: &Member| {
        let here = match (member.me, member.presence.online) {
            (true, _) => " (you)",
            (false, true) => " (in reach)",
            (false, false) => "",
        };
        format!("{:width$}  {}{here}  {}", member.name.as_str(), rank(&member.role), member.fingerprint)
    };
    members.iter().map(line).collect()
}

/// Which devices ask to join, and how to let them in.
pub(super) fn requests(requests: &[JoinRequest]) -> Vec<String> {
    if requests.is_empty() {
        return vec!["no device asks to join; on the new device: muster join NAME".to_owned()];
    }
    let lines = requests.iter().map(|request| format!("{}: {}", request.name, request.words));
    let hint =
        "compare the words with those on its screen, by voice; the same: `:admit NAME GROUP`, else: `:dismiss NAME`";
    lines.chain([hint.to_owned()]).collect()
}

/// What a change of the roster has come to.
pub(super) fn changed(changed: &Changed) -> String {
    let groups: Vec<&str> = changed.rekeyed.iter().map(GroupId::as_str).collect();
    let keys = if groups.is_empty() { String::new() } else { format!("; new keys for {}", groups.join(", ")) };
    let told = counted(u64::try_from(changed.told).unwrap_or(u64::MAX), "member");
    format!("done: roster version {}, {} members{keys}; {told} in reach told", changed.version, changed.members)
}

/// What a notice says; a group is named where it is not the open one.
pub(super) fn notice(notice: &Notice, open: Option<&GroupId>) -> String {
    let elsewhere = |group: &GroupId| if open == Some(group) { String::new() } else { format!(" in {group}") };
    match notice {
        Notice::Missing { group, author, count } => hole(author, &elsewhere(group), *count, false),
        Notice::Arrived { group, author, count } => hole(author, &elsewhere(group), *count, true),
        Notice::RosterUpdated { version, members } => format!("new roster: version {version}, {members} members"),
        Notice::Sent { count } => format!("sent: {} that waited", counted(*count, "message")),
        Notice::Admitted { name, role, by } => format!("{name} was admitted{}: {}", signed_by(by), rank(role)),
        Notice::Removed { name, by, at } => format!("{name} was removed{}{}", signed_by(by), signed_at(*at)),
        Notice::JoinAsked(request) => format!(
            "a device asks to join as {}; its screen must show: {}; let it in with `:admit {} GROUP`",
            request.name, request.words, request.name
        ),
        Notice::Clash { lost } => format!("two have changed the roster without knowing of each other: {lost}"),
        Notice::KeysOld { groups } => format!(
            "the keys of {} are over a day old, and it takes more than your signature to replace them: `muster rekey`, \
             then `muster roster sign` on another's device",
            groups.iter().map(GroupId::as_str).collect::<Vec<_>>().join(", ")
        ),
        Notice::NoLongerMember { by, at } => format!(
            "you were removed from the unit{}{}: what you write is accepted nowhere",
            signed_by(by),
            at.map(signed_at).unwrap_or_default()
        ),
        Notice::OrderWaits { group, giver } => {
            format!("an order of {giver}{} still waits for your answer: :ack or :cannot", elsewhere(group))
        }
        Notice::OrderUnanswered { group, missing } => {
            let names: Vec<&str> = missing.iter().map(MemberName::as_str).collect();
            format!("your order{} has no answer yet from {}", elsewhere(group), names.join(", "))
        }
        Notice::ClockOff { by_ms } => format!(
            "this device's clock is {} the unit's: set it; messages are stamped with the unit's time",
            apart(*by_ms)
        ),
        Notice::ClockMended => "this device's clock agrees with the unit's again".to_owned(),
        Notice::ClocksDiffer { member, by_ms } => {
            format!("this device's clock is {} {member}'s: set the one that is wrong", apart(*by_ms))
        }
        Notice::StoreFailed => "the store has failed: nothing more is accepted; make room and start again".to_owned(),
    }
}

/// Says who has signed something, as far as it is known.
fn signed_by(names: &[MemberName]) -> String {
    let names: Vec<&str> = names.iter().map(MemberName::as_str).collect();
    if names.is_empty() { String::new() } else { format!(" by {}", names.join(" and ")) }
}

/// Says when something was signed.
fn signed_at(time: Timestamp) -> String {
    format!(" at {}", clock_time(time, &Zoned::now()))
}

/// The time of day, and the date if it is not today's.
fn clock_time(time: Timestamp, now: &Zoned) -> String {
    // A document may carry any time: one beyond the calendar is shown as the end of it.
    let time = i64::try_from(time.ms()).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    let time = time.unwrap_or(jiff::Timestamp::MAX).to_zoned(now.time_zone().clone());
    let format = if time.date() == now.date() { "%H:%M" } else { "%Y-%m-%d %H:%M" };
    time.strftime(format).to_string()
}

/// Says what is missing of whose messages, or has come.
fn hole(author: &MemberName, place: &str, count: u64, has_arrived: bool) -> String {
    match (count, has_arrived) {
        (1, false) => format!("1 message from {author}{place} is not here yet"),
        (1, true) => format!("the missing message from {author}{place} has arrived"),
        (_, false) => format!("{count} messages from {author}{place} are not here yet"),
        (_, true) => format!("the {count} missing messages from {author}{place} have arrived"),
    }
}

/// Says how far a clock is off, in the largest unit of which it is at least two; nobody sets a clock by more than that.
pub(super) fn apart(by_ms: i64) -> String {
    const UNITS: [(u64, &str); 4] = [(365 * 86_400, "years"), (86_400, "days"), (3600, "h"), (60, "min")];
    let seconds = match by_ms.unsigned_abs() / 1000 {
        seconds @ 0..120 => seconds,
        seconds => (seconds + 30) / 60 * 60,
    };
    let side = if by_ms < 0 { "behind" } else { "ahead of" };
    let coarse = UNITS.iter().find(|(unit, _)| seconds >= 2 * unit);
    let (count, unit) = coarse.map_or((seconds, "s"), |(length, name)| ((seconds + length / 2) / length, name));
    format!("{count} {unit} {side}")
}

/// How long something is ago, in the largest unit of which it is at least one.
pub(super) fn age(ms: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(86_400, "d"), (3600, "h"), (60, "min")];
    let seconds = ms / 1000;
    let coarse = UNITS.iter().find(|(unit, _)| seconds >= *unit);
    coarse.map_or_else(|| "under 1 min".to_owned(), |(length, name)| format!("{} {name}", seconds / length))
}

/// A count and what is counted.
pub(super) fn counted<N: Copy + fmt::Display + PartialEq + From<u8>>(count: N, what: &str) -> String {
    let plural = if count == N::from(1) { "" } else { "s" };
    format!("{count} {what}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_another_day_is_told_with_its_date() {
        let zone = jiff::tz::TimeZone::fixed(jiff::tz::offset(2));
        let noon = jiff::Timestamp::UNIX_EPOCH.to_zoned(zone);
        let at = |minutes: u64| clock_time(Timestamp::from_ms(minutes * 60_000), &noon);
        assert_eq!([at(75), at(75 + 48 * 60)], ["03:15", "1970-01-03 03:15"]);
        assert!(clock_time(Timestamp::from_u64(u64::MAX), &noon).starts_with("9999-12-3"), "the end of the calendar");
    }

    #[test]
    fn an_age_is_told_in_its_largest_unit() {
        let ages = [0, 59, 60, 3599, 3600, 86_399, 86_400, 200_000].map(|seconds| age(seconds * 1000));
        assert_eq!(ages, ["under 1 min", "under 1 min", "1 min", "59 min", "1 h", "23 h", "1 d", "2 d"]);
    }
}

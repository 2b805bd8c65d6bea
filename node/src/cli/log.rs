//! `muster log`: stored messages on standard output, and those that come.

use std::collections::VecDeque;
use std::io::{self, Write};

use clap::Args;
use jiff::Zoned;
use muster_roles::GroupId;

use super::export::print;
use super::running::{client, failure, unexpected, wait_for};
use super::source::Source;
use super::stored::Ago;
use super::time;
use crate::api::Client;
use crate::config::Settings;
use crate::control::{Answer, Event, Export, Message, MessageId, Request};
use crate::error::CommandError;
use crate::export::Format;

/// Messages of the store that may come as events too: those told while the store was being read.
const SEAM_LEN: usize = 8192;

/// Print stored messages
///
/// They come from the running node, or from the store where none runs.
#[derive(Debug, Args)]
pub(super) struct LogArgs {
    /// Group to print [default: every group this member may read]
    group: Option<String>,

    /// Only messages since so long ago, such as 30m, 12h or 7d
    #[arg(long, env = "MUSTER_SINCE", value_name = "AGO")]
    since: Option<Ago>,

    /// Print one JSON object a line
    #[arg(long, env = "MUSTER_JSON")]
    json: bool,

    /// Go on with the messages that come, as long as the node runs
    #[arg(short, long, env = "MUSTER_FOLLOW")]
    follow: bool,
}

pub(super) fn run(settings: &Settings, args: LogArgs) -> Result<(), CommandError> {
    if args.follow {
        let client = client(settings)?;
        return wait_for(follow(&client, args));
    }
    let format = if args.json { Format::Jsonl } else { Format::Text };
    print(&Source::open(settings, args.group, args.since, format, &Zoned::now())?)
}

/// Prints what is stored and then what comes, each message once.
async fn follow(client: &Client, args: LogArgs) -> Result<(), CommandError> {
    let LogArgs { group, since, json, .. } = args;
    // Listening begins first, so that nothing is lost between the two.
    let mut hearing = client.hear(None).await.map_err(|error| failure(&error))?;
    let Answer::Groups { groups } = client.ask(&Request::Groups).await.map_err(|error| failure(&error))? else {
        return Err(unexpected());
    };
    let readable = groups.into_iter().map(|group| group.choice.id);
    let wanted: Vec<GroupId> = readable.filter(|id| group.as_deref().is_none_or(|name| name == id.as_str())).collect();
    let mut printer = Printer { json, with_group: wanted.len() > 1, printed: VecDeque::new(), rest: Vec::new() };
    let since_ms = since.map(|ago| ago.before(time::now()).ms());
    let export = Export { group, since_ms, format: Format::Jsonl, zone: None };
    client.export(&export, &mut printer).await.map_err(|error| failure(&error))?;
    while let Some(heard) = hearing.next().await.map_err(|error| failure(&error))? {
        match heard.event {
            Event::Message(message) => printer.message(&message, &wanted)?,
            Event::Late { groups } => {
                let late = groups.iter().flat_map(|late| &late.messages);
                late.into_iter().try_for_each(|message| printer.message(message, &wanted))?;
                let older: u64 = groups.iter().filter(|late| wanted.contains(&late.group)).map(|late| late.older).sum();
                if older > 0 {
                    let more = writeln!(io::stderr(), "{older} older messages came too: `muster log` lists them");
                    more.map_err(|error| CommandError::output(&error))?;
                }
            }
            Event::Missed { .. } => {
                return Err(CommandError::failed(
                    "messages came faster than they were printed, and some are missing here",
                )
                .with_hint("`muster log` lists them all".to_owned()));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Prints messages as they come, each once.
struct Printer {
    json: bool,
    with_group: bool,
    /// What has been printed from the store last.
    printed: VecDeque<MessageId>,
    /// What has come of a line.
    rest: Vec<u8>,
}

/// A stored message as it is exported.
#[derive(serde::Deserialize)]
struct Line {
    id: MessageId,
    group: GroupId,
    author: String,
    time: String,
    text: crate::control::Text,
}

impl Printer {
    fn line(&mut self, line: &[u8]) -> io::Result<()> {
        let Line { id, group, author, time, text } = serde_json::from_slice(line)?;
        let mut out = io::stdout().lock();
        if self.json {
            out.write_all(line)?;
            out.write_all(b"\n")?;
        } else {
            let instant: jiff::Timestamp = time.parse().map_err(io::Error::other)?;
            let ms = u64::try_from(instant.as_millisecond()).unwrap_or(0);
            self.text(&mut out, ms, &group, &author, &text)?;
        }
        if self.printed.len() >= SEAM_LEN {
            self.printed.pop_front();
        }
        self.printed.push_back(id);
        Ok(())
    }

    fn text(
        &self,
        out: &mut impl Write,
        ms: u64,
        group: &GroupId,
        author: &str,
        text: &crate::control::Text,
    ) -> io::Result<()> {
        let place = if self.with_group { format!("[{group}] ") } else { String::new() };
        writeln!(out, "{}  {place}{author}: {text}", time::local(muster_roles::Timestamp::from_ms(ms)))
    }

    fn message(&mut self, message: &Message, wanted: &[GroupId]) -> Result<(), CommandError> {
        if !wanted.contains(&message.group) || self.printed.contains(&message.id) {
            return Ok(());
        }
        let mut out = io::stdout().lock();
        let written = if self.json {
            writeln!(out, "{}", crate::control::line("", &Event::Message(message.clone())))
        } else {
            self.text(&mut out, message.time.ms(), &message.group, message.author.as_str(), &message.text)
        };
        written.and_then(|()| out.flush()).map_err(|error| CommandError::output(&error))
    }
}

impl Write for Printer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.rest.extend(bytes);
        while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            self.line(line.strip_suffix(b"\n").unwrap_or(&line))?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stdout().flush()
    }
}

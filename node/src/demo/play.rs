//! Playing the script, and judging what the screens show.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::Tell;
use super::cast::{CAST, Part};
use super::script::{EXPORTER, PLAY, SAVED, Step};
use super::stage::{Stage, StageError};
use crate::error::{CommandError, Kind};

/// How long one step may take on a machine that is busy with other things; usually it takes milliseconds.
const STEP_LIMIT: Duration = Duration::from_secs(10);

/// A screen that shows something else than it must.
#[derive(Debug, thiserror::Error)]
enum WrongScreen {
    #[error("{name}'s screen shows what it must not: {line}")]
    Forbidden { name: &'static str, line: String },
    #[error("{name}'s screen does not show this just once: {line}")]
    NotOnce { name: &'static str, line: String },
}

/// How the play went.
#[derive(Debug)]
pub(super) struct Tally {
    /// Messages said.
    pub(super) messages: usize,
    /// Lines with a message, over all screens.
    pub(super) lines: usize,
    /// The longest time from a typed line to its message on the last screen.
    pub(super) slowest: Duration,
}

/// Plays the whole script.
pub(super) fn play(stage: &mut Stage, tell: Tell<'_>) -> Result<Tally, CommandError> {
    let mut tally = Tally { messages: 0, lines: 0, slowest: Duration::ZERO };
    for step in PLAY {
        match step {
            Step::Scene(text) => tell(&format!("  {text}"))?,
            Step::Says { who, group, text } => {
                let took = say(stage, who, group, text)?;
                tally.messages += 1;
                tally.lines += CAST.iter().filter(|part| part.reads(group)).count();
                tally.slowest = tally.slowest.max(took);
            }
            Step::Types { who, line, answer } => type_command(stage, who, line, answer)?,
        }
    }
    Ok(tally)
}

/// Types a message and waits until everybody who may read it sees it.
fn say(stage: &mut Stage, who: &'static str, group: &str, text: &str) -> Result<Duration, StageError> {
    let started = Instant::now();
    stage.type_line(who, text)?;
    let missing = |stage: &Stage| -> Vec<&'static str> {
        let lacks = |part: &Part, screen: &[String]| !screen.contains(&message(part, who, group, text));
        let readers = stage.screens().filter(|(part, _)| part.reads(group));
        readers.filter(|(part, screen)| lacks(part, screen)).map(|(part, _)| part.name).collect()
    };
    let awaited = |stage: &Stage| format!("{who}'s message {text:?} appearing at {}", missing(stage).join(", "));
    stage.wait(STEP_LIMIT, awaited, |stage| missing(stage).is_empty())?;
    Ok(started.elapsed())
}

/// Types a command and waits for the answer.
fn type_command(stage: &mut Stage, who: &'static str, line: &str, answer: &str) -> Result<(), StageError> {
    let before = stage.screen(who).len();
    stage.type_line(who, line)?;
    let awaited = |stage: &Stage| {
        let shown = stage.screen(who).get(before..).unwrap_or_default();
        format!("an answer {answer:?} to {who}'s line {line:?}, but {shown:?}")
    };
    let answered = |stage: &Stage| stage.screen(who).iter().skip(before).any(|shown| shown.starts_with(answer));
    stage.wait(STEP_LIMIT, awaited, answered)
}

/// Makes sure that every screen shows all the messages its member may read, each once, and no other.
pub(super) fn judge(stage: &Stage) -> Result<(), CommandError> {
    for (part, screen) in stage.screens() {
        let must = messages_for(part);
        let shown: Vec<&String> = screen.iter().filter(|line| line.starts_with('[')).collect();
        if let Some(line) = shown.iter().find(|line| !must.contains(line)) {
            let line = line.to_string();
            return Err(wrong(&WrongScreen::Forbidden { name: part.name, line }));
        }
        for line in must {
            if shown.iter().filter(|shown| ***shown == line).count() != 1 {
                return Err(wrong(&WrongScreen::NotOnce { name: part.name, line }));
            }
        }
    }
    Ok(())
}

fn wrong(screen: &WrongScreen) -> CommandError {
    CommandError::from_error(Kind::Failed, screen)
}

/// All the messages a member must see in the play, as its screen shows them.
fn messages_for(part: &Part) -> Vec<String> {
    let message = |step: &Step| match *step {
        Step::Says { who, group, text } if part.reads(group) => Some(message(part, who, group, text)),
        _ => None,
    };
    PLAY.iter().filter_map(message).collect()
}

/// A message as the screen of `part` shows it.
fn message(part: &Part, who: &str, group: &str, text: &str) -> String {
    let me = if part.name == who { " (me)" } else { "" };
    format!("[{group}] {who}{me}: {text}")
}

/// Where the export went, as its member was told.
pub(super) fn export_path(stage: &Stage) -> Option<PathBuf> {
    let answer = stage.screen(EXPORTER).iter().find(|line| line.starts_with(SAVED))?;
    let (_, path) = answer.split_once(" to ")?;
    // The node was told in its home's terms; collected anew, the path is without a `.` in the middle.
    Some(stage.home(EXPORTER).join(path).components().collect())
}

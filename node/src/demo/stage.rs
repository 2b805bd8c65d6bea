//! The nodes that play, each a process of its own: what is typed to them, and what they show.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::cast::Part;
use super::signals;

/// How long the nodes may take to end when their input has ended, before they are killed.
const EXIT_LIMIT: Duration = Duration::from_secs(3);

/// How often an ending process is looked at.
const GLANCE: Duration = Duration::from_millis(10);

/// What went wrong on the stage.
#[derive(Debug, thiserror::Error)]
pub(super) enum StageError {
    #[error("{name}'s node could not be started")]
    Start { name: &'static str, source: io::Error },
    #[error("{name}'s node ended by itself{}", said(.errors))]
    Gone { name: &'static str, errors: String },
    #[error("{name}'s node takes no input")]
    Input { name: &'static str, source: io::Error },
    #[error("{name}'s node did not end well: {status}{}", said(.errors))]
    BadEnd { name: &'static str, status: ExitStatus, errors: String },
    #[error("{name} is not on stage")]
    Absent { name: String },
    #[error("in {}.{} s {awaited} did not happen", .bound.as_secs(), .bound.subsec_millis() / 100)]
    TooLate { bound: Duration, awaited: String },
    #[error("interrupted")]
    Interrupted,
    #[error("signals cannot be caught")]
    Signals(#[source] io::Error),
}

fn said(errors: &str) -> String {
    if errors.is_empty() { String::new() } else { format!(", saying:\n{errors}") }
}

/// Something that happens on or around the stage.
enum Cue {
    /// A node printed a line.
    Line { actor: usize, line: String },
    /// A node's output ended.
    End { actor: usize },
    /// The demo is told to end.
    Interrupt,
}

/// One member's node.
struct Actor {
    part: &'static Part,
    home: PathBuf,
    child: Child,
    /// Where its lines are typed; none once it has been asked to leave.
    input: Option<ChildStdin>,
    reader: Option<JoinHandle<()>>,
    screen: Vec<String>,
    has_ended: bool,
}

/// All the nodes; they end when it is dropped.
pub(super) struct Stage {
    folder: PathBuf,
    actors: Vec<Actor>,
    cues: Receiver<Cue>,
    cue: Sender<Cue>,
}

impl Stage {
    /// An empty stage, for the members whose homes lie in `folder`; from now on a signal to end is a cue.
    pub(super) fn open(folder: &Path) -> Result<Self, StageError> {
        let (cue, cues) = channel();
        let interrupt = cue.clone();
        // The stage may be gone by the time the signal comes.
        signals::on_end(move || drop(interrupt.send(Cue::Interrupt))).map_err(StageError::Signals)?;
        Ok(Self { folder: folder.to_owned(), actors: Vec::new(), cues, cue })
    }

    /// A member's home, in which its node works.
    pub(super) fn home(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Starts a member's node in plain mode.
    pub(super) fn enter(&mut self, part: &'static Part, args: &[String]) -> Result<(), StageError> {
        let name = part.name;
        let home = self.home(name);
        let start = || {
            let mut command = node(&home, args)?;
            command.arg("--plain").stdin(Stdio::piped()).stdout(Stdio::piped());
            command.stderr(File::create(errors_path(&home))?);
            // A group of its own: what a person types to end the chat at the terminal must not end everybody's.
            #[cfg(unix)]
            std::os::unix::process::CommandExt::process_group(&mut command, 0);
            command.spawn()
        };
        let mut child = start().map_err(|source| StageError::Start { name, source })?;
        let input = child.stdin.take();
        let reader = child.stdout.take().map(|output| self.read(output, self.actors.len()));
        self.actors.push(Actor { part, home, child, input, reader, screen: Vec::new(), has_ended: false });
        Ok(())
    }

    fn read(&self, output: ChildStdout, actor: usize) -> JoinHandle<()> {
        let cue = self.cue.clone();
        thread::spawn(move || {
            // A line that is not text ends the screen like the end of output does: it will be missed and reported.
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if cue.send(Cue::Line { actor, line }).is_err() {
                    return;
                }
            }
            let _nobody_waits = cue.send(Cue::End { actor });
        })
    }

    /// Types a line at a member's node.
    pub(super) fn type_line(&mut self, name: &str, line: &str) -> Result<(), StageError> {
        let actor = self.actor_mut(name)?;
        let name = actor.part.name;
        let Some(input) = &mut actor.input else { return Err(StageError::Absent { name: name.to_owned() }) };
        writeln!(input, "{line}").map_err(|source| StageError::Input { name, source })
    }

    /// Waits until something is so, at most for `bound`; `awaited` says what, should it not become so.
    pub(super) fn wait(
        &mut self,
        bound: Duration,
        awaited: impl Fn(&Self) -> String,
        is_so: impl Fn(&Self) -> bool,
    ) -> Result<(), StageError> {
        let deadline = Instant::now() + bound;
        while !is_so(self) {
            match self.cues.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(cue) => self.take(cue)?,
                // The stage holds a sender itself: there is no other way for this to fail.
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    return Err(StageError::TooLate { bound, awaited: awaited(self) });
                }
            }
        }
        Ok(())
    }

    fn take(&mut self, cue: Cue) -> Result<(), StageError> {
        match cue {
            Cue::Interrupt => return Err(StageError::Interrupted),
            Cue::Line { actor, line } => {
                if let Some(actor) = self.actors.get_mut(actor) {
                    actor.screen.push(line);
                }
            }
            Cue::End { actor } => {
                if let Some(actor) = self.actors.get_mut(actor) {
                    actor.has_ended = true;
                    if actor.input.is_some() {
                        return Err(StageError::Gone { name: actor.part.name, errors: actor.errors() });
                    }
                }
            }
        }
        Ok(())
    }

    /// Who is on stage, with all the lines on each one's screen.
    pub(super) fn screens(&self) -> impl Iterator<Item = (&'static Part, &[String])> {
        self.actors.iter().map(|actor| (actor.part, actor.screen.as_slice()))
    }

    /// The lines on a member's screen; none for one that is not on stage.
    pub(super) fn screen(&self, name: &str) -> &[String] {
        self.screens().find(|(part, _)| part.name == name).map_or(&[], |(_, screen)| screen)
    }

    /// Lets one member's node end, and waits for it.
    pub(super) fn leave(&mut self, name: &str) -> Result<(), StageError> {
        let actor = self.actor_mut(name)?;
        actor.input = None;
        actor.end(Instant::now() + EXIT_LIMIT)
    }

    /// Lets everybody's node end, and waits for all; what they still print is on their screens then.
    pub(super) fn close(&mut self) -> Result<(), StageError> {
        self.actors.iter_mut().for_each(|actor| actor.input = None);
        let deadline = Instant::now() + EXIT_LIMIT;
        // Every one of them, whatever the one before did.
        let ends: Vec<_> = self.actors.iter_mut().map(|actor| actor.end(deadline)).collect();
        while let Ok(cue) = self.cues.try_recv() {
            self.take(cue)?;
        }
        ends.into_iter().collect()
    }

    /// Runs a member's node at the terminal for the person who sits there, until that one leaves.
    pub(super) fn hand_over(&mut self, name: &str, args: &[String]) -> Result<(), StageError> {
        self.leave(name)?;
        let actor = self.actor_mut(name)?;
        let name = actor.part.name;
        let started = node(&actor.home, args).and_then(|mut command| command.spawn());
        let mut person = Person(started.map_err(|source| StageError::Start { name, source })?);
        let status = loop {
            match person.0.try_wait() {
                Ok(Some(status)) => break status,
                Ok(None) => {}
                Err(source) => return Err(StageError::Start { name, source }),
            }
            while let Ok(cue) = self.cues.try_recv() {
                self.take(cue)?;
            }
            thread::sleep(GLANCE);
        };
        if status.success() { Ok(()) } else { Err(StageError::BadEnd { name, status, errors: String::new() }) }
    }

    fn actor_mut(&mut self, name: &str) -> Result<&mut Actor, StageError> {
        let found = self.actors.iter_mut().find(|actor| actor.part.name == name);
        found.ok_or_else(|| StageError::Absent { name: name.to_owned() })
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // Whatever they say now, nobody asks for it any more.
        let _unasked = self.close();
    }
}

impl Actor {
    /// Waits for a node whose input has ended; kills it when the time has come.
    fn end(&mut self, deadline: Instant) -> Result<(), StageError> {
        let name = self.part.name;
        let status = loop {
            match self.child.try_wait() {
                Ok(Some(status)) => break Ok(status),
                Ok(None) if Instant::now() < deadline => thread::sleep(GLANCE),
                Ok(None) => break self.child.kill().and_then(|()| self.child.wait()),
                Err(error) => break Err(error),
            }
        };
        let status = status.map_err(|source| StageError::Start { name, source })?;
        if let Some(reader) = self.reader.take() {
            // It has nothing to panic about; should it, lines are missing and that is reported.
            let _all_read = reader.join();
        }
        if status.success() { Ok(()) } else { Err(StageError::BadEnd { name, status, errors: self.errors() }) }
    }

    /// What the node wrote to its standard error.
    fn errors(&self) -> String {
        fs::read_to_string(errors_path(&self.home)).unwrap_or_default().trim_end().to_owned()
    }
}

/// The node at the terminal; killed when dropped, unless it has ended.
struct Person(Child);

impl Drop for Person {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// A command that runs this very program's node on a home, untouched by settings that are meant for other nodes.
fn node(home: &Path, args: &[String]) -> io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    for (key, _) in std::env::vars_os() {
        if key.to_string_lossy().starts_with("MUSTER_") {
            command.env_remove(key);
        }
    }
    command.arg("--home").arg(home).arg("start").args(args).current_dir(home);
    Ok(command)
}

fn errors_path(home: &Path) -> PathBuf {
    home.join("errors.log")
}

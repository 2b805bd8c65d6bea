//! What a command tells the person when it could not do what it was asked.

use std::error::Error;
use std::fmt;
use std::io;

/// What kind of failure it was; the process's exit code follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The request could not be carried out.
    Failed,
    /// The request itself made no sense.
    Usage,
    /// The home's store or roster is damaged, or in use by another process.
    Store,
    /// Whoever read the command's output has gone, as `head` does: nobody is left to be told.
    ReaderGone,
}

impl Kind {
    /// The process's exit code.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::ReaderGone => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Store => 3,
        }
    }
}

/// A command's failure in words for a person: what, why, and the next step.
#[derive(Debug)]
pub struct CommandError {
    kind: Kind,
    message: String,
    causes: Vec<String>,
    hint: Option<String>,
}

impl CommandError {
    /// A request that could not be carried out.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(Kind::Failed, message)
    }

    /// A request that makes no sense.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }

    /// A damaged or locked store.
    pub fn store(message: impl Into<String>) -> Self {
        Self::new(Kind::Store, message)
    }

    /// The command's output could not be written.
    #[must_use]
    pub fn output(error: &io::Error) -> Self {
        let kind = match error.kind() {
            io::ErrorKind::BrokenPipe => Kind::ReaderGone,
            _ => Kind::Failed,
        };
        Self::new(kind, "the output could not be written").because(error)
    }

    fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), causes: Vec::new(), hint: None }
    }

    /// Turns a library's error into a failure of this kind: its message, and its sources as causes.
    pub fn from_error(kind: Kind, error: &dyn Error) -> Self {
        let mut failure = Self::new(kind, error.to_string());
        failure.add_sources(error);
        failure
    }

    /// Adds why it failed: an error, and what was behind that.
    #[must_use]
    pub fn because(mut self, error: &dyn Error) -> Self {
        self.causes.push(error.to_string());
        self.add_sources(error);
        self
    }

    /// Adds the next step, replacing one given before.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<Option<String>>) -> Self {
        self.hint = hint.into();
        self
    }

    /// What kind of failure it is.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// What happened and why, in one line.
    #[must_use]
    pub fn in_one_line(&self) -> String {
        std::iter::once(self.message.as_str())
            .chain(self.causes.iter().map(String::as_str))
            .collect::<Vec<_>>()
            .join(": ")
    }

    /// The next step, if there is one to give.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    fn add_sources(&mut self, error: &dyn Error) {
        let mut source = error.source();
        while let Some(cause) = source {
            let text = cause.to_string();
            // Some errors repeat their source in their own message.
            if self.causes.last() != Some(&text) && self.message != text {
                self.causes.push(text);
            }
            source = cause.source();
        }
    }
}

/// The whole report, a line each: `error:`, `because:` for every cause, `hint:`.
impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.message)?;
        for cause in &self.causes {
            write!(f, "\n  because: {cause}")?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\nhint: {hint}")?;
        }
        Ok(())
    }
}

impl Error for CommandError {}

impl From<muster_keys::LoadError> for CommandError {
    fn from(error: muster_keys::LoadError) -> Self {
        Self::from_error(Kind::Failed, &error).with_hint(error.hint())
    }
}

impl From<muster_keys::UnlockError> for CommandError {
    fn from(error: muster_keys::UnlockError) -> Self {
        Self::from_error(Kind::Failed, &error).with_hint(error.hint())
    }
}

impl From<muster_keys::CreateError> for CommandError {
    fn from(error: muster_keys::CreateError) -> Self {
        Self::from_error(Kind::Failed, &error).with_hint(error.hint())
    }
}

impl From<muster_keys::RandomError> for CommandError {
    fn from(error: muster_keys::RandomError) -> Self {
        Self::from_error(Kind::Failed, &error)
    }
}

impl From<muster_roles::EditError> for CommandError {
    fn from(error: muster_roles::EditError) -> Self {
        Self::from_error(Kind::Failed, &error).with_hint(error.hint())
    }
}

impl From<muster_roles::ProposalError> for CommandError {
    fn from(error: muster_roles::ProposalError) -> Self {
        Self::from_error(Kind::Failed, &error).with_hint(error.hint())
    }
}

impl From<crate::disk::OpenError> for CommandError {
    fn from(error: crate::disk::OpenError) -> Self {
        let kind = match error {
            crate::disk::OpenError::Io { .. } => Kind::Failed,
            _ => Kind::Store,
        };
        Self::from_error(kind, &error).with_hint(error.hint())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot read the plan")]
    struct Outer(#[source] io::Error);

    fn disk_full() -> io::Error {
        io::Error::new(io::ErrorKind::StorageFull, "no space left")
    }

    #[test]
    fn a_report_names_what_why_and_the_next_step() {
        let error = CommandError::failed("the member was not added")
            .because(&Outer(disk_full()))
            .with_hint("make room".to_owned());
        assert_eq!(
            error.to_string(),
            "error: the member was not added\n  because: cannot read the plan\n  because: no space left\nhint: make room"
        );
    }

    #[test]
    fn a_library_error_gives_the_message_and_its_sources_the_causes() {
        let error = CommandError::from_error(Kind::Store, &Outer(disk_full()));
        assert_eq!(error.to_string(), "error: cannot read the plan\n  because: no space left");
    }

    #[test]
    fn the_exit_code_follows_from_the_kind() {
        assert_eq!(CommandError::failed("x").kind().exit_code(), 1);
        assert_eq!(CommandError::usage("x").kind().exit_code(), 2);
        assert_eq!(CommandError::store("x").kind().exit_code(), 3);
    }

    #[test]
    fn a_reader_that_has_gone_is_no_failure() {
        let gone = CommandError::output(&io::ErrorKind::BrokenPipe.into());
        assert_eq!(gone.kind().exit_code(), 0);
        assert_eq!(CommandError::output(&disk_full()).kind(), Kind::Failed);
    }
}

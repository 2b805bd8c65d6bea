//! The terminal's own settings, as the line editor wants them between two prompts.

/// A terminal that shows nothing by itself and interprets no key; set back when dropped.
///
/// rustyline sets it so while a prompt stands, and back to what it found in between. What is typed just then would be
/// shown where the next message is about to be printed, and Ctrl-C would reach the node instead of the prompt.
#[derive(Debug)]
pub(super) struct Quiet {
    #[cfg(target_os = "linux")]
    before: nix::sys::termios::Termios,
}

#[cfg(target_os = "linux")]
impl Quiet {
    /// Quietens the terminal on standard input.
    ///
    /// # Errors
    /// Standard input is no terminal.
    pub(super) fn new() -> std::io::Result<Self> {
        use nix::sys::termios::{LocalFlags, SetArg, tcgetattr, tcsetattr};
        let before = tcgetattr(std::io::stdin())?;
        let mut quiet = before.clone();
        quiet.local_flags.remove(LocalFlags::ECHO | LocalFlags::ICANON | LocalFlags::ISIG);
        tcsetattr(std::io::stdin(), SetArg::TCSADRAIN, &quiet)?;
        Ok(Self { before })
    }
}

#[cfg(target_os = "linux")]
impl Drop for Quiet {
    fn drop(&mut self) {
        use nix::sys::termios::{SetArg, tcsetattr};
        if let Err(error) = tcsetattr(std::io::stdin(), SetArg::TCSADRAIN, &self.before) {
            tracing::debug!(%error, "the terminal could not be set back");
        }
    }
}

#[cfg(not(target_os = "linux"))]
impl Quiet {
    /// Leaves the terminal as it is.
    #[allow(clippy::unnecessary_wraps, reason = "fails where it does something")]
    pub(super) fn new() -> std::io::Result<Self> {
        Ok(Self {})
    }
}

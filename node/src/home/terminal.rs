//! Asking the person at the terminal, if there is one.

use std::io::{self, BufRead, IsTerminal, Write};

use muster_keys::Passphrase;

/// Whether somebody is there to be asked: a script's input must never be waited for, nor eaten.
pub(crate) fn is_attended() -> bool {
    io::stdin().is_terminal()
}

/// Asks for a passphrase, which is not shown while it is typed.
pub(crate) fn ask_passphrase(prompt: &str) -> io::Result<Passphrase> {
    rpassword::prompt_password(prompt).map(Passphrase::from)
}

/// Asks for a line; `None` at the end of input.
pub(crate) fn ask_line(prompt: &str) -> io::Result<Option<String>> {
    // On standard error, so that a command's output can be piped while its question is still seen.
    let mut stderr = io::stderr();
    write!(stderr, "{prompt}")?;
    stderr.flush()?;
    let mut line = String::new();
    match io::stdin().lock().read_line(&mut line)? {
        0 => Ok(None),
        _ => Ok(Some(line.trim().to_owned())),
    }
}

//! The `muster` program: reads the command line, runs the command, and says what went wrong.

use std::process::ExitCode;

use muster::cli::Cli;
use muster::error::Kind;

#[allow(clippy::print_stderr, reason = "the one place where a failure is told")]
fn main() -> ExitCode {
    match Cli::read(std::env::args_os()).and_then(Cli::run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if error.kind() != Kind::ReaderGone {
                eprintln!("{error}");
            }
            ExitCode::from(error.kind().exit_code())
        }
    }
}

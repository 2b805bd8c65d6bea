//! `muster completions`: what a shell needs to complete commands and flags.

use clap::Args;
use clap_complete::Shell;

use super::command;
use super::output::Output;
use crate::error::CommandError;

/// Print the completions for a shell
///
/// For bash: `muster completions bash > ~/.local/share/bash-completion/completions/muster`. The Debian package installs
/// them for bash, zsh and fish.
#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    /// Shell to complete in
    #[arg(value_enum)]
    shell: Shell,
}

pub(super) fn run(args: &CompletionsArgs, output: &mut Output) -> Result<(), CommandError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command(), "muster", &mut script);
    output.text(&script)
}

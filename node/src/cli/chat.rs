//! `muster chat`: a chat on the node that runs already.

use clap::Args;
use tokio::sync::mpsc;

use super::attached::{Ended, attend};
use super::running::{client, failure, wait_for};
use super::screen::Screen;
use crate::config::Settings;
use crate::control::SCREEN_QUEUE_LEN;
use crate::error::CommandError;

/// Open a chat on the running node
///
/// Any number of chats can be open at once; leaving one leaves the node running. `:shutdown` ends the node.
#[derive(Debug, Args)]
pub(super) struct ChatArgs {
    /// Plain lines in and out, also at a terminal
    #[arg(long, env = "MUSTER_PLAIN")]
    plain: bool,

    /// Lines in, and one JSON object a line out
    #[arg(long, env = "MUSTER_JSON")]
    json: bool,

    /// Do not ring the terminal's bell for what is urgent
    #[arg(long, env = "MUSTER_NO_BELL")]
    no_bell: bool,
}

pub(super) fn run(settings: &Settings, args: &ChatArgs) -> Result<(), CommandError> {
    let client = client(settings)?;
    let screen = Screen::choose(args.plain, args.json, false);
    let screen = if args.no_bell { screen.silent() } else { screen };
    wait_for(async {
        let hearing = client.hear(None).await.map_err(|error| failure(&error))?;
        let (asks, asked) = mpsc::channel(SCREEN_QUEUE_LEN);
        let (told, shown) = mpsc::channel(SCREEN_QUEUE_LEN);
        let attended = tokio::spawn(attend(client, hearing, asked, told));
        screen.show(asks, shown).await.map_err(|error| CommandError::failed("the screen failed").because(&error))?;
        match attended.await {
            Ok(Ok(Ended::Left)) => Ok(()),
            Ok(Ok(Ended::WithNode)) => {
                Err(CommandError::failed("the node has ended")
                    .with_hint("start it again with `muster start`".to_owned()))
            }
            Ok(Err(error)) => Err(failure(&error)),
            Err(error) => Err(CommandError::failed("the chat failed").because(&error)),
        }
    })
}

//! `muster demo`: a whole unit on this machine, touching no real network.

use clap::Args;

use super::output::Output;
use super::time;
use crate::demo::{self, Options};
use crate::error::CommandError;

/// Let a whole unit talk on this machine, and show every member's screen
///
/// Ten real nodes find each other and talk as commander, leaders and soldiers; what each member sees is shown and
/// checked. No packet leaves the machine, and nothing is left behind.
#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    /// Sit down as this member once the others have talked: Chief, or Army1 to Army3, Navy1 to Navy3, Air1 to Air3
    #[arg(long = "as", env = "MUSTER_AS", value_name = "NAME")]
    join_as: Option<String>,

    /// Leave the homes behind
    #[arg(long, env = "MUSTER_KEEP")]
    keep: bool,

    /// Use this machine's loopback also where the demo could have a network of its own
    #[arg(long, env = "MUSTER_LOOPBACK")]
    loopback: bool,

    /// Only try whether the demo could have a network of its own
    #[arg(long, env = "MUSTER_TRY_NAMESPACE", hide = true)]
    try_namespace: bool,
}

pub(super) fn run(args: DemoArgs, output: &mut Output) -> Result<(), CommandError> {
    if args.try_namespace {
        return Ok(demo::enter_namespace()?);
    }
    let DemoArgs { join_as, keep, loopback, .. } = args;
    demo::run(&Options { join_as, keep, loopback }, time::now(), &mut |line| output.line(line))
}

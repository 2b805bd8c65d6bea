//! `muster start`: the node, with a chat at the terminal, plain lines for scripts, or nobody at all.

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use libp2p::Multiaddr;
use muster_roles::{Roster, Timestamp};
use tokio::sync::{mpsc, watch};

use super::first_run::{self, Led};
use crate::config::Settings;
use crate::control::{Event, Node, SCREEN_QUEUE_LEN, Told, attend};
use crate::disk::Disk;
use crate::driver::{self, Parts};
use crate::error::{CommandError, Kind};
use crate::home::{Locking, Opened};
use crate::log::{self, LogTo};
use crate::net::{self, Carry, Place};
use crate::ui;

/// Where a node listens unless told otherwise: every interface, a port that is free, TCP and QUIC.
const DEFAULT_LISTEN: [&str; 2] = ["/ip4/0.0.0.0/tcp/0", "/ip4/0.0.0.0/udp/0/quic-v1"];

#[derive(Debug, Args)]
pub(super) struct StartArgs {
    /// Run without a screen, until told to end; with --plain, lines are taken and shown past the end of input too
    #[arg(long, env = "MUSTER_HEADLESS")]
    headless: bool,

    /// Plain lines in and out, also at a terminal
    #[arg(long, env = "MUSTER_PLAIN")]
    plain: bool,

    /// Address to listen on, such as /ip4/0.0.0.0/tcp/4001; once for each
    #[arg(long, env = "MUSTER_LISTEN", value_name = "ADDR", value_delimiter = ',', default_values = DEFAULT_LISTEN)]
    pub(super) listen: Vec<Multiaddr>,

    /// Address of a node to connect to, such as /dns4/base.example.org/tcp/4001, for where multicast does not reach;
    /// once for each
    #[arg(long, env = "MUSTER_DIAL", value_name = "ADDR", value_delimiter = ',')]
    pub(super) dial: Vec<Multiaddr>,

    /// Do not look for nodes on the local network, nor announce this one
    #[arg(long, env = "MUSTER_NO_MDNS")]
    pub(super) no_mdns: bool,

    /// Whose sealed messages to store and pass on
    #[arg(long, env = "MUSTER_CARRY", value_enum, default_value_t = CarryArg::All)]
    carry: CarryArg,
}

/// The words of `--carry`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum CarryArg {
    /// Every group's, so that two members whose only link is this node still talk
    All,
    /// Only those of groups this member may read
    Own,
}

/// How the person, if there is one, sits at the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Screen {
    Chat,
    Plain,
    /// Plain, and the end of input does not end the node.
    PlainToTheEnd,
    /// None: what is said must not get into the log of whatever runs the node.
    Nobody,
}

pub(super) fn run(settings: &Settings, args: StartArgs) -> Result<(), CommandError> {
    if args.is_attended() {
        let home = settings.home()?;
        if !home.has_unit() && first_run::lead(settings, &home)? == Led::NotYet {
            return Ok(());
        }
    }
    // The device's clock may be wrong; what is too old is dropped once the unit's time is known.
    let (home, opened) = settings.open(Locking::Take, Timestamp::ZERO)?;
    let screen = args.screen();
    let log_to = match screen {
        Screen::PlainToTheEnd | Screen::Nobody => LogTo::Stderr,
        Screen::Chat | Screen::Plain => LogTo::File(&home.log_path()),
    };
    log::init(log_to, &settings.log_level)?;
    let disk = Disk::open(&home.database_path())?;
    let Opened { identity, roster, member, lock: _lock } = opened;
    tracing::info!(member = %member.name, unit = %roster.unit().words(), version = roster.version(), "node starts");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| CommandError::failed("the node's tasks cannot be started").because(&error))?;
    let result = runtime.block_on(async {
        let roster = Arc::new(roster);
        let network = args.network(home.read_places());
        let carry = network.carry;
        let net = net::start(network, &identity, roster.clone())
            .map_err(|error| CommandError::from_error(Kind::Failed, &error))?;
        let (node, calls) = Node::new();
        let (stop_tx, stop) = watch::channel(false);
        let export_folders = vec![PathBuf::from("."), home.dir().to_owned()];
        let kept_in = home.clone();
        let keep_roster = Box::new(move |roster: &Roster| kept_in.write_roster(roster));
        let keep_places = Box::new(move |places: &[Place]| home.write_places(places));
        let ended_by = tokio::spawn(end_when_told(stop_tx));
        let shown = tokio::spawn(show(screen, node));
        let ran = driver::run(Parts {
            identity,
            roster,
            carry,
            disk,
            net,
            keep_roster,
            keep_places,
            export_folders,
            calls,
            stop,
        })
        .await;
        ended_by.abort();
        let shown = shown.await;
        ran.map_err(|error| CommandError::from_error(Kind::Failed, &error))?;
        match shown {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(CommandError::failed("the screen failed").because(&error)),
            Err(error) => Err(CommandError::failed("the screen failed").because(&error)),
        }
    });
    // A thread that waits for a line at the terminal cannot be woken; it ends with the process.
    runtime.shutdown_background();
    result
}

impl StartArgs {
    /// Whether somebody sits at the terminal who can be asked.
    fn is_attended(&self) -> bool {
        !self.headless && io::stdin().is_terminal() && io::stdout().is_terminal()
    }

    /// Whether a screen, or none, was asked for in so many words.
    pub(super) const fn goes_on(&self) -> bool {
        self.headless || self.plain
    }

    fn screen(&self) -> Screen {
        match (self.headless, self.plain) {
            (true, true) => Screen::PlainToTheEnd,
            (true, false) => Screen::Nobody,
            (false, false) if ui::suits_full_screen() => Screen::Chat,
            (false, _) => Screen::Plain,
        }
    }

    fn network(self, places: Vec<Place>) -> net::Config {
        let carry = match self.carry {
            CarryArg::All => Carry::All,
            CarryArg::Own => Carry::Own,
        };
        net::Config { listen: self.listen, dial: self.dial, places, mdns: !self.no_mdns, carry }
    }
}

async fn show(screen: Screen, node: Node) -> io::Result<()> {
    if screen == Screen::Nobody {
        node.ended().await;
        return Ok(());
    }
    let (asks, asked) = mpsc::channel(SCREEN_QUEUE_LEN);
    let (told, events) = mpsc::channel(SCREEN_QUEUE_LEN);
    let event = |told: Result<Arc<Told>, Event>| told.map_or_else(|answer| answer, |told| told.event.clone());
    tokio::spawn(attend(node, asked, told, event));
    match screen {
        Screen::Chat => ui::run_full(asks, events).await,
        Screen::Plain => ui::run_plain(asks, events, false).await,
        Screen::PlainToTheEnd => ui::run_plain(asks, events, true).await,
        Screen::Nobody => Ok(()),
    }
}

/// Waits for the signal to end that the platform sends a service or a person's Ctrl-C makes.
async fn end_when_told(stop: watch::Sender<bool>) {
    let interrupted = tokio::signal::ctrl_c();
    #[cfg(unix)]
    let told = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut terminate) => terminate.recv().await,
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let told = std::future::pending::<Option<()>>();
    tokio::select! {
        _ = interrupted => {}
        _ = told => {}
    }
    stop.send_replace(true);
}

//! `muster start`: the node, with a chat at the terminal, plain lines for scripts, or nobody at all.

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use libp2p::Multiaddr;
use muster_roles::{Roster, Timestamp};
use tokio::sync::{mpsc, watch};

use super::first_run::{self, Led};
use super::join::{self, JoinArgs};
use super::screen::{Screen, Shown};
use crate::api::{self, Listener};
use crate::config::Settings;
use crate::control::{Event, Node, SCREEN_QUEUE_LEN, Told, attend};
use crate::disk::Disk;
use crate::driver::{self, Ended, Parts};
use crate::error::{CommandError, Kind};
use crate::home::{Locking, Opened};
use crate::log::{self, LogTo};
use crate::net::{self, Carry, Place};

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

    /// Lines in, and one JSON object a line out
    #[arg(long, env = "MUSTER_JSON")]
    json: bool,

    /// Do not ring the terminal's bell for what is urgent
    #[arg(long, env = "MUSTER_NO_BELL")]
    no_bell: bool,

    /// Address to listen on, such as /ip4/0.0.0.0/tcp/4001; once for each
    #[arg(long, env = "MUSTER_LISTEN", value_name = "ADDR", value_delimiter = ',', default_values = DEFAULT_LISTEN)]
    pub(super) listen: Vec<Multiaddr>,

    /// Address of a node to connect to, such as /dns4/base.example.org/tcp/4001, for where multicast does not reach;
    /// once for each
    #[arg(long, env = "MUSTER_DIAL", value_name = "ADDR", value_delimiter = ',')]
    pub(super) dial: Vec<Multiaddr>,

    /// Do not tell others how far you have read
    #[arg(long, env = "MUSTER_NO_READ_RECEIPTS")]
    pub(super) no_read_receipts: bool,

    /// Do not look for nodes on the local network, nor announce this one
    #[arg(long, env = "MUSTER_NO_MDNS")]
    pub(super) no_mdns: bool,

    /// Whose sealed messages to store and pass on
    #[arg(long, env = "MUSTER_CARRY", value_enum, default_value_t = CarryArg::All)]
    carry: CarryArg,
}

/// Threads for the network and for what is asked of the node; the node's own loop has one more, the store another, and what is
/// checked as many as there are cores. While one has the handshakes of strangers to do, the other passes on what members say; at
/// rest each more is woken by most of what the others do.
const NETWORK_THREADS: usize = 2;

/// The words of `--carry`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum CarryArg {
    /// Every group's, so that two members whose only link is this node still talk
    All,
    /// Only those of groups this member may read
    Own,
}

pub(super) fn run(settings: &Settings, args: StartArgs) -> Result<(), CommandError> {
    if args.is_attended() {
        let home = settings.home()?;
        if !home.has_unit() {
            match first_run::lead(settings, &home)? {
                Led::Ready => {}
                Led::Join(name) => return join::run(settings, JoinArgs { name, start: args }),
                Led::NotYet => return Ok(()),
            }
        }
    }
    // The device's clock may be wrong; what is too old is dropped once the unit's time is known.
    let (home, opened) = settings.open(Locking::Take, Timestamp::ZERO)?;
    let screen = args.screen();
    let is_attended = screen.is_some_and(|screen| !screen.stays());
    let log_to = if is_attended { LogTo::File(&home.log_path()) } else { LogTo::Stderr };
    log::init(log_to, &settings.log_level)?;
    let disk = Disk::open(&home.database_path())?;
    let Opened { identity, roster, member, lock } = opened;
    tracing::info!(member = %member.name, unit = %roster.unit().words(), version = roster.version(), "node starts");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(NETWORK_THREADS)
        .enable_all()
        .build()
        .map_err(|error| CommandError::failed("the node's tasks cannot be started").because(&error))?;
    let result = runtime.block_on(async {
        let roster = Arc::new(roster);
        let is_discreet = args.no_read_receipts;
        let network = args.network(home.read_places());
        let carry = network.carry;
        let net = net::start(network, &identity, roster.clone())
            .map_err(|error| CommandError::from_error(Kind::Failed, &error))?;
        let (node, calls) = Node::new();
        let (stop_tx, stop) = watch::channel(false);
        let export_folders = vec![PathBuf::from("."), home.dir().to_owned()];
        let socket = home.socket_path();
        let (kept_in, to_wipe) = (home.clone(), home.clone());
        let keep_roster = Box::new(move |roster: &Roster| kept_in.write_roster(roster));
        let keep_places = Box::new(move |places: &[Place]| home.write_places(places));
        let ended_by = tokio::spawn(end_when_told(stop_tx));
        let (ending, ended) = watch::channel(false);
        let served = match Listener::open(&socket) {
            Ok(listener) => Some(tokio::spawn(api::serve(listener, node.clone(), ended))),
            Err(error) => {
                // Who talks to the unit must not be kept from it by a folder that takes no sockets.
                let error: &dyn std::error::Error = &error;
                tracing::warn!(error, "no chat and no command can reach this node");
                None
            }
        };
        let shown = tokio::spawn(show(screen, node));
        let ran = driver::run(Parts {
            identity,
            roster,
            carry,
            is_discreet,
            screen: screen.is_some(),
            disk,
            net,
            keep_roster,
            keep_places,
            export_folders,
            calls,
            stop,
        })
        .await;
        // Before anything else is waited for; the screens hear of the end meanwhile.
        let wiped = match (&ran, lock) {
            (Ok(Ended::ToBeWiped), Some(lock)) => to_wipe.wipe(lock).map(drop),
            _ => Ok(()),
        };
        ended_by.abort();
        ending.send_replace(true);
        if let Some(served) = served {
            // Bounded by itself; a task that failed has nothing to add.
            drop(served.await);
        }
        let shown = shown.await;
        wiped?;
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
        self.headless || self.plain || self.json
    }

    /// What is shown, if anything: what is said must not get into the log of whatever runs a node without a screen.
    fn screen(&self) -> Option<Screen> {
        let is_shown = !self.headless || self.plain || self.json;
        let screen = is_shown.then(|| Screen::choose(self.plain, self.json, self.headless))?;
        Some(if self.no_bell { screen.silent() } else { screen })
    }

    fn network(self, places: Vec<Place>) -> net::Config {
        let carry = match self.carry {
            CarryArg::All => Carry::All,
            CarryArg::Own => Carry::Own,
        };
        net::Config { listen: self.listen, dial: self.dial, places, mdns: !self.no_mdns, carry }
    }
}

async fn show(screen: Option<Screen>, node: Node) -> io::Result<()> {
    let Some(screen) = screen else {
        node.ended().await;
        return Ok(());
    };
    let (asks, asked) = mpsc::channel(SCREEN_QUEUE_LEN);
    let (told, shown) = mpsc::channel(SCREEN_QUEUE_LEN);
    let show = |told: Result<Arc<Told>, Event>| told.map_or_else(Shown::answered, |told| Shown::told(&told));
    tokio::spawn(attend(node, asked, told, show));
    screen.show(asks, shown).await
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

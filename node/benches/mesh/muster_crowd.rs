//! A mesh of Muster nodes, each a process that is spoken to over its control socket.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tokio::time::sleep_until;

use crate::control::Control;
use crate::crowd::{Crowd, Heard, PATIENCE, Said, moment, now_us, number_of, text};
use crate::unit::{CHIEF, Rank, Unit, poll_until, start_args};

/// The group in which all talk.
const GROUP: &str = "army";

/// Connections over which posts go at once, over all nodes: each waits for the commit, and the next commit takes as many.
const POSTING: usize = 240;

/// Connections to one node for posts; it takes 64 in all.
const POSTING_A_NODE: usize = 56;

/// Nodes that a node is told of when it starts; of the others it hears from these.
const DIALLED: usize = 9;

/// Muster nodes that are connected.
pub(crate) struct MusterCrowd {
    unit: Unit,
    nodes: Vec<NodeProcess>,
    runtime: Runtime,
    said: u64,
    /// The ids of what has been said, by number.
    ids: Arc<Mutex<Vec<(u64, String)>>>,
    refused: Arc<AtomicUsize>,
}

struct NodeProcess {
    child: Child,
    socket: PathBuf,
    asking: Control,
}

impl MusterCrowd {
    /// Starts so many nodes of one troop, and waits until they know each other; `log` says what they write down.
    pub(crate) fn start(nodes: usize, log: &str) -> Self {
        let unit = Unit::found();
        unit.admit(&name(0), Rank::Leader(GROUP));
        (1..nodes).for_each(|nth| drop(unit.admit(&name(nth), Rank::Soldier(GROUP))));
        let newest = unit.home(CHIEF).join("roster.cbor");
        for nth in 0..nodes {
            std::fs::copy(&newest, unit.home(&name(nth)).join("roster.cbor")).unwrap();
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut crowd =
            Self { unit, nodes: Vec::new(), runtime, said: 0, ids: Arc::default(), refused: Arc::default() };
        let mut addresses: Vec<String> = Vec::new();
        let mut chance = fastrand::Rng::with_seed(1);
        for nth in 0..nodes {
            let dialled = chance.choose_multiple(addresses.iter(), DIALLED);
            let dialled: Vec<&str> = dialled.into_iter().map(String::as_str).collect();
            let mut node = NodeProcess::start(&crowd.unit, &name(nth), &dialled, log, &crowd.runtime);
            addresses.push(node.address(&crowd.runtime));
            crowd.nodes.push(node);
        }
        let least = (nodes - 1).min(DIALLED);
        poll_until(Instant::now() + PATIENCE, || (crowd.links().into_iter().min() >= Some(least)).then_some(()))
            .expect("the nodes find one another in time");
        crowd
    }

    /// Returns how many others each node is connected to.
    pub(crate) fn links(&mut self) -> Vec<usize> {
        let Self { nodes, runtime, .. } = self;
        let links = |node: &mut NodeProcess| number(&node.get("/v1/status", runtime)["connected"]);
        nodes.iter_mut().map(links).collect()
    }

    /// Returns the processes, one a node.
    pub(crate) fn processes(&self) -> Vec<u32> {
        self.nodes.iter().map(|node| node.child.id()).collect()
    }

    /// Returns how many posts have been refused so far, for want of room.
    pub(crate) fn refused(&self) -> usize {
        self.refused.load(Ordering::Relaxed)
    }

    /// Returns when each node had checked each text first, by its log; a session may bring what gossip has just brought.
    pub(crate) fn verified(&self) -> Vec<Vec<Heard>> {
        let ids: HashMap<String, u64> =
            self.ids.lock().unwrap().iter().map(|(number, id)| (id.clone(), *number)).collect();
        let of_log = |path: PathBuf| {
            let log = std::fs::read_to_string(path).unwrap();
            let heard = |line: &str| {
                let (time, rest) = line.split_once(' ')?;
                let number = *ids.get(rest.split_once("id=")?.1.trim_end())?;
                let at: jiff::Timestamp = time.parse().ok()?;
                Some(Heard { number, at_us: u64::try_from(at.as_microsecond()).ok()? })
            };
            let mut seen = HashSet::new();
            log.lines().filter_map(heard).filter(|heard| seen.insert(heard.number)).collect()
        };
        (0..self.nodes.len()).map(|nth| of_log(log_path(&self.unit, &name(nth)))).collect()
    }

    /// Listens to the events of every node from now on; what they hear comes with the returned list.
    pub(crate) fn listen(&mut self) -> Vec<Arc<Mutex<Vec<Heard>>>> {
        let listened: Vec<_> = self.nodes.iter().map(|node| (node.socket.clone(), Arc::default())).collect();
        for (socket, heard) in &listened {
            listen_beside(socket.clone(), Arc::clone(heard));
        }
        listened.into_iter().map(|(_, heard)| heard).collect()
    }
}

impl Crowd for MusterCrowd {
    fn say(&mut self, authors: &[usize], texts: usize, a_second: f64) -> Vec<Said> {
        let first = self.said;
        let count = texts * authors.len();
        self.said += count as u64;
        let Self { nodes, runtime, ids, refused, .. } = self;
        let said = Arc::new(Mutex::new(Vec::with_capacity(count)));
        runtime.block_on(async {
            let mut connected = Vec::new();
            for (nth, author) in authors.iter().enumerate() {
                let next = Arc::new(AtomicUsize::new(0));
                for _ in 0..(POSTING / authors.len()).clamp(1, POSTING_A_NODE) {
                    let control = Control::connect(&nodes[*author].socket).await.unwrap();
                    connected.push((nth, *author, next.clone(), control));
                }
            }
            let (mut posting, start, authors) = (JoinSet::new(), Instant::now(), authors.len());
            for (nth, author, next, mut control) in connected {
                let (said, ids, refused) = (said.clone(), ids.clone(), refused.clone());
                posting.spawn(async move {
                    loop {
                        let mine = next.fetch_add(1, Ordering::Relaxed);
                        if mine >= texts {
                            return;
                        }
                        let place = mine * authors + nth;
                        sleep_until(moment(start, place, a_second).into()).await;
                        let number = first + place as u64;
                        let body = json!({ "group": GROUP, "text": text(number) }).to_string();
                        let at_us = now_us();
                        let (status, answer) = control.ask("POST", "/v1/post", &body).await.unwrap();
                        if status == 200 {
                            said.lock().unwrap().push(Said { number, author, at_us });
                            ids.lock().unwrap().push((number, answer["id"].as_str().unwrap().to_owned()));
                        } else {
                            assert_eq!(status, 503, "{answer}");
                            refused.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                });
            }
            while let Some(ended) = posting.join_next().await {
                ended.unwrap();
            }
        });
        std::mem::take(&mut *said.lock().unwrap())
    }

    fn heard(&mut self, node: usize) -> usize {
        let groups = self.nodes[node].get("/v1/groups", &self.runtime);
        let group = groups["groups"].as_array().unwrap().iter().find(|group| group["id"] == GROUP).unwrap();
        number(&group["unread"])
    }

    fn nodes(&self) -> usize {
        self.nodes.len()
    }
}

impl NodeProcess {
    fn start(unit: &Unit, name: &str, dial: &[&str], log: &str, runtime: &Runtime) -> Self {
        let mut args = start_args(dial);
        args.push("--headless");
        let errors = File::create(log_path(unit, name)).unwrap();
        let mut command = unit.command(name, args);
        command.env("MUSTER_LOG", log).stdout(Stdio::null()).stderr(errors);
        let child = command.spawn().unwrap();
        let socket = unit.home(name).join("control.sock");
        let connect = || runtime.block_on(Control::connect(&socket)).ok();
        let asking = poll_until(Instant::now() + PATIENCE, connect).expect("the node serves its socket");
        Self { child, socket, asking }
    }

    fn get(&mut self, path: &str, runtime: &Runtime) -> Value {
        // The node lets go of a connection that has been idle for half a minute.
        let mut answer = runtime.block_on(self.asking.ask("GET", path, ""));
        if answer.is_err() {
            self.asking = runtime.block_on(Control::connect(&self.socket)).unwrap();
            answer = runtime.block_on(self.asking.ask("GET", path, ""));
        }
        let (status, answer) = answer.unwrap();
        assert_eq!(status, 200, "{answer}");
        answer
    }

    fn address(&mut self, runtime: &Runtime) -> String {
        let listening = || self.get("/v1/status", runtime)["listening"][0].as_str().map(str::to_owned);
        poll_until(Instant::now() + PATIENCE, listening).expect("the node listens")
    }
}

impl Drop for NodeProcess {
    fn drop(&mut self) {
        // Either may fail where the process has ended by itself.
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn name(nth: usize) -> String {
    format!("Army{}", nth + 1)
}

fn log_path(unit: &Unit, name: &str) -> PathBuf {
    unit.folder().join(format!("{name}.log"))
}

fn number(value: &Value) -> usize {
    usize::try_from(value.as_u64().unwrap()).unwrap()
}

/// Notes in a thread of its own when each text's event came, until the node ends.
fn listen_beside(socket: PathBuf, heard: Arc<Mutex<Vec<Heard>>>) {
    const TEXT: &str = "\"text\":\"";
    let listen = async move |socket: &Path| {
        let control = Control::connect(socket).await?;
        let note = |data: &str| {
            let at_us = now_us();
            let number = data.split_once(TEXT).and_then(|(_, text)| number_of(text.as_bytes()));
            heard.lock().unwrap().extend(number.map(|number| Heard { number, at_us }));
        };
        control.listen(note).await
    };
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        // Ends when the node does.
        drop(runtime.block_on(listen(&socket)));
    });
}

//! A mesh of bare nodes, each a process.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;
use std::time::Instant;

use crate::bare::{BARE, Signing};
use crate::crowd::{Crowd, Heard, PATIENCE, Said, moment, now_us, text};
use crate::unit::GLANCE;

/// Bare nodes that are connected.
pub(crate) struct BareCrowd {
    nodes: Vec<Process>,
    said: u64,
}

impl BareCrowd {
    /// Starts so many nodes, each of which is connected to `links` others, or to all where there are no more.
    pub(crate) fn start(nodes: usize, links: usize, signing: Signing) -> Self {
        let mut crowd = Self { nodes: (0..nodes).map(|_| Process::start(signing)).collect(), said: 0 };
        let addresses: Vec<String> = crowd.nodes.iter_mut().map(Process::address).collect();
        // The same at every run, and no node better placed than another.
        let mut chance = fastrand::Rng::with_seed(1);
        let mut wanted = vec![0; nodes];
        let mut pairs: Vec<(usize, usize)> =
            (0..nodes).flat_map(|one| (0..one).map(move |other| (one, other))).collect();
        chance.shuffle(&mut pairs);
        for (one, other) in pairs {
            if wanted[one] < links && wanted[other] < links {
                wanted[one] += 1;
                wanted[other] += 1;
                crowd.nodes[one].tell(&format!("dial {}", addresses[other]));
            }
        }
        for (node, wanted) in crowd.nodes.iter_mut().zip(wanted) {
            node.wait_links(wanted);
        }
        crowd
    }

    /// Returns the processes, one a node.
    pub(crate) fn processes(&self) -> Vec<u32> {
        self.nodes.iter().map(|node| node.child.id()).collect()
    }

    /// Returns when each node has heard each text since it was last asked.
    pub(crate) fn times(&mut self) -> Vec<Vec<Heard>> {
        self.nodes.iter_mut().map(Process::times).collect()
    }
}

impl Crowd for BareCrowd {
    fn say(&mut self, authors: &[usize], texts: usize, a_second: f64) -> Vec<Said> {
        let start = Instant::now();
        let mut all = Vec::new();
        for nth in 0..texts * authors.len() {
            let author = authors[nth % authors.len()];
            thread::sleep(moment(start, nth, a_second).saturating_duration_since(Instant::now()));
            let number = self.said;
            self.said += 1;
            let line = format!("say {}", text(number));
            all.push(Said { number, author, at_us: now_us() });
            self.nodes[author].tell(&line);
        }
        all
    }

    fn heard(&mut self, node: usize) -> usize {
        self.nodes[node].state()[2]
    }

    fn nodes(&self) -> usize {
        self.nodes.len()
    }
}

struct Process {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Process {
    fn start(signing: Signing) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args([BARE, signing.name()]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (input, output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, input, output }
    }

    fn tell(&mut self, line: &str) {
        self.input.write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    fn read(&mut self) -> String {
        let mut line = String::new();
        assert!(self.output.read_line(&mut line).unwrap() > 0, "a bare node has ended");
        line.truncate(line.trim_end().len());
        line
    }

    fn address(&mut self) -> String {
        self.read().strip_prefix("listening ").unwrap().to_owned()
    }

    /// Returns how many peers listen, how many of them are in the mesh, and how many texts have been heard.
    fn state(&mut self) -> [usize; 3] {
        self.tell("state");
        let line = self.read();
        let numbers: Vec<usize> = line.split(' ').skip(1).map(|number| number.parse().unwrap()).collect();
        numbers.try_into().unwrap()
    }

    fn wait_links(&mut self, wanted: usize) {
        let deadline = Instant::now() + PATIENCE;
        while self.state()[0] < wanted {
            assert!(Instant::now() < deadline, "a bare node has found {} of {wanted} others", self.state()[0]);
            thread::sleep(GLANCE);
        }
    }

    fn times(&mut self) -> Vec<Heard> {
        self.tell("times");
        let mut times = Vec::new();
        loop {
            let line = self.read();
            let mut parts = line.split(' ').skip(1).map(|number| number.parse().unwrap());
            let (Some(number), Some(at_us)) = (parts.next(), parts.next()) else { return times };
            times.push(Heard { number, at_us });
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Either may fail where the process has ended by itself.
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

//! Small networks for tests: hosts, each a network namespace, and cables between them.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// Two hosts joined by a cable, with no way to anywhere else; gone when dropped.
pub(crate) struct Lan {
    pub(crate) first: Host,
    pub(crate) second: Host,
}

/// A network namespace, which lasts as long as a process that waits inside.
pub(crate) struct Host {
    holder: Child,
}

impl Lan {
    /// Lays the network.
    pub(crate) fn new() -> Self {
        let [first, second] = row();
        Self { first, second }
    }
}

/// Puts hosts in a row, each joined by a cable to its neighbours; none has a way to any other.
pub(crate) fn row<const COUNT: usize>() -> [Host; COUNT] {
    let hosts = hosts();
    for (number, ends) in hosts.windows(2).enumerate() {
        ends[0].lay_cable(&ends[1], number);
    }
    hosts
}

/// Sets up hosts with no cable between them.
pub(crate) fn hosts<const COUNT: usize>() -> [Host; COUNT] {
    let mut hosts: Vec<Host> = Vec::with_capacity(COUNT);
    while hosts.len() < COUNT {
        // One user namespace for all: who lays a cable must have a say at either end.
        let host = match hosts.first() {
            None => Host::hold(Command::new("unshare").args(["--map-root-user", "--net"])),
            Some(first) => Host::hold(first.enter().args(["unshare", "--net"])),
        };
        host.ip(&["link", "set", "lo", "up"]);
        hosts.push(host);
    }
    hosts.try_into().unwrap_or_else(|_| unreachable!("there are as many as were asked for"))
}

impl Host {
    /// Starts the process that holds a namespace which `unshare` makes.
    fn hold(unshare: &mut Command) -> Self {
        unshare.args(["sh", "-c", "echo ready; read end"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut holder = unshare.spawn().expect("unshare and nsenter, of util-linux, are installed");
        let mut answer = String::new();
        BufReader::new(holder.stdout.take().unwrap()).read_line(&mut answer).unwrap();
        assert_eq!(answer, "ready\n", "network namespaces are allowed here: try `unshare --map-root-user --net true`");
        Self { holder }
    }

    /// Lays a cable to another host; its number names the interfaces and the network on it.
    pub(crate) fn lay_cable(&self, other: &Self, number: usize) {
        let interface = format!("lan{number}");
        let peer = other.holder.id().to_string();
        self.ip(&["link", "add", &interface, "type", "veth", "peer", "name", &interface, "netns", &peer]);
        for (host, end) in [(self, 1), (other, 2)] {
            host.ip(&["address", "add", &format!("10.0.{number}.{end}/24"), "dev", &interface]);
            host.ip(&["link", "set", &interface, "up"]);
        }
    }

    /// Takes a cable away, at both ends.
    pub(crate) fn cut_cable(&self, number: usize) {
        self.ip(&["link", "delete", &format!("lan{number}")]);
    }

    pub(crate) fn ip(&self, args: &[&str]) {
        let output = self.enter().arg("ip").args(args).output().expect("nsenter, of util-linux, is installed");
        assert!(output.status.success(), "ip {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// A command that runs, on this host, the program and arguments that are added to it.
    fn enter(&self) -> Command {
        let mut command = Command::new("nsenter");
        let pid = self.holder.id().to_string();
        command.args(["--preserve-credentials", "--user", "--net", "--target", &pid, "--"]);
        command
    }

    /// The same command, run on this host.
    pub(crate) fn run(&self, command: &Command) -> Command {
        let mut inside = self.enter();
        inside.arg(command.get_program()).args(command.get_args()).stdin(Stdio::null());
        // Nothing of this process's own: what a unit's command has is all it is to have.
        inside.env_clear().envs(command.get_envs().filter_map(|(key, value)| Some((key, value?))));
        if let Some(folder) = command.get_current_dir() {
            inside.current_dir(folder);
        }
        inside
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // Either may fail where the process has ended by itself.
        let _gone = self.holder.kill();
        let _reaped = self.holder.wait();
    }
}

//! A small network for tests: two hosts, each a network namespace, and a cable between them.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// The network interface of every host.
const INTERFACE: &str = "lan0";

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
        let first = Host::hold(Command::new("unshare").args(["--map-root-user", "--net"]));
        // One user namespace for both: who lays the cable must have a say at either end.
        let second = Host::hold(first.enter().args(["unshare", "--net"]));
        let peer = second.holder.id().to_string();
        first.ip(&["link", "add", INTERFACE, "type", "veth", "peer", "name", INTERFACE, "netns", &peer]);
        first.connect("10.0.0.1/24");
        second.connect("10.0.0.2/24");
        Self { first, second }
    }
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

    fn connect(&self, address: &str) {
        self.ip(&["link", "set", "lo", "up"]);
        self.ip(&["address", "add", address, "dev", INTERFACE]);
        self.ip(&["link", "set", INTERFACE, "up"]);
    }

    fn ip(&self, args: &[&str]) {
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

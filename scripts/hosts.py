"""Hosts that are network namespaces, and nodes that run on them: what the measuring scripts beside this one share.

No packet leaves this machine. Anybody may run them where unprivileged user namespaces are allowed.
"""

import argparse
import os
import pathlib
import signal
import subprocess
import sys

# How long a node may take to end.
ENDING_LIMIT_S = 15

# Tells a script that it is in a user and network namespace of its own already.
INSIDE = "MUSTER_HOSTS_INSIDE"


class Host:
    """A network namespace, which lasts as long as a process that waits inside."""

    def __init__(self):
        # Ends with its input, which is to say with this program, whatever happens to that.
        command = ["unshare", "--net", "sh", "-c", "echo ready; read end"]
        self.holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        if self.holder.stdout.readline() != b"ready\n":
            sys.exit("no network namespace can be made here")
        self.ip("link", "set", "lo", "up")

    def enter(self, *command):
        return ["nsenter", "--net", "--target", str(self.holder.pid), "--", *command]

    def ip(self, *args):
        subprocess.run(self.enter("ip", *args), check=True)

    def lay_cable(self, other, number):
        """Joins two hosts; the cable's number names its interfaces and the network on it."""
        name, network = f"lan{number}", f"10.{number // 256}.{number % 256}"
        self.ip("link", "add", name, "type", "veth", "peer", "name", name, "netns", str(other.holder.pid))
        for host, end in ((self, 1), (other, 2)):
            host.ip("address", "add", f"{network}.{end}/24", "dev", name)
            host.ip("link", "set", name, "up")

    def remove(self):
        self.holder.kill()
        self.holder.wait()


class Node:
    """A member's running node: its place, and the pipes to it."""

    def __init__(self, name, troop, neighbours, command, folder):
        self.name, self.troop, self.neighbours = name, troop, neighbours
        self.in_reach = 0
        self.errors = open(folder / f"{name}.err", "wb")
        self.process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors
        )
        os.set_blocking(self.process.stdout.fileno(), False)
        self.rest = b""

    def lines(self):
        """Returns the lines that have come since the last time; None at the end."""
        chunk = self.process.stdout.read()
        if chunk == b"":
            return None
        *lines, self.rest = (self.rest + (chunk or b"")).split(b"\n")
        return [line.decode(errors="replace") for line in lines]

    def say(self, text):
        self.process.stdin.write(f"{text}\n".encode())
        self.process.stdin.flush()

    def remove(self):
        self.process.terminate()
        try:
            self.process.wait(ENDING_LIMIT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.errors.close()


def run(muster, folder, home, *args):
    """Runs a muster command on a home, which must succeed."""
    command = [muster, "--home", home, *args]
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)


def percentile(sorted_values, share):
    if not sorted_values:
        return float("nan")
    return sorted_values[min(len(sorted_values) - 1, int(share * len(sorted_values)))]


def parse_and_enter(about, numbers):
    """Reads the numbers that a script takes, each with its default, and goes on in a namespace of its own.

    Returns the numbers and the program to measure, which MUSTER=FILE may name.
    """
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in numbers:
        parser.add_argument(name, type=int, nargs="?", default=default)
    args = parser.parse_args()
    return args, enter()


def program():
    """Returns the program to measure or to test, which MUSTER=FILE may name."""
    root = pathlib.Path(__file__).resolve().parent.parent
    muster = pathlib.Path(os.environ.get("MUSTER", root / "target/release/muster")).resolve()
    if not os.access(muster, os.X_OK):
        sys.exit(f"no {muster}: run `cargo build --release` first")
    return str(muster)


def enter():
    """Goes on in a namespace of its own, with no settings of Muster's; returns the program to measure or to test."""
    muster = program()
    if INSIDE not in os.environ:
        # In a user namespace of its own anybody may make networks.
        os.environ.update({INSIDE: "1", "MUSTER": muster})
        this = [sys.executable, os.path.abspath(sys.argv[0]), *sys.argv[1:]]
        os.execvp("unshare", ["unshare", "--map-root-user", "--net", *this])
    for name in [name for name in os.environ if name.startswith("MUSTER")]:
        del os.environ[name]
    # Who is told to end still ends what it has started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("told to end"))
    return muster

"""What the tests with containers have in common: an engine, an image for the time of the test, and compose projects."""

import contextlib
import http.client
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent

# Where the image keeps a member's home.
HOME = "/var/lib/muster"

# No command to the engine takes longer unless something hangs.
COMMAND_LIMIT_S = 120

# What the image may take, in bytes.
MAX_IMAGE_LEN = 25 * 1024 * 1024


class Failure(Exception):
    """Something was not as it must be."""


def run(*words, check=True, limit_s=COMMAND_LIMIT_S, **more):
    """Runs a command to its end; a failure shows what it said."""
    words = [str(word) for word in words]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=limit_s, stdin=subprocess.DEVNULL, **more)
    except subprocess.TimeoutExpired:
        raise Failure(f"no end within {limit_s} s: {' '.join(words)}") from None
    if check and done.returncode != 0:
        raise Failure(f"{' '.join(words)}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def docker(*words, **more):
    return run("docker", *words, **more)


def wait_for(what, holds, limit_s, pause_s=0.3):
    """Waits until something holds, and returns how long that took; `holds` returns what is still missing, or nothing."""
    began = time.monotonic()
    while True:
        missing = holds()
        took = time.monotonic() - began
        if not missing:
            return took
        if took > limit_s:
            raise Failure(f"{what}: not within {limit_s} s; missing: {missing}")
        time.sleep(pause_s)


def compose_command():
    """Returns the words by which compose is called here."""
    if shutil.which("docker") and run("docker", "compose", "version", check=False).returncode == 0:
        return ["docker", "compose"]
    if shutil.which("docker-compose"):
        return ["docker-compose"]
    sys.exit("neither `docker compose` nor docker-compose is installed")


class Engine(http.client.HTTPConnection):
    """The engine's own interface, for the figures that no command prints as they are."""

    def __init__(self):
        super().__init__("localhost", timeout=30)

    def connect(self):
        where = run("docker", "context", "inspect", "-f", "{{.Endpoints.docker.Host}}").stdout.strip()
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(os.environ.get("DOCKER_HOST", where).removeprefix("unix://"))

    def stats(self, container):
        """Returns the processor time that a container has taken, in seconds; and, in bytes, its memory now and what is
        cached of files for it, which goes whenever memory is wanted."""
        self.request("GET", f"/containers/{container}/stats?stream=false&one-shot=true")
        told = json.loads(self.getresponse().read())
        memory = told["memory_stats"]
        # The two versions of control groups have different names for it.
        cached = memory["stats"].get("total_cache", memory["stats"].get("file", 0))
        return told["cpu_stats"]["cpu_usage"]["total_usage"] / 1e9, memory["usage"] - cached, cached


class Project:
    """A compose project of the test's own, which leaves nothing behind."""

    def __init__(self, name, image):
        self.name = name
        self.files = ["docker-compose.yml"]
        self.command = compose_command()
        self.environment = {**{k: v for k, v in os.environ.items() if not k.startswith(("MUSTER_", "COMPOSE_"))}}
        self.environment |= {"MUSTER_IMAGE": image, "COMPOSE_ANSI": "never"}
        self.ids = {}

    def compose(self, *words, **more):
        files = [word for file in self.files for word in ("-f", file)]
        return run(*self.command, "-p", self.name, *files, *words, cwd=ROOT, env=self.environment, **more)

    def up(self, *words):
        self.compose("up", "-d", *words)
        self.ids.clear()

    def container(self, service):
        if service not in self.ids:
            self.ids[service] = self.compose("ps", "-q", service).stdout.split()[0]
        return self.ids[service]

    def inspect(self, service, form):
        return docker("inspect", "-f", form, self.container(service)).stdout.strip()

    def muster(self, service, *words, **more):
        """Runs a command of the program in a member's container."""
        return docker("exec", self.container(service), "muster", *words, **more)

    def once(self, service, *words, **more):
        """Runs a command of the program on a member's home, whose node is not running."""
        volume = f"{self.name}_{service}:{HOME}"
        image = self.environment["MUSTER_IMAGE"]
        return docker("run", "--rm", "--network", "none", "-v", volume, image, *words, **more)

    def logs(self, service=None):
        done = self.compose("logs", "--no-color", *([service] if service else []))
        return done.stdout + done.stderr

    def remove(self):
        self.compose("down", "-v", "--remove-orphans", "-t", "5", check=False)
        for kind in ("container", "volume", "network"):
            label = f"label=com.docker.compose.project={self.name}"
            listing = ["ls", "-q", "--filter", label] + (["-a"] if kind == "container" else [])
            for left in docker(kind, *listing, check=False).stdout.split():
                docker(kind, "rm", *(["-f"] if kind == "container" else []), left, check=False)


@contextlib.contextmanager
def image(tag):
    """Builds the image for the time of a test; MUSTER_TEST_IMAGE names one that is there in place of it."""
    given = os.environ.get("MUSTER_TEST_IMAGE")
    if given:
        yield given
        return
    built = subprocess.run([ROOT / "scripts/image", "--prebuilt", tag], cwd=ROOT, stdout=sys.stderr)
    try:
        if built.returncode != 0:
            raise Failure("the image was not built")
        yield tag
    finally:
        docker("image", "rm", "-f", tag, check=False)


class Table:
    """What was shown, a row for each, printed as soon as it is known."""

    def __init__(self):
        self.failed = []
        self.began = time.monotonic()

    def check(self, name, show):
        """Carries out one row; `show` returns what was seen, or fails."""
        began = time.monotonic()
        try:
            seen, verdict = show(), "ok"
        except Failure as failure:
            seen, verdict = str(failure), "FAILED"
            self.failed.append(name)
        took = time.monotonic() - began
        first, *rest = (seen or "").splitlines() or [""]
        print(f"{verdict:6}  {name:34}  {took:5.1f} s  {first}", flush=True)
        for line in rest:
            print(f"{'':52}{line}", flush=True)

    def close(self, limit_s):
        took = time.monotonic() - self.began
        print(f"{len(self.failed)} failed; {took:.0f} s in all", flush=True)
        if self.failed:
            sys.exit(1)
        if took > limit_s:
            sys.exit(f"expected at most {limit_s} s")

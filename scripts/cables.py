"""Cables between hosts that are slow, lossy, or cut: what scripts/chaos lays between its nodes.

A cable ends at an interface in each host. Its middle is this program, which carries every frame from one end to the other
with the delay and the loss that the cable has at that moment. It needs no `netem` in the kernel and no rights but those that
`unshare --map-root-user --net` gives, and holds for all that travels: TCP, QUIC and multicast alike.
"""

import heapq
import random
import select
import socket
import subprocess
import threading
import time

# From <linux/if_packet.h>.
SOL_PACKET, PACKET_VNET_HDR, PACKET_IGNORE_OUTGOING = 263, 15, 23
ETH_P_ALL = 0x0003

# The longest frame that the kernel hands over, as it joins what is sent at once, and the 10 bytes that say how it did.
FRAME_LEN = 10 + 65_536 + 64

# Frames that may be under way on a cable; what comes then is lost, as in any full queue.
MAX_UNDER_WAY = 2_000

# Frames that are taken from one end before the others have their turn.
TURN = 64


class Cable:
    """A cable between two hosts; how it is may be changed while it is in use."""

    def __init__(self, number, hosts):
        self.hosts = hosts
        self.is_cut = False
        # Each frame takes so many seconds, anything between the two, and this share of them is lost.
        self.delay_s, self.loss = (0.0, 0.0), 0.0
        self.under_way, self.carried, self.lost = 0, 0, 0
        network = f"10.{number // 256}.{number % 256}"
        self.ends = []
        for host, side in zip(hosts, (1, 2)):
            here, there = f"cable{number}-{side}", f"lan{number}"
            ip("link", "add", here, "type", "veth", "peer", "name", there, "netns", str(host.holder.pid))
            # The middle has no address: nothing of its own travels on the cable.
            ip("link", "set", here, "addrgenmode", "none", "up")
            host.ip("address", "add", f"{network}.{side}/24", "dev", there)
            host.ip("link", "set", there, "up")
            end = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
            end.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
            end.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
            end.bind((here, 0))
            end.setblocking(False)
            self.ends.append(end)

    def calm(self):
        self.is_cut, self.delay_s, self.loss = False, (0.0, 0.0), 0.0


def ip(*args):
    subprocess.run(["ip", *args], check=True)


class Carrier(threading.Thread):
    """Carries the frames of all cables, until it is told to end."""

    def __init__(self, cables, seed):
        super().__init__(daemon=True)
        self.cables, self.chance = cables, random.Random(seed)
        self.queue, self.count, self.is_over = [], 0, False
        self.poll = select.epoll()
        self.by_file = {}
        for cable in cables:
            for end, other in (cable.ends, reversed(cable.ends)):
                self.by_file[end.fileno()] = (cable, end, other)
                self.poll.register(end.fileno(), select.EPOLLIN)

    def run(self):
        while not self.is_over:
            for file, _ in self.poll.poll(self.pause_s()):
                self.take(*self.by_file[file])
            now = time.monotonic()
            while self.queue and self.queue[0][0] <= now:
                _, _, cable, other, frame = heapq.heappop(self.queue)
                cable.under_way -= 1
                deliver(cable, other, frame)

    def pause_s(self):
        """How long nothing is due; never long, so that the end is noticed."""
        due = self.queue[0][0] - time.monotonic() if self.queue else 0.2
        return min(max(due, 0), 0.2)

    def take(self, cable, end, other):
        for _ in range(TURN):
            try:
                frame = end.recv(FRAME_LEN)
            except (BlockingIOError, OSError):
                return
            low, high = cable.delay_s
            if cable.is_cut or cable.under_way >= MAX_UNDER_WAY or self.chance.random() < cable.loss:
                cable.lost += 1
            elif high == 0 and not cable.under_way:
                deliver(cable, other, frame)
            else:
                self.count += 1
                cable.under_way += 1
                due = time.monotonic() + self.chance.uniform(low, high)
                heapq.heappush(self.queue, (due, self.count, cable, other, frame))

    def end(self):
        self.is_over = True
        self.join()


def deliver(cable, end, frame):
    # A cable that was cut meanwhile has lost what was on it.
    if cable.is_cut:
        cable.lost += 1
        return
    try:
        end.send(frame)
        cable.carried += 1
    except OSError:
        cable.lost += 1

"""A connection to a node's control socket (docs/api.md), for the scripts beside this one."""

import http.client
import json
import socket


class Refused(Exception):
    """The node has answered, and not with 200."""


class Control(http.client.HTTPConnection):
    """A connection to a control socket; OSError and HTTPException tell that the node is gone."""

    def __init__(self, path, patience_s):
        super().__init__("m", timeout=patience_s)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)

    def ask(self, method, path, body=None):
        return json.loads(self.read(method, path, body))

    def read(self, method, path, body=None):
        """Asks, and returns the answer as it came."""
        self.request(method, path, body=body and json.dumps(body))
        response = self.getresponse()
        answer = response.read()
        if response.status != 200:
            raise Refused(f"{path}: {answer.decode(errors='replace')}")
        return answer

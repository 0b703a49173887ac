"""Starts clusters of varve's nodes for tests, as processes at loopback addresses of their own."""
import os
import pathlib
import signal
import subprocess
import time

import redis_pair

# Below the range from which systems give out ports, so that no connection that happens to be there has one of them.
NODE_PORT = 27379
CLIENT_PORT = 26379
PATIENCE = 120  # seconds; far more than anything takes
# A deadline that no load of the machine comes near to, where every request must succeed.
LONG = ["--cluster-timeout", "60000"]


def host_of(node):
    """An address that no other test has at this time: 127.X.Y.NODE by the number of this process."""
    number = os.getpid()
    return f"127.{1 + number // 250 % 250}.{1 + number % 250}.{node}"


class Node:
    def __init__(self, program, folder, number, topology, options, env=None):
        self.folder = pathlib.Path(folder) / f"node{number}"
        self.number = number
        self.program = program
        self.options = ["--port", str(CLIENT_PORT), "--bind", host_of(number), "--node-id", str(number),
                        "--cluster-topology", topology, *options]
        self.env = env
        self.server = None
        self.start()

    def start(self):
        self.folder.mkdir(exist_ok=True)
        path = self.folder / "varve.sock"
        command = [str(self.program), "server", str(self.folder / "store"), "--unixsocket", str(path), *self.options]
        path.unlink(missing_ok=True)  # of a life that was killed
        self.server = redis_pair.Server(command, path, log=self.folder / "log", env=self.env)
        self.connection = redis_pair.Connection(self.server.path)

    def call(self, *args):
        return self.connection.call(*args)

    def kill(self):
        self.connection.close()
        self.server.kill()

    def stop(self):
        self.connection.close()
        return self.server.stop()

    def pause(self):
        self.server.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.server.process.pid, os.WSTOPPED)  # the signal alone stops it a while later

    def go_on(self):
        self.server.process.send_signal(signal.SIGCONT)

    def info(self):
        lines = self.call("CLUSTER", "INFO")[1].decode().split("\r\n")
        return dict(line.split(":", 1) for line in lines if ":" in line)

    def log(self):
        return (self.folder / "log").read_text(errors="replace")


class Cluster:
    """Of `count` nodes, with their topology in a file unless `topology` says where."""

    def __init__(self, program, folder, count, *init, topology=None, options=()):
        self.program = str(program)
        self.folder = pathlib.Path(folder)
        self.topology = topology or f"file:{self.folder}/topology.json"
        self.options = options
        self.nodes = {}
        self.admin("init", *[self.place(n) for n in range(1, count + 1)], "--partitions", "16", *init)
        try:
            for number in range(1, count + 1):
                self.start(number)
            self.await_color("green")
        except BaseException:
            self.end()
            raise

    def place(self, number):
        return f"{number}={host_of(number)}:{NODE_PORT}/{CLIENT_PORT}"

    def start(self, number):
        self.nodes[number] = Node(self.program, self.folder, number, self.topology, self.options_of(number),
                                  self.environment_of(number))
        return self.nodes[number]

    def options_of(self, _number):
        return self.options

    def environment_of(self, _number):
        return None

    def admin(self, *args, code=0):
        done = subprocess.run([self.program, "cluster", *map(str, args), "--topology", self.topology], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=PATIENCE)
        if code is not None and done.returncode != code:
            raise AssertionError(f"{args}: {done.returncode}\n{done.stdout}")
        return done.stdout

    def await_color(self, color):
        end = time.monotonic() + PATIENCE
        while True:
            text = self.admin("status", code=None)
            if text.startswith(color):
                return text
            if time.monotonic() > end:
                logs = "".join(node.log()[-2000:] for node in self.nodes.values())
                raise AssertionError(f"not {color}:\n{text}{logs}")
            time.sleep(0.1)

    def change(self, *args):
        """A change that is committed at once: again when a node's step of a move came between reading and writing."""
        end = time.monotonic() + PATIENCE
        while True:
            text = self.admin(*args, "--yes", code=None)
            if "committed: epoch" in text:
                return text
            if "has changed" not in text or time.monotonic() > end:
                raise AssertionError(f"{args}:\n{text}")

    def copies_of(self, number):
        """What the topology says; 0 when it is no member any more."""
        for line in self.admin("status", code=None).splitlines():
            fields = line.split("\t")
            if fields[0] == str(number):
                return int(fields[3])
        return 0

    def await_without(self, number):
        """Until the node has nothing; the cluster counts it no more."""
        end = time.monotonic() + PATIENCE
        while self.copies_of(number) != 0:
            if time.monotonic() > end:
                raise AssertionError(f"node {number} keeps its copies:\n{self.admin('status', code=None)}")
            time.sleep(0.1)

    def end(self):
        for node in self.nodes.values():
            node.go_on()
            node.kill()

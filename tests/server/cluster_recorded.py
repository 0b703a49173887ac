"""A cluster whose nodes reach each other through a proxy, with clients that are recorded, and the verdict in the end."""
import os
import pathlib
import random
import sys
import tempfile
import time
import unittest

from cluster_history import Client, History
from cluster_nodes import NODE_PORT, PATIENCE, Cluster, host_of
from tcp_proxy import Proxy

PROXY_PORT = NODE_PORT + 1
SCALE = float(os.environ.get("VARVE_TEST_SCALE", "1"))


class ProxiedCluster(Cluster):
    def __init__(self, program, folder, count, *init, environments=None, **more):
        self.proxy = Proxy()
        for number in range(1, count + 1):
            self.add_proxy(number)
        self.environments = environments or {}
        try:
            super().__init__(program, folder, count, *init, **more)
        except BaseException:
            self.proxy.close()
            raise

    def add_proxy(self, number):
        self.proxy.add(number, host_of(number), PROXY_PORT, NODE_PORT)

    def place(self, number):
        return super().place(number).replace(f":{NODE_PORT}/", f":{PROXY_PORT}/")

    def options_of(self, number):
        return [*super().options_of(number), "--cluster-port", str(NODE_PORT)]

    def environment_of(self, number):
        return self.environments.get(number)

    def end(self):
        super().end()
        self.proxy.close()


class RecordedTest(unittest.TestCase):
    program = checker = None  # of the command line

    def setUp(self):
        self.seed = int(os.environ.get("VARVE_TEST_SEED") or random.SystemRandom().randrange(1 << 30))
        self.random = random.Random(self.seed)
        print(f"VARVE_TEST_SEED={self.seed}", file=sys.stderr, flush=True)

    def make(self, count, *init, moves=False, **more):
        folder = tempfile.TemporaryDirectory(prefix="varve_cluster_")
        self.addCleanup(folder.cleanup)
        self.cluster = ProxiedCluster(self.program, folder.name, count, *init, **more)
        self.addCleanup(self.cluster.end)
        self.history = History(pathlib.Path(folder.name) / "history")
        self.addCleanup(self.history.close)
        if moves:
            self.history.file.write("options moves\n")
        return self.cluster

    def begin(self, clients=4, nodes=None, **more):
        self.clients = [Client(n, self.history, self.paths(nodes), self.seed, **more) for n in range(clients)]
        for client in self.clients:
            client.start()

    def paths(self, nodes=None):
        return [str(self.cluster.nodes[number].folder / "varve.sock") for number in nodes or self.cluster.nodes]

    def turn_to(self, nodes=None):
        """The clients connect to these from now on, or to all that there are; connections that they have they keep."""
        for client in self.clients:
            client.paths = self.paths(nodes)

    def let_go(self):
        """The clients end the connections that they have, between two requests."""
        for client in self.clients:
            client.lets_go.set()
        for client in self.clients:
            while client.lets_go.is_set():
                self.assertTrue(client.is_alive(), client.trouble)
                time.sleep(0.01)

    def work(self, seconds):
        time.sleep(seconds * SCALE)
        for client in self.clients:
            self.assertTrue(client.is_alive(), client.trouble)

    def two_nodes(self):
        return self.random.sample(sorted(self.cluster.nodes), 2)

    def break_a_link(self):
        """One fault of one link, or of all links of one node."""
        one, two = self.two_nodes()
        proxy = self.cluster.proxy
        kind = self.random.choice(("cut", "one way", "half open", "delay", "slow", "alone"))
        if kind == "cut":
            proxy.set(one, two, is_cut=True)
            proxy.set(two, one, is_cut=True)
        elif kind == "one way":
            proxy.set(one, two, stalls_forwards=True)
        elif kind == "half open":
            proxy.set(one, two, stalls_forwards=True, stalls_backwards=True)
            proxy.set(two, one, stalls_forwards=True, stalls_backwards=True)
        elif kind == "delay":
            proxy.set(one, two, delay=self.random.choice((0.005, 0.05, 0.4)))
        elif kind == "slow":
            proxy.set(one, two, bytes_a_second=self.random.choice((2_000, 20_000)))
        else:
            for other in self.cluster.nodes:
                if other != one:
                    proxy.set(one, other, is_cut=True)
                    proxy.set(other, one, is_cut=True)

    def harm_a_node(self):
        node = self.random.choice(list(self.cluster.nodes.values()))
        if self.random.random() < 0.5:
            node.pause()
            time.sleep(self.random.choice((0.2, 1.0, 4.0)))
            node.go_on()
        else:
            node.kill()
            time.sleep(self.random.choice((0, 0.2, 1.0)))
            self.bring_back(node)

    def bring_back(self, node):
        node.start()

    def finish(self, least=30):
        """Ends the faults and the clients, has the replicas become equal, and asks for the verdict."""
        self.cluster.proxy.heal()
        end = time.monotonic() + PATIENCE
        least += self.history.outcomes.get("ok", 0)  # the cluster works again
        while self.history.outcomes.get("ok", 0) < least:
            self.assertLess(time.monotonic(), end, self.history.outcomes)
            time.sleep(0.05)
        for client in self.clients:
            client.stop()
        end = time.monotonic() + PATIENCE
        while True:
            self.settle()
            for node in self.cluster.nodes.values():
                self.assertEqual(node.stop(), 0)
            stores = [(number, node.folder / "store") for number, node in self.cluster.nodes.items()]
            verdict = self.history.check(self.checker, self.cluster.topology, stores)
            if verdict.startswith("ok"):
                print(verdict.strip(), self.history.outcomes, file=sys.stderr)
                return
            # Copies become equal in their own time; nothing else may be wrong at any time.
            if "I6" not in verdict or time.monotonic() > end:
                self.keep(verdict)
            for node in self.cluster.nodes.values():
                node.start()

    def keep(self, verdict):
        text = self.history.path.read_text()
        kept = pathlib.Path(tempfile.gettempdir()) / f"varve_history_{self.seed}"
        kept.write_text(text)
        logs = "".join(f"--- node {n}\n{node.log()[-3000:]}" for n, node in self.cluster.nodes.items())
        self.fail(f"{verdict}\nthe history is in {kept}\n{logs}")

    def settle(self):
        self.cluster.await_color("green")
        before = {n: int(node.info()["varve_exchanges"]) for n, node in self.cluster.nodes.items()}
        self.cluster.admin("repair")
        end = time.monotonic() + PATIENCE
        for number, node in self.cluster.nodes.items():
            while int(node.info()["varve_exchanges"]) < before[number] + 16 or node.info()["varve_hints"] != "0":
                self.assertLess(time.monotonic(), end, node.info())
                time.sleep(0.05)

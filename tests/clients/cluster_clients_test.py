#!/usr/bin/env python3
"""Clients of others that know of clusters drive one of varve's nodes: Debian's redis-cli -c and python3-redis, and ioredis of npm, which
scripts/test puts into NODE_MODULES. What is absent is skipped, and said so.

usage: cluster_clients_test.py PROGRAM NODE_MODULES
"""
import logging
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "server"))
import redis_pair  # noqa: E402
from cluster_nodes import CLIENT_PORT, LONG, PATIENCE, Cluster, host_of  # noqa: E402

# What the clients say of the death of a node is expected.
logging.disable(logging.CRITICAL)
try:
    import redis
    import redis.cluster
except ImportError:
    redis = None

PROGRAM = str(pathlib.Path(sys.argv.pop(1)).resolve())
NODE_MODULES = pathlib.Path(sys.argv.pop(1)).resolve()
SCALE = float(os.environ.get("VARVE_TEST_SCALE", "1"))
KEYS = int(400 * SCALE) + 50  # at random over all slots, of which each node has three quarters


def skip(what):
    print(f"skipped: {what} is absent", file=sys.stderr)
    raise unittest.SkipTest(f"{what} is absent")


class ClusterClientsTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="varve_clients_")
        self.addCleanup(folder.cleanup)
        # So that each key has a node that has it not, and sends clients on.
        self.cluster = Cluster(PROGRAM, folder.name, 4, options=LONG)
        self.addCleanup(self.cluster.end)

    def kill_one(self):
        self.cluster.nodes[3].kill()

    def living(self):
        return [node for node in self.cluster.nodes.values() if node.number != 3]

    def await_done(self, what):
        """Until `what` ends without an error: clients hear of a dead node by and by."""
        end = time.monotonic() + PATIENCE
        while True:
            try:
                return what()
            except Exception:  # whatever the client has made of it
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)

    def test_python(self):
        if redis is None:
            skip("python3-redis")
        client = redis.cluster.RedisCluster(host=host_of(1), port=CLIENT_PORT, socket_timeout=PATIENCE)
        self.addCleanup(client.close)
        self.assertEqual(len(client.get_nodes()), 4)

        def put(value):
            for i in range(KEYS):
                self.assertTrue(client.set(f"key{i}", value))

        def check(value):
            for i in range(KEYS):
                self.assertEqual(client.get(f"key{i}"), value.encode())

        put("one")
        check("one")
        self.assertEqual(client.mset({"{t}1": "a", "{t}2": "b"}), True)
        self.assertEqual(client.mget("{t}1", "{t}2"), [b"a", b"b"])
        pipeline = client.pipeline()
        for i in range(KEYS):
            pipeline.get(f"key{i}")
        self.assertEqual(pipeline.execute(), [b"one"] * KEYS)
        self.kill_one()
        self.await_done(lambda: put("two"))
        # Nobody sends clients to it any more.
        self.await_done(lambda: self.assertEqual({node.info()["varve_unreachable"] for node in self.living()}, {"3"}))
        self.await_done(lambda: put("three"))
        check("three")

    def test_the_map_of_slots(self):
        """CLUSTER SLOTS and SHARDS tell what status tells, each node as Redis describes it."""
        status = {int(row.split("\t")[0]): int(row.split("\t")[3]) for row in
                  self.cluster.admin("status").splitlines() if row[:1].isdigit()}
        if redis is None:
            skip("python3-redis")
        client = redis.cluster.RedisCluster(host=host_of(1), port=CLIENT_PORT, socket_timeout=PATIENCE)
        self.addCleanup(client.close)
        names = {client.execute_command("CLUSTER MYID", target_nodes=client.get_node(host_of(n), CLIENT_PORT)).decode(): n
                 for n in self.cluster.nodes}
        self.assertEqual(sorted(names.values()), [1, 2, 3, 4])
        replicas = {}  # slot -> nodes, the first one first
        for shard in client.cluster_shards(target_nodes=client.get_random_node()):
            nodes = shard["nodes"]
            numbers = [names[node[b"id"].decode()] for node in nodes]
            for i, node in enumerate(nodes):
                host = host_of(numbers[i]).encode()
                self.assertEqual(node, {b"id": node[b"id"], b"port": CLIENT_PORT, b"ip": host, b"endpoint": host,
                                        b"role": b"replica" if i else b"master", b"replication-offset": 0, b"health": b"online"})
            for first, last in shard["slots"]:
                for slot in range(first, last + 1):
                    self.assertNotIn(slot, replicas)
                    replicas[slot] = numbers
        self.assertEqual(sorted(replicas), list(range(16384)))
        for number, copies in status.items():
            self.assertEqual(sum(number in numbers for numbers in replicas.values()), copies * 16384 // 16)
        # By SLOTS, which redis-py goes by.
        parsed = client.nodes_manager.slots_cache
        for slot, numbers in replicas.items():
            self.assertEqual([node.host for node in parsed[slot]], [host_of(n) for n in numbers])

    def shape(self, reply):
        """Types, and the names of fields; of lists of things of a kind the first."""
        kind, value = reply
        if kind in (b"*", b"%") and value and value[0][0] == b"$" and value[0][1] in (b"slots", b"id"):
            return kind, [(item[1] if i % 2 == 0 else self.shape(item)) for i, item in enumerate(value)]
        if kind in (b"*", b"%"):
            return kind, [self.shape(item) for item in value[:3]]
        return kind

    def test_the_map_has_the_shape_of_redis(self):
        if not redis_pair.has_redis():
            skip("redis-server")
        with tempfile.TemporaryDirectory(prefix="varve_shape_") as folder:
            with redis_pair.start_redis(folder, "--port", str(CLIENT_PORT), "--bind", host_of(8), "--cluster-enabled", "yes",
                                        "--cluster-port", str(CLIENT_PORT + 1)) as server:
                theirs = redis_pair.Connection(server.path)
                self.addCleanup(theirs.close)
                self.assertEqual(theirs.call("CLUSTER", "ADDSLOTSRANGE", 0, 16383), (b"+", b"OK"))
                own = self.cluster.nodes[1]
                for protocol in ("2", "3"):
                    theirs.call("HELLO", protocol)
                    own.call("HELLO", protocol)
                    self.assertEqual(self.shape(own.call("CLUSTER", "SLOTS")[1][0]), self.shape(theirs.call("CLUSTER", "SLOTS")[1][0]))
                    mine, other = (self.shape(at.call("CLUSTER", "SHARDS")[1][0]) for at in (own, theirs))
                    # How many nodes a shard has is its own business, and how many ranges.
                    self.assertEqual([mine[1][3][1][0], *mine[1][::2]], [other[1][3][1][0], *other[1][::2]])
                    self.assertEqual(mine[0], other[0])
                self.assertEqual(len(own.call("CLUSTER", "MYID")[1]), len(theirs.call("CLUSTER", "MYID")[1]))

    def test_ioredis(self):
        node = shutil.which("node") or shutil.which("nodejs")
        if node is None or not (NODE_MODULES / "ioredis").is_dir():
            skip("ioredis")
        script = pathlib.Path(__file__).resolve().parent / "ioredis_cluster_client.js"
        hosts = [f"{host_of(n)}:{CLIENT_PORT}" for n in self.cluster.nodes]
        process = subprocess.Popen([node, str(script), str(KEYS), *hosts], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, env={**os.environ, "NODE_PATH": str(NODE_MODULES)})
        self.addCleanup(process.kill)
        said = []
        with process:
            for line in process.stdout:
                said.append(line)
                if line == "restart\n":
                    self.kill_one()
                    process.stdin.write("killed\n")
                    process.stdin.flush()
        self.assertEqual(process.returncode, 0, "".join(said))
        self.assertEqual(said[-1], "ok\n", said)

    def test_command_line(self):
        if shutil.which("redis-cli") is None:
            skip("redis-cli")

        def run(node, lines):
            done = subprocess.run(["redis-cli", "-c", "-h", host_of(node), "-p", str(CLIENT_PORT)], input="\n".join(lines) + "\n",
                                  text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=PATIENCE)
            return [line for line in done.stdout.splitlines() if not line.startswith("-> Redirected")]

        # It follows, since it has asked who has what.
        self.assertEqual(run(1, ["CLUSTER COUNTKEYSINSLOT 0"]), ["0"])
        first = ["CLUSTER KEYSLOT a"] + [f"SET key{i} one" for i in range(KEYS)]
        self.assertEqual(run(1, first), ["15495"] + ["OK"] * KEYS)
        self.assertEqual(run(2, [f"GET key{i}" for i in range(KEYS)]), ["one"] * KEYS)
        # Sent from node to node, it ends at one that has the key.
        asked = run(4, ["CLUSTER INFO"] + [f"GET key{i}" for i in range(KEYS)])
        self.assertIn("cluster_state:ok", asked)
        self.assertEqual(asked[-KEYS:], ["one"] * KEYS)
        self.kill_one()
        self.assertEqual(run(1, [f"SET key{i} two" for i in range(KEYS)]), ["OK"] * KEYS)
        self.assertEqual(run(4, [f"GET key{i}" for i in range(KEYS)]), ["two"] * KEYS)


if __name__ == "__main__":
    unittest.main(verbosity=2)

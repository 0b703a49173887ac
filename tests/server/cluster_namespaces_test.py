#!/usr/bin/env python3
"""Namespaces of a cluster of varve's nodes, and nodes that start while the topology store is away.

usage: cluster_namespaces_test.py PROGRAM
"""
import os
import pathlib
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from cluster_nodes import LONG, PATIENCE, Cluster  # noqa: E402

PROGRAM = str(pathlib.Path(sys.argv.pop(1)).resolve())
OK = (b"+", b"OK")
NOWHERE = "etcd:http://127.0.0.1:1"  # where nobody listens


class ClusterTest(unittest.TestCase):
    def make(self, count, *init):
        folder = tempfile.TemporaryDirectory(prefix="varve_cluster_")
        self.addCleanup(folder.cleanup)
        cluster = Cluster(PROGRAM, folder.name, count, *init, options=LONG)
        self.addCleanup(cluster.end)
        return cluster

    def await_true(self, what, *args):
        end = time.monotonic() + PATIENCE
        while not what(*args):
            self.assertLess(time.monotonic(), end, what)
            time.sleep(0.05)

    def values(self, node, *args):
        kind, items = node.call("V.GET", *args)
        self.assertEqual(kind, b"*", items)
        return sorted(value for _, value in items)

    def error(self, word, node, *args):
        kind, text = node.call(*args)
        self.assertEqual((kind, text.split()[0]), (b"-", word), text)
        return text

    def make_namespaces(self, cluster):
        cluster.admin("namespace", "create", "carts")
        cluster.admin("namespace", "create", "last", "--conflicts", "lww")
        cluster.admin("namespace", "create", "all", "--read", "1", "--write", "3")
        cluster.await_color("green")


class NamespacesTest(ClusterTest):
    def test_each_has_its_own_policy_quorums_and_keys(self):
        cluster = self.make(3)
        one, two, three = cluster.nodes.values()
        self.assertIn(b"no namespace 'carts'", self.error(b"ERR", one, "SET", "@carts/1", "x"))
        self.make_namespaces(cluster)
        self.error(b"ERR", one, "SET", "@cart/1", "x")
        self.error(b"ERR", one, "SET", "@carts", "x")
        self.assertEqual(one.call("SET", "carts/1", "none's"), OK)
        contexts = {}
        for name in ("carts", "last"):
            for node, value in ((one, "milk"), (two, "bread")):  # neither has seen the other
                contexts[name] = node.call("V.PUT", f"@{name}/1", value)[1]
        self.assertEqual(self.values(three, "@carts/1"), [b"bread", b"milk"])
        self.assertEqual(len(self.values(three, "@last/1")), 1)
        self.error(b"CONFLICT", three, "GET", "@carts/1")
        self.assertEqual(three.call("GET", "@last/1")[0], b"$")
        self.assertEqual(three.call("GET", "carts/1"), (b"$", b"none's"))
        self.assertEqual(self.values(three, "@all/1"), [])
        # A context is for a key of its namespace.
        self.error(b"ERR", one, "V.PUT", "@last/1", "x", "CTX", contexts["carts"])
        self.assertEqual(one.call("DEL", "@carts/1"), (b":", b"1"))
        self.assertEqual(self.values(two, "@carts/1"), [])
        self.assertEqual(one.call("SET", "@all/1", "x"), OK)
        three.kill()
        cluster.await_color("red")
        self.error(b"NOQUORUM", one, "SET", "@all/2", "x")
        self.assertEqual(two.call("GET", "@all/1"), (b"$", b"x"))
        self.assertEqual(two.call("SET", "@carts/2", "x"), OK)
        # R=1 and W=2 promise less, and may be had at once.
        cluster.admin("namespace", "set", "all", "--write", "2")
        self.await_true(lambda: two.call("SET", "@all/2", "y") == OK)
        three.start()
        self.assertIn("@all/...\tsiblings\t1\t2", cluster.await_color("green"))
        self.await_true(lambda: self.values(three, "@all/2", "R", "1") == [b"y"])

    def test_those_of_r_and_w_that_meet_meet_while_they_change(self):
        cluster = self.make(3)
        cluster.admin("namespace", "create", "a", "--read", "1", "--write", "3")
        cluster.admin("namespace", "set", "a", "--read", "2", "--write", "2", code=2)
        cluster.admin("namespace", "set", "a", "--read", "2")
        cluster.admin("namespace", "set", "a", "--write", "2")
        self.assertIn("@a/...\tsiblings\t2\t2", cluster.await_color("green"))


class StoreAwayTest(ClusterTest):
    def test_nodes_start_by_what_they_knew_last(self):
        cluster = self.make(3)
        self.make_namespaces(cluster)
        nodes = list(cluster.nodes.values())
        for i in range(20):
            self.assertEqual(nodes[i % 3].call("SET", f"key{i}", "v"), OK)
        for node in nodes:
            node.kill()
        for node in nodes:
            node.options[node.options.index(cluster.topology)] = NOWHERE
            node.start()
            self.assertIn("starting by what this node knew last", node.log())
        self.await_true(lambda: all(node.info()["varve_unreachable"] == "" for node in nodes))
        for i in range(20):
            self.assertEqual(nodes[(i + 1) % 3].call("GET", f"key{i}"), (b"$", b"v"))
            self.assertEqual(nodes[(i + 1) % 3].call("SET", f"key{i}", "w"), OK)
            self.assertEqual(nodes[i % 3].call("SET", f"@all/{i}", "w"), OK)
        self.assertIn("cannot ask the topology store", cluster.await_color("yellow"))
        # What comes to be meanwhile is taken when the store is there again.
        cluster.admin("namespace", "create", "new")
        cluster.admin("join", cluster.place(4), "--yes")
        self.error(b"ERR", nodes[0], "SET", "@new/1", "x")
        for node in nodes:
            node.stop()
            node.options[node.options.index(NOWHERE)] = cluster.topology
            node.start()
        cluster.start(4)
        cluster.await_color("green")
        for i in range(20):
            self.assertEqual(cluster.nodes[4].call("GET", f"key{i}"), (b"$", b"w"))
        self.assertEqual(cluster.nodes[4].call("SET", "@new/1", "x"), OK)

    def test_one_that_comes_back_alone_meets_what_has_changed(self):
        cluster = self.make(3)
        one, two, three = cluster.nodes.values()
        three.kill()
        cluster.admin("namespace", "create", "new")
        cluster.admin("join", cluster.place(4), "--yes")
        cluster.start(4)
        three.options[three.options.index(cluster.topology)] = NOWHERE
        three.start()
        # It gets the topology from the others, and what moves does so with it.
        epoch = one.info()["cluster_current_epoch"]
        self.await_true(lambda: int(three.info()["cluster_current_epoch"]) >= int(epoch))
        self.assertEqual(three.call("SET", "key", "v"), OK)
        self.assertEqual(two.call("GET", "key"), (b"$", b"v"))


if __name__ == "__main__":
    unittest.main(verbosity=2)

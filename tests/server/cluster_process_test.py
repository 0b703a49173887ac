#!/usr/bin/env python3
"""Clusters of varve's nodes, as processes: killed, stopped, grown and shrunk while clients read and write.

usage: cluster_process_test.py PROGRAM
"""
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import demo_output  # noqa: E402
import redis_pair  # noqa: E402
from cluster_nodes import LONG, PATIENCE, Cluster, host_of  # noqa: E402

PROGRAM = str(pathlib.Path(sys.argv.pop(1)).resolve())
SCALE = float(os.environ.get("VARVE_TEST_SCALE", "1"))
OK = (b"+", b"OK")


class ClusterTest(unittest.TestCase):
    def make(self, count, *init, options=tuple(LONG), **more):
        folder = tempfile.TemporaryDirectory(prefix="varve_cluster_")
        self.addCleanup(folder.cleanup)
        cluster = Cluster(PROGRAM, folder.name, count, *init, options=options, **more)
        self.addCleanup(cluster.end)
        return cluster

    def await_true(self, what, *args):
        end = time.monotonic() + PATIENCE
        while not what(*args):
            self.assertLess(time.monotonic(), end, what)
            time.sleep(0.05)

    def put(self, node, first, count):
        for i in range(first, first + count):
            self.assertEqual(node.call("SET", f"key{i}", f"value{i}"), OK, i)

    def check(self, node, first, count):
        for i in range(first, first + count):
            self.assertEqual(node.call("GET", f"key{i}"), (b"$", b"value%d" % i), i)

    def values(self, node, *args):
        kind, items = node.call(*args)
        self.assertEqual(kind, b"*", items)
        return sorted(value for _, value in items)


class CommandsTest(ClusterTest):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="varve_cluster_")
        cls.cluster = Cluster(PROGRAM, cls.folder.name, 3, options=LONG)
        cls.one, cls.two, cls.three = cls.cluster.nodes.values()

    @classmethod
    def tearDownClass(cls):
        cls.cluster.end()
        cls.folder.cleanup()

    def test_every_node_takes_every_command(self):
        for node in self.cluster.nodes.values():
            key = f"every{node.number}"
            self.assertEqual(node.call("SET", key, "a"), OK)
            for other in self.cluster.nodes.values():
                self.assertEqual(other.call("GET", key), (b"$", b"a"))
                self.assertEqual(other.call("EXISTS", key, key), (b":", b"2"))
                self.assertEqual(other.call("TOUCH", key), (b":", b"1"))
                self.assertEqual(other.call("TYPE", key), (b"+", b"string"))
                self.assertEqual(other.call("STRLEN", key), (b":", b"1"))
                self.assertEqual(other.call("GETRANGE", key, 0, -1), (b"$", b"a"))
            self.assertEqual(node.call("DEL", key, key), (b":", b"1"))
            for other in self.cluster.nodes.values():
                self.assertEqual(other.call("GET", key), (b"$", None))
            self.assertEqual(node.call("DEL", key), (b":", b"0"))

    def test_several_keys_lie_in_one_slot(self):
        self.assertEqual(self.one.call("MSET", "{t}1", "x", "{t}2", "y", "{t}1", "z"), OK)
        self.assertEqual(self.two.call("MGET", "{t}1", "{t}2", "{t}3"), (b"*", [(b"$", b"z"), (b"$", b"y"), (b"$", None)]))
        self.assertEqual(self.two.call("GETDEL", "{t}1"), (b"$", b"z"))
        self.assertEqual(self.three.call("GETDEL", "{t}1"), (b"$", None))
        for command in (["MGET", "a", "b"], ["MSET", "a", "1", "b", "2"], ["DEL", "a", "b"], ["EXISTS", "a", "b"]):
            self.assertTrue(self.one.call(*command)[1].startswith(b"CROSSSLOT "), command)

    def test_conflicts_are_shown_and_settled(self):
        first = self.one.call("V.PUT", "cart", "milk")[1]
        self.two.call("V.PUT", "cart", "bread")  # has seen nothing
        self.assertEqual(self.values(self.three, "V.GET", "cart"), [b"bread", b"milk"])
        kind, text = self.three.call("GET", "cart")
        self.assertEqual((kind, text[:9]), (b"-", b"CONFLICT "))
        self.assertTrue(self.three.call("GETDEL", "cart")[1].startswith(b"CONFLICT "))
        (_, context), (_, values) = self.three.call("V.GET", "cart", "CTX")[1]
        self.assertEqual(len(values), 2)
        # Who has seen one of them takes only that away.
        self.one.call("V.PUT", "cart", "cheese", "CTX", first)
        self.assertEqual(self.values(self.two, "V.GET", "cart"), [b"bread", b"cheese"])
        self.one.call("V.PUT", "cart", "all", "CTX", context)
        self.assertEqual(self.values(self.two, "V.GET", "cart"), [b"all", b"cheese"])
        context = self.three.call("V.GET", "cart", "CTX")[1][0][1]
        self.two.call("V.DEL", "cart", "CTX", context)
        self.assertEqual(self.values(self.one, "V.GET", "cart"), [])
        self.assertEqual(self.one.call("GET", "cart"), (b"$", None))

    def test_contexts_are_for_their_key_and_not_made_up(self):
        context = self.one.call("V.PUT", "mine", "1")[1]
        self.assertEqual(self.two.call("V.PUT", "other", "2", "CTX", context)[0], b"-")
        self.assertEqual(self.two.call("V.PUT", "mine", "2", "CTX", "AAAA")[0], b"-")
        self.assertEqual(self.two.call("V.PUT", "mine", "2", "CTX", "!")[0], b"-")
        self.assertEqual(self.values(self.three, "V.GET", "mine"), [b"1"])

    def test_levels(self):
        self.assertEqual(self.one.call("V.PUT", "level", "1", "W", "3")[0], b"$")
        for replicas in ("1", "2", "3"):
            self.assertEqual(self.values(self.two, "V.GET", "level", "R", replicas), [b"1"])
        for replicas in ("0", "16", "x"):
            self.assertEqual(self.two.call("V.GET", "level", "R", replicas)[0], b"-")
        self.assertTrue(self.two.call("V.GET", "level", "R", "4")[1].startswith(b"NOQUORUM "))

    def test_what_many_nodes_cannot_keep_is_refused(self):
        for command in (["INCR", "a"], ["SETNX", "a", "1"], ["SET", "a", "1", "NX"], ["SET", "a", "1", "EX", "9"], ["MULTI"],
                        ["WATCH", "a"], ["KEYS", "*"], ["SCAN", "0"], ["FLUSHALL"], ["SELECT", "1"], ["EXPIRE", "a", "1"],
                        ["V.RANGE", "a", "b"], ["V.CAS", "a", "IFABSENT", "SET", "1"], ["SUBSCRIBE", "c"], ["DBSIZE"],
                        ["PUBLISH", "c", "m"], ["RENAME", "a", "b"], ["COPY", "a", "b"], ["DUMP", "a"], ["TTL", "a"]):
            kind, text = self.one.call(*command)
            self.assertEqual(kind, b"-", command)
            self.assertIn(b"cluster", text, command)
        self.assertEqual(self.one.call("PING"), (b"+", b"PONG"))

    def test_clients_are_told_who_has_what(self):
        kind, ranges = self.one.call("CLUSTER", "SLOTS")
        covered = 0
        for _, (first, last, *nodes) in ranges:
            covered += int(last[1]) - int(first[1]) + 1
            self.assertEqual(len(nodes), 3)
        self.assertEqual(covered, 16384)
        self.assertEqual(self.one.call("CLUSTER", "KEYSLOT", "{user1000}.following"), (b":", b"3443"))
        names = {node.call("CLUSTER", "MYID")[1] for node in self.cluster.nodes.values()}
        self.assertEqual(len(names), 3)
        lines = self.one.call("CLUSTER", "NODES")[1].decode().splitlines()
        self.assertEqual({line.split()[0].encode() for line in lines}, names)
        self.assertEqual(self.two.info()["cluster_state"], "ok")
        self.assertEqual(self.two.call("READONLY"), OK)
        slot = self.one.call("CLUSTER", "KEYSLOT", "{counted}")[1]
        self.put(self.one, 0, 1)
        self.one.call("SET", "{counted}x", "1", )
        self.await_true(lambda: self.three.call("CLUSTER", "COUNTKEYSINSLOT", slot) == (b":", b"1"))

    def test_repair_is_begun_on_demand(self):
        self.assertEqual(self.cluster.admin("repair").count("compares its copies"), 3)
        self.await_true(lambda: all(int(node.info()["varve_exchanges"]) > 0 for node in self.cluster.nodes.values()))

    def test_pipelines_keep_their_order(self):
        for i in range(200):
            self.one.connection.send(b"".join(
                b"*%d\r\n" % len(args) + b"".join(b"$%d\r\n%s\r\n" % (len(arg), arg) for arg in args)
                for args in ([b"SET", b"p", b"%d" % i], [b"GET", b"p"], [b"PING"])))
        for i in range(200):
            self.assertEqual([self.one.connection.read() for _ in range(3)],
                             [OK, (b"$", b"%d" % i), (b"+", b"PONG")])


class FailureTest(ClusterTest):
    def test_a_killed_node_costs_no_request_and_gets_what_it_missed(self):
        cluster = self.make(3)
        one, two, three = cluster.nodes.values()
        count = int(100 * SCALE) + 10
        self.put(one, 0, count)
        three.kill()
        self.put(two, count, count)
        self.check(one, 0, 2 * count)
        cluster.await_color("yellow")
        self.check(two, 0, 2 * count)
        three.start()
        cluster.await_color("green")
        # Alone it has everything that was kept for it.
        one.kill()
        two.kill()
        for i in range(count, 2 * count):
            self.assertEqual(self.values(three, "V.GET", f"key{i}", "R", "1"), [b"value%d" % i])

    def test_a_node_that_stands_still_costs_no_request(self):
        cluster = self.make(3)
        one, two, three = cluster.nodes.values()
        self.put(one, 0, 20)
        three.pause()
        self.put(one, 20, 20)
        self.check(two, 0, 40)
        three.go_on()
        cluster.await_color("green")
        self.check(three, 0, 40)

    def test_without_a_quorum_it_says_so(self):
        cluster = self.make(3)
        one, two, three = cluster.nodes.values()
        self.put(one, 0, 5)
        two.kill()
        three.kill()
        cluster.await_color("red")
        kind, text = one.call("GET", "key0")
        self.assertEqual((kind, text[:9]), (b"-", b"NOQUORUM "))
        self.assertIn(b"nothing was read", text)
        kind, text = one.call("SET", "key0", "x")
        self.assertEqual((kind, text[:9]), (b"-", b"NOQUORUM "))
        kind, text = one.call("V.PUT", "blind", "x")
        self.assertEqual(kind, b"-")
        self.assertIn(text.split()[0], (b"NOQUORUM", b"UNKNOWN"))
        two.start()
        self.await_true(lambda: one.info()["varve_unreachable"] == "3")
        self.check(one, 0, 5)

    def test_a_request_without_a_quorum_ends_by_its_deadline(self):
        """Of --cluster-timeout, 0.5 s; the rest is for a machine that has much to do."""
        cluster = self.make(3, options=("--cluster-timeout", "500"))
        one, two, three = cluster.nodes.values()
        self.put_patiently(one, "key", "1")
        # They take what is sent to them, and answer nothing.
        two.pause()
        three.pause()
        self.addCleanup(two.go_on)
        self.addCleanup(three.go_on)
        for command, errors in ((["GET", "key"], (b"NOQUORUM",)), (["V.GET", "key", "LINEAR"], (b"NOQUORUM",)),
                                (["SET", "key", "2"], (b"NOQUORUM", b"UNKNOWN")), (["V.PUT", "key", "2"], (b"UNKNOWN", b"NOQUORUM")),
                                (["DEL", "key"], (b"NOQUORUM", b"UNKNOWN")), (["MGET", "{k}1", "{k}2"], (b"NOQUORUM",))):
            begin = time.monotonic()
            kind, text = one.call(*command)
            self.assertLess(time.monotonic() - begin, 5.5, command)
            self.assertEqual(kind, b"-", command)
            self.assertIn(text.split()[0], errors)
        # So does a pipeline of many: their deadlines run side by side.
        begin = time.monotonic()
        one.connection.send(b"".join(redis_pair.encode([b"GET", b"key%d" % i]) for i in range(50)))
        for _ in range(50):
            self.assertEqual(one.connection.read()[1].split()[0], b"NOQUORUM")
        self.assertLess(time.monotonic() - begin, 5.5)

    def put_patiently(self, node, key, value):
        self.await_true(lambda: node.call("SET", key, value) == OK)

    def test_everything_is_there_after_all_were_killed(self):
        cluster = self.make(3)
        nodes = list(cluster.nodes.values())
        for i, node in enumerate(nodes):
            self.put(node, 10 * i, 10)
        for node in nodes:
            node.kill()
        for node in nodes:
            node.start()
        cluster.await_color("green")
        for node in nodes:
            self.check(node, 0, 30)

    def test_a_node_without_its_data_is_refused(self):
        cluster = self.make(3)
        three = cluster.nodes[3]
        three.kill()
        (three.folder / "store").rename(three.folder / "lost")
        with self.assertRaises(RuntimeError):
            three.start()
        self.assertIn("has had data", three.log())


class GrowthTest(ClusterTest):
    def test_nodes_join_are_replaced_and_leave_while_clients_work(self):
        cluster = self.make(3)
        count = int(200 * SCALE) + 20
        self.put(cluster.nodes[1], 0, count)
        plan = cluster.admin("join", cluster.place(4))
        self.assertRegex(plan, r"\n12 copies of partitions are made, .*; [0-9.]+ k?B, at least [0-9.]+ m?s, as a node takes 33.6 MB/s at most\n")
        self.assertIn("nothing has changed yet", plan)
        cluster.admin("commit")
        four = cluster.start(4)
        self.put(cluster.nodes[2], count, count)
        cluster.await_color("green")
        self.check(four, 0, 2 * count)
        held = [sum(int(four.call("CLUSTER", "COUNTKEYSINSLOT", slot)[1]) for slot in
                    {int(four.call("CLUSTER", "KEYSLOT", f"key{i}")[1]) for i in range(20)})]
        self.assertGreater(held[0], 0)
        # Who asks for the map is sent on; who does not is served.
        four.call("CLUSTER", "SLOTS")
        replies = [four.call("GET", f"key{i}") for i in range(100)]
        self.assertTrue(any(text.startswith(b"MOVED ") for kind, text in replies if kind == b"-"), replies)
        self.assertTrue(all(kind == b"$" or text.startswith(b"MOVED ") for kind, text in replies))

        cluster.nodes[3].kill()
        cluster.admin("replace", "3", cluster.place(5), "--yes")
        five = cluster.start(5)
        self.put(five, 2 * count, 20)
        cluster.await_without(3)
        del cluster.nodes[3]
        self.check(five, 0, 2 * count + 20)

        cluster.admin("leave", "1", "--yes")
        cluster.await_without(1)
        self.check(cluster.nodes[2], 0, 2 * count + 20)

    def test_the_demo_ends_well(self):
        done = subprocess.run([PROGRAM, "demo", "cluster", "--nodes", "5", "--keys", "20", "--address", host_of(9)], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=4 * PATIENCE)
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn("the topology in a file", done.stdout)
        demo_output.check(self, done.stdout, 5)


if __name__ == "__main__":
    print(f"nodes at {host_of(1)} and on", file=sys.stderr)
    unittest.main(verbosity=2)

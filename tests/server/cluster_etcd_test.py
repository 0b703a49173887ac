#!/usr/bin/env python3
"""Clusters of processes with their topology in a real etcd, which is killed and comes back. Recorded and judged as in
cluster_faults_test.py.

usage: cluster_etcd_test.py PROGRAM CHECKER [TEST...]; exit code 77: skipped
"""
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import demo_output  # noqa: E402
import etcd_process  # noqa: E402
from cluster_nodes import LONG, PATIENCE, host_of  # noqa: E402
from cluster_recorded import SCALE, RecordedTest  # noqa: E402

RecordedTest.program = str(pathlib.Path(sys.argv.pop(1)).resolve())
RecordedTest.checker = str(pathlib.Path(sys.argv.pop(1)).resolve())
OK = (b"+", b"OK")


class EtcdTest(RecordedTest):
    def make_on_etcd(self, **more):
        folder = tempfile.TemporaryDirectory(prefix="varve_etcd_")
        self.addCleanup(folder.cleanup)
        self.etcd = etcd_process.Etcd(folder.name)
        self.addCleanup(self.etcd.kill)
        return self.make(3, topology=self.etcd.topology, options=LONG, **more)

    def await_true(self, what):
        end = time.monotonic() + PATIENCE
        while not what():
            self.assertLess(time.monotonic(), end)
            time.sleep(0.05)

    def test_without_etcd_requests_go_on(self):
        cluster = self.make_on_etcd()
        member = self.etcd.member()
        self.begin(levels=False)
        self.work(0.5)
        self.etcd.kill()
        self.work(2)
        nodes = list(cluster.nodes.values())
        self.await_true(lambda: all(node.info()["varve_topology_trouble"] for node in nodes))
        # A change is refused, and says why; nothing of it is there later.
        self.assertIn("connect", cluster.admin("join", "9=127.0.0.1:1/1", "--yes", code=4))
        self.assertEqual(nodes[0].call("SET", "alone", "1"), OK)
        self.assertEqual(nodes[1].call("GET", "alone"), (b"$", b"1"))
        self.etcd.start()
        self.assertEqual(self.etcd.member(), member)
        self.await_true(lambda: not any(node.info()["varve_topology_trouble"] for node in nodes))
        self.work(0.5)
        self.assertNotIn("\n9\t", cluster.admin("status"))
        self.finish()
        self.assertEqual(set(self.history.outcomes), {"ok"})

    def test_while_etcd_stands_still_requests_go_on(self):
        """Its connections stay, and nothing comes from them: nodes and commands end by their own timeouts."""
        cluster = self.make_on_etcd()
        self.begin(levels=False)
        self.work(0.5)
        self.etcd.pause()
        nodes = list(cluster.nodes.values())
        if SCALE > 1:  # they hear of nothing for 30 s before they ask, and that takes 5 s
            self.await_true(lambda: all(node.info()["varve_topology_trouble"] for node in nodes))
        self.assertIn("timed out", cluster.admin("leave", "1", "--yes", code=None))
        self.assertEqual(nodes[0].call("SET", "alone", "1"), OK)
        self.assertEqual(nodes[1].call("GET", "alone"), (b"$", b"1"))
        # One that is killed meanwhile starts by what it knew last.
        nodes[2].kill()
        nodes[2].start()
        self.assertEqual(nodes[2].call("GET", "alone"), (b"$", b"1"))
        self.work(1 / SCALE)
        self.etcd.go_on()
        self.await_true(lambda: not any(node.info()["varve_topology_trouble"] for node in nodes))
        self.assertIn("\n1\tup\t", cluster.await_color("green"))
        self.finish()
        self.assertLessEqual(set(self.history.outcomes), {"ok", "closed"})

    def test_a_join_goes_on_when_etcd_is_back(self):
        cluster = self.make_on_etcd(moves=True)
        self.begin()
        for i in range(200):
            self.assertEqual(cluster.nodes[1 + i % 3].call("SET", f"key{i}", f"value{i}"), OK)
        cluster.add_proxy(4)
        cluster.admin("join", cluster.place(4), "--yes")
        four = cluster.start(4)
        self.etcd.kill()
        epoch = four.info()["cluster_current_epoch"]
        self.work(1)
        for i in range(200):
            self.assertEqual(four.call("GET", f"key{i}"), (b"$", b"value%d" % i))
        self.etcd.start()
        cluster.await_color("green")
        self.assertGreater(int(four.info()["cluster_current_epoch"]), int(epoch))
        for i in range(200):
            self.assertEqual(four.call("GET", f"key{i}"), (b"$", b"value%d" % i))
        self.finish()

    def test_the_demo_starts_etcd_again(self):
        """It is killed while node 2 is dead; the requests and the join that follow do not suffer."""
        command = [self.program, "demo", "cluster", "--etcd", "--nodes", "3", "--keys", "200", "--address", host_of(9)]
        with subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as demo:
            text = ""
            for line in demo.stdout:
                text += line
                if line.startswith("# kill -9 of node 2"):
                    os.kill(self.etcd_at(host_of(9)), signal.SIGKILL)
        self.assertEqual(demo.returncode, 0, text)
        self.assertIn("the topology in etcd", text)
        self.assertEqual(text.count("etcd has ended, and is started again"), 1, text)
        demo_output.check(self, text, 3)

    def etcd_at(self, host):
        for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = path.read_text().split("\0")
            except OSError:
                continue
            if words[0] == "etcd" and any(word.startswith(f"http://{host}:") for word in words):
                return int(path.parent.name)
        return self.fail(f"no etcd at {host}")


if __name__ == "__main__":
    if not etcd_process.is_there():
        print("skipped: Debian's etcd-server is absent")
        sys.exit(77)
    unittest.main(verbosity=2)

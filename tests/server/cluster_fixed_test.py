#!/usr/bin/env python3
"""Clusters whose topology is fixed: a file of its own for each machine, without a store that the nodes share.

usage: cluster_fixed_test.py PROGRAM
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from cluster_nodes import LONG, Cluster, Node, host_of  # noqa: E402

PROGRAM = str(pathlib.Path(sys.argv.pop(1)).resolve())
OK = (b"+", b"OK")
BOOT_ID = "/proc/sys/kernel/random/boot_id"


class FixedCluster(Cluster):
    """As docs/cluster.md tells: made once, the file copied to each node's machine."""

    def __init__(self, folder, count, *init):
        self.program, self.folder = PROGRAM, pathlib.Path(folder)
        self.nodes = {}
        self.topology = f"file:{self.folder}/cluster.json"
        self.admin("init", *[self.place(n) for n in range(1, count + 1)], "--partitions", "16", *init)
        self.topology = f"fixed:{self.folder}/cluster.json"

    def start(self, number, *options):
        own = self.folder / f"cluster{number}.json"
        shutil.copy(self.folder / "cluster.json", own)
        self.nodes[number] = Node(PROGRAM, self.folder, number, f"fixed:{own}", [*LONG, "--sync", *options])
        return self.nodes[number]

    def log_of(self, number):
        return (self.folder / f"node{number}" / "log").read_text()


def may_change_boots():
    """Whether this process may have a program see another boot id, as after loss of power."""
    command = ["unshare", "-m", "sh", "-c", f"mount --bind /dev/null {BOOT_ID}"]
    return shutil.which("unshare") and subprocess.run(command, capture_output=True, check=False).returncode == 0


class FixedTest(unittest.TestCase):
    def make(self, *init):
        folder = tempfile.TemporaryDirectory(prefix="varve_fixed_")
        self.addCleanup(folder.cleanup)
        cluster = FixedCluster(folder.name, 3, *init)
        self.addCleanup(cluster.end)
        return cluster

    def make_at_work(self):
        cluster = self.make("--fixed")
        for number in (1, 2, 3):
            cluster.start(number, "--cluster-first-start")
        cluster.await_color("green")
        for number, node in cluster.nodes.items():
            self.assertEqual(node.call("SET", f"key{number}", "first"), OK)
        return cluster

    def check(self, cluster, value):
        for node in cluster.nodes.values():
            for number in (1, 2, 3):
                self.assertEqual(node.call("GET", f"key{number}"), (b"$", value))

    def test_it_serves_and_restarts_and_takes_no_changes(self):
        cluster = self.make_at_work()
        self.check(cluster, b"first")
        for command in (["join", cluster.place(4)], ["leave", "1"], ["replace", "1", cluster.place(4)],
                        ["namespace", "create", "more"]):
            self.assertIn("the topology is fixed: ", cluster.admin(*command, code=2), command)
        cluster.nodes[1].kill()
        self.assertEqual(cluster.nodes[2].call("SET", "key1", "second"), OK)
        cluster.start(1)
        for number in (2, 3):
            self.assertEqual(cluster.nodes[number].stop(), 0)
            cluster.start(number)
            self.assertEqual(cluster.nodes[number].call("SET", f"key{number}", "second"), OK)
        cluster.await_color("green")
        self.check(cluster, b"second")
        self.assertNotIn("warn", cluster.log_of(1))

    @unittest.skipUnless(may_change_boots(), "no rights to change the boot id")
    def test_it_goes_on_after_machines_have_rebooted(self):
        cluster = self.make_at_work()
        for node in cluster.nodes.values():
            node.kill()
        # As unshare would be the one to be killed, the shell becomes the node.
        program = cluster.folder / "rebooted"
        program.write_text(f'#!/bin/sh\necho another > {cluster.folder}/boot\n'
                           f'exec unshare -m sh -c \'mount --bind {cluster.folder}/boot {BOOT_ID} && exec {PROGRAM} "$@"\' sh "$@"\n')
        program.chmod(0o755)
        for node in cluster.nodes.values():
            node.program = program
            node.start()
        cluster.await_color("green")
        self.check(cluster, b"first")
        for number, node in cluster.nodes.items():
            self.assertEqual(node.call("SET", f"key{number}", "second"), OK)
        self.check(cluster, b"second")

    def test_what_cannot_go_well_is_refused(self):
        cluster = self.make("--fixed")
        with self.assertRaises(RuntimeError):
            cluster.start(1)  # may have lost its data
        self.assertIn("has had data", cluster.log_of(1))
        self.assertIn("--cluster-first-start", cluster.log_of(1))
        for options, word in ((["--sync"], "has had data"), (["--cluster-first-start"], "needs --sync")):
            done = subprocess.run([PROGRAM, "server", str(cluster.folder / "other"), "--port", "0", "--unixsocket",
                                   str(cluster.folder / "socket"), "--bind", host_of(1), "--node-id", "1", "--cluster-topology",
                                   cluster.topology, *options], text=True, capture_output=True, check=False, timeout=60)
            self.assertEqual(done.returncode, 2, done)
            self.assertIn(word, done.stdout + done.stderr)
        unnamed = self.make()  # by init without --fixed
        with self.assertRaises(RuntimeError):
            unnamed.start(1, "--cluster-first-start")
        self.assertIn("no name for its writes", unnamed.log_of(1))
        unnamed.topology = unnamed.topology.replace("fixed:", "file:")
        done = subprocess.run([PROGRAM, "server", str(unnamed.folder / "other"), "--port", "0", "--unixsocket",
                               str(unnamed.folder / "socket"), "--node-id", "1", "--cluster-topology", unnamed.topology,
                               "--cluster-first-start"], text=True, capture_output=True, check=False, timeout=60)
        self.assertIn("is for topologies that are fixed", done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)

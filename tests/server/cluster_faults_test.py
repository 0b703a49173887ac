#!/usr/bin/env python3
"""Recorded histories of clusters of processes, judged by the oracles of the simulator: cut, one-way, slow and delayed links
between the nodes, kill -9, nodes that stand still, restarts.

usage: cluster_faults_test.py PROGRAM CHECKER [TEST...]
"""
import os
import pathlib
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from cluster_nodes import LONG  # noqa: E402
from cluster_recorded import SCALE, RecordedTest  # noqa: E402

RecordedTest.program = str(pathlib.Path(sys.argv.pop(1)).resolve())
RecordedTest.checker = str(pathlib.Path(sys.argv.pop(1)).resolve())


class FaultsTest(RecordedTest):
    def links_break(self, seconds):
        end = time.monotonic() + seconds * SCALE
        while time.monotonic() < end:
            for _ in range(self.random.randrange(1, 4)):
                self.break_a_link()
            self.work(self.random.choice((0.2, 0.7, 2, 4)) / SCALE)
            if self.random.random() < 0.7:
                self.cluster.proxy.heal()
                self.work(0.3 / SCALE)

    def test_without_faults(self):
        self.make(3, options=LONG)
        self.begin()
        self.work(2)
        self.finish()
        self.assertEqual(set(self.history.outcomes), {"ok"})

    def test_a_node_that_is_cut_off_costs_no_request(self):
        self.make(3, options=LONG)
        self.begin(nodes=[1, 2], levels=False)
        for fault in ({"is_cut": True}, {"stalls_forwards": True}, {"stalls_backwards": True}, {"delay": 0.5},
                      {"bytes_a_second": 2_000}):
            for other in (1, 2):
                self.cluster.proxy.set(3, other, **fault)
                self.cluster.proxy.set(other, 3, **fault)
            self.work(2)
            self.cluster.proxy.heal()
            self.work(0.5)
        self.finish()
        self.assertEqual(set(self.history.outcomes), {"ok"})

    def test_links(self):
        self.make(3)
        self.begin()
        self.links_break(12)
        self.finish()

    def test_links_latest_wins(self):
        self.make(3, "--conflicts", "lww")
        self.begin()
        self.links_break(10)
        self.finish()

    def test_nodes(self):
        self.make(3)
        self.begin()
        end = time.monotonic() + 12 * SCALE
        while time.monotonic() < end:
            self.harm_a_node()
            self.work(self.random.choice((0.1, 0.5, 1.5)) / SCALE)
        self.finish()

    def test_links_and_nodes(self):
        self.make(4)
        self.begin()
        end = time.monotonic() + 15 * SCALE
        while time.monotonic() < end:
            self.break_a_link()
            self.harm_a_node()
            self.work(self.random.choice((0.1, 0.5, 1.5)) / SCALE)
            if self.random.random() < 0.6:
                self.cluster.proxy.heal()
        self.finish()

    def test_all_nodes_at_once(self):
        self.make(3)
        self.begin()
        for _ in range(3):
            self.work(1)
            for node in self.cluster.nodes.values():
                node.kill()
            for node in self.cluster.nodes.values():
                node.start()
        self.finish()


if __name__ == "__main__":
    unittest.main(verbosity=2)

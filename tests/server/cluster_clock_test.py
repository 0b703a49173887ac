#!/usr/bin/env python3
"""Clusters whose nodes have clocks hours apart, and clocks that jump, by libfaketime. Recorded and judged as in
cluster_faults_test.py.

usage: cluster_clock_test.py PROGRAM CHECKER [TEST...]; exit code 77: skipped
"""
import glob
import os
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from cluster_nodes import LONG  # noqa: E402
from cluster_recorded import RecordedTest  # noqa: E402

RecordedTest.program = str(pathlib.Path(sys.argv.pop(1)).resolve())
RecordedTest.checker = str(pathlib.Path(sys.argv.pop(1)).resolve())
LIBRARIES = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
OK = (b"+", b"OK")


class ClockTest(RecordedTest):
    def environment(self, **more):
        return {**os.environ, "LD_PRELOAD": LIBRARIES[0], "DONT_FAKE_MONOTONIC": "1", **more}

    def make_skewed(self, *init):
        return self.make(3, *init, options=LONG, environments={1: self.environment(FAKETIME="+3h"),
                                                 3: self.environment(FAKETIME="-5h")})

    def wall_seconds(self, node):
        return int(node.call("TIME")[1][0][1])

    def check_skew(self):
        """That the nodes do have other clocks."""
        times = [self.wall_seconds(node) for node in self.cluster.nodes.values()]
        self.assertGreater(times[0] - times[1], 2 * 3600)
        self.assertGreater(times[1] - times[2], 4 * 3600)

    def take_turns(self, count=300):
        """What was written last is there, whichever clock the writer has."""
        nodes = list(self.cluster.nodes.values())
        for i in range(count):
            value = f"t{i}"
            self.assertEqual(nodes[i % 3].call("SET", "turns", value), OK)
            self.assertEqual(nodes[(i + 1 + i // 3) % 3].call("GET", "turns"), (b"$", value.encode()))
            if i % 10 == 9:
                self.assertEqual(nodes[(i + 2) % 3].call("DEL", "turns"), (b":", b"1"))
                self.assertEqual(nodes[i % 3].call("GET", "turns"), (b"$", None))

    def test_latest_wins(self):
        self.make_skewed("--conflicts", "lww")
        self.check_skew()
        self.take_turns()
        self.begin()
        self.work(4)
        self.cluster.nodes[1].kill()
        self.work(1)
        self.cluster.nodes[1].start()
        self.work(2)
        self.finish()

    def test_siblings(self):
        self.make_skewed()
        self.check_skew()
        self.take_turns()
        self.begin()
        self.work(3)
        self.cluster.proxy.set(1, 3, is_cut=True)
        self.cluster.proxy.set(3, 1, is_cut=True)
        self.work(3)
        self.finish()

    def test_a_clock_jumps(self):
        folder = tempfile.TemporaryDirectory(prefix="varve_clock_")
        self.addCleanup(folder.cleanup)
        times = [pathlib.Path(folder.name) / f"clock{n}" for n in (1, 2)]
        for path in times:
            path.write_text("+0\n")
        self.make(3, "--conflicts", "lww", options=LONG, environments={
            n + 1: self.environment(FAKETIME_TIMESTAMP_FILE=str(path), FAKETIME_NO_CACHE="1")
            for n, path in enumerate(times)})
        self.begin()
        for jump in ("+2h", "-2h", "+30", "-30", "+400d", "+0"):
            path = self.random.choice(times)
            fresh = path.with_suffix(".new")
            fresh.write_text(jump + "\n")
            fresh.rename(path)  # never seen half
            self.work(0.8)
            if self.random.random() < 0.3:
                node = self.random.choice(list(self.cluster.nodes.values()))
                node.kill()
                node.start()
        self.take_turns(60)
        self.finish()


if __name__ == "__main__":
    if not LIBRARIES:
        print("skipped: libfaketime (package faketime) is absent")
        sys.exit(77)
    if os.environ.get("VARVE_SANITIZED"):
        print("skipped: no other library can come before a sanitizer's")
        sys.exit(77)
    unittest.main(verbosity=2)

#!/usr/bin/env python3
"""Clusters of processes that change while clients are recorded: nodes join, are replaced and leave while links break and nodes
are killed; and all are restarted, one after the other. Judged as in cluster_faults_test.py.

usage: cluster_growth_test.py PROGRAM CHECKER [TEST...]
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


class GrowthTest(RecordedTest):
    def faults(self, seconds):
        """What breaks stays broken when they end, but for nodes."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.break_a_link()
            if self.random.random() < 0.4:
                self.harm_a_node()
            self.work(self.random.choice((0.1, 0.4, 1)) / SCALE)
            if self.random.random() < 0.5:
                self.cluster.proxy.heal()

    def bring_back(self, node):
        try:
            super().bring_back(node)
        except RuntimeError:
            # One that leaves may have nothing left by then: it is no member, and says so.
            self.assertIn((node.number, node), self.going)
            self.assertEqual(self.cluster.copies_of(node.number), 0)
            self.assertIn("was removed from the cluster", node.log())
            self.going.remove((node.number, node))
            del self.cluster.nodes[node.number]
            self.turn_to()

    def new_node(self):
        self.newest += 1
        self.cluster.add_proxy(self.newest)
        return self.newest, self.cluster.place(self.newest)

    def join(self):
        number, place = self.new_node()
        self.cluster.change("join", place)
        self.faults(self.random.choice((0, 1)))
        self.cluster.start(number)
        self.turn_to()

    def replace(self):
        """One that is killed and does not come back."""
        victim = self.random.choice([n for n, node in sorted(self.cluster.nodes.items()) if (n, node) not in self.going])
        self.cluster.nodes.pop(victim).kill()
        self.turn_to()
        self.faults(self.random.choice((0, 1)))
        number, place = self.new_node()
        self.cluster.change("replace", victim, place)
        self.cluster.start(number)
        self.turn_to()
        self.going.append((victim, None))

    def leave(self):
        """One that gives away what it has, and takes requests as long as it is there."""
        number = self.random.choice([n for n in sorted(self.cluster.nodes) if self.cluster.copies_of(n) > 0])
        self.cluster.change("leave", number)
        self.going.append((number, self.cluster.nodes[number]))

    def settle_changes(self):
        self.cluster.proxy.heal()
        for number, node in self.going:
            self.cluster.await_without(number)
            if node:
                self.work(0.2 / SCALE)
                del self.cluster.nodes[number]
                self.turn_to()
                self.assertEqual(node.stop(), 0)
        self.going = []
        self.cluster.await_color("green")

    def test_changes(self):
        """Joins, replacements and leaves, in any order and over each other, while all kinds of faults go on."""
        self.make(3, "--conflicts", self.random.choice(("siblings", "lww")), moves=True)
        self.newest, self.going = 3, []
        self.begin()
        self.work(0.5)
        for _ in range(max(1, round(SCALE))):
            steps = self.random.choice(((self.join, self.replace, self.leave), (self.join, self.leave, self.replace),
                                        (self.replace, self.join, self.leave)))
            for step in steps:
                self.break_a_link()
                step()
                self.faults(self.random.choice((0.5, 2, 4)))
                if self.random.random() < 0.3:
                    self.settle_changes()
            self.settle_changes()
        self.finish()
        self.assertEqual(len(self.cluster.nodes), 3)


class UpgradeTest(RecordedTest):
    def restart(self, node):
        self.assertEqual(node.stop(), 0)
        node.start()
        self.cluster.await_color("green")

    def test_nodes_restarted_in_turn_cost_no_request(self):
        """As docs/cluster.md upgrades: who has sent nothing to a node that ends sees nothing of it."""
        cluster = self.make(3, options=LONG)
        self.begin(all_copies=False)
        for _ in range(max(1, round(SCALE))):
            for number, node in cluster.nodes.items():
                self.work(0.3)
                self.turn_to([other for other in cluster.nodes if other != number])
                self.let_go()
                self.restart(node)
                self.turn_to()
        self.work(0.3)
        self.finish()
        self.assertEqual(set(self.history.outcomes), {"ok"})

    def test_nodes_restarted_under_their_clients(self):
        """A client loses one request with its connection, and no more than that."""
        cluster = self.make(3, "--conflicts", "lww", options=LONG)
        self.begin(clients=6, all_copies=False)
        rounds = max(1, round(SCALE))
        for _ in range(rounds):
            for node in cluster.nodes.values():
                self.work(0.3)
                self.restart(node)
        self.work(0.3)
        self.finish()
        self.assertLessEqual(set(self.history.outcomes), {"ok", "closed"})
        self.assertLessEqual(self.history.outcomes.get("closed", 0), 3 * rounds * len(self.clients))


if __name__ == "__main__":
    unittest.main(verbosity=2)

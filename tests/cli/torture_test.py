#!/usr/bin/env python3
"""'varve torture' when a promise is broken, as users meet it: how it ends, what it prints, what stays on the disk, and
that the printed command breaks the promise again. Mistakes are those that are planted (docs/testing.md).

usage: torture_test.py PROGRAM [planted]     without the word what needs planted bugs is skipped
"""
import json
import os
import pathlib
import shlex
import subprocess
import sys
import tempfile
import unittest

PROGRAM = pathlib.Path(sys.argv.pop(1)).resolve()
HAS_BUGS = sys.argv[1:2] == ["planted"]
if HAS_BUGS:
    sys.argv.pop(1)
VIOLATION = 6


class TortureTest(unittest.TestCase):
    def setUp(self):
        # A shell must not take the name of the directory apart.
        folder = tempfile.TemporaryDirectory(prefix="varve it's a test ")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.place = self.folder / "place"
        self.place.mkdir()
        (self.folder / "bin").mkdir()
        (self.folder / "bin" / "varve").symlink_to(PROGRAM)

    def environment(self, bug):
        environment = {**os.environ, "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}"}
        environment.pop("VARVE_PLANTED_BUG", None)
        return {**environment, "VARVE_PLANTED_BUG": bug} if bug else environment

    def run_line(self, bug, line, cwd=None):
        """Whatever a user pastes into a shell."""
        return subprocess.run(["sh", "-c", line], env=self.environment(bug), capture_output=True, text=True,
                              errors="replace", cwd=cwd or self.folder, check=False)

    def torture(self, bug, *words):
        return self.run_line(bug, shlex.join(["varve", "torture", *words, "--dir", str(self.place), "--json"]))

    def violation(self, done):
        self.assertEqual(done.returncode, VIOLATION, done.stdout + done.stderr)
        return json.loads(done.stdout.splitlines()[0])

    def repeats(self, bug, facts, replay):
        """The violation of a replay, which must be that of before, call by call."""
        again = self.violation(self.run_line(bug, replay + " --json"))
        digest = f"digest of {facts['campaign']}"
        self.assertEqual(again["violation"], facts["violation"])
        self.assertEqual(again["schedule"], facts["schedule"])
        return again[digest]

    def test_nothing_stays_where_the_promises_hold(self):
        for campaign in ("crash", "server", "concurrency", "ttl"):
            done = self.torture("", campaign, "--seeds", "1")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(list(self.place.iterdir()), [])

    def test_disks_are_measured_and_left_as_they_were(self):
        done = self.run_line("", shlex.join(["varve", "torture", "certify-disk", str(self.place), "--seconds", "1", "--json"]))
        self.assertIn(done.returncode, (0, 1), done.stderr)  # 1: this disk is bad
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertTrue(rows)
        self.assertEqual(list(self.place.iterdir()), [])
        self.assertNotIn(self.run_line("", shlex.join(["varve", "torture", "certify-disk", str(self.place / "none")])).returncode, (0, VIOLATION))

    @unittest.skipUnless(os.path.ismount("/dev/shm"), "no /dev/shm")
    def test_memory_is_no_disk(self):
        with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
            done = self.run_line("", shlex.join(["varve", "torture", "certify-disk", folder, "--seconds", "1"]))
            self.assertEqual(done.returncode, 1, done.stdout)
            self.assertIn("in memory", done.stdout)
            self.assertEqual(os.listdir(folder), [])

    def test_flags_without_a_meaning_are_refused(self):
        for words in (["power", "--profile", "moves"], ["cluster", "--profile", "moves", "--report", "r"], ["ttl", "--nodes", "3"]):
            self.assertEqual(self.torture("", *words).returncode, 2, words)

    def test_a_schedule_without_sense_is_no_violation(self):
        path = self.folder / "schedule"
        path.write_text("flush\nsing\n")
        for campaign in ("engine", "power", "disk-full", "io-errors", "bit-rot", "transactions", "ttl", "crash", "server", "concurrency"):
            done = self.torture("", campaign, "--schedule", str(path))
            self.assertNotIn(done.returncode, (0, VIOLATION), campaign)
            self.assertIn("makes no sense", done.stderr, campaign)
        self.assertEqual(list(self.place.iterdir()), [])

    @unittest.skipUnless(HAS_BUGS, "no planted bugs in this build")
    def test_a_violation_is_told_drawn_and_repeated(self):
        report = self.folder / "report.html"
        facts = self.violation(self.torture("log.not_synced", "power", "--seeds", "2", "--report", str(report)))
        self.assertEqual(facts["seed"], 1)
        schedule = pathlib.Path(facts["schedule_file"]).read_text()
        lines = [line for line in schedule.splitlines() if not line.startswith("#")]
        self.assertEqual(len(lines), facts["lines"])
        self.assertLessEqual(len(lines), 4)
        self.assertLess(facts["lines"], facts["lines_before"])
        self.assertEqual(facts["broken_again"], facts["of_further_runs"])
        page = report.read_text()
        for part in ("breaks the promise", "power cut", "Time line", "power cuts<br>", "broken", lines[0]):
            self.assertIn(part, page)
        # What is printed runs the shortest schedule, twice the same.
        digests = {self.repeats("log.not_synced", facts, facts["replay"]) for _ in range(2)}
        # So do the lines that somebody has saved.
        mine = self.folder / "mine.txt"
        mine.write_text("\n".join(["# of a report", *lines]))
        digests.add(self.repeats("log.not_synced", facts, shlex.join(
            ["varve", "torture", "power", "--seed", "1", "--schedule", str(mine), "--dir", str(self.place)])))
        self.assertEqual(len(digests), 1)
        # Without the mistake the same schedule holds.
        self.assertEqual(self.run_line("", facts["replay"]).returncode, 0)

    @unittest.skipUnless(HAS_BUGS, "no planted bugs in this build")
    def test_campaigns_in_memory_repeat_call_by_call(self):
        for campaign, bug, seed in (("engine", "merge.loses_deletes", 1), ("ttl", "read.expired_a_little_late", 3),
                                    ("transactions", "transaction.reads_not_validated", 1),
                                    ("disk-full", "flush.full_disk_is_final", 5),
                                    ("io-errors", "write.goes_on_after_a_failed_sync", 1), ("bit-rot", "wal.checksum_not_compared", 1)):
            with self.subTest(campaign):
                facts = self.violation(self.torture(bug, campaign, "--seed", str(seed), "--seeds", "1"))
                self.assertEqual(facts["broken_again"], facts["of_further_runs"])
                self.assertLess(facts["lines"], 40)
                self.assertEqual(len({self.repeats(bug, facts, facts["replay"]) for _ in range(2)}), 1)

    @unittest.skipUnless(HAS_BUGS, "no planted bugs in this build")
    def test_what_races_says_so_and_leaves_its_files(self):
        for campaign, bug in (("crash", "replay.drops_the_last_record"), ("server", "server.answers_before_the_write"),
                              ("concurrency", "flush.loses_range_deletes")):
            with self.subTest(campaign):
                report = self.folder / f"{campaign}.html"
                facts = self.violation(self.torture(bug, campaign, "--seeds", "20", "--whole", "--report", str(report)))
                self.assertIn("race", facts["replay_note"])
                evidence = pathlib.Path(facts["evidence"])
                self.assertTrue((evidence / "store").is_dir(), list(evidence.iterdir()))
                page = report.read_text()
                self.assertIn("breaks the promise", page)
                if campaign != "crash":
                    self.assertIn("The history", page)
                # Whether chance breaks it again or not: the command is one.
                self.assertIn(self.run_line(bug, facts["replay"]).returncode, (0, VIOLATION))

    @unittest.skipUnless(HAS_BUGS, "no planted bugs in this build")
    def test_all_campaigns_end_with_the_first_violation(self):
        facts = self.violation(self.torture("merge.loses_deletes", "all", "--seeds", "1", "--whole"))
        self.assertEqual([row["result"] for row in facts["campaigns"]], ["BROKEN"])
        self.assertEqual(facts["campaign"], "engine")
        self.assertIn("varve torture engine --seed 1 ", facts["replay"])


if __name__ == "__main__":
    unittest.main()

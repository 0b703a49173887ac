#!/usr/bin/env python3
"""A failing seed of 'varve torture cluster' from end to end: a planted bug is found, told, cut down, and found again by what
was printed. Needs a build with VARVE_PLANTED_BUGS.

usage: torture_process_test.py PROGRAM
"""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

PROGRAM = str(pathlib.Path(sys.argv.pop(1)).resolve())
# Nothing but reads mends anything in these worlds, and these do not: a message must be lost for that to show.
BUG = "get.repairs_nobody"
WORLDS = ("torture", "cluster", "--profile", "repair", "--seeds", "100")
SAME = ("seed", "violation", "cluster", "faults", "schedule", "replay")


class FailingSeedTest(unittest.TestCase):
    def run_varve(self, *words, bug=BUG, code=6):
        done = subprocess.run([PROGRAM, *words], env={**os.environ, "VARVE_PLANTED_BUG": bug}, capture_output=True, text=True,
                              check=False)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done

    def facts(self, *words, **options):
        return json.loads(self.run_varve(*words, "--json", **options).stdout)

    def test_what_is_printed_finds_it_again(self):
        found = self.facts(*WORLDS)
        self.assertRegex(found["violation"], r"^I6: node \d+ and node \d+ differ in key\d+")
        schedule = found["schedule"].replace("\\n", "\n")  # as texts of one line are printed
        self.assertEqual(len(schedule.splitlines()), found["faults"])
        self.assertTrue(1 <= found["faults"] <= found["faults_before"], found)
        replay = found["replay"].split()
        self.assertEqual(replay[:5], ["varve", "torture", "cluster", "--seed", str(found["seed"])])
        again = self.facts(*replay[1:])
        self.assertEqual({name: again[name] for name in SAME}, {name: found[name] for name in SAME})
        self.assertEqual(again["seeds"], 1)
        # The faults alone that it takes; and not one of them without the bug.
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "schedule"
            file.write_text(schedule)
            cut = self.facts(*replay[1:], "--schedule", str(file))
            self.assertEqual((cut["violation"], cut["schedule"]), (found["violation"], found["schedule"]))
            self.assertEqual(cut["faults_before"], found["faults"])
            self.run_varve(*replay[1:], "--schedule", str(file), bug="", code=0)

    def test_people_are_told_how_to_see_it_again(self):
        done = self.run_varve(*WORLDS)
        told = dict(line.split("\t", 1) for line in done.stdout.splitlines() if "\t" in line)
        self.assertTrue(told["violation"].startswith("I6: "), told)
        self.assertIn(f"seed {told['seed']} breaks an invariant\n", done.stderr)
        self.assertIn(f"the same again: {told['replay']}\n", done.stderr)

    def test_two_processes_run_the_same(self):
        """Whole runs, in which addresses, hashes and times of the machine are other ones."""
        for words, bug, code in ((WORLDS, BUG, 6), (("torture", "cluster", "--seed", "40", "--seeds", "12"), "", 0)):
            one, other = (re.sub(r"(?m)^seconds\t.*$", "", self.run_varve(*words, bug=bug, code=code).stdout) for _ in range(2))
            self.assertIn("trace\t", one)
            self.assertEqual(one, other)


if __name__ == "__main__":
    unittest.main()

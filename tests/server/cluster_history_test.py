#!/usr/bin/env python3
"""The judge of recorded histories, against histories by hand: right ones, and one that breaks each invariant.

usage: cluster_history_test.py CHECKER
"""
import os
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from cluster_history import History  # noqa: E402

CHECKER = str(pathlib.Path(sys.argv.pop(1)).resolve())


class HistoryTest(unittest.TestCase):
    def verdict(self, text):
        with tempfile.TemporaryDirectory(prefix="varve_history_") as folder:
            history = History(pathlib.Path(folder) / "history")
            history.file.write("".join(line.strip() + "\n" for line in text.strip().splitlines()))
            verdict = history.check(CHECKER)
            history.close()
            return verdict

    def passes(self, text):
        verdict = self.verdict(text)
        self.assertTrue(verdict.startswith("ok:"), verdict)

    def breaks(self, invariant, text):
        verdict = self.verdict(text)
        self.assertTrue(verdict.startswith(f"corruption: {invariant}:"), verdict)

    FIRST = """
        begin 1 put k v1 quorum -
        end 1 ok @1:1
    """

    def test_what_is_right_passes(self):
        self.passes(self.FIRST + """
            begin 2 put k v2 quorum -
            begin 3 get k - linear -
            end 3 ok @1:1,2:1 v1 v2
            end 2 ok @2:1
            begin 4 put k v3 quorum @1:1,2:1
            end 4 unknown -
            begin 5 get k - quorum -
            end 5 ok @1:1,2:1 v1 v2
            begin 6 get k - quorum -
            end 6 ok @1:1,1:2,2:1 v3
            begin 7 delete k - quorum @1:1,1:2,2:1
            end 7 ok @1:1,1:2,1:3,2:1
            begin 8 get k - all -
            end 8 failed -
            state 1 k @1:1,1:2,1:3,2:1
            state 2 k @1:1,1:2,1:3,2:1
        """)
        self.passes("""
            begin 1 SET p v1 quorum -
            begin 2 GET p - quorum -
            end 2 ok -
            end 1 ok -
            begin 3 SET p v2 quorum -
            begin 4 GET p - quorum -
            end 4 ok - v1
            begin 5 GET p - quorum -
            end 5 ok - v2
            end 3 unknown -
            begin 6 DEL p - quorum -
            begin 7 GET p - quorum -
            end 7 ok -
            end 6 ok - 1
            begin 8 GET p - quorum -
            end 8 ok - v2
            state 1 p @1:1,2:1 2:1=v2
        """)

    def test_i1_acknowledged_writes_are_there_in_the_end(self):
        self.breaks("I1", self.FIRST + "state 1 k -")

    def test_i2_reads_see_what_was_acknowledged(self):
        self.breaks("I2", self.FIRST + """
            begin 2 get k - quorum -
            end 2 ok -
        """)
        self.passes(self.FIRST + """
            begin 2 get k - one -
            end 2 ok -
        """)
        self.breaks("I2", """
            begin 1 put k v1 all -
            end 1 ok @1:1
            begin 2 get k - one -
            end 2 ok -
        """)
        self.breaks("I2", """
            begin 1 SET p v1 quorum -
            end 1 ok -
            begin 2 DEL p - quorum -
            end 2 ok - 0
            begin 3 GET p - quorum -
            end 3 ok -
        """)
        self.breaks("I2", """
            begin 1 SET p v1 quorum -
            end 1 ok -
            state 1 p -
        """)

    def test_i3_siblings_are_exact(self):
        self.breaks("I3", self.FIRST + """
            begin 2 get k - quorum -
            end 2 ok @1:1
        """)
        self.breaks("I3", self.FIRST + """
            begin 2 put k v2 quorum @1:1
            end 2 ok @1:1,1:2
            begin 3 get k - quorum -
            end 3 ok @1:1,1:2 v1 v2
        """)
        # Seen before the client of the put hears of it.
        self.breaks("I3", self.FIRST + """
            begin 2 put k v2 quorum @1:1
            begin 3 get k - quorum -
            end 3 ok @1:1,1:2 v1 v2
            end 2 ok @1:1,1:2
        """)
        self.breaks("I3", self.FIRST + """
            begin 2 put k v2 quorum -
            end 2 ok @1:2,2:1
        """)

    def test_i4_what_is_read_was_written_to_the_key(self):
        self.breaks("I4", self.FIRST + """
            begin 2 get other - quorum -
            end 2 ok @1:1 v1
        """)
        self.breaks("I4", """
            begin 1 SET p v1 quorum -
            end 1 ok -
            begin 2 GET q - quorum -
            end 2 ok - v1
        """)
        self.breaks("I4", self.FIRST + "state 1 k @1:1,2:1 1:1=v1 2:1=v9")

    def test_i5_linear_reads_are_a_chain(self):
        self.breaks("I5", """
            begin 1 put k v1 quorum -
            begin 2 get k - linear -
            end 2 ok @1:1 v1
            begin 3 get k - linear -
            end 3 ok -
        """)

    def test_i6_replicas_become_equal(self):
        self.breaks("I6", self.FIRST + """
            state 1 k @1:1 1:1=v1
            state 2 k -
        """)

    def test_i7_what_was_overwritten_does_not_come_back(self):
        two = """
            begin 1 SET p v1 quorum -
            end 1 ok -
            begin 2 SET p v2 quorum -
            end 2 ok -
        """
        self.breaks("I7", two + """
            begin 3 GET p - quorum -
            end 3 ok - v1
        """)
        self.breaks("I7", two + "state 1 p @1:1,2:1 1:1=v1 2:1=v2")
        self.breaks("I7", """
            begin 1 SET p v1 quorum -
            end 1 ok -
            begin 2 DEL p - quorum -
            end 2 ok - 1
            begin 3 GET p - quorum -
            end 3 ok - v1
        """)
        self.breaks("I3", self.FIRST + """
            begin 2 delete k - quorum @1:1
            end 2 ok @1:1,1:2
            begin 3 get k - quorum -
            end 3 ok @1:1,1:2 v1
        """)

    def test_i8_a_dot_names_one_write(self):
        self.breaks("I8", self.FIRST + """
            begin 2 put k v2 quorum -
            end 2 ok @1:1
        """)

    def test_i13_what_has_failed_is_not_seen(self):
        self.breaks("I13", """
            begin 1 put k v1 quorum -
            end 1 failed -
            begin 2 get k - quorum -
            end 2 ok @1:1 v1
        """)
        self.breaks("I13", """
            begin 1 SET p v1 quorum -
            end 1 failed -
            begin 2 GET p - quorum -
            end 2 ok - v1
        """)

    def test_what_is_no_history_is_said(self):
        for text in ("begun 1", "end 1 ok -", "begin 1 put k v quorum @x"):
            self.assertIn("invalid argument", self.verdict(text))


if __name__ == "__main__":
    unittest.main(verbosity=1)

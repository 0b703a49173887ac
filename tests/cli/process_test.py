#!/usr/bin/env python3
"""The varve program as a process: what only a real one shows, such as pipes, terminals, kill -9 and the
lock between processes.

usage: process_test.py PROGRAM
"""
import os
import pathlib
import pty
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

PROGRAM = str(pathlib.Path(sys.argv.pop(1)).resolve())


class ProcessTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="varve_process_")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.store = str(self.folder / "store")

    def start(self, *words, **options):
        return subprocess.Popen([PROGRAM, "--dir", self.store, *words], stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, **options)

    def varve(self, *words, stdin=b"", code=0):
        done = subprocess.run([PROGRAM, "--dir", self.store, *words], input=stdin,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        self.assertEqual(done.returncode, code, done.stderr.decode())
        return done.stdout

    # That the shells themselves take it; that it names everything is tested elsewhere.
    def test_completions_are_of_their_shells(self):
        for shell, check in (("bash", ["bash", "-c", "source /dev/stdin && complete -p varve"]),
                             ("zsh", ["zsh", "-f", "-c", "autoload -U compinit && compinit -u -D && source /dev/stdin && whence -w _varve"])):
            with self.subTest(shell):
                if shutil.which(shell) is None:
                    print(f"skipped: {shell} is absent", file=sys.stderr)
                    continue
                done = subprocess.run(check, input=self.varve("completion", shell), stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
                self.assertEqual((done.returncode, done.stderr), (0, b""))
                self.assertIn(b"varve", done.stdout)

    def on_terminal(self, *words, environment=None):
        """What a person would see. The terminal turns newlines into \\r\\n."""
        main, terminal = pty.openpty()
        process = subprocess.Popen([PROGRAM, "--dir", self.store, *words], stdin=terminal,
                                   stdout=terminal, stderr=terminal,
                                   env={**os.environ, **(environment or {})})
        os.close(terminal)
        seen = b""
        while True:
            try:
                chunk = os.read(main, 65536)
            except OSError:  # how a terminal says that its last user is gone
                break
            if not chunk:
                break
            seen += chunk
        os.close(main)
        self.assertEqual(process.wait(), 0, seen)
        return seen.replace(b"\r\n", b"\n")

    def test_values_of_any_bytes_go_through_pipes(self):
        value = bytes(range(256)) * 4000
        self.varve("put", "k", "-", stdin=value)
        self.assertEqual(self.varve("get", "k"), value)

    def test_a_terminal_gets_colour_columns_and_a_newline(self):
        self.varve("put", "k", "v")
        plain = {"NO_COLOR": ""}
        self.assertIn(b"\x1b[36mk\x1b[0m", self.on_terminal("scan", environment=plain))
        self.assertEqual(self.on_terminal("scan", environment={"NO_COLOR": "1"}), b"k  v\n1 record\n")
        self.assertEqual(self.on_terminal("get", "k"), b"v\n")
        self.assertEqual(self.varve("get", "k"), b"v")

    def test_exit_codes(self):
        self.varve("get", "k", code=1)  # no store
        self.varve("put", "k", "v")
        self.varve("get", "absent", code=3)
        self.varve("gte", "k", code=2)

    def test_a_store_that_is_open_elsewhere_is_refused(self):
        loader = self.start("load", "-", "--progress", stdin=subprocess.PIPE)
        loader.stdin.write(b"".join(b"%06d\tv\n" % i for i in range(1000)))
        loader.stdin.flush()
        self.assertEqual(loader.stderr.readline(), b"loaded 1000 records\n")
        done = self.start("put", "k", "v")
        _, errors = done.communicate()
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"another process has this store open", errors)
        loader.communicate()
        self.assertEqual(loader.returncode, 0)
        self.assertEqual(self.varve("count"), b"1000\n")

    def test_what_a_killed_load_had_reported_is_there(self):
        # Goal: a record counted on the error stream survives kill -9. Method: the loader reads a pipe
        # that stays open, so it cannot end; it is killed after its third report, at no special moment.
        loader = self.start("load", "-", "--progress", stdin=subprocess.PIPE)
        lines = [b"%08d\tvalue %d\n" % (i, i) for i in range(10_000)]
        loader.stdin.write(b"".join(lines))
        loader.stdin.flush()
        for _ in range(3):
            report = loader.stderr.readline()
        loader.send_signal(signal.SIGKILL)
        loader.wait()
        reported = int(report.split()[1])
        for later in loader.stderr.read().splitlines():
            reported = int(later.split()[1])
        for stream in (loader.stdin, loader.stdout, loader.stderr):
            stream.close()
        kept = self.varve("scan")
        self.assertGreaterEqual(reported, 3000)
        self.assertTrue(kept.startswith(b"".join(lines[:reported])))
        self.assertTrue(b"".join(lines).startswith(kept))
        self.varve("verify")

    def test_a_reader_that_leaves_early_ends_the_scan(self):
        self.varve("load", "-", stdin=b"".join(b"%06d\tvalue\n" % i for i in range(50_000)))
        scan = self.start("scan")
        self.assertEqual(scan.stdout.readline(), b"000000\tvalue\n")
        scan.stdout.close()
        scan.stderr.close()
        self.assertEqual(scan.wait(), -signal.SIGPIPE)
        self.assertEqual(self.varve("count"), b"50000\n")

    def test_the_log_is_lines_of_changes(self):
        self.varve("put", "test/val", "this is a test val")
        self.varve("put", "b\tc", "\n")
        self.varve("del", "test/val")
        self.varve("delrange", "a", "b")
        self.assertEqual(self.varve("wal"), b"WRITE\ttest/val\tthis is a test val\n"
                         b"WRITE\tb\\tc\t\\n\nDELETE\ttest/val\nDELETERANGE\ta\tb\n")

    def test_dump_and_load_keep_every_byte(self):
        keys = [bytes([a, b]) for a in range(0, 256, 5) for b in range(256)]
        text = b"".join(b"".join(b"\\x%02x" % c for c in k) + b"\tv\\x00\\xff\n" for k in keys)
        self.varve("load", "-", stdin=text)
        first = self.store
        for name in ("dump.tsv", "dump.jsonl"):
            self.store = first
            self.varve("dump", str(self.folder / name))
            expected = self.varve("scan")
            self.store = str(self.folder / (name + ".store"))
            self.varve("load", str(self.folder / name))
            self.assertEqual(self.varve("scan"), expected)
        self.assertEqual(expected.count(b"\n"), len(keys))


if __name__ == "__main__":
    unittest.main()

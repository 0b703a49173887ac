#!/usr/bin/env python3
"""The varve program against its own server, as processes: the lines of requirement 004, exit codes, and the
shell on a terminal.

usage: server_process_test.py PROGRAM
"""
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
import unittest

PROGRAM = str(pathlib.Path(sys.argv.pop(1)).resolve())
SECONDS = 60  # for what takes milliseconds


class Terminal:
    """A person at a terminal who reads before typing."""

    def __init__(self, words, environment):
        self.main, terminal = pty.openpty()
        self.process = subprocess.Popen([PROGRAM, *words], stdin=terminal, stdout=terminal,
                                        stderr=terminal, env=environment, start_new_session=True)
        os.close(terminal)
        self.seen = b""

    def type(self, text):
        os.write(self.main, text)

    def until(self, text):
        """Waits for `text` behind what has been waited for before."""
        while text not in self.seen:
            ready, _, _ = select.select([self.main], [], [], SECONDS)
            chunk = os.read(self.main, 65536) if ready else b""
            if not chunk:
                raise AssertionError(f"{text!r} is not in {self.seen!r}")
            self.seen += chunk
        before, _, self.seen = self.seen.partition(text)
        return before

    def close(self):
        try:
            while os.read(self.main, 65536):
                pass
        except OSError:  # how a terminal says that its last user is gone
            pass
        os.close(self.main)
        return self.process.wait(SECONDS)


class ServerTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="varve_client_")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.socket = str(self.folder / "s")
        self.environment = {**os.environ, "VARVE_URL": "unix://" + self.socket, "TERM": "xterm",
                            "XDG_STATE_HOME": str(self.folder / "state"), "NO_COLOR": ""}
        for name in ("VARVE_DIR", "VARVE_PASSWORD"):
            self.environment.pop(name, None)
        self.server = None
        self.addCleanup(self.stop)

    def serve(self, *flags):
        self.server = subprocess.Popen(
            [PROGRAM, "server", "test.dat", "--port", "0", "--unixsocket", self.socket, *flags],
            cwd=self.folder, stderr=subprocess.PIPE, env=self.environment)
        line = self.server.stderr.readline()
        self.assertIn(b"listening", line)

    def stop(self):
        if self.server is None:
            return
        self.server.send_signal(signal.SIGTERM)
        self.server.send_signal(signal.SIGCONT)  # a stopped process would never hear of it
        try:
            self.server.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            self.server.kill()  # it would hold the pipes of whoever started these tests
            self.server.communicate()
            raise
        finally:
            self.server = None

    def varve(self, *words, stdin=b"", code=0, **variables):
        done = subprocess.run([PROGRAM, *words], input=stdin, cwd=self.folder, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env={**self.environment, **variables})
        self.assertEqual(done.returncode, code, done.stderr.decode())
        return done.stdout

    def test_the_lines_of_requirement_004(self):
        self.serve()
        self.assertEqual(self.varve("client", "put", "test/val", "this is a test val"), b"success\n")
        self.assertEqual(self.varve("client", "get", "test/val"), b"got data:\nthis is a test val\n")
        log = b"WRITE\ttest/val\tthis is a test val\n"
        self.assertEqual(self.varve("--dir", "test.dat", "wal"), log)
        # And after the server, however it ends.
        for end in (signal.SIGTERM, signal.SIGKILL):
            if self.server is None:
                self.serve()
                self.assertEqual(self.varve("client", "get", "test/val"), b"got data:\nthis is a test val\n")
            self.server.send_signal(end)
            self.server.communicate()
            self.server = None
            self.assertEqual(self.varve("--dir", "test.dat", "wal"), log)

    def test_values_and_dumps_of_any_bytes(self):
        self.serve()
        value = bytes(range(256)) * 4000
        self.varve("put", "k", "-", stdin=value)
        self.assertEqual(self.varve("get", "k"), value)
        keys = [bytes([a, b]) for a in range(0, 256, 5) for b in range(256)]
        text = b"".join(b"".join(b"\\x%02x" % c for c in k) + b"\tv\\x00\\xff\n" for k in keys)
        self.varve("load", "-", stdin=text)
        self.varve("del", "k")
        dump = self.varve("dump")
        self.assertEqual(dump.count(b"\n"), len(keys))
        self.stop()
        self.assertEqual(self.varve("--dir", "test.dat", "dump"), dump)

    def test_trees_and_ranges(self):
        self.serve()
        for path in ("shop/fruit/apple", "shop/fruit/pear", "shop/tea", "other"):
            self.varve("tree", "put", path, "at " + path)
        self.assertEqual(self.varve("tree", "list", "shop"), b"fruit\tchildren\ntea\tvalue\n")
        self.varve("tree", "rename", "shop/fruit", "cellar")
        self.varve("tree", "rename", "shop/fruit", "cellar", code=3)
        self.varve("tree", "rename", "shop", "cellar", code=1)
        self.assertEqual(self.varve("scan", "--keys"), b"cellar/apple\ncellar/pear\nother\nshop/tea\n")
        self.assertEqual(self.varve("scan", "--reverse", "--limit", "1", "--to", "other"),
                         b"cellar/pear\tat shop/fruit/pear\n")
        self.varve("tree", "delete", "cellar")
        self.assertEqual(self.varve("count"), b"2\n")
        self.varve("put", "--sync", "k", "v")
        self.varve("put", "-n", "db3", "--ttl", "1h", "k", "third")
        dump = self.varve("dump")
        self.assertIn(b"@db3\tk\tthird\t", dump)
        self.varve("del", "-n", "db3", "k")
        self.varve("load", "-", stdin=dump)
        self.assertEqual(self.varve("dump"), dump)

    def test_exit_codes(self):
        self.varve("get", "k", code=4)
        self.serve("--requirepass", "hush")
        self.varve("get", "k", code=5)
        self.varve("get", "k", code=5, VARVE_PASSWORD="wrong")
        self.varve("put", "k", "v", VARVE_PASSWORD="hush")
        self.assertEqual(self.varve("unix://:hush@" + self.socket, "get", "k"), b"v")
        self.varve("get", "absent", code=3, VARVE_PASSWORD="hush")
        # Stopped, it takes connections and answers nothing.
        self.server.send_signal(signal.SIGSTOP)
        os.waitpid(self.server.pid, os.WUNTRACED)  # the signal only asks for it
        self.varve("get", "k", "--timeout", "100ms", code=7, VARVE_PASSWORD="hush")
        self.server.send_signal(signal.SIGCONT)

    def test_ttl_statistics_and_bench(self):
        self.serve()
        self.varve("put", "k", "v")
        self.assertEqual(self.varve("ttl", "k"), b"none\n")
        self.varve("expire", "k", "1h")
        self.assertIn(int(self.varve("ttl", "k").removesuffix(b"ms\n")), range(3_500_000, 3_600_001))
        self.varve("persist", "k")
        self.assertEqual(self.varve("ttl", "k"), b"none\n")
        self.varve("expire", "k", "0s")
        self.varve("ttl", "k", code=3)
        self.assertTrue(self.varve("stats"))
        text = self.varve("bench", "--requests", "2000", "--keys", "100", "--fill", "--json")
        self.assertIn(b'"errors":0', text.replace(b" ", b""))

    # MONITOR and SUBSCRIBE show what comes until a key is pressed.
    def test_following(self):
        self.serve()
        person = Terminal([], self.environment)
        prompt = self.socket.encode() + b"> "
        person.until(prompt)
        person.type(b"SUBSCRIBE news\r")
        person.until(b"subscribe")
        self.varve("put", "k", "v")
        deadline = time.monotonic() + SECONDS
        while b"1" not in self.redis("PUBLISH", "news", "hello"):
            self.assertLess(time.monotonic(), deadline)
        person.until(b"hello")
        person.type(b"q")
        person.until(prompt)
        person.type(b"MONITOR\r")
        person.until(b"OK")
        self.varve("put", "watched", "v")
        person.until(b'"watched"')
        person.type(b" ")
        person.until(prompt)
        person.type(b"get k\r")
        person.until(b"\nv\r\n")
        person.until(prompt)
        person.type(b"quit\r")
        self.assertEqual(person.close(), 0)

    def redis(self, *words):
        """The reply to one command as it came."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(self.socket)
            connection.sendall(" ".join(words).encode() + b"\r\n")
            return connection.recv(1000)

    def test_a_conversation(self):
        self.serve()
        self.varve("put", "shop/fruit/apple", "red")
        person = Terminal([], self.environment)
        prompt = self.socket.encode() + b"> "
        person.until(prompt)
        person.type(b"get sh\t")
        person.until(b"get shop/fruit/apple ")
        person.type(b"\r")
        person.until(b"\nred\r\n")
        person.until(prompt)
        person.type(b"INCR visits\r")
        person.until(b"(integer) 1")
        person.until(prompt)
        person.type(b"\x1b[A")
        person.until(b"INCR visits")
        person.type(b"\r")
        person.until(b"(integer) 2")
        person.until(prompt)
        person.type(b"put")
        person.until(b"\x1b[2m KEY VALUE\x1b[0m")
        person.type(b"\x03")
        person.until(prompt)
        person.type(b"AUTH secret\r")
        person.until(b"(error)")
        person.until(prompt)
        person.type(b"\x04")
        self.assertEqual(person.close(), 0)
        history = self.folder / "state" / "varve" / "history"
        self.assertEqual(history.read_text(), "get shop/fruit/apple \nINCR visits\n")
        self.assertEqual(stat.S_IMODE(history.stat().st_mode), 0o600)
        # The next one knows it.
        person = Terminal([], self.environment)
        person.until(prompt)
        person.type(b"\x12fruit")
        person.until(b"search 'fruit': ")
        person.type(b"\r\r")
        person.until(b"\nred\r\n")
        person.type(b"quit\r")
        self.assertEqual(person.close(), 0)

    def test_a_picture_that_moves(self):
        self.serve()
        person = Terminal(["top", "--interval", "50ms"], self.environment)
        person.until(b"commands            ")
        person.until(b"\x1b[H")
        person.type(b"q")
        person.until(b"\x1b[?1049l")
        self.assertEqual(person.close(), 0)

    def test_without_colour(self):
        self.serve()
        person = Terminal([], {**self.environment, "NO_COLOR": "1"})
        shown = person.until(self.socket.encode() + b"> ")
        person.type(b"put")
        shown += person.until(b" KEY VALUE")
        self.assertIsNone(re.search(rb"\x1b\[\d+m", shown), shown)
        person.type(b"\x03\x04")
        self.assertEqual(person.close(), 0)

    def test_a_conversation_with_a_directory(self):
        person = Terminal(["--dir", str(self.folder / "store")], self.environment)
        prompt = str(self.folder / "store").encode() + b"> "
        person.until(prompt)
        person.type(b"put k v\r")
        person.until(prompt)
        person.type(b"get k\r")
        person.until(b"\nv\r\n")
        person.until(prompt)
        person.type(b"verify\r")
        person.until(b"entries")
        person.until(prompt)
        person.type(b"\x04")
        self.assertEqual(person.close(), 0)

    def test_without_a_terminal_help_is_an_error(self):
        done = subprocess.run([PROGRAM], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, check=False, env=self.environment)
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"Examples", done.stderr)

    def test_completion_by_bash(self):
        script = self.folder / "varve.bash"
        script.write_bytes(self.varve("completion", "bash"))

        def offers(*words):
            done = subprocess.run(
                ["bash", "-uc", 'source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _varve; '
                 'echo "${COMPREPLY[*]:-}"', str(script), *words],
                stdout=subprocess.PIPE, check=True)
            return done.stdout.decode().split()

        self.assertEqual(offers("varve", "sca"), ["scan"])
        self.assertEqual(offers("varve", "--dir", "get", "sca"), ["scan"])
        self.assertEqual(offers("varve", "client", "scan", "--pre"), ["--prefix"])
        self.assertEqual(offers("varve", "verify", "--ser"), [])
        self.assertEqual(offers("varve", "scan", "--ser"), ["--server"])
        self.assertEqual(offers("varve", "get", "sca"), [])

    def test_the_manual_page_is_one(self):
        page = self.varve("man")
        if shutil.which("groff") is None:
            self.skipTest("no groff here")
        done = subprocess.run(["groff", "-man", "-ww", "-Tascii", "-P-cbou"], input=page, check=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual(done.stderr, b"")
        self.assertIn(b"EXIT STATUS", done.stdout)
        self.assertIn(b"varve --dir data get fruit/apple", done.stdout)

    def test_the_doctor_looks_and_leaves_nothing(self):
        before = sorted(os.listdir(self.folder))
        # 1: on a machine whose temporary files are in memory.
        done = subprocess.run([PROGRAM, "doctor", str(self.folder)], stdout=subprocess.PIPE, check=False,
                              env=self.environment)
        self.assertIn(done.returncode, (0, 1))
        subjects = [line.split(b"\t")[1] for line in done.stdout.splitlines()]
        self.assertEqual(subjects, [b"directory", b"sync", b"space", b"log", b"descriptors", b"memory",
                                    b"clock"])
        self.assertEqual(sorted(os.listdir(self.folder)), before)
        self.varve("doctor", str(self.folder / "absent"), code=1)

    def test_lines_from_a_pipe(self):
        self.serve()
        out = self.varve("shell", stdin=b"SET k v\nget k\n")
        self.assertEqual(out, b"OK\nv")


if __name__ == "__main__":
    unittest.main()

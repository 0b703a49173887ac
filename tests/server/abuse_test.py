#!/usr/bin/env python3
"""Clients that mean no good, or do not know better: the server's memory stays within its budget, and others are
answered while it happens.

usage: abuse_test.py PROGRAM

How long others wait is printed and not judged. Sizes grow with VARVE_TEST_SCALE. With VARVE_SANITIZED=1 what the
process occupies is not judged either: sanitizers need memory of their own.
"""
import contextlib
import os
import pathlib
import random
import resource
import select
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import redis_pair  # noqa: E402

PROGRAM = str(pathlib.Path(sys.argv.pop(1)).resolve()) if sys.argv[1] != "--bystander" else ""
SCALE = float(os.environ.get("VARVE_TEST_SCALE", "1"))
SEED = int(os.environ.get("VARVE_TEST_SEED", "1"))
SANITIZED = os.environ.get("VARVE_SANITIZED") == "1"
SECONDS = 120  # for what takes milliseconds
MB = 1 << 20
# What the process may occupy beside the budget of its connections: the store's own buffers, what a command holds
# while it runs, and what the allocator keeps.
OTHER_BYTES = 96 * MB


def say(text):
    print(text, file=sys.stderr)


def encode(*args):
    return redis_pair.encode([arg if isinstance(arg, bytes) else str(arg).encode() for arg in args])


class Bystander:
    """A client that does what it always does, and notes how long it takes. In a process of its own, or it would
    wait for the abusers rather than for the server."""

    def __init__(self, path):
        self.times = tempfile.NamedTemporaryFile(prefix="varve_bystander_")
        self.process = subprocess.Popen([sys.executable, __file__, "--bystander", path, self.times.name],
                                        stdin=subprocess.PIPE)

    @staticmethod
    def run(path, times):
        """Until nothing more comes to standard input."""
        connection = redis_pair.Connection(path, timeout=SECONDS)
        number = 0
        with open(times, "wb", buffering=0) as file:
            while not select.select([sys.stdin], [], [], 0.0005)[0]:
                number += 1
                begin = time.monotonic()
                assert connection.call("SET", "bystander", number) == (b"+", b"OK")
                assert connection.call("GET", "bystander") == (b"$", b"%d" % number)
                file.write(struct.pack("d", (time.monotonic() - begin) * 1000))
        connection.close()

    def count(self):
        """How often it has been answered."""
        assert self.process.poll() is None, "the bystander has ended"
        return os.path.getsize(self.times.name) // 8

    def end(self):
        """Its exit code."""
        self.process.stdin.close()
        self.millis = [m for (m,) in struct.iter_unpack("d", pathlib.Path(self.times.name).read_bytes())]
        self.times.close()
        return self.process.wait()

    def p99(self):
        return sorted(self.millis)[len(self.millis) * 99 // 100] if self.millis else float("nan")


class MemoryWatch:
    """The most that the process occupied, without files that are mapped, and that it counted itself."""

    def __init__(self, test, server):
        self.pid = server.process.pid
        self.most = self.first = anonymous_bytes(self.pid)
        self.counted = 0
        self.connection = redis_pair.Connection(server.path, timeout=SECONDS)
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()
        test.addCleanup(self.end)

    def run(self):
        with contextlib.suppress(OSError, redis_pair.Closed):
            while not self.is_over.wait(0.02):
                self.most = max(self.most, anonymous_bytes(self.pid))
                self.counted = max(self.counted, counted_bytes(self.connection))

    def end(self):
        self.is_over.set()
        self.thread.join()
        self.connection.close()


def anonymous_bytes(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        for line in file:
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) * 1024
    return 0  # it has just ended


def info(connection, name):
    text = connection.call("INFO", "clients", "memory", "stats")[1].decode()
    return int([line for line in text.splitlines() if line.startswith(name + ":")][0].split(":")[1])


def counted_bytes(connection):
    return info(connection, "mem_clients_normal")


class AbuseTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="varve_abuse_")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def start(self, *options):
        self.server = redis_pair.start_varve(PROGRAM, self.folder, *options)
        self.addCleanup(self.server.kill)
        self.connection = self.connect()
        self.connection.call("PING")  # so it is counted

    def connect(self):
        connection = redis_pair.Connection(self.server.path, timeout=SECONDS)
        self.addCleanup(connection.close)
        return connection

    def log(self):
        return (self.folder / "log").read_text()

    def sockets(self):
        """How many the server has open."""
        folder = f"/proc/{self.server.process.pid}/fd"
        count = 0
        for name in os.listdir(folder):
            with contextlib.suppress(FileNotFoundError):
                count += os.readlink(f"{folder}/{name}").startswith("socket:")
        return count

    def await_log(self):
        # It listens before it says so.
        self.await_that(lambda: " listening " in self.log() and self.log().endswith("\n"), "the log")

    def tcp_port(self):
        self.await_log()
        words = [word[8:] for word in self.log().split() if word.startswith("address=127.0.0.1:")]
        return int(words[0].rsplit(":", 1)[1])

    def await_that(self, condition, what):
        end = time.monotonic() + SECONDS
        while not condition():
            self.assertLess(time.monotonic(), end, what)
            time.sleep(0.005)

    @contextlib.contextmanager
    def others_are_served(self, budget):
        """While this lasts, the memory stays within the budget, and a bystander is answered."""
        calm = Bystander(self.server.path)
        self.await_that(lambda: calm.count() >= 100, "the bystander alone")
        self.assertEqual(calm.end(), 0)
        memory = MemoryWatch(self, self.server)
        bystander = Bystander(self.server.path)
        try:
            yield
            seen = bystander.count()
            self.await_that(lambda: bystander.count() > seen, "the bystander at the end")
        finally:
            end = bystander.end()
            memory.end()
        self.assertEqual(end, 0)
        self.assertIsNone(self.server.process.poll(), self.log())
        say(f"{self.id().split('.')[-1]}: p99 {bystander.p99():.2f} ms, {bystander.p99() / calm.p99():.1f} times that of "
            f"calm; memory {memory.first // MB} to {memory.most // MB} MB, counted up to {memory.counted // MB} MB, "
            f"budget {budget // MB} MB")
        # Between what a turn adds and its being looked at; a turn of each loop is a megabyte of replies and one value.
        self.assertLessEqual(memory.counted, budget + OTHER_BYTES)
        if not SANITIZED:
            self.assertLessEqual(memory.most, memory.first + budget + OTHER_BYTES)

    # --- Readers.

    def test_clients_that_never_read(self):
        budget = 64 * MB
        self.start("--client-memory", str(budget))
        value = b"x" * (4 * MB)
        self.assertEqual(self.connection.call("SET", "large", value), (b"+", b"OK"))
        lazy = [self.connect() for _ in range(int(16 * max(1, SCALE)))]
        with self.others_are_served(budget):
            for connection in lazy:
                with contextlib.suppress(OSError):  # it has been cut already
                    connection.send(encode("GET", "large") * 30)
            self.await_that(lambda: info(self.connection, "evicted_clients") >= 2, "clients that are cut")
        for connection in lazy:
            connection.close()
        self.await_that(lambda: counted_bytes(self.connection) < MB, "memory that is given back")

    def test_subscribers_that_never_read(self):
        budget = 32 * MB
        self.start("--client-memory", str(budget))
        lazy = [self.connect() for _ in range(20)]
        for connection in lazy:
            self.assertEqual(connection.call("SUBSCRIBE", "news")[0], b"*")
        with self.others_are_served(budget):
            for _ in range(200):
                self.assertEqual(self.connection.call("PUBLISH", "news", b"x" * 100_000)[0], b":")
            self.await_that(lambda: info(self.connection, "evicted_clients") >= 1, "clients that are cut")

    def test_who_has_not_authenticated_gets_little(self):
        self.start("--requirepass", "secret")
        self.assertEqual(self.connection.call("AUTH", "secret"), (b"+", b"OK"))
        stranger = self.connect()
        sent = 0
        # Errors that it does not read. What the sockets hold is beyond the server.
        with self.assertRaises((BrokenPipeError, ConnectionResetError)):
            while sent < 64 * MB:
                stranger.send(b"GET x\r\n" * 10_000)
                sent += 70_000
        self.assertLess(counted_bytes(self.connection), 4 * MB)

    # --- Writers.

    def test_slow_senders(self):
        budget = 64 * MB
        self.start("--client-memory", str(budget))
        request = encode("SET", "slow", b"v" * 200)
        slow = [self.connect() for _ in range(int(200 * max(1, SCALE)))]
        with self.others_are_served(budget):
            for i in range(len(request)):
                for connection in slow:
                    connection.send(request[i:i + 1])
        for connection in slow:
            self.assertEqual(connection.read(), (b"+", b"OK"))

    def test_lengths_that_are_announced_cost_nothing(self):
        self.start()
        before = anonymous_bytes(self.server.process.pid)
        liars = [self.connect() for _ in range(200)]
        for i, connection in enumerate(liars):
            connection.send((b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$536870912\r\n", b"*1000000000\r\n$4\r\n",
                             b"*2\r\n$536870912\r\nx")[i % 3])
        for connection in liars:  # all have been read when this is answered: they came before
            other = self.connect()
            self.assertEqual(other.call("PING"), (b"+", b"PONG"))
            other.close()
            self.assertIsNone(self.server.process.poll())
        self.assertLess(counted_bytes(self.connection), 16 * MB)
        if not SANITIZED:
            self.assertLess(anonymous_bytes(self.server.process.pid) - before, 48 * MB)

    def test_values_at_the_limit_and_above(self):
        self.start("--client-memory", str(64 * MB))
        bulk_error = (b"-", b"ERR Protocol error: invalid bulk length")
        too_much = self.connect()
        too_much.send(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$536870913\r\n")
        self.assertEqual(too_much.read(), bulk_error)
        with self.assertRaises(redis_pair.Closed):
            too_much.read()
        limit = 2 * MB
        self.assertEqual(self.connection.call("CONFIG", "SET", "proto-max-bulk-len", limit), (b"+", b"OK"))
        exact = self.connect()
        self.assertEqual(exact.call("SET", "k", b"x" * limit), (b"+", b"OK"))
        self.assertEqual(exact.call("STRLEN", "k"), (b":", b"%d" % limit))
        self.assertEqual(exact.call("APPEND", "k", "x")[0], b"-")
        exact.send(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%d\r\n" % (limit + 1))
        self.assertEqual(exact.read(), bulk_error)
        self.assertEqual(self.connection.call("STRLEN", "k"), (b":", b"%d" % limit))

    def test_large_values(self):
        # The largest there may be; less where everything takes longer. The default budget has room for one, with what becomes of it.
        size = 512 * MB if SCALE >= 1 else 64 * MB
        budget = 1 << 30
        self.start()
        value = random.Random(SEED).randbytes(MB) * (size // MB)
        with self.others_are_served(budget + 2 * size):
            self.assertEqual(self.connection.call("SET", "large", value), (b"+", b"OK"))
            self.assertEqual(self.connection.call("STRLEN", "large"), (b":", b"%d" % size))
            self.assertEqual(self.connection.call("GETRANGE", "large", size - MB, -1), (b"$", value[:MB]))
            self.assertEqual(self.connection.call("GET", "large"), (b"$", value))
            if size == 512 * MB:
                self.assertEqual(self.connection.call("APPEND", "large", "x")[0], b"-", "there are no larger ones")

    def test_values_above_the_budget(self):
        budget = 32 * MB
        self.start("--client-memory", str(budget))
        value = b"x" * (64 * MB)
        with self.others_are_served(budget):
            connection = self.connect()
            with self.assertRaises((BrokenPipeError, ConnectionResetError, redis_pair.Closed)):
                connection.send(encode("SET", "k", value))
                connection.read()
        self.assertEqual(self.connection.call("EXISTS", "k"), (b":", b"0"))
        self.assertGreaterEqual(info(self.connection, "evicted_clients"), 1)

    def test_a_million_arguments(self):
        budget = 1 << 30
        self.start()
        self.assertEqual(self.connection.call("SET", "many", 0), (b"+", b"OK"))
        with self.others_are_served(budget):
            # One is refused when all of them are there, the other looks at each.
            for command, count, reply in (("ECHO", 1_000_000, (b"-", b"ERR wrong number of arguments for 'echo' command")),
                                          ("EXISTS", 1_000_000, (b":", b"1000000")), ("DEL", 1_000_000, (b":", b"1")),
                                          ("MSET", 1_000_000, (b"+", b"OK"))):
                self.connection.send(b"*%d\r\n" % (count + 1) + b"$%d\r\n%s\r\n" % (len(command), command.encode()) +
                                     b"$4\r\nmany\r\n" * count)
                self.assertEqual(self.connection.read(), reply)

    def test_a_million_commands_at_once(self):
        count = 1_000_000
        self.start()
        with self.others_are_served(256 * MB):
            # All are sent before the first reply is read.
            self.connection.send(b"PING\r\n" * count + b"INCR n\r\n")
            size = 0
            last = b""
            while size < count * len(b"+PONG\r\n") + len(b":1\r\n"):
                chunk = self.connection.socket.recv(1 << 20)
                self.assertTrue(chunk)
                size += len(chunk)
                last = (last + chunk)[-20:]
            self.assertTrue(last.endswith(b"+PONG\r\n:1\r\n"), last)

    def test_a_large_transaction(self):
        budget = 64 * MB
        self.start("--client-memory", str(budget))
        connection = self.connect()
        count = 20_000
        with self.others_are_served(budget):
            connection.send(b"MULTI\r\n" + b"SET q 1\r\n" * count + b"EXEC\r\n")
            self.assertEqual(connection.read(), (b"+", b"OK"))
            for _ in range(count):
                self.assertEqual(connection.read(), (b"+", b"QUEUED"))
            self.assertEqual(len(connection.read()[1]), count)

    # --- Connections.

    def test_a_client_that_dies_at_each_byte(self):
        """What was complete has happened, and nothing else; transactions are whole or absent."""
        self.start()
        parts = [encode("SET", "a", "1"), encode("APPEND", "b", "xy"), encode("MULTI"), encode("SET", "p", "1"),
                 encode("SET", "q", "1"), encode("EXEC"), b"INCR c\r\n", encode("MULTI"), encode("SET", "never", "1")]
        stream = b"".join(parts)
        ends = [len(b"".join(parts[:i + 1])) for i in range(len(parts))]
        keys = {"a": ends[0], "b": ends[1], "p": ends[5], "q": ends[5], "c": ends[6]}
        for cut in range(len(stream) + 1):
            self.assertEqual(self.connection.call("FLUSHDB"), (b"+", b"OK"))
            client = self.connect()
            client.send(stream[:cut])
            client.socket.shutdown(socket.SHUT_WR)
            with contextlib.suppress(redis_pair.Closed):
                while True:  # until the server has seen the end, and with it all that was before
                    client.read()
            client.close()
            there = {key: self.connection.call("EXISTS", key) == (b":", b"1") for key in [*keys, "never"]}
            self.assertEqual(there, {**{key: end <= cut for key, end in keys.items()}, "never": False}, cut)
        # The same with resets, which may overtake what was sent before them.
        port = self.tcp_port()
        for cut in range(len(stream) + 1):
            self.connection.call("FLUSHDB")
            with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as client:
                client.sendall(stream[:cut])
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.await_that(lambda: info(self.connection, "connected_clients") == 1, "the end of the client")
            both = self.connection.call("MGET", "p", "q")[1]
            self.assertEqual(both[0], both[1], cut)

    def test_floods_of_connections(self):
        self.start()
        port = self.tcp_port()
        before = self.sockets()
        rng = random.Random(SEED)
        with self.others_are_served(256 * MB):
            for i in range(int(1000 * SCALE) + 100):
                with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as client:
                    if i % 3 == 0:
                        client.sendall(b"PING\r\n" * rng.randint(1, 50))
                    if i % 2 == 0:
                        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # The bystander and the watch have gone, too.
        self.await_that(lambda: info(self.connection, "connected_clients") == 1, "the end of all clients")
        self.await_that(lambda: self.sockets() <= before, "descriptors that are given back")

    def test_clients_that_vanish_without_a_word(self):
        """Their end is never told: they are found out when something is sent to them."""
        repair = 19  # TCP_REPAIR: closing does not send anything then
        self.start()
        port = self.tcp_port()
        gone = []
        for i in range(50):
            client = socket.create_connection(("127.0.0.1", port), timeout=SECONDS)
            self.addCleanup(client.close)
            client.sendall((b"SUBSCRIBE news\r\n", b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$100\r\nhalf")[i % 2])
            if i % 2 == 0:
                client.recv(1000)
            gone.append(client)
        with self.others_are_served(256 * MB):
            for client in gone:
                try:
                    client.setsockopt(socket.IPPROTO_TCP, repair, 1)
                except OSError as error:
                    say(f"skipped: connections cannot be made to vanish here ({error})")
                    self.skipTest("TCP_REPAIR")
                client.close()
            # The other half has nothing to be told, and stays until the system asks after it (keepalive).
            def all_heard():
                return self.connection.call("PUBLISH", "news", "x") == (b":", b"0")
            self.await_that(all_heard, "the end of the listeners")

    def test_without_descriptors_accepting_pauses(self):
        self.start()
        self.await_log()  # UBSan looks at the stream that is written to, for which it wants descriptors
        pid = self.server.process.pid
        before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        try:
            used = len(os.listdir(f"/proc/{pid}/fd"))
            # The lowest free numbers are given out first, so at most so many are left.
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (used + 3, before[1]))
            waiting = [self.connect() for _ in range(20)]
            for connection in waiting:
                connection.send(b"PING\r\n")
            for _ in range(100):
                self.assertEqual(self.connection.call("PING"), (b"+", b"PONG"))
            answered = [connection for connection in waiting if self.has_answer(connection)]
            self.assertLess(len(answered), len(waiting))
        finally:
            resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
        for connection in waiting:
            self.assertEqual(connection.read(), (b"+", b"PONG"))

    @staticmethod
    def has_answer(connection):
        connection.socket.setblocking(False)
        try:
            return bool(connection.socket.recv(1, socket.MSG_PEEK))
        except BlockingIOError:
            return False
        finally:
            connection.socket.settimeout(SECONDS)

    def test_idle_connections_cost_little(self):
        count = 10_000
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard != resource.RLIM_INFINITY and hard < count + 2000:
            say(f"skipped: {count} idle connections: {hard} descriptors are all that a process may have here")
            self.skipTest("descriptors")
        resource.setrlimit(resource.RLIMIT_NOFILE, (count + 2000, hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        self.start("--maxclients", str(count + 10))
        before = anonymous_bytes(self.server.process.pid)
        clients = []
        for _ in range(count):
            client = socket.socket(socket.AF_UNIX)
            clients.append(client)
            client.connect(self.server.path)  # waits while the server takes others
            client.settimeout(SECONDS)
            client.sendall(encode("SET", "idle", b"x" * 1000))  # it has not always been idle
        for client in clients:
            self.assertEqual(client.recv(100), b"+OK\r\n")
        cost = anonymous_bytes(self.server.process.pid) - before
        say(f"{count} idle connections: {cost / MB:.1f} MB")
        self.assertGreaterEqual(info(self.connection, "connected_clients"), count)
        if not SANITIZED:
            self.assertLess(cost, 200 * MB)
        self.assertLess(counted_bytes(self.connection), 16 * MB)
        for client in clients:
            client.close()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--bystander"]:
        Bystander.run(*sys.argv[2:])
    else:
        unittest.main()

#!/usr/bin/env python3
"""Clients of others drive the server: Debian's python3-redis and hiredis. What is absent is skipped, and said so.

usage: clients_test.py PROGRAM C_COMPILER
"""
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "server"))
import redis_pair  # noqa: E402

try:
    import redis
except ImportError:
    redis = None

PROGRAM = str(pathlib.Path(sys.argv.pop(1)).resolve())
COMPILER = sys.argv.pop(1)
SEED = int(os.environ.get("VARVE_TEST_SEED", "1"))
SECONDS = 60


def skip(what):
    print(f"skipped: {what} is absent", file=sys.stderr)
    raise unittest.SkipTest(f"{what} is absent")


class ClientsTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="varve_clients_")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.server = redis_pair.start_varve(PROGRAM, self.folder)
        self.addCleanup(self.server.kill)


class PythonRedisTest(ClientsTest):
    def setUp(self):
        if redis is None:
            skip("python3-redis")
        super().setUp()
        self.client = redis.Redis(unix_socket_path=self.server.path, socket_timeout=SECONDS)
        self.addCleanup(self.client.close)

    def test_strings_like_a_dictionary(self):
        print(f"seed {SEED}", file=sys.stderr)
        rng = random.Random(SEED)
        model = {}
        for _ in range(500):
            key = b"k%d" % rng.randrange(20)
            action = rng.randrange(6)
            if action == 0:
                model[key] = rng.randbytes(rng.randrange(100))
                self.assertTrue(self.client.set(key, model[key]))
            elif action == 1:
                self.assertEqual(self.client.delete(key), int(model.pop(key, None) is not None))
            elif action == 2:
                model[key] = model.get(key, b"") + b"x"
                self.assertEqual(self.client.append(key, b"x"), len(model[key]))
            elif action == 3:
                self.assertEqual(self.client.setnx(key, b"new"), key not in model)
                model.setdefault(key, b"new")
            elif action == 4:
                keys = [b"k%d" % i for i in range(20)]
                self.assertEqual(self.client.mget(keys), [model.get(k) for k in keys])
            else:
                self.assertEqual(self.client.get(key), model.get(key))
        self.assertEqual(self.client.dbsize(), len(model))
        self.assertEqual(set(self.client.scan_iter(count=3)), set(model))
        self.assertEqual({key: self.client.get(key) for key in self.client.keys("k1*")},
                         {key: value for key, value in model.items() if key.startswith(b"k1")})

    def test_options_and_expiry(self):
        client = self.client
        self.assertTrue(client.set("a", 1, ex=100, nx=True))
        self.assertIsNone(client.set("a", 2, nx=True))
        self.assertIn(client.ttl("a"), range(1, 101))
        self.assertTrue(client.persist("a"))
        self.assertEqual(client.ttl("a"), -1)
        self.assertEqual(client.incrby("a", 41), 42)
        self.assertEqual(client.incrbyfloat("a", 0.5), 42.5)
        self.assertEqual(client.getex("a", px=100_000), b"42.5")
        self.assertEqual(client.getdel("a"), b"42.5")
        self.assertTrue(client.set("short", 1, px=1))
        end = time.monotonic() + SECONDS
        while client.exists("short"):
            self.assertLess(time.monotonic(), end)
        with self.assertRaisesRegex(redis.ResponseError, "not an integer"):
            client.set("text", "x")
            client.incr("text")

    def test_pipelines_and_transactions(self):
        with self.client.pipeline(transaction=False) as pipe:
            for i in range(1000):
                pipe.set(f"p{i}", i)
            self.assertEqual(pipe.execute(), [True] * 1000)
        with self.client.pipeline() as pipe:
            pipe.incr("n").incr("n").get("n")
            self.assertEqual(pipe.execute(), [1, 2, b"2"])
        with self.client.pipeline() as pipe:
            pipe.watch("n")
            self.client.set("n", 10)
            pipe.multi()
            pipe.incr("n")
            with self.assertRaises(redis.WatchError):
                pipe.execute()
        self.assertEqual(self.client.get("n"), b"10")
        # Optimistic increments of several at once, none of which is lost.
        threads = [threading.Thread(target=self.client.transaction, args=(
            lambda pipe: (pipe.get("n"), pipe.multi(), pipe.incr("n")), "n")) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(self.client.get("n"), b"14")

    def test_publishing(self):
        with self.client.pubsub(ignore_subscribe_messages=False) as listener:
            listener.subscribe("news")
            listener.psubscribe("n*")
            self.assertEqual([listener.get_message(timeout=SECONDS)["type"] for _ in range(2)],
                             ["subscribe", "psubscribe"])
            self.assertEqual(self.client.publish("news", "hello"), 2)
            seen = [listener.get_message(timeout=SECONDS) for _ in range(2)]
            self.assertEqual({(m["type"], m["channel"], m["data"]) for m in seen},
                             {("message", b"news", b"hello"), ("pmessage", b"news", b"hello")})

    def test_what_it_asks_servers(self):
        self.assertTrue(self.client.ping())
        self.assertEqual(self.client.info()["redis_version"], "7.0.15")
        self.assertIn("maxclients", self.client.config_get("maxclients"))
        self.assertTrue(self.client.client_setname("me"))
        self.assertIn("me", [entry["name"] for entry in self.client.client_list()])
        self.assertEqual(self.client.client_getname(), "me")
        self.assertEqual(self.client.execute_command("COMMAND", "INFO", "get")["get"]["arity"], 2)
        second = redis.Redis(unix_socket_path=self.server.path, db=1)
        second.set("only here", 1)
        self.assertIsNone(self.client.get("only here"))
        second.close()


class HiredisTest(ClientsTest):
    def test_it_drives_the_server(self):
        source = pathlib.Path(__file__).with_name("hiredis_client.c")
        if not pathlib.Path("/usr/include/hiredis/hiredis.h").exists():
            skip("libhiredis-dev")
        program = self.folder / "hiredis_client"
        done = subprocess.run([COMPILER, "-Wall", "-Wextra", "-Werror", "-o", str(program), str(source), "-lhiredis"],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        self.assertEqual(done.returncode, 0, done.stdout.decode())
        done = subprocess.run([str(program), self.server.path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=10 * SECONDS, check=False)
        self.assertEqual((done.returncode, done.stdout.decode()), (0, "ok\n"))


if __name__ == "__main__":
    if redis is None and not pathlib.Path("/usr/include/hiredis/hiredis.h").exists():
        print("skipped: python3-redis and libhiredis-dev are absent")
        sys.exit(77)
    unittest.main()

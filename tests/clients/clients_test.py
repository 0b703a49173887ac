#!/usr/bin/env python3
"""Clients of others drive the server: Debian's python3-redis, hiredis, redis-cli, redis-benchmark and prometheus-redis-exporter; ioredis and
node-redis of npm, which scripts/test puts into NODE_MODULES. What is absent is skipped, and said so.

usage: clients_test.py PROGRAM C_COMPILER NODE_MODULES
"""
import contextlib
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "server"))
import redis_pair  # noqa: E402

try:
    import redis
except ImportError:
    redis = None

PROGRAM = str(pathlib.Path(sys.argv.pop(1)).resolve())
COMPILER = sys.argv.pop(1)
NODE_MODULES = pathlib.Path(sys.argv.pop(1)).resolve()
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
        self.options = []
        self.starts = 0
        self.start()

    def start(self):
        self.server = redis_pair.start_varve(PROGRAM, self.folder, *self.options)
        self.addCleanup(self.server.kill)
        self.starts += 1

    def kill_and_start(self):
        self.server.kill()
        self.start()

    def start_with_tls(self):
        """Instead of the one without. Its port, and the file of its authority; nothing where there is no openssl."""
        if shutil.which("openssl") is None:
            print("skipped: TLS, without openssl", file=sys.stderr)
            return []
        certificate, key = self.folder / "server.pem", self.folder / "server.key"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-keyout", str(key), "-out", str(certificate), "-days", "2", "-subj", "/CN=localhost",
                        "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
        self.options = ["--tls-port", "0", "--tls-cert", str(certificate), "--tls-key", str(key)]
        self.server.kill()
        self.start()
        return [self.port("tls"), str(certificate)]

    def port(self, name):
        """Of the last server that was started."""
        end = time.monotonic() + SECONDS
        lines = []
        while len(lines) < self.starts:  # it listens before it says so
            self.assertLess(time.monotonic(), end)
            text = (self.folder / "log").read_text()
            lines = [line for line in text.splitlines(keepends=True) if " listening " in line and line.endswith("\n")]
        return re.search(rf" {name}=127\.0\.0\.1:(\d+)", lines[-1]).group(1)


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


    def test_passwords_and_users(self):
        self.options = ["--requirepass", "secret"]
        self.kill_and_start()

        def connect(**who):
            client = redis.Redis(unix_socket_path=self.server.path, socket_timeout=SECONDS, **who)
            self.addCleanup(client.close)
            return client
        with self.assertRaises(redis.AuthenticationError):
            connect().get("a")
        with self.assertRaisesRegex(redis.RedisError, "WRONGPASS"):
            connect(password="wrong").get("a")
        admin = connect(password="secret", client_name="admin")
        self.assertTrue(admin.set("a:1", "x"))
        self.assertEqual(admin.client_getname(), "admin")
        self.assertTrue(admin.acl_setuser("alice", enabled=True, passwords=["+pw"], keys=["a:*"], categories=["+@read"]))
        alice = connect(username="alice", password="pw")
        self.assertEqual(alice.get("a:1"), b"x")
        for refused in (lambda: alice.get("b:1"), lambda: alice.set("a:1", "y")):
            with self.assertRaises(redis.exceptions.NoPermissionError):
                refused()

    def test_keys_of_any_bytes_and_scans(self):
        keys = {bytes([i, 13, 10, i]) for i in range(256)}
        for key in keys:
            self.client.set(key, key)
        self.assertEqual(set(self.client.scan_iter(count=7)), keys)
        self.assertEqual(set(self.client.scan_iter(match=b"a*")), {b"a\r\na"})
        self.assertEqual(self.client.mget(sorted(keys)), sorted(keys))
        self.assertEqual(self.client.unlink(*keys), 256)

    def test_it_connects_again(self):
        self.client.set("kept", 1)
        self.kill_and_start()
        with contextlib.suppress(redis.ConnectionError):  # the connection that is gone
            self.client.get("kept")
        self.assertEqual(self.client.get("kept"), b"1")

    def test_tls(self):
        given = self.start_with_tls()
        if not given:
            self.skipTest("openssl")
        with redis.Redis(port=int(given[0]), ssl=True, ssl_ca_certs=given[1], socket_timeout=SECONDS) as client:
            self.assertTrue(client.set("a", b"\0\r\n"))
            self.assertEqual(client.get("a"), b"\0\r\n")
        with redis.Redis(port=int(given[0]), ssl=True, socket_timeout=SECONDS) as careful:
            with self.assertRaises(redis.ConnectionError):
                careful.ping()


class RedisToolsTest(ClientsTest):
    def setUp(self):
        if shutil.which("redis-cli") is None or shutil.which("redis-benchmark") is None:
            skip("redis-tools")
        super().setUp()

    def run_tool(self, *command, given=b""):
        done = subprocess.run(command, input=given, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=10 * SECONDS, check=False)
        self.assertEqual(done.returncode, 0, done.stdout)
        return done.stdout

    def cli(self, *words, given=b""):
        return self.run_tool("redis-cli", "-s", self.server.path, *words, given=given)

    def test_command_line(self):
        for version in ("-2", "-3"):
            self.assertEqual(self.cli(version, "-x", "SET", "any", given=bytes(range(256))), b"OK\n")
            self.assertEqual(self.cli(version, "GET", "any"), bytes(range(256)) + b"\n")
            self.assertEqual(self.cli(version, "--no-raw", "GET", "absent"), b"(nil)\n")
            lines = self.cli(version, given=b"MULTI\nSET a 1\nINCR a\nEXEC\nNONSENSE\n").splitlines()
            self.assertEqual(lines[:5], [b"OK", b"QUEUED", b"QUEUED", b"OK", b"2"])
            self.assertTrue(lines[5].startswith(b"ERR unknown command"))
        mass = b"".join(redis_pair.encode([b"SET", b"mass:%d" % i, b"x" * (i % 50)]) for i in range(10_000))
        self.assertIn(b"errors: 0, replies: 10000", self.cli("--pipe", given=mass))
        self.assertEqual(len(set(self.cli("--scan", "--pattern", "mass:*").split())), 10_000)
        self.assertIn(b"Biggest string found", self.cli("--bigkeys"))
        self.assertIn(b"Sampled 10002 keys", self.cli("--memkeys"))
        self.assertIn(b"redis_version:7.0.15", self.cli("INFO", "server"))

    def test_command_line_with_a_password(self):
        self.options = ["--requirepass", "secret"]
        self.kill_and_start()
        quiet = ("--no-auth-warning",)
        self.assertTrue(self.cli("SET", "a", "1").startswith(b"NOAUTH "))
        self.assertEqual(self.cli(*quiet, "-a", "secret", "SET", "a", "1"), b"OK\n")
        self.assertEqual(self.cli(*quiet, "-a", "secret", "ACL", "SETUSER", "alice", "on", ">pw", "~*", "+get"), b"OK\n")
        self.assertEqual(self.cli(*quiet, "--user", "alice", "--pass", "pw", "GET", "a"), b"1\n")
        self.assertEqual(self.cli(*quiet, "-3", "--user", "alice", "--pass", "pw", "GET", "a"), b"1\n")
        self.assertTrue(self.cli(*quiet, "--user", "alice", "--pass", "pw", "DEL", "a").startswith(b"NOPERM "))
        self.assertIn(b"WRONGPASS", self.cli(*quiet, "--user", "alice", "--pass", "wrong", "GET", "a"))

    def test_command_line_over_tls(self):
        given = self.start_with_tls()
        if not given:
            self.skipTest("openssl")
        tls = ["redis-cli", "--tls", "-p", given[0]]
        self.assertEqual(self.run_tool(*tls, "--cacert", given[1], "SET", "a", "1"), b"OK\n")
        self.assertEqual(self.run_tool(*tls, "--cacert", given[1], "CONFIG", "SET", "requirepass", "secret"), b"OK\n")
        self.assertTrue(self.run_tool(*tls, "--cacert", given[1], "GET", "a").startswith(b"NOAUTH "))
        self.assertEqual(self.run_tool(*tls, "--cacert", given[1], "--no-auth-warning", "-a", "secret", "GET", "a"), b"1\n")
        careful = subprocess.run([*tls, "PING"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        self.assertIn(b"certificate verify failed", careful.stdout)

    def test_benchmark(self):
        for options in (["-P", "1"], ["-P", "16", "-r", "1000"], ["-3", "-P", "4"]):
            text = self.run_tool("redis-benchmark", "-s", self.server.path, "-n", "2000", "-c", "20", "--csv", "-t",
                                 "ping_inline,ping_mbulk,set,get,incr,mset", *options).decode()
            rows = [line for line in text.splitlines() if line.startswith('"')]
            self.assertEqual(len(rows), 7, text)  # with the names of the columns
            self.assertNotIn("rror", text)


class BenchTest(ClientsTest):
    """`varve bench` measures other servers too."""

    def test_redis_can_be_measured(self):
        if not redis_pair.has_redis():
            skip("redis-server 7.0")
        with redis_pair.start_redis(self.folder / "redis", "--requirepass", "secret") as theirs:
            for options in (["--pipeline", "16"], ["--rate", "5000"], ["--command", "APPEND __key__ x"]):
                done = subprocess.run([PROGRAM, "bench", "--server", f"unix://:secret@{theirs.path}", "--requests", "2000", "--keys", "100",
                                       "--json", *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=SECONDS, check=False)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertIn(b'"errors":0', done.stdout.replace(b" ", b""))
            connection = redis_pair.Connection(theirs.path)
            self.addCleanup(connection.close)
            connection.call("AUTH", "secret")
            self.assertGreater(int(connection.call("DBSIZE")[1]), 50)


class ExporterTest(ClientsTest):
    """Debian's prometheus-redis-exporter reads INFO."""

    def test_it_understands_the_server(self):
        program = shutil.which("prometheus-redis-exporter")
        if program is None:
            skip("prometheus-redis-exporter")
        connection = redis_pair.Connection(self.server.path)
        self.addCleanup(connection.close)
        for i in range(100):
            connection.call("SET", f"k{i}", "v", *(("EX", "1000") if i % 4 == 0 else ()))
        for key in ("k1", "k2", "nosuch"):
            connection.call("GET", key)
        connection.call("NONSENSE")
        connection.call("SUBSCRIBE", "news")
        log = open(self.folder / "exporter.log", "wb")
        self.addCleanup(log.close)
        process = subprocess.Popen([program, "-redis.addr", f"unix://{self.server.path}", "-web.listen-address",
                                    "127.0.0.1:0"], stdout=log, stderr=log)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        end = time.monotonic() + SECONDS
        while not (port := self.listening_port(process.pid)):
            self.assertIsNone(process.poll(), (self.folder / "exporter.log").read_text())
            self.assertLess(time.monotonic(), end)
            time.sleep(0.01)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=SECONDS) as answer:
            text = answer.read().decode()
        seen = {}
        for line in text.splitlines():
            if not line.startswith("#"):
                name, _, value = line.rpartition(" ")
                seen[name] = float(value)
        expected = {"redis_up": 1, 'redis_exporter_last_scrape_error{err=""}': 0, 'redis_db_keys{db="db0"}': 100,
                    'redis_db_keys_expiring{db="db0"}': 25, "redis_keyspace_hits_total": 2,
                    "redis_keyspace_misses_total": 1, 'redis_commands_total{cmd="set"}': 100,
                    'redis_commands_total{cmd="get"}': 3, 'redis_errors_total{err="ERR"}': 1,
                    "redis_connected_slaves": 0, "redis_config_maxclients": 10000, "redis_pubsub_channels": 1,
                    "redis_aof_last_write_status": 1, "redis_rejected_connections_total": 0}
        self.assertEqual({name: seen.get(name) for name in expected}, expected)
        for name in ("redis_connected_clients", "redis_memory_used_bytes", "redis_memory_used_rss_bytes",
                     "redis_net_input_bytes_total", "redis_net_output_bytes_total",
                     "redis_commands_processed_total", "redis_connections_received_total",
                     'redis_latency_percentiles_usec_count{cmd="set"}'):
            self.assertGreater(seen.get(name, 0), 0, name)
        # The system may count all of it as one of the two.
        self.assertGreater(seen["redis_cpu_user_seconds_total"] + seen["redis_cpu_sys_seconds_total"], 0)
        self.assertRegex(text, rf'redis_instance_info{{.*process_id="{self.server.process.pid}".*redis_version="7.0.15"')

    @staticmethod
    def listening_port(pid):
        """The port at which a process listens, or nothing yet."""
        sockets = set()
        for name in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(FileNotFoundError):
                sockets.add(os.readlink(f"/proc/{pid}/fd/{name}"))
        for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
            words = line.split()
            if words[3] == "0A" and f"socket:[{words[9]}]" in sockets:
                return int(words[1].split(":")[1], 16)
        return None


class NodeTest(ClientsTest):
    def setUp(self):
        if shutil.which("node") is None:
            skip("node")
        for name in ("ioredis", "redis"):
            if not (NODE_MODULES / name).is_dir():
                skip(f"{name} of npm, which scripts/test installs,")
        super().setUp()

    def drive(self, script, *before):
        given = self.start_with_tls()
        process = subprocess.Popen(["node", str(pathlib.Path(__file__).with_name(script)), *before, self.server.path, *given],
                                   env={**os.environ, "NODE_PATH": str(NODE_MODULES)},
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        guard = threading.Timer(5 * SECONDS, process.kill)
        guard.start()
        try:
            line = process.stdout.readline()
            if line == b"restart\n":
                self.kill_and_start()
                process.stdin.write(b"done\n")
                line = b""
            with contextlib.suppress(BrokenPipeError):  # it has ended, and says why
                process.stdin.close()
            text = line + process.stdout.read()
            process.wait()
        finally:
            guard.cancel()
            process.kill()
            process.stdout.close()
        self.assertEqual((process.returncode, text.decode()), (0, "ok\n"))

    def test_ioredis(self):
        self.drive("ioredis_client.js")

    def test_node_redis_with_resp2(self):
        self.drive("node_redis_client.js", "2")

    def test_node_redis_with_resp3(self):
        self.drive("node_redis_client.js", "3")


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
    unittest.main()

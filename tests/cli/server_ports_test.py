#!/usr/bin/env python3
"""The server as a process, beside its commands: settings, the HTTP port, logs, readiness, TLS.

usage: server_ports_test.py PROGRAM
"""
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import time
import unittest

PROGRAM = str(pathlib.Path(sys.argv.pop(1)).resolve())
SECONDS = 60  # for what takes milliseconds


class PortsTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="varve_ports_")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.environment = {name: value for name, value in os.environ.items()
                            if not name.startswith("VARVE_")}

    def start(self, *options, **environment):
        """Starts a server and waits until it has said where it listens."""
        self.log = self.folder / "log"
        log = open(self.log, "wb")
        self.addCleanup(log.close)
        self.process = subprocess.Popen([PROGRAM, "server", str(self.folder / "store"), "--port", "0",
                                         "--bind", "127.0.0.1", *options],
                                        stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                        env={**self.environment, **environment})
        self.addCleanup(self.stop, self.process)
        self.await_log("listening")
        self.port = self.logged_port("address")

    def stop(self, process):
        if process.poll() is None:
            process.kill()
        process.wait()

    def await_log(self, text, count=1):
        end = time.monotonic() + SECONDS
        while self.log.read_text().count(text) < count or not self.log.read_text().endswith("\n"):
            self.assertIsNone(self.process.poll(), self.log.read_text())
            self.assertLess(time.monotonic(), end, self.log.read_text())
            time.sleep(0.01)

    def logged_port(self, name):
        return int(re.search(name + r"\W+127\.0\.0\.1:(\d+)", self.log.read_text()).group(1))

    def exchange(self, port, data):
        """What is answered before the other end closes."""
        with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as connection:
            connection.sendall(data)
            answer = b""
            while True:
                try:
                    chunk = connection.recv(1 << 16)
                except ConnectionResetError:
                    return answer
                if not chunk:
                    return answer
                answer += chunk

    def get(self, path, method="GET"):
        answer = self.exchange(self.http, f"{method} {path} HTTP/1.1\r\nHost: evil.example\r\n\r\n".encode())
        head, _, body = answer.partition(b"\r\n\r\n")
        return int(head.split()[1]), body.decode()

    def check(self, *options, **environment):
        done = subprocess.run([PROGRAM, "server", "--check-config", *options], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, env={**self.environment, **environment}, check=False)
        return done.returncode, done.stdout.decode() + done.stderr.decode()

    def test_configurations_are_checked_without_serving(self):
        self.assertEqual(self.check(), (0, "the configuration is right\n"))
        self.assertEqual(self.check("--bind", "0.0.0.0")[0], 2)
        self.assertEqual(self.check("--bind", "0.0.0.0", "--requirepass", "x")[0], 0)
        self.assertEqual(self.check(VARVE_BIND="0.0.0.0")[0], 2)
        self.assertEqual(self.check(VARVE_BIND="0.0.0.0", VARVE_UNPROTECTED="yes")[0], 0)
        self.assertEqual(os.listdir(self.folder), [])

    def test_settings_of_a_file_are_used(self):
        config = self.folder / "varve.toml"
        config.write_text("databases = 3\n")
        self.start("--config", str(config))
        answer = self.exchange(self.port, b"SELECT 2\r\nSELECT 3\r\nQUIT\r\n")
        self.assertEqual(answer, b"+OK\r\n-ERR DB index is out of range\r\n+OK\r\n")

    def test_the_example_has_the_defaults(self):
        def values(*options):
            done = subprocess.run([PROGRAM, "server", "d", "--print-config", *options], stdout=subprocess.PIPE,
                                  env=self.environment, check=True)
            lines = done.stdout.decode().splitlines()
            return [re.sub(r" +# .*", "", line) for line in lines if not line.startswith("#")]

        example = pathlib.Path(__file__).resolve().parents[2] / "packaging" / "varve.toml"
        self.assertEqual(values("--config", str(example)), values())
        # Its comments name every setting, too.
        for line in values() + ["unixsocket =", "requirepass =", "http ="]:
            self.assertRegex(example.read_text(), r"(?m)^(# )?" + line.split()[0] + " = ")

    def test_http(self):
        self.start("--http", "0")
        self.http = self.logged_port("http")
        self.exchange(self.port, b"SET a 1\r\nGET a\r\nGET b\r\nNONSENSE\r\nQUIT\r\n")
        self.assertEqual(self.get("/livez"), (200, "alive\n"))
        self.assertEqual(self.get("/readyz"), (200, "ready\n"))
        self.assertEqual(self.get("/readyz?x", "HEAD"), (200, ""))
        self.assertEqual(self.get("/")[0], 404)
        self.assertEqual(self.get("/livez", "POST")[0], 405)
        status, text = self.get("/stats")
        self.assertEqual(status, 200)
        stats = json.loads(text)
        self.assertEqual(stats["server"]["keyspace_hits_total"], 1)
        self.assertEqual(stats["server"]["keyspace_misses_total"], 1)
        self.assertEqual(stats["store"]["operations"]["get_hit"], 1)
        status, text = self.get("/metrics")
        self.assertEqual(status, 200)
        self.assertIn("\nvarve_server_keyspace_hits_total 1\n", text)
        self.assertIn("\nvarve_last_sequence_total ", text)
        self.check_prometheus(text)
        # The ports do not speak each other's protocol.
        self.assertEqual(self.exchange(self.port, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"), b"")
        self.assertIn(b" 400 ", self.exchange(self.http, b"*1\r\n$4\r\nPING\r\n"))

    def test_the_log_as_json(self):
        self.start("--log-format", "json", "--http", "0", "--http-bind", "127.0.0.1",
                   "--unixsocket", str(self.folder / "a \"socket\""))
        self.process.terminate()
        self.assertEqual(self.process.wait(SECONDS), 0)
        lines = [json.loads(line) for line in self.log.read_text().splitlines()]
        self.assertEqual([line["event"] for line in lines], ["listening", "stopping", "stopped"])
        self.assertEqual({(line["level"], line["area"]) for line in lines}, {("info", "server")})
        self.assertEqual(len(lines[0]["address"]), 2)
        self.assertEqual(lines[0]["address"][1], str(self.folder / "a \"socket\""))
        self.assertEqual(len(lines[0]["http"]), 1)
        self.assertEqual(lines[1]["signal"], "15")

    def test_the_service_manager_is_told(self):
        names = [str(self.folder / "notify"), "@varve_test_" + str(os.getpid())]
        for name in names:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
                manager.settimeout(SECONDS)
                manager.bind(name.replace("@", "\0"))
                self.start(NOTIFY_SOCKET=name)
                self.assertEqual(manager.recv(1000).splitlines()[0], b"READY=1")
                # By now it serves.
                self.assertEqual(self.exchange(self.port, b"PING\r\nQUIT\r\n"), b"+PONG\r\n+OK\r\n")
                self.process.terminate()
                self.assertEqual(manager.recv(1000).splitlines()[0], b"STOPPING=1")
                self.assertEqual(self.process.wait(SECONDS), 0)
        # A manager that is gone, or a name that is none, does not matter.
        for name in names + ["x", "/" + 200 * "x"]:
            self.start(NOTIFY_SOCKET=name)
            self.process.terminate()
            self.assertEqual(self.process.wait(SECONDS), 0)

    def check_prometheus(self, text):
        """Every sample belongs to a family that was announced just before, and once."""
        families = re.findall(r"^# TYPE (\S+) ", text, re.MULTILINE)
        self.assertEqual(len(families), len(set(families)))
        family = None
        for line in text.splitlines():
            if line.startswith("# TYPE "):
                family = line.split()[2]
            elif not line.startswith("#"):
                self.assertRegex(line, r"^" + family + r"(_bucket|_sum|_count)?(\{.*\})? \S+$")


if __name__ == "__main__":
    unittest.main()

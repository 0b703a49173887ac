#!/usr/bin/env python3
"""The server as a process, beside its commands: settings, the HTTP port, logs, readiness, TLS.

usage: server_ports_test.py PROGRAM
"""
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
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
                            if not name.startswith("VARVE_") or name == "VARVE_PLANTED_BUG"}

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
        self.port = self.logged_port("address") if "--tls-only" not in options else None

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

    # --- TLS

    def certificates(self):
        """An authority `ca`, and certificates of it and of another."""
        if shutil.which("openssl") is None:
            self.skipTest("openssl is absent")
        for ca in ("ca", "other"):
            self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                         "-subj", f"/CN={ca}", "-addext", "keyUsage=critical,keyCertSign", "-keyout", f"{ca}.key", "-out", f"{ca}.pem", "-days", "3650")
        self.certificate("server", "ca")
        self.certificate("client", "ca")
        self.certificate("forged", "other")

    def certificate(self, name, ca):
        (self.folder / "ext").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n"
                                         "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n"
                                         "keyUsage=digitalSignature\n")
        self.openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                     "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
        self.openssl("x509", "-req", "-in", f"{name}.csr", "-CA", f"{ca}.pem", "-CAkey", f"{ca}.key",
                     "-CAcreateserial", "-extfile", "ext", "-out", f"{name}.pem", "-days", "3650")

    def openssl(self, *words):
        done = subprocess.run(["openssl", *words], cwd=self.folder, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=False)
        self.assertEqual(done.returncode, 0, done.stdout)

    def start_tls(self, *options):
        self.start("--tls-port", "0", "--tls-cert", str(self.folder / "server.pem"),
                   "--tls-key", str(self.folder / "server.key"), *options)
        self.tls = self.logged_port("tls")

    def tls_exchange(self, data, own=None, context=None):
        """What is answered over TLS; raises what ssl raises."""
        if context is None:
            context = ssl.create_default_context(cafile=str(self.folder / "ca.pem"))
        if own:
            context.load_cert_chain(self.folder / f"{own}.pem", self.folder / f"{own}.key")
        with socket.create_connection(("127.0.0.1", self.tls), timeout=SECONDS) as plain, \
                context.wrap_socket(plain, server_hostname="localhost") as connection:
            self.shown = connection.getpeercert(binary_form=True)
            connection.sendall(data)
            answer = b""
            while True:
                chunk = connection.recv(1 << 16)
                if not chunk:
                    return answer
                answer += chunk

    def command(self, *words, **environment):
        done = subprocess.run([PROGRAM, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              stdin=subprocess.DEVNULL, env={**self.environment, **environment}, check=False)
        return done.returncode, done.stdout.decode() + done.stderr.decode()

    def test_tls(self):
        self.certificates()
        self.start_tls()
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = ssl.create_default_context(cafile=str(self.folder / "ca.pem"))
            context.minimum_version = context.maximum_version = version
            self.assertEqual(self.tls_exchange(b"PING\r\nQUIT\r\n", context=context), b"+PONG\r\n+OK\r\n")
        # Larger than any buffer on the way, both ways.
        value = os.urandom(3_000_000)
        self.assertEqual(self.tls_exchange(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%d\r\n%s\r\nQUIT\r\n"
                                           % (len(value), value)), b"+OK\r\n+OK\r\n")
        self.assertEqual(self.tls_exchange(b"GET k\r\nQUIT\r\n"),
                         b"$%d\r\n%s\r\n+OK\r\n" % (len(value), value))
        # The other port is as it was.
        self.assertEqual(self.exchange(self.port, b"STRLEN k\r\nQUIT\r\n"), b":3000000\r\n+OK\r\n")

    def test_what_does_not_speak_tls_is_refused(self):
        self.certificates()
        self.start_tls()
        for data in (b"*1\r\n$4\r\nPING\r\n", b"PING\r\n" * 100, b"GET / HTTP/1.1\r\n\r\n"):
            self.assertNotIn(b"PONG", self.exchange(self.tls, data))
        # Old versions, and a server that is not trusted.
        context = ssl.create_default_context(cafile=str(self.folder / "other.pem"))
        with self.assertRaises(ssl.SSLCertVerificationError):
            self.tls_exchange(b"PING\r\n", context=context)
        done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{self.tls}", "-tls1_1",
                               "-cipher", "ALL:@SECLEVEL=0"], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        self.assertNotEqual(done.returncode, 0)
        done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{self.tls}", "-CAfile", "ca.pem",
                               "-verify_return_error", "-quiet", "-ign_eof"], input=b"PING\r\nQUIT\r\n",
                              cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        self.assertEqual(done.stdout, b"+PONG\r\n+OK\r\n", done.stderr)

    def test_client_certificates(self):
        self.certificates()
        self.start_tls("--tls-only", "--tls-ca", str(self.folder / "ca.pem"))
        self.assertNotIn(" address=127", self.log.read_text())
        self.assertEqual(self.tls_exchange(b"PING\r\nQUIT\r\n", "client"), b"+PONG\r\n+OK\r\n")
        for own in (None, "forged"):
            with self.assertRaises(OSError):  # ssl.SSLError is one
                self.tls_exchange(b"PING\r\nQUIT\r\n", own)

    def test_certificates_are_read_again(self):
        self.certificates()
        self.start_tls()
        self.tls_exchange(b"QUIT\r\n")
        before = self.shown
        # Nonsense leaves the old ones in use.
        good = (self.folder / "server.pem").read_text()
        (self.folder / "server.pem").write_text("nonsense")
        self.process.send_signal(signal.SIGHUP)
        self.await_log("certificates not reloaded")
        self.tls_exchange(b"QUIT\r\n")
        self.assertEqual(self.shown, before)
        (self.folder / "server.pem").write_text(good)
        self.certificate("server", "ca")
        self.process.send_signal(signal.SIGHUP)
        self.await_log("certificates reloaded")
        self.tls_exchange(b"QUIT\r\n")
        self.assertNotEqual(self.shown, before)
        self.process.terminate()
        self.assertEqual(self.process.wait(SECONDS), 0)

    def test_the_command_line_speaks_tls(self):
        self.certificates()
        self.start_tls("--tls-ca", str(self.folder / "ca.pem"))
        url, ca = f"rediss://127.0.0.1:{self.tls}", str(self.folder / "ca.pem")
        own = ("--cert", str(self.folder / "client.pem"), "--cert-key", str(self.folder / "client.key"))
        value = "x" * 300_000
        self.assertEqual(self.command(url, "put", "k", "v", "--cacert", ca, *own), (0, ""))
        self.assertEqual(self.command("get", "k", *own, VARVE_URL=url, VARVE_CACERT=ca), (0, "v"))
        self.assertEqual(self.command("--host", "127.0.0.1", "--port", str(self.tls), "--tls", "--cacert", ca,
                                      *own, "get", "k"), (0, "v"))
        for i in range(20):
            self.exchange(self.port, b"*3\r\n$3\r\nSET\r\n$2\r\nb%d\r\n$%d\r\n%s\r\nQUIT\r\n"
                          % (i % 10, len(value), value.encode()))
        code, text = self.command(url, "dump", "--cacert", ca, *own)
        self.assertEqual((code, len(text)), (0, 10 * (3 + len(value) + 1) + len("k\tv\n")))
        # No certificate, one of others, no trust, and no TLS: no connection.
        forged = ("--cert", str(self.folder / "forged.pem"), "--cert-key", str(self.folder / "forged.key"))
        self.assertEqual(self.command(url, "get", "k", "--cacert", ca)[0], 4)
        self.assertEqual(self.command(url, "get", "k", "--cacert", ca, *forged)[0], 4)
        code, text = self.command(url, "get", "k", *own)
        self.assertEqual(code, 4)
        self.assertIn("certificate", text)
        self.assertEqual(self.command(f"redis://127.0.0.1:{self.tls}", "get", "k")[0], 4)
        # A port without TLS takes the greeting for the begin of a line, unless it has an end of one.
        self.assertIn(self.command(f"rediss://127.0.0.1:{self.port}", "get", "k", "--cacert", ca,
                                   "--timeout", "100ms")[0], (4, 7))

    def test_tls_settings_are_checked(self):
        self.certificates()
        self.assertEqual(self.check("--tls-port", "0")[0], 2)
        self.assertEqual(self.check("--tls-only")[0], 2)
        pair = ("--tls-port", "0", "--tls-cert", str(self.folder / "server.pem"))
        code, text = self.check(*pair, "--tls-key", str(self.folder / "client.key"))
        self.assertEqual(code, 2)
        self.assertIn("has not the key", text)
        good = (*pair, "--tls-key", str(self.folder / "server.key"))
        self.assertEqual(self.check(*good)[0], 0)
        # Certificates stand for passwords only where nobody can come without.
        ca = ("--tls-ca", str(self.folder / "ca.pem"), "--bind", "0.0.0.0")
        self.assertEqual(self.check(*good, *ca)[0], 2)
        self.assertEqual(self.check(*good, *ca, "--tls-only")[0], 0)

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

#!/usr/bin/env python3
"""Nodes of a cluster that speak TLS with each other: with certificates of their own, of others, with none, and with new ones.

usage: cluster_tls_test.py PROGRAM [TEST...]; exit code 77: skipped
"""
import os
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from cluster_nodes import LONG, NODE_PORT, PATIENCE, Cluster, Node, host_of  # noqa: E402

PROGRAM = str(pathlib.Path(sys.argv.pop(1)).resolve())
OK = (b"+", b"OK")
KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


class TlsCluster(Cluster):
    """Each node has NAME.pem and NAME.key in the folder, where NAME is node1 and so on, and `ca.pem`."""

    def options_of(self, number):
        own = self.folder / f"node{number}"
        return [*super().options_of(number), *LONG, "--cluster-tls-cert", f"{own}.pem",
                "--cluster-tls-key", f"{own}.key", "--cluster-tls-ca", str(self.folder / "ca.pem")]


class TlsTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="varve_cluster_")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        for ca in ("ca", "other"):
            self.authority(ca)
        for number in (1, 2, 3):
            self.certificate(f"node{number}", "ca", number)

    def openssl(self, *words):
        done = subprocess.run(["openssl", *words], cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        self.assertEqual(done.returncode, 0, done.stdout)

    def authority(self, name):
        self.openssl("req", "-x509", *KEY, "-subj", f"/CN={name}", "-addext", "keyUsage=critical,keyCertSign",
                     "-keyout", f"{name}.key", "-out", f"{name}.pem", "-days", "3650")

    def certificate(self, name, ca, number):
        (self.folder / "ext").write_text(f"subjectAltName=IP:{host_of(number)}\nbasicConstraints=CA:FALSE\n"
                                         "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\nkeyUsage=digitalSignature\n")
        self.openssl("req", *KEY, "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
        self.openssl("x509", "-req", "-in", f"{name}.csr", "-CA", f"{ca}.pem", "-CAkey", f"{ca}.key", "-CAcreateserial",
                     "-extfile", "ext", "-out", f"{name}.pem", "-days", "3650")

    def make(self):
        self.cluster = TlsCluster(PROGRAM, self.folder, 3)
        self.addCleanup(self.cluster.end)
        return list(self.cluster.nodes.values())

    def await_true(self, what):
        end = time.monotonic() + PATIENCE
        while not what():
            self.assertLess(time.monotonic(), end, "".join(node.log()[-1500:] for node in self.cluster.nodes.values()))
            time.sleep(0.05)

    def shown(self, number):
        """The certificate that a node shows at its port, taken by one of the cluster's own."""
        context = ssl.create_default_context(cafile=str(self.folder / "ca.pem"))
        context.load_cert_chain(self.folder / "node1.pem", self.folder / "node1.key")
        with socket.create_connection((host_of(number), NODE_PORT), timeout=PATIENCE) as plain, \
                context.wrap_socket(plain, server_hostname=host_of(number)) as connection:
            return connection.getpeercert(binary_form=True)

    def test_nodes_with_certificates_are_a_cluster(self):
        one, two, three = self.make()
        self.assertEqual(one.call("SET", "k", "v"), OK)
        self.assertEqual(two.call("GET", "k"), (b"$", b"v"))
        self.await_true(lambda: three.call("V.GET", "k", "R", "3") == (b"*", [(b"$", b"v")]))
        three.kill()
        self.assertEqual(one.call("SET", "k", "w"), OK)
        three.start()
        self.cluster.await_color("green")
        self.assertEqual(three.call("GET", "k"), (b"$", b"w"))

    def test_a_certificate_of_another_authority_is_refused(self):
        one, two, three = self.make()
        self.assertEqual(one.call("SET", "k", "v"), OK)
        three.kill()
        self.certificate("node3", "other", 3)
        three.start()
        self.await_true(lambda: one.info()["varve_unreachable"] == "3" and three.info()["varve_unreachable"] == "1,2")
        status = self.cluster.admin("status", code=None)
        self.assertIn("node 1 cannot reach 3", status)
        self.assertIn("node 3 cannot reach 1,2", status)
        self.assertIn("certificate", one.log())
        # The others are a cluster all the same; it is none alone.
        self.assertEqual(two.call("SET", "k", "w"), OK)
        self.assertEqual(one.call("GET", "k"), (b"$", b"w"))
        self.assertTrue(three.call("GET", "k")[1].startswith(b"NOQUORUM "))

    def test_who_speaks_without_is_refused(self):
        one, two, three = self.make()
        three.kill()
        plain = Node(PROGRAM, self.folder, 3, self.cluster.topology, [])
        self.addCleanup(plain.kill)
        self.await_true(lambda: one.info()["varve_unreachable"] == "3" and plain.info()["varve_unreachable"] == "1,2")
        self.assertTrue(plain.call("GET", "k")[1].startswith(b"NOQUORUM "))
        self.assertEqual(two.call("SET", "k", "v"), OK)
        # Bytes that are no TLS get an end, and nothing else happens.
        with socket.create_connection((host_of(1), NODE_PORT), timeout=PATIENCE) as stranger:
            stranger.sendall(b"\x40\0\0\0\1\0\0\0" + b"\0" * 72)
            answer = b""
            try:
                while chunk := stranger.recv(1 << 16):
                    answer += chunk
            except ConnectionResetError:
                pass
            self.assertNotIn(b"varvnode", answer)
        # Nor is somebody heard who has no certificate at all.
        context = ssl.create_default_context(cafile=str(self.folder / "ca.pem"))
        with socket.create_connection((host_of(1), NODE_PORT), timeout=PATIENCE) as stranger:
            with self.assertRaises(OSError):
                with context.wrap_socket(stranger, server_hostname=host_of(1)) as connection:
                    if not connection.recv(1):
                        raise OSError("ended")
        self.assertEqual(one.call("GET", "k"), (b"$", b"v"))

    def test_certificates_are_read_again(self):
        one, two, three = self.make()
        before = self.shown(2)
        self.certificate("node2", "ca", 2)
        self.assertEqual(self.shown(2), before)
        two.server.process.send_signal(signal.SIGHUP)
        self.await_true(lambda: "certificates of the node reloaded" in two.log())
        after = self.shown(2)
        self.assertNotEqual(after, before)
        # Files that are wrong change nothing.
        (self.folder / "node2.pem").write_text("no certificate")
        two.server.process.send_signal(signal.SIGHUP)
        self.await_true(lambda: "certificates of the node not reloaded" in two.log())
        self.assertEqual(self.shown(2), after)
        # Connections that begin now, by what was read again.
        one.kill()
        one.start()
        self.assertEqual(one.call("SET", "k", "v"), OK)
        self.await_true(lambda: three.call("V.GET", "k", "R", "3") == (b"*", [(b"$", b"v")]))
        self.cluster.await_color("green")


if __name__ == "__main__":
    if shutil.which("openssl") is None:
        print("skipped: openssl is absent")
        sys.exit(77)
    unittest.main(verbosity=2)

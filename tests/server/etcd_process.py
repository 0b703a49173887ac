"""Debian's etcd, as a process at a loopback address of this test."""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request

from cluster_nodes import PATIENCE, host_of

CLIENT_PORT = 22379
PEER_PORT = 22380


def is_there():
    return shutil.which("etcd") is not None


class Etcd:
    """One member with its data in a folder; it can be killed, and started again with what it has."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.url = f"http://{host_of(240)}:{CLIENT_PORT}"
        self.topology = f"etcd:{self.url}"
        self.process = None
        self.start()

    def start(self):
        peers = f"http://{host_of(240)}:{PEER_PORT}"
        with open(self.folder / "etcd.log", "ab") as log:
            self.process = subprocess.Popen(
                ["etcd", "--data-dir", str(self.folder / "etcd"), "--listen-client-urls", self.url,
                 "--advertise-client-urls", self.url, "--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers,
                 "--initial-cluster", f"default={peers}"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        end = time.monotonic() + PATIENCE
        while not self.is_healthy():
            assert self.process.poll() is None and time.monotonic() < end, (self.folder / "etcd.log").read_text()[-2000:]
            time.sleep(0.05)

    def is_healthy(self):
        try:
            with urllib.request.urlopen(f"{self.url}/health", timeout=2) as answer:
                return json.load(answer).get("health") == "true"
        except (OSError, ValueError, urllib.error.URLError):
            return False

    def member(self):
        """The number that its data have."""
        with urllib.request.urlopen(urllib.request.Request(f"{self.url}/v3/maintenance/status", data=b"{}"), timeout=30) as answer:
            return json.load(answer)["header"]["member_id"]

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED)  # the signal alone stops it a while later

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

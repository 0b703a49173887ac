"""Starts servers for tests: varve's and Debian's redis-server, each at a Unix socket in a folder of its own;
and speaks the protocol with them. Python's standard library only."""
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

# redis-tools has the server's program under this name; which name it is called by decides what it does.
REDIS_PROGRAM = "/usr/bin/redis-check-rdb"
START_SECONDS = 60


def has_redis():
    if not os.access(REDIS_PROGRAM, os.X_OK):
        return False
    done = subprocess.run(["redis-server", "--version"], executable=REDIS_PROGRAM,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    return b"v=7.0." in done.stdout


class Server:
    """A process that listens at self.path. Use as a context."""

    def __init__(self, command, path, executable=None, log=None, env=None):
        self.path = str(path)
        self.log = open(log, "ab") if log else subprocess.DEVNULL
        self.process = subprocess.Popen(command, executable=executable, stdin=subprocess.DEVNULL,
                                        stdout=self.log, stderr=self.log, env=env)
        end = time.monotonic() + START_SECONDS
        while True:
            try:
                Connection(self.path).close()
                return
            except OSError:
                if self.process.poll() is not None:
                    self.kill()
                    raise RuntimeError(f"{command[0]} ended with {self.process.returncode}") from None
                if time.monotonic() > end:
                    self.kill()
                    raise
                time.sleep(0.01)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.kill()

    def kill(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        if self.log != subprocess.DEVNULL:
            self.log.close()

    def stop(self):
        """SIGTERM; the exit code."""
        self.process.terminate()
        code = self.process.wait(timeout=START_SECONDS)
        if self.log != subprocess.DEVNULL:
            self.log.close()
        return code


def start_redis(folder, *options):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "redis.sock"
    command = ["redis-server", "--port", "0", "--unixsocket", str(path), "--dir", str(folder),
               "--save", "", "--appendonly", "no", "--enable-debug-command", "yes", *options]
    return Server(command, path, executable=REDIS_PROGRAM)


def start_varve(program, folder, *options):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "varve.sock"
    command = [str(program), "server", str(folder / "store"), "--port", "0", "--unixsocket", str(path),
               *options]
    return Server(command, path, log=folder / "log")


def encode(args):
    out = [b"*%d\r\n" % len(args)]
    for arg in args:
        out.append(b"$%d\r\n%s\r\n" % (len(arg), arg))
    return b"".join(out)


class Closed(Exception):
    pass


class Connection:
    """Replies are read as trees: (type, payload), where the payload of an aggregate is a list. Two trees are
    equal exactly when their bytes are."""

    def __init__(self, path, timeout=60):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout)
        try:
            self.socket.connect(path)
        except OSError:
            self.socket.close()
            raise
        self.buffer = b""
        self.at = 0

    def close(self):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def _fill(self):
        try:
            chunk = self.socket.recv(1 << 16)
        except ConnectionResetError:
            raise Closed() from None
        if not chunk:
            raise Closed()
        self.buffer = self.buffer[self.at:] + chunk
        self.at = 0

    def _receive(self, size):
        whole = memoryview(bytearray(size))
        at = 0
        while at < size:
            try:
                count = self.socket.recv_into(whole[at:])
            except ConnectionResetError:
                raise Closed() from None
            if count == 0:
                raise Closed()
            at += count
        return bytes(whole)

    def _line(self):
        while True:
            end = self.buffer.find(b"\r\n", self.at)
            if end >= 0:
                line = self.buffer[self.at:end]
                self.at = end + 2
                return line
            self._fill()

    def _bytes(self, size):
        if size > 1 << 20:  # in one piece: appending would copy it for each chunk
            self.buffer, self.at = self.buffer[self.at:], 0
            missing = size + 2 - len(self.buffer)
            if missing > 0:
                self.buffer += self._receive(missing)
        while len(self.buffer) - self.at < size + 2:
            self._fill()
        data = self.buffer[self.at:self.at + size]
        assert self.buffer[self.at + size:self.at + size + 2] == b"\r\n"
        self.at += size + 2
        return data

    def read(self):
        line = self._line()
        kind, rest = line[:1], line[1:]
        if kind in (b"$", b"=", b"!"):
            return (kind, None if rest == b"-1" else self._bytes(int(rest)))
        if kind in (b"*", b"~", b">", b"%"):
            if rest == b"-1":
                return (kind, None)
            count = int(rest) * (2 if kind == b"%" else 1)
            return (kind, [self.read() for _ in range(count)])
        return (kind, rest)

    def call(self, *args):
        self.send(encode([arg if isinstance(arg, bytes) else str(arg).encode() for arg in args]))
        return self.read()


def remove(folder):
    shutil.rmtree(folder, ignore_errors=True)

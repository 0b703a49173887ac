"""Clients of a cluster whose requests and replies are recorded, for cluster_history_check.cc to judge."""
import random
import subprocess
import threading

import redis_pair

SILENCE = 90  # seconds; a server answers within its --cluster-timeout, unless it stands still


class History:
    """The file of cluster_history_check. Thread-safe; begins are written before requests go, ends after replies came."""

    def __init__(self, path):
        self.path = path
        self.file = open(path, "w", encoding="ascii")
        self.lock = threading.Lock()
        self.count = 0
        self.outcomes = {}

    def begin(self, kind, key, value="-", level="quorum", context="-"):
        with self.lock:
            self.count += 1
            self.file.write(f"begin {self.count} {kind} {key} {value} {level} {context}\n")
            return self.count

    def end(self, number, outcome, context="-", values=()):
        with self.lock:
            self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1
            # Without a reply nobody knows what became of it.
            outcome = "unknown" if outcome == "closed" else outcome
            self.file.write(" ".join(["end", str(number), outcome, context or "-", *values]) + "\n")

    def check(self, program, topology=None, stores=()):
        """The verdict, as a line that begins with "ok" or tells the invariant."""
        self.file.flush()
        command = [program, str(self.path)]
        if topology:
            command += ["--topology", topology]
        for number, store in stores:
            command += ["--store", f"{number}={store}"]
        done = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=300)
        return done.stdout

    def close(self):
        self.file.close()


class Client(threading.Thread):
    """Asks nodes for random things until it is told to stop. `paths`: their Unix sockets. `levels`: of a request's own, those
    among them that need all copies unless `all_copies` is False."""

    def __init__(self, number, history, paths, seed, keys=4, levels=True, all_copies=True):
        super().__init__(daemon=True)
        self.number = number
        self.history = history
        self.paths = paths
        self.random = random.Random(seed * 1000 + number)
        self.keys = keys
        self.levels = levels
        self.all_copies = all_copies
        self.contexts = {}
        self.values = 0
        self.connection = None
        self.is_stopping = threading.Event()
        self.lets_go = threading.Event()
        self.trouble = None

    def run(self):
        try:
            while not self.is_stopping.is_set():
                if self.connect():
                    self.step()
                    self.is_stopping.wait(self.random.random() * 0.004)
        except BaseException as trouble:  # told by stop()
            self.trouble = trouble
        finally:
            if self.connection:
                self.connection.close()

    def stop(self):
        self.is_stopping.set()
        self.join(2 * SILENCE)
        assert not self.is_alive(), "a client hangs"
        if self.trouble:
            raise self.trouble

    def connect(self):
        if self.connection and (self.random.random() < 0.02 or self.lets_go.is_set()):
            self.connection.close()
            self.connection = None
        self.lets_go.clear()
        if self.connection:
            return True
        try:
            self.connection = redis_pair.Connection(self.random.choice(self.paths), timeout=SILENCE)
            return True
        except OSError:
            self.is_stopping.wait(0.02)
            return False

    def ask(self, *args):
        """The reply; None when the connection has ended before it came."""
        try:
            return self.connection.call(*args)
        except (OSError, redis_pair.Closed):
            self.connection.close()
            self.connection = None
            return None

    def choose(self, levels):
        return self.random.choice([level for level in levels if self.all_copies or level[0] != "all"])

    def new_value(self):
        self.values += 1
        return f"c{self.number}v{self.values}"

    def step(self):
        dice = self.random.random()
        if dice < 0.3:
            return self.plain(f"p{self.random.randrange(self.keys)}")
        key = f"k{self.random.randrange(self.keys)}"
        return self.read(key) if dice < 0.65 else self.write(key)

    @staticmethod
    def failure(reply):
        """The outcome of a reply that is no value, else None."""
        if reply is None:
            return "closed"
        kind, text = reply
        if kind != b"-":
            return None
        word = text.split()[0]
        if word not in (b"NOQUORUM", b"UNKNOWN"):
            raise AssertionError(f"a cluster does not answer so: {text}")
        return "failed" if word == b"NOQUORUM" else "unknown"

    def read(self, key):
        level, words = "quorum", []
        if self.levels:
            level, words = self.choose((("quorum", []), ("linear", ["LINEAR"]), ("linear", ["LINEAR"]),
                                        ("one", ["R", "1"]), ("all", ["R", "3"])))
        number = self.history.begin("get", key, level=level)
        reply = self.ask("V.GET", key, *words, "CTX")
        failure = self.failure(reply)
        if failure:
            return self.history.end(number, failure)
        (_, context), (_, values) = reply[1]
        self.contexts[key] = context.decode()
        return self.history.end(number, "ok", context.decode(), [value.decode() for _, value in values])

    def write(self, key):
        # Without a context now and then: siblings.
        context = self.contexts.get(key) if self.random.random() < 0.85 else None
        is_put = self.random.random() < 0.8
        level, words, prefix = "quorum", [], ""
        if self.levels:
            level, words, prefix = self.choose((
                ("quorum", [], ""), ("quorum", [], ""), ("linear", ["LINEAR"], ""), ("all", ["W", "3"], ""),
                ("quorum", ["SLOPPY"], "sloppy-")))
        value = self.new_value() if is_put else "-"
        number = self.history.begin(prefix + ("put" if is_put else "delete"), key, value, level, context or "-")
        args = ["V.PUT", key, value] if is_put else ["V.DEL", key]
        reply = self.ask(*args, *(["CTX", context] if context else []), *words)
        failure = self.failure(reply)
        if failure:
            return self.history.end(number, failure)
        self.contexts[key] = reply[1].decode()
        return self.history.end(number, "ok", reply[1].decode())

    def plain(self, key):
        kind = self.random.choice(("GET", "GET", "SET", "SET", "DEL"))
        value = self.new_value() if kind == "SET" else "-"
        number = self.history.begin(kind, key, value)
        reply = self.ask(kind, key, *([value] if kind == "SET" else []))
        if reply and reply[1] is not None and reply[1][:9] == b"CONFLICT ":
            return self.history.end(number, "ok", "-", ["?", "?"])
        failure = self.failure(reply)
        if failure:
            return self.history.end(number, failure)
        if kind == "SET":
            return self.history.end(number, "ok")
        return self.history.end(number, "ok", "-", [] if reply[1] is None else [reply[1].decode()])

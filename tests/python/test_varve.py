"""The Python binding against the built library."""
import datetime
import gc
import os
import random
import subprocess
import sys
import threading
import time

import pytest

import varve


@pytest.fixture(name="db")
def open_store(tmp_path):
    with varve.open(tmp_path / "db", memory_budget_bytes=16 << 20) as db:
        yield db


# --- The mapping.


def test_a_store_is_a_mapping(db):
    db[b"b"] = b"2"
    db[b"a"] = b"1"
    db[bytearray(b"c\0\xff")] = memoryview(b"")
    assert db[b"a"] == b"1"
    assert db[b"c\0\xff"] == b""
    assert b"a" in db and b"x" not in db
    assert list(db) == [b"a", b"b", b"c\0\xff"]
    assert list(reversed(db)) == [b"c\0\xff", b"b", b"a"]
    assert list(db.items()) == [(b"a", b"1"), (b"b", b"2"), (b"c\0\xff", b"")]
    assert list(db.values(reverse=True)) == [b"", b"2", b"1"]
    assert db.get(b"x") is None and db.get(b"x", b"d") == b"d" and db.get(b"a", b"d") == b"1"
    del db[b"a"]
    with pytest.raises(KeyError):
        del db[b"a"]
    db.delete(b"a")
    assert db.pop(b"b") == b"2" and db.pop(b"b", None) is None
    with pytest.raises(varve.NotFound, match="b'b'"):
        db.pop(b"b")
    with pytest.raises(TypeError):
        len(db)
    db.update({b"u": b"1"})
    db.update([(b"v", b"2")])
    assert db.multi_get([b"u", b"absent", b"v", b"c\0\xff"]) == [b"1", None, b"2", b""]
    assert db.multi_get([]) == []


def test_the_empty_key_and_the_empty_value(db):
    db[b""] = b""
    assert b"" in db and db[b""] == b""
    assert list(db.items()) == [(b"", b"")]
    assert db.get_and_set(b"", b"") == b""


def test_ranges_and_prefixes(db):
    keys = [b"a", b"ab", b"b", b"b\xff", b"b\xff\xff", b"c", b"\xff\xff", b"\xff\xff\xff"]
    db.update((key, key.upper()) for key in keys)
    assert list(db[b"ab":b"c"]) == [(key, key.upper()) for key in keys[1:5]]
    assert list(reversed(db[b"ab":b"c"])) == [(key, key.upper()) for key in keys[4:0:-1]]
    assert [key for key, _ in db[:b"b"]] == [b"a", b"ab"]
    assert [key for key, _ in db[b"c":]] == keys[5:]
    assert list(db.keys(prefix=b"b")) == keys[2:5]
    assert list(db.keys(prefix=b"b", start=b"b\0")) == keys[3:5]
    assert list(db.keys(start=b"b", stop=b"a")) == []
    assert list(db.keys(stop=b"")) == []
    # A range can be used again, and then shows what has become of it.
    some = db.keys(prefix=b"a")
    assert list(some) == [b"a", b"ab"]
    del db[b"a":b"ab"]
    assert list(some) == [b"ab"]
    db.delete_prefix(b"b\xff")
    assert list(db) == [b"ab", b"b", b"c", b"\xff\xff", b"\xff\xff\xff"]
    db.delete_prefix(b"\xff\xff\xff")
    db[b"\xff" * 65535] = b"last"
    del db[b"\xff\xff":]
    assert list(db) == [b"ab", b"b", b"c"]
    del db[:b"b"]
    del db[b"c":]
    assert list(db) == [b"b"]
    del db[:]
    assert not list(db)
    for wrong in (lambda: db[b"a":b"b":2], lambda: db.__delitem__(slice(b"a", b"b", 1))):
        with pytest.raises(TypeError, match="step"):
            wrong()


def test_an_iteration_sees_one_state(db):
    db.update((b"%03d" % i, b"v") for i in range(100))
    seen = []
    for key in db:
        seen.append(key)
        db[key + b"x"] = b"v"
        db.delete(b"%03d" % (len(seen) + 5))
    assert seen == [b"%03d" % i for i in range(100)]


def test_what_is_not_bytes_is_refused(db):
    for wrong in ("text", 5, None, ["x"]):
        with pytest.raises(TypeError):
            db[wrong] = b"v"
        with pytest.raises(TypeError):
            db[b"k"] = wrong
        with pytest.raises(TypeError):
            wrong in db
    with pytest.raises(TypeError, match="encode"):
        db.get("text")
    assert not list(db)


def test_against_a_dict(tmp_path):
    seed = int(os.environ.get("VARVE_TEST_SEED", "1"))
    print("VARVE_TEST_SEED", seed)
    rng = random.Random(seed)
    model = {}
    db = varve.open(tmp_path / "db", memory_budget_bytes=1 << 20)
    for step in range(3000):
        key = bytes(rng.choices(b"ab\0\xff", k=rng.randrange(4)))
        value = bytes(rng.choices(range(256), k=rng.choice((0, 3, 50, 5000))))
        choice = rng.randrange(8)
        if choice < 3:
            db[key] = model[key] = value
        elif choice == 3:
            assert db.pop(key, None) == model.pop(key, None)
        elif choice == 4:
            stop = bytes(rng.choices(b"ab\0\xff", k=2))
            del db[key:stop]
            model = {k: v for k, v in model.items() if not key <= k < stop}
        elif choice == 5:
            assert db.get(key) == model.get(key)
        elif choice == 6:
            expected = sorted((k, v) for k, v in model.items() if k.startswith(key))
            assert list(db.items(prefix=key)) == expected
            assert list(db.items(prefix=key, reverse=True)) == expected[::-1]
        elif step % 50 == 0:
            db.close()
            db = varve.open(tmp_path / "db", memory_budget_bytes=1 << 20)
    assert list(db.items()) == sorted(model.items())
    db.close()


# --- Errors.


def test_errors_have_their_classes(tmp_path, db):
    with pytest.raises(varve.NotFound) as caught:
        db[b"absent"]
    assert caught.value.code == 1 and "absent" in str(caught.value)
    assert isinstance(caught.value, (KeyError, varve.Error))
    with pytest.raises(varve.InvalidArgument, match="70000"):
        db[b"k" * 70000] = b"v"
    with pytest.raises(ValueError):
        db.get_and_set(b"k" * 70000, b"v")
    with pytest.raises(varve.Busy):
        varve.open(tmp_path / "db")
    with pytest.raises(varve.NotFound):
        varve.open(tmp_path / "absent", create=False)
    with pytest.raises(ValueError):
        varve.open("a\0b")
    db[b"text"] = b"x"
    with pytest.raises(varve.InvalidArgument):
        db.increment(b"text")
    with pytest.raises(OverflowError):
        db.increment(b"n", 2**63)
    for name in varve.__all__:
        error = getattr(varve, name)
        if isinstance(error, type) and issubclass(error, Exception) and error is not varve.LibraryNotFound:
            assert issubclass(error, varve.Error)


def test_a_damaged_store_is_corruption(tmp_path):
    with varve.open(tmp_path / "db") as db:
        db.update((b"%05d" % i, b"v" * 100) for i in range(1000))
        db.flush()
        assert db.verify() == []
    (tmp_path / "db" / "CURRENT").write_bytes(b"nonsense")
    with pytest.raises(varve.Corruption):
        varve.open(tmp_path / "db")


def test_what_is_closed_says_so(tmp_path):
    db = varve.open(tmp_path / "db")
    db[b"k"] = b"v"
    users = db.namespace("users")
    users[b"u"] = b"v"
    snapshot, transaction = db.snapshot(), db.transaction()
    transaction[b"never"] = b"v"
    iterator, other = iter(db), iter(transaction)
    assert next(iterator) == b"k" and next(other) == b"k"
    db.close()
    db.close()
    for call in (lambda: db[b"k"], lambda: db.put(b"k", b"v"), lambda: list(db), db.flush, db.snapshot,
                 lambda: users[b"u"], lambda: snapshot[b"k"], lambda: transaction[b"k"], transaction.commit,
                 lambda: next(iterator), lambda: next(other), db.transaction, lambda: db.namespace("n"),
                 lambda: db.update({b"k": b"v"}), lambda: db.transact(lambda t: None)):
        with pytest.raises(varve.Closed):
            call()
    snapshot.close()
    with varve.open(tmp_path / "db") as again:
        assert list(again) == [b"k"]


def test_garbage_in_any_order_is_freed(tmp_path):
    # Iterators, snapshots and transactions that nobody ends, in cycles with their store.
    for i in range(20):
        db = varve.open(tmp_path / "db")
        db[b"%d" % i] = b"v"
        cycle = [db, iter(db.keys()), db.snapshot(), db.transaction()]
        cycle.append(cycle)
        next(cycle[1])
        cycle.append(iter(cycle[2]))
        del db, cycle
        gc.collect()
    with varve.open(tmp_path / "db") as db:
        assert len(list(db)) == 20
    # An iterator keeps its store, which nobody else refers to, until it ends.
    iterator = iter(varve.open(tmp_path / "db").keys())
    gc.collect()
    assert len(list(iterator)) == 20


def test_an_open_store_is_closed_with_the_interpreter(tmp_path):
    # What was registered first runs last: it finds the store closed.
    program = ("import atexit, sys\n"
               "atexit.register(lambda: print(db._store.is_open))\n"
               "import varve\n"
               "db = varve.open(sys.argv[1], durability=varve.Durability.NONE)\n"
               "db[b'k'] = b'v'\n"
               "it = iter(db); next(it); s = db.snapshot(); t = db.transaction()\n")
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path / "db")], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=True)
    assert (done.stdout, done.stderr) == (b"False\n", b"")
    with varve.open(tmp_path / "db") as db:
        assert db[b"k"] == b"v"


# --- Conditional writes, time to live.


def test_conditional_writes(db):
    assert db.put_if_absent(b"k", b"1")
    assert not db.put_if_absent(b"k", b"2")
    assert db.compare_and_set(b"k", b"1", b"")
    assert not db.compare_and_set(b"k", None, b"x")
    assert db.compare_and_set(b"k", b"", None)
    assert db.compare_and_set(b"k", None, b"new")
    assert db.get_and_set(b"k", None) == b"new"
    assert db.get_and_set(b"k", b"v") is None
    assert db.increment(b"n") == 1 and db.increment(b"n", -5) == -4
    assert db.append(b"k", b"alue") == 5 and db[b"k"] == b"value"


def test_time_to_live(db):
    db.put(b"k", b"v", ttl=3600)
    assert 3500 < db.ttl(b"k") <= 3600
    db.put(b"k", b"v", ttl=datetime.timedelta(days=1), durability=varve.Durability.SYNC)
    assert db.ttl(b"k") > 86000
    db.persist(b"k")
    assert db.ttl(b"k") is None
    db.expire(b"k", 7200.5)
    assert db.ttl(b"k") > 7000
    db.expire_at(b"k", time.time() + 50_000)
    assert db.ttl(b"k") > 40_000
    db.expire_at(b"k", datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=3))
    assert 10_000 < db.ttl(b"k") < 11_000
    db[b"k"] = b"stays"
    assert db.ttl(b"k") is None
    db.expire(b"k", float("inf"))
    assert b"k" in db
    for over in (dict(ttl=0), dict(ttl=-5), dict(expire_at=0), dict(ttl=float("-inf"))):
        db[b"k"] = b"v"
        db.put(b"k", b"v", **over)
        assert b"k" not in db
    for call in (lambda: db.ttl(b"k"), lambda: db.persist(b"k"), lambda: db.expire(b"k", 5)):
        with pytest.raises(varve.NotFound, match="b'k'"):
            call()
    with pytest.raises(ValueError):
        db.put(b"k", b"v", ttl=float("nan"))


# --- Batches, snapshots, namespaces.


def test_batches_are_whole_or_not_at_all(db):
    users = db.namespace("users")
    db[b"old"] = b"v"
    with db.batch() as batch:
        batch[b"a"] = b"1"
        batch.put(b"b", b"2", ttl=3600)
        batch.put(b"u", b"3", namespace=users)
        del batch[b"o":b"p"]
        del batch[b"absent"]
        assert len(batch) == 5
        assert list(db) == [b"old"]
    assert list(db) == [b"a", b"b"] and users[b"u"] == b"3" and db.ttl(b"b") > 0
    with pytest.raises(RuntimeError):
        with db.batch() as batch:
            batch[b"never"] = b"v"
            raise RuntimeError
    assert b"never" not in db
    with pytest.raises(varve.Closed):
        batch.write()
    batch = db.batch(varve.Durability.SYNC)
    batch[b"c"] = b"v"
    batch.write()
    assert len(batch) == 0 and b"c" in db


def test_snapshots_show_one_state(db):
    users = db.namespace("users")
    db[b"k"] = users[b"u"] = b"old"
    with db.snapshot() as snapshot:
        db[b"k"] = users[b"u"] = b"new"
        db[b"l"] = b"v"
        assert snapshot[b"k"] == b"old" and list(snapshot) == [b"k"] and b"l" not in snapshot
        assert list(snapshot.of(users).items()) == [(b"u", b"old")]
        assert snapshot.sequence > 0
    with pytest.raises(varve.Closed):
        snapshot[b"k"]


def test_namespaces(db):
    users = db.namespace("users", default_ttl=3600, durability=varve.Durability.SYNC,
                         compression=varve.Compression.LZ4)
    users[b"k"] = b"in users"
    assert b"k" not in db and users.ttl(b"k") > 0 and users.name == b"users"
    db.namespace(b"\xff\0")
    assert db.namespaces() == [b"users", b"\xff\0"]
    with pytest.raises(varve.NotFound):
        db.namespace("absent", create=False)
    users.clear()
    assert not list(users)
    db.drop_namespace("users")
    for call in (lambda: users[b"k"], lambda: users.get(b"k"), lambda: users.put(b"k", b"v"),
                 lambda: users.ttl(b"k"), lambda: list(users)):
        with pytest.raises(varve.NotFound, match="was dropped"):
            call()


# --- Transactions.


def test_a_transaction_is_whole_or_not_at_all(db):
    users = db.namespace("users")
    db.update({b"from": b"5", b"x1": b"v", b"x2": b"v"})
    with db.transaction() as t:
        t[b"from"] = b"4"
        t.of(users)[b"to"] = b"1"
        del t[b"x1"]
        del t[b"x2":b"x3"]
        assert t[b"from"] == b"4" and list(t) == [b"from"] and list(t.of(users)) == [b"to"]
        assert db[b"from"] == b"5"
        with pytest.raises(KeyError):
            del t[b"x1"]
    assert db[b"from"] == b"4" and users[b"to"] == b"1" and list(db) == [b"from"]
    with pytest.raises(RuntimeError):
        with db.transaction() as t:
            t[b"from"] = b"0"
            raise RuntimeError
    assert db[b"from"] == b"4"
    with pytest.raises(varve.Closed):
        t[b"from"]


def test_savepoints(db):
    with db.transaction() as t:
        t[b"a"] = b"1"
        with pytest.raises(RuntimeError):
            with t.savepoint():
                t[b"b"] = b"2"
                with t.savepoint():
                    t[b"c"] = b"3"
                raise RuntimeError
        with t.savepoint():
            t[b"d"] = b"4"
    assert list(db) == [b"a", b"d"]


def test_a_change_meanwhile_is_a_conflict(db):
    db[b"k"] = b"1"
    with pytest.raises(varve.Conflict):
        with db.transaction() as t:
            t[b"other"] = t[b"k"]
            db[b"k"] = b"2"
    assert b"other" not in db
    with db.transaction(serializable=False) as t:
        t[b"other"] = t[b"k"]
        db[b"k"] = b"3"
    assert db[b"other"] == b"2"
    with pytest.raises(varve.InvalidArgument):
        with db.transaction(read_only=True) as t:
            t[b"k"] = b"v"


def test_transact_tries_again(db):
    db[b"k"] = b"1"
    runs = []

    def double(t):
        runs.append(t[b"k"])
        if len(runs) == 1:
            db[b"k"] = b"5"
        t[b"k"] = b"%d" % (2 * int(t[b"k"]))
        return t[b"k"]

    assert db.transact(double) == b"10"
    assert runs == [b"1", b"5"] and db[b"k"] == b"10"
    runs.clear()
    with pytest.raises(varve.Conflict):
        db.transact(double, max_attempts=1)


def test_transact_passes_on_what_is_raised(db):
    kept = []

    def fails(t):
        t[b"k"] = b"v"
        kept.extend((t, iter(t)))
        next(kept[1])
        raise ZeroDivisionError("on purpose")

    with pytest.raises(ZeroDivisionError, match="on purpose"):
        db.transact(fails)
    assert b"k" not in db
    # Its transaction and iterators are over.
    with pytest.raises(varve.Closed):
        kept[0][b"k"]
    with pytest.raises(varve.Closed):
        next(kept[1])
    with pytest.raises(TypeError):
        db.transact(lambda t: t.commit())
    with pytest.raises(varve.NotFound):
        db.transact(lambda t: t[b"absent"])


def test_threads_lose_no_update(db):
    def add(t):
        t[b"n"] = b"%d" % (int(t.get(b"n", b"0")) + 1)

    def work():
        for _ in range(50):
            db.transact(add)
            db.increment(b"m")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert db[b"n"] == b"200" and db[b"m"] == b"200"


# --- Maintenance.


def test_maintenance(tmp_path):
    with varve.open(tmp_path / "db") as db:
        db.update((b"%05d" % i, b"v" * 1000) for i in range(100))
        db.flush()
        db.compact()
        db.sync()
        assert db.verify() == []
        assert db.property("varve.stats")
        with pytest.raises(varve.NotFound):
            db.property("no.such")
    with varve.open(tmp_path / "db", read_only=True) as db:
        assert len(list(db)) == 100
        with pytest.raises(varve.Error):
            db[b"k"] = b"v"
    assert varve.__version__

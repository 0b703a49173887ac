"""Stores and namespaces."""
from __future__ import annotations

import atexit
import ctypes
import os
import weakref
from ctypes import byref, c_char_p, c_int, c_int64, c_size_t, c_uint64, c_void_p
from typing import Any, Callable, Iterable, Mapping, Optional, Sequence, Tuple, TypeVar, Union

from . import _library, _transaction
from ._batch import Batch
from ._errors import NotFound
from ._handles import Handle, Owner, new_pointer
from ._library import NOT_FOUND, NamespaceVisitor, check, is_absent, lib, take, take_text
from ._mapping import Reads, iterator_options
from ._options import (Bytes, Compression, Durability, Moment, Seconds, after_prefix, to_bytes,
                       to_epoch_millis, to_millis, to_name, write_options)
from ._snapshot import Snapshot, get_at
from ._transaction import Transaction

T = TypeVar("T")
_MISSING: Any = object()

# Those that are still open when the interpreter ends are closed while it is whole.
_open_stores: weakref.WeakSet[Db] = weakref.WeakSet()


@atexit.register
def _close_stores() -> None:
    for db in list(_open_stores):
        db.close()


class Namespace(Reads):
    """A keyspace of its own in a store, as a mapping. Thread-safe."""

    def __init__(self, db: Db, handle: Handle, name: bytes) -> None:
        self._db = db
        self._handle = handle
        self.name = name

    @property
    def _pointer(self) -> Any:
        return self._handle.pointer

    def _get(self, key: bytes) -> Optional[bytes]:
        return get_at(self._pointer, key, None)

    def _open_iterator(self, prefix: bytes, start: Optional[bytes], stop: Optional[bytes]) -> Handle:
        options = iterator_options(prefix, start, stop, None)
        return self._db._owner.adopt(
            new_pointer(lib.iterator_new, self._pointer, byref(options)), lib.iterator_free, "iterator")

    def multi_get(self, keys: Iterable[Bytes]) -> list[Optional[bytes]]:
        """The value of each key, None where there is none, all as of one moment."""
        wanted = [to_bytes(key) for key in keys]
        count = len(wanted)
        pointers = (c_char_p * count)(*wanted)
        sizes = (c_size_t * count)(*map(len, wanted))
        values, value_sizes, codes = (c_void_p * count)(), (c_size_t * count)(), (c_int * count)()
        check(lib.multi_get(self._pointer, count, pointers, sizes, None, values, value_sizes, codes))
        try:
            for code in codes:
                if code != NOT_FOUND:
                    check(code)
            return [ctypes.string_at(value, size) if code == 0 else None
                    for value, size, code in zip(values, value_sizes, codes)]
        finally:
            for value in values:
                lib.free(value)

    # --- Writes. `ttl` is in seconds or a timedelta, `expire_at` seconds since 1970 or a datetime.

    def put(self, key: Bytes, value: Bytes, *, ttl: Optional[Seconds] = None,
            expire_at: Optional[Moment] = None, durability: Optional[Durability] = None) -> None:
        key, value = to_bytes(key), to_bytes(value)
        check(lib.put(self._pointer, key, len(key), value, len(value),
                      write_options(durability, ttl, expire_at)))

    def delete(self, key: Bytes, *, durability: Optional[Durability] = None) -> None:
        """An absent key is no error."""
        key = to_bytes(key)
        check(lib.delete(self._pointer, key, len(key), write_options(durability)))

    def delete_range(self, start: Bytes, stop: Optional[Bytes], *,
                     durability: Optional[Durability] = None) -> None:
        """All keys from `start` on and before `stop`, None: to the end, in constant time."""
        start = to_bytes(start)
        if stop is not None:
            stop = to_bytes(stop)
            check(lib.delete_range(self._pointer, start, len(start), stop, len(stop),
                                   write_options(durability)))
            return
        # The last key that there can be is not before any other.
        last = b"\xff" * self._db._max_key_bytes
        with Batch(self._db, self, durability) as batch:
            batch.delete_range(start, last)
            batch.delete(last)

    def delete_prefix(self, prefix: Bytes, *, durability: Optional[Durability] = None) -> None:
        """All keys that begin with `prefix`, in constant time."""
        prefix = to_bytes(prefix)
        self.delete_range(prefix, after_prefix(prefix), durability=durability)

    def clear(self, *, durability: Optional[Durability] = None) -> None:
        """All keys, in constant time."""
        check(lib.clear(self._pointer, write_options(durability)))

    def __setitem__(self, key: Bytes, value: Bytes) -> None:
        self.put(key, value)

    def __delitem__(self, key: Union[Bytes, slice]) -> None:
        """NotFound when there is none; delete() does not mind. Of a slice: all keys in it."""
        if isinstance(key, slice):
            if key.step is not None:
                raise TypeError("a slice of keys has no step")
            self.delete_range(b"" if key.start is None else key.start, key.stop)
        elif self.get_and_set(key, None) is None:
            raise NotFound(f"key not found: {to_bytes(key)!r}")

    def update(self, items: Union[Mapping[bytes, bytes], Iterable[Tuple[bytes, bytes]]]) -> None:
        """Puts all of them, as one step."""
        with Batch(self._db, self, None) as batch:
            for key, value in items.items() if isinstance(items, Mapping) else items:
                batch.put(key, value)

    def pop(self, key: Bytes, default: Any = _MISSING) -> Any:
        """Deletes the key and returns its value, in one step."""
        value = self.get_and_set(key, None)
        if value is not None:
            return value
        if default is _MISSING:
            raise NotFound(f"key not found: {to_bytes(key)!r}")
        return default

    # --- Conditional writes and counters: each one atomic step.

    def compare_and_set(self, key: Bytes, expected: Optional[Bytes], desired: Optional[Bytes], *,
                        ttl: Optional[Seconds] = None, expire_at: Optional[Moment] = None,
                        durability: Optional[Durability] = None) -> bool:
        """Sets the key to `desired` if it is `expected`; None is an absent key. Whether it was."""
        key = to_bytes(key)
        old = None if expected is None else to_bytes(expected)
        new = None if desired is None else to_bytes(desired)
        return _unless_conflict(lib.compare_and_set(
            self._pointer, key, len(key), old, len(old or b""), new, len(new or b""),
            write_options(durability, ttl, expire_at)))

    def put_if_absent(self, key: Bytes, value: Bytes, *, ttl: Optional[Seconds] = None,
                      expire_at: Optional[Moment] = None, durability: Optional[Durability] = None) -> bool:
        """Whether it was absent, and has been put."""
        key, value = to_bytes(key), to_bytes(value)
        return _unless_conflict(lib.put_if_absent(self._pointer, key, len(key), value, len(value),
                                                  write_options(durability, ttl, expire_at)))

    def increment(self, key: Bytes, delta: int = 1, *, ttl: Optional[Seconds] = None,
                  expire_at: Optional[Moment] = None, durability: Optional[Durability] = None) -> int:
        """Adds to a number of 64 bits, kept as decimal text; an absent one is 0. Returns the sum."""
        if not -2**63 <= delta < 2**63:
            raise OverflowError("the delta does not fit 64 bits")
        key, total = to_bytes(key), c_int64()
        check(lib.increment(self._pointer, key, len(key), delta,
                            write_options(durability, ttl, expire_at), byref(total)))
        return total.value

    def append(self, key: Bytes, suffix: Bytes, *, ttl: Optional[Seconds] = None,
               expire_at: Optional[Moment] = None, durability: Optional[Durability] = None) -> int:
        """Puts `suffix` behind the value. Returns the size of the whole."""
        key, suffix, size = to_bytes(key), to_bytes(suffix), c_uint64()
        check(lib.append(self._pointer, key, len(key), suffix, len(suffix),
                         write_options(durability, ttl, expire_at), byref(size)))
        return size.value

    def get_and_set(self, key: Bytes, desired: Optional[Bytes], *, ttl: Optional[Seconds] = None,
                    expire_at: Optional[Moment] = None,
                    durability: Optional[Durability] = None) -> Optional[bytes]:
        """Sets the key, None: deletes it. Returns what it was."""
        key, new = to_bytes(key), None if desired is None else to_bytes(desired)
        value, size = c_void_p(), c_size_t()
        check(lib.get_and_set(self._pointer, key, len(key), new, len(new or b""),
                              write_options(durability, ttl, expire_at), byref(value), byref(size)))
        return None if value.value is None else take(value, size)

    # --- Time to live. NotFound when the key is absent.

    def expire(self, key: Bytes, ttl: Seconds) -> None:
        """The key is gone after `ttl`; at once when that is not positive."""
        key = to_bytes(key)
        _on_key(key, lib.expire(self._pointer, key, len(key), to_millis(ttl), None))

    def expire_at(self, key: Bytes, when: Moment) -> None:
        key = to_bytes(key)
        _on_key(key, lib.expire_at(self._pointer, key, len(key), to_epoch_millis(when), None))

    def persist(self, key: Bytes) -> None:
        """Makes the key stay."""
        key = to_bytes(key)
        _on_key(key, lib.persist(self._pointer, key, len(key), None))

    def ttl(self, key: Bytes) -> Optional[float]:
        """What is left, in seconds; None: it does not expire."""
        key, millis = to_bytes(key), c_int64()
        _on_key(key, lib.time_to_live(self._pointer, key, len(key), None, byref(millis)))
        return None if millis.value < 0 else millis.value / 1000


def _unless_conflict(code: int) -> bool:
    if code == 7:  # VARVE_CONFLICT
        return False
    check(code)
    return True


def _on_key(key: bytes, code: int) -> None:
    if is_absent(code):
        raise NotFound(f"key not found: {key!r}")


class Db(Namespace):
    """A store; as a mapping, its default namespace. Made by varve.open. Thread-safe, but close() is for when no
    other call is running. As a context manager it is closed at the end of the block."""

    def __init__(self, pointer: Any, max_key_bytes: int) -> None:
        owner = self._owner = Owner()

        def close(pointer: Any) -> None:
            # What stands on the store goes first.
            owner.close_all()
            lib.close(pointer)

        self._store = Handle(pointer, close, "store")
        self._max_key_bytes = max_key_bytes
        # The default namespace belongs to the store.
        default = owner.adopt(lib.default_namespace(pointer), lambda _: None, "store")
        super().__init__(self, default, b"")
        _open_stores.add(self)

    @property
    def _store_pointer(self) -> Any:
        return self._store.pointer

    def close(self) -> None:
        """All writes survive the process. Snapshots, transactions and iterators end. Twice is no error."""
        self._store.close()

    def __enter__(self) -> Db:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    # --- Several operations as one.

    def batch(self, durability: Optional[Durability] = None) -> Batch:
        return Batch(self, None, durability)

    def snapshot(self) -> Snapshot:
        return Snapshot(self, self)

    def transaction(self, *, serializable: bool = True, read_only: bool = False,
                    durability: Optional[Durability] = None) -> Transaction:
        """For `with`: commits at the end of the block, rolls back when it raises. Conflict when somebody else
        was faster; transact tries again by itself."""
        return _transaction.begin(
            self, _transaction.transaction_options(serializable, read_only, durability))

    def transact(self, function: Callable[[Transaction], T], *, serializable: bool = True,
                 read_only: bool = False, durability: Optional[Durability] = None,
                 max_attempts: int = 100) -> T:
        """Calls `function` with a transaction and commits; again after a conflict, so that it should have no
        other effects. Returns what it returns. What it raises rolls back and passes through."""
        return _transaction.transact(self, function, _transaction.transaction_options(
            serializable, read_only, durability, max_attempts))

    # --- Namespaces.

    def namespace(self, name: Union[str, Bytes], *, create: bool = True,
                  durability: Optional[Durability] = None, compression: Optional[Compression] = None,
                  default_ttl: Optional[Seconds] = None) -> Namespace:
        """The namespace `name`, which is made if it is missing. What is given here is kept with it."""
        encoded = to_name(name)
        options = _library.NamespaceOptions(
            struct_size=ctypes.sizeof(_library.NamespaceOptions), durability=int(durability or 0),
            compression=int(compression or 0), sets_default_ttl=default_ttl is not None,
            default_ttl_ms=0 if default_ttl is None else to_millis(default_ttl), must_exist=not create)
        pointer = new_pointer(lib.open_namespace, self._store_pointer, encoded, len(encoded),
                              byref(options))
        return Namespace(self, self._owner.adopt(pointer, lib.namespace_free, "namespace"), encoded)

    def drop_namespace(self, name: Union[str, Bytes]) -> None:
        """Deletes the namespace with all its keys, in constant time."""
        encoded = to_name(name)
        check(lib.drop_namespace(self._store_pointer, encoded, len(encoded)))

    def namespaces(self) -> Sequence[bytes]:
        """The names of all but the default one, in order."""
        names: list[bytes] = []

        def visit(_: Any, name: Any, size: int, __: int) -> int:
            names.append(ctypes.string_at(name, size))
            return 0

        check(lib.list_namespaces(self._store_pointer, NamespaceVisitor(visit), None))
        return names

    # --- Maintenance. None of it is needed.

    def flush(self) -> None:
        check(lib.flush(self._store_pointer))

    def compact(self) -> None:
        check(lib.compact(self._store_pointer))

    def sync(self) -> None:
        """Makes every acknowledged write survive loss of power."""
        check(lib.sync(self._store_pointer))

    def verify(self) -> list[str]:
        """Reads and checks every byte. Returns the problems."""
        count, report = c_uint64(), c_void_p()
        check(lib.verify(self._store_pointer, byref(count), byref(report)))
        return take_text(report).splitlines()

    def property(self, name: str) -> str:
        """"varve.stats" is a table for people. NotFound when there is no such property."""
        value = c_void_p()
        check(lib.property(self._store_pointer, name.encode(), byref(value)))
        return take_text(value)


def open(path: Union[str, bytes, os.PathLike], *, create: bool = True, must_not_exist: bool = False,
         read_only: bool = False, memory_budget_bytes: int = 0, durability: Optional[Durability] = None,
         compression: Optional[Compression] = None, expected_keys: int = 0, max_key_bytes: int = 0,
         max_value_bytes: int = 0) -> Db:  # pylint: disable=redefined-builtin
    """Opens the store in the directory `path`, which is made if it is missing. Busy when another process has
    it. 0 and None: the defaults of varve/options.h."""
    options = _library.Options(
        struct_size=ctypes.sizeof(_library.Options), memory_budget_bytes=memory_budget_bytes,
        durability=int(durability or 0), compression=int(compression or 0), expected_keys=expected_keys,
        max_key_bytes=max_key_bytes, max_value_bytes=max_value_bytes, must_exist=not create,
        must_not_exist=must_not_exist, read_only=read_only)
    directory = os.fsencode(path)
    if b"\0" in directory:
        raise ValueError("a path has no zeros in it")
    return Db(new_pointer(lib.open, directory, byref(options)), max_key_bytes or 65535)

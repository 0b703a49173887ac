"""Transactions."""
from __future__ import annotations

import contextlib
import ctypes
from ctypes import byref, c_size_t, c_void_p
from typing import Any, Callable, Iterator, Optional, TYPE_CHECKING, TypeVar, Union

from ._errors import NotFound
from ._handles import Handle, Owner, new_pointer
from ._library import TransactionBody, TransactionOptions, check, is_absent, lib, take
from ._mapping import Reads, iterator_options
from ._options import Bytes, Durability, to_bytes

if TYPE_CHECKING:
    from ._store import Db, Namespace

T = TypeVar("T")

# What the body says to the library when it has raised; no code of it.
_RAISED = 1_000_000


def transaction_options(serializable: bool, read_only: bool, durability: Optional[Durability],
                        max_attempts: int = 0) -> TransactionOptions:
    return TransactionOptions(struct_size=ctypes.sizeof(TransactionOptions),
                              snapshot_isolation=not serializable, read_only=read_only,
                              max_attempts=max_attempts, durability=int(durability or 0))


class Transaction(Reads):
    """Reads and writes as one step, as a mapping. Made by Db.transaction and Db.transact; for one thread at a
    time. Sees the store as it was at the beginning, and its own writes. Of the default namespace; `of` gives
    another in the same transaction."""

    def __init__(self, db: Db, handle: Handle, owner: Owner, namespace: Optional[Namespace] = None) -> None:
        self._db = db
        self._handle = handle
        self._owner = owner  # of its iterators, which must go first
        self._namespace = namespace

    def of(self, namespace: Namespace) -> Transaction:
        """The same transaction, working on `namespace`."""
        return type(self)(self._db, self._handle, self._owner, namespace)

    @property
    def _space(self) -> Any:
        return None if self._namespace is None else self._namespace._pointer

    def _get(self, key: bytes) -> Optional[bytes]:
        value, size = c_void_p(), c_size_t()
        code = lib.transaction_get(self._handle.pointer, self._space, key, len(key), byref(value),
                                   byref(size))
        return None if is_absent(code) else take(value, size)

    def _open_iterator(self, prefix: bytes, start: Optional[bytes], stop: Optional[bytes]) -> Handle:
        options = iterator_options(prefix, start, stop, None)
        return self._owner.adopt(
            new_pointer(lib.transaction_iterator, self._handle.pointer, self._space, byref(options)),
            lib.iterator_free, "iterator")

    def put(self, key: Bytes, value: Bytes) -> None:
        key, value = to_bytes(key), to_bytes(value)
        check(lib.transaction_put(self._handle.pointer, self._space, key, len(key), value, len(value)))

    def delete(self, key: Bytes) -> None:
        """An absent key is no error."""
        key = to_bytes(key)
        check(lib.transaction_delete(self._handle.pointer, self._space, key, len(key)))

    def delete_range(self, start: Bytes, stop: Bytes) -> None:
        """All keys from `start` on and before `stop`."""
        start, stop = to_bytes(start), to_bytes(stop)
        check(lib.transaction_delete_range(self._handle.pointer, self._space, start, len(start), stop,
                                           len(stop)))

    def __setitem__(self, key: Bytes, value: Bytes) -> None:
        self.put(key, value)

    def __delitem__(self, key: Union[Bytes, slice]) -> None:
        """NotFound when there is none. Of a slice: all keys in it."""
        if isinstance(key, slice):
            if key.start is None or key.stop is None or key.step is not None:
                raise TypeError("a range to be deleted in a transaction has a start, a stop and no step")
            self.delete_range(key.start, key.stop)
            return
        if key not in self:
            raise NotFound(f"key not found: {to_bytes(key)!r}")
        self.delete(key)

    @contextlib.contextmanager
    def savepoint(self) -> Iterator[None]:
        """A block whose writes are taken back when it raises. They nest."""
        check(lib.transaction_set_savepoint(self._handle.pointer))
        try:
            yield
        except BaseException:
            if self._handle.is_open:
                check(lib.transaction_rollback_to_savepoint(self._handle.pointer))
            raise
        check(lib.transaction_release_savepoint(self._handle.pointer))

    def commit(self) -> None:
        """Conflict: nothing is written, starting over may succeed. The transaction has ended whatever comes."""
        self._end(lib.commit)

    def rollback(self) -> None:
        self._end(lib.rollback)

    def _end(self, function: Callable[[Any], int]) -> None:
        pointer = self._handle.pointer
        self._owner.close_all()
        try:
            check(function(pointer))
        finally:
            self._handle.close()

    def __enter__(self) -> Transaction:
        return self

    def __exit__(self, kind: Any, *error: object) -> None:
        """Commits, or rolls back when the block has raised. Neither when it has ended already."""
        if not self._handle.is_open:
            return
        if kind is None:
            self.commit()
        else:
            self.rollback()


class _Managed(Transaction):
    """That of transact, which ends it."""

    def _end(self, function: Callable[[Any], int]) -> None:
        raise TypeError("transact ends its transaction itself: return, or raise")


def begin(db: Db, options: TransactionOptions) -> Transaction:
    owner = Owner()
    pointer = new_pointer(lib.begin, db._store_pointer, byref(options))

    def free(pointer: Any) -> None:
        owner.close_all()
        lib.transaction_free(pointer)

    return Transaction(db, db._owner.adopt(pointer, free, "transaction"), owner)


def transact(db: Db, function: Callable[[Transaction], T], options: TransactionOptions) -> T:
    results: list[T] = []
    errors: list[BaseException] = []

    def body(pointer: Any, _: Any) -> int:
        results.clear()
        owner = Owner()
        handle = Handle(pointer, lambda _: owner.close_all(), "transaction")
        try:
            results.append(function(_Managed(db, handle, owner)))
            return 0
        except BaseException as error:  # pylint: disable=broad-except
            errors.append(error)
            return _RAISED
        finally:
            handle.close()

    code = lib.transact(db._store_pointer, byref(options), TransactionBody(body), None)
    if errors:
        raise errors[0]
    check(code)
    return results[0]

"""Snapshots."""
from __future__ import annotations

from ctypes import byref, c_size_t, c_void_p
from typing import Any, Optional, TYPE_CHECKING

from ._handles import Handle, new_pointer
from ._library import is_absent, lib, take
from ._mapping import Reads, iterator_options

if TYPE_CHECKING:
    from ._store import Db, Namespace


def get_at(namespace: Any, key: bytes, snapshot: Optional[Any]) -> Optional[bytes]:
    value, size = c_void_p(), c_size_t()
    code = lib.get(namespace, key, len(key), snapshot, byref(value), byref(size))
    return None if is_absent(code) else take(value, size)


class Snapshot(Reads):
    """One state of a store, read like a mapping; ends with close() or its `with`. Of the default namespace;
    `of` gives another at the same state."""

    def __init__(self, db: Db, namespace: Namespace, handle: Optional[Handle] = None) -> None:
        self._db = db
        self._namespace = namespace
        self._handle = handle or db._owner.adopt(
            new_pointer(lib.snapshot_new, db._store_pointer), lib.snapshot_free, "snapshot")

    def of(self, namespace: Namespace) -> Snapshot:
        """The same state of `namespace`. Ends with this one."""
        return Snapshot(self._db, namespace, self._handle)

    @property
    def sequence(self) -> int:
        """How many changes the store had seen."""
        return int(lib.snapshot_sequence(self._handle.pointer))

    def _get(self, key: bytes) -> Optional[bytes]:
        return get_at(self._namespace._pointer, key, self._handle.pointer)

    def _open_iterator(self, prefix: bytes, start: Optional[bytes], stop: Optional[bytes]) -> Handle:
        options = iterator_options(prefix, start, stop, self._handle.pointer)
        return self._db._owner.adopt(
            new_pointer(lib.iterator_new, self._namespace._pointer, byref(options)), lib.iterator_free,
            "iterator")

    def close(self) -> None:
        self._handle.close()

    def __enter__(self) -> Snapshot:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

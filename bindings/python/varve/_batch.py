"""Batches."""
from __future__ import annotations

from typing import Any, Optional, TYPE_CHECKING, Union

from ._handles import Handle, new_pointer
from ._library import check, lib
from ._options import Bytes, Durability, Moment, Seconds, to_bytes, write_options

if TYPE_CHECKING:
    from ._store import Db, Namespace


class Batch:
    """Changes that are made all together or not at all. As a context manager it is written at the end of the
    block, unless that raises; else by write()."""

    def __init__(self, db: Db, namespace: Optional[Namespace], durability: Optional[Durability]) -> None:
        self._db = db
        self._namespace = namespace
        self._durability = durability
        self._handle = Handle(new_pointer(lib.batch_new), lib.batch_free, "batch")

    def _space(self, namespace: Optional[Namespace]) -> Any:
        namespace = namespace or self._namespace
        return None if namespace is None else namespace._pointer

    def put(self, key: Bytes, value: Bytes, *, ttl: Optional[Seconds] = None,
            expire_at: Optional[Moment] = None, namespace: Optional[Namespace] = None) -> None:
        key, value = to_bytes(key), to_bytes(value)
        check(lib.batch_put(self._handle.pointer, self._space(namespace), key, len(key), value, len(value),
                            write_options(None, ttl, expire_at)))

    def delete(self, key: Bytes, *, namespace: Optional[Namespace] = None) -> None:
        key = to_bytes(key)
        check(lib.batch_delete(self._handle.pointer, self._space(namespace), key, len(key)))

    def delete_range(self, start: Bytes, stop: Bytes, *, namespace: Optional[Namespace] = None) -> None:
        """All keys from `start` on and before `stop`."""
        start, stop = to_bytes(start), to_bytes(stop)
        check(lib.batch_delete_range(self._handle.pointer, self._space(namespace), start, len(start), stop,
                                     len(stop)))

    def __setitem__(self, key: Bytes, value: Bytes) -> None:
        self.put(key, value)

    def __delitem__(self, key: Union[Bytes, slice]) -> None:
        """An absent key is no error here: a batch does not read."""
        if isinstance(key, slice):
            if key.start is None or key.stop is None or key.step is not None:
                raise TypeError("a range to be deleted in a batch has a start, a stop and no step")
            self.delete_range(key.start, key.stop)
        else:
            self.delete(key)

    def __len__(self) -> int:
        """How many changes there are."""
        return int(lib.batch_count(self._handle.pointer))

    def clear(self) -> None:
        lib.batch_clear(self._handle.pointer)

    def write(self) -> None:
        """Makes the changes. The batch is empty then."""
        check(lib.write(self._db._store_pointer, self._handle.pointer, write_options(self._durability)))
        self.clear()

    def __enter__(self) -> Batch:
        return self

    def __exit__(self, kind: Any, *error: object) -> None:
        if kind is None:
            self.write()
        self._handle.close()

"""varve: an ordered key-value store in one directory.

    import varve

    with varve.open("data") as db:
        db[b"fruit/apple"] = b"red"
        for key, value in db.items(prefix=b"fruit/"):
            print(key, value)

Keys and values are bytes. A store is a mapping, in the order of its keys; docs/python.md has the rest.
"""
from ._errors import (Aborted, Busy, Closed, Conflict, Corruption, Error, InternalError,
                      InvalidArgument, IoError, LibraryNotFound, NotFound, NotSupported, OutOfMemory,
                      TimedOut, Unavailable)
from ._batch import Batch
from ._mapping import Range
from ._options import Compression, Durability
from ._snapshot import Snapshot
from ._store import Db, Namespace, open  # pylint: disable=redefined-builtin
from ._transaction import Transaction
from ._library import version as _version

__version__ = _version()

__all__ = ["Aborted", "Batch", "Busy", "Closed", "Compression", "Conflict", "Corruption", "Db",
           "Durability", "Error", "InternalError", "InvalidArgument", "IoError", "LibraryNotFound",
           "Namespace", "NotFound", "NotSupported", "OutOfMemory", "Range", "Snapshot", "TimedOut",
           "Transaction", "Unavailable", "open"]

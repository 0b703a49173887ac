"""libvarve.so: where it is, and its functions as varve/c.h declares them."""
from __future__ import annotations

import ctypes
import ctypes.util
import os
import pathlib
from ctypes import (CFUNCTYPE, POINTER, Structure, c_char_p, c_double, c_int, c_int64, c_size_t, c_uint32,
                    c_uint64, c_void_p)
from typing import Any

from ._errors import LibraryNotFound, error_of

_NAME = "libvarve.so"
_SONAME = "libvarve.so.0"


def _candidates() -> list[str]:
    """Where the library may be, in the order in which it is looked for."""
    chosen = os.environ.get("VARVE_LIBRARY")
    if chosen:
        return [chosen]
    beside = pathlib.Path(__file__).resolve().parent / _NAME
    found = [str(beside)] if beside.exists() else []
    # The second is what the system's loader looks for; the first also asks the compiler's folders.
    return found + [name for name in (_SONAME, ctypes.util.find_library("varve")) if name]


def _load() -> ctypes.CDLL:
    tried = []
    for path in _candidates():
        try:
            return ctypes.CDLL(path)
        except OSError as error:
            tried.append(f"  {path}: {error}")
    raise LibraryNotFound(
        f"varve needs {_NAME}, the library of the C interface, which could not be loaded:\n"
        + "\n".join(tried) +
        "\nBuild it (cmake --preset release && cmake --build --preset release --target varve_shared) and"
        "\nset VARVE_LIBRARY to its path, copy it next to " + str(pathlib.Path(__file__).parent) +
        "/__init__.py,\nor install it (cmake --install build/release) where the system looks for libraries.")


class Options(Structure):
    _fields_ = [("struct_size", c_size_t), ("memory_budget_bytes", c_uint64), ("durability", c_int),
                ("compression", c_int), ("space_amplification_target", c_double),
                ("expected_keys", c_uint64), ("background_threads", c_int), ("max_key_bytes", c_uint32),
                ("max_value_bytes", c_uint32), ("must_exist", c_int), ("must_not_exist", c_int),
                ("read_only", c_int)]


class NamespaceOptions(Structure):
    _fields_ = [("struct_size", c_size_t), ("durability", c_int), ("compression", c_int),
                ("sets_default_ttl", c_int), ("default_ttl_ms", c_int64), ("must_exist", c_int)]


class WriteOptions(Structure):
    _fields_ = [("struct_size", c_size_t), ("durability", c_int), ("ttl_ms", c_int64),
                ("expire_at_ms", c_int64)]


class IteratorOptions(Structure):
    _fields_ = [("struct_size", c_size_t), ("prefix", c_char_p), ("prefix_size", c_size_t),
                ("lower", c_char_p), ("lower_size", c_size_t), ("upper", c_char_p),
                ("upper_size", c_size_t), ("snapshot", c_void_p)]


class TransactionOptions(Structure):
    _fields_ = [("struct_size", c_size_t), ("snapshot_isolation", c_int), ("read_only", c_int),
                ("max_attempts", c_int), ("durability", c_int)]


NamespaceVisitor = CFUNCTYPE(c_int, c_void_p, c_void_p, c_size_t, c_uint32)
TransactionBody = CFUNCTYPE(c_int, c_void_p, c_void_p)

# Keys and values go in as bytes objects, whose buffers C may read.
_BYTES = (c_char_p, c_size_t)
_OUT = (POINTER(c_void_p), POINTER(c_size_t))
_HANDLE = POINTER(c_void_p)
_WRITE = POINTER(WriteOptions)

# name -> (arguments, result); the results are codes where nothing else is said.
_FUNCTIONS: dict[str, tuple[Any, ...]] = {
    "open": ((c_char_p, POINTER(Options), _HANDLE),),
    "close": ((c_void_p,), None),
    "code_name": ((c_int,), c_char_p),
    "message": ((), c_char_p),
    "version": ((), c_char_p),
    "free": ((c_void_p,), None),
    "flush": ((c_void_p,),),
    "compact": ((c_void_p,),),
    "sync": ((c_void_p,),),
    "wait_for_background_work": ((c_void_p,),),
    "verify": ((c_void_p, POINTER(c_uint64), _HANDLE),),
    "property": ((c_void_p, c_char_p, _HANDLE),),
    "default_namespace": ((c_void_p,), c_void_p),
    "open_namespace": ((c_void_p, *_BYTES, POINTER(NamespaceOptions), _HANDLE),),
    "namespace_free": ((c_void_p,), None),
    "drop_namespace": ((c_void_p, *_BYTES),),
    "list_namespaces": ((c_void_p, NamespaceVisitor, c_void_p),),
    "put": ((c_void_p, *_BYTES, *_BYTES, _WRITE),),
    "delete": ((c_void_p, *_BYTES, _WRITE),),
    "delete_range": ((c_void_p, *_BYTES, *_BYTES, _WRITE),),
    "clear": ((c_void_p, _WRITE),),
    "compare_and_set": ((c_void_p, *_BYTES, *_BYTES, *_BYTES, _WRITE),),
    "put_if_absent": ((c_void_p, *_BYTES, *_BYTES, _WRITE),),
    "increment": ((c_void_p, *_BYTES, c_int64, _WRITE, POINTER(c_int64)),),
    "append": ((c_void_p, *_BYTES, *_BYTES, _WRITE, POINTER(c_uint64)),),
    "get_and_set": ((c_void_p, *_BYTES, *_BYTES, _WRITE, *_OUT),),
    "expire": ((c_void_p, *_BYTES, c_int64, _WRITE),),
    "expire_at": ((c_void_p, *_BYTES, c_int64, _WRITE),),
    "persist": ((c_void_p, *_BYTES, _WRITE),),
    "time_to_live": ((c_void_p, *_BYTES, c_void_p, POINTER(c_int64)),),
    "batch_new": ((_HANDLE,),),
    "batch_free": ((c_void_p,), None),
    "batch_clear": ((c_void_p,), None),
    "batch_count": ((c_void_p,), c_uint32),
    "batch_put": ((c_void_p, c_void_p, *_BYTES, *_BYTES, _WRITE),),
    "batch_delete": ((c_void_p, c_void_p, *_BYTES),),
    "batch_delete_range": ((c_void_p, c_void_p, *_BYTES, *_BYTES),),
    "batch_delete_all": ((c_void_p, c_void_p),),
    "write": ((c_void_p, c_void_p, _WRITE),),
    "get": ((c_void_p, *_BYTES, c_void_p, *_OUT),),
    "multi_get": ((c_void_p, c_size_t, POINTER(c_char_p), POINTER(c_size_t), c_void_p,
                   POINTER(c_void_p), POINTER(c_size_t), POINTER(c_int)),),
    "snapshot_new": ((c_void_p, _HANDLE),),
    "snapshot_free": ((c_void_p,), None),
    "snapshot_sequence": ((c_void_p,), c_uint64),
    "iterator_new": ((c_void_p, POINTER(IteratorOptions), _HANDLE),),
    "iterator_free": ((c_void_p,), None),
    "iterator_valid": ((c_void_p,),),
    "iterator_seek_to_first": ((c_void_p,),),
    "iterator_seek_to_last": ((c_void_p,),),
    "iterator_seek": ((c_void_p, *_BYTES),),
    "iterator_seek_for_prev": ((c_void_p, *_BYTES),),
    "iterator_next": ((c_void_p,),),
    "iterator_prev": ((c_void_p,),),
    "iterator_status": ((c_void_p,),),
    "iterator_key": ((c_void_p, POINTER(c_size_t)), c_void_p),
    "iterator_value": ((c_void_p, *_OUT),),
    "iterator_expire_at_ms": ((c_void_p,), c_uint64),
    "begin": ((c_void_p, POINTER(TransactionOptions), _HANDLE),),
    "transact": ((c_void_p, POINTER(TransactionOptions), TransactionBody, c_void_p),),
    "commit": ((c_void_p,),),
    "rollback": ((c_void_p,),),
    "transaction_free": ((c_void_p,), None),
    "transaction_get": ((c_void_p, c_void_p, *_BYTES, *_OUT),),
    "transaction_put": ((c_void_p, c_void_p, *_BYTES, *_BYTES),),
    "transaction_delete": ((c_void_p, c_void_p, *_BYTES),),
    "transaction_delete_range": ((c_void_p, c_void_p, *_BYTES, *_BYTES),),
    "transaction_delete_all": ((c_void_p, c_void_p),),
    "transaction_iterator": ((c_void_p, c_void_p, POINTER(IteratorOptions), _HANDLE),),
    "transaction_set_savepoint": ((c_void_p,),),
    "transaction_rollback_to_savepoint": ((c_void_p,),),
    "transaction_release_savepoint": ((c_void_p,),),
}


class _Library:
    """The functions, without the varve_ of their names."""

    def __init__(self) -> None:
        library = _load()
        for name, (arguments, *result) in _FUNCTIONS.items():
            try:
                function = getattr(library, "varve_" + name)
            except AttributeError:
                raise LibraryNotFound(f"{library._name} has no varve_{name}: it is of an older version, "
                                      "or something else; see VARVE_LIBRARY") from None
            function.argtypes = arguments
            function.restype = result[0] if result else c_int
            setattr(self, name, function)

    def __getattr__(self, name: str) -> Any:  # for type checkers
        raise AttributeError(name)


lib = _Library()

NOT_FOUND = 1


def check(code: int) -> None:
    """Raises what a code other than 0 stands for."""
    if code != 0:
        raise error_of(code, (lib.message() or b"").decode("utf-8", "replace"))


def is_absent(code: int) -> bool:
    """Whether a key is absent. Raises for other errors, of a namespace that was dropped, too, which has a text of
    its own."""
    if code == 0:
        return False
    if code != NOT_FOUND or lib.message() != lib.code_name(NOT_FOUND):
        check(code)
    return True


def take(value: c_void_p, size: c_size_t) -> bytes:
    """Bytes that the library has given, which are given back."""
    try:
        return ctypes.string_at(value, size.value)
    finally:
        lib.free(value)


def take_text(value: c_void_p) -> str:
    try:
        return ctypes.string_at(value).decode("utf-8", "replace")
    finally:
        lib.free(value)


def version() -> str:
    """Of the library."""
    return lib.version().decode()

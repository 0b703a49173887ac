#!/usr/bin/env python3
"""What cannot be stored does not compile, and the compiler's message says what to do instead.

usage: compile_fail_test.py SOURCE_FOLDER COMPILER
"""
import concurrent.futures
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

SOURCE, COMPILER = pathlib.Path(sys.argv.pop(1)), sys.argv.pop(1)

PRELUDE = """
#include <chrono>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>
#include "varve/typed_db.h"

struct User { std::string name; };
struct Base { int x; };
struct Derived : Base { int y; };
class Socket { public: explicit Socket(int fd); private: int fd_; };
struct HasPointer { int number; FILE* file; };
struct HasConst { const int number = 1; };
struct HasLongArray { char text[300]; };
using Map = std::map<int, int>;
enum Loose { kOne, kTwo };
struct HalfDone { HalfDone(); int number; };
template <> struct varve::Codec<HalfDone> { static constexpr unsigned long kFingerprint = 1; };

template <typename T> const T& Make();
"""
PROGRAM = "void Use(varve::Db& db) { (void)sizeof(db); %s }"

POINTER = "varve cannot store a pointer: an address means nothing to the next process. Store what it points to"
UNKNOWN = "varve does not know how to store this type. If it is data, make it a struct"
STORE = "(void)varve::Put(db, \"key\", Make<{}>());"
READ = "(void)varve::Get<{}>(db, \"key\");"
KEY = "varve::TypedDb<{}, int> typed(&db); (void)typed.Delete(Make<{}>());"

# What is written, and what the compiler must say.
REFUSED = {
    STORE.format("int*"): POINTER,
    READ.format("int*"): POINTER,
    STORE.format("FILE*"): POINTER,
    STORE.format("std::unique_ptr<int>"): POINTER,
    STORE.format("std::vector<std::shared_ptr<User>>"): POINTER,
    READ.format("HasPointer"): POINTER,
    "varve::TypedDb<int, std::map<int, HasPointer>> typed(&db); (void)typed.Get(1);": POINTER,
    STORE.format("std::thread"): "a thread, a lock or a socket, store what it was made from",
    STORE.format("std::mutex"): UNKNOWN,
    READ.format("Socket"): UNKNOWN,
    STORE.format("std::function<void()>"): UNKNOWN,
    STORE.format("Derived"): "without constructors, bases",
    STORE.format("HasLongArray"): "an array counts its elements: use std::array",
    STORE.format("HasConst"): "without constructors, bases, private, const and reference members",
    STORE.format("std::string_view"): "std::string for std::string_view",
    "(void)varve::Put(db, \"key\", \"value\");": "use std::array or std::string",
    STORE.format("Loose"): "Declare it as enum class E : uint8_t",
    STORE.format("long double"): "Use char32_t and double",
    READ.format("std::chrono::steady_clock::time_point"): "Use std::chrono::system_clock",
    READ.format("HalfDone"): "varve::Codec of this type is incomplete",
    KEY.replace("{}", "FILE*"): POINTER,
    KEY.replace("{}", "Map"): "but not as a key",
}
ACCEPTED = [
    "",
    STORE.format("User"),
    READ.format("std::vector<User>"),
    "(void)varve::Put(db, \"key\", std::string(\"value\"));",
    KEY.replace("{}", "std::string"),
]


def compile_text(text, *options):
    return subprocess.run([COMPILER, "-std=c++20", f"-I{SOURCE / 'include'}", *options, "-x", "c++", "-"],
                          input=text, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          check=False, env={**os.environ, "LC_ALL": "C"})


class CompileFailTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="varve_compile_fail_"))
        cls.addClassCleanup(shutil.rmtree, folder)
        # Compiled once, for all programs begin with it.
        prelude = folder / "prelude.h"
        prelude.write_text(PRELUDE)
        subprocess.run([COMPILER, "-std=c++20", f"-I{SOURCE / 'include'}", "-x", "c++-header", prelude,
                        "-o", folder / "prelude.h.gch"], check=True)

        def compile_body(body):
            return compile_text(PROGRAM % body, "-fsyntax-only", "-include", prelude)

        bodies = [*REFUSED, *ACCEPTED]
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            cls.results = dict(zip(bodies, pool.map(compile_body, bodies)))

    def test_what_cannot_be_stored_is_refused_with_advice(self):
        for body, advice in REFUSED.items():
            with self.subTest(body):
                result = self.results[body]
                self.assertNotEqual(result.returncode, 0, "it compiles")
                self.assertIn(advice, result.stdout)

    def test_what_can_be_stored_compiles(self):
        for body in ACCEPTED:
            with self.subTest(body):
                self.assertEqual(self.results[body].returncode, 0, self.results[body].stdout)


if __name__ == "__main__":
    unittest.main()

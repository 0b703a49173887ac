// Which engines this build has. The VARVE_BENCH_HAS_* definitions come from CMakeLists.txt.
#include "bench/engine.h"

namespace varve::bench {

const std::vector<EngineInfo>& Engines() {
  static const std::vector<EngineInfo> engines = {
      VarveEngine(),
#ifdef VARVE_BENCH_HAS_ROCKSDB
      RocksDbEngine(),    RocksDbBlobEngine(),
#endif
#ifdef VARVE_BENCH_HAS_LEVELDB
      LevelDbEngine(),
#endif
#ifdef VARVE_BENCH_HAS_LMDB
      LmdbEngine(),
#endif
#ifdef VARVE_BENCH_HAS_WIREDTIGER
      WiredTigerEngine(),
#endif
      RawEngine(),
  };
  return engines;
}

const std::vector<std::string>& AbsentEngines() {
  static const std::vector<std::string> absent = {
#ifndef VARVE_BENCH_HAS_ROCKSDB
      "rocksdb",    "rocksdb-blob",
#endif
#ifndef VARVE_BENCH_HAS_LEVELDB
      "leveldb",
#endif
#ifndef VARVE_BENCH_HAS_LMDB
      "lmdb",
#endif
#ifndef VARVE_BENCH_HAS_WIREDTIGER
      "wiredtiger",
#endif
  };
  return absent;
}

const EngineInfo* FindEngine(std::string_view name) {
  for (const EngineInfo& engine : Engines()) {
    if (engine.name == name) return &engine;
  }
  return nullptr;
}

}  // namespace varve::bench

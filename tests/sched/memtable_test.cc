// The memtable under the scheduler: one thread adds, others read. What was published is found, whatever splits.
#include "engine/memtable.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdio>
#include <string>
#include <vector>

#include "tests/sched/sched_env.h"
#include "tests/sched/scheduler.h"

namespace varve {
namespace memtable_test {

using sched::Alone;
using sched::ExpectHolds;

std::string Key(uint64_t number) {
  char text[16];
  std::snprintf(text, sizeof(text), "key%05u", static_cast<unsigned>(number));
  return text;
}

uint64_t HashOf(const std::string& key) {
  uint64_t hash = 1469598103934665603u;
  for (const char c : key) hash = (hash ^ static_cast<uint8_t>(c)) * 1099511628211u;
  return hash;
}

// A memtable with `before` in it, to which `added` come one by one.
struct World {
  World(std::vector<std::string> keys_before, std::vector<std::string> keys_added)
      : before(std::move(keys_before)), added(std::move(keys_added)) {
    for (const std::string& key : before) Add(key);
  }
  ~World() { table->Unref(); }

  void Add(const std::string& key) {
    const SequenceNumber sequence = ++last_added;
    table->Add(sequence, EntryKind::kValue, key, std::to_string(sequence), HashOf(key));
  }
  void AddAll() {
    for (size_t i = 0; i < added.size(); ++i) {
      Add(added[i]);
      published.store(i + 1, std::memory_order_release);
    }
  }
  void ExpectPresent(const std::string& key) {
    Entry entry;
    SCHED_REQUIRE(table->MayContain(HashOf(key)));
    SCHED_REQUIRE(table->Get(key, HashOf(key), kMaxSequence, &entry));
    SCHED_REQUIRE(entry.key == key);
  }
  // Gets what has been published, and some of what was there before.
  void Get() {
    for (int round = 0; round < 3; ++round) {
      const size_t count = published.load(std::memory_order_acquire);
      for (size_t i = 0; i < count; ++i) ExpectPresent(added[i]);
      ExpectPresent(before[before.size() / 2]);
      ExpectPresent(before.back());
    }
  }
  // Walks through all of it: in order, nothing left out, nothing twice.
  void Scan(bool forward) {
    const size_t count = before.size() + published.load(std::memory_order_acquire);
    size_t seen = 0;
    std::string last;
    MemTable::Cursor cursor(table);
    for (forward ? cursor.SeekToFirst() : cursor.SeekToLast(); cursor.Valid();
         forward ? cursor.Next() : cursor.Prev()) {
      const std::string_view key = cursor.entry().key;
      SCHED_REQUIRE(last.empty() || (forward ? last < key : key < last));
      last = key;
      ++seen;
    }
    SCHED_REQUIRE(seen >= count);
    SCHED_REQUIRE(seen <= before.size() + added.size());
  }

  const std::vector<std::string> before, added;
  sched::SchedEnv env;
  ChunkPool pool{&env, 0};
  MemTable* const table = MemTable::Create(&pool, 4096);
  SequenceNumber last_added = 0;
  std::atomic<size_t> published{0};
};

void AddAndRead(std::vector<std::string> before, std::vector<std::string> added, bool scans) {
  auto alone = std::make_unique<Alone>();
  World world(std::move(before), std::move(added));
  alone.reset();
  {
    sched::Thread reader([&] { scans ? world.Scan(true) : world.Get(); });
    sched::Thread other([&] { scans ? world.Scan(false) : world.Get(); });
    sched::Thread writer([&] { world.AddAll(); });
  }
  alone = std::make_unique<Alone>();
  world.Get();
  world.Scan(true);
  world.Scan(false);
}

std::vector<std::string> Keys(uint64_t first, uint64_t count, uint64_t step) {
  std::vector<std::string> keys;
  for (uint64_t i = 0; i < count; ++i) keys.push_back(Key(first + i * step));
  return keys;
}

// A leaf holds 64 entries.
TEST(MemTableSchedules, GetsWhileALeafFillsAndSplits) {
  ExpectHolds({.schedules = 8000},
              [] { AddAndRead(Keys(100, 62, 2), {Key(151), Key(101), Key(221), Key(153)}, false); });
}

TEST(MemTableSchedules, ScansWhileALeafFillsAndSplits) {
  ExpectHolds({.schedules = 5000},
              [] { AddAndRead(Keys(100, 62, 2), {Key(151), Key(101), Key(221), Key(153)}, true); });
}

TEST(MemTableSchedules, GetsWhileALeafOfAnotherPrefixTakesItsPlace) {
  ExpectHolds({.schedules = 5000}, [] {
    AddAndRead(Keys(10000, 60, 1), {Key(10060), "key1", "kez", "a", Key(10061), "key100555"}, false);
  });
}

TEST(MemTableSchedules, ScansWhileALeafOfAnotherPrefixTakesItsPlace) {
  ExpectHolds({.schedules = 3000},
              [] { AddAndRead(Keys(10000, 20, 1), {"key1", "kez", "a", "key100055"}, true); });
}

// Two leaves under one node, both full: the middle splits left and right of it.
TEST(MemTableSchedules, GetsWhileLeavesBesideEachOtherSplit) {
  ExpectHolds({.schedules = 5000},
              [] { AddAndRead(Keys(100, 128, 2), {Key(141), Key(261), Key(143), Key(111), Key(341)}, false); });
}

// A root with 64 full leaves: the next leaf's split splits the root.
TEST(MemTableSchedules, GetsWhileTheRootSplits) {
  ExpectHolds({.schedules = 400},
              [] { AddAndRead(Keys(0, 4096, 2), {Key(4001), Key(101), Key(8193), Key(4003)}, false); });
}

// Versions of one key: who reads at a number finds the newest that is not above it.
TEST(MemTableSchedules, VersionsOfAKeyAreSeenAtTheirNumber) {
  ExpectHolds({.schedules = 8000}, [] {
    auto alone = std::make_unique<Alone>();
    World world(std::vector<std::string>(61, "key"), std::vector<std::string>(6, "key"));
    alone.reset();
    const auto read = [&] {
      for (int round = 0; round < 3; ++round) {
        const SequenceNumber now = 61 + world.published.load(std::memory_order_acquire);
        for (SequenceNumber at = now; at + 3 > now; --at) {
          Entry entry;
          SCHED_REQUIRE(world.table->Get("key", HashOf("key"), at, &entry));
          SCHED_REQUIRE(entry.sequence == at && entry.value == std::to_string(at));
        }
      }
    };
    sched::Thread reader(read);
    sched::Thread other(read);
    sched::Thread writer([&] { world.AddAll(); });
  });
}

}  // namespace memtable_test
}  // namespace varve

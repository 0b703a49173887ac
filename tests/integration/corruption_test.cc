// Damage to the files of a closed store: flipped bytes, cut, swapped and missing files. A read
// gives the right bytes or an error, and nothing goes missing in silence.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "env/crash_env.h"
#include "tests/support/fake_db.h"
#include "tests/support/status_matchers.h"
#include "tests/support/store_options.h"
#include "tests/support/workload.h"

namespace varve::test {
namespace corruption_test {

constexpr char kDir[] = "/store";

// What a store is made with.
struct StoreKind {
  Compression compression = Compression::kAuto;
  bool mapped_log = true;
  bool has_namespaces = false;  // and deadlines
};

constexpr std::chrono::hours kTtl{24};

// A closed store with several segments, separated values, a log with records and a manifest.
class DamagedStore {
 public:
  explicit DamagedStore(StoreOpener opener, StoreKind kind = {}) : opener_(std::move(opener)), kind_(kind) {}

  Status Build() {
    Result<std::unique_ptr<Db>> db = opener_(kDir, &env_);
    if (!db.ok()) return db.status();
    std::vector<std::shared_ptr<Namespace>> others;
    std::vector<Namespace*> spaces{db->get()};
    for (const char* const name : {"", "orders", "gone"}) {
      expected_[name];
      if (!kind_.has_namespaces || *name == '\0') continue;
      Result<std::shared_ptr<Namespace>> space = (*db)->OpenNamespace(name);
      if (!space.ok()) return space.status();
      others.push_back(*std::move(space));
      spaces.push_back(others.back().get());
    }
    for (int round = 0; round < 4; round++) {
      for (size_t i = 0; i < spaces.size(); ++i) {
        WriteRound(round, static_cast<int>(i), static_cast<int>(spaces.size()), spaces[i]);
      }
      // The last round stays in the log.
      if (round < 3) Run((*db)->Flush());
    }
    others.clear();
    if (kind_.has_namespaces) Run((*db)->DropNamespace("gone"));
    expected_.erase("gone");
    Run((*db)->WaitForBackgroundWork());
    Run((*db)->Sync());
    db->reset();
    for (const std::string& path : env_.FileNames()) {
      Result<std::string> content = env_.ReadFileForTest(path);
      if (!content.ok()) return content.status();
      files_[path] = *std::move(content);
    }
    return status_;
  }

  const std::map<std::string, std::string>& files() const { return files_; }
  size_t byte_count() const {
    size_t count = 0;
    for (const auto& file : files_) count += file.second.size();
    return count;
  }
  std::unique_ptr<CrashEnv> Copy() { return env_.CloneAfterProcessCrash(); }

  struct Verdict {
    std::string problem;          // not empty: wrong bytes, or a loss in silence
    bool was_noticed = false;     // by Open, Verify, a get or the scan
    bool verify_noticed = false;  // by Open or Verify
  };

  // Opens the store of `env` and reads everything in every way.
  Verdict Examine(CrashEnv* env) {
    Verdict verdict;
    auto db = opener_(kDir, env);
    if (!db.ok()) {
      verdict.was_noticed = verdict.verify_noticed = true;
      return verdict;
    }
    const Result<VerifyReport> report = (*db)->Verify();
    verdict.verify_noticed = !report.ok() || !report->problems.empty();
    verdict.was_noticed = verdict.verify_noticed;
    std::string missing;
    ExamineSpace(db->get(), expected_[""], &verdict, &missing);
    if (kind_.has_namespaces) ExamineNamespaces(db->get(), &verdict, &missing);
    if (verdict.problem.empty() && !missing.empty() && !verdict.was_noticed) {
      verdict.problem = missing + " is missing and nothing says so";
    }
    return verdict;
  }

 private:
  void Run(const Status& next) {
    if (status_.ok()) status_ = next;
  }

  // The `part`-th of `parts` of a round's writes.
  void WriteRound(int round, int part, int parts, Namespace* space) {
    Contents& expected = expected_[std::string(space->name())];
    for (int i = part; i < 30; i += parts) {
      const std::string key = "key" + std::to_string(100 + (i * 7 + round * 13) % 60);
      std::string value = "value " + std::to_string(round) + "." + std::to_string(i) + " of " + key;
      value.resize(20 + static_cast<size_t>(i % 5) * 20, '#');
      const bool has_deadline = kind_.has_namespaces && i % 4 < 2;
      WriteOptions options;
      if (has_deadline) options.ttl = kTtl;
      Run(space->Put(key, value, options));
      expected[key] = value;
      deadlines_[std::string(space->name()) + "/" + key] = has_deadline;
    }
    if (part == 0) {
      const std::string large_key = "large" + std::to_string(round);
      const std::string large(5000 + static_cast<size_t>(round), static_cast<char>('A' + round));
      Run(space->Put(large_key, large));
      expected[large_key] = large;
    }
    const std::string gone = "key" + std::to_string(100 + round * 3);
    Run(space->Delete(gone));
    expected.erase(gone);
    deleted_.push_back(gone);
    Run(space->DeleteRange("key150", "key152"));
    expected.erase("key150");
    expected.erase("key151");
  }

  void ExamineNamespaces(Db* db, Verdict* verdict, std::string* missing) {
    const Result<std::vector<NamespaceInfo>> names = db->ListNamespaces();
    if (!names.ok()) {
      verdict->was_noticed = true;
      return;
    }
    bool is_there = false;
    for (const NamespaceInfo& info : *names) {
      if (info.name == "gone") verdict->problem = "the dropped namespace is back";
      is_there = is_there || info.name == "orders";
    }
    if (!is_there) *missing = "the namespace";
    if (!is_there || !verdict->problem.empty()) return;
    const Result<std::shared_ptr<Namespace>> space = db->OpenNamespace("orders");
    if (!space.ok()) {
      verdict->was_noticed = true;
    } else {
      ExamineSpace(space->get(), expected_["orders"], verdict, missing);
    }
  }

  void ExamineSpace(Namespace* space, const Contents& expected, Verdict* verdict, std::string* missing) {
    ExamineGets(space, expected, verdict, missing);
    if (verdict->problem.empty()) ExamineScan(space, expected, verdict, missing);
  }

  void ExamineGets(Namespace* space, const Contents& expected, Verdict* verdict, std::string* missing) {
    for (const auto& [key, value] : expected) {
      const Result<std::string> got = space->Get(key);
      if (got.ok() && *got != value) verdict->problem = "get " + key + ": wrong bytes";
      if (got.status().IsNotFound()) *missing = key;
      if (!got.ok() && !got.status().IsNotFound()) verdict->was_noticed = true;
      if (!kind_.has_namespaces) continue;
      const auto ttl = space->TimeToLive(key);
      const bool has_deadline = deadlines_[std::string(space->name()) + "/" + key];
      if (ttl.ok() && (ttl->has_value() != has_deadline || (has_deadline && **ttl > kTtl))) {
        verdict->problem = "time to live of " + key + ": wrong";
      }
    }
    for (const std::string& key : deleted_) {
      const Result<std::string> got = space->Get(key);
      if (got.ok() && expected.count(key) == 0) verdict->problem = "get " + key + ": came back";
    }
  }

  static void ExamineScan(Namespace* space, const Contents& expected, Verdict* verdict, std::string* missing) {
    auto it = space->NewIterator();
    auto next = expected.begin();
    for (it->SeekToFirst(); it->Valid(); it->Next()) {
      const std::string key(it->key());
      const std::string value(it->value());
      if (!it->status().ok()) break;
      const auto at = expected.find(key);
      if (at == expected.end() || at->second != value) {
        verdict->problem = "scan: wrong bytes at " + key;
        return;
      }
      if (next != expected.end() && key != next->first) *missing = next->first;
      next = std::next(at);
    }
    if (!it->status().ok()) {
      verdict->was_noticed = true;
    } else if (next != expected.end()) {
      *missing = next->first;
    }
  }

  const StoreOpener opener_;
  const StoreKind kind_;
  CrashEnv env_;
  Status status_;                             // the first error while it was built
  std::map<std::string, Contents> expected_;  // by namespace
  std::map<std::string, bool> deadlines_;     // namespace/key: whether it has one
  std::vector<std::string> deleted_;
  std::map<std::string, std::string> files_;
};

// The lock, and the event log, which is text for people.
bool IsNoData(const std::string& path) {
  return path.ends_with("/LOCK") || path.ends_with("/EVENTS");
}

// What the log of a closed store says: its changes, or that it is damaged. A byte of a log whose
// change leaves this as it is belongs to no record: preallocated space, or what an earlier use has
// left.
std::string LogOf(CrashEnv* env) {
  std::string text;
  Options options;
  options.env = env;
  const Status status = ReadWal(kDir, options, [&](const WalChange& change) {
    text += std::to_string(change.expire_at_millis) + " " + std::to_string(change.sequence) + " ";
    for (const std::string_view part : {change.kind, change.name_space, change.key, change.value}) {
      text += std::string(part) + "\t";
    }
  });
  return text + status.ToString();
}

// The extension, or the name without digits: what kind of file it is.
std::string KindOf(const std::string& path) {
  std::string name = path.substr(path.rfind('/') + 1);
  name.erase(std::remove_if(name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; }),
             name.end());
  return name;
}

struct FlipReport {
  std::string problem;
  size_t flip_count = 0;
  // By kind of file: flips of bytes that are not zero, and those that Verify did not notice.
  std::map<std::string, std::pair<size_t, size_t>> unnoticed;
};

// Changes every `stride`-th byte of every file, alone: one bit of it, and all when nothing is to be left out.
FlipReport FlipBytes(DamagedStore* store, size_t stride) {
  FlipReport report;
  size_t phase = 0;
  const std::string log = LogOf(store->Copy().get());
  for (const auto& [path, content] : store->files()) {
    if (IsNoData(path)) continue;
    for (size_t offset = phase++ % stride; offset < content.size(); offset += stride) {
      for (const uint32_t mask : {1u << (offset * 5 % 8), 0xffu}) {
        if (mask == 0xff && !IsExhaustive()) continue;
        const auto env = store->Copy();
        EXPECT_OK(env->CorruptByte(path, offset, static_cast<uint8_t>(mask)));
        // Of a log, some bytes belong to no record; what the store makes of them is looked at all the same.
        const bool is_unused = path.ends_with(".wal") && LogOf(env.get()) == log;
        const DamagedStore::Verdict verdict = store->Examine(env.get());
        report.flip_count++;
        if (!verdict.problem.empty()) {
          report.problem = path + " offset " + std::to_string(offset) + " of " + std::to_string(content.size()) +
                           " mask " + std::to_string(mask) + ": " + verdict.problem;
          return report;
        }
        if (is_unused || content[offset] == '\0') continue;  // the latter may be padding
        auto& [flips, missed] = report.unnoticed[KindOf(path)];
        flips++;
        if (verdict.verify_noticed) continue;
        if (missed++ == 0) std::printf("  %s offset %zu: unnoticed\n", path.c_str(), offset);
      }
    }
  }
  return report;
}

// What happens when files are cut, missing or exchanged. Returns the first problem.
std::string CutFiles(DamagedStore* store, size_t lengths_per_file) {
  for (const auto& [path, content] : store->files()) {
    if (IsNoData(path) || content.empty()) continue;
    for (size_t i = 0; i < lengths_per_file; i++) {
      const size_t length = content.size() * i / lengths_per_file;
      // A tail of zeros is preallocated space.
      if (content.find_first_not_of('\0', length) == std::string::npos) continue;
      const auto env = store->Copy();
      EXPECT_OK(env->WriteFileForTest(path, std::string_view(content).substr(0, length)));
      const DamagedStore::Verdict verdict = store->Examine(env.get());
      if (!verdict.problem.empty()) {
        return path + " cut to " + std::to_string(length) + " of " +
               std::to_string(content.size()) + ": " + verdict.problem;
      }
    }
  }
  return {};
}

std::string RemoveFiles(DamagedStore* store) {
  for (const auto& file : store->files()) {
    if (IsNoData(file.first)) continue;
    const auto env = store->Copy();
    EXPECT_OK(env->RemoveFile(file.first));
    const DamagedStore::Verdict verdict = store->Examine(env.get());
    if (!verdict.problem.empty()) return file.first + " removed: " + verdict.problem;
  }
  return {};
}

std::string SwapFiles(DamagedStore* store) {
  for (const auto& [a, a_content] : store->files()) {
    for (const auto& [b, b_content] : store->files()) {
      if (a >= b || IsNoData(a) || IsNoData(b) || a_content == b_content) continue;
      const auto env = store->Copy();
      EXPECT_OK(env->WriteFileForTest(a, b_content));
      EXPECT_OK(env->WriteFileForTest(b, a_content));
      const DamagedStore::Verdict verdict = store->Examine(env.get());
      if (!verdict.problem.empty()) return a + " and " + b + " swapped: " + verdict.problem;
    }
  }
  return {};
}

StoreOpener FakeOpener(FakeBug bug) {
  return [bug](const std::string& dir, Env* env) {
    Options options;
    options.env = env;
    options.create_if_missing = true;
    return FakeDb::Open(dir, options, bug);
  };
}

class CorruptionTest : public ::testing::TestWithParam<std::tuple<Compression, bool, bool>> {
 protected:
  void SetUp() override {
    const auto [compression, mapped_log, has_namespaces] = GetParam();
    StoreConfig config = SmallStoreConfig();
    config.tuning.idle_millis = 1'000'000;  // the damage is examined, not compacted away
    config.tuning.mapped_log = mapped_log;
    config.options.compression = compression;
    store_ = std::make_unique<DamagedStore>(OpenerFor(config), StoreKind{compression, mapped_log, has_namespaces});
    ASSERT_OK(store_->Build());
    // As built, everything is fine.
    const auto env = store_->Copy();
    const DamagedStore::Verdict verdict = store_->Examine(env.get());
    ASSERT_EQ(verdict.problem, "");
    ASSERT_FALSE(verdict.was_noticed);
  }

  std::unique_ptr<DamagedStore> store_;
};

std::string NameOfStore(const ::testing::TestParamInfo<CorruptionTest::ParamType>& store) {
  const auto& [compression, mapped_log, has_namespaces] = store.param;
  std::string name = "Zstd";
  if (compression == Compression::kNone) name = "None";
  if (compression == Compression::kLz4) name = "Lz4";
  return name + (mapped_log ? "MappedLog" : "WrittenLog") + (has_namespaces ? "Namespaces" : "");
}

INSTANTIATE_TEST_SUITE_P(Stores, CorruptionTest,
                         ::testing::Combine(::testing::Values(Compression::kNone, Compression::kLz4, Compression::kZstd),
                                            ::testing::Bool(), ::testing::Bool()),
                         NameOfStore);

TEST_P(CorruptionTest, FlippedByteIsNeverReturned) {
  const size_t stride = IsExhaustive() ? 1 : std::max<size_t>(1, store_->byte_count() / Scaled(1000)) | 1;
  const FlipReport report = FlipBytes(store_.get(), stride);
  EXPECT_EQ(report.problem, "");
  const std::string every = stride == 1 ? "each byte" : "one byte in " + std::to_string(stride);
  std::printf("  %zu bytes in %zu files, %zu flips, %s\n", store_->byte_count(), store_->files().size(),
              report.flip_count, every.c_str());
  RecordProperty("flipped_bytes", std::to_string(report.flip_count));
  for (const auto& [kind, counts] : report.unnoticed) {
    std::printf("  %s: %zu flips, %zu unnoticed\n", kind.c_str(), counts.first, counts.second);
    EXPECT_EQ(counts.second, 0u) << kind << ": verify reports damage to every used byte";
  }
}

TEST_P(CorruptionTest, CutFileIsNoticed) { EXPECT_EQ(CutFiles(store_.get(), Scaled(40)), ""); }

TEST_P(CorruptionTest, MissingFileIsNoticed) { EXPECT_EQ(RemoveFiles(store_.get()), ""); }

TEST_P(CorruptionTest, SwappedFilesAreNoticed) { EXPECT_EQ(SwapFiles(store_.get()), ""); }

TEST(CorruptionHarnessTest, CorrectFakeNoticesEverything) {
  DamagedStore store(FakeOpener(FakeBug::kNone));
  ASSERT_OK(store.Build());
  const FlipReport report = FlipBytes(&store, 97);
  EXPECT_EQ(report.problem, "");
  EXPECT_EQ(report.unnoticed.at("fake.log").second, 0u);
  EXPECT_EQ(CutFiles(&store, 20), "");
}

TEST(CorruptionHarnessTest, MissingChecksumIsFound) {
  DamagedStore store(FakeOpener(FakeBug::kNoChecksum));
  ASSERT_OK(store.Build());
  EXPECT_NE(FlipBytes(&store, 97).problem, "");
}

TEST(CorruptionHarnessTest, SilentLossOfATailIsFound) {
  DamagedStore store(FakeOpener(FakeBug::kLosesTail));
  ASSERT_OK(store.Build());
  EXPECT_NE(FlipBytes(&store, 97).problem, "");
  EXPECT_NE(CutFiles(&store, 20), "");
}

}  // namespace corruption_test
}  // namespace varve::test

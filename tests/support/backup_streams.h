// Backups in memory: a sink into a string, and a source from one. Both fail on request.
#ifndef VARVE_TESTS_SUPPORT_BACKUP_STREAMS_H_
#define VARVE_TESTS_SUPPORT_BACKUP_STREAMS_H_

#include <algorithm>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "env/env.h"
#include "tests/support/workload.h"
#include "varve/backup.h"
#include "varve/db.h"

namespace varve::test {

class StringSink : public BackupSink {
 public:
  Status Append(std::string_view piece) override {
    if (++calls == fail_at) return Status::IoError("the sink fails");
    if (before_append) before_append();
    bytes.append(piece);
    return Status::Ok();
  }
  Status Finish() override {
    if (++calls == fail_at) return Status::IoError("the sink fails");
    is_finished = true;
    return Status::Ok();
  }

  std::string bytes;
  bool is_finished = false;
  size_t calls = 0;
  size_t fail_at = 0;  // 0: never
  std::function<void()> before_append;
};

class StringSource : public BackupSource {
 public:
  // Reads at most `step` bytes at a time.
  explicit StringSource(std::string_view bytes, size_t step = ~size_t{0}) : rest_(bytes), step_(step) {}
  Result<size_t> Read(char* buffer, size_t size) override {
    if (++calls == fail_at) return Status::IoError("the source fails");
    const size_t got = std::min({size, step_, rest_.size()});
    std::copy_n(rest_.data(), got, buffer);
    rest_.remove_prefix(got);
    return got;
  }

  size_t calls = 0;
  size_t fail_at = 0;

 private:
  std::string_view rest_;
  const size_t step_;
};

// A backup in memory.
struct TakenBackup {
  std::string bytes;
  BackupSummary summary;
};
inline Result<TakenBackup> TakeBackup(Db* db, const BackupSummary* since = nullptr) {
  StringSink sink;
  auto summary = db->Backup(sink, {.since = since});
  if (!summary.ok()) return summary.status();
  return TakenBackup{std::move(sink.bytes), *std::move(summary)};
}

inline Status RestoreFrom(const std::vector<std::string_view>& chain, const std::string& dir, Env* env) {
  std::vector<StringSource> sources(chain.begin(), chain.end());
  std::vector<BackupSource*> pointers;
  for (StringSource& source : sources) pointers.push_back(&source);
  return Db::Restore(pointers, dir, {.env = env}).status();
}

// Every key of every namespace, behind its name and a slash; "=" and the deadline, if any, behind the value.
inline Result<Contents> ReadAllNamespaces(Db* db) {
  Contents contents;
  const auto add = [&](Namespace& space) {
    const std::string prefix = std::string(space.name()) + "/";
    const auto it = space.NewIterator({});
    for (it->SeekToFirst(); it->Valid(); it->Next()) {
      std::string value(it->value());
      if (it->expire_at_millis() != 0) value += "=" + std::to_string(it->expire_at_millis());
      contents[prefix + std::string(it->key())] = std::move(value);
    }
    return it->status();
  };
  Status status = add(*db);
  if (!status.ok()) return status;
  const auto infos = db->ListNamespaces();
  if (!infos.ok()) return infos.status();
  for (const NamespaceInfo& info : *infos) {
    const auto space = db->OpenNamespace(info.name, {.create_if_missing = false});
    if (!space.ok()) return space.status();
    status = add(**space);
    if (!status.ok()) return status;
  }
  return contents;
}

// Empty when they are equal.
inline std::string Differing(const Contents& expected, const Contents& found) {
  return expected == found ? "" : Difference(expected, found);
}

}  // namespace varve::test

#endif  // VARVE_TESTS_SUPPORT_BACKUP_STREAMS_H_

#include "tests/support/workload.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <string_view>

#include "base/random.h"
#include "base/status_macros.h"

namespace varve::test {
namespace {

// What a model takes for the value of a key that expires.
std::string WithDeadline(std::string_view value, uint64_t expire_at_millis) {
  std::string shown(value);
  if (expire_at_millis != 0) shown += " until " + std::to_string(expire_at_millis);
  return shown;
}

std::chrono::system_clock::time_point Moment(uint64_t millis) {
  return std::chrono::system_clock::time_point(std::chrono::milliseconds(millis));
}

std::string KeyNumber(size_t number) {
  std::string digits = std::to_string(number);
  return "key" + std::string(4 - std::min<size_t>(4, digits.size()), '0') + digits;
}

// About `size` bytes, half compressible, that start with the step's number; nothing for a size of
// 0.
std::string ValueOf(size_t step, size_t size, Random* random) {
  if (size == 0) return {};
  std::string value = "step " + std::to_string(step) + " ";
  const size_t size_min = value.size();
  while (value.size() < size) {
    value.append(8, static_cast<char>('a' + random->Uniform(26)));
    const uint64_t bits = random->Next();
    value.append(reinterpret_cast<const char*>(&bits), sizeof(bits));
  }
  value.resize(std::max(size, size_min));
  return value;
}

Change RandomChange(size_t step, const WorkloadOptions& options, Random* random) {
  Change change;
  const size_t number = random->Uniform(options.key_count);
  change.key = KeyNumber(number);
  const uint64_t choice = random->Uniform(24);
  if (choice < 5) {
    change.kind = Change::Kind::kDelete;
  } else if (choice == 5) {
    change.kind = Change::Kind::kDeleteRange;
    // Never empty: a store need not do anything for a write of nothing, not even sync.
    change.value = KeyNumber(number + 1 + random->Uniform(options.key_count / 4));
  } else {
    const bool is_large = choice < 8;
    const size_t size =
        is_large ? options.large_value_bytes : random->Uniform(options.value_bytes_max + 1);
    change.value = ValueOf(step, size, random);
    constexpr uint64_t kFarAhead = 4'000'000'000'000;  // in the year 2096
    if (options.with_deadlines && random->OneIn(2)) change.expire_at_millis = kFarAhead + step;
  }
  return change;
}

Durability RandomDurability(const WorkloadOptions& options, Random* random) {
  const uint64_t choice = random->Uniform(10);
  if (choice < 3) return Durability::kSync;
  if (choice < 5 && options.with_none) return Durability::kNone;
  return Durability::kProcess;
}

Result<Contents> Scan(Db* db) {
  Contents contents;
  auto it = db->NewIterator();
  for (it->SeekToFirst(); it->Valid(); it->Next()) {
    const std::string_view value = it->value();
    contents[std::string(it->key())] = WithDeadline(value, it->Valid() ? it->expire_at_millis() : 0);
    // A value that cannot be read shows in the status, not in Valid().
    VARVE_RETURN_IF_ERROR(it->status());
  }
  VARVE_RETURN_IF_ERROR(it->status());
  return contents;
}

}  // namespace

void ApplyChange(const Change& change, Contents* contents) {
  switch (change.kind) {
    case Change::Kind::kPut:
      (*contents)[change.key] = WithDeadline(change.value, change.expire_at_millis);
      return;
    case Change::Kind::kDelete:
      contents->erase(change.key);
      return;
    case Change::Kind::kDeleteRange:
      if (change.key >= change.value) return;
      contents->erase(contents->lower_bound(change.key), contents->lower_bound(change.value));
      return;
  }
}

void AddToBatch(const Change& change, WriteBatch* batch) {
  switch (change.kind) {
    case Change::Kind::kPut:
      if (change.expire_at_millis == 0) return batch->Put(change.key, change.value);
      return batch->Put(change.key, change.value, Moment(change.expire_at_millis));
    case Change::Kind::kDelete:
      return batch->Delete(change.key);
    case Change::Kind::kDeleteRange:
      return batch->DeleteRange(change.key, change.value);
  }
}

std::string Step::ToString() const {
  switch (kind) {
    case Kind::kFlush:
      return "flush";
    case Kind::kCompact:
      return "compact";
    case Kind::kSync:
      return "sync";
    case Kind::kReopen:
      return "reopen";
    case Kind::kWrite:
      break;
  }
  std::string text = durability == Durability::kSync   ? "sync write"
                     : durability == Durability::kNone ? "none write"
                                                       : "write";
  for (const Change& change : changes) {
    text += change.kind == Change::Kind::kPut      ? " put "
            : change.kind == Change::Kind::kDelete ? " delete "
                                                   : " delete range ";
    text += change.key;
    if (change.kind == Change::Kind::kPut) text += "=" + std::to_string(change.value.size()) + "B";
    if (change.kind == Change::Kind::kDeleteRange) text += ".." + change.value;
  }
  return text;
}

namespace {

Status ApplyInTransaction(const Change& change, Transaction* t) {
  switch (change.kind) {
    case Change::Kind::kPut:
      return t->Put(change.key, change.value);
    case Change::Kind::kDelete:
      return t->Delete(change.key);
    case Change::Kind::kDeleteRange:
      return t->DeleteRange(change.key, change.value);
  }
  return Status::InvalidArgument("no such change");
}

Status RunTransaction(Db* db, const Step& step, const WriteOptions& options) {
  return db->Transact(
      [&](Transaction& t) {
        // What is taken back must leave no trace, in the log neither.
        Status status = t.SetSavepoint();
        if (status.ok()) status = t.Put("taken back", "1");
        if (status.ok()) status = t.RollbackToSavepoint();
        for (const Change& change : step.changes) {
          if (!status.ok()) return status;
          status = t.Get(change.key).status();
          if (status.IsNotFound()) status = Status::Ok();
          if (status.ok()) status = ApplyInTransaction(change, &t);
        }
        return status;
      },
      {.write = options});
}

}  // namespace

Status RunStep(Db* db, const Step& step) {
  switch (step.kind) {
    case Step::Kind::kFlush:
      return db->Flush();
    case Step::Kind::kCompact:
      return db->Compact();
    case Step::Kind::kSync:
      return db->Sync();
    case Step::Kind::kReopen:
      return Status::InvalidArgument("a reopen is the caller's");
    case Step::Kind::kWrite:
      break;
  }
  WriteOptions options{.durability = step.durability};
  if (step.is_transaction) return RunTransaction(db, step, options);
  if (step.changes.size() == 1) {
    const Change& change = step.changes.front();
    if (change.expire_at_millis != 0) options.expire_at = Moment(change.expire_at_millis);
    switch (change.kind) {
      case Change::Kind::kPut:
        return db->Put(change.key, change.value, options);
      case Change::Kind::kDelete:
        return db->Delete(change.key, options);
      case Change::Kind::kDeleteRange:
        return db->DeleteRange(change.key, change.value, options);
    }
  }
  WriteBatch batch;
  for (const Change& change : step.changes) AddToBatch(change, &batch);
  return db->Write(batch, options);
}

std::vector<Step> MakeWorkload(uint64_t seed, const WorkloadOptions& options) {
  Random random(seed);
  std::vector<Step> steps;
  for (size_t i = 0; i < options.step_count; i++) {
    Step step;
    const uint64_t choice = random.Uniform(100);
    if (choice < 4) {
      step.kind = Step::Kind::kFlush;
    } else if (choice < 6) {
      step.kind = Step::Kind::kCompact;
    } else if (choice < 8) {
      step.kind = Step::Kind::kSync;
    } else if (choice < 10 && options.with_reopen) {
      step.kind = Step::Kind::kReopen;
    } else {
      step.durability = RandomDurability(options, &random);
      step.is_transaction = options.with_transactions;
      const size_t change_count =
          random.OneIn(options.with_transactions ? 2 : 6) ? 2 + random.Uniform(8) : 1;
      while (step.changes.size() < change_count) {
        step.changes.push_back(RandomChange(i, options, &random));
      }
    }
    steps.push_back(std::move(step));
  }
  return steps;
}

std::vector<Contents> StatesOf(const std::vector<Step>& steps) {
  std::vector<Contents> states(1);
  for (const Step& step : steps) {
    states.push_back(states.back());
    for (const Change& change : step.changes) ApplyChange(change, &states.back());
  }
  return states;
}

std::optional<size_t> FindState(const std::vector<Contents>& states, const Contents& seen,
                                size_t first, size_t last) {
  for (size_t i = last + 1; i > first; i--) {
    if (states[i - 1] == seen) return i - 1;
  }
  return std::nullopt;
}

Result<Contents> ReadContents(Db* db) {
  VARVE_ASSIGN_OR_RETURN(Contents contents, Scan(db));
  for (const auto& [key, value] : contents) {
    VARVE_ASSIGN_OR_RETURN(const std::string got, db->Get(key));
    if (!value.starts_with(got)) return Status::Corruption("get and scan disagree on " + key);
  }
  return contents;
}

std::string Difference(const Contents& expected, const Contents& found) {
  std::string text;
  size_t count = 0;
  const auto describe = [](const Contents& contents, const std::string& key) {
    const auto it = contents.find(key);
    if (it == contents.end()) return std::string("absent");
    return std::to_string(it->second.size()) + " bytes \"" + it->second.substr(0, 10) + "\"";
  };
  Contents both = expected;
  both.insert(found.begin(), found.end());
  for (const auto& entry : both) {
    const std::string& key = entry.first;
    const auto a = expected.find(key);
    const auto b = found.find(key);
    if (a != expected.end() && b != found.end() && a->second == b->second) continue;
    if (++count <= 5) {
      text +=
          key + ": expected " + describe(expected, key) + ", found " + describe(found, key) + "\n";
    }
  }
  return std::to_string(count) + " keys differ\n" + text;
}

double TestScale() {
  const char* text = std::getenv("VARVE_TEST_SCALE");
  const double scale = text == nullptr ? 1.0 : std::atof(text);
  return scale > 0 ? scale : 1.0;
}

size_t Scaled(size_t count) {
  return std::max<size_t>(1, static_cast<size_t>(static_cast<double>(count) * TestScale()));
}

bool IsExhaustive() {
  const char* text = std::getenv("VARVE_TEST_EXHAUSTIVE");
  return text != nullptr && std::string_view(text) == "1";
}

size_t StrideOf(size_t all, size_t limit) { return IsExhaustive() ? 1 : all / limit + 1; }

}  // namespace varve::test

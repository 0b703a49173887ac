#include "tests/support/model.h"

#include <algorithm>

namespace varve::test {
namespace {

std::string Show(std::string_view bytes) {
  std::string text = "\"";
  for (const char c : bytes.substr(0, 24)) {
    constexpr char kDigits[] = "0123456789abcdef";
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f) {
      text += c;
    } else {
      text += {'\\', 'x', kDigits[byte / 16], kDigits[byte % 16]};
    }
  }
  return text + (bytes.size() > 24 ? "...\" (" + std::to_string(bytes.size()) + " bytes)" : "\"");
}

std::string Failure(const std::string& what, const Status& status) {
  return status.ok() ? "" : what + ": " + status.ToString();
}

// What a read answered against what it should have.
std::string Compare(const std::string& what, const Contents& contents, const std::string& key,
                    const Status& status, std::string_view got) {
  const auto it = contents.find(key);
  if (it == contents.end()) {
    if (status.IsNotFound()) return {};
    return what + " " + Show(key) + ": expected not found, got " +
           (status.ok() ? Show(got) : status.ToString());
  }
  if (!status.ok()) return what + " " + Show(key) + ": " + status.ToString();
  if (got == it->second) return {};
  return what + " " + Show(key) + ": expected " + Show(it->second) + ", got " + Show(got);
}

std::vector<std::string> MakeKeys(Random* random) {
  std::vector<std::string> keys = {"", std::string(1, '\0'), std::string(3, '\xff'),
                                   std::string("a\0b", 3)};
  const char* const kPrefixes[] = {"", "user/", "user/1", "z\xff", "\xff\xff"};
  const size_t count = 40 + random->Uniform(300);
  while (keys.size() < count) {
    std::string key = kPrefixes[random->Uniform(std::size(kPrefixes))];
    const size_t length = random->OneIn(60) ? 500 + random->Uniform(3000) : random->Uniform(12);
    for (size_t i = 0; i < length; i++) {
      // Few different bytes, so that keys share beginnings.
      key += random->OneIn(10) ? static_cast<char>(random->Next())
                               : static_cast<char>('a' + random->Uniform(3));
    }
    keys.push_back(std::move(key));
  }
  return keys;
}

}  // namespace

ModelRun::ModelRun(uint64_t seed, StoreOpener opener, std::string dir, Env* env)
    : random_(seed),
      opener_(std::move(opener)),
      dir_(std::move(dir)),
      env_(env),
      keys_(MakeKeys(&random_)) {}

ModelRun::~ModelRun() { DropViews(); }

std::string ModelRun::Run(size_t step_count) {
  std::string difference = DoReopen();
  for (; difference.empty() && step_ < step_count; step_++) difference = Step();
  if (difference.empty()) difference = CompareAll();
  if (difference.empty()) difference = DoReopen();
  if (difference.empty()) return {};
  std::string report = "step " + std::to_string(step_) + ": " + difference + "\nlast steps:\n";
  for (const std::string& line : trace_) report += "  " + line + "\n";
  return report;
}

std::string ModelRun::Step() {
  const uint64_t choice = random_.Uniform(1000);
  if (choice < 430) return DoWrite();
  if (choice < 490) return DoBatch();
  if (choice < 505) return DoDeleteRange();
  if (choice < 560) return DoCompareAndSet();
  if (choice < 700) return DoGet();
  if (choice < 730) return DoMultiGet();
  if (choice < 780) return DoNewIterator();
  if (choice < 960) return DoMoveIterator();
  if (choice < 975) return DoSnapshot();
  if (choice < 990) return DoMaintenance();
  if (choice < 995) return CompareAll();
  return DoReopen();
}

std::string ModelRun::DoWrite() {
  const std::string key = RandomKey();
  Change change;
  change.key = key;
  Status status;
  if (random_.OneIn(4)) {
    Note("delete " + Show(key));
    change.kind = Change::Kind::kDelete;
    status = db_->Delete(key, RandomWriteOptions());
  } else {
    change.value = RandomValue();
    Note("put " + Show(key) + " " + Show(change.value));
    status = db_->Put(key, change.value, RandomWriteOptions());
  }
  if (!status.ok()) return status.ToString();
  ApplyChange(change, contents_.get());
  return CompareValue(key, nullptr, *contents_);
}

std::string ModelRun::DoBatch() {
  WriteBatch batch;
  Contents after = *contents_;
  const size_t count = random_.Uniform(20);
  std::string text;
  for (size_t i = 0; i < count; i++) {
    Change change;
    change.key = RandomKey();
    const uint64_t choice = random_.Uniform(12);
    change.kind = choice < 8    ? Change::Kind::kPut
                  : choice < 11 ? Change::Kind::kDelete
                                : Change::Kind::kDeleteRange;
    if (change.kind == Change::Kind::kPut) change.value = RandomValue();
    if (change.kind == Change::Kind::kDeleteRange) change.value = RandomKey();
    AddToBatch(change, &batch);
    ApplyChange(change, &after);
    text += (i == 0 ? "" : ", ") + std::to_string(static_cast<int>(change.kind)) + " " +
            Show(change.key);
  }
  Note("batch of " + std::to_string(count) + ": " + text);
  *contents_ = std::move(after);
  return Failure("batch", db_->Write(batch, RandomWriteOptions()));
}

std::string ModelRun::DoDeleteRange() {
  Change change{Change::Kind::kDeleteRange, RandomKey(), RandomKey()};
  // Mostly a short range; sometimes any, empty and inverted ones among them.
  if (!random_.OneIn(4)) {
    auto it = contents_->lower_bound(change.key);
    for (uint64_t n = random_.Uniform(10); n > 0 && it != contents_->end(); n--) ++it;
    if (it != contents_->end()) change.value = it->first;
  }
  Note("delete range " + Show(change.key) + " " + Show(change.value));
  ApplyChange(change, contents_.get());
  return Failure("delete range", db_->DeleteRange(change.key, change.value, RandomWriteOptions()));
}

std::string ModelRun::DoCompareAndSet() {
  const std::string key = RandomKey();
  const auto it = contents_->find(key);
  std::optional<std::string> present;
  if (it != contents_->end()) present = it->second;
  const std::optional<std::string> expected =
      random_.OneIn(4) ? (random_.OneIn(2) ? std::optional<std::string>("other") : std::nullopt)
                       : present;
  std::optional<std::string> desired;
  if (!random_.OneIn(4)) desired = RandomValue();
  Note("compare and set " + Show(key) + (expected == present ? "" : ", must conflict"));
  const Status status = db_->CompareAndSet(key, expected, desired, RandomWriteOptions());
  const StatusCode code = expected == present ? StatusCode::kOk : StatusCode::kConflict;
  if (status.code() != code) {
    return "compare and set " + Show(key) + ": expected " + std::string(StatusCodeName(code)) +
           ", got " + status.ToString();
  }
  if (status.ok() && desired.has_value()) (*contents_)[key] = *desired;
  if (status.ok() && !desired.has_value()) contents_->erase(key);
  return CompareValue(key, nullptr, *contents_);
}

std::string ModelRun::DoGet() {
  const HeldSnapshot* held = RandomSnapshot();
  if (held == nullptr) return CompareValue(RandomKey(), nullptr, *contents_);
  return CompareValue(RandomKey(), held->snapshot.get(), *held->contents);
}

std::string ModelRun::DoMultiGet() {
  std::vector<std::string> keys(random_.Uniform(40));
  for (std::string& key : keys) key = RandomKey();
  const HeldSnapshot* held = RandomSnapshot();
  const ReadOptions options{.snapshot = held == nullptr ? nullptr : held->snapshot.get()};
  const auto results =
      db_->MultiGet(std::vector<std::string_view>(keys.begin(), keys.end()), options);
  if (results.size() != keys.size()) return "multi-get: wrong number of results";
  for (size_t i = 0; i < keys.size(); i++) {
    std::string difference =
        Compare("multi-get", held == nullptr ? *contents_ : *held->contents, keys[i],
                results[i].status(), results[i].ok() ? *results[i] : std::string());
    if (!difference.empty()) return difference;
  }
  return {};
}

std::string ModelRun::DoNewIterator() {
  constexpr size_t kHeldMax = 4;
  if (iterators_.size() == kHeldMax) {
    iterators_.erase(iterators_.begin() + static_cast<ptrdiff_t>(random_.Uniform(kHeldMax)));
  }
  const HeldSnapshot* held = RandomSnapshot();
  const std::string lower = RandomKey();
  const std::string upper = RandomKey();
  const std::string prefix = RandomKey().substr(0, 1 + random_.Uniform(5));
  IteratorOptions options;
  if (random_.OneIn(3)) options.lower_bound = lower;
  if (random_.OneIn(3)) options.upper_bound = upper;
  if (random_.OneIn(3)) options.prefix = prefix;
  if (held != nullptr) options.snapshot = held->snapshot.get();
  Note(std::string("new iterator") + (options.lower_bound ? " from " + Show(lower) : "") +
       (options.upper_bound ? " to " + Show(upper) : "") +
       (options.prefix.empty() ? "" : " prefix " + Show(prefix)) +
       (held == nullptr ? "" : " in a snapshot"));
  std::shared_ptr<const Contents> contents =
      held == nullptr ? std::make_shared<const Contents>(*contents_) : held->contents;
  iterators_.push_back(
      {db_->NewIterator(options),
       std::make_unique<MapIterator>(std::move(contents), options, MapIterator::Bugs{})});
  if (iterators_.back().iterator->Valid()) return "iterator valid before the first seek";
  return DoMoveIterator();
}

std::string ModelRun::DoMoveIterator() {
  if (iterators_.empty()) return {};
  HeldIterator& held = iterators_[random_.Uniform(iterators_.size())];
  for (uint64_t moves = 1 + random_.Uniform(12); moves > 0; moves--) {
    const uint64_t choice = random_.Uniform(10);
    const std::string target = RandomKey();
    const auto both = [&](auto&& move) {
      move(held.iterator.get());
      move(held.model.get());
    };
    if (choice == 0) {
      Note("seek to first");
      both([](Iterator* it) { it->SeekToFirst(); });
    } else if (choice == 1) {
      Note("seek to last");
      both([](Iterator* it) { it->SeekToLast(); });
    } else if (choice == 2 || (!held.model->Valid() && choice < 6)) {
      Note("seek " + Show(target));
      both([&](Iterator* it) { it->Seek(target); });
    } else if (choice == 3 || !held.model->Valid()) {
      Note("seek for prev " + Show(target));
      both([&](Iterator* it) { it->SeekForPrev(target); });
    } else if (choice < 7) {
      Note("next");
      both([](Iterator* it) { it->Next(); });
    } else {
      Note("prev");
      both([](Iterator* it) { it->Prev(); });
    }
    std::string difference = CompareIterators(&held);
    if (!difference.empty()) return difference;
  }
  return {};
}

std::string ModelRun::CompareIterators(HeldIterator* held) {
  Iterator* it = held->iterator.get();
  MapIterator* model = held->model.get();
  if (!it->status().ok()) return "iterator: " + it->status().ToString();
  const auto position = [](Iterator* i) { return i->Valid() ? "at " + Show(i->key()) : "invalid"; };
  if (it->Valid() != model->Valid() || (it->Valid() && it->key() != model->key())) {
    return "iterator " + position(it) + ", expected " + position(model);
  }
  if (!it->Valid()) return {};
  if (it->value() == model->value()) return {};
  return "iterator at " + Show(it->key()) + ": value " + Show(it->value()) + ", expected " +
         Show(model->value());
}

std::string ModelRun::DoSnapshot() {
  constexpr size_t kHeldMax = 4;
  if (snapshots_.size() == kHeldMax || (!snapshots_.empty() && random_.OneIn(3))) {
    Note("release a snapshot");
    // An iterator may outlive its snapshot.
    snapshots_.erase(snapshots_.begin() +
                     static_cast<ptrdiff_t>(random_.Uniform(snapshots_.size())));
    return {};
  }
  Note("take a snapshot");
  snapshots_.push_back({db_->GetSnapshot(), std::make_shared<const Contents>(*contents_)});
  return {};
}

std::string ModelRun::DoMaintenance() {
  const uint64_t choice = random_.Uniform(10);
  if (choice < 5) {
    Note("flush");
    return Failure("flush", db_->Flush());
  }
  if (choice < 7) {
    Note("compact");
    return Failure("compact", db_->Compact());
  }
  if (choice < 9) {
    Note("wait for background work");
    return Failure("wait", db_->WaitForBackgroundWork());
  }
  Note("sync");
  return Failure("sync", db_->Sync());
}

std::string ModelRun::DoReopen() {
  Note("reopen");
  DropViews();
  db_.reset();
  auto db = opener_(dir_, env_);
  if (!db.ok()) return "open: " + db.status().ToString();
  db_ = *std::move(db);
  return CompareAll();
}

std::string ModelRun::CompareValue(const std::string& key, const Snapshot* snapshot,
                                   const Contents& contents) {
  const ReadOptions options{.snapshot = snapshot};
  switch (random_.Uniform(3)) {
    case 0: {
      const Result<std::string> got = db_->Get(key, options);
      return Compare("get", contents, key, got.status(), got.ok() ? *got : std::string());
    }
    case 1: {
      const Result<PinnedValue> got = db_->GetPinned(key, options);
      return Compare("get pinned", contents, key, got.status(),
                     got.ok() ? got->view() : std::string_view());
    }
    default: {
      std::string value = "from before";
      const Status status = db_->Get(key, &value, options);
      if (!status.ok() && !value.empty()) return "get left the value of before";
      return Compare("get into", contents, key, status, value);
    }
  }
}

std::string ModelRun::CompareAll() {
  for (const bool forward : {true, false}) {
    HeldIterator all{db_->NewIterator(),
                     std::make_unique<MapIterator>(std::make_shared<const Contents>(*contents_),
                                                   IteratorOptions{}, MapIterator::Bugs{})};
    const auto both = [&](auto&& move) {
      move(all.iterator.get());
      move(all.model.get());
    };
    both([&](Iterator* it) { forward ? it->SeekToFirst() : it->SeekToLast(); });
    for (;;) {
      std::string difference = CompareIterators(&all);
      if (!difference.empty()) return (forward ? "scan: " : "reverse scan: ") + difference;
      if (!all.model->Valid()) break;
      both([&](Iterator* it) { forward ? it->Next() : it->Prev(); });
    }
  }
  for (const std::string& key : keys_) {
    std::string difference = CompareValue(key, nullptr, *contents_);
    if (!difference.empty()) return difference;
  }
  return {};
}

void ModelRun::DropViews() {
  iterators_.clear();
  snapshots_.clear();
}

std::string ModelRun::RandomKey() {
  std::string key = keys_[random_.Uniform(keys_.size())];
  // Now and then a neighbour that nobody wrote.
  if (random_.OneIn(20)) key += static_cast<char>(random_.Next());
  return key;
}

std::string ModelRun::RandomValue() {
  const uint64_t choice = random_.Uniform(40);
  size_t size = random_.Uniform(60);
  if (choice == 0) size = 0;
  if (choice == 1) size = 4000 + random_.Uniform(9000);
  if (choice == 2) size = 300 + random_.Uniform(2000);
  std::string value(size, static_cast<char>('a' + random_.Uniform(26)));
  for (size_t i = 0; i < std::min<size_t>(size, 8 + size / 2); i++) {
    value[i] = static_cast<char>(random_.Next());
  }
  return value;
}

WriteOptions ModelRun::RandomWriteOptions() {
  switch (random_.Uniform(20)) {
    case 0:
      return {.durability = Durability::kSync};
    case 1:
    case 2:
      return {.durability = Durability::kNone};
    case 3:
      return {.durability = Durability::kProcess};
    default:
      return {};
  }
}

const ModelRun::HeldSnapshot* ModelRun::RandomSnapshot() {
  if (snapshots_.empty() || random_.OneIn(2)) return nullptr;
  return &snapshots_[random_.Uniform(snapshots_.size())];
}

void ModelRun::Note(std::string what) {
  constexpr size_t kKept = 30;
  if (trace_.size() == kKept) trace_.erase(trace_.begin());
  trace_.push_back(std::to_string(step_) + " " + std::move(what));
}

}  // namespace varve::test

#include "tests/support/repair_model.h"

#include <algorithm>
#include <set>

#include "base/random.h"
#include "base/status_macros.h"

namespace varve::test {
namespace {

constexpr uint64_t kMinuteNanos = 60'000'000'000;

StoreConfig ConfigFor(uint64_t seed) {
  StoreConfig config = RandomStoreConfig(seed);
  // Damage needs blocks, and blocks keys.
  config.tuning.idle_millis = 20;
  return config;
}

std::string KeyOf(Random* random) {
  std::string key = "k" + std::to_string(100 + random->Uniform(90));
  if (random->OneIn(20)) key.insert(0, 1, '\xff');
  return key;
}

bool IsCovered(const std::vector<RepairLoss>& losses, const std::string& space,
               const std::string& key) {
  return std::any_of(losses.begin(), losses.end(), [&](const RepairLoss& loss) {
    return loss.range.Contains(space, key);
  });
}

// Whether the table of namespaces has lost something: then any namespace may go by another name.
bool TableIsDamaged(const RepairReport& report) {
  const auto is_table = [](const RepairLoss& loss) {
    return loss.range.is_everything || loss.range.name_space == "#0";
  };
  return std::any_of(report.losses.begin(), report.losses.end(), is_table) ||
         std::any_of(report.undecided.begin(), report.undecided.end(), is_table);
}

}  // namespace

Result<SpacedContents> ReadSpacedContents(Db* db) {
  SpacedContents contents;
  const auto read = [&](Namespace* space, const std::string& name) -> Status {
    const auto it = space->NewIterator();
    for (it->SeekToFirst(); it->Valid(); it->Next()) {
      const std::string key(it->key());
      contents[{name, key}] = it->value();
      VARVE_RETURN_IF_ERROR(it->status());
      VARVE_ASSIGN_OR_RETURN(const std::string got, space->Get(key));
      if (got != contents[{name, key}]) return Status::Corruption("get and scan differ at " + key);
    }
    return it->status();
  };
  VARVE_RETURN_IF_ERROR(read(db, ""));
  VARVE_ASSIGN_OR_RETURN(const auto infos, db->ListNamespaces());
  for (const NamespaceInfo& info : infos) {
    NamespaceOptions options;
    options.create_if_missing = false;
    VARVE_ASSIGN_OR_RETURN(const auto space, db->OpenNamespace(info.name, options));
    VARVE_RETURN_IF_ERROR(read(space.get(), info.name));
  }
  return contents;
}

std::map<std::string, std::string> FilesBelow(CrashEnv* env, const std::string& dir) {
  std::map<std::string, std::string> files;
  for (const std::string& path : env->FileNames()) {
    if (!path.starts_with(dir + "/") || path.ends_with("/LOCK")) continue;
    files[path] = env->ReadFileForTest(path).value_or("unreadable");
  }
  return files;
}

RandomStore::RandomStore(uint64_t seed, size_t step_count)
    : seed_(seed),
      step_count_(step_count),
      config_(ConfigFor(seed).ToString()),
      opener_(OpenerFor(ConfigFor(seed))) {}

Status RandomStore::ChangeNamespace(Db* db, const std::string& name, Random* random) {
  const auto forget = [&] {
    std::erase_if(contents_, [&](const auto& record) { return record.first.first == name; });
  };
  if (random->OneIn(2)) {
    const Status status = db->DropNamespace(name);
    if (status.ok()) forget();
    return status.IsNotFound() ? Status::Ok() : status;
  }
  VARVE_ASSIGN_OR_RETURN(const auto space, db->OpenNamespace(name));
  forget();
  return space->Clear();
}

Status RandomStore::Change(Db* db, Random* random) {
  const std::string name = random->OneIn(3) ? std::string(1, static_cast<char>('a' + random->Uniform(3))) : "";
  if (!name.empty() && random->OneIn(25)) return ChangeNamespace(db, name, random);
  std::shared_ptr<Namespace> space(std::shared_ptr<void>(), db);
  if (!name.empty()) {
    VARVE_ASSIGN_OR_RETURN(space, db->OpenNamespace(name));
  }
  const std::string key = KeyOf(random);
  if (random->OneIn(40)) {
    const std::string end = KeyOf(random);
    for (auto it = contents_.lower_bound({name, key}); it != contents_.end() && key < end &&
                                                       it->first < std::make_pair(name, end);) {
      it = contents_.erase(it);
    }
    return space->DeleteRange(key, end);
  }
  if (random->OneIn(6)) {
    contents_.erase({name, key});
    return space->Delete(key);
  }
  const bool is_large = random->OneIn(10);
  std::string value = "value " + std::to_string(random->Next() % 1000000) + " of " + name + "/" + key;
  value.resize((is_large ? 8200 : 30) + random->Uniform(100), '#');
  contents_[{name, key}] = value;
  expires_soon_[{name, key}] = random->OneIn(12);
  WriteOptions options;
  if (expires_soon_[{name, key}]) {
    options.ttl = std::chrono::seconds(30);
  } else if (random->OneIn(12)) {
    options.ttl = std::chrono::hours(24);
  }
  return space->Put(key, value, options);
}

Status RandomStore::Build(bool is_closed) {
  Random random(seed_ * 31 + 7);
  env_ = std::make_unique<CrashEnv>(seed_ + 1);
  VARVE_ASSIGN_OR_RETURN(std::unique_ptr<Db> db, opener_(kDir, env_.get()));
  std::unique_ptr<Snapshot> snapshot;
  for (size_t i = 0; i < step_count_; ++i) {
    VARVE_RETURN_IF_ERROR(Change(db.get(), &random));
    if (random.OneIn(80)) snapshot = random.OneIn(2) ? db->GetSnapshot() : nullptr;
    if (random.OneIn(90)) VARVE_RETURN_IF_ERROR(db->Flush());
    if (random.OneIn(250)) VARVE_RETURN_IF_ERROR(db->Compact());
  }
  snapshot.reset();
  if (is_closed) db.reset();
  left_ = env_->CloneAfterProcessCrash();
  db.reset();
  left_->sim_clock()->Advance(kMinuteNanos);
  std::erase_if(contents_, [this](const auto& record) { return expires_soon_[record.first]; });
  return Status::Ok();
}

std::vector<std::string> RandomStore::Files() {
  std::vector<std::string> files;
  for (const std::string& path : left_->FileNames()) {
    if (!path.ends_with("/LOCK") && !path.ends_with("/EVENTS")) files.push_back(path);
  }
  return files;
}

std::string RandomStore::CheckRepaired(const RepairReport& report, CrashEnv* env) {
  auto db = opener_(report.to, env);
  if (!db.ok()) return "the repaired store does not open: " + db.status().ToString();
  const auto verified = (*db)->Verify();
  if (!verified.ok()) return verified.status().ToString();
  if (!verified->problems.empty()) return "the repaired store: " + verified->problems.front();
  const auto found = ReadSpacedContents(db->get());
  if (!found.ok()) return "the repaired store: " + found.status().ToString();
  if (found->size() > report.key_count) return "more keys than the report says";
  const auto excused = [&](const std::pair<std::string, std::string>& place) {
    if (place.first.starts_with("recovered-") || !place.first.empty()) {
      if (TableIsDamaged(report)) return true;
    }
    return IsCovered(report.losses, place.first, place.second) ||
           IsCovered(report.undecided, place.first, place.second);
  };
  for (const auto& [place, value] : contents_) {
    const auto at = found->find(place);
    if (at != found->end() && at->second == value) continue;
    if (!excused(place)) {
      return (at == found->end() ? "lost: " : "an older value: ") + place.first + "/" + place.second +
             ", and no range says so";
    }
  }
  for (const auto& [place, value] : *found) {
    if (contents_.contains(place) || excused(place)) continue;
    return "came back: " + place.first + "/" + place.second + ", and no range says so";
  }
  return {};
}

}  // namespace varve::test

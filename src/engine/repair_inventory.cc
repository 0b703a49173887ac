#include "engine/repair_inventory.h"

#include <algorithm>
#include <set>

#include "base/status_macros.h"
#include "engine/version.h"
#include "format/filename.h"
#include "format/manifest.h"

namespace varve {

namespace {

// What a manifest describes after its last whole record.
struct ManifestImage {
  uint64_t number = 0;
  std::shared_ptr<const Version> version = std::make_shared<const Version>();
  VersionEdit latest;  // the newest of each single field
  bool is_torn = false;
};

Result<std::string> ReadWhole(Env* env, const std::string& path) {
  VARVE_ASSIGN_OR_RETURN(auto file, env->OpenRandomAccess(path));
  VARVE_ASSIGN_OR_RETURN(const uint64_t size, file->Size());
  std::string content(size, '\0');
  VARVE_ASSIGN_OR_RETURN(const size_t got, file->Read(0, size, content.data()));
  content.resize(got);
  return content;
}

void TakeFields(const VersionEdit& edit, VersionEdit* latest) {
  if (edit.next_file_number) latest->next_file_number = edit.next_file_number;
  if (edit.last_sequence) latest->last_sequence = edit.last_sequence;
  if (edit.oldest_log_number) latest->oldest_log_number = edit.oldest_log_number;
  if (edit.hash_salt) latest->hash_salt = edit.hash_salt;
  if (edit.durable_log) latest->durable_log = edit.durable_log;
}

class InventoryTaker {
 public:
  InventoryTaker(Env* env, std::string dir) : env_(env), dir_(std::move(dir)) {
    context_.env = env;
    context_.dir = dir_;
    context_.remove_file = [](std::string) {};
  }

  Result<RepairInventory> Run() {
    VARVE_RETURN_IF_ERROR(ListFiles());
    VARVE_ASSIGN_OR_RETURN(const std::optional<ManifestImage> manifest, ChooseManifest());
    if (manifest) {
      VARVE_RETURN_IF_ERROR(TakeVersion(*manifest));
    } else {
      inventory_.logs.assign(logs_.begin(), logs_.end());
    }
    if (!manifest || UsesUnnamedSegments(*manifest)) VARVE_RETURN_IF_ERROR(TakeUnnamed());
    if (!manifest) inventory_.flushed_sequence = inventory_.last_sequence;
    for (const uint64_t log : inventory_.logs) {
      inventory_.total_bytes += env_->FileSize(JoinPath(dir_, WalFileName(log))).value_or(0);
    }
    return std::move(inventory_);
  }

 private:
  Status ListFiles() {
    VARVE_ASSIGN_OR_RETURN(const auto names, env_->ListDir(dir_));
    for (const std::string& name : names) {
      const auto parsed = ParseFileName(name);
      if (!parsed && name.ends_with(".renew")) {
        inventory_.problems.push_back(JoinPath(dir_, name) + ": a crash while the store was opened has "
                                      "left the file under this name; without .renew it is used");
      }
      if (!parsed) continue;
      if (parsed->type == FileType::kSegment) segments_.insert(parsed->number);
      if (parsed->type == FileType::kWal) logs_.insert(parsed->number);
      if (parsed->type == FileType::kManifest) manifests_.insert(parsed->number);
      if (parsed->type == FileType::kCurrent) has_current_ = true;
    }
    if (segments_.empty() && logs_.empty() && manifests_.empty() && !has_current_) {
      return Status::NotFound("nothing of a store in " + dir_);
    }
    return Status::Ok();
  }

  Result<ManifestImage> ReadManifest(uint64_t number) {
    const std::string path = JoinPath(dir_, ManifestFileName(number));
    VARVE_ASSIGN_OR_RETURN(const std::string image, ReadWhole(env_, path));
    Status header = CheckManifestFileHeader(image, number);
    if (!header.ok()) return header.WithContext(path);
    ManifestImage manifest;
    manifest.number = number;
    ManifestReader reader(image, number);
    bool is_empty = true;
    for (VersionEdit edit;; edit = {}) {
      const ManifestReadResult result = reader.Next(&edit);
      if (result == ManifestReadResult::kError) return reader.status().WithContext(path);
      if (result != ManifestReadResult::kEdit) {
        manifest.is_torn = result == ManifestReadResult::kTorn;
        break;
      }
      is_empty = false;
      TakeFields(edit, &manifest.latest);
      std::vector<std::shared_ptr<SegmentReader>> readers;
      for (const SegmentMeta& meta : edit.added_segments) {
        readers.push_back(std::make_shared<SegmentReader>(&context_, meta));
      }
      auto next = manifest.version->Apply(edit, readers, {});
      if (!next.ok()) return next.status().WithContext(path);
      manifest.version = *std::move(next);
    }
    if (is_empty) return Status::Corruption(path + ": holds no whole record");
    if (manifest.is_torn) {
      inventory_.problems.push_back(path + " at offset " + std::to_string(reader.offset()) +
                                    ": the last record is not whole");
    }
    return manifest;
  }

  // The one that CURRENT names. Others come into question only when CURRENT says nothing: one that is not
  // in force may be older.
  Result<std::optional<ManifestImage>> ChooseManifest() {
    const std::string path = JoinPath(dir_, kCurrentFileName);
    std::optional<ManifestImage> chosen;
    const auto content = ReadWhole(env_, path);
    const auto named = content.ok() ? ParseCurrentFile(*content) : std::nullopt;
    if (!named) {
      inventory_.problems.push_back(
          path + (content.ok() ? ": does not name a manifest" : ": cannot be read"));
    }
    for (const uint64_t number : manifests_) {
      // Where CURRENT names one that is missing, a younger one has not been superseded.
      const bool is_named_there = named && manifests_.contains(*named);
      if (named && (is_named_there ? number != *named : number < *named)) continue;
      auto manifest = ReadManifest(number);
      if (manifest.status().code() == StatusCode::kNotSupported) return manifest.status();
      if (!manifest.ok()) {
        inventory_.problems.push_back(manifest.status().ToString());
      } else if (!chosen || manifest->latest.next_file_number >= chosen->latest.next_file_number) {
        chosen = *std::move(manifest);
      }
    }
    if (chosen) return chosen;
    if (named && !manifests_.contains(*named)) {
      inventory_.problems.push_back(JoinPath(dir_, ManifestFileName(*named)) +
                                    ": CURRENT names it, and it is missing");
    }
    inventory_.undecided_file =
        named ? JoinPath(dir_, ManifestFileName(*named)) : JoinPath(dir_, kCurrentFileName);
    inventory_.undecided_reason =
        "without the manifest it is not known what had been deleted by ranges or merged away, nor "
        "whether a file is missing";
    return chosen;
  }

  Status TakeVersion(const ManifestImage& manifest) {
    inventory_.has_manifest = true;
    inventory_.hash_salt = manifest.latest.hash_salt.value_or(0);
    inventory_.last_sequence = std::max(manifest.latest.last_sequence.value_or(0), manifest.version->largest_sequence());
    inventory_.oldest_log = manifest.latest.oldest_log_number.value_or(0);
    inventory_.durable_log = manifest.latest.durable_log.value_or(DurableLog{});
    inventory_.range_tombstones = manifest.version->range_tombstones();
    for (const uint64_t log : logs_) {
      if (log >= inventory_.oldest_log) inventory_.logs.push_back(log);
    }
    for (const auto& run : manifest.version->runs()) {
      std::vector<SegmentPlan> plans;
      for (const SegmentSlice& slice : run->slices()) {
        SegmentPlan plan;
        plan.file_number = slice.meta().file_number;
        plan.smallest_key = slice.meta().smallest_key;
        plan.largest_key = slice.meta().largest_key;
        plan.entry_count = slice.meta().entry_count;
        plan.largest_sequence = slice.meta().largest_sequence;
        plan.trim = slice.trim;
        VARVE_RETURN_IF_ERROR(Inspect(&plan));
        plans.push_back(std::move(plan));
      }
      inventory_.runs.push_back(std::move(plans));
    }
    return Status::Ok();
  }

  Status Inspect(SegmentPlan* plan) {
    plan->path = JoinPath(dir_, SegmentFileName(plan->file_number));
    named_.insert(plan->file_number);
    VARVE_RETURN_IF_ERROR(InspectSegment(env_, plan, &inventory_.problems));
    is_incomplete_ |= plan->is_missing;
    inventory_.total_bytes += plan->file_bytes;
    inventory_.last_sequence = std::max(inventory_.last_sequence, plan->largest_sequence);
    if (inventory_.hash_salt == 0) inventory_.hash_salt = plan->hash_salt;
    return Status::Ok();
  }

  // A last record that is torn may have been whole once. Files that it removed are missing then, and what
  // it added is there instead.
  bool UsesUnnamedSegments(const ManifestImage& manifest) {
    if (!manifest.is_torn) return false;
    inventory_.manifest_is_torn = true;
    inventory_.undecided_file = JoinPath(dir_, ManifestFileName(manifest.number));
    inventory_.undecided_reason =
        "its last record is damaged: it is not known what it had added, removed or deleted";
    const bool log_is_missing =
        inventory_.oldest_log != 0 && !logs_.contains(inventory_.oldest_log);
    return is_incomplete_ || log_is_missing;
  }

  // Segments without a place in a version: neighbours in a list must not overlap, so each goes behind the
  // first list that ends before it.
  Status TakeUnnamed() {
    std::vector<SegmentPlan> plans;
    for (const uint64_t number : segments_) {
      if (named_.contains(number)) continue;
      SegmentPlan plan;
      plan.file_number = number;
      VARVE_RETURN_IF_ERROR(Inspect(&plan));
      plans.push_back(std::move(plan));
    }
    std::stable_sort(plans.begin(), plans.end(), [](const SegmentPlan& a, const SegmentPlan& b) {
      return a.smallest_key.value_or("") < b.smallest_key.value_or("");
    });
    const size_t first = inventory_.runs.size();
    for (SegmentPlan& plan : plans) {
      auto& runs = inventory_.runs;
      auto run = std::find_if(runs.begin() + static_cast<ptrdiff_t>(first), runs.end(),
                              [&](const std::vector<SegmentPlan>& candidates) {
        const auto& last = candidates.back().largest_key;
        return last && plan.smallest_key && *last < *plan.smallest_key;
      });
      if (run == runs.end()) run = runs.insert(runs.end(), std::vector<SegmentPlan>());
      run->push_back(std::move(plan));
    }
    return Status::Ok();
  }

  Env* const env_;
  const std::string dir_;
  ReaderContext context_;
  std::set<uint64_t> segments_, logs_, manifests_, named_;
  bool has_current_ = false;
  bool is_incomplete_ = false;  // a segment is missing
  RepairInventory inventory_;
};

}  // namespace

Result<RepairInventory> TakeInventory(Env* env, const std::string& dir) {
  return InventoryTaker(env, dir).Run();
}

}  // namespace varve

// Stores and namespaces.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "c/handles.h"

using namespace varve;     // NOLINT: the file is about nothing else
using namespace varve::c;  // NOLINT

namespace {

Status ReadOptionsOfStore(const varve_options* given, Options* options) {
  varve_options known;
  if (Status status = ReadOptionsStruct(given, &known); !status.ok()) return status;
  std::optional<Durability> durability;
  std::optional<Compression> compression;
  if (Status status = ReadDurability(known.durability, &durability); !status.ok()) return status;
  if (Status status = ReadCompression(known.compression, &compression); !status.ok()) return status;
  if (durability) options->durability = *durability;
  if (compression) options->compression = *compression;
  if (known.memory_budget_bytes != 0) options->memory_budget_bytes = known.memory_budget_bytes;
  if (known.space_amplification_target != 0) {
    options->space_amplification_target = known.space_amplification_target;
  }
  options->expected_keys = known.expected_keys;
  if (known.background_threads != 0) options->background_threads = known.background_threads;
  if (known.max_key_bytes != 0) options->max_key_bytes = known.max_key_bytes;
  if (known.max_value_bytes != 0) options->max_value_bytes = known.max_value_bytes;
  options->create_if_missing = known.must_exist == 0;
  options->error_if_exists = known.must_not_exist != 0;
  options->read_only = known.read_only != 0;
  return Status::Ok();
}

Status ReadNamespaceOptions(const varve_namespace_options* given, NamespaceOptions* options) {
  varve_namespace_options known;
  if (Status status = ReadOptionsStruct(given, &known); !status.ok()) return status;
  if (Status status = ReadDurability(known.durability, &options->durability); !status.ok()) return status;
  if (Status status = ReadCompression(known.compression, &options->compression); !status.ok()) {
    return status;
  }
  if (known.sets_default_ttl != 0) {
    options->default_ttl = std::chrono::milliseconds(known.default_ttl_ms);
  }
  options->create_if_missing = known.must_exist == 0;
  return Status::Ok();
}

}  // namespace

int varve_open(const char* dir, const varve_options* options, varve_db** db) {
  VARVE_C_REQUIRE(db != nullptr);
  *db = nullptr;
  VARVE_C_REQUIRE(dir != nullptr);
  return Guarded([&]() -> Status {
    Options complete;
    if (Status status = ReadOptionsOfStore(options, &complete); !status.ok()) return status;
    auto handle = std::make_unique<varve_db>();
    Result<std::unique_ptr<Db>> opened = Db::Open(dir, complete);
    if (!opened.ok()) return opened.status();
    handle->db = *std::move(opened);
    handle->default_namespace.space = handle->db.get();
    *db = handle.release();
    return Status::Ok();
  });
}

void varve_close(varve_db* db) {
  Quietly([&] { delete db; });
}

int varve_flush(varve_db* db) {
  VARVE_C_REQUIRE(db != nullptr);
  return Guarded([&] { return db->db->Flush(); });
}

int varve_compact(varve_db* db) {
  VARVE_C_REQUIRE(db != nullptr);
  return Guarded([&] { return db->db->Compact(); });
}

int varve_sync(varve_db* db) {
  VARVE_C_REQUIRE(db != nullptr);
  return Guarded([&] { return db->db->Sync(); });
}

int varve_wait_for_background_work(varve_db* db) {
  VARVE_C_REQUIRE(db != nullptr);
  return Guarded([&] { return db->db->WaitForBackgroundWork(); });
}

int varve_verify(varve_db* db, uint64_t* problem_count, char** report) {
  VARVE_C_REQUIRE(problem_count != nullptr);
  *problem_count = 0;
  if (report != nullptr) *report = nullptr;
  VARVE_C_REQUIRE(db != nullptr);
  return Guarded([&]() -> Status {
    const Result<VerifyReport> found = db->db->Verify();
    if (!found.ok()) return found.status();
    std::string lines;
    for (const std::string& problem : found->problems) lines.append(problem).append("\n");
    if (report != nullptr) *report = NewBytes(lines);
    *problem_count = found->problems.size();
    return Status::Ok();
  });
}

int varve_property(varve_db* db, const char* name, char** value) {
  VARVE_C_REQUIRE(value != nullptr);
  *value = nullptr;
  VARVE_C_REQUIRE(db != nullptr && name != nullptr);
  return Guarded([&]() -> Status {
    const std::optional<std::string> found = db->db->GetProperty(name);
    if (!found) return Status::NotFound("there is no property '" + std::string(name) + "'");
    return GiveBytes(*found, value, nullptr);
  });
}

varve_namespace* varve_default_namespace(varve_db* db) {
  return db == nullptr ? nullptr : &db->default_namespace;
}

int varve_open_namespace(varve_db* db, const void* name, size_t name_size,
                         const varve_namespace_options* options, varve_namespace** ns) {
  VARVE_C_REQUIRE(ns != nullptr);
  *ns = nullptr;
  VARVE_C_REQUIRE(db != nullptr && !IsMissing(name, name_size));
  return Guarded([&]() -> Status {
    NamespaceOptions complete;
    if (Status status = ReadNamespaceOptions(options, &complete); !status.ok()) return status;
    auto handle = std::make_unique<varve_namespace>();
    Result<std::shared_ptr<Namespace>> opened =
        db->db->OpenNamespace(View(name, name_size), complete);
    if (!opened.ok()) return opened.status();
    handle->owner = *std::move(opened);
    handle->space = handle->owner.get();
    *ns = handle.release();
    return Status::Ok();
  });
}

void varve_namespace_free(varve_namespace* ns) {
  // The default one is the store's.
  if (ns != nullptr && ns->owner == nullptr) return;
  Quietly([&] { delete ns; });
}

int varve_drop_namespace(varve_db* db, const void* name, size_t name_size) {
  VARVE_C_REQUIRE(db != nullptr && !IsMissing(name, name_size));
  return Guarded([&] { return db->db->DropNamespace(View(name, name_size)); });
}

int varve_list_namespaces(varve_db* db, varve_namespace_visitor visit, void* context) {
  VARVE_C_REQUIRE(db != nullptr && visit != nullptr);
  return Guarded([&]() -> Status {
    const Result<std::vector<NamespaceInfo>> infos = db->db->ListNamespaces();
    if (!infos.ok()) return infos.status();
    for (const NamespaceInfo& info : *infos) {
      if (visit(context, info.name.data(), info.name.size(), info.id) != 0) break;
    }
    return Status::Ok();
  });
}

// --- Snapshots.

int varve_snapshot_new(varve_db* db, varve_snapshot** snapshot) {
  VARVE_C_REQUIRE(snapshot != nullptr);
  *snapshot = nullptr;
  VARVE_C_REQUIRE(db != nullptr);
  return Guarded([&]() -> Status {
    auto handle = std::make_unique<varve_snapshot>();
    handle->snapshot = db->db->GetSnapshot();
    *snapshot = handle.release();
    return Status::Ok();
  });
}

void varve_snapshot_free(varve_snapshot* snapshot) {
  Quietly([&] { delete snapshot; });
}

uint64_t varve_snapshot_sequence(const varve_snapshot* snapshot) {
  return snapshot == nullptr ? 0 : snapshot->snapshot->sequence();
}

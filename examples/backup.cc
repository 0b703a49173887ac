// A backup, an increment over it, a restore of both, and a checkpoint.
#include <varve/varve.h>

#include <cstdio>

namespace {

int Fail(const varve::Status& status) {
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return 1;
}

varve::Result<varve::BackupSummary> BackUp(varve::Db& db, const char* path,
                                           const varve::BackupSummary* since) {
  auto sink = varve::NewFileBackupSink(path);
  if (!sink.ok()) return sink.status();
  return db.Backup(**sink, {.since = since});
}

}  // namespace

int main() {
  auto db = varve::Db::Open("data");
  if (!db.ok()) return Fail(db.status());
  varve::Status status = (*db)->Put("city/lima", "Lima");
  if (!status.ok()) return Fail(status);
  auto monday = BackUp(**db, "monday.backup", nullptr);
  if (!monday.ok()) return Fail(monday.status());

  status = (*db)->Put("city/oslo", "Oslo");
  if (!status.ok()) return Fail(status);
  auto tuesday = BackUp(**db, "tuesday.backup", &*monday);
  if (!tuesday.ok()) return Fail(tuesday.status());
  std::printf("changes up to %llu and %llu\n", static_cast<unsigned long long>(monday->sequence),
              static_cast<unsigned long long>(tuesday->sequence));

  auto first = varve::NewFileBackupSource("monday.backup");
  auto second = varve::NewFileBackupSource("tuesday.backup");
  if (!first.ok()) return Fail(first.status());
  if (!second.ok()) return Fail(second.status());
  auto restored = varve::Db::Restore({first->get(), second->get()}, "copy");
  if (!restored.ok()) return Fail(restored.status());
  auto copy = varve::Db::Open("copy");
  if (!copy.ok()) return Fail(copy.status());
  std::printf("restored: %s\n", (*copy)->Get("city/oslo").value_or("nothing").c_str());

  status = (*db)->Checkpoint("point");
  if (!status.ok()) return Fail(status);
  status = (*db)->Put("city/oslo", "Christiania");
  if (!status.ok()) return Fail(status);
  auto point = varve::Db::Open("point");
  if (!point.ok()) return Fail(point.status());
  std::printf("checkpoint: %s\n", (*point)->Get("city/oslo").value_or("nothing").c_str());
  return 0;
}

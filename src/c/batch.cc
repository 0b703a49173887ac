// Batches.
#include <memory>

#include "c/handles.h"

using namespace varve;     // NOLINT: the file is about nothing else
using namespace varve::c;  // NOLINT

namespace {

template <typename Deadline>
void PutWith(WriteBatch* batch, const varve_namespace* ns, std::string_view key,
             std::string_view value, const Deadline& deadline) {
  if (ns == nullptr) {
    batch->Put(key, value, deadline);
  } else {
    batch->Put(*ns->space, key, value, deadline);
  }
}

}  // namespace

int varve_batch_new(varve_batch** batch) {
  VARVE_C_REQUIRE(batch != nullptr);
  *batch = nullptr;
  return Guarded([&]() -> Status {
    *batch = new varve_batch();
    return Status::Ok();
  });
}

void varve_batch_free(varve_batch* batch) {
  Quietly([&] { delete batch; });
}

void varve_batch_clear(varve_batch* batch) {
  if (batch != nullptr) Quietly([&] { batch->batch.Clear(); });
}

uint32_t varve_batch_count(const varve_batch* batch) {
  return batch == nullptr ? 0 : batch->batch.count();
}

int varve_batch_put(varve_batch* batch, varve_namespace* ns, const void* key, size_t key_size,
                    const void* value, size_t value_size, const varve_write_options* options) {
  VARVE_C_REQUIRE(batch != nullptr && !IsMissing(key, key_size) && !IsMissing(value, value_size));
  return Guarded([&]() -> Status {
    WriteOptions complete;
    if (Status status = ReadWriteOptions(options, &complete); !status.ok()) return status;
    const std::string_view k = View(key, key_size), v = View(value, value_size);
    if (complete.ttl && complete.expire_at) {
      return Status::InvalidArgument("a put of a batch takes ttl_ms or expire_at_ms, not both");
    }
    if (complete.ttl) {
      PutWith(&batch->batch, ns, k, v, *complete.ttl);
    } else if (complete.expire_at) {
      PutWith(&batch->batch, ns, k, v, *complete.expire_at);
    } else if (ns == nullptr) {
      batch->batch.Put(k, v);
    } else {
      batch->batch.Put(*ns->space, k, v);
    }
    return Status::Ok();
  });
}

int varve_batch_delete(varve_batch* batch, varve_namespace* ns, const void* key, size_t key_size) {
  VARVE_C_REQUIRE(batch != nullptr && !IsMissing(key, key_size));
  return Guarded([&]() -> Status {
    if (ns == nullptr) {
      batch->batch.Delete(View(key, key_size));
    } else {
      batch->batch.Delete(*ns->space, View(key, key_size));
    }
    return Status::Ok();
  });
}

int varve_batch_delete_range(varve_batch* batch, varve_namespace* ns, const void* begin,
                             size_t begin_size, const void* end, size_t end_size) {
  VARVE_C_REQUIRE(batch != nullptr && !IsMissing(begin, begin_size) && !IsMissing(end, end_size));
  return Guarded([&]() -> Status {
    const std::string_view from = View(begin, begin_size), to = View(end, end_size);
    if (ns == nullptr) {
      batch->batch.DeleteRange(from, to);
    } else {
      batch->batch.DeleteRange(*ns->space, from, to);
    }
    return Status::Ok();
  });
}

int varve_batch_delete_all(varve_batch* batch, varve_namespace* ns) {
  VARVE_C_REQUIRE(batch != nullptr && ns != nullptr);
  return Guarded([&]() -> Status {
    batch->batch.DeleteAll(*ns->space);
    return Status::Ok();
  });
}

int varve_write(varve_db* db, const varve_batch* batch, const varve_write_options* options) {
  VARVE_C_REQUIRE(db != nullptr && batch != nullptr);
  return Guarded([&]() -> Status {
    WriteOptions complete;
    if (Status status = ReadWriteOptions(options, &complete); !status.ok()) return status;
    return db->db->Write(batch->batch, complete);
  });
}

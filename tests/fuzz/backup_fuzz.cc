// Backups from any bytes: the plan by itself, and a stream of any frames behind a good header.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "format/backup_stream.h"

namespace {

class BytesSource : public varve::BackupSource {
 public:
  explicit BytesSource(std::string_view bytes) : rest_(bytes) {}
  varve::Result<size_t> Read(char* buffer, size_t size) override {
    const size_t got = size < rest_.size() ? size : rest_.size();
    if (got > 0) std::memcpy(buffer, rest_.data(), got);
    rest_.remove_prefix(got);
    return got;
  }

 private:
  std::string_view rest_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace varve;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto plan = DecodeBackupPlan(bytes);
  if (plan.ok()) {
    const auto again = DecodeBackupPlan(EncodeBackupPlan(*plan));
    if (!again.ok() || !(*again == *plan)) std::abort();
  }
  BytesSource plain(bytes);
  (void)VerifyBackup(plain);
  std::string stream(kBackupHeaderBytes, '\0');
  EncodeBackupHeader({1, 0, 0}, stream.data());
  stream.append(bytes);
  BytesSource source(stream);
  BackupReader reader(&source);
  if (!reader.Begin().ok()) return 0;
  while (true) {
    const auto event = reader.Next();
    if (!event.ok() || *event == BackupReader::Event::kEnd) return 0;
    if (reader.data().size() > size) std::abort();
  }
}

#include "engine/event_log.h"

namespace varve {

void EventLog::Open(Env* env, const std::string& path) {
  MutexLock lock(&mu_);
  env_ = env;
  const auto mode =
      env->FileExists(path) ? Env::OpenMode::kOpenExisting : Env::OpenMode::kCreateNew;
  auto file = env->OpenWritable(path, mode);
  if (!file.ok()) return;
  file_ = *std::move(file);
  end_ = file_->Size().value_or(0);
}

void EventLog::Add(std::string_view event) {
  MutexLock lock(&mu_);
  if (file_ == nullptr) return;
  if (end_ > kMaxBytes) {
    if (!file_->Truncate(0).ok()) return;
    end_ = 0;
  }
  std::string line = std::to_string(env_->clock()->WallMillis());
  line.append(" ").append(event).append("\n");
  if (file_->Write(end_, line).ok()) end_ += line.size();
}

}  // namespace varve

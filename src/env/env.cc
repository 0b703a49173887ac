#include "env/env.h"

#include "env/async_reader.h"
#include "env/posix_env.h"

namespace varve {

Env* Env::Default() {
  // Never destroyed: background threads may use it until the process ends.
  static Env* const env = new PosixEnv();
  return env;
}

std::unique_ptr<AsyncReader> Env::NewAsyncReader() { return nullptr; }

bool IsNoSpace(const Status& status) {
  return status.code() == StatusCode::kIoError &&
         status.message().find("no space left") != std::string_view::npos;
}

std::string JoinPath(std::string_view dir, std::string_view name) {
  std::string path(dir);
  if (!path.empty() && path.back() != '/') path.push_back('/');
  path.append(name);
  return path;
}

}  // namespace varve

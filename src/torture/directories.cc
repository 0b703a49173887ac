#include "torture/directories.h"

#include <algorithm>
#include <cstdint>

#include "base/status_macros.h"
#include "env/env.h"

namespace varve::torture {

Status RemoveTree(const std::string& dir) {
  Env* const env = Env::Default();
  if (!env->FileExists(dir)) return Status::Ok();
  VARVE_ASSIGN_OR_RETURN(const std::vector<std::string> names, env->ListDir(dir));
  for (const std::string& name : names) {
    const std::string path = JoinPath(dir, name);
    VARVE_RETURN_IF_ERROR(env->ListDir(path).ok() ? RemoveTree(path) : env->RemoveFile(path));
  }
  return env->RemoveDir(dir);
}

std::string LastLineOf(const std::string& path) {
  const auto file = Env::Default()->OpenRandomAccess(path);
  if (!file.ok()) return "and said nothing";
  std::string text(4096, '\0');
  const uint64_t size = (*file)->Size().value_or(0);
  const Result<size_t> got = (*file)->Read(size - std::min<uint64_t>(size, text.size()), text.size(), text.data());
  text.resize(got.value_or(0));
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text.empty() ? "and said nothing" : text.substr(text.rfind('\n') + 1);
}

Status MakeEmpty(const std::string& dir) {
  VARVE_RETURN_IF_ERROR(RemoveTree(dir));
  return Env::Default()->CreateDir(dir);
}

}  // namespace varve::torture

#include "torture/directories.h"

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

Status MakeEmpty(const std::string& dir) {
  VARVE_RETURN_IF_ERROR(RemoveTree(dir));
  return Env::Default()->CreateDir(dir);
}

}  // namespace varve::torture

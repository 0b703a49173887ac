// Stores of later releases are refused while nothing in them has been changed yet.
#ifndef VARVE_ENGINE_NEWER_FILES_H_
#define VARVE_ENGINE_NEWER_FILES_H_

#include <string>
#include <vector>

#include "env/env.h"
#include "varve/status.h"

namespace varve {

// `names`: all that is in `dir`. kNotSupported when one of the files was written by a later release. Damage, and what
// cannot be read, is not judged here: it shows where it is needed.
Status RefuseNewerFiles(Env* env, const std::string& dir, const std::vector<std::string>& names);

}  // namespace varve

#endif  // VARVE_ENGINE_NEWER_FILES_H_

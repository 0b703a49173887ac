// TempDir: a fresh directory of the real file system, removed at the end.
#ifndef VARVE_TESTS_SUPPORT_TEMP_DIR_H_
#define VARVE_TESTS_SUPPORT_TEMP_DIR_H_

#include <stdlib.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "base/check.h"

namespace varve::test {

class TempDir {
 public:
  TempDir() : path_((std::filesystem::temp_directory_path() / "varve_test_XXXXXX").string()) {
    VARVE_CHECK(::mkdtemp(path_.data()) != nullptr);
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::string& path() const { return path_; }
  std::string Sub(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace varve::test

#endif  // VARVE_TESTS_SUPPORT_TEMP_DIR_H_

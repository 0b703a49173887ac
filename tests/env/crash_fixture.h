// A CrashEnv with a durable directory /db, and tiny verbs on its files.
#ifndef VARVE_TESTS_ENV_CRASH_FIXTURE_H_
#define VARVE_TESTS_ENV_CRASH_FIXTURE_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "env/crash_env.h"
#include "tests/support/status_matchers.h"

namespace varve::test {

class CrashEnvTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK(env_.CreateDir("/db"));
    env_.SyncAll();
  }

  static std::string Path(const std::string& name) { return "/db/" + name; }
  std::unique_ptr<WritableFile> Open(const std::string& name) {
    auto mode =
        env_.FileExists(Path(name)) ? Env::OpenMode::kOpenExisting : Env::OpenMode::kCreateNew;
    auto file = env_.OpenWritable(Path(name), mode);
    EXPECT_OK(file);
    return *std::move(file);
  }
  std::unique_ptr<MappedFile> Map(const std::string& name, uint64_t capacity) {
    auto file = env_.OpenMapped(Path(name), capacity);
    EXPECT_OK(file);
    return *std::move(file);
  }
  // A file that a power cut cannot harm.
  void PutDurably(const std::string& name, const std::string& content) {
    ASSERT_OK(env_.WriteFileForTest(Path(name), content));
  }
  static std::string Content(CrashEnv* env, const std::string& name) {
    auto content = env->ReadFileForTest(Path(name));
    return content.ok() ? *content : content.status().ToString();
  }
  std::string Content(const std::string& name) { return Content(&env_, name); }
  std::string ContentAfter(const PowerCut& cut, const std::string& name) {
    return Content(env_.CloneAfterPowerCut(cut).get(), name);
  }

  static constexpr PowerCut kLose = {};
  static constexpr PowerCut kKeep = {.unsynced = PowerCut::Unsynced::kKept};

  CrashEnv env_;
};

}  // namespace varve::test

#endif  // VARVE_TESTS_ENV_CRASH_FIXTURE_H_

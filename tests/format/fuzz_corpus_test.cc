// The fuzz targets as plain tests: each over its corpus in tests/testdata/fuzz/<name>/, and over
// small mutations of every input there.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "base/random.h"

// Each target under a name of its own.
#define LLVMFuzzerTestOneInput FuzzBlock
#include "tests/fuzz/block_fuzz.cc"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput FuzzBlockFile
#include "tests/fuzz/block_file_fuzz.cc"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput FuzzPointIndex
#include "tests/fuzz/point_index_fuzz.cc"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput FuzzSegment
#include "tests/fuzz/segment_fuzz.cc"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput FuzzWal
#include "tests/fuzz/wal_fuzz.cc"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput FuzzManifest
#include "tests/fuzz/manifest_fuzz.cc"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput FuzzValueLog
#include "tests/fuzz/value_log_fuzz.cc"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput FuzzFileName
#include "tests/fuzz/filename_fuzz.cc"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput FuzzNamespace
#include "tests/fuzz/namespace_fuzz.cc"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput FuzzCodec
#include "tests/fuzz/codec_fuzz.cc"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput FuzzBackup
#include "tests/fuzz/backup_fuzz.cc"
#undef LLVMFuzzerTestOneInput

namespace varve {
namespace fuzz_corpus_test {

struct FuzzTarget {
  const char* name;  // of the folder of its corpus
  int (*run)(const uint8_t*, size_t);
};
const FuzzTarget kTargets[] = {
    {"block", FuzzBlock},
    {"block_file", FuzzBlockFile},
    {"point_index", FuzzPointIndex},
    {"segment", FuzzSegment},
    {"wal", FuzzWal},
    {"manifest", FuzzManifest},
    {"value_log", FuzzValueLog},
    {"filename", FuzzFileName},
    {"namespace", FuzzNamespace},
    {"codec", FuzzCodec},
    {"backup", FuzzBackup},
};

class FuzzCorpusTest : public testing::TestWithParam<FuzzTarget> {
 protected:
  void SetUp() override {
    const auto dir = std::filesystem::path(VARVE_SOURCE_DIR) / "tests/testdata/fuzz" / GetParam().name;
    for (const auto& file : std::filesystem::directory_iterator(dir)) paths_.push_back(file.path());
    std::sort(paths_.begin(), paths_.end());
    ASSERT_FALSE(paths_.empty()) << dir;
  }
  static std::string Content(const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  }
  // Exactly as long as it is, so that the address sanitizer sees a read past its end.
  static void Run(const std::string& input) {
    const std::vector<uint8_t> bytes(input.begin(), input.end());
    GetParam().run(bytes.data(), bytes.size());
  }

  std::vector<std::filesystem::path> paths_;
};

TEST_P(FuzzCorpusTest, CorpusReplays) {
  for (const std::filesystem::path& path : paths_) {
    SCOPED_TRACE(path.string());
    Run(Content(path));
  }
}

TEST_P(FuzzCorpusTest, MutationsOfTheCorpusRun) {
  Random random(1);
  for (const std::filesystem::path& path : paths_) {
    const std::string content = Content(path);
    for (int round = 0; round < 300; ++round) {
      std::string input = content;
      for (uint64_t i = 1 + random.Uniform(4); i > 0 && !input.empty(); --i) {
        input[random.Uniform(input.size())] = static_cast<char>(random.Next());
      }
      if (random.OneIn(3)) input.resize(random.Uniform(input.size() + 1));
      Run(input);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, FuzzCorpusTest, testing::ValuesIn(kTargets),
                         [](const auto& target) { return std::string(target.param.name); });

}  // namespace fuzz_corpus_test
}  // namespace varve

// The fuzz target as a plain test: over its corpus, and over small mutations of every input there.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "base/random.h"

#define LLVMFuzzerTestOneInput FuzzNode
#include "tests/fuzz/node_fuzz.cc"
#undef LLVMFuzzerTestOneInput

namespace varve::node {
namespace {

// Exactly as long as it is, so that the address sanitizer sees a read past its end.
void Feed(const std::string& input) {
  const std::vector<uint8_t> bytes(input.begin(), input.end());
  FuzzNode(bytes.data(), bytes.size());
}

TEST(NodeCorpusTest, CorpusAndMutationsOfIt) {
  const std::filesystem::path dir = std::filesystem::path(VARVE_SOURCE_DIR) / "tests/testdata/fuzz/node";
  std::vector<std::filesystem::path> paths;
  for (const auto& file : std::filesystem::directory_iterator(dir)) paths.push_back(file.path());
  std::sort(paths.begin(), paths.end());
  ASSERT_FALSE(paths.empty());
  Random random(1);
  for (const std::filesystem::path& path : paths) {
    SCOPED_TRACE(path.string());
    std::ifstream in(path, std::ios::binary);
    const std::string content{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    Feed(content);
    for (int round = 0; round < 200; ++round) {
      std::string input = content;
      for (uint64_t i = 1 + random.Uniform(4); i > 0 && !input.empty(); --i) {
        input[random.Uniform(input.size())] =
            static_cast<char>(random.OneIn(2) ? random.Next() : random.Uniform(9));
      }
      if (random.OneIn(3)) input.resize(random.Uniform(input.size() + 1));
      Feed(input);
    }
  }
}

}  // namespace
}  // namespace varve::node

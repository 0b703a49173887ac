// The fuzz target as a plain test: over its corpus, and over small mutations of every input there.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "base/random.h"

#define LLVMFuzzerTestOneInput FuzzHttp
#include "tests/fuzz/http_fuzz.cc"
#undef LLVMFuzzerTestOneInput

namespace varve::http {
namespace {

// Exactly as long as it is, so that the address sanitizer sees a read past its end.
void Feed(const std::string& input) {
  const std::vector<uint8_t> bytes(input.begin(), input.end());
  FuzzHttp(bytes.data(), bytes.size());
}

TEST(HttpCorpusTest, CorpusAndMutationsOfIt) {
  const std::filesystem::path dir = std::filesystem::path(VARVE_SOURCE_DIR) / "tests/testdata/fuzz/http";
  std::vector<std::filesystem::path> paths;
  for (const auto& file : std::filesystem::directory_iterator(dir)) paths.push_back(file.path());
  std::sort(paths.begin(), paths.end());
  ASSERT_FALSE(paths.empty());
  Random random(1);
  for (const std::filesystem::path& path : paths) {
    SCOPED_TRACE(path.string());
    std::ifstream in(path, std::ios::binary);
    const std::string content{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    for (size_t size = 0; size <= content.size(); ++size) Feed(content.substr(0, size));
    for (int round = 0; round < 1000; ++round) {
      std::string input = content;
      for (uint64_t i = 1 + random.Uniform(4); i > 0 && !input.empty(); --i) {
        const size_t at = random.Uniform(input.size());
        switch (random.Uniform(3)) {
          case 0: input[at] = static_cast<char>(random.Uniform(256)); break;
          case 1: input.erase(at, 1); break;
          default: input.insert(at, 1, "\r\n :/\t"[random.Uniform(6)]);
        }
      }
      Feed(input);
    }
  }
}

}  // namespace
}  // namespace varve::http

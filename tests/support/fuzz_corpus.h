// The corpora of the fuzz targets, for the tests that run the targets over them.
#ifndef VARVE_TESTS_SUPPORT_FUZZ_CORPUS_H_
#define VARVE_TESTS_SUPPORT_FUZZ_CORPUS_H_

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace varve::test {

// An input and where it is from, for messages.
struct CorpusInput {
  std::string path;
  std::string content;
};

// Those of tests/testdata/fuzz/<name>, in the order of their paths. Empty: there is no such corpus.
inline std::vector<CorpusInput> ReadCorpus(const std::string& name) {
  std::vector<CorpusInput> inputs;
  std::error_code error;
  const auto dir = std::filesystem::path(VARVE_SOURCE_DIR) / "tests/testdata/fuzz" / name;
  for (const auto& file : std::filesystem::directory_iterator(dir, error)) {
    std::ifstream in(file.path(), std::ios::binary);
    inputs.push_back({file.path().string(), std::string(std::istreambuf_iterator<char>(in), {})});
  }
  std::sort(inputs.begin(), inputs.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
  return inputs;
}

// Exactly as long as it is, so that the address sanitizer sees a read past its end.
inline void FeedFuzzTarget(int (*target)(const uint8_t*, size_t), const std::string& input) {
  const std::vector<uint8_t> bytes(input.begin(), input.end());
  target(bytes.data(), bytes.size());
}

}  // namespace varve::test

#endif  // VARVE_TESTS_SUPPORT_FUZZ_CORPUS_H_

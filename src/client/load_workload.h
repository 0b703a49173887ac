// LoadWorkload: the requests of a benchmark, drawn at random from a mix of commands.
#ifndef VARVE_CLIENT_LOAD_WORKLOAD_H_
#define VARVE_CLIENT_LOAD_WORKLOAD_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "client/load_generator.h"

namespace varve::client {

// One command of the mix. In its words __key__ stands for a random key and __value__ for a value.
struct LoadCommand {
  std::string name;
  std::vector<std::string> words;
  uint64_t weight = 1;
};

struct LoadData {
  uint64_t keys = 100'000;   // how many different ones
  size_t key_bytes = 16;     // at least as many as the number of a key needs
  size_t value_bytes = 100;
  uint64_t seed = 1;
};

// The key of a number: "key:", zeros and the number.
std::string LoadKey(const LoadData& data, uint64_t number);

// Draws commands by weight, keys uniformly. Values are pieces of bytes that do not compress.
class LoadWorkload : public LoadSource {
 public:
  // `commands`: at least one, with a weight above 0. With `in_order` keys are taken one after another.
  LoadWorkload(std::vector<LoadCommand> commands, const LoadData& data, bool in_order = false);

  size_t kind_count() const override { return commands_.size(); }
  size_t Append(std::string* bytes) override;

 private:
  size_t DrawCommand();

  const std::vector<LoadCommand> commands_;
  const LoadData data_;
  const bool in_order_;
  uint64_t total_weight_ = 0;
  Random random_;
  uint64_t next_key_ = 0;
  std::string values_;  // values are pieces of it
};

}  // namespace varve::client

#endif  // VARVE_CLIENT_LOAD_WORKLOAD_H_

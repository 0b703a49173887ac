#include "client/load_workload.h"

#include <algorithm>

#include "client/client.h"

namespace varve::client {

namespace {

constexpr std::string_view kKeyMark = "__key__";
constexpr std::string_view kValueMark = "__value__";
constexpr std::string_view kKeyPrefix = "key:";
// More than a value: values begin at different places.
constexpr size_t kValueSlack = size_t{64} * 1024;

void Replace(std::string* word, std::string_view mark, std::string_view text) {
  for (size_t at = word->find(mark); at != word->npos; at = word->find(mark, at + text.size())) {
    word->replace(at, mark.size(), text);
  }
}

}  // namespace

std::string LoadKey(const LoadData& data, uint64_t number) {
  const std::string digits = std::to_string(number);
  const size_t used = kKeyPrefix.size() + digits.size();
  return std::string(kKeyPrefix) + std::string(data.key_bytes > used ? data.key_bytes - used : 0, '0') +
         digits;
}

LoadWorkload::LoadWorkload(std::vector<LoadCommand> commands, const LoadData& data, bool in_order)
    : commands_(std::move(commands)), data_(data), in_order_(in_order), random_(data.seed) {
  for (const LoadCommand& command : commands_) total_weight_ += command.weight;
  values_.reserve(data_.value_bytes + kValueSlack);
  while (values_.size() < data_.value_bytes + kValueSlack) {
    const uint64_t bits = random_.Next();
    values_.append(reinterpret_cast<const char*>(&bits), sizeof(bits));
  }
}

size_t LoadWorkload::DrawCommand() {
  if (commands_.size() == 1) return 0;
  uint64_t left = random_.Uniform(total_weight_);
  size_t kind = 0;
  while (left >= commands_[kind].weight) left -= commands_[kind++].weight;
  return kind;
}

size_t LoadWorkload::Append(std::string* bytes) {
  const size_t kind = DrawCommand();
  const uint64_t number = in_order_ ? next_key_++ % data_.keys : random_.Uniform(data_.keys);
  const std::string key = LoadKey(data_, number);
  const size_t offset = random_.Uniform(kValueSlack);
  const auto value = std::string_view(values_).substr(offset, data_.value_bytes);
  std::vector<std::string> replaced;
  replaced.reserve(commands_[kind].words.size());
  Request request;
  for (const std::string& word : commands_[kind].words) {
    if (word == kKeyMark) {
      request.push_back(key);
    } else if (word == kValueMark) {
      request.push_back(value);
    } else if (word.find("__") != word.npos) {
      std::string& own = replaced.emplace_back(word);
      Replace(&own, kKeyMark, key);
      Replace(&own, kValueMark, value);
      request.push_back(own);
    } else {
      request.push_back(word);
    }
  }
  AppendRequest(request, bytes);
  return kind;
}

}  // namespace varve::client

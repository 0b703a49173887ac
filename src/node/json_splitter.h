// JsonSplitter: finds the objects in a stream of JSON that comes in pieces of any size.
#ifndef VARVE_NODE_JSON_SPLITTER_H_
#define VARVE_NODE_JSON_SPLITTER_H_

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace varve::node {

// Thread-compatible. Looks at braces and strings only: whether an object is one is for who parses it.
class JsonSplitter {
 public:
  explicit JsonSplitter(size_t max_object_bytes) : max_bytes_(max_object_bytes) {}

  // Calls `each` for every object that `bytes` complete. False: what stands between objects is no white
  // space, or one is too large; nothing more can be added.
  bool Add(std::string_view bytes, const std::function<void(std::string_view)>& each) {
    for (const char c : bytes) {
      if (depth_ == 0) {
        if (c == ' ' || c == '\n' || c == '\r' || c == '\t') continue;
        if (c != '{') return false;
      }
      object_.push_back(c);
      if (object_.size() > max_bytes_) return false;
      if (is_in_string_) {
        if (std::exchange(is_escaped_, false)) continue;
        is_escaped_ = c == '\\';
        is_in_string_ = c != '"';
        continue;
      }
      is_in_string_ = c == '"';
      if (c == '{') ++depth_;
      if (c != '}' || --depth_ > 0) continue;
      each(object_);
      object_.clear();
    }
    return true;
  }

 private:
  const size_t max_bytes_;
  std::string object_;
  size_t depth_ = 0;
  bool is_in_string_ = false;
  bool is_escaped_ = false;
};

}  // namespace varve::node

#endif  // VARVE_NODE_JSON_SPLITTER_H_

#include "tree/path.h"

#include "varve/tree.h"

namespace varve {

namespace {

constexpr char kEscape = '%';
constexpr std::string_view kEscapedEscape = "%25";
constexpr std::string_view kEscapedSeparator = "%2F";

// The end of the name that begins at `begin`.
size_t NameEnd(std::string_view path, size_t begin) {
  const size_t end = path.find(kPathSeparator, begin);
  return end == std::string_view::npos ? path.size() : end;
}

// Enough of a path to recognise it in a message.
std::string Quoted(std::string_view path) {
  constexpr size_t kShown = 80;
  if (path.size() <= kShown) return "'" + std::string(path) + "'";
  return "'" + std::string(path.substr(0, kShown)) + "...'";
}

bool IsEscapedWell(std::string_view name) {
  for (size_t at = name.find(kEscape); at != std::string_view::npos; at = name.find(kEscape, at + 1)) {
    const std::string_view rest = name.substr(at);
    if (!rest.starts_with(kEscapedEscape) && !rest.starts_with(kEscapedSeparator)) return false;
  }
  return true;
}

}  // namespace

std::string EscapeTreeName(std::string_view name) {
  std::string escaped;
  escaped.reserve(name.size());
  for (const char c : name) {
    if (c == kEscape) {
      escaped += kEscapedEscape;
    } else if (c == kPathSeparator) {
      escaped += kEscapedSeparator;
    } else {
      escaped += c;
    }
  }
  return escaped;
}

std::optional<std::string> UnescapeTreeName(std::string_view escaped) {
  if (escaped.empty() || !IsEscapedWell(escaped)) return std::nullopt;
  std::string name;
  name.reserve(escaped.size());
  for (size_t i = 0; i < escaped.size(); ++i) {
    if (escaped[i] != kEscape) {
      name += escaped[i];
      continue;
    }
    name += escaped.substr(i).starts_with(kEscapedEscape) ? kEscape : kPathSeparator;
    i += kEscapedEscape.size() - 1;
  }
  return name;
}

Status CheckTreePath(std::string_view path) {
  if (path.empty()) return Status::Ok();
  for (size_t begin = 0; begin <= path.size();) {
    const size_t end = NameEnd(path, begin);
    const std::string_view name = path.substr(begin, end - begin);
    if (name.empty()) {
      return Status::InvalidArgument("the path " + Quoted(path) + " has an empty name in it");
    }
    if (!IsEscapedWell(name)) {
      return Status::InvalidArgument("the path " + Quoted(path) +
                                     " has a % in it that is not %25 (for %) or %2F (for /)");
    }
    begin = end + 1;
  }
  return Status::Ok();
}

bool IsBelow(std::string_view path, std::string_view above) {
  if (above.empty()) return !path.empty();
  return path.size() > above.size() && path.starts_with(above) &&
         path[above.size()] == kPathSeparator;
}

Result<std::string> JoinTreePath(const std::vector<std::string_view>& names) {
  std::string path;
  for (const std::string_view name : names) {
    if (name.empty()) return Status::InvalidArgument("a name in a path is not empty");
    if (!path.empty()) path += kPathSeparator;
    path += EscapeTreeName(name);
  }
  return path;
}

Result<std::vector<std::string>> SplitTreePath(std::string_view path) {
  if (Status status = CheckTreePath(path); !status.ok()) return status;
  std::vector<std::string> names;
  for (size_t begin = 0; begin < path.size();) {
    const size_t end = NameEnd(path, begin);
    names.push_back(*UnescapeTreeName(path.substr(begin, end - begin)));
    begin = end + 1;
  }
  return names;
}

}  // namespace varve

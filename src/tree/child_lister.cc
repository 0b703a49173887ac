#include "tree/child_lister.h"

#include <optional>
#include <utility>

#include "tree/path.h"

namespace varve {

namespace {
constexpr std::string_view kSeparator = "/";
constexpr std::string_view kAfterSeparator = "0";
}  // namespace

ChildLister::ChildLister(Iterator* iterator, std::string_view path, std::string_view start_after)
    : iterator_(iterator), base_(path.empty() ? std::string() : BelowBegin(path)), last_(start_after) {
  SeekTo(last_);
}

void ChildLister::SeekTo(std::string_view name, std::string_view rest) {
  target_.assign(base_).append(name).append(rest);
  iterator_->Seek(target_);
}

std::string_view ChildLister::NameHere() const {
  const std::string_view rest = iterator_->key().substr(base_.size());
  return rest.substr(0, rest.find(kPathSeparator));
}

bool ChildLister::HasKeysBelow(std::string_view name) {
  SeekTo(name, kSeparator);
  return iterator_->Valid() && iterator_->key().starts_with(target_);
}

bool ChildLister::FindNextName() {
  while (iterator_->Valid()) {
    const std::string_view name = NameHere();
    if (name > last_) return true;
    // Met already, or not after start_after.
    if (StandsOnOwnKey(name)) {
      iterator_->Next();
    } else {
      SeekTo(name, kAfterSeparator);
    }
  }
  return false;
}

size_t ChildLister::HiddenPrefix() {
  bool has_moved = false;
  for (size_t size = 1; size < name_.size(); ++size) {
    if (static_cast<unsigned char>(name_[size]) >= static_cast<unsigned char>(kPathSeparator)) continue;
    const std::string_view prefix = std::string_view(name_).substr(0, size);
    if (prefix <= last_) continue;
    has_moved = true;
    if (HasKeysBelow(prefix)) return size;
  }
  if (has_moved) SeekTo(name_);
  return 0;
}

bool ChildLister::LeaveOwnKey() {
  iterator_->Next();
  if (!iterator_->Valid()) return false;
  target_.assign(base_).append(name_).append(kSeparator);
  if (iterator_->key().starts_with(target_)) return true;
  if (iterator_->key() > target_) return false;
  // Siblings such as "a-1" come before what is below "a".
  const bool has_children = HasKeysBelow(name_);
  SeekTo(name_);
  return has_children;
}

bool ChildLister::Next(TreeChild* child) {
  while (FindNextName()) {
    name_.assign(NameHere());
    child->has_value = StandsOnOwnKey(name_);
    child->has_children = true;
    if (const size_t hidden = HiddenPrefix(); hidden > 0) {
      name_.resize(hidden);
      child->has_value = false;
      SeekTo(name_);
    } else if (child->has_value) {
      child->has_children = LeaveOwnKey();
    }
    last_ = name_;
    std::optional<std::string> plain = UnescapeTreeName(name_);
    // Not a path: no node.
    if (!plain) continue;
    child->name = *std::move(plain);
    return true;
  }
  return false;
}

}  // namespace varve

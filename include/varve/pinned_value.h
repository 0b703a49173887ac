// PinnedValue: a value read without a copy.
#ifndef VARVE_PINNED_VALUE_H_
#define VARVE_PINNED_VALUE_H_

#include <string_view>
#include <utility>

namespace varve {

// A view of a value together with what keeps the bytes alive: a cached block, a memtable, or a buffer.
// Movable, not copyable; releases on destruction. Holding many for long keeps memory over the budget.
// Thread-compatible. Must be destroyed before its Db.
class PinnedValue {
 public:
  using Release = void (*)(void* owner);

  PinnedValue() = default;
  PinnedValue(std::string_view view, void* owner, Release release)
      : view_(view), owner_(owner), release_(release) {}
  PinnedValue(PinnedValue&& other) noexcept { *this = std::move(other); }
  PinnedValue& operator=(PinnedValue&& other) noexcept {
    if (this == &other) return *this;
    Reset();
    view_ = std::exchange(other.view_, {});
    owner_ = std::exchange(other.owner_, nullptr);
    release_ = std::exchange(other.release_, nullptr);
    return *this;
  }
  ~PinnedValue() { Reset(); }

  std::string_view view() const { return view_; }
  operator std::string_view() const { return view_; }  // NOLINT: a value reads like a view
  const char* data() const { return view_.data(); }
  size_t size() const { return view_.size(); }

  // Gives up the value early.
  void Reset() {
    if (release_ != nullptr) release_(owner_);
    view_ = {};
    owner_ = nullptr;
    release_ = nullptr;
  }

 private:
  std::string_view view_;
  void* owner_ = nullptr;
  Release release_ = nullptr;
};

}  // namespace varve

#endif  // VARVE_PINNED_VALUE_H_

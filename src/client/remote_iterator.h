// RemoteIterator: the keys of a server's database in order, a page at a time.
#ifndef VARVE_CLIENT_REMOTE_ITERATOR_H_
#define VARVE_CLIENT_REMOTE_ITERATOR_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "client/remote_space.h"
#include "varve/iterator.h"

namespace varve::client {

// Pages come by V.RANGE; from a server that does not know that, which then is one without an order, all keys
// of strings are fetched by SCAN and sorted here: memory for the keys. The first page has values, the others
// if value() has been called by then. Deadlines are fetched page by page when they are asked for.
//
// Each page is one state of the database, all of them together are not: what is written during the walk may
// be seen or not.
class RemoteIterator : public Iterator {
 public:
  RemoteIterator(RemoteSpace space, const IteratorOptions& options);

  bool Valid() const override { return status_.ok() && at_ < page_.size(); }
  void SeekToFirst() override { Forward(lower_); }
  void SeekToLast() override { Backward(upper_); }
  void Seek(std::string_view target) override;
  void SeekForPrev(std::string_view target) override;
  void Next() override;
  void Prev() override;
  std::string_view key() const override { return page_[at_].key; }
  std::string_view value() override;
  uint64_t expire_at_millis() const override;
  Status status() const override { return status_; }

 private:
  struct Entry {
    std::string key;
    std::optional<std::string> value = std::nullopt;
    std::optional<uint64_t> expire_at = std::nullopt;
  };

  // Fills the page with the first keys >= `from`, and stands on the first; with the last ones < `to`, and
  // stands on the last. An empty page: there are none.
  void Forward(const std::string& from);
  void Backward(const std::optional<std::string>& to);
  Status Fetch(const std::string& from, const std::optional<std::string>& to, bool reverse);
  Status FetchRange(const std::string& from, const std::optional<std::string>& to, bool reverse);
  Status FetchFromList(const std::string& from, const std::optional<std::string>& to, bool reverse);
  Status ListKeys();
  // Asks for all values of the page and drops the keys that are gone.
  Status AddValues();
  // Of the rest of a page that has none. A key that is gone gets an empty one.
  Status FetchValues();
  Status FetchDeadlines() const;
  void AdaptPageSize();

  mutable RemoteSpace space_;
  std::string prefix_;
  std::string lower_;
  std::optional<std::string> upper_;
  bool is_empty_ = false;  // the bounds leave nothing
  mutable std::vector<Entry> page_;  // ascending
  size_t at_ = 0;
  size_t page_size_;
  bool has_fetched_ = false;
  bool value_was_read_ = false;
  bool wants_values_ = true;  // of the page under way
  std::optional<std::vector<std::string>> all_keys_;  // from a server without an order
  mutable Status status_;
};

}  // namespace varve::client

#endif  // VARVE_CLIENT_REMOTE_ITERATOR_H_

#include "client/remote_iterator.h"

#include <algorithm>

#include "base/status_macros.h"
#include "format/stored_key.h"

namespace varve::client {

namespace {

// Pages begin small, for those who want a few, and grow while they stay cheap.
constexpr size_t kFirstPage = 16;
constexpr size_t kLargestPage = 2048;
constexpr size_t kEnoughBytes = size_t{256} * 1024;
constexpr size_t kTooManyBytes = size_t{4} << 20;

std::string Successor(std::string_view key) { return std::string(key) + '\0'; }

// `prefix` as a pattern of SCAN that matches what begins with it.
std::string PatternOf(std::string_view prefix) {
  std::string pattern;
  for (const char c : prefix) {
    if (std::string_view("*?[]\\^-").find(c) != std::string_view::npos) pattern.push_back('\\');
    pattern.push_back(c);
  }
  return pattern + "*";
}

}  // namespace

RemoteIterator::RemoteIterator(RemoteSpace space, const IteratorOptions& options)
    : space_(space),
      prefix_(options.prefix),
      lower_(std::max(options.prefix, options.lower_bound.value_or(std::string_view()))),
      upper_(AfterKeysWithPrefix(options.prefix)),
      page_size_(kFirstPage) {
  if (options.upper_bound && (!upper_ || *options.upper_bound < *upper_)) {
    upper_ = std::string(*options.upper_bound);
  }
  is_empty_ = upper_ && *upper_ <= lower_;
}

void RemoteIterator::Seek(std::string_view target) {
  Forward(std::max(lower_, std::string(target)));
}

void RemoteIterator::SeekForPrev(std::string_view target) {
  std::string to = Successor(target);
  Backward(upper_ && *upper_ < to ? upper_ : std::move(to));
}

void RemoteIterator::Next() {
  if (++at_ < page_.size()) return;
  Forward(Successor(page_.back().key));
}

void RemoteIterator::Prev() {
  if (at_ > 0) {
    --at_;
  } else {
    Backward(page_.front().key);
  }
}

void RemoteIterator::Forward(const std::string& from) {
  const std::string begin = from;  // may lie in the page
  status_ = Fetch(begin, upper_, /*reverse=*/false);
  at_ = 0;
}

void RemoteIterator::Backward(const std::optional<std::string>& to) {
  const std::optional<std::string> end = to;
  status_ = Fetch(lower_, end, /*reverse=*/true);
  at_ = page_.empty() ? 0 : page_.size() - 1;
}

Status RemoteIterator::Fetch(const std::string& from, const std::optional<std::string>& to,
                             bool reverse) {
  AdaptPageSize();
  wants_values_ = !has_fetched_ || value_was_read_;
  has_fetched_ = true;
  page_.clear();
  if (is_empty_ || (to && *to <= from)) return Status::Ok();
  std::optional<bool>& has_range = space_.connection()->has_range;
  if (has_range.value_or(true)) {
    const Status status = FetchRange(from, to, reverse);
    if (status.code() != StatusCode::kNotSupported || has_range) return status;
    has_range = false;
  }
  return FetchFromList(from, to, reverse);
}

void RemoteIterator::AdaptPageSize() {
  if (page_.empty()) return;
  size_t bytes = 0;
  for (const Entry& entry : page_) {
    bytes += entry.key.size() + (entry.value ? entry.value->size() : 0);
  }
  if (bytes < kEnoughBytes) page_size_ = std::min(page_size_ * 2, kLargestPage);
  if (bytes > kTooManyBytes) page_size_ = std::max<size_t>(page_size_ / 4, 1);
}

Status RemoteIterator::FetchRange(const std::string& from, const std::optional<std::string>& to,
                                  bool reverse) {
  const std::string limit = std::to_string(page_size_);
  // No upper bound is an empty one.
  Request request = {"V.RANGE", from, to ? std::string_view(*to) : std::string_view(), "LIMIT", limit};
  if (reverse) request.push_back("REV");
  if (!wants_values_) request.push_back("KEYS");
  VARVE_ASSIGN_OR_RETURN(Reply reply, space_.Call(request));
  space_.connection()->has_range = true;
  const size_t step = wants_values_ ? 2 : 1;
  for (size_t i = 0; i + step <= reply.elements.size(); i += step) {
    Entry& entry = page_.emplace_back(Entry{.key = std::move(reply.elements[i].text)});
    if (wants_values_) entry.value = std::move(reply.elements[i + 1].text);
  }
  if (reverse) std::reverse(page_.begin(), page_.end());
  return Status::Ok();
}

Status RemoteIterator::ListKeys() {
  all_keys_.emplace();
  const std::string pattern = PatternOf(prefix_);
  std::string cursor = "0";
  do {
    const Request request = {"SCAN", cursor, "MATCH", pattern, "COUNT", "1000", "TYPE", "string"};
    VARVE_ASSIGN_OR_RETURN(Reply reply, space_.Call(request));
    if (reply.elements.size() != 2) return Status::Unavailable("the reply to SCAN makes no sense");
    cursor = reply.elements[0].text;
    for (Reply& key : reply.elements[1].elements) all_keys_->push_back(std::move(key.text));
  } while (cursor != "0");
  std::sort(all_keys_->begin(), all_keys_->end());
  all_keys_->erase(std::unique(all_keys_->begin(), all_keys_->end()), all_keys_->end());
  return Status::Ok();
}

Status RemoteIterator::FetchFromList(const std::string& from, const std::optional<std::string>& to,
                                     bool reverse) {
  if (!all_keys_) VARVE_RETURN_IF_ERROR(ListKeys());
  auto begin = std::lower_bound(all_keys_->begin(), all_keys_->end(), from);
  auto end = to ? std::lower_bound(begin, all_keys_->end(), *to) : all_keys_->end();
  // More than once only when all keys of a page are gone by now.
  while (begin != end && page_.empty()) {
    const auto count = std::min(end - begin, static_cast<std::ptrdiff_t>(page_size_));
    const auto first = reverse ? end - count : begin;
    for (auto key = first; key != first + count; ++key) page_.push_back({.key = *key});
    (reverse ? end : begin) = reverse ? first : first + count;
    if (wants_values_) VARVE_RETURN_IF_ERROR(AddValues());
  }
  return Status::Ok();
}

Status RemoteIterator::AddValues() {
  std::vector<std::string_view> keys;
  for (const Entry& entry : page_) keys.push_back(entry.key);
  VARVE_ASSIGN_OR_RETURN(auto values, space_.GetMany(keys));
  for (size_t i = 0; i < values.size(); ++i) page_[i].value = std::move(values[i]);
  std::erase_if(page_, [](const Entry& entry) { return !entry.value; });
  return Status::Ok();
}

std::string_view RemoteIterator::value() {
  value_was_read_ = true;
  if (!page_[at_].value) {
    const Status status = FetchValues();
    if (!status.ok()) {
      status_ = status;
      return {};
    }
  }
  return *page_[at_].value;
}

Status RemoteIterator::FetchValues() {
  std::vector<std::string_view> keys;
  for (size_t i = at_; i < page_.size(); ++i) keys.push_back(page_[i].key);
  VARVE_ASSIGN_OR_RETURN(auto values, space_.GetMany(keys));
  for (size_t i = 0; i < values.size(); ++i) page_[at_ + i].value = values[i].value_or("");
  return Status::Ok();
}

uint64_t RemoteIterator::expire_at_millis() const {
  if (!page_[at_].expire_at) {
    if (Status status = FetchDeadlines(); !status.ok()) {
      status_ = status;
      return 0;
    }
  }
  return *page_[at_].expire_at;
}

Status RemoteIterator::FetchDeadlines() const {
  std::vector<Request> requests;
  for (const Entry& entry : page_) requests.push_back({"PEXPIRETIME", entry.key});
  VARVE_ASSIGN_OR_RETURN(const std::vector<Reply> replies, space_.Run(requests));
  for (size_t i = 0; i < replies.size(); ++i) {
    VARVE_RETURN_IF_ERROR(StatusOf(replies[i]));
    page_[i].expire_at = static_cast<uint64_t>(std::max<int64_t>(replies[i].integer, 0));
  }
  return Status::Ok();
}

}  // namespace varve::client

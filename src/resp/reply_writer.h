// ReplyWriter: replies -> bytes, in version 2 or 3 of the protocol.
#ifndef VARVE_RESP_REPLY_WRITER_H_
#define VARVE_RESP_REPLY_WRITER_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace varve::resp {

// Appends to a string that it borrows. What version 2 lacks is written as what clients of it expect: a map
// as an array of twice the size, a set or a push as an array, a double as a bulk string, a boolean as 1 or
// 0, a verbatim text as a bulk string. Thread-compatible.
//
// Memory is bounded by a limit: a text that would take the reply beyond it is left out, and is_full() says
// that the reply is not whole and must be taken back.
class ReplyWriter {
 public:
  static constexpr size_t kNoLimit = ~size_t{0};

  // `limit`: bytes of one reply, from the last Begin.
  explicit ReplyWriter(std::string* out, int version = 2, size_t limit = kNoLimit)
      : out_(out), version_(version), limit_(limit), begin_(out->size()) {}

  // Another reply begins here. Returns size().
  size_t Begin() {
    is_full_ = false;
    return begin_ = out_->size();
  }
  bool is_full() const { return is_full_; }
  size_t limit() const { return limit_; }

  int version() const { return version_; }
  void set_version(int version) { version_ = version; }

  // One line; `text` has no end of line in it.
  void Simple(std::string_view text) { Line('+', text); }
  void Ok() { out_->append("+OK\r\n"); }
  // `text` with its code in front. Ends of lines inside become spaces, those at its ends go.
  void Error(std::string_view text);
  void Integer(int64_t value) { Number(':', value); }
  void Bulk(std::string_view bytes);
  void Null() { out_->append(version_ >= 3 ? "_\r\n" : "$-1\r\n"); }
  void NullArray() { out_->append(version_ >= 3 ? "_\r\n" : "*-1\r\n"); }
  // Their elements follow; of a map keys and values in turn.
  void Array(size_t count) { Number('*', static_cast<int64_t>(count)); }
  void Map(size_t count) { Aggregate('%', count, 2); }
  void Set(size_t count) { Aggregate('~', count, 1); }
  void Push(size_t count) { Aggregate('>', count, 1); }
  // Seventeen significant digits at most.
  void Double(double value);
  void Boolean(bool value);
  // `format`: three letters, "txt" or "mkd".
  void Verbatim(std::string_view format, std::string_view text);

  // For taking back: size now, and the end of all that was written since.
  size_t size() const { return out_->size(); }
  void Truncate(size_t size) {
    out_->resize(size);
    is_full_ = false;
  }
  // What has been written since.
  std::string_view Since(size_t size) const { return std::string_view(*out_).substr(size); }

 private:
  void Line(char type, std::string_view text);
  void Number(char type, int64_t value);
  void Aggregate(char type, size_t count, size_t factor);

  // Whether there is room for `size` bytes more.
  bool HasRoom(size_t size);

  std::string* const out_;
  int version_;
  const size_t limit_;
  size_t begin_;
  bool is_full_ = false;
};

}  // namespace varve::resp

#endif  // VARVE_RESP_REPLY_WRITER_H_

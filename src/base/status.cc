#include "varve/status.h"

namespace varve {

std::string_view StatusCodeName(StatusCode code) {
  switch (code) {
    case StatusCode::kOk: return "ok";
    case StatusCode::kNotFound: return "not found";
    case StatusCode::kCorruption: return "corruption";
    case StatusCode::kIoError: return "I/O error";
    case StatusCode::kInvalidArgument: return "invalid argument";
    case StatusCode::kNotSupported: return "not supported";
    case StatusCode::kBusy: return "busy";
    case StatusCode::kConflict: return "conflict";
    case StatusCode::kAborted: return "aborted";
    case StatusCode::kTimedOut: return "timed out";
    case StatusCode::kUnavailable: return "unavailable";
  }
  return "unknown code";
}

std::string Status::ToString() const {
  std::string text(StatusCodeName(code_));
  if (message_ != nullptr) text.append(": ").append(*message_);
  return text;
}

Status Status::WithContext(std::string_view context) const {
  if (ok()) return *this;
  std::string text(context);
  if (message_ != nullptr) text.append(": ").append(*message_);
  return Status(code_, std::move(text));
}

}  // namespace varve

#include "main/log.h"

#include <algorithm>
#include <array>
#include <ctime>
#include <utility>

#include "cli/json.h"

namespace varve {

namespace {

std::string TimeText(uint64_t wall_millis) {
  const std::time_t seconds = static_cast<std::time_t>(wall_millis / 1000);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  std::array<char, 32> text;
  std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
  return std::string(text.data()) + "." + std::to_string(1000 + wall_millis % 1000).substr(1) + "Z";
}

bool IsPlain(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return c > ' ' && c < 0x7f && c != '"' && c != '\\';
  });
}

// JSON has no other bytes than UTF-8; paths may.
std::string Quoted(std::string_view text) {
  std::string ascii(text);
  std::replace_if(ascii.begin(), ascii.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x80; }, '?');
  return cli::JsonString(ascii);
}

}  // namespace

void Log::Line(std::string_view level, std::string_view event, const std::vector<Field>& fields) {
  const std::string time = TimeText(clock_->WallMillis());
  std::string line;
  if (is_json_) {
    line.append("{\"time\":\"").append(time).append("\",\"level\":\"").append(level);
    line.append("\",\"area\":\"server\",\"event\":").append(Quoted(event));
    for (const Field& field : fields) {
      line.append(",\"").append(field.name).append("\":").append(field.is_list ? "[" : "");
      std::string_view comma;
      for (const std::string& value : field.values) {
        line.append(std::exchange(comma, ",")).append(Quoted(value));
      }
      if (field.is_list) line.append("]");
    }
    line.append("}");
  } else {
    line.append(time).append(" ").append(level).append(" server: ").append(event);
    for (const Field& field : fields) {
      for (const std::string& value : field.values) {
        line.append(" ").append(field.name).append("=").append(IsPlain(value) ? value : Quoted(value));
      }
    }
  }
  MutexLock lock(&mu_);
  out_ << line << std::endl;
}

}  // namespace varve

#include "tests/support/prometheus_format.h"

#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <set>

#include "base/status_macros.h"

namespace varve::test {

namespace {

bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Takes a name off the front; empty when there is none. Metrics may have colons.
std::string TakeName(std::string_view* text, bool colons) {
  size_t n = 0;
  const auto fits = [&](char c) { return IsLetter(c) || (colons && c == ':') || (n > 0 && IsDigit(c)); };
  while (n < text->size() && fits((*text)[n])) ++n;
  std::string name(text->substr(0, n));
  text->remove_prefix(n);
  return name;
}

bool Take(std::string_view* text, std::string_view prefix) {
  if (!text->starts_with(prefix)) return false;
  text->remove_prefix(prefix.size());
  return true;
}

std::optional<double> NumberOf(std::string_view text) {
  if (text == "+Inf" || text == "Inf") return std::numeric_limits<double>::infinity();
  if (text == "-Inf") return -std::numeric_limits<double>::infinity();
  if (text == "NaN") return std::numeric_limits<double>::quiet_NaN();
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (!std::isfinite(value)) return std::nullopt;  // other spellings of these
  return value;
}

class Parser {
 public:
  Result<std::vector<PrometheusFamily>> Parse(std::string_view text) {
    if (!text.empty() && text.back() != '\n') return Wrong("the last line does not end");
    while (!text.empty()) {
      ++line_;
      const size_t end = text.find('\n');
      VARVE_RETURN_IF_ERROR(ReadLine(text.substr(0, end)));
      text.remove_prefix(end + 1);
    }
    VARVE_RETURN_IF_ERROR(EndFamily());
    return std::move(families_);
  }

 private:
  Status Wrong(const std::string& what) const {
    return Status::InvalidArgument("line " + std::to_string(line_) + ": " + what);
  }

  Status ReadLine(std::string_view line) {
    if (line.empty()) return Status::Ok();
    if (Take(&line, "# HELP ")) return ReadHelp(line);
    if (Take(&line, "# TYPE ")) return ReadType(line);
    if (line[0] == '#') return Wrong("a comment");
    return ReadSample(line);
  }

  Status ReadHelp(std::string_view line) {
    VARVE_RETURN_IF_ERROR(EndFamily());
    PrometheusFamily family;
    family.name = TakeName(&line, true);
    if (family.name.empty() || !Take(&line, " ") || line.empty()) return Wrong("a malformed HELP");
    for (size_t i = 0; i < line.size(); ++i) {
      if (line[i] != '\\') continue;
      if (i + 1 == line.size() || (line[i + 1] != '\\' && line[i + 1] != 'n')) return Wrong("an escape");
      ++i;
    }
    if (!names_.insert(family.name).second) return Wrong("the family again: " + family.name);
    family.help = line;
    families_.push_back(std::move(family));
    return Status::Ok();
  }

  Status ReadType(std::string_view line) {
    const std::string name = TakeName(&line, true);
    if (families_.empty() || families_.back().name != name) return Wrong("TYPE without HELP: " + name);
    PrometheusFamily& family = families_.back();
    if (!family.type.empty() || !family.samples.empty()) return Wrong("TYPE too late");
    if (!Take(&line, " ")) return Wrong("a malformed TYPE");
    family.type = line;
    static const std::set<std::string, std::less<>> kTypes = {"counter", "gauge", "histogram",
                                                              "summary", "untyped"};
    return kTypes.contains(line) ? Status::Ok() : Wrong("an unknown type");
  }

  Status ReadLabels(std::string_view* line, PrometheusSample* sample) {
    while (!Take(line, "}")) {
      const std::string label = TakeName(line, false);
      if (label.empty() || label.starts_with("__") || !Take(line, "=\"")) return Wrong("a malformed label");
      std::string value;
      while (!line->empty() && line->front() != '"') {
        char c = line->front();
        line->remove_prefix(1);
        if (c == '\\') {
          if (line->empty()) return Wrong("an escape");
          c = line->front();
          line->remove_prefix(1);
          if (c != '\\' && c != '"' && c != 'n') return Wrong("an escape");
          if (c == 'n') c = '\n';
        }
        value.push_back(c);
      }
      if (!Take(line, "\"")) return Wrong("a label without end");
      if (!sample->labels.emplace(label, value).second) return Wrong("a label twice");
      if (!Take(line, ",") && !line->starts_with("}")) return Wrong("no comma");
    }
    return Status::Ok();
  }

  Status ReadSample(std::string_view line) {
    PrometheusSample sample;
    sample.name = TakeName(&line, true);
    if (sample.name.empty()) return Wrong("a malformed name");
    if (Take(&line, "{")) VARVE_RETURN_IF_ERROR(ReadLabels(&line, &sample));
    if (!Take(&line, " ")) return Wrong("no space before the value");
    const std::optional<double> value = NumberOf(line);
    if (!value) return Wrong("no number: " + std::string(line));
    sample.value = *value;
    if (families_.empty() || families_.back().type.empty()) return Wrong("a sample without TYPE");
    PrometheusFamily& family = families_.back();
    std::string_view suffix = sample.name;
    if (!Take(&suffix, family.name)) return Wrong("a sample of another family");
    const bool is_part = suffix == "_bucket" || suffix == "_sum" || suffix == "_count";
    if (family.type == "histogram" ? !is_part : !suffix.empty()) return Wrong("a wrong suffix");
    if (family.type == "counter" && !family.name.ends_with("_total") ) {
      return Wrong("a counter that does not end with _total");
    }
    if (family.type == "counter" && !(sample.value >= 0)) return Wrong("a negative counter");
    if (!seen_.emplace(sample.name, sample.labels).second) return Wrong("a sample twice");
    family.samples.push_back(std::move(sample));
    return Status::Ok();
  }

  Status EndFamily() {
    if (families_.empty()) return Status::Ok();
    if (families_.back().samples.empty()) return Wrong("a family without samples");
    if (families_.back().type == "histogram") return CheckHistogram(families_.back());
    return Status::Ok();
  }

  Status CheckHistogram(const PrometheusFamily& family) {
    struct Series {
      double bound = -std::numeric_limits<double>::infinity();
      double count = 0;
      std::optional<double> total, sum;
    };
    std::map<std::map<std::string, std::string>, Series> all;
    for (const PrometheusSample& sample : family.samples) {
      auto labels = sample.labels;
      labels.erase("le");
      Series& series = all[labels];
      if (sample.name.ends_with("_sum")) series.sum = sample.value;
      if (sample.name.ends_with("_count")) series.total = sample.value;
      if (!sample.name.ends_with("_bucket")) continue;
      const auto le = sample.labels.find("le");
      if (le == sample.labels.end()) return Wrong("a bucket without le");
      const std::optional<double> bound = NumberOf(le->second);
      if (!bound || !(*bound > series.bound)) return Wrong("le does not ascend: " + le->second);
      if (sample.value < series.count) return Wrong("a bucket falls");
      series.bound = *bound;
      series.count = sample.value;
    }
    for (const auto& [labels, series] : all) {
      if (!std::isinf(series.bound)) return Wrong("no bucket for +Inf");
      if (!series.sum || !series.total) return Wrong("no sum or no count");
      if (*series.total != series.count) return Wrong("the count is not that of +Inf");
    }
    return Status::Ok();
  }

  int line_ = 0;
  std::vector<PrometheusFamily> families_;
  std::set<std::string> names_;
  std::set<std::pair<std::string, std::map<std::string, std::string>>> seen_;
};

}  // namespace

Result<std::vector<PrometheusFamily>> ParsePrometheus(std::string_view text) {
  return Parser().Parse(text);
}

}  // namespace varve::test

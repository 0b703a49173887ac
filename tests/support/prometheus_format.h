// Reads the text format for exposition of Prometheus, version 0.0.4, and accepts nothing that its
// description does not allow.
#ifndef VARVE_TESTS_SUPPORT_PROMETHEUS_FORMAT_H_
#define VARVE_TESTS_SUPPORT_PROMETHEUS_FORMAT_H_

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "varve/status.h"

namespace varve::test {

struct PrometheusSample {
  std::string name;  // with the suffix of its part of a histogram
  std::map<std::string, std::string> labels;
  double value = 0;
};

struct PrometheusFamily {
  std::string name;
  std::string type;
  std::string help;
  std::vector<PrometheusSample> samples;
};

// In the order of the text. kInvalidArgument names the line and the rule that it breaks:
//  - every line ends with a newline; comments are HELP, then TYPE, once a family, before its samples;
//  - the samples of a family are together; names, labels, escapes and numbers are well formed;
//  - no two samples have the same name and labels; a family has samples;
//  - a counter's name ends with _total and its value is not negative;
//  - a histogram has, for each set of its other labels, buckets with ascending bounds and counts that do
//    not fall, the last one +Inf and equal to _count, and a _sum.
Result<std::vector<PrometheusFamily>> ParsePrometheus(std::string_view text);

}  // namespace varve::test

#endif  // VARVE_TESTS_SUPPORT_PROMETHEUS_FORMAT_H_

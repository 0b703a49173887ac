// The text of INFO.
#ifndef VARVE_SERVER_INFO_H_
#define VARVE_SERVER_INFO_H_

#include <string>
#include <string_view>
#include <vector>

#include "varve/status.h"

namespace varve::server {

class Service;

// The sections that are named; none: the usual ones.
Result<std::string> InfoText(Service& service, const std::vector<std::string_view>& sections);

// The server's own counters in the text format of Prometheus, beside those of the store.
std::string PrometheusText(Service& service);

}  // namespace varve::server

#endif  // VARVE_SERVER_INFO_H_

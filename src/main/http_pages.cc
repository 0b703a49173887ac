#include "main/http_pages.h"

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "cli/json.h"
#include "varve/db.h"
#include "varve/version.h"

namespace varve {

namespace {

struct Number {
  std::string_view name;   // in JSON; in Prometheus with "varve_server_" before it
  std::string_view type;   // of Prometheus
  std::string_view help;
  uint64_t value;
};

std::vector<Number> NumbersOf(server::Service& service) {
  const net::Counters& net = *service.counters();
  const server::Counts totals = service.totals().Sum();
  const auto read = [](const std::atomic<uint64_t>& number) { return number.load(std::memory_order_relaxed); };
  return {
      {"uptime_seconds", "gauge", "Since the server has started.",
       (service.NowNanos() - service.started_at()) / 1'000'000'000},
      {"connections", "gauge", "Connections now.", read(net.open)},
      {"connections_accepted_total", "counter", "Connections that have been accepted.", read(net.accepted)},
      {"connections_refused_total", "counter", "Connections above the limit.", read(net.refused)},
      {"connections_cut_for_input_total", "counter", "Cut for input that was too large.",
       read(net.cut_for_input)},
      {"connections_cut_for_output_total", "counter", "Cut for output that was not read.",
       read(net.cut_for_output)},
      {"connections_cut_for_memory_total", "counter", "Cut as the largest when memory ran out.",
       read(net.cut_for_memory)},
      {"accept_pauses_total", "counter", "Times without a descriptor for a connection.",
       read(net.accept_pauses)},
      {"input_bytes_total", "counter", "Bytes received.", read(net.input_bytes)},
      {"output_bytes_total", "counter", "Bytes sent.", read(net.output_bytes)},
      {"buffer_bytes", "gauge", "Memory in buffers of connections.", read(net.buffer_bytes)},
      {"commands_total", "counter", "Commands executed.", totals.commands},
      {"command_errors_total", "counter", "Commands answered with an error.", totals.errors},
      {"keyspace_hits_total", "counter", "Lookups that found a key.", totals.hits},
      {"keyspace_misses_total", "counter", "Lookups that found none.", totals.misses},
  };
}

http::Page Metrics(server::Service& service) {
  std::string text = service.db()->GetProperty("varve.prometheus").value_or("");
  for (const Number& number : NumbersOf(service)) {
    const std::string name = "varve_server_" + std::string(number.name);
    text.append("# HELP ").append(name).append(" ").append(number.help);
    text.append("\n# TYPE ").append(name).append(" ").append(number.type).append("\n");
    text.append(name).append(" ").append(std::to_string(number.value)).append("\n");
  }
  return {.content_type = "text/plain; version=0.0.4; charset=utf-8", .body = std::move(text)};
}

http::Page StatsPage(server::Service& service) {
  const Statistics stats = service.db()->Stats();
  cli::JsonObject server;
  for (const Number& number : NumbersOf(service)) server.Number(number.name, number.value);
  cli::JsonObject operations;
  for (size_t i = 0; i < kOperationCount; ++i) {
    const auto operation = static_cast<Operation>(i);
    operations.Number(OperationName(operation), stats.operation(operation).count);
  }
  cli::JsonObject store;
  store.Number("entries", stats.entry_count)
      .Number("last_sequence", stats.last_sequence)
      .Number("segment_bytes", stats.segment_bytes)
      .Number("value_log_bytes", stats.value_log_bytes)
      .Number("log_bytes", stats.wal_bytes)
      .Number("memtable_bytes", stats.memtable_bytes)
      .Number("cache_bytes", stats.cache_bytes)
      .Number("flushes", stats.flush_count)
      .Number("compactions", stats.compaction_count)
      .Bytes("background_error", stats.background_error)
      .Raw("operations", operations.Take());
  cli::JsonObject page;
  page.Bytes("version", kVersion).Bytes("run_id", service.run_id());
  page.Raw("server", server.Take()).Raw("store", store.Take());
  return {.content_type = "application/json", .body = page.Take() + "\n"};
}

// A store that takes no more writes can still be read; but who balances load should know.
http::Page Ready(server::Service& service) {
  const std::string error = service.StoreFailure();
  if (error.empty()) return {.body = "ready\n"};
  return {.status = 503, .body = "not ready: " + error + "\n"};
}

}  // namespace

http::Pages MakeHttpPages(server::Service* service) {
  return {
      {"/livez", [] { return http::Page{.body = "alive\n"}; }},
      {"/metrics", [service] { return Metrics(*service); }},
      {"/readyz", [service] { return Ready(*service); }},
      {"/stats", [service] { return StatsPage(*service); }},
  };
}

}  // namespace varve

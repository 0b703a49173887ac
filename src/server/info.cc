#include "server/info.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/status_macros.h"
#include "env/process_usage.h"
#include "server/command.h"
#include "server/service.h"
#include "varve/version.h"

namespace varve::server {

namespace {

// Keys that INFO counts one by one; of larger databases it says only what the store knows without looking.
constexpr uint64_t kMaxCounted = 10000;

// Lines of "name:value".
class Lines {
 public:
  explicit Lines(std::string* text) : text_(text) {}
  void Add(std::string_view name, std::string_view value) {
    text_->append(name).append(":").append(value).append("\r\n");
  }
  void Add(std::string_view name, uint64_t value) { Add(name, std::to_string(value)); }

 private:
  std::string* const text_;
};

uint64_t Value(const std::atomic<uint64_t>& counter) {
  return counter.load(std::memory_order_relaxed);
}

std::string HumanBytes(uint64_t bytes) {
  constexpr std::string_view kUnits[] = {"B", "K", "M", "G", "T"};
  size_t unit = 0;
  uint64_t hundredths = bytes * 100;
  for (; hundredths >= 102400 && unit + 1 < std::size(kUnits); ++unit) hundredths /= 1024;
  if (unit == 0) return std::to_string(bytes) + "B";
  const std::string fraction = std::to_string(hundredths % 100);
  return std::to_string(hundredths / 100) + (fraction.size() == 1 ? ".0" : ".") + fraction +
         std::string(kUnits[unit]);
}

std::string Decimal(double value, int digits) {
  std::array<char, 64> text{};
  const auto [end, error] =
      std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed, digits);
  return {text.data(), end};
}

void ServerSection(Service& service, Lines& lines) {
  const uint64_t uptime = (service.NowNanos() - service.started_at()) / 1'000'000'000;
  lines.Add("redis_version", kRedisVersion);
  lines.Add("varve_version", kVersion);
  lines.Add("redis_git_sha1", "00000000");
  lines.Add("redis_git_dirty", "0");
  lines.Add("redis_mode", "standalone");
  lines.Add("os", "Linux");
  lines.Add("arch_bits", sizeof(void*) * 8);
  lines.Add("multiplexing_api", "epoll");
  lines.Add("process_id", static_cast<uint64_t>(ReadProcessUsage().process_id));
  lines.Add("run_id", service.run_id());
  lines.Add("tcp_port", service.port());
  lines.Add("server_time_usec", service.NowMillis() * 1000);
  lines.Add("uptime_in_seconds", uptime);
  lines.Add("uptime_in_days", uptime / 86400);
  lines.Add("io_threads_active", service.options().net.loop_count);
}

void ClientsSection(Service& service, Lines& lines) {
  lines.Add("connected_clients", service.clients().All().size());
  lines.Add("cluster_connections", "0");
  lines.Add("maxclients", service.options().net.max_connections);
  lines.Add("blocked_clients", "0");
  lines.Add("tracking_clients", static_cast<uint64_t>(service.tracking().client_count()));
}

void MemorySection(Service& service, Lines& lines) {
  const Statistics stats = service.db()->Stats();
  const uint64_t buffers =
      service.counters() == nullptr ? 0 : Value(service.counters()->buffer_bytes);
  const uint64_t used =
      stats.memtable_bytes + stats.cache_bytes + stats.index_bytes + stats.iterator_bytes + buffers;
  lines.Add("used_memory", used);
  lines.Add("used_memory_human", HumanBytes(used));
  const uint64_t resident = ReadProcessUsage().resident_bytes;
  lines.Add("used_memory_rss", resident);
  lines.Add("used_memory_rss_human", HumanBytes(resident));
  lines.Add("mem_fragmentation_ratio", Decimal(static_cast<double>(resident) / static_cast<double>(std::max<uint64_t>(1, used)), 2));
  lines.Add("mem_clients_normal", buffers);
  lines.Add("maxmemory", "0");
  lines.Add("maxmemory_human", "0B");
  lines.Add("maxmemory_policy", "noeviction");
}

void PersistenceSection(Service& service, Lines& lines) {
  const Statistics stats = service.db()->Stats();
  lines.Add("loading", "0");
  lines.Add("rdb_bgsave_in_progress", "0");
  lines.Add("rdb_last_save_time", service.NowMillis() / 1000);
  lines.Add("rdb_last_bgsave_status", "ok");
  lines.Add("aof_enabled", "1");
  lines.Add("aof_last_write_status", service.StoreFailure().empty() ? "ok" : "err");
  lines.Add("aof_current_size", stats.wal_bytes);
  const Backups::State backup = service.backups().state();
  lines.Add("backup_in_progress", backup.is_running ? "1" : "0");
  lines.Add("backup_name", backup.name);
  lines.Add("backup_done_bytes", backup.done_bytes);
  lines.Add("backup_total_bytes", backup.total_bytes);
  lines.Add("backup_last_status", backup.error.empty() ? "ok" : "err");
  lines.Add("backup_last_error", backup.error);
  lines.Add("backup_last_time", backup.ended_millis / 1000);
}

void StatsSection(Service& service, Lines& lines) {
  const Counts totals = service.totals().Sum();
  const net::Counters none;
  const net::Counters& net = service.counters() == nullptr ? none : *service.counters();
  lines.Add("total_connections_received", Value(net.accepted));
  lines.Add("total_commands_processed", totals.commands);
  const Rates::Sums rates = service.rates().PerSecond(
      service.NowNanos(), {totals.commands, Value(net.input_bytes), Value(net.output_bytes)});
  lines.Add("instantaneous_ops_per_sec", rates.commands);
  lines.Add("instantaneous_input_kbps", Decimal(static_cast<double>(rates.input_bytes) / 1024, 2));
  lines.Add("instantaneous_output_kbps", Decimal(static_cast<double>(rates.output_bytes) / 1024, 2));
  lines.Add("total_net_input_bytes", Value(net.input_bytes));
  lines.Add("total_net_output_bytes", Value(net.output_bytes));
  lines.Add("rejected_connections", Value(net.refused));
  lines.Add("client_query_buffer_limit_disconnections", Value(net.cut_for_input));
  lines.Add("client_output_buffer_limit_disconnections", Value(net.cut_for_output));
  lines.Add("evicted_clients", Value(net.cut_for_memory));
  lines.Add("keyspace_hits", totals.hits);
  lines.Add("keyspace_misses", totals.misses);
  lines.Add("evicted_keys", "0");
  lines.Add("pubsub_channels", static_cast<uint64_t>(service.pubsub().NameCount(Subscription::kChannel)));
  lines.Add("pubsub_patterns", static_cast<uint64_t>(service.pubsub().NameCount(Subscription::kPattern)));
  lines.Add("tracking_total_keys", static_cast<uint64_t>(service.tracking().key_count()));
  lines.Add("total_error_replies", totals.errors);
}

void ReplicationSection(Service&, Lines& lines) {
  lines.Add("role", "master");
  lines.Add("connected_slaves", "0");
  lines.Add("master_repl_offset", "0");
}

void LsmSection(Service& service, Lines& lines) {
  const Statistics stats = service.db()->Stats();
  lines.Add("lsm_entries", stats.entry_count);
  lines.Add("lsm_runs", stats.runs.size());
  lines.Add("lsm_segment_bytes", stats.segment_bytes);
  lines.Add("lsm_value_log_bytes", stats.value_log_bytes);
  lines.Add("lsm_flushes", stats.flush_count);
  lines.Add("lsm_compactions", stats.compaction_count);
  lines.Add("lsm_syncs", stats.sync_count);
  lines.Add("lsm_cache_hits", stats.cache_hit_count);
  lines.Add("lsm_cache_misses", stats.cache_miss_count);
}

// Calls `visit` for every command that has been called or refused.
template <typename Visit>
void ForEachUsed(Service& service, const Visit& visit) {
  const std::vector<CommandTotals> totals = service.command_stats().Totals();
  const auto look = [&](const Command& command) {
    const CommandTotals& of = totals[static_cast<size_t>(command.id)];
    if (of.calls + of.rejected > 0) visit(command, of);
  };
  for (const auto& [name, command] : AllCommands()) {
    look(*command);
    for (const auto& [sub_name, sub] : command->subcommands) look(*sub);
  }
}

void CpuSection(Service&, Lines& lines) {
  const ProcessUsage usage = ReadProcessUsage();
  lines.Add("used_cpu_sys", Decimal(static_cast<double>(usage.system_micros) / 1e6, 6));
  lines.Add("used_cpu_user", Decimal(static_cast<double>(usage.user_micros) / 1e6, 6));
}

void CommandStatsSection(Service& service, Lines& lines) {
  ForEachUsed(service, [&](const Command& command, const CommandTotals& totals) {
    const uint64_t micros = totals.nanos / 1000;
    const double mean = totals.calls == 0 ? 0 : static_cast<double>(micros) / static_cast<double>(totals.calls);
    lines.Add("cmdstat_" + command.full_name,
              "calls=" + std::to_string(totals.calls) + ",usec=" + std::to_string(micros) + ",usec_per_call=" +
                  Decimal(mean, 2) + ",rejected_calls=" + std::to_string(totals.rejected) +
                  ",failed_calls=" + std::to_string(totals.failed));
  });
}

void ErrorStatsSection(Service& service, Lines& lines) {
  for (const auto& [kind, count] : service.command_stats().Errors()) {
    lines.Add("errorstat_" + kind, "count=" + std::to_string(count));
  }
}

void LatencyStatsSection(Service& service, Lines& lines) {
  ForEachUsed(service, [&](const Command& command, const CommandTotals& totals) {
    if (totals.calls == 0) return;
    const auto micros = [&](double percent) {
      return Decimal(static_cast<double>(totals.Percentile(percent)) / 1000, 3);
    };
    lines.Add("latency_percentiles_usec_" + command.full_name,
              "p50=" + micros(50) + ",p99=" + micros(99) + ",p99.9=" + micros(99.9));
  });
}

Status KeyspaceSection(Service& service, Lines& lines) {
  for (int i = 0; i < service.databases().count(); ++i) {
    VARVE_ASSIGN_OR_RETURN(Namespace* const space, service.databases().Find(i));
    if (space == nullptr) continue;
    const std::unique_ptr<Iterator> iterator = space->NewIterator();
    uint64_t keys = 0;
    uint64_t expires = 0;
    for (iterator->SeekToFirst(); iterator->Valid() && keys < kMaxCounted; iterator->Next()) {
      ++keys;
      expires += iterator->expire_at_millis() != 0 ? 1 : 0;
    }
    if (iterator->Valid()) keys = std::max(keys, service.db()->Stats().entry_count);
    VARVE_RETURN_IF_ERROR(iterator->status());
    if (keys == 0) continue;
    lines.Add("db" + std::to_string(i), "keys=" + std::to_string(keys) +
                                            ",expires=" + std::to_string(expires) + ",avg_ttl=0");
  }
  return Status::Ok();
}

struct Section {
  std::string_view title;
  bool is_usual;
  void (*write)(Service&, Lines&);
};

constexpr Section kSections[] = {
    {"Server", true, ServerSection},
    {"Clients", true, ClientsSection},
    {"Memory", true, MemorySection},
    {"Persistence", true, PersistenceSection},
    {"Stats", true, StatsSection},
    {"Replication", true, ReplicationSection},
    {"CPU", true, CpuSection},
    {"Lsm", false, LsmSection},
    {"Commandstats", false, CommandStatsSection},
    {"Errorstats", true, ErrorStatsSection},
    {"Latencystats", false, LatencyStatsSection},
    {"Cluster", true,
     [](Service& service, Lines& lines) { lines.Add("cluster_enabled", service.cluster() != nullptr ? "1" : "0"); }},
    {"Keyspace", true, nullptr},
};

}  // namespace

Result<std::string> InfoText(Service& service, const std::vector<std::string_view>& sections) {
  std::string text;
  for (const Section& section : kSections) {
    const bool is_named =
        std::any_of(sections.begin(), sections.end(), [&](std::string_view name) {
          return EqualsIgnoreCase(name, section.title) || EqualsIgnoreCase(name, "all") ||
                 EqualsIgnoreCase(name, "everything") ||
                 (section.is_usual && EqualsIgnoreCase(name, "default"));
        });
    if (sections.empty() ? !section.is_usual : !is_named) continue;
    if (!text.empty()) text.append("\r\n");
    text.append("# ").append(section.title).append("\r\n");
    Lines lines(&text);
    if (section.write != nullptr) {
      section.write(service, lines);
    } else {
      VARVE_RETURN_IF_ERROR(KeyspaceSection(service, lines));
    }
  }
  return text;
}

std::string PrometheusText(Service& service) {
  std::string text;
  const auto family = [&](std::string_view name, std::string_view type, std::string_view help) {
    text.append("# HELP ").append(name).append(" ").append(help).append("\n# TYPE ");
    text.append(name).append(" ").append(type).append("\n");
  };
  const auto sample = [&](std::string_view name, const std::string& labels, const std::string& value) {
    text.append(name).append(labels).append(" ").append(value).append("\n");
  };
  const auto single = [&](std::string_view name, std::string_view type, std::string_view help, uint64_t value) {
    family(name, type, help);
    sample(name, "", std::to_string(value));
  };
  const net::Counters none;
  const net::Counters& net = service.counters() == nullptr ? none : *service.counters();
  single("varve_server_connections", "gauge", "Clients that are connected.", service.clients().All().size());
  single("varve_server_connections_total", "counter", "Clients that have connected.", Value(net.accepted));
  single("varve_server_connections_refused_total", "counter", "Clients that were one too many.", Value(net.refused));
  single("varve_server_input_bytes_total", "counter", "Bytes received from clients.", Value(net.input_bytes));
  single("varve_server_output_bytes_total", "counter", "Bytes sent to clients.", Value(net.output_bytes));
  single("varve_server_buffer_bytes", "gauge", "Memory for input and output of clients.", Value(net.buffer_bytes));
  single("varve_server_uptime_seconds", "gauge", "Time since the server was started.",
         (service.NowNanos() - service.started_at()) / 1'000'000'000);
  std::string calls;
  std::string seconds;
  std::string failures;
  ForEachUsed(service, [&](const Command& command, const CommandTotals& totals) {
    const std::string labels = "{command=\"" + command.full_name + "\"} ";
    calls.append("varve_server_commands_total" + labels + std::to_string(totals.calls) + "\n");
    seconds.append("varve_server_command_seconds_total" + labels +
                   Decimal(static_cast<double>(totals.nanos) / 1e9, 9) + "\n");
    failures.append("varve_server_command_failures_total" + labels +
                    std::to_string(totals.failed + totals.rejected) + "\n");
  });
  family("varve_server_commands_total", "counter", "Commands that were executed.");
  text.append(calls);
  family("varve_server_command_seconds_total", "counter", "Time that commands took.");
  text.append(seconds);
  family("varve_server_command_failures_total", "counter", "Commands that were refused, or failed.");
  text.append(failures);
  family("varve_server_errors_total", "counter", "Replies that were errors, by their first word.");
  for (const auto& [kind, count] : service.command_stats().Errors()) {
    std::string label;
    for (const char c : kind) label.append(c == '"' || c == '\\' ? std::string("\\") + c : std::string(1, c));
    sample("varve_server_errors_total", "{error=\"" + label + "\"}", std::to_string(count));
  }
  return text;
}

}  // namespace varve::server

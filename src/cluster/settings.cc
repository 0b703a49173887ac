#include "cluster/settings.h"

#include <algorithm>
#include <charconv>
#include <utility>
#include <vector>

#include "base/planted_bug.h"
#include "base/status_macros.h"
#include "cluster/key_namespace.h"
#include "cluster/placement.h"

namespace varve::cluster {
namespace {

template <typename T>
bool ParseNumber(std::string_view text, T* number, int base = 10) {
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, *number, base);
  return error == std::errc() && stop == end && !text.empty();
}

std::string Hex(uint64_t number) {
  std::string digits(16, '0');
  for (size_t i = 16; i > 0; --i, number >>= 4) digits[i - 1] = "0123456789abcdef"[number & 15];
  return digits;
}

bool ParsePolicy(std::string_view text, ConflictPolicy* policy) {
  *policy = text == "lww" ? ConflictPolicy::kLww : ConflictPolicy::kSiblings;
  return text == PolicyName(*policy);
}

// "NAME POLICY R W LEAST-R LEAST-W".
bool TakeNamespace(std::string_view text, ClusterSettings* settings) {
  std::vector<std::string_view> words;
  while (true) {
    const size_t space = std::min(text.find(' '), text.size());
    words.push_back(text.substr(0, space));
    if (space == text.size()) break;
    text.remove_prefix(space + 1);
  }
  if (words.size() != 6 || !IsNamespaceName(words[0])) return false;
  ClusterNamespace taken;
  const bool is_right = ParsePolicy(words[1], &taken.policy) && ParseNumber(words[2], &taken.read_quorum) &&
                        ParseNumber(words[3], &taken.write_quorum) && ParseNumber(words[4], &taken.least_read) &&
                        ParseNumber(words[5], &taken.least_write);
  return is_right && settings->namespaces.emplace(words[0], taken).second;
}

// One line of the settings. False: its value makes no sense.
Result<bool> TakeSetting(std::string_view name, std::string_view value, ClusterSettings* settings) {
  if (name == "copies") return ParseNumber(value, &settings->copies);
  if (name == "read") return ParseNumber(value, &settings->read_quorum);
  if (name == "write") return ParseNumber(value, &settings->write_quorum);
  if (name == "conflicts") return ParsePolicy(value, &settings->policy);
  if (name == "namespace") return TakeNamespace(value, settings);
  if (name == "secret") {
    return value.size() == 32 && ParseNumber(value.substr(0, 16), &settings->secret[0], 16) &&
           ParseNumber(value.substr(16), &settings->secret[1], 16);
  }
  return Status::NotSupported("the cluster's settings have '" + std::string(name) +
                              "', which this version does not know");
}

Status CheckQuorum(uint32_t quorum, uint32_t copies) {
  if (quorum >= 1 && quorum <= copies) return Status::Ok();
  return Status::InvalidArgument("R and W are from 1 to the number of copies, " + std::to_string(copies));
}

bool DoReadsSeeWrites(uint32_t read_quorum, uint32_t write_quorum, uint32_t copies) {
  return read_quorum + write_quorum > copies;
}

void TakeQuorums(uint32_t read_quorum, uint32_t write_quorum, uint32_t copies, ClusterNamespace* space) {
  space->read_quorum = read_quorum;
  space->write_quorum = write_quorum;
  const bool forgets = VARVE_PLANTED_BUG("namespace.forgets_its_least_quorum");
  const bool is_first = space->least_write == 0 || forgets;
  space->least_write = is_first ? write_quorum : std::min(space->least_write, write_quorum);
  if (!DoReadsSeeWrites(read_quorum, write_quorum, copies)) return;
  space->least_read = space->least_read == 0 || forgets ? read_quorum : std::min(space->least_read, read_quorum);
}

// The least of quorums that requests wait for, or have waited for.
size_t LeastOf(const std::vector<uint32_t>& quorums, uint32_t copies) {
  const uint32_t majority = copies / 2 + 1;
  const uint32_t least = *std::min_element(quorums.begin(), quorums.end());
  if (least == majority) return 0;
  // Who waits for a majority waits for one of those replicas that there are. While there are fewer than there should be, that
  // may be less than `least`, but never less than two of two.
  const bool may_be_less = quorums.size() > 1 && least < majority;
  return may_be_less ? std::min(least, 2u) : least;
}

}  // namespace

const char* PolicyName(ConflictPolicy policy) { return policy == ConflictPolicy::kLww ? "lww" : "siblings"; }

std::string EncodeClusterSettings(const ClusterSettings& settings) {
  std::string text;
  text.append("copies ").append(std::to_string(settings.copies));
  text.append("\nread ").append(std::to_string(settings.read_quorum));
  text.append("\nwrite ").append(std::to_string(settings.write_quorum));
  text.append("\nconflicts ").append(PolicyName(settings.policy));
  text.append("\nsecret ").append(Hex(settings.secret[0])).append(Hex(settings.secret[1])).append("\n");
  for (const auto& [name, space] : settings.namespaces) {
    text.append("namespace ").append(name).append(" ").append(PolicyName(space.policy));
    for (const uint32_t number : {space.read_quorum, space.write_quorum, space.least_read, space.least_write}) {
      text.append(" ").append(std::to_string(number));
    }
    text.append("\n");
  }
  return text;
}

Result<ClusterSettings> DecodeClusterSettings(std::string_view text) {
  ClusterSettings settings;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const size_t space = line.find(' ');
    if (space == line.npos) return Status::Corruption("the cluster's settings: '" + std::string(line) + "'");
    VARVE_ASSIGN_OR_RETURN(const bool is_right, TakeSetting(line.substr(0, space), line.substr(space + 1), &settings));
    if (!is_right) return Status::Corruption("the cluster's settings: '" + std::string(line) + "'");
  }
  const Status status = CheckClusterSettings(settings);
  if (!status.ok()) return Status::Corruption(std::string(status.message()));
  return settings;
}

Status CheckClusterSettings(const ClusterSettings& settings) {
  if (settings.copies < 1 || settings.copies > kMaxCopies) {
    return Status::InvalidArgument("the number of copies is from 1 to " + std::to_string(kMaxCopies));
  }
  VARVE_RETURN_IF_ERROR(CheckQuorum(settings.read_quorum, settings.copies));
  VARVE_RETURN_IF_ERROR(CheckQuorum(settings.write_quorum, settings.copies));
  for (const auto& [name, space] : settings.namespaces) {
    VARVE_RETURN_IF_ERROR(CheckQuorum(space.read_quorum, settings.copies));
    VARVE_RETURN_IF_ERROR(CheckQuorum(space.write_quorum, settings.copies));
    VARVE_RETURN_IF_ERROR(CheckQuorum(space.least_write, space.write_quorum));
    if (space.least_read > settings.copies) return CheckQuorum(space.least_read, settings.copies);
  }
  if (settings.namespaces.size() > kMaxNamespaces) return Status::InvalidArgument("there are too many namespaces");
  return Status::Ok();
}

Status AddNamespace(const std::string& name, ConflictPolicy policy, uint32_t read_quorum, uint32_t write_quorum,
                    ClusterSettings* settings) {
  if (!IsNamespaceName(name)) {
    return Status::InvalidArgument("a namespace's name has 1 to " + std::to_string(kMaxNamespaceNameBytes) +
                                   " letters, digits, '.', '_' or '-'; not '" + name + "'");
  }
  if (settings->namespaces.contains(name)) return Status::InvalidArgument("there is a namespace '" + name + "' already");
  ClusterSettings next = *settings;
  ClusterNamespace space{.policy = policy};
  TakeQuorums(read_quorum, write_quorum, settings->copies, &space);
  next.namespaces.emplace(name, space);
  VARVE_RETURN_IF_ERROR(CheckClusterSettings(next));
  *settings = std::move(next);
  return Status::Ok();
}

Status SetNamespaceQuorums(const std::string& name, uint32_t read_quorum, uint32_t write_quorum, ClusterSettings* settings) {
  ClusterSettings next = *settings;
  const auto found = next.namespaces.find(name);
  if (found == next.namespaces.end()) return Status::NotFound("there is no namespace '" + name + "'");
  ClusterNamespace& space = found->second;
  const uint32_t copies = settings->copies;
  const bool is_promised = DoReadsSeeWrites(space.read_quorum, space.write_quorum, copies) &&
                           DoReadsSeeWrites(read_quorum, write_quorum, copies);
  const bool do_both_meet = DoReadsSeeWrites(space.read_quorum, write_quorum, copies) &&
                            DoReadsSeeWrites(read_quorum, space.write_quorum, copies);
  if (is_promised && !do_both_meet && !VARVE_PLANTED_BUG("namespace.quorums_need_not_meet")) {
    return Status::InvalidArgument("while nodes hear of it one after the other, reads would miss writes: change first what "
                                   "grows, then, when 'varve cluster status' is green, what shrinks");
  }
  TakeQuorums(read_quorum, write_quorum, copies, &space);
  VARVE_RETURN_IF_ERROR(CheckClusterSettings(next));
  *settings = std::move(next);
  return Status::Ok();
}

MoveRules MoveRulesOf(const ClusterSettings& settings) {
  std::vector<uint32_t> reads = {settings.read_quorum};
  std::vector<uint32_t> writes = {settings.write_quorum};
  for (const auto& [name, space] : settings.namespaces) {
    if (space.least_read != 0) reads.push_back(space.least_read);
    writes.push_back(space.least_write);
  }
  return {LeastOf(reads, settings.copies), LeastOf(writes, settings.copies)};
}

}  // namespace varve::cluster

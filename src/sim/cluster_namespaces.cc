#include "sim/cluster_namespaces.h"

#include "base/check.h"
#include "base/coding.h"

namespace varve::sim {
namespace {

using cluster::ClusterNamespace;
using cluster::ClusterSettings;

ClusterSettings MadeWith(const ClusterOptions& options) {
  ClusterSettings settings{.copies = options.copies, .policy = options.policy};
  settings.read_quorum = settings.write_quorum = options.copies / 2 + 1;
  for (const NamespaceOptions& space : options.namespaces) {
    if (space.comes_later) continue;
    VARVE_CHECK(AddNamespace(space.name, space.policy, space.read_quorum, space.write_quorum, &settings).ok());
  }
  return settings;
}

uint32_t SomeQuorum(const ClusterOptions& options, Stream* random) {
  return 1 + static_cast<uint32_t>(random->Uniform(options.copies));
}

}  // namespace

std::string EncodeRecord(const ClusterOptions& options, const StoreRecord& record) {
  std::string bytes;
  if (!options.namespaces.empty()) AppendLengthPrefixed(&bytes, record.settings);
  return bytes.append(record.topology);
}

StoreRecord SplitRecord(const ClusterOptions& options, std::string_view bytes) {
  StoreRecord record;
  if (!options.namespaces.empty()) VARVE_CHECK(ConsumeLengthPrefixed(&bytes, &record.settings));
  record.topology = bytes;
  return record;
}

std::string FirstSettingsOf(const ClusterOptions& options) {
  return options.namespaces.empty() ? "" : EncodeClusterSettings(MadeWith(options));
}

bool AddMissing(const ClusterOptions& options, ClusterSettings* settings) {
  for (const NamespaceOptions& space : options.namespaces) {
    if (settings->namespaces.contains(space.name)) continue;
    return AddNamespace(space.name, space.policy, space.read_quorum, space.write_quorum, settings).ok();
  }
  return false;
}

bool ChangeSettings(const ClusterOptions& options, bool is_green, Stream* random, ClusterSettings* settings) {
  const NamespaceOptions& space = options.namespaces[random->Uniform(options.namespaces.size())];
  const auto known = settings->namespaces.find(space.name);
  if (known == settings->namespaces.end()) {
    return AddNamespace(space.name, space.policy, space.read_quorum, space.write_quorum, settings).ok();
  }
  const ClusterNamespace& now = known->second;
  const bool is_promised = now.read_quorum + now.write_quorum > options.copies;
  if (is_promised && !is_green) return false;
  return SetNamespaceQuorums(space.name, SomeQuorum(options, random), SomeQuorum(options, random), settings).ok();
}

}  // namespace varve::sim

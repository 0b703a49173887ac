#include "cluster/context_token.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/coding.h"
#include "base/planted_bug.h"
#include "cluster/wire.h"

namespace varve::cluster {
namespace {

// A token: version, id of the secret, stamp, context, signature over all before it and the key.
constexpr char kTokenVersion = 1;
constexpr size_t kHeadSize = 2;
constexpr size_t kSignatureSize = 8;

Status Refused(const char* why) { return Status::InvalidArgument(std::string("context: ") + why); }

}  // namespace

ContextTokens::ContextTokens(std::vector<Secret> secrets) : secrets_(std::move(secrets)) {
  VARVE_CHECK(!secrets_.empty());
}

uint64_t ContextTokens::Signature(const Secret& secret, uint64_t space, std::string_view key,
                                  std::string_view content) {
  std::string signed_bytes;
  signed_bytes.reserve(sizeof(space) + kMaxVarint64Bytes + key.size() + content.size());
  AppendFixed(&signed_bytes, space);
  AppendLengthPrefixed(&signed_bytes, VARVE_PLANTED_BUG("token.of_any_key") ? "" : key);
  signed_bytes.append(content);
  return SipHash(secret.key, signed_bytes);
}

std::string ContextTokens::Seal(uint64_t space, std::string_view key, const SeenContext& seen) const {
  const Secret& secret = secrets_.front();
  std::string token{kTokenVersion, static_cast<char>(secret.id)};
  AppendVarint(&token, seen.stamp);
  seen.context.AppendTo(&token);
  AppendFixed(&token, Signature(secret, space, key, token));
  return token;
}

Result<std::optional<SeenContext>> ContextTokens::Open(uint64_t space, std::string_view key,
                                                       std::string_view token) const {
  if (token.empty()) return std::optional<SeenContext>(SeenContext{});
  if (token.size() < kHeadSize + kSignatureSize) return Refused("cut off");
  if (token[0] != kTokenVersion) return Refused("of another version");
  const auto secret = std::find_if(secrets_.begin(), secrets_.end(), [&token](const Secret& s) {
    return s.id == static_cast<uint8_t>(token[1]);
  });
  if (secret == secrets_.end()) return std::optional<SeenContext>();
  std::string_view content = token.substr(0, token.size() - kSignatureSize);
  const uint64_t signature = LoadFixed<uint64_t>(token.data() + content.size());
  if (signature != Signature(*secret, space, key, content)) return Refused("not one of this key");
  content.remove_prefix(kHeadSize);
  SeenContext seen;
  if (!ConsumeCanonicalVarint(&content, &seen.stamp) || seen.stamp > kMaxStamp ||
      !CausalContext::Consume(&content, &seen.context) || !content.empty()) {
    return Refused("malformed");
  }
  return std::optional<SeenContext>(std::move(seen));
}

}  // namespace varve::cluster

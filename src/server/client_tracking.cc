#include "server/client_tracking.h"

#include <utility>

#include "base/planted_bug.h"
#include "base/status_macros.h"
#include "server/clients.h"
#include "server/service.h"
#include "server/session.h"

namespace varve::server {

namespace {

constexpr size_t kMaxPrefixes = 256;

// False after replying an error, as in what follows.
bool ParseTracking(Call& call, TrackingOptions* options) {
  for (size_t i = 3; i < call.count(); ++i) {
    const bool has_value = i + 1 < call.count();
    if (call.Is(i, "redirect") && has_value) {
      if (options->redirect != 0) {
        static_cast<void>(call.Error("A client can only redirect to a single other client"));
        return false;
      }
      int64_t id = 0;
      if (!call.TakeInteger(++i, &id)) return false;
      if (id <= 0 || call.service.clients().Find(static_cast<uint64_t>(id)) == nullptr) {
        static_cast<void>(call.Error("The client ID you want redirect to does not exist"));
        return false;
      }
      options->redirect = static_cast<uint64_t>(id);
    } else if (call.Is(i, "bcast")) {
      options->has_prefixes = true;
    } else if (call.Is(i, "optin")) {
      options->opts_in = true;
    } else if (call.Is(i, "optout")) {
      options->opts_out = true;
    } else if (call.Is(i, "noloop")) {
      options->skips_own = true;
    } else if (call.Is(i, "prefix") && has_value) {
      options->prefixes.emplace_back(call.arg(++i));
    } else {
      static_cast<void>(call.SyntaxError());
      return false;
    }
  }
  return true;
}

// A change would be told twice, and it would not be clear what ends.
bool CheckPrefixes(Call& call, const TrackingOptions& options) {
  const std::vector<std::string> known = call.service.tracking().PrefixesOf(call.session.client());
  // Each is compared with all others, and each changed key with each.
  if (known.size() + options.prefixes.size() > kMaxPrefixes) {
    static_cast<void>(call.Error("a client may have " + std::to_string(kMaxPrefixes) + " prefixes at most"));
    return false;
  }
  for (size_t i = 0; i < options.prefixes.size(); ++i) {
    const std::string& prefix = options.prefixes[i];
    const auto refuse = [&](std::string_view with, const std::string& other) {
      static_cast<void>(call.Error("Prefix '" + prefix + "' overlaps with " + std::string(with) + " prefix '" + other +
                                   "'. Prefixes for a single client must not overlap."));
      return false;
    };
    for (const std::string& other : known) {
      if (PrefixesOverlap(prefix, other)) return refuse("an existing", other);
    }
    for (size_t k = i + 1; k < options.prefixes.size(); ++k) {
      if (PrefixesOverlap(prefix, options.prefixes[k])) return refuse("another provided", options.prefixes[k]);
    }
  }
  return true;
}

bool CheckModes(Call& call, const TrackingOptions& options) {
  const auto refuse = [&](std::string_view why) {
    static_cast<void>(call.Error(why));
    return false;
  };
  if (!options.has_prefixes && !options.prefixes.empty()) return refuse("PREFIX option requires BCAST mode to be enabled");
  const std::optional<TrackingOptions>& now = call.session.tracking();
  if (now && now->has_prefixes != options.has_prefixes) {
    return refuse("You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it "
                  "with a different mode.");
  }
  if (options.has_prefixes && (options.opts_in || options.opts_out)) {
    return refuse("OPTIN and OPTOUT are not compatible with BCAST");
  }
  if (options.opts_in && options.opts_out) return refuse("You can't specify both OPTIN mode and OPTOUT mode");
  if (now && ((options.opts_in && now->opts_out) || (options.opts_out && now->opts_in))) {
    return refuse("You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it "
                  "with a different mode.");
  }
  return !options.has_prefixes || CheckPrefixes(call, options);
}

}  // namespace

Status TrackKeys(Call& call) {
  TrackingOptions options;
  if (!ParseTracking(call, &options)) return Status::Ok();
  if (call.Is(2, "off")) {
    call.session.EndTracking();
    return call.Ok();
  }
  if (!call.Is(2, "on")) return call.SyntaxError();
  if (!CheckModes(call, options)) return Status::Ok();
  if (call.service.cluster() != nullptr) {
    return call.Error("a node of a cluster does not hear of all changes, and so cannot track keys");
  }
  if (!VARVE_PLANTED_BUG("tracking.expiry_untold")) VARVE_RETURN_IF_ERROR(call.service.HearExpiry());
  if (!call.session.Track(std::move(options))) return call.Error("there is no memory for more prefixes");
  return call.Ok();
}

Status Caching(Call& call) {
  const std::optional<TrackingOptions>& now = call.session.tracking();
  if (!now) {
    return call.Error("CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled");
  }
  const bool is_yes = call.Is(2, "yes");
  if (!is_yes && !call.Is(2, "no")) return call.SyntaxError();
  if (is_yes && !now->opts_in) return call.Error("CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.");
  if (!is_yes && !now->opts_out) return call.Error("CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.");
  call.session.SetCaching();
  return call.Ok();
}

Status GetRedir(Call& call) {
  const std::optional<TrackingOptions>& now = call.session.tracking();
  return call.Integer(now ? static_cast<int64_t>(now->redirect) : -1);
}

Status TrackingInfo(Call& call) {
  const std::optional<TrackingOptions>& now = call.session.tracking();
  std::vector<std::string_view> flags = {now ? "on" : "off"};
  if (now) {
    if (now->has_prefixes) flags.emplace_back("bcast");
    if (now->opts_in) flags.emplace_back("optin");
    if (now->opts_in && call.session.is_caching_set()) flags.emplace_back("caching-yes");
    if (now->opts_out) flags.emplace_back("optout");
    if (now->opts_out && call.session.is_caching_set()) flags.emplace_back("caching-no");
    if (now->skips_own) flags.emplace_back("noloop");
    const uint32_t shown = call.session.client().tracking.load(std::memory_order_relaxed);
    if ((shown & Client::kRedirectIsGone) != 0) flags.emplace_back("broken_redirect");
  }
  call.reply.Map(3);
  call.reply.Bulk("flags");
  call.reply.Set(flags.size());
  for (const std::string_view flag : flags) call.reply.Bulk(flag);
  call.reply.Bulk("redirect");
  call.reply.Integer(now ? static_cast<int64_t>(now->redirect) : -1);
  call.reply.Bulk("prefixes");
  const std::vector<std::string> prefixes = call.service.tracking().PrefixesOf(call.session.client());
  call.reply.Array(prefixes.size());
  for (const std::string& prefix : prefixes) call.reply.Bulk(prefix);
  return Status::Ok();
}

}  // namespace varve::server

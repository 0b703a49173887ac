#include "base/status_macros.h"
#include "cli/commands.h"
#include "cli/server_settings.h"

namespace varve::cli {
namespace {

int Serve(const Context& context, const ServeRequest& request) {
  const Status status = context.backend.serve(request, context.console);
  if (status.ok()) return kExitOk;
  if (status.code() == StatusCode::kInvalidArgument) return FailUsage(context, status);
  // The directory may be the configuration's.
  return FailToOpen(Context{context.arguments, context.console, context.backend, request.dir, context.json}, status);
}

int Server(const Context& context) {
  const Arguments& arguments = context.arguments;
  const Variables variable = context.environment == nullptr ? Variables() : context.environment->variable;
  Result<ServerConfig> config = ReadServerConfig(arguments, variable, context.dir);
  if (!config.ok()) return FailUsage(context, config.status());
  if (arguments.Has("--print-config")) {
    context.console.out << PrintedConfig(*config);
    return kExitOk;
  }
  config->request.only_checks = arguments.Has("--check-config");
  if (config->request.only_checks) {
    const int exit_code = Serve(context, config->request);
    if (exit_code == kExitOk) context.console.out << "the configuration is right\n";
    return exit_code;
  }
  if (config->request.dir.empty()) {
    return FailUsage(context, Status::InvalidArgument("no store given; say which directory holds it: "
                                                      "varve server DIR, the variable VARVE_DIR, or dir "
                                                      "in the configuration"));
  }
  return Serve(context, config->request);
}

}  // namespace

std::vector<Command> ServerCommands() {
  return {
      {{.name = "server",
        .operands = "[DIR]",
        .max_operands = 1,
        .flags = ServerSettingFlags(),
        .summary = "Serves the store to every Redis client, until SIGTERM",
        .examples = "varve server data\n"
                    "varve server data --port 7000 --requirepass secret\n"
                    "redis-cli -p 7000 -a secret set key value\n"
                    "varve server --config varve.toml --check-config\n",
        .details = "A missing store is made. One line is logged for each event, to standard error.\n"
                   "A setting comes from its flag, else from the environment (--client-memory is\n"
                   "VARVE_CLIENT_MEMORY), else from the file of --config, else it has its default.\n"
                   "docs/server.md.\n",
        .dir_is_operand = true,
        .target = Target::kNone},
       Server},
  };
}

}  // namespace varve::cli

// Names that clients give themselves.
#ifndef VARVE_SERVER_CLIENT_NAMES_H_
#define VARVE_SERVER_CLIENT_NAMES_H_

#include <string_view>

#include "server/call.h"

namespace varve::server {

// Printable, without spaces.
bool IsClientName(std::string_view name);

// False after replying an error.
bool SetClientName(Call& call, std::string_view name);

}  // namespace varve::server

#endif  // VARVE_SERVER_CLIENT_NAMES_H_

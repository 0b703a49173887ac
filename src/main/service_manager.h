// Tells systemd how far the server is: datagrams to the socket that $NOTIFY_SOCKET names (sd_notify(3)).
#ifndef VARVE_MAIN_SERVICE_MANAGER_H_
#define VARVE_MAIN_SERVICE_MANAGER_H_

#include <string_view>

namespace varve {

// "READY=1", "STOPPING=1", and the like; lines. Does nothing where nobody listens, and never fails: a server that cannot
// tell is still a server.
void NotifyServiceManager(std::string_view state);

}  // namespace varve

#endif  // VARVE_MAIN_SERVICE_MANAGER_H_

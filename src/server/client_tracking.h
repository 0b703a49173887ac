// CLIENT TRACKING and what belongs to it, for the table of commands.
#ifndef VARVE_SERVER_CLIENT_TRACKING_H_
#define VARVE_SERVER_CLIENT_TRACKING_H_

#include "server/call.h"

namespace varve::server {

Status TrackKeys(Call& call);
Status Caching(Call& call);
Status GetRedir(Call& call);
Status TrackingInfo(Call& call);

}  // namespace varve::server

#endif  // VARVE_SERVER_CLIENT_TRACKING_H_

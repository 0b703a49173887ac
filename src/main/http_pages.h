// What the server shows over HTTP.
#ifndef VARVE_MAIN_HTTP_PAGES_H_
#define VARVE_MAIN_HTTP_PAGES_H_

#include "http/handler.h"
#include "server/service.h"

namespace varve {

// /metrics, /stats, /livez and /readyz. Borrows the service, whose counters must be set before the first request.
http::Pages MakeHttpPages(server::Service* service);

}  // namespace varve

#endif  // VARVE_MAIN_HTTP_PAGES_H_

// PeekRequests: a glance at the requests that a client has pipelined, before they are parsed.
#ifndef VARVE_RESP_REQUEST_PEEK_H_
#define VARVE_RESP_REQUEST_PEEK_H_

#include <cstddef>
#include <span>
#include <string_view>

namespace varve::resp {

// What a request begins with.
struct PeekedRequest {
  std::string_view name;
  std::string_view argument;  // the first behind the name
};

// Finds the requests at the beginning of `input` that are arrays of two or more complete bulk strings, written
// as every client writes them; stops before anything else, and when `requests` is full. Returns how many it
// has found, and in `size` the bytes that they take. A guess: it checks nothing that the parser would refuse, so
// that nothing but time may depend on it. Never looks beyond the input. O(arguments).
size_t PeekRequests(std::string_view input, std::span<PeekedRequest> requests, size_t* size);

}  // namespace varve::resp

#endif  // VARVE_RESP_REQUEST_PEEK_H_

// Replies of a server as text for people.
#ifndef VARVE_CLI_REPLY_TEXT_H_
#define VARVE_CLI_REPLY_TEXT_H_

#include <string>

#include "cli/console.h"
#include "resp/reply_parser.h"

namespace varve::cli {

// Ends with a newline:
//   OK        (integer) 3        "bytes, escaped"        (nil)        (error) ERR ...
//   1) "first"
//   2) 1) "of the second"
// A text of several lines, such as that of INFO, is shown as it is.
std::string ReplyText(const resp::Reply& reply, const Console& console);

}  // namespace varve::cli

#endif  // VARVE_CLI_REPLY_TEXT_H_

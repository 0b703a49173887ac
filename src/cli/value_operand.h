// A value as commands take it: a word, "-" for standard input, "@FILE" for what a file holds.
#ifndef VARVE_CLI_VALUE_OPERAND_H_
#define VARVE_CLI_VALUE_OPERAND_H_

#include <string>

#include "cli/context.h"

namespace varve::cli {

// The bytes that `operand` stands for. kInvalidArgument: a bad escape; else reading has failed.
Result<std::string> ValueOperand(const Context& context, const std::string& operand);

}  // namespace varve::cli

#endif  // VARVE_CLI_VALUE_OPERAND_H_

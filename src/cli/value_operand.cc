#include "cli/value_operand.h"

#include <cerrno>
#include <cstring>
#include <fstream>

namespace varve::cli {
namespace {

constexpr std::string_view kStandardInput = "-";

// Everything up to the end, but not much more than a value may hold: the store refuses the rest.
Result<std::string> ReadAll(std::istream& in, const std::string& name) {
  const size_t enough = size_t{Options().max_value_bytes} + 1;
  std::string bytes;
  std::string chunk(size_t{1} << 16, '\0');
  while (bytes.size() < enough && in) {
    in.read(chunk.data(), static_cast<std::streamsize>(chunk.size()));
    bytes.append(chunk, 0, static_cast<size_t>(in.gcount()));
  }
  if (in.bad()) return Status::IoError("reading " + name + " failed");
  return bytes;
}

Result<std::string> ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return Status::IoError("cannot read " + path + ": " + std::strerror(errno));
  return ReadAll(file, path);
}

}  // namespace

Result<std::string> ValueOperand(const Context& context, const std::string& operand) {
  if (operand == kStandardInput) return ReadAll(context.console.in, "standard input");
  if (operand.starts_with('@')) return ReadFile(operand.substr(1));
  return BytesFromCommandLine(context, operand);
}

}  // namespace varve::cli

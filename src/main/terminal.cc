#include "main/terminal.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace varve {

namespace {

constexpr size_t kKeptLines = 1000;
constexpr mode_t kOnlyOwner = 0600;

winsize Size() {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) {
    size.ws_col = 80;
    size.ws_row = 24;
  }
  return size;
}

// $XDG_STATE_HOME/varve/history, or ~/.local/state/varve/history; empty: there is no home.
std::filesystem::path HistoryPath() {
  const char* const state = std::getenv("XDG_STATE_HOME");
  if (state != nullptr && *state == '/') return std::filesystem::path(state) / "varve" / "history";
  const char* const home = std::getenv("HOME");
  if (home == nullptr || *home != '/') return {};
  return std::filesystem::path(home) / ".local" / "state" / "varve" / "history";
}

// A failure to keep the history is no concern of the person's.
void WriteLines(const std::filesystem::path& path, std::string_view lines, int flags) {
  const int descriptor =
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | flags, kOnlyOwner);
  if (descriptor < 0) return;
  static_cast<void>(::write(descriptor, lines.data(), lines.size()) < 0);
  ::close(descriptor);
}

class ProcessTerminal : public cli::Terminal {
 public:
  ProcessTerminal() : history_(HistoryPath()) { ::tcgetattr(STDIN_FILENO, &before_); }
  ~ProcessTerminal() override { EndKeys(); }

  void BeginKeys() override {
    termios keys = before_;
    keys.c_iflag &= ~static_cast<tcflag_t>(BRKINT | ICRNL | INPCK | ISTRIP | IXON);
    keys.c_lflag &= ~static_cast<tcflag_t>(ECHO | ICANON | IEXTEN | ISIG);
    keys.c_cc[VMIN] = 1;
    keys.c_cc[VTIME] = 0;
    // What was typed meanwhile stays.
    is_raw_ = ::tcsetattr(STDIN_FILENO, TCSADRAIN, &keys) == 0;
  }
  void EndKeys() override {
    if (is_raw_) ::tcsetattr(STDIN_FILENO, TCSADRAIN, &before_);
    is_raw_ = false;
  }

  std::optional<std::string> Read(int timeout_millis) override {
    pollfd wait{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
    const int ready = ::poll(&wait, 1, timeout_millis);
    if (ready <= 0) return std::string();
    std::array<char, 1024> bytes;
    const ssize_t got = ::read(STDIN_FILENO, bytes.data(), bytes.size());
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) return std::string();
    if (got <= 0) return std::nullopt;
    return std::string(bytes.data(), static_cast<size_t>(got));
  }
  void Write(std::string_view text) override {
    while (!text.empty()) {
      const ssize_t done = ::write(STDOUT_FILENO, text.data(), text.size());
      if (done < 0 && errno != EINTR) return;
      if (done > 0) text.remove_prefix(static_cast<size_t>(done));
    }
  }

  size_t columns() const override { return Size().ws_col; }
  size_t rows() const override { return Size().ws_row; }

  std::vector<std::string> LoadHistory() override {
    std::vector<std::string> lines;
    std::ifstream file(history_);
    for (std::string line; std::getline(file, line);) lines.push_back(line);
    if (lines.size() <= kKeptLines) return lines;
    const bool is_long = lines.size() > 2 * kKeptLines;
    lines.erase(lines.begin(), lines.end() - kKeptLines);
    if (is_long) {
      std::string text;
      for (const std::string& line : lines) text.append(line).append("\n");
      WriteLines(history_, text, O_TRUNC);
    }
    return lines;
  }
  void AppendHistory(std::string_view line) override {
    if (history_.empty()) return;
    std::error_code ignored;
    std::filesystem::create_directories(history_.parent_path(), ignored);
    WriteLines(history_, std::string(line) + "\n", O_APPEND);
  }

 private:
  const std::filesystem::path history_;
  termios before_{};
  bool is_raw_ = false;
};

}  // namespace

std::unique_ptr<cli::Terminal> OpenTerminal() {
  if (::isatty(STDIN_FILENO) == 0 || ::isatty(STDOUT_FILENO) == 0) return nullptr;
  return std::make_unique<ProcessTerminal>();
}

}  // namespace varve

#include "tests/support/terminal.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <system_error>

namespace registry_backend::testing {
namespace {

void Check(bool good, const char* what) {
  if (!good) throw std::system_error(errno, std::generic_category(), what);
}

}  // namespace

Terminal::Terminal(int columns)
    : own_end_(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK)), programs_end_(-1) {
  Check(own_end_ >= 0, "posix_openpt");
  std::array<char, 128> name{};
  Check(::grantpt(own_end_) == 0 && ::unlockpt(own_end_) == 0 &&
            ::ptsname_r(own_end_, name.data(), name.size()) == 0,
        "ptsname");
  path_ = name.data();
  programs_end_ = ::open(name.data(), O_RDWR | O_NOCTTY | O_CLOEXEC);
  Check(programs_end_ >= 0, "open of a terminal");
  winsize size{};
  size.ws_row = 24;
  size.ws_col = static_cast<unsigned short>(columns);
  Check(::ioctl(own_end_, TIOCSWINSZ, &size) == 0, "TIOCSWINSZ");
}

Terminal::~Terminal() {
  ::close(programs_end_);
  ::close(own_end_);
}

const std::string& Terminal::Output() {
  std::array<char, 4096> piece{};
  while (true) {
    const ssize_t got = ::read(own_end_, piece.data(), piece.size());
    if (got <= 0) return output_;
    output_.append(piece.data(), static_cast<std::size_t>(got));
  }
}

}  // namespace registry_backend::testing

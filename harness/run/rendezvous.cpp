// SPDX-License-Identifier: Apache-2.0
// A star of TCP connections to rank 0, made while MPI still runs, for which a token shared over MPI
// is the ticket. Where not all can connect, ranks wait a fixed time instead, and the run says so.
#include "harness/run/rendezvous.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <random>
#include <sstream>
#include <thread>
#include <utility>

#include "core/error.h"
#include "core/rng.h"
#include "core/together.h"

namespace stepmark {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kConnectTime{5000};
constexpr milliseconds kInsteadOfMeeting{3000};
constexpr std::size_t kTokenSize = 16;  // who connects must know it

class Socket {
 public:
  explicit Socket(int fd = -1) : fd_(fd) {}
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Socket& operator=(Socket&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Socket() {
    if (fd_ >= 0) ::close(fd_);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  [[nodiscard]] int fd() const { return fd_; }
  [[nodiscard]] bool valid() const { return fd_ >= 0; }

 private:
  int fd_;
};

bool wait_for(int fd, short events, Clock::time_point deadline) {
  while (true) {
    const auto left = std::chrono::duration_cast<milliseconds>(deadline - Clock::now()).count();
    pollfd one{.fd = fd, .events = events, .revents = 0};
    const int ready = ::poll(&one, 1, static_cast<int>(std::max<std::int64_t>(0, left)));
    if (ready > 0) return true;
    if (ready == 0 || errno != EINTR) return false;
  }
}

bool receive(int fd, char* data, std::size_t size, Clock::time_point deadline) {
  while (size > 0) {
    if (!wait_for(fd, POLLIN, deadline)) return false;
    const auto got = ::recv(fd, data, size, 0);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got <= 0) return false;
    data += got;
    size -= static_cast<std::size_t>(got);
  }
  return true;
}

bool transmit(int fd, std::string_view data) {
  return ::send(fd, data.data(), data.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(data.size());
}

// IPv4 addresses under which others may reach this host, in the order of its interfaces.
std::string own_addresses() {
  std::string list;
  ifaddrs* all = nullptr;
  if (::getifaddrs(&all) != 0) return list;
  for (const ifaddrs* one = all; one != nullptr; one = one->ifa_next) {
    if (one->ifa_addr == nullptr || one->ifa_addr->sa_family != AF_INET) continue;
    if ((one->ifa_flags & IFF_LOOPBACK) != 0 || (one->ifa_flags & IFF_UP) == 0) continue;
    std::array<char, INET_ADDRSTRLEN> text{};
    const auto* address = reinterpret_cast<const sockaddr_in*>(one->ifa_addr);
    if (::inet_ntop(AF_INET, &address->sin_addr, text.data(), text.size()) != nullptr) {
      list += fmt::format(" {}", text.data());
    }
  }
  ::freeifaddrs(all);
  return list;
}

std::string new_token() {
  std::random_device random;
  return fmt::format("{:08x}{:08x}", random(), random());
}

Socket listen_anywhere(std::uint16_t& port) {
  Socket listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_ANY);
  socklen_t size = sizeof address;
  auto* any = reinterpret_cast<sockaddr*>(&address);
  if (!listener.valid() || ::bind(listener.fd(), any, size) != 0 ||
      ::listen(listener.fd(), SOMAXCONN) != 0 || ::getsockname(listener.fd(), any, &size) != 0) {
    return Socket();
  }
  port = ntohs(address.sin_port);
  return listener;
}

Socket connect_to(const std::string& host, std::uint16_t port, Clock::time_point deadline) {
  Socket socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  if (!socket.valid() || ::inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1) {
    return Socket();
  }
  const int begun = ::connect(socket.fd(), reinterpret_cast<sockaddr*>(&address), sizeof address);
  if (begun != 0 && (errno != EINPROGRESS || !wait_for(socket.fd(), POLLOUT, deadline))) {
    return Socket();
  }
  int error = 0;
  socklen_t size = sizeof error;
  if (::getsockopt(socket.fd(), SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0) {
    return Socket();
  }
  return socket;
}

// Thousands of ranks need more than the usual 1024 files.
void allow_descriptors(int count) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = std::min<rlim_t>(
      limit.rlim_max, std::max<rlim_t>(limit.rlim_cur, 256 + static_cast<rlim_t>(count)));
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

struct Rendezvous::State {
  bool connected = true;
  bool root = false;
  std::vector<std::pair<int, Socket>> others;  // rank 0: all; elsewhere: rank 0

  void accept_all(const Socket& listener, const std::string& token, int count) {
    const auto deadline = Clock::now() + 2 * kConnectTime;
    while (static_cast<int>(others.size()) < count && wait_for(listener.fd(), POLLIN, deadline)) {
      Socket socket(::accept4(listener.fd(), nullptr, nullptr, SOCK_CLOEXEC));
      std::array<char, kTokenSize + 8> hello{};
      if (!socket.valid() || !receive(socket.fd(), hello.data(), hello.size(), deadline)) continue;
      const std::string text(hello.data(), hello.size());
      if (text.substr(0, kTokenSize) != token) continue;
      others.emplace_back(std::stoi(text.substr(kTokenSize)), std::move(socket));
    }
  }

  // `place`: "port token host address address ...".
  void connect(const std::string& place, int rank) {
    std::istringstream words(place);
    std::uint16_t port = 0;
    std::string token;
    std::string host;
    words >> port >> token >> host;
    std::vector<std::string> addresses;
    if (host == identity().host) addresses.emplace_back("127.0.0.1");
    for (std::string address; words >> address;) addresses.push_back(address);
    const auto deadline = Clock::now() + kConnectTime;
    for (const std::string& address : addresses) {
      Socket socket = connect_to(address, port, deadline);
      if (!socket.valid() || !transmit(socket.fd(), fmt::format("{}{:8}", token, rank))) continue;
      others.emplace_back(0, std::move(socket));
      return;
    }
  }
};

Rendezvous::Rendezvous(Control& control) : state_(std::make_unique<State>()) {
  state_->root = control.rank() == 0;
  if (control.size() == 1) return;
  Socket listener;
  std::string place;
  const std::string token = new_token();
  if (state_->root) {
    allow_descriptors(control.size());
    std::uint16_t port = 0;
    listener = listen_anywhere(port);
    place = fmt::format("{} {} {}{}", port, token, identity().host, own_addresses());
  }
  place = control.broadcast(place);
  if (!state_->root) {
    state_->connect(place, control.rank());
  } else if (listener.valid()) {
    state_->accept_all(listener, token, control.size() - 1);
  }
  const std::size_t wanted =
      state_->root ? static_cast<std::size_t>(control.size()) - 1 : std::size_t{1};
  std::array<double, 1> alone{state_->others.size() == wanted ? 0.0 : 1.0};
  control.max_in_place(alone);
  state_->connected = alone[0] == 0.0;
}

Rendezvous::~Rendezvous() = default;
Rendezvous::Rendezvous(Rendezvous&&) noexcept = default;
Rendezvous& Rendezvous::operator=(Rendezvous&&) noexcept = default;

bool Rendezvous::connected() const { return state_->connected; }

void Rendezvous::meet(double seconds) {
  if (!connected()) {
    std::this_thread::sleep_for(kInsteadOfMeeting);
    return;
  }
  const auto deadline = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                           std::chrono::duration<double>(seconds));
  char mark = 'm';
  if (state_->root) {
    for (const auto& [rank, socket] : state_->others) {
      STEPMARK_CHECK(receive(socket.fd(), &mark, 1, deadline),
                     "rank {} is gone or did not end its part", rank);
    }
    for (const auto& [rank, socket] : state_->others) {
      STEPMARK_CHECK(transmit(socket.fd(), "m"), "rank {} is gone", rank);
    }
    return;
  }
  for (const auto& [rank, socket] : state_->others) {
    const bool met = transmit(socket.fd(), "m") && receive(socket.fd(), &mark, 1, deadline);
    if (!met) throw QuietStop{ExitCode::kEnvironment};  // rank 0 knows who is missing
  }
}

}  // namespace stepmark

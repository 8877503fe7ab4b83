// SPDX-License-Identifier: Apache-2.0
// The end of a connection to what poses as a PMIx server, as a library loaded later asks for it.
#include "harness/backend/pmix_farewell.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <string>

namespace stepmark {
namespace {

using Clock = std::chrono::steady_clock;

// Somebody who listens on this host, and a connection to it.
class Peer {
 public:
  Peer()
      : listener_(::socket(AF_INET, SOCK_STREAM, 0)), client_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* any = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(::bind(listener_, any, size), 0);
    EXPECT_EQ(::listen(listener_, 1), 0);
    EXPECT_EQ(::getsockname(listener_, any, &size), 0);
    port = ntohs(address.sin_port);
    EXPECT_EQ(::connect(client_, any, size), 0);
    server_ = ::accept(listener_, nullptr, nullptr);
    EXPECT_GE(server_, 0);
  }
  ~Peer() {
    for (const int socket : {listener_, client_, server_}) ::close(socket);
  }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  [[nodiscard]] int client() const { return client_; }
  // The other end saw it.
  [[nodiscard]] bool hung_up() const {
    char byte = 0;
    return ::recv(server_, &byte, 1, MSG_DONTWAIT) == 0;
  }
  // As a library does that is loaded after the program: by the name that the loader finds first.
  [[nodiscard]] Clock::duration shut_down() const {
    auto* by_name = reinterpret_cast<int (*)(int, int)>(::dlsym(RTLD_DEFAULT, "shutdown"));
    const auto begin = Clock::now();
    EXPECT_EQ(by_name(client_, SHUT_RDWR), 0);
    return Clock::now() - begin;
  }

  int port = 0;

 private:
  int listener_;
  int client_;
  int server_ = -1;
};

TEST(PmixFarewell, APortIsReadFromAnAddress) {
  EXPECT_TRUE(names_port("337969152.0;tcp4://127.0.0.1:56041", 56041));
  EXPECT_FALSE(names_port("337969152.0;tcp4://127.0.0.1:56041", 6041));
  EXPECT_FALSE(names_port("337969152.0;tcp4://127.0.0.1:56041", 5604));
  EXPECT_TRUE(names_port("1.0;tcp6://[::1]:17", 17));
  EXPECT_FALSE(names_port("1.0;usock", 17));
  EXPECT_FALSE(names_port("", 0));
}

TEST(PmixFarewell, OnlyTheServerIsLeftSlowlyAndOnlyByWhoStartsAgain) {
  const Peer server;
  const Peer other;
  const auto own = "4711.0;tcp4://127.0.0.1:" + std::to_string(server.port);
  ::setenv("PMIX_SERVER_URI41", own.c_str(), 1);  // NOLINT(concurrency-mt-unsafe): one thread
  EXPECT_EQ(farewell_to(server.client()).count(), 0);
  leave_pmix_slowly();
  EXPECT_EQ(farewell_to(server.client()), kFarewell);
  EXPECT_EQ(farewell_to(other.client()).count(), 0);
  EXPECT_EQ(farewell_to(-1).count(), 0);
  EXPECT_GE(server.shut_down(), kFarewell);
  EXPECT_TRUE(server.hung_up());
  ::unsetenv("PMIX_SERVER_URI41");  // NOLINT(concurrency-mt-unsafe): one thread
}

}  // namespace
}  // namespace stepmark

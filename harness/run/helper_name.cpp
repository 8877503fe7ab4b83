// SPDX-License-Identifier: Apache-2.0
// prctl for the short name, and zeros over the words and the environment, whose places the kernel
// tells in /proc/self/stat (fields 48 to 51).
#include "harness/run/helper_name.h"

#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>

namespace stepmark {

void take_helper_name(const char* name) {
  prctl(PR_SET_NAME, name);
  std::ifstream file("/proc/self/stat");
  std::string line;
  std::getline(file, line);
  const std::size_t name_end = line.rfind(')');
  if (name_end == std::string::npos) return;
  std::istringstream fields(line.substr(name_end + 1));
  constexpr int kArgStart = 48;            // proc(5); the first field here is number 3
  std::array<std::uintptr_t, 4> places{};  // arg_start, arg_end, env_start, env_end
  std::string field;
  for (int number = 3; fields >> field && number < kArgStart + 4; ++number) {
    if (number >= kArgStart)
      places[static_cast<std::size_t>(number - kArgStart)] = std::stoull(field);
  }
  environ = nullptr;
  for (std::size_t i = 0; i < places.size(); i += 2) {
    if (places[i] == 0 || places[i + 1] <= places[i]) continue;
    // NOLINTNEXTLINE(performance-no-int-to-ptr): the kernel says where our own words are
    auto* begin = reinterpret_cast<char*>(places[i]);
    const std::size_t size = places[i + 1] - places[i];
    std::fill_n(begin, size, '\0');
    if (i == 0) std::copy_n(name, std::min(size - 1, std::strlen(name)), begin);
  }
}

}  // namespace stepmark

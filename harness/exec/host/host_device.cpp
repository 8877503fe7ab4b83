// SPDX-License-Identifier: Apache-2.0
// Host memory as a device: aligned for vectors, from 4 MiB on aligned to huge pages and advised to
// use them. More than the machine has is refused, since the kernel would grant it and kill a
// process later.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "core/error.h"
#include "core/units.h"
#include "harness/exec/executor.h"
#include "harness/exec/host/host_event.h"
#include "harness/exec/host/host_stream.h"

namespace stepmark {
namespace {

constexpr std::size_t kAlignmentBytes = 256;
constexpr std::size_t kHugePageBytes = std::size_t{2} << 20;
constexpr std::size_t kHugePagesFromBytes = std::size_t{4} << 20;

std::size_t physical_bytes() {
  const long pages = sysconf(_SC_PHYS_PAGES);
  const long page_bytes = sysconf(_SC_PAGE_SIZE);
  STEPMARK_CHECK(pages > 0 && page_bytes > 0, "the size of memory is not known");
  return static_cast<std::size_t>(pages) * static_cast<std::size_t>(page_bytes);
}

class HostDevice final : public Device {
 public:
  HostDevice(int compute_threads, const DeviceTraits& traits)
      : compute_threads_(compute_threads), traits_(traits) {
    STEPMARK_REQUIRE(compute_threads >= 1, "{} compute threads", compute_threads);
  }

  [[nodiscard]] std::string_view backend() const override { return "host"; }
  [[nodiscard]] DeviceTraits traits() const override { return traits_; }

  [[nodiscard]] Memory allocate(std::size_t bytes) override {
    if (bytes == 0) return {};
    // The kernel would grant more and kill a process later, without a word from us.
    STEPMARK_CHECK(bytes <= physical_bytes(), "{} asked for, the machine has {}",
                   format_bytes(static_cast<double>(bytes)),
                   format_bytes(static_cast<double>(physical_bytes())));
    const bool huge = bytes >= kHugePagesFromBytes;
    const std::size_t alignment = huge ? kHugePageBytes : kAlignmentBytes;
    const std::size_t rounded = (bytes + alignment - 1) / alignment * alignment;
    void* data = std::aligned_alloc(alignment, rounded);
    STEPMARK_CHECK(data != nullptr, "no memory for {}", format_bytes(static_cast<double>(bytes)));
    if (huge) madvise(data, rounded, MADV_HUGEPAGE);  // advice: a refusal is no failure
    return {data, bytes, [](void* p) { std::free(p); }};
  }

  [[nodiscard]] std::unique_ptr<Stream> create_stream(std::string name) override {
    const bool kernels = name.starts_with("compute") || name.starts_with("optimizer");
    return std::make_unique<HostStream>(std::move(name), kernels ? compute_threads_ : 1);
  }
  [[nodiscard]] std::unique_ptr<Event> create_event() override {
    return std::make_unique<HostEvent>();
  }
  void copy_to_device(void* device, const void* host, std::size_t bytes) override {
    if (bytes > 0) std::memcpy(device, host, bytes);
  }
  void copy_to_host(void* host, const void* device, std::size_t bytes) override {
    if (bytes > 0) std::memcpy(host, device, bytes);
  }

 private:
  int compute_threads_;
  DeviceTraits traits_;
};

}  // namespace

std::unique_ptr<Device> make_host_device(int compute_threads, const DeviceTraits& traits) {
  return std::make_unique<HostDevice>(compute_threads, traits);
}

}  // namespace stepmark

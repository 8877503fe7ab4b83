// SPDX-License-Identifier: Apache-2.0
// Files of cluster-configs from anyone: whatever the bytes, each kind of reader (suite, workload,
// cluster, GPU) reads them or says an Error, and what was read can be counted. They read files, so
// that the bytes are one, in memory.
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "core/error.h"
#include "harness/cases/suite.h"
#include "harness/spec/cluster.h"
#include "harness/spec/known_gpu.h"
#include "harness/spec/workload.h"
#include "tests/fuzz/hostile_mutator.h"

namespace stepmark {
namespace {

class FileInMemory {
 public:
  FileInMemory(const std::uint8_t* data, std::size_t size) : file_(memfd_create("fuzz", 0)) {
    if (file_ < 0 || write(file_, data, size) != static_cast<ssize_t>(size)) std::abort();
  }
  ~FileInMemory() { close(file_); }
  FileInMemory(const FileInMemory&) = delete;
  FileInMemory& operator=(const FileInMemory&) = delete;
  FileInMemory(FileInMemory&&) = delete;
  FileInMemory& operator=(FileInMemory&&) = delete;
  [[nodiscard]] std::string path() const { return "/proc/self/fd/" + std::to_string(file_); }

 private:
  int file_;
};

template <class Read>
void attempt(const Read& read) {
  try {
    read();
  } catch (const Error&) {
    // Refusing the input is one of the two right answers.
  }
}

void require_finite(double value) {
  if (!std::isfinite(value) || value < 0) std::abort();
}

void read_all(const std::string& path) {
  attempt([&] {
    const Suite suite = read_suite(path);
    require_finite(suite.budget_s);
    require_finite(suite.precision);
    if (suite.repeat < 1 || suite.entries.empty()) std::abort();
  });
  attempt([&] {
    const Workload workload = read_workload(path);
    require_finite(static_cast<double>(workload.model.parameters()));
    static_cast<void>(brief_plan(workload));
  });
  attempt([&] {
    const Cluster cluster = read_cluster(path);
    require_finite(cluster.scale_up_gb_per_s);
    require_finite(cluster.scale_out_gb_per_s);
    if (cluster.accelerators_per_node < 1) std::abort();
  });
  attempt([&] {
    const KnownGpu gpu = read_known_gpu(path);
    require_finite(gpu.memory_tb_per_s);
    require_finite(gpu.nvlink_gb_per_s);
  });
}

}  // namespace
}  // namespace stepmark

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t max_size, unsigned int seed) {
  static constexpr std::array<std::string_view, 8> kOpenings{
      "cases:\n", "  - collective: ", "sizes: [", "plan: ", "dtypes: [", "1e308",
      "|\n ",     "&a [*a, "};
  return stepmark::fuzz::mutate(data, size, max_size, seed, kOpenings);
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const stepmark::FileInMemory file(data, size);
  stepmark::read_all(file.path());
  return 0;
}

// SPDX-License-Identifier: Apache-2.0
// The CUDA backend of a run: one GPU per rank, NCCL between them.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>
#include <system_error>
#include <utility>

#include "collectives/nccl/cuda_self_comm.h"
#include "collectives/nccl/nccl_environment.h"
#include "collectives/nccl/nccl_world.h"
#include "collectives/nccl/transport_log.h"
#include "core/error.h"
#include "core/together.h"
#include "core/units.h"
#include "harness/backend/backends.h"
#include "harness/exec/cuda/cuda_device.h"
#include "harness/exec/cuda/cuda_executor.h"
#include "harness/exec/cuda/cuda_facts.h"
#include "harness/exec/cuda/cuda_probe.h"
#include "harness/measure/nvml_telemetry.h"

namespace stepmark {
namespace {

constexpr double kMemoryReserve = 0.1;  // for library workspaces and NCCL's buffers

// NCCL's log of this process.
struct NcclLog {
  NcclLog() = default;
  ~NcclLog() { std::filesystem::remove(path, ignored); }
  NcclLog(const NcclLog&) = delete;
  NcclLog& operator=(const NcclLog&) = delete;
  [[nodiscard]] std::string text() const {
    std::ifstream file(path);
    std::ostringstream all;
    all << file.rdbuf();
    return all.str();
  }
  std::string path =
      (std::filesystem::temp_directory_path() / fmt::format("stepmark-nccl-{}.log", ::getpid()))
          .string();
  std::error_code ignored;
};

class CudaMachine final : public Machine {
 public:
  CudaMachine(Job& job, const MachineOptions& options)
      : choice_(choose_device(job.control(), options.share_gpu)) {
    together(job.control(), [&] {
      device_ = make_cuda_device(choice_.ordinal);
      facts_ = cuda_facts();
    });
    const bool log_is_ours = options.nccl_choices || !log_is_the_users();
    if (log_is_ours) log_.emplace();
    const std::string path = log_ ? log_->path : "";
    world_ = job.control().size() == 1
                 ? make_cuda_self_comm()
                 : make_nccl_world(job.control(), {.deadline_s = options.start_deadline_s,
                                                   .shared_gpu = choice_.shared,
                                                   .tuning_log = options.nccl_choices ? path : "",
                                                   .transport_log = path});
    // A collective whose peer died would be waited for without end.
    device_->set_health_check([world = world_.get()] { world->check(); });
    if (job.control().size() > 1) observe_transport(job.control(), log_is_ours);
    if (!options.nccl_choices) log_.reset();
    executor_ = make_cuda_executor(*device_);
    telemetry_ = make_nvml_telemetry({.pci_bus_id = facts_.pci_bus_id});
    // All ranks have telemetry, or none.
    if (!all_ranks(job.control(), telemetry_ != nullptr)) telemetry_.reset();
    memory_bytes_ = shared_limit(job.control());
  }

  // Nothing waits for a world that is being taken down.
  ~CudaMachine() override { device_->set_health_check(nullptr); }
  CudaMachine(const CudaMachine&) = delete;
  CudaMachine& operator=(const CudaMachine&) = delete;

  [[nodiscard]] Executor& executor() override { return *executor_; }
  [[nodiscard]] Comm& world() override { return *world_; }
  [[nodiscard]] Telemetry* telemetry() override { return telemetry_.get(); }
  [[nodiscard]] std::int64_t memory_bytes() const override { return memory_bytes_; }
  [[nodiscard]] double cache_bytes() const override { return static_cast<double>(facts_.l2_bytes); }
  [[nodiscard]] bool exclusive() const override { return not_performance().empty(); }
  [[nodiscard]] std::string not_performance() const override {
    if (std::string caveat = gpu_caveat(); !caveat.empty()) return caveat;
    return choice_.shared ? "single-gpu-timesliced" : "";
  }

  // NVML speaks of the whole GPU, CUDA of the part that this process may use.
  [[nodiscard]] FoundAccelerator found() const override {
    constexpr double kWhole = 0.9;  // of the memory: CUDA and the driver keep some
    const std::int64_t usable_mib = facts_.total_bytes / kMiB;
    const auto known = nvml_identity({.pci_bus_id = facts_.pci_bus_id});
    if (!known) return {.name = facts_.name, .memory_mib = usable_mib, .whole = !is_mig()};
    const bool all_memory =
        static_cast<double>(usable_mib) >= kWhole * static_cast<double>(known->memory_mib);
    return {.name = known->name, .memory_mib = known->memory_mib, .whole = all_memory && !is_mig()};
  }

  [[nodiscard]] std::vector<EnvironmentFact> facts() const override {
    std::vector<EnvironmentFact> facts{
        {.section = "hardware", .name = "GPU", .value = facts_.name},
        {.section = "hardware",
         .name = "GPU compute capability",
         .value =
             fmt::format("{}.{}", facts_.compute_capability / 10, facts_.compute_capability % 10)},
        {.section = "software",
         .name = "CUDA runtime",
         .value = cuda_version_text(facts_.runtime_version)},
        {.section = "software",
         .name = "CUDA of the driver",
         .value = cuda_version_text(facts_.driver_version)}};
    for (const auto& [name, value] : world_->facts()) {
      if (name != "version" && name != "library") continue;
      facts.push_back({.section = "software",
                       .name = "NCCL " + name,
                       .value = value,
                       .fingerprint = name == "version"});
    }
    facts.insert(facts.end(), transport_.begin(), transport_.end());
    std::vector<EnvironmentFact> more = nvml_facts({.pci_bus_id = facts_.pci_bus_id});
    std::move(more.begin(), more.end(), std::back_inserter(facts));
    return facts;
  }

 private:
  // "NVIDIA H100 80GB HBM3 MIG 3g.40gb"
  [[nodiscard]] bool is_mig() const { return facts_.name.find(" MIG ") != std::string::npos; }

  // What NCCL says of the ways between all ranks together: no rank knows them all.
  void observe_transport(Control& control, bool log_is_ours) {
    if (!log_is_ours) {
      transport_.push_back({.section = "nccl",
                            .name = "transport",
                            .value = "not known: its log is in use (NCCL_DEBUG is set)"});
      return;
    }
    // NCCL connects ranks at the first call.
    const auto stream = device_->create_stream("comm.connect");
    world_->barrier(*stream);
    stream->synchronize();
    NcclTransport all;
    const std::string own = to_lines(parse_transport_log(log_->text()));
    std::string lines;
    for (const std::string& rank : control.gather(own)) lines += rank;
    add_lines(all, control.broadcast(lines));
    for (const auto& [name, values] : all) {
      transport_.push_back(
          {.section = "nccl", .name = name, .value = fmt::format("{}", fmt::join(values, ", "))});
    }
  }

  // Of the fullest GPU, times the ranks of a host that have one of their own.
  [[nodiscard]] std::int64_t shared_limit(Control& control) const {
    const double least = -max_over_ranks(control, -static_cast<double>(facts_.free_bytes));
    const int ranks = choice_.shared ? 1 : control.local_size();
    return static_cast<std::int64_t>(std::floor(least * (1.0 - kMemoryReserve))) * ranks;
  }

  DeviceChoice choice_;
  std::optional<NcclLog> log_;
  std::vector<EnvironmentFact> transport_;  // of NCCL
  CudaFacts facts_;
  std::unique_ptr<CudaDevice> device_;
  std::unique_ptr<Comm> world_;  // goes before the device
  std::unique_ptr<Executor> executor_;
  std::unique_ptr<Telemetry> telemetry_;
  std::int64_t memory_bytes_ = 0;
};

std::string unusable_reason(const CudaProbe& probe) {
  if (probe.driver_version == 0) {
    return "no NVIDIA driver is loaded here; stepmark doctor says what to do";
  }
  if (!probe.error.empty()) return probe.error + "; stepmark doctor says what to do";
  if (probe.gpus.empty()) return "no GPU is visible; stepmark doctor says what to do";
  return {};
}

}  // namespace

std::optional<Backend> cuda_backend() {
  const CudaProbe probe = probe_cuda();
  Backend backend{.name = "cuda", .describes = "CUDA kernels and NCCL"};
  backend.unusable = unusable_reason(probe);
  if (!probe.gpus.empty()) {
    backend.describes += fmt::format("; {} x {}", probe.gpus.size(), probe.gpus.front().name);
  }
  return backend;
}

std::unique_ptr<Machine> make_cuda_machine(Job& job, const MachineOptions& options) {
  return std::make_unique<CudaMachine>(job, options);
}

}  // namespace stepmark

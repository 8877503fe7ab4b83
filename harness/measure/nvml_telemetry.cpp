// SPDX-License-Identifier: Apache-2.0
// A thread reads while a case is sampled. Power that the driver averages over a second is not given
// for shorter windows, as it would be that of the time before; ECC counts and energy are
// differences of counters.
#include "harness/measure/nvml_telemetry.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <set>
#include <string_view>
#include <thread>
#include <utility>

#include "core/stats.h"
#include "harness/measure/nvml.h"

namespace stepmark {
namespace {

constexpr std::array<std::pair<unsigned long long, std::string_view>, 9> kReasons{
    {{nvml::kReasonIdle, "idle"},
     {nvml::kReasonApplicationClocks, "application clocks"},
     {nvml::kReasonSwPowerCap, "sw power cap"},
     {nvml::kReasonHwSlowdown, "hw slowdown"},
     {nvml::kReasonSyncBoost, "sync boost"},
     {nvml::kReasonSwThermal, "sw thermal slowdown"},
     {nvml::kReasonHwThermal, "hw thermal slowdown"},
     {nvml::kReasonHwPowerBrake, "hw power brake"},
     {nvml::kReasonDisplayClock, "display clock"}}};

// From Ampere on, GA100 excepted, nvmlDeviceGetPowerUsage is the mean of the
// last second (NVML API Reference Guide): what was before a shorter window is in it.
constexpr double kAveragedSeconds = 1.0;

// The value that `function` writes, or nothing.
template <class Value, class Function, class... Arguments>
std::optional<double> ask(const Function& function, Arguments... arguments) {
  Value value{};
  if (function == nullptr || function(arguments..., &value) != nvml::kSuccess) return std::nullopt;
  return static_cast<double>(value);
}

class NvmlTelemetry final : public Telemetry {
 public:
  NvmlTelemetry(std::unique_ptr<nvml::Library> library, nvml::Device device, double interval_s)
      : library_(std::move(library)), device_(device), interval_(interval_s) {
    std::array<char, nvml::kTextBytes> text{};
    if (library_->nvmlDeviceGetUUID != nullptr &&
        library_->nvmlDeviceGetUUID(device_, text.data(), nvml::kTextBytes) == nvml::kSuccess) {
      uuid_ = text.data();
    }
  }
  ~NvmlTelemetry() override { stop(); }
  NvmlTelemetry(const NvmlTelemetry&) = delete;
  NvmlTelemetry& operator=(const NvmlTelemetry&) = delete;

  void begin() override {
    stop();
    seen_ = {};
    reasons_ = 0;
    corrected_ = ecc(nvml::kEccCorrected);
    uncorrected_ = ecc(nvml::kEccUncorrected);
    power_limit_w_ = power_limit();
    energy_j_ = energy();
    begin_ = Clock::now();
    stopping_ = false;
    thread_ = std::thread([this] { watch(); });
  }

  TelemetrySummary end() override {
    const bool running = thread_.joinable();
    stop();
    TelemetrySummary out;
    out.device = uuid_;
    if (!running) return out;
    // The counter stands for the time up to its reading.
    const std::optional<double> energy_j = energy();
    out.seconds = std::chrono::duration<double>(Clock::now() - begin_).count();
    read();
    out.samples = seen_.count;
    out.energy_j = difference(energy_j_, energy_j);
    out.power_limit_w = lower(power_limit_w_, power_limit());
    out.ecc_corrected = difference(corrected_, ecc(nvml::kEccCorrected));
    out.ecc_uncorrected = difference(uncorrected_, ecc(nvml::kEccUncorrected));
    add_power(out);
    summarise(seen_.sm_mhz, out.sm_clock_min_mhz, out.sm_clock_median_mhz);
    summarise(seen_.memory_mhz, out.memory_clock_min_mhz, out.memory_clock_median_mhz);
    if (!seen_.temperature_c.empty()) {
      out.temperature_max_c =
          *std::max_element(seen_.temperature_c.begin(), seen_.temperature_c.end());
    }
    for (const auto& [bit, name] : kReasons) {
      if ((reasons_ & bit) != 0) out.throttle_reasons.emplace_back(name);
    }
    std::sort(out.throttle_reasons.begin(), out.throttle_reasons.end());
    return out;
  }

 private:
  using Clock = std::chrono::steady_clock;
  struct Seen {
    int count = 0;
    bool instant = true;  // all of power_w
    std::vector<double> power_w, sm_mhz, memory_mhz, temperature_c;
  };

  // Power that was read at an instant stands for itself; what the driver has averaged does only in
  // windows that are longer, where the energy counter tells the mean without delay.
  void add_power(TelemetrySummary& out) const {
    if (seen_.power_w.empty()) return;
    const bool long_enough = out.seconds >= kAveragedSeconds;
    if (!seen_.instant && !long_enough) {
      out.power_source = "not given: the driver averages over 1 s, the window is shorter";
      return;
    }
    const bool by_energy = !seen_.instant && out.energy_j.value_or(0) > 0;
    out.power_mean_w = by_energy ? *out.energy_j / out.seconds : mean(seen_.power_w);
    out.power_max_w = *std::max_element(seen_.power_w.begin(), seen_.power_w.end());
    out.power_source = seen_.instant ? "instant"
                       : by_energy   ? "mean of the energy counter, maximum of averages over 1 s"
                                     : "averages over 1 s";
  }

  static std::optional<double> difference(const std::optional<double>& before,
                                          const std::optional<double>& after) {
    if (!before || !after || *after < *before) return std::nullopt;  // a counter that was reset
    return *after - *before;
  }

  static std::optional<double> lower(const std::optional<double>& a,
                                     const std::optional<double>& b) {
    return a && b ? std::min(*a, *b) : a ? a : b;
  }

  static void summarise(const std::vector<double>& values, std::optional<double>& min,
                        std::optional<double>& middle) {
    if (values.empty()) return;
    min = *std::min_element(values.begin(), values.end());
    middle = median(values);
  }

  [[nodiscard]] std::optional<double> ecc(int kind) const {
    return ask<unsigned long long>(library_->nvmlDeviceGetTotalEccErrors, device_, kind,
                                   nvml::kEccVolatile);
  }
  [[nodiscard]] std::optional<double> power_limit() const {
    const auto mw = ask<unsigned>(library_->nvmlDeviceGetEnforcedPowerLimit, device_);
    return mw ? std::optional(*mw * 1e-3) : std::nullopt;
  }
  [[nodiscard]] std::optional<double> energy() const {
    const auto mj = ask<unsigned long long>(library_->nvmlDeviceGetTotalEnergyConsumption, device_);
    return mj ? std::optional(*mj * 1e-3) : std::nullopt;
  }

  [[nodiscard]] std::optional<double> instant_power_mw() const {
    if (library_->nvmlDeviceGetFieldValues == nullptr) return std::nullopt;
    nvml::FieldValue value{.field = nvml::kFieldPowerInstant};
    if (library_->nvmlDeviceGetFieldValues(device_, 1, &value) != nvml::kSuccess ||
        value.status != nvml::kSuccess) {
      return std::nullopt;
    }
    return static_cast<double>(value.value.as_unsigned);
  }

  // Only one thread reads at a time: the watcher, or end() once it is gone.
  void read() {
    ++seen_.count;
    const auto keep = [](std::vector<double>& values, const std::optional<double>& value,
                         double scale) {
      if (value) values.push_back(*value * scale);
    };
    auto power_mw = instant_power_mw();
    if (!power_mw) {
      seen_.instant = false;
      power_mw = ask<unsigned>(library_->nvmlDeviceGetPowerUsage, device_);
    }
    keep(seen_.power_w, power_mw, 1e-3);
    keep(seen_.sm_mhz, ask<unsigned>(library_->nvmlDeviceGetClockInfo, device_, nvml::kClockSm), 1);
    keep(seen_.memory_mhz,
         ask<unsigned>(library_->nvmlDeviceGetClockInfo, device_, nvml::kClockMemory), 1);
    keep(seen_.temperature_c,
         ask<unsigned>(library_->nvmlDeviceGetTemperature, device_, nvml::kTemperatureGpu), 1);
    unsigned long long reasons = 0;
    const auto function = library_->nvmlDeviceGetCurrentClocksThrottleReasons;
    if (function != nullptr && function(device_, &reasons) == nvml::kSuccess) reasons_ |= reasons;
  }

  void watch() {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
      lock.unlock();
      read();
      lock.lock();
      wake_.wait_for(lock, interval_, [this] { return stopping_; });
    }
  }

  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    if (thread_.joinable()) thread_.join();
  }

  std::unique_ptr<nvml::Library> library_;
  nvml::Device device_;
  std::chrono::duration<double> interval_;
  std::string uuid_;
  Seen seen_;
  unsigned long long reasons_ = 0;
  std::optional<double> power_limit_w_, energy_j_, corrected_, uncorrected_;
  Clock::time_point begin_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = true;
  std::thread thread_;
};

}  // namespace

std::unique_ptr<Telemetry> make_nvml_telemetry(const NvmlTarget& target, double interval_s,
                                               std::string* why) {
  auto library = std::make_unique<nvml::Library>();
  const auto say = [&](const std::string& reason) {
    if (why != nullptr) *why = reason;
    return nullptr;
  };
  if (!*library) return say(library->error());
  const nvml::Device device = library->find(target.pci_bus_id, target.ordinal);
  if (device == nullptr) {
    return say(target.pci_bus_id.empty() ? "NVML has no GPU " + std::to_string(target.ordinal)
                                         : "NVML has no GPU at " + target.pci_bus_id);
  }
  return std::make_unique<NvmlTelemetry>(std::move(library), device, interval_s);
}

}  // namespace stepmark

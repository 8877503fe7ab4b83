// SPDX-License-Identifier: Apache-2.0
#include "harness/measure/telemetry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <thread>

#include "harness/measure/nvml_telemetry.h"

namespace stepmark {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class NvmlTest : public testing::Test {
 protected:
  void SetUp() override { set("STEPMARK_NVML_LIBRARY", STEPMARK_EMULATED_NVML_PATH); }
  void TearDown() override {
    unsetenv("STEPMARK_NVML_LIBRARY");  // NOLINT(concurrency-mt-unsafe)
    for (const char* name : {"STEPMARK_EMULATED_NVML", "STEPMARK_EMULATED_GPU",
                             "STEPMARK_EMULATED_GPU_MIB", "STEPMARK_EMULATED_POWER_LIMIT_W"}) {
      unsetenv(name);  // NOLINT(concurrency-mt-unsafe)
    }
  }
  static void set(const char* name, const char* value) {
    setenv(name, value, 1);  // NOLINT(concurrency-mt-unsafe): no thread of a test runs yet
  }
  // A window in which the GPU is asked at least `samples` times.
  static TelemetrySummary window(Telemetry& telemetry, int milliseconds) {
    telemetry.begin();
    std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
    return telemetry.end();
  }
};

TEST_F(NvmlTest, SummarisesTheWindow) {
  const auto telemetry = make_nvml_telemetry({.pci_bus_id = "0000:1b:00.0"}, 0.001);
  ASSERT_NE(telemetry, nullptr);
  const TelemetrySummary seen = window(*telemetry, 200);
  EXPECT_EQ(seen.device, "GPU-emulated");
  ASSERT_GE(seen.samples, 10);
  EXPECT_GE(seen.seconds, 0.2);
  // 300, 310, 320 ... up to 500 W: the script's own figures for that many steps.
  double sum = 0;
  for (int i = 0; i < seen.samples; ++i) sum += std::min(500, 300 + 10 * i);
  EXPECT_DOUBLE_EQ(seen.power_mean_w.value_or(0), sum / seen.samples);
  EXPECT_EQ(seen.power_max_w, std::min(500, 300 + 10 * (seen.samples - 1)));
  EXPECT_EQ(seen.sm_clock_min_mhz, 1500);
  EXPECT_EQ(seen.memory_clock_min_mhz, 2619);
  EXPECT_EQ(seen.temperature_max_c, 40 + seen.samples);
  EXPECT_EQ(seen.energy_j, 5.0);
  EXPECT_EQ(seen.ecc_corrected, 1.0);
  EXPECT_EQ(seen.ecc_uncorrected, 0.0);
  EXPECT_THAT(seen.throttle_reasons, ElementsAre("idle", "sw power cap"));
}

// The driver's mean of the last second has in it what was before a short window.
TEST_F(NvmlTest, AveragedPowerIsGivenOfLongWindowsOnly) {
  EXPECT_EQ(window(*make_nvml_telemetry({}, 0.001), 5).power_source, "instant");
  set("STEPMARK_EMULATED_NVML", "no-instant");
  const TelemetrySummary brief = window(*make_nvml_telemetry({}, 0.001), 20);
  EXPECT_FALSE(brief.power_mean_w || brief.power_max_w);
  EXPECT_THAT(brief.power_source, HasSubstr("not given"));
  const TelemetrySummary longer = window(*make_nvml_telemetry({}, 0.02), 1010);
  EXPECT_DOUBLE_EQ(longer.power_mean_w.value_or(0), 5.0 / longer.seconds);  // of the energy counter
  EXPECT_EQ(longer.power_max_w, 200);
  EXPECT_THAT(longer.power_source, HasSubstr("energy"));
  set("STEPMARK_EMULATED_NVML", "no-instant no-energy");
  const TelemetrySummary without = window(*make_nvml_telemetry({}, 0.02), 1010);
  EXPECT_EQ(without.power_mean_w, 200);
  EXPECT_EQ(without.power_source, "averages over 1 s");
}

TEST_F(NvmlTest, WindowsAreApart) {
  const auto telemetry = make_nvml_telemetry({}, 0.001);
  ASSERT_NE(telemetry, nullptr);
  (void)window(*telemetry, 50);
  const TelemetrySummary second = window(*telemetry, 50);
  EXPECT_EQ(second.sm_clock_median_mhz, 1500);  // throttled throughout: the first is forgotten
  EXPECT_THAT(second.throttle_reasons, ElementsAre("sw power cap"));
  EXPECT_EQ(second.energy_j, 5.0);
  const TelemetrySummary none = telemetry->end();  // without begin()
  EXPECT_EQ(none.samples, 0);
  EXPECT_FALSE(none.power_mean_w);
}

TEST_F(NvmlTest, WhatTheGpuDoesNotTellIsAbsent) {
  set("STEPMARK_EMULATED_NVML", "no-energy no-ecc no-power no-reasons");
  const auto telemetry = make_nvml_telemetry({}, 0.001);
  ASSERT_NE(telemetry, nullptr);
  const TelemetrySummary seen = window(*telemetry, 20);
  EXPECT_FALSE(seen.energy_j || seen.ecc_corrected || seen.power_mean_w || seen.power_max_w);
  EXPECT_TRUE(seen.sm_clock_min_mhz);
  EXPECT_THAT(seen.throttle_reasons, ElementsAre());
  set("STEPMARK_EMULATED_NVML", "counter-reset");
  EXPECT_FALSE(window(*telemetry, 5).energy_j);
}

TEST_F(NvmlTest, MissingLibraryOrGpuIsNoTelemetry) {
  std::string why;
  EXPECT_EQ(make_nvml_telemetry({.pci_bus_id = "0000:ff:00.0"}, 0.02, &why), nullptr);
  EXPECT_THAT(why, HasSubstr("0000:ff:00.0"));
  EXPECT_EQ(make_nvml_telemetry({.ordinal = 4}, 0.02, &why), nullptr);
  EXPECT_THAT(why, HasSubstr("no GPU 4"));
  set("STEPMARK_EMULATED_NVML", "no-init");
  EXPECT_EQ(make_nvml_telemetry({}, 0.02, &why), nullptr);
  EXPECT_THAT(why, HasSubstr("returned 999"));
  EXPECT_TRUE(nvml_facts().empty());
  set("STEPMARK_NVML_LIBRARY", "/nonexistent/libnvidia-ml.so.1");
  EXPECT_EQ(make_nvml_telemetry({}, 0.02, &why), nullptr);
  EXPECT_THAT(why, HasSubstr("nonexistent"));
  EXPECT_TRUE(nvml_facts().empty());
}

TEST_F(NvmlTest, IdentityIsNameAndMemory) {
  set("STEPMARK_EMULATED_GPU", "NVIDIA H100 80GB HBM3");
  set("STEPMARK_EMULATED_GPU_MIB", "81559");
  const auto identity = nvml_identity({.pci_bus_id = "0000:1b:00.0"});
  ASSERT_TRUE(identity);
  EXPECT_EQ(identity->name, "NVIDIA H100 80GB HBM3");
  EXPECT_EQ(identity->memory_mib, 81559);
  set("STEPMARK_EMULATED_NVML", "no-memory");
  EXPECT_FALSE(nvml_identity());
  EXPECT_FALSE(nvml_identity({.pci_bus_id = "0000:ff:00.0"}));
}

// The cap may be changed meanwhile: the lowest that was seen.
TEST_F(NvmlTest, PowerCapOfTheWindow) {
  set("STEPMARK_EMULATED_POWER_LIMIT_W", "650");
  const auto telemetry = make_nvml_telemetry({}, 0.001);
  ASSERT_NE(telemetry, nullptr);
  EXPECT_EQ(window(*telemetry, 5).power_limit_w, 650);
  telemetry->begin();
  set("STEPMARK_EMULATED_POWER_LIMIT_W", "400");
  EXPECT_EQ(telemetry->end().power_limit_w, 400);
}

TEST_F(NvmlTest, Facts) {
  const auto facts = nvml_facts({.pci_bus_id = "0000:1b:00.0"});
  const Environment environment{facts};
  EXPECT_EQ(environment.get("hardware", "GPU"), "Emulated GPU");
  EXPECT_EQ(environment.get("software", "NVIDIA driver"), "999.99");
  EXPECT_EQ(environment.get("hardware", "GPU power limit"), "700 W");
  EXPECT_EQ(environment.get("hardware", "GPU ECC"), "on");
  EXPECT_EQ(environment.get("hardware", "GPU highest SM clock"), "1980 MHz");
  EXPECT_EQ(environment.get("hardware", "GPU PCIe generation"), "5");
  EXPECT_EQ(environment.get("hardware", "GPU NVLinks"), "10");
  EXPECT_THAT(facts,
              Not(Contains(testing::Field(&EnvironmentFact::name, "GPU PCIe lanes in use"))));
}

TelemetrySummary of(const char* device, double watts, double clock, double joules) {
  TelemetrySummary out;
  out.device = device;
  out.seconds = 2;
  out.samples = 10;
  out.power_mean_w = watts;
  out.power_source = "instant";
  out.power_max_w = watts + 1;
  out.sm_clock_min_mhz = clock;
  out.energy_j = joules;
  out.ecc_corrected = 1;
  return out;
}

TEST(TelemetryMerge, SumsEnergyAndKeepsTheWorst) {
  auto a = of("a", 300, 1900, 100);
  auto b = of("b", 400, 1800, 150);
  a.power_limit_w = 700;
  b.power_limit_w = 500;
  b.throttle_reasons = {"hw slowdown"};
  const auto shared = a;  // another rank on the same device
  const WorldTelemetry world = merge(std::vector{a, b, shared});
  EXPECT_EQ(world.devices, 2);
  EXPECT_EQ(world.worst.power_mean_w, 400);
  EXPECT_EQ(world.power_sum_mean_w, 700);
  EXPECT_EQ(world.worst.sm_clock_min_mhz, 1800);
  EXPECT_EQ(world.worst.power_limit_w, 500);
  EXPECT_EQ(world.worst.energy_j, 250);
  EXPECT_EQ(world.worst.ecc_corrected, 2);
  EXPECT_THAT(world.worst.throttle_reasons, ElementsAre("hw slowdown"));
  b.energy_j.reset();  // a sum of what is known would be no energy of the world
  EXPECT_FALSE(merge(std::vector{a, b}).worst.energy_j);
}

TEST(TelemetryMerge, JsonKeepsWhatIsThere) {
  auto a = of("a", 300, 1900, 100);
  a.throttle_reasons = {"idle"};
  a.sm_clock_median_mhz.reset();
  const TelemetrySummary back = telemetry_from_json(nlohmann::json::parse(to_json(a).dump()));
  EXPECT_EQ(to_json(back), to_json(a));
  EXPECT_FALSE(back.sm_clock_median_mhz);
  EXPECT_EQ(back.power_mean_w, 300);
  EXPECT_EQ(back.power_source, "instant");
  EXPECT_TRUE(is_throttling("sw power cap"));
  EXPECT_FALSE(is_throttling("idle"));
}

}  // namespace
}  // namespace stepmark

// SPDX-License-Identifier: Apache-2.0
// Metrics of the families `collective` and `kernel`: one thing, timed by itself.
#include <algorithm>

#include "core/units.h"
#include "results/families/figures.h"

namespace stepmark {
namespace {

constexpr double kMicro = 1e-6;

}  // namespace

void derive_collective(Record& record, const Summary& time) {
  const Fact size = fact(record, "size_bytes");
  add_rate(record, "algbw", "GB/s", size, 1 / kGB, time, "moves no data");
  add_bus_bandwidth(record, "busbw", "collective", "ranks", size, time);
  add(record, duration("latency", "us", kMicro, time));
  // Where a sample is a single call it is isolated itself.
  if (const Summary* isolated = usable_summary(record, "isolated_s")) {
    add(record, duration("isolated", "us", kMicro, Summary(*isolated)));
  } else if (record.number("calls_per_sample") == 1.0) {
    add(record, duration("isolated", "us", kMicro, time));
  }
  if (const auto first_s = positive(record, "first_call_s")) {
    add(record, figure("first_call", "us", *first_s / kMicro,
                       "once: connections are set up; checked data", false));
  }
}

void derive_kernel(Record& record, const Summary& time) {
  const Fact flops = fact(record, "flops");
  const Fact bytes = fact(record, "bytes");
  add_rate(record, "gflops", "GFLOP/s", flops, 1e-9, time, "no arithmetic");
  add_rate(record, "gbps", "GB/s", bytes, 1 / kGB, time, "moves no data");
  const auto peak_gflops = positive(record, "peak_gflops");
  const auto copy_gbps = positive(record, "copy_gbps");
  if (!peak_gflops && !copy_gbps) {
    add(record, not_available("roofline", "1", "neither GEMM peak nor copy bandwidth is known"));
    return;
  }
  if (!flops.value || !bytes.value) {
    add_broken(record, "roofline", "1", flops.value ? bytes.why : flops.why);
    return;
  }
  const double compute_s = peak_gflops ? *flops.value / (*peak_gflops * 1e9) : 0.0;
  const double memory_s = copy_gbps ? *bytes.value / (*copy_gbps * kGB) : 0.0;
  const double floor_s = std::max(compute_s, memory_s);
  add(record, figure("floor", "s", floor_s, "what the measured peaks allow", false));
  Metric roofline = rate("roofline", "1", floor_s, time);
  if (roofline.value) {
    roofline.note = compute_s >= memory_s ? "compute bound" : "memory bound";
    if (!peak_gflops || !copy_gbps) {
      roofline.note += peak_gflops ? "; copy bandwidth unknown" : "; GEMM peak unknown";
    }
  }
  add(record, std::move(roofline));
}

}  // namespace stepmark

// SPDX-License-Identifier: Apache-2.0
// Family `kernel`: rates of one op by itself, and how near it comes to what the device can.
#include "results/families/kernel.h"

#include <algorithm>

#include "core/units.h"
#include "results/families/family.h"
#include "results/families/figures.h"
#include "results/record/common_facts.h"

namespace stepmark {
namespace {

namespace names = facts::kernel;

void derive_kernel(Record& record, const Summary& time) {
  const Fact flops = fact(record, names::kFlops);
  const Fact bytes = fact(record, names::kBytes);
  add_rate(record, "gflops", "GFLOP/s", flops, 1e-9, time, "no arithmetic");
  add_rate(record, "gbps", "GB/s", bytes, 1 / kGB, time, "moves no data");
  const auto peak_gflops = positive(record, names::kPeakGflops);
  const auto copy_gbps = positive(record, names::kCopyGbps);
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
  const double bound_s = std::max(compute_s, memory_s);
  add(record, figure("bound", "s", bound_s, "what the measured peaks allow", false));
  Metric roofline = rate("roofline", "1", bound_s, time);
  if (roofline.value) {
    roofline.note = compute_s >= memory_s ? "compute bound" : "memory bound";
    if (!peak_gflops || !copy_gbps) {
      roofline.note += peak_gflops ? "; copy bandwidth unknown" : "; GEMM peak unknown";
    }
  }
  add(record, std::move(roofline));
}

Table table() {
  return {.heading = "Kernels",
          .columns = {{"kernel", {{From::name}}, true},
                      {"time", {{From::median}}},
                      {"±95 %", {{From::interval}}},
                      {"bound", {{From::metric, "bound", Show::seconds}}},
                      {"GFLOP/s", {{From::metric, "gflops"}}},
                      {"GB/s", {{From::metric, "gbps"}}},
                      {"roofline", {{From::metric, "roofline", Show::share}}},
                      {"check", {{From::checks}}, true},
                      {"note", {{From::remarks}}, true}}};
}

Section section() {
  return {
      .place = 4,
      .id = "kernels",
      .heading = "Kernels against their roofline",
      .hint =
          "Share of the time that the machine's own GEMM peak and copy bandwidth allow for "
          "the kernel's arithmetic and bytes, both measured in the same run. 100 % is the "
          "roofline; data that stays in cache can exceed the memory roof.",
      .bars = {{.metric = "roofline",
                .line = {"{} of its roofline ({}), {}, {} GFLOP/s, {} GB/s",
                         {{From::metric, "roofline", Show::share},
                          {From::note, "roofline"},
                          {From::median},
                          {From::metric, "gflops"},
                          {From::metric, "gbps"}}},
                .unknown = "No roofline: neither GEMM peak nor copy bandwidth of the machine was "
                           "measured. Times are in the tables below."}},
      .figures = figure_columns({}, {{"GFLOP/s", {{From::metric, "gflops"}}},
                                     {"GB/s", {{From::metric, "gbps"}}},
                                     {"roofline", {{From::metric, "roofline", Show::share}}}})};
}

}  // namespace

Family family_kernel() {
  return {.name = names::kFamily,
          .derive = derive_kernel,
          .same_numbers = {facts::kRanks, names::kFlops, names::kBytes},
          .same_texts = {facts::kDtype, names::kOp, names::kShape, facts::kMode},
          .table = table(),
          .section = section()};
}

}  // namespace stepmark

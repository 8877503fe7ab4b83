// SPDX-License-Identifier: Apache-2.0
// A measured step in the form of CCL-Bench 1.0 (arXiv 2605.06544): a workload card and a trace per
// rank, as its tools read them from one folder.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "results/record/journal.h"

namespace stepmark {

// What a card says and a record does not: of the workload's file, of the cluster's. Nothing: null
// in the card.
struct CclBenchModel {
  std::string family;  // "llama3-8b"
  std::int64_t parameters = 0, embedding_parameters = 0, layers = 0, heads = 0, head_dim = 0;
};
struct CclBenchCluster {
  std::string topology;
  double scale_out_gbit_per_s = 0, scale_up_gbit_per_s = 0;
  std::int64_t per_node = 0;
};

// Keys are those of its workload_card_template.yaml, version 1. What is not known is null, and of
// that which the card has no key for, provenance and checks among it, its description tells.
[[nodiscard]] std::string ccl_bench_card(const Run& run, const Record& step,
                                         const std::optional<CclBenchModel>& model,
                                         const std::optional<CclBenchCluster>& cluster);

// By file name: "kineto_trace_0.json", events of the record's timeline, one profiled step. Times
// are those of an instrumented step, not of the timed ones. Error(kUsage) for a record without
// timeline.
[[nodiscard]] std::map<std::string, std::string> ccl_bench_traces(const Record& step);

}  // namespace stepmark

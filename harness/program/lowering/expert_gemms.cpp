// SPDX-License-Identifier: Apache-2.0
// The experts' matrices: one op for all experts of the rank, which finds their rows by counts in
// memory, or, where a seed routes to few experts of many rows each, an ordinary GEMM for each.
// Those are what libraries are best at; many small ones leave a GPU idle that an op for all would
// fill.
#include <fmt/format.h>

#include "harness/program/lowering/lowering.h"
#include "kernels/ops/experts.h"
#include "kernels/ops/gemm.h"

namespace stepmark {
namespace {

constexpr std::size_t kMostGemms = 8;  // of a matrix and layer

bool one_by_one(const ExpertRows& rows) {
  return !rows.of_expert.empty() && rows.of_expert.size() <= kMostGemms;
}

// Of x (experts or rows, width) the part of some that follow each other.
BufferSlice part_of(BufferSlice x, std::int64_t first, std::int64_t count, std::int64_t width) {
  return count == 0 ? BufferSlice{} : ProgramBuilder::part(x, first * width, count * width);
}

// Calls use(label, expert, first row, rows) for each expert of the rank, of which `part` is which
// of the ranks' blocks.
template <class Use>
void for_each_expert(const std::string& label, std::int64_t part, const ExpertRows& rows, Use use) {
  const auto experts = static_cast<std::int64_t>(rows.of_expert.size());
  std::int64_t first = 0;
  for (std::int64_t e = 0; e < experts; ++e) {
    const std::int64_t own = rows.of_expert[static_cast<std::size_t>(e)];
    use(fmt::format("{}.expert{}", label, part * experts + e), e, first, own);
    first += own;
  }
}

}  // namespace

// rows (rows, k), out (rows, n), the matrices (experts, n, k), or (experts, k, n) of a gradient.
void Lowering::multiply_rows(const std::string& layer, const char* name, BufferSlice rows,
                             BufferSlice out, std::int64_t n, std::int64_t k, bool of_gradient) {
  const ExpertRows& all = expert_rows(layer_number(layer));
  const std::string matrix = fmt::format("{}experts.{}", layer, name);
  const std::string label = matrix + (of_gradient ? ".dgrad" : "");
  const BufferSlice weights = param(matrix + ".weight");
  const std::int64_t trans_b = of_gradient ? 0 : 1;
  if (!one_by_one(all)) {
    return compute(label,
                   ExpertsGemmShape{.experts = shards_.experts,
                                    .rows = all.rows,
                                    .n = n,
                                    .k = k,
                                    .trans_b = trans_b,
                                    .expected = all.expected},
                   {rows, weights, expert_totals(layer), out});
  }
  for_each_expert(
      label, mesh_.expert_part(rank_), all,
      [&](const std::string& of_expert, std::int64_t e, std::int64_t first, std::int64_t count) {
        if (count == 0) return;
        compute(of_expert, GemmShape{.m = count, .n = n, .k = k, .trans_b = trans_b},
                {part_of(rows, first, count, k), part_of(weights, e, 1, n * k), BufferSlice{},
                 part_of(out, first, count, n)});
      });
}

// dy (rows, m), x (rows, n), the gradient (experts, m, n).
void Lowering::experts_matrix_gradient(const std::string& layer, const char* name, BufferSlice dy,
                                       BufferSlice x, std::int64_t m, std::int64_t n) {
  const ExpertRows& all = expert_rows(layer_number(layer));
  const std::string matrix = fmt::format("{}experts.{}", layer, name);
  const std::string label = matrix + ".wgrad";
  const BufferSlice gradient = grad(matrix + ".weight");
  const std::int64_t accumulate = adds_to_experts_ ? 1 : 0;
  if (!one_by_one(all)) {
    return compute(label,
                   ExpertsWgradShape{.experts = shards_.experts,
                                     .rows = all.rows,
                                     .m = m,
                                     .n = n,
                                     .accumulate = accumulate,
                                     .expected = all.expected},
                   {dy, x, expert_totals(layer), gradient});
  }
  for_each_expert(
      label, mesh_.expert_part(rank_), all,
      [&](const std::string& of_expert, std::int64_t e, std::int64_t first, std::int64_t count) {
        if (count == 0 && accumulate != 0) return;  // else its gradient is zero
        compute(
            of_expert,
            GemmShape{
                .m = m, .n = n, .k = count, .trans_a = 1, .accumulate = accumulate, .out_f32 = 1},
            {part_of(dy, first, count, m), part_of(x, first, count, n), BufferSlice{},
             part_of(gradient, e, 1, m * n)});
      });
}

}  // namespace stepmark

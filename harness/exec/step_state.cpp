// SPDX-License-Identifier: Apache-2.0
// Values are made on the host by chunks of rows and copied, padding as zeros; bf16 parameters have
// an fp32 master copy that gets the same values unrounded. Reading drops the padding again, and a
// check looks whether it is still 0.
#include "harness/exec/step_state.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <string_view>

#include "core/error.h"
#include "harness/program/routing.h"
#include "harness/spec/stages.h"
#include "kernels/ops/context.h"

namespace stepmark {
namespace {

// Elements prepared on the host at a time: large enough to share out, small beside the model.
constexpr std::int64_t kChunk = std::int64_t{1} << 22;

std::byte* at(void* data, DType dtype, std::int64_t offset) {
  return static_cast<std::byte*>(data) + static_cast<std::size_t>(offset) * size_of(dtype);
}

constexpr std::int64_t kPadding = -1;

// Index in the whole parameter of each stored row, or kPadding.
std::vector<std::int64_t> global_rows(const Param& param) {
  std::vector<std::int64_t> rows;
  rows.reserve(static_cast<std::size_t>(param.stored_rows()));
  for (const RowRange& range : param.rows) {
    for (std::int64_t i = 0; i < range.count; ++i) rows.push_back(range.begin + i);
    rows.insert(rows.end(), static_cast<std::size_t>(range.padding), kPadding);
  }
  return rows;
}

// Moves what is no padding to the front and drops the rest.
template <class T>
void drop_padding(const Param& param, std::vector<T>& stored) {
  if (param.stored_elements() == param.elements()) return;
  auto to = stored.begin();
  auto from = stored.cbegin();
  for (const std::int64_t row : global_rows(param)) {
    if (row != kPadding) to = std::copy_n(from, param.cols, to);
    from += param.stored_cols();
  }
  stored.erase(to, stored.end());
}

double larger(double largest, float value) {
  return std::isnan(value) ? HUGE_VAL : std::max(largest, std::abs(double{value}));
}

// `stored` begins with element `first` of the parameter.
double largest_of_padding(const Param& param, std::int64_t first,
                          const std::vector<float>& stored) {
  double largest = 0;
  const std::vector<std::int64_t> rows = global_rows(param);
  for (std::size_t i = 0; i < stored.size(); ++i) {
    const std::int64_t at = first + static_cast<std::int64_t>(i);
    const bool real = rows[static_cast<std::size_t>(at / param.stored_cols())] != kPadding &&
                      at % param.stored_cols() < param.cols;
    if (!real) largest = larger(largest, stored[i]);
  }
  return largest;
}

}  // namespace

StepState::StepState(Runnable& runnable, Device& device, const Model& model, const Plan& plan,
                     std::uint64_t seed)
    : runnable_(runnable),
      device_(device),
      model_(model),
      plan_(plan),
      seed_(seed),
      mesh_(plan),
      layout_(model, plan, runnable.program().rank, device.traits()) {
  const BufferDecl& params =
      runnable_.program().buffers[static_cast<std::size_t>(index_of(kParamBuffer))];
  STEPMARK_REQUIRE(
      params.elements == layout_.param_elements() && params.dtype == plan.precision,
      "program '{}' is not of model {} under plan {} with dims padded to multiples of {}",
      runnable_.program().name, model.name, to_text(plan), device.traits().dimension_multiple);
}

void StepState::initialise() {
  const std::vector<BufferDecl>& buffers = runnable_.program().buffers;
  for (std::size_t i = 0; i < buffers.size(); ++i) {
    const BufferKind kind = buffers[i].kind;
    if (kind == BufferKind::grad || kind == BufferKind::optimizer || kind == BufferKind::scalar) {
      zero(buffers[i], runnable_.buffer(static_cast<std::int32_t>(i)));
    }
  }
  initialise_fresh();
}

void StepState::initialise_fresh() {
  initialise_params();
  initialise_batch();
}

void StepState::zero(const BufferDecl& buffer, void* data) {
  const std::vector<std::byte> zeros(static_cast<std::size_t>(std::min(buffer.elements, kChunk)) *
                                     size_of(buffer.dtype));
  for (std::int64_t begin = 0; begin < buffer.elements; begin += kChunk) {
    const std::int64_t count = std::min(kChunk, buffer.elements - begin);
    device_.copy_to_device(at(data, buffer.dtype, begin), zeros.data(),
                           static_cast<std::size_t>(count) * size_of(buffer.dtype));
  }
}

void StepState::initialise_params() {
  const bool narrow = plan_.precision != DType::f32;
  std::vector<float> values;
  std::vector<bf16> narrowed;
  for (const Param& param : layout_.params()) {
    const std::vector<std::int64_t> rows = global_rows(param);
    const std::int64_t width = param.stored_cols();
    const std::int64_t chunk_rows = std::max<std::int64_t>(1, kChunk / width);
    for (std::int64_t begin = 0; begin < std::ssize(rows); begin += chunk_rows) {
      const std::int64_t count = std::min(chunk_rows, std::ssize(rows) - begin);
      values.assign(static_cast<std::size_t>(count * width), 0.0F);
      narrowed.resize(narrow ? values.size() : 0);
#pragma omp parallel for schedule(static)
      for (std::int64_t i = 0; i < count; ++i) {
        const auto first = static_cast<std::size_t>(i * width);
        const std::span<float> row(&values[first], static_cast<std::size_t>(width));
        const std::int64_t global_row = rows[static_cast<std::size_t>(begin + i)];
        if (global_row != kPadding) {
          initial_row(param, model_, seed_, global_row, param.col_begin,
                      row.first(static_cast<std::size_t>(param.cols)));
        }
        if (narrow) std::transform(row.begin(), row.end(), &narrowed[first], to_bf16);
      }
      const std::int64_t offset = param.offset + begin * width;
      if (!narrow) {
        initialise_stored(offset, values);
        continue;
      }
      initialise_master(offset, values);
      initialise_stored(offset, narrowed);
    }
  }
}

template <class T>
void StepState::initialise_stored(std::int64_t offset, const std::vector<T>& values) {
  ParamLayout::Range range{.begin = offset, .end = offset + std::ssize(values), .state = offset};
  if (layout_.shards_params()) range = layout_.owned(range.begin, range.end);
  if (range.elements() == 0) return;
  device_.copy_to_device(at(runnable_.buffer(index_of(kParamBuffer)), plan_.precision, range.state),
                         values.data() + (range.begin - offset),
                         static_cast<std::size_t>(range.elements()) * sizeof(T));
}

void StepState::initialise_master(std::int64_t offset, const std::vector<float>& values) {
  const ParamLayout::Range own = layout_.owned(offset, offset + std::ssize(values));
  if (own.elements() == 0) return;
  device_.copy_to_device(at(runnable_.buffer(index_of(kMasterBuffer)), DType::f32, own.state),
                         values.data() + (own.begin - offset),
                         static_cast<std::size_t>(own.elements()) * sizeof(float));
}

void StepState::initialise_batch() {
  const std::int64_t share = mesh_.data_share(runnable_.program().rank);
  const std::int64_t part = mesh_.context_part(runnable_.program().rank);
  std::vector<std::int32_t> tokens, targets;
  for (std::int64_t micro = 0; micro < plan_.accumulation; ++micro) {
    for (std::int64_t b = 0; b < plan_.micro_batch; ++b) {
      const std::int64_t sequence = (micro * mesh_.data_shares() + share) * plan_.micro_batch + b;
      for (std::int64_t i = 0; i < plan_.rank_seq(); ++i) {
        const std::int64_t position =
            plan_.cp > 1 ? position_in_sequence(plan_.rank_seq() / 2, plan_.cp, part, i) : i;
        tokens.push_back(synthetic_token(model_, seed_, sequence, position));
        targets.push_back(synthetic_token(model_, seed_, sequence, position + 1));
      }
    }
  }
  const auto fill = [&](const char* buffer, const std::vector<std::int32_t>& values) {
    const std::int32_t index = runnable_.program().buffer_index(buffer);
    if (index < 0) return;  // another stage's
    device_.copy_to_device(runnable_.buffer(index), values.data(),
                           values.size() * sizeof(std::int32_t));
  };
  fill(kTokensBuffer, tokens);
  fill(kTargetsBuffer, targets);
  if (runnable_.program().buffer_index(kRoutingBuffer) < 0) return;
  std::vector<std::int32_t> routing;
  const std::int32_t rank = runnable_.program().rank;
  for (const ModelStage& stage : model_stages(model_, plan_, mesh_.stage(rank))) {
    for (std::int64_t layer = stage.begin; layer < stage.end; ++layer) {
      const auto chosen =
          choices_of_rank(seeded_choices(model_, plan_, layer), model_, plan_, rank);
      routing.insert(routing.end(), chosen.begin(), chosen.end());
    }
  }
  fill(kRoutingBuffer, routing);
}

double StepState::loss() const {
  if (!has_loss()) return std::nan("");
  return double{read(kLossBuffer, 0, 1).front()};
}

double StepState::aux_loss() const {
  if (runnable_.program().buffer_index(kAuxLossBuffer) < 0) return std::nan("");
  return double{read(kAuxLossBuffer, 0, 1).front()};
}

double StepState::gradient_norm() const {
  if (runnable_.program().buffer_index(kNormBuffer) < 0) return std::nan("");
  return double{read(kNormBuffer, 0, 2).front()};
}

std::vector<float> StepState::param_values(const Param& param) const {
  return values(kParamBuffer, param);
}

std::vector<float> StepState::grad_values(const Param& param) const {
  return values(kGradBuffer, param);
}

double StepState::largest_padding(const Param& param) const {
  if (param.stored_elements() == param.elements()) return 0;
  double largest = 0;
  for_each_flat(param.offset, param.offset + param.stored_elements(),
                [&](std::int64_t first, const std::vector<float>& stored) {
                  largest =
                      std::max(largest, largest_of_padding(param, first - param.offset, stored));
                });
  return largest;
}

double StepState::largest_between() const {
  double largest = 0;
  const auto look_at = [&](std::int64_t begin, std::int64_t end) {
    if (begin == end) return;
    for_each_flat(begin, end, [&](std::int64_t, const std::vector<float>& stored) {
      for (const float value : stored) largest = larger(largest, value);
    });
  };
  std::int64_t end = 0;
  for (const Param& param : layout_.params()) {
    look_at(end, param.offset);
    end = param.offset + param.stored_elements();
  }
  look_at(end, layout_.elements());
  return largest;
}

template <class Visit>
void StepState::for_each_flat(std::int64_t begin, std::int64_t end, Visit visit) const {
  const ParamLayout::Range own = layout_.owned(begin, end);
  for (const BufferDecl& buffer : runnable_.program().buffers) {
    const bool whole = (buffer.kind == BufferKind::param && !layout_.shards_params()) ||
                       (buffer.kind == BufferKind::grad && !layout_.shards_gradients());
    // Whole gradients of units that micro-batches add to are no shards.
    const bool sharded = buffer.kind == BufferKind::param || buffer.name == kGradBuffer ||
                         buffer.kind == BufferKind::optimizer;
    if (whole) {
      visit(begin, read(buffer.name.c_str(), begin, end - begin));
    } else if (sharded && own.elements() > 0) {
      visit(own.begin, read(buffer.name.c_str(), own.state, own.elements()));
    }
  }
}

std::vector<bool> StepState::updated_here(const Param& param) const {
  const ParamLayout::Range own = layout_.owned(param);
  std::vector<bool> stored(static_cast<std::size_t>(param.stored_elements()), false);
  const auto first = stored.begin() + (own.begin - param.offset);
  std::fill(first, first + own.elements(), true);
  drop_padding(param, stored);
  return stored;
}

std::vector<float> StepState::values(const char* buffer, const Param& param) const {
  const bool sharded = std::string_view(buffer) == kParamBuffer ? layout_.shards_params()
                                                                : layout_.shards_gradients();
  std::vector<float> stored;
  if (!sharded) {
    stored = read(buffer, param.offset, param.stored_elements());
  } else {
    stored.assign(static_cast<std::size_t>(param.stored_elements()), 0.0F);
    const ParamLayout::Range own = layout_.owned(param);
    const std::vector<float> shard = read(buffer, own.state, own.elements());
    std::copy(shard.begin(), shard.end(), stored.begin() + (own.begin - param.offset));
  }
  drop_padding(param, stored);
  return stored;
}

std::vector<std::byte> StepState::param_bytes() const {
  std::vector<std::byte> bytes(static_cast<std::size_t>(layout_.param_elements()) *
                               size_of(plan_.precision));
  device_.copy_to_host(bytes.data(), runnable_.buffer(index_of(kParamBuffer)), bytes.size());
  return bytes;
}

bool StepState::whole_after_step() const {
  const bool ahead = plan_.gather == ParamGather::forward && layout_.state().ways > 1;
  return !layout_.shards_params() && !ahead;
}

std::uint64_t StepState::param_digest() const {
  constexpr std::uint64_t kBasis = 0xcbf29ce484222325U;
  if (whole_after_step() || layout_.shards_params()) {
    return digest(kBasis, 0, layout_.param_elements());
  }
  std::uint64_t own = kBasis;
  for (const ParamLayout::Bucket& bucket : layout_.buckets()) {
    own = digest(own, bucket.own.begin, bucket.own.elements());
  }
  return own;
}

std::vector<std::int32_t> StepState::replicas(std::int32_t rank) const {
  if (whole_after_step()) {
    std::vector<std::int32_t> ranks = mesh_.group(rank, StepGroup::gradients);
    if (!plan_.spreads_experts()) return ranks;
    std::erase_if(ranks, [&](std::int32_t other) {
      return mesh_.expert_part(other) != mesh_.expert_part(rank);
    });
    return ranks;
  }
  return mesh_.group(rank, StepGroup::data_replicate);
}

std::uint64_t StepState::digest(std::uint64_t digest, std::int64_t begin,
                                std::int64_t elements) const {
  const std::size_t width = size_of(plan_.precision);
  void* const params = runnable_.buffer(index_of(kParamBuffer));
  std::vector<std::uint32_t> words;
  for (std::int64_t end = begin + elements; begin < end; begin += kChunk) {
    const auto count = static_cast<std::size_t>(std::min(kChunk, end - begin));
    words.resize(count * width / sizeof(std::uint32_t));  // elements are a multiple of 16
    device_.copy_to_host(words.data(), at(params, plan_.precision, begin), count * width);
    // FNV-1a of words: each step is a bijection of the digest.
    for (const std::uint32_t word : words) digest = (digest ^ word) * 0x100000001b3U;
  }
  return digest;
}

std::int32_t StepState::index_of(const char* buffer) const {
  const std::int32_t index = runnable_.program().buffer_index(buffer);
  STEPMARK_REQUIRE(index >= 0, "program '{}' has no buffer '{}'", runnable_.program().name, buffer);
  return index;
}

std::vector<float> StepState::read(const char* buffer, std::int64_t offset,
                                   std::int64_t elements) const {
  const std::int32_t index = index_of(buffer);
  const DType dtype = runnable_.program().buffers[static_cast<std::size_t>(index)].dtype;
  std::vector<std::byte> stored(static_cast<std::size_t>(elements) * size_of(dtype));
  device_.copy_to_host(stored.data(), at(runnable_.buffer(index), dtype, offset), stored.size());
  std::vector<float> values(static_cast<std::size_t>(elements));
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<float>(load_as_double(stored.data(), dtype, i));
  }
  return values;
}

}  // namespace stepmark

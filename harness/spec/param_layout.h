// SPDX-License-Identifier: Apache-2.0
// Where every parameter of a rank lies in the flat parameter buffer (and, at the same offset, its
// gradient), which part of the whole it is, and how it is initialised. Flat buffers make
// data-parallel buckets, the gradient norm and AdamW plain ranges.
//
// The optimizer's state (moments, master copy) lies in flat buffers of its own. Each rank has it
// for all parameters, at the same offsets, or (ZeRO-1, arXiv 1910.02054) for its shard of every
// bucket, one shard behind the other. With ZeRO-2 gradients, and with ZeRO-3 parameters as well,
// lie there like that; what is whole of them then is one unit at a time: a layer, or what stands
// before or behind the layers (FSDP, arXiv 2304.11277, section 4.2).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/device_traits.h"
#include "harness/spec/model.h"
#include "harness/spec/plan.h"

namespace stepmark {

enum class ParamInit : std::uint8_t { normal, residual_normal, ones };

// Rows [begin, begin + count) of the whole parameter, and rows that are stored after them but
// belong to no parameter: they align what a device wants aligned, are zero and stay zero.
struct RowRange {
  std::int64_t begin = 0;
  std::int64_t count = 0;
  std::int64_t padding = 0;
  // Ranks of the group that its parameter is split over which hold these rows: keys and values of
  // heads that several ranks' queries use. Ranges of more than one are a parameter's last ones.
  std::int64_t copies = 1;
};

struct Param {
  std::string name;  // "layer3.attn.qkv.weight"
  std::int64_t global_rows =
      0;  // of the whole parameter (out, in); vectors: (1, width) or (width, 1)
  std::int64_t global_cols = 0;
  std::vector<RowRange> rows;  // this rank's rows, concatenated
  std::int64_t col_begin = 0;  // and columns
  std::int64_t cols = 0;
  std::int64_t padding_cols = 0;  // stored after them in each row, as a RowRange's padding
  ParamInit init = ParamInit::normal;
  bool decay = true;                    // weight decay applies (matrices), or not (biases, norms)
  bool replicated = false;              // the same on every rank of the tensor-parallel group
  bool summed = false;                  // replicated; each rank of that group has a part of its
                                        // gradient, from its own tokens or heads
  bool expert = false;                  // spread over the ranks of the experts' mesh
  bool tied = false;                    // a table that the first and the last stage both hold
  std::vector<std::string> split_over;  // axes over which it is spread; empty: whole on each rank
  std::uint64_t id = 0;                 // the same on every rank and plan: seeds the initial values
  std::int64_t offset = 0;              // first element in the flat buffers

  // Of this rank, without padding: what is counted and compared.
  [[nodiscard]] std::int64_t local_rows() const;
  [[nodiscard]] std::int64_t elements() const { return local_rows() * cols; }
  // As it lies in the flat buffers.
  [[nodiscard]] std::int64_t stored_rows() const;
  [[nodiscard]] std::int64_t stored_cols() const { return cols + padding_cols; }
  [[nodiscard]] std::int64_t stored_elements() const { return stored_rows() * stored_cols(); }
  // Of them, those of the ranges at the end that other ranks hold as well; and how many ranks hold
  // them.
  [[nodiscard]] std::int64_t shared_elements() const;
  [[nodiscard]] std::int64_t copies() const { return rows.back().copies; }
};

// A sum over the ranks of an axis that makes a gradient complete: of_batch, since they saw other
// sequences, or other parts of them; else since each saw some of the tokens of the same ones
// (sequence parallelism), or some of their heads, or used a table for one of its two purposes.
struct GradientSum {
  std::string axis;
  bool of_batch = true;
  bool scattered = false;  // a rank gets its shard of the sum alone; the sums behind it are of that
  std::int32_t shard = 0;  // which
  bool operator==(const GradientSum&) const = default;
};

// Over which ranks the optimizer's state is spread: those of an axis, or none (empty): each rank
// has all of it.
struct StateSharding {
  std::string axis;
  std::int32_t ways = 1, index = 0;
};

// A contiguous range of the flat buffers whose parameters share treatment.
struct ParamSection {
  bool replicated = false;
  bool summed = false;
  bool expert = false;
  bool tied = false;
  bool decay = false;
  // Ranks that hold it, of those that the squares of the gradient norm are summed over: one copy of
  // the model, of which each tensor-parallel rank has all experts' ranks beside it.
  std::int32_t copies = 1;
  std::vector<GradientSum> gradient_sums;  // in this order
  StateSharding state;
  std::int64_t offset = 0;
  std::int64_t elements = 0;
};

class ParamLayout {
 public:
  // Parameters of a rank of the plan's mesh, those of its stages (stages.h), in the order in which
  // backward completes their gradients (last layer first), grouped into sections. Each parameter
  // starts at a multiple of 16 elements; the padding between is zero and stays zero. What the
  // device wants padded (padding.h) is padded within the parameter. Where state is sharded, buckets
  // end at a multiple of 16 elements per rank, so that each shard begins where operands of kernels
  // may begin.
  ParamLayout(const Model& model, const Plan& plan, std::int32_t rank,
              const DeviceTraits& traits = {});

  [[nodiscard]] const std::vector<Param>& params() const { return params_; }
  [[nodiscard]] const std::vector<ParamSection>& sections() const { return sections_; }
  [[nodiscard]] const Param& find(const std::string& name) const;  // Error(kUsage) when absent
  [[nodiscard]] std::int64_t elements() const { return elements_; }

  // A range [begin, end) of the flat buffers, and where the state of its first element lies.
  struct Range {
    std::int64_t begin = 0, end = 0;
    std::int64_t state = 0;
    [[nodiscard]] std::int64_t elements() const { return end - begin; }
  };
  // In completion order, tiling the flat buffers: a bucket closes when it holds at least the plan's
  // bucket_mib of fp32 gradients; buckets do not cross sections. Where gradients are sharded a
  // bucket is a unit, which has sections of its own. This rank updates `own`, which is all of the
  // bucket or its shard.
  struct Bucket {
    std::int64_t begin = 0, end = 0;
    std::size_t section = 0, sections_end = 0;  // those that it lies in, or that lie in it
    Range own;
    std::string unit = {};  // "layer3", "layer3.experts", "head", "embedding", "table"; empty: none
    [[nodiscard]] bool sharded() const { return own.elements() < end - begin; }
    [[nodiscard]] std::int64_t elements() const { return end - begin; }
  };
  [[nodiscard]] const std::vector<Bucket>& buckets() const { return buckets_; }
  // Indices of the units that the parameters of a component ("layer3", "head") lie in, in order.
  [[nodiscard]] std::vector<std::size_t> units_of(std::string_view component) const;
  // [begin, end) of the flat buffers in parts that equally many ranks of the tensor-parallel group
  // hold, apart from what a section says: one part unless there are heads that ranks share.
  struct Part {
    std::int64_t begin = 0, end = 0, copies = 1;
  };
  [[nodiscard]] std::vector<Part> parts_of(std::int64_t begin, std::int64_t end) const;
  // Index of the bucket that a parameter lies in.
  [[nodiscard]] std::size_t bucket_of(const Param& param) const;

  // Of dense parameters: experts' state is spread over the ranks that have the same ones.
  [[nodiscard]] const StateSharding& state() const { return state_; }
  [[nodiscard]] std::int64_t state_elements() const { return state_elements_; }
  // Whether the buffers of gradients and of parameters lie as the state does, and their elements.
  [[nodiscard]] bool shards_gradients() const { return shards_gradients_; }
  [[nodiscard]] bool shards_params() const { return shards_params_; }
  [[nodiscard]] std::int64_t grad_elements() const {
    return shards_gradients_ ? state_elements_ : elements_;
  }
  [[nodiscard]] std::int64_t param_elements() const {
    return shards_params_ ? state_elements_ : elements_;
  }
  // Of [begin, end), which lies in one bucket, that which this rank updates: there gradients become
  // complete, and there it has state. May be empty.
  [[nodiscard]] Range owned(std::int64_t begin, std::int64_t end) const;
  [[nodiscard]] Range owned(const Param& param) const {
    return owned(param.offset, param.offset + param.stored_elements());
  }

 private:
  void close_bucket(std::string unit = {});

  std::vector<Param> params_;
  std::unordered_map<std::string, std::size_t> index_;  // of params_, by name
  std::vector<ParamSection> sections_;
  std::vector<Bucket> buckets_;
  std::vector<Part> shared_;  // of parameters that other ranks hold as well, in order
  StateSharding state_;
  bool shards_gradients_ = false, shards_params_ = false;
  std::int64_t elements_ = 0, state_elements_ = 0;
};

// Initial value of a parameter's element at its *global* place: a pure function, so every plan
// starts from the same model.
[[nodiscard]] float initial_value(const Param& param, const Model& model, std::uint64_t seed,
                                  std::int64_t global_row, std::int64_t global_col);

// The same for columns [col_begin, col_begin + out.size()) of a row, at a third of the cost: normal
// values come in pairs.
void initial_row(const Param& param, const Model& model, std::uint64_t seed,
                 std::int64_t global_row, std::int64_t col_begin, std::span<float> out);

// The sizes of a rank's part of the model, and which of how many parts it is.
struct Shards {
  std::int32_t ways = 1, index = 0;
  // Key/value heads are those of this rank's query heads. Where there are fewer than ranks, each is
  // on kv_copies neighbouring ones.
  std::int64_t heads = 0, kv_heads = 0, kv_copies = 1;
  std::int64_t ffn = 0;  // without padding; of each expert, where there are any
  std::int64_t shared_ffn = 0;
  std::int64_t experts = 0, first_expert = 0;
  RowRange vocab;
};
[[nodiscard]] Shards shards_of(const Model& model, const Plan& plan, std::int32_t rank,
                               const DeviceTraits& traits = {});

// Vocabulary rows of a tensor-parallel rank, in order: shares differ by one row at most, the first
// ones are the larger.
[[nodiscard]] RowRange vocab_shard(std::int64_t vocab, std::int64_t tp, std::int64_t tp_rank,
                                   const DeviceTraits& traits = {});

}  // namespace stepmark

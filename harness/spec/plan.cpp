// SPDX-License-Identifier: Apache-2.0
// One list of keys and one function that sets them, for texts (dp=2,tp=4) and YAML alike. Legality
// is checked in the order in which users make mistakes, with the numbers that do not fit.
#include "harness/spec/plan.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <iterator>
#include <set>
#include <vector>

#include "core/error.h"
#include "harness/program/schedule/schedule.h"
#include "harness/spec/forms.h"
#include "harness/spec/limits.h"

namespace stepmark {
namespace {

constexpr std::array<std::string_view, 23> kKeys{"dp",           "tp",
                                                 "pp",           "schedule",
                                                 "chunks",       "sp",
                                                 "zero",         "shard",
                                                 "reshard",      "gather",
                                                 "reduce",       "micro_batch",
                                                 "accumulation", "seq",
                                                 "layers",       "precision",
                                                 "loss_chunks",  "bucket_mib",
                                                 "lr",           "weight_decay",
                                                 "clip",         "optimizer_overlap",
                                                 "grad_norm"};
constexpr std::array<std::string_view, 2> kGathers{"end", "forward"};      // by ParamGather
constexpr std::array<std::string_view, 3> kOverlaps{"auto", "off", "on"};  // by OptimizerOverlap

// No rate, decay or norm that anybody trains with comes near.
constexpr double kMaxHyperparameter = 1e9;

std::optional<std::string> set_flag(bool& flag, std::string_view value) {
  if (value != "on" && value != "off" && value != "true" && value != "false") return "on or off";
  flag = value == "on" || value == "true";
  return std::nullopt;
}

std::optional<std::string> set_overlap(OptimizerOverlap& overlap, std::string_view value) {
  bool on = false;
  if (value == kOverlaps[0]) {
    overlap = OptimizerOverlap::automatic;
  } else if (!set_flag(on, value)) {
    overlap = on ? OptimizerOverlap::on : OptimizerOverlap::off;
  } else {
    return "auto, on or off";
  }
  return std::nullopt;
}

std::optional<std::string> set_schedule(std::string& schedule, std::string_view value) {
  std::string names;
  for (const ScheduleInfo& info : all_schedules()) {
    names += fmt::format("{}{}", names.empty() ? "" : " ", info.name);
    if (info.name == value) schedule = value;
  }
  return schedule == value ? std::nullopt : std::optional("one of " + names);
}

std::optional<std::string> set_zero(std::int64_t& zero, std::string_view value) {
  if (value.size() != 1 || value[0] < '0' || value[0] > '3') {
    return "0 (nothing), or what is sharded over data-parallel ranks: 1 the optimizer's state, 2 "
           "and "
           "gradients, 3 and parameters (FSDP)";
  }
  zero = value[0] - '0';
  return std::nullopt;
}

std::optional<std::string> set_gather(ParamGather& gather, std::string_view value) {
  if (value != kGathers[0] && value != kGathers[1]) return "end or forward";
  gather = value == kGathers[0] ? ParamGather::end : ParamGather::forward;
  return std::nullopt;
}

std::optional<std::string> set_dtype(DType& dtype, std::string_view value) {
  if (value != "fp32" && value != "bf16") return "fp32 or bf16";
  dtype = value == "fp32" ? DType::f32 : DType::bf16;
  return std::nullopt;
}

// Sets one key from text; returns what was expected when the text does not fit.
std::optional<std::string> set_key(Plan& plan, std::string_view key, std::string_view value) {
  const auto whole = [&](std::int64_t& target, std::int64_t max) -> std::optional<std::string> {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (error != std::errc{} || end != value.data() + value.size() || number < 1 || number > max) {
      return fmt::format("a whole number from 1 to {}", max);
    }
    target = number;
    return std::nullopt;
  };
  const auto real = [&](double& target, double min, double max) -> std::optional<std::string> {
    double number = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (error != std::errc{} || end != value.data() + value.size() || !(number >= min) ||
        !(number <= max)) {
      return fmt::format("a number from {} to {}", min, max);
    }
    target = number;
    return std::nullopt;
  };
  if (key == "dp") return whole(plan.dp, kMaxRanks);
  if (key == "tp") return whole(plan.tp, kMaxRanks);
  if (key == "pp") return whole(plan.pp, kMaxRanks);
  if (key == "schedule") return set_schedule(plan.schedule, value);
  if (key == "chunks") return whole(plan.chunks, kMaxLayers);
  if (key == "micro_batch") return whole(plan.micro_batch, kMaxMicroBatch);
  if (key == "accumulation") return whole(plan.accumulation, kMaxLayerPasses);
  if (key == "seq") return whole(plan.seq, kMaxSequence);
  if (key == "layers") return whole(plan.layers, kMaxLayers);
  if (key == "loss_chunks") return whole(plan.loss_chunks, kMaxMicroBatch);
  if (key == "bucket_mib") return real(plan.bucket_mib, 1e-6, kMaxBucketMib);
  if (key == "lr") return real(plan.lr, 0.0, kMaxHyperparameter);
  if (key == "weight_decay") return real(plan.weight_decay, 0.0, kMaxHyperparameter);
  if (key == "clip") return real(plan.clip, 0.0, kMaxHyperparameter);
  if (key == "optimizer_overlap") return set_overlap(plan.optimizer_overlap, value);
  if (key == "grad_norm") return set_flag(plan.grad_norm, value);
  if (key == "sp") return set_flag(plan.sequence_parallel, value);
  if (key == "zero") return set_zero(plan.zero, value);
  if (key == "shard") return whole(plan.shard, kMaxRanks);
  if (key == "reshard") return set_flag(plan.reshard, value);
  if (key == "gather") return set_gather(plan.gather, value);
  return set_dtype(key == "reduce" ? plan.reduce : plan.precision, value);
}

bool is_key(std::string_view key) {
  return std::find(kKeys.begin(), kKeys.end(), key) != kKeys.end();
}

// The keys of "tp=2,dp=4", wrong ones included.
std::vector<std::string> keys_in(std::string_view text) {
  std::vector<std::string> keys;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    const std::string_view item = text.substr(begin, end - begin);
    keys.emplace_back(item.substr(0, item.find('=')));
    begin = end + 1;
  }
  return keys;
}

// What to say of a key that is none, in a plan whose keys are `given`.
std::string why_no_key(std::string_view key, const std::vector<std::string>& given) {
  if (auto form = form_not_built(key)) return *form;
  const std::vector<std::string> keys(kKeys.begin(), kKeys.end());
  std::vector<std::string> free;
  std::copy_if(keys.begin(), keys.end(), std::back_inserter(free), [&](const std::string& name) {
    return std::find(given.begin(), given.end(), name) == given.end();
  });
  const std::string nearest = nearest_name(key, free);
  return fmt::format("unknown key '{}'; {}", key,
                     nearest.empty() ? fmt::format("valid keys: {}", fmt::join(kKeys, " "))
                                     : fmt::format("did you mean '{}'?", nearest));
}

}  // namespace

std::int64_t Plan::loss_tokens() const {
  // Rows of a piece begin where operands of GEMMs may begin.
  constexpr std::int64_t kMultiple = 64;
  const auto up = [](std::int64_t a, std::int64_t b) { return (a + b - 1) / b; };
  const std::int64_t tokens = micro_batch * seq;
  const std::int64_t pieces = loss_chunks > 0 ? loss_chunks : up(tokens, kLossTokens);
  return std::min(tokens, up(up(tokens, pieces), kMultiple) * kMultiple);
}

Plan Plan::on_one_rank() const {
  Plan plan = *this;
  plan.accumulation *= plan.dp;
  plan.dp = 1;
  plan.tp = 1;
  plan.pp = 1;
  plan.schedule = kDefaultSchedule;
  plan.chunks = 1;
  plan.sequence_parallel = false;
  plan.zero = 0;
  plan.shard = 0;
  plan.reshard = true;
  plan.gather = ParamGather::end;
  plan.reduce = DType::f32;
  return plan;
}

std::int64_t Plan::shard_ways() const {
  if (zero == 0) return 1;
  return std::max<std::int64_t>(1, shard > 0 ? shard : dp);
}

std::string degrees_text(const Plan& plan, std::string_view equals, std::string_view separator) {
  std::string text = fmt::format("tp{}{}{}dp{}{}", equals, plan.tp, separator, equals, plan.dp);
  if (plan.pp > 1) text += fmt::format("{}pp{}{}", separator, equals, plan.pp);
  return text;
}

Plan filled(Plan plan, std::int64_t world_size) {
  if (plan.dp == 0) plan.dp = std::max<std::int64_t>(1, world_size / (plan.tp * plan.pp));
  return plan;
}

Plan parse_plan(std::string_view text, Plan base, std::string_view source) {
  std::set<std::string_view> given;
  // A comma promises another item, so a text that ends in one has an empty item there.
  for (std::size_t begin = 0; !text.empty() && begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    const std::string_view item = text.substr(begin, end - begin);
    const std::size_t column = begin + 1;
    const std::size_t equals = item.find('=');
    const std::string_view key = item.substr(0, equals);
    STEPMARK_REQUIRE(is_key(key), "{}:1:{}: {}", source, column, why_no_key(key, keys_in(text)));
    STEPMARK_REQUIRE(equals != std::string_view::npos, "{}:1:{}: '{}' needs a value, as in {}=2",
                     source, column, key, key);
    STEPMARK_REQUIRE(given.insert(key).second, "{}:1:{}: '{}' is given twice", source, column, key);
    const std::string_view value = item.substr(equals + 1);
    if (const auto expected = set_key(base, key, value)) {
      throw Error(ExitCode::kUsage, fmt::format("{}:1:{}: {}='{}': expected {}", source,
                                                column + equals + 1, key, value, *expected));
    }
    begin = end + 1;
  }
  return base;
}

Plan read_plan(YamlMap map, Plan base) {
  for (const std::string_view key : kKeys) {
    if (!map.has(key)) continue;
    const std::string value = map.required_string(key);
    if (const auto expected = set_key(base, key, value)) {
      map.fail(key, fmt::format("'{}': expected {}", value, *expected));
    }
  }
  refuse_forms_not_built(map);
  map.finish();
  return base;
}

std::string_view name_of(ParamGather gather) {
  return kGathers.at(static_cast<std::size_t>(gather));
}

std::string_view name_of(OptimizerOverlap overlap) {
  return kOverlaps.at(static_cast<std::size_t>(overlap));
}

std::string to_text(const Plan& plan) {
  std::string text = fmt::format("tp={}", plan.tp);
  if (plan.dp > 0) text = fmt::format("dp={},", plan.dp) + text;
  if (plan.pp > 1) text += fmt::format(",pp={}", plan.pp);
  if (plan.schedule != kDefaultSchedule) text += fmt::format(",schedule={}", plan.schedule);
  if (plan.chunks > 1) text += fmt::format(",chunks={}", plan.chunks);
  text += fmt::format(",sp={}", plan.sequence_parallel ? "on" : "off");
  if (plan.zero > 0) text += fmt::format(",zero={}", plan.zero);
  if (plan.shard > 0) text += fmt::format(",shard={}", plan.shard);
  if (!plan.reshard) text += ",reshard=off";
  if (plan.gather != ParamGather::end) text += fmt::format(",gather={}", name_of(plan.gather));
  if (plan.reduce != DType::f32) text += fmt::format(",reduce={}", name_of(plan.reduce));
  text += fmt::format(",micro_batch={},accumulation={}", plan.micro_batch, plan.accumulation);
  if (plan.seq > 0) text += fmt::format(",seq={}", plan.seq);
  if (plan.layers > 0) text += fmt::format(",layers={}", plan.layers);
  if (plan.loss_chunks > 0) text += fmt::format(",loss_chunks={}", plan.loss_chunks);
  text +=
      fmt::format(",precision={},bucket_mib={},lr={},weight_decay={},clip={}",
                  name_of(plan.precision), plan.bucket_mib, plan.lr, plan.weight_decay, plan.clip);
  if (plan.optimizer_overlap != OptimizerOverlap::automatic) {
    text += fmt::format(",optimizer_overlap={}", name_of(plan.optimizer_overlap));
  }
  if (plan.grad_norm) text += ",grad_norm=on";
  return text;
}

std::string short_name(const Plan& plan) {
  std::string name = fmt::format("tp{}.dp{}", plan.tp, plan.dp);
  if (plan.pp > 1) name += fmt::format(".pp{}", plan.pp);
  if (plan.schedule != kDefaultSchedule) name += "." + plan.schedule;
  if (plan.chunks > 1) name += fmt::format(".v{}", plan.chunks);
  name += fmt::format(".mb{}.seq{}", plan.micro_batch, plan.seq);
  if (plan.sequence_parallel) name += ".sp";
  if (plan.zero > 0) name += fmt::format(".zero{}", plan.zero);
  if (plan.shard > 0) name += fmt::format(".shard{}", plan.shard);
  if (!plan.reshard) name += ".noreshard";
  if (plan.gather == ParamGather::forward) name += ".ahead";
  if (plan.reduce != DType::f32) name += fmt::format(".r{}", name_of(plan.reduce));
  if (plan.accumulation > 1) name += fmt::format(".acc{}", plan.accumulation);
  if (plan.layers > 0) name += fmt::format(".L{}", plan.layers);
  if (plan.loss_chunks > 0) name += fmt::format(".lc{}", plan.loss_chunks);
  if (plan.optimizer_overlap == OptimizerOverlap::on) name += ".overlap";
  if (plan.optimizer_overlap == OptimizerOverlap::off) name += ".serial";
  return name + "." + std::string(name_of(plan.precision));
}

namespace {

// Upper estimate of what a rank holds, in doubles: what is refused cannot be counted exactly.
double most_bytes(const Plan& plan, const Model& model, std::int64_t layers) {
  const auto tokens = static_cast<double>(plan.micro_batch) * static_cast<double>(plan.seq);
  const double per_layer = 8.0 * static_cast<double>(model.hidden) +
                           3.0 * static_cast<double>(model.qkv_width()) +
                           4.0 * static_cast<double>(model.mlp_in_width());
  const double activations =
      tokens * (per_layer * static_cast<double>(layers + 1) + static_cast<double>(model.vocab));
  return 8.0 * activations + 20.0 * static_cast<double>(model.parameters());
}

std::optional<std::string> why_too_large(const Plan& plan, const Model& model) {
  const std::int64_t layers = plan.layers > 0 ? plan.layers : model.layers;
  if (plan.accumulation * layers > kMaxLayerPasses) {
    return fmt::format(
        "accumulation={} x {} layers is a program of over {} layers; lower accumulation and raise "
        "micro_batch, or run a slice (layers=)",
        plan.accumulation, layers, kMaxLayerPasses);
  }
  if (most_bytes(plan, model, layers) >= kMaxBytesPerRank) {
    return fmt::format(
        "micro_batch={} x seq={} of {} is more memory than can be counted (2^60 bytes)",
        plan.micro_batch, plan.seq, model.name);
  }
  return std::nullopt;
}

// What a pipeline of the plan cannot do, or asks for without being one.
std::optional<std::string> why_no_pipeline(const Plan& plan, const Model& model) {
  if (plan.pp == 1) {
    if (plan.schedule == kDefaultSchedule && plan.chunks == 1) return std::nullopt;
    return fmt::format("{} is for the stages of a pipeline and needs pp of at least 2",
                       plan.chunks > 1 ? fmt::format("chunks={}", plan.chunks)
                                       : fmt::format("schedule={}", plan.schedule));
  }
  const std::int64_t layers = plan.layers > 0 ? plan.layers : model.layers;
  if (plan.pp * plan.chunks > layers) {
    return fmt::format("pp={} x chunks={} needs a layer for each of {} stages, {} has {}", plan.pp,
                       plan.chunks, plan.pp * plan.chunks, model.name, layers);
  }
  const std::string problem =
      find_schedule(plan.schedule)
          .problem({.stages = static_cast<std::int32_t>(plan.pp),
                    .micro_batches = static_cast<std::int32_t>(plan.accumulation),
                    .chunks = static_cast<std::int32_t>(plan.chunks)});
  if (problem.empty()) return std::nullopt;
  return fmt::format("schedule={}: {} (accumulation={}, pp={}, chunks={})", plan.schedule, problem,
                     plan.accumulation, plan.pp, plan.chunks);
}

// What sharding over data-parallel ranks cannot do, or is asked for without any.
std::optional<std::string> why_no_sharding(const Plan& plan) {
  if (plan.shard > 0 && plan.zero == 0) {
    return fmt::format(
        "shard={} says over how many ranks ZeRO shards, and zero=0 shards nothing; "
        "give zero=1, 2 or 3, or leave it out",
        plan.shard);
  }
  if (plan.shard == 1) return "shard=1 shards nothing; give zero=0, or a shard of at least 2";
  if (plan.shard > 0 && plan.dp % plan.shard != 0) {
    std::int64_t nearest = plan.shard;
    while (plan.dp % nearest != 0) --nearest;
    return fmt::format("shard={} does not divide the {} data-parallel ranks; {}", plan.shard,
                       plan.dp,
                       nearest > 1 ? fmt::format("shard={} does", nearest)
                                   : std::string("leave it out to shard over all of them"));
  }
  if (!plan.reshard && plan.zero != 3) {
    return fmt::format(
        "reshard=off keeps gathered parameters, which are sharded with zero=3 alone "
        "(zero={})",
        plan.zero);
  }
  if (plan.gather == ParamGather::forward && (plan.zero == 0 || plan.zero == 3)) {
    return plan.zero == 0 ? "gather=forward gathers updated shards, which zero=1 and zero=2 have"
                          : "gather=forward is of zero=1 and zero=2; zero=3 gathers layer by layer";
  }
  if (plan.zero >= 2 && find_schedule(plan.schedule).splits_backward) {
    return fmt::format(
        "schedule={} keeps weight gradients for later, zero={} reduces those of a layer with its "
        "backward pass; zero=1 goes with it, or schedule={}",
        plan.schedule, plan.zero, kDefaultSchedule);
  }
  return std::nullopt;
}

std::string degrees_product(const Plan& plan) {
  std::string text = fmt::format("dp={} x tp={}", plan.dp, plan.tp);
  if (plan.pp > 1) text += fmt::format(" x pp={}", plan.pp);
  return text;
}

}  // namespace

std::optional<std::string> why_illegal(const Plan& plan, const Model& model,
                                       std::int64_t world_size) {
  if (plan.ranks() != world_size) {
    return fmt::format(
        "{} needs {} ranks, but the world has {}; give degrees whose "
        "product is {} or start {} ranks",
        degrees_product(plan), plan.ranks(), world_size, world_size, plan.ranks());
  }
  // Token counts are exact in every later product with a dim of the model.
  if (static_cast<double>(plan.micro_batch) * static_cast<double>(plan.accumulation) *
          static_cast<double>(plan.dp) * static_cast<double>(plan.seq) >=
      kMaxStepTokens) {
    return fmt::format("micro_batch={} x accumulation={} x dp={} x seq={} is over 2^36 tokens",
                       plan.micro_batch, plan.accumulation, plan.dp, plan.seq);
  }
  if (model.heads % plan.tp != 0) {
    return fmt::format("tp={} does not divide the {} attention heads of {}", plan.tp, model.heads,
                       model.name);
  }
  if (model.kv_heads % plan.tp != 0) {
    return fmt::format("tp={} does not divide the {} key/value heads of {}", plan.tp,
                       model.kv_heads, model.name);
  }
  if (model.ffn % plan.tp != 0) {
    return fmt::format("tp={} does not divide the MLP width {} of {}", plan.tp, model.ffn,
                       model.name);
  }
  if (plan.tp > model.vocab) {
    return fmt::format("tp={} leaves a rank without any of the {} vocabulary rows", plan.tp,
                       model.vocab);
  }
  if (plan.seq > model.max_seq) {
    return fmt::format("seq={} is longer than the {} positions of {}", plan.seq, model.max_seq,
                       model.name);
  }
  if (plan.sequence_parallel && plan.tp == 1) {
    return "sp=on splits tokens over the tensor-parallel group and needs tp of at least 2";
  }
  if (plan.sequence_parallel && (plan.micro_batch * plan.seq) % plan.tp != 0) {
    return fmt::format("sp=on needs micro_batch x seq = {} divisible by tp={}",
                       plan.micro_batch * plan.seq, plan.tp);
  }
  if (plan.loss_chunks > plan.micro_batch * plan.seq) {
    return fmt::format("loss_chunks={} is more than the {} tokens of a micro-step",
                       plan.loss_chunks, plan.micro_batch * plan.seq);
  }
  if (plan.layers > model.layers) {
    return fmt::format("layers={} is more than the {} layers of {}; a slice has fewer", plan.layers,
                       model.layers, model.name);
  }
  if (auto reason = why_no_pipeline(plan, model)) return reason;
  if (auto reason = why_no_sharding(plan)) return reason;
  return why_too_large(plan, model);
}

Plan resolve(Plan plan, const Model& model, std::int64_t world_size) {
  STEPMARK_REQUIRE(world_size >= 1 && world_size <= kMaxRanks,
                   "a world of {} ranks: expected from 1 to {}", world_size, kMaxRanks);
  if (plan.seq == 0) plan.seq = model.max_seq;
  plan = filled(plan, world_size);
  if (plan.layers == model.layers) plan.layers = 0;
  if (plan.zero > 0 && plan.shard > 1 && plan.shard == plan.dp) plan.shard = 0;
  if (const auto reason = why_illegal(plan, model, world_size)) {
    throw Error(ExitCode::kUsage, fmt::format("impossible plan: {}", *reason));
  }
  return plan;
}

Model sliced(const Model& model, const Plan& plan) {
  Model result = model;
  if (plan.layers > 0) result.layers = plan.layers;
  return result;
}

}  // namespace stepmark

// SPDX-License-Identifier: Apache-2.0
// One list of keys and one function that sets them, for texts (dp=2,tp=4) and YAML alike.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <iterator>
#include <set>
#include <vector>

#include "core/error.h"
#include "harness/program/schedule/schedule.h"
#include "harness/spec/forms.h"
#include "harness/spec/limits.h"
#include "harness/spec/plan.h"

namespace stepmark {
namespace {

constexpr std::array<std::string_view, 36> kKeys{
    "dp",           "tp",     "cp",           "cp_kind",   "pp",
    "schedule",     "chunks", "p2p",          "sp",        "tp_overlap",
    "tp_chunks",    "ep",     "etp",          "routing",   "routing_exponent",
    "routing_seed", "zero",   "shard",        "reshard",   "prefetch",
    "grad_sync",    "gather", "reduce",       "recompute", "micro_batch",
    "accumulation", "seq",    "layers",       "precision", "loss_chunks",
    "bucket_mib",   "lr",     "weight_decay", "clip",      "optimizer_overlap",
    "grad_norm"};
constexpr std::array<std::string_view, 3> kContextKinds{"allgather", "ring", "ulysses"};
constexpr std::array<std::string_view, 3> kRoutings{"router", "uniform", "zipf"};
constexpr std::array<std::string_view, 2> kSyncs{"every", "last"};         // by GradSync
constexpr std::array<std::string_view, 2> kMessages{"single", "batched"};  // by StageMessages
constexpr std::array<std::string_view, 2> kGathers{"end", "forward"};      // by ParamGather
constexpr std::array<std::string_view, 3> kRecomputes{"none", "selective", "full"};
constexpr std::array<std::string_view, 3> kOverlaps{"auto", "off", "on"};  // by OptimizerOverlap

// No rate, decay or norm that anybody trains with comes near.
constexpr double kMaxHyperparameter = 1e9;
constexpr double kMaxExponent = 8.0;
constexpr std::int64_t kMaxSeed = std::int64_t{1} << 31;

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

std::optional<std::string> set_context_kind(ContextKind& kind, std::string_view value) {
  const auto* const found = std::find(kContextKinds.begin(), kContextKinds.end(), value);
  if (found == kContextKinds.end()) return "allgather, ring or ulysses";
  kind = static_cast<ContextKind>(found - kContextKinds.begin());
  return std::nullopt;
}

std::optional<std::string> set_routing(Routing& routing, std::string_view value) {
  const auto* const found = std::find(kRoutings.begin(), kRoutings.end(), value);
  if (found == kRoutings.end()) return "router, uniform or zipf";
  routing = static_cast<Routing>(found - kRoutings.begin());
  return std::nullopt;
}

std::optional<std::string> set_gather(ParamGather& gather, std::string_view value) {
  if (value != kGathers[0] && value != kGathers[1]) return "end or forward";
  gather = value == kGathers[0] ? ParamGather::end : ParamGather::forward;
  return std::nullopt;
}

std::optional<std::string> set_grad_sync(GradSync& sync, std::string_view value) {
  if (value != kSyncs[0] && value != kSyncs[1]) return "every or last";
  sync = value == kSyncs[0] ? GradSync::every : GradSync::last;
  return std::nullopt;
}

std::optional<std::string> set_messages(StageMessages& messages, std::string_view value) {
  if (value != kMessages[0] && value != kMessages[1]) return "single or batched";
  messages = value == kMessages[0] ? StageMessages::single : StageMessages::batched;
  return std::nullopt;
}

std::optional<std::string> set_recompute(Recompute& recompute, std::string_view value) {
  const auto* const found = std::find(kRecomputes.begin(), kRecomputes.end(), value);
  if (found == kRecomputes.end()) return "none, selective or full";
  recompute = static_cast<Recompute>(found - kRecomputes.begin());
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
  if (key == "cp") return whole(plan.cp, kMaxRanks);
  if (key == "cp_kind") return set_context_kind(plan.cp_kind, value);
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
  if (key == "tp_overlap") return set_flag(plan.tp_overlap, value);
  if (key == "tp_chunks") return whole(plan.tp_chunks, kMaxTokenChunks);
  if (key == "p2p") return set_messages(plan.p2p, value);
  if (key == "ep") return whole(plan.ep, kMaxRanks);
  if (key == "etp") return whole(plan.etp, kMaxRanks);
  if (key == "routing") return set_routing(plan.routing, value);
  if (key == "routing_exponent") return real(plan.routing_exponent, 0.0, kMaxExponent);
  if (key == "routing_seed") return whole(plan.routing_seed, kMaxSeed);
  if (key == "zero") return set_zero(plan.zero, value);
  if (key == "shard") return whole(plan.shard, kMaxRanks);
  if (key == "reshard") return set_flag(plan.reshard, value);
  if (key == "prefetch") return set_flag(plan.prefetch, value);
  if (key == "grad_sync") return set_grad_sync(plan.grad_sync, value);
  if (key == "gather") return set_gather(plan.gather, value);
  if (key == "recompute") return set_recompute(plan.recompute, value);
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

std::string degrees_text(const Plan& plan, std::string_view equals, std::string_view separator) {
  std::string text = fmt::format("tp{}{}{}dp{}{}", equals, plan.tp, separator, equals, plan.dp);
  if (plan.cp > 1) text += fmt::format("{}cp{}{}", separator, equals, plan.cp);
  if (plan.ep > 1) text += fmt::format("{}ep{}{}", separator, equals, plan.ep);
  if (plan.pp > 1) text += fmt::format("{}pp{}{}", separator, equals, plan.pp);
  return text;
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

std::string_view name_of(ContextKind kind) {
  return kContextKinds.at(static_cast<std::size_t>(kind));
}

std::string_view name_of(Routing routing) {
  return kRoutings.at(static_cast<std::size_t>(routing));
}

std::string_view name_of(ParamGather gather) {
  return kGathers.at(static_cast<std::size_t>(gather));
}

std::string_view name_of(GradSync sync) { return kSyncs.at(static_cast<std::size_t>(sync)); }

std::string_view name_of(StageMessages messages) {
  return kMessages.at(static_cast<std::size_t>(messages));
}

std::string_view name_of(Recompute recompute) {
  return kRecomputes.at(static_cast<std::size_t>(recompute));
}

std::string_view name_of(OptimizerOverlap overlap) {
  return kOverlaps.at(static_cast<std::size_t>(overlap));
}

std::string to_text(const Plan& plan) {
  const Plan none;
  std::string text = fmt::format("tp={}", plan.tp);
  if (plan.dp > 0) text = fmt::format("dp={},", plan.dp) + text;
  if (plan.cp > 1) text += fmt::format(",cp={}", plan.cp);
  if (plan.cp_kind != ContextKind::allgather) {
    text += fmt::format(",cp_kind={}", name_of(plan.cp_kind));
  }
  if (plan.pp > 1) text += fmt::format(",pp={}", plan.pp);
  if (plan.schedule != kDefaultSchedule) text += fmt::format(",schedule={}", plan.schedule);
  if (plan.chunks > 1) text += fmt::format(",chunks={}", plan.chunks);
  if (plan.p2p != StageMessages::single) text += fmt::format(",p2p={}", name_of(plan.p2p));
  text += fmt::format(",sp={}", plan.sequence_parallel ? "on" : "off");
  if (!plan.tp_overlap) text += ",tp_overlap=off";
  if (plan.tp_chunks > 1) text += fmt::format(",tp_chunks={}", plan.tp_chunks);
  if (plan.ep > 1) text += fmt::format(",ep={}", plan.ep);
  if (plan.etp > 0) text += fmt::format(",etp={}", plan.etp);
  if (plan.routing != Routing::router) text += fmt::format(",routing={}", name_of(plan.routing));
  if (plan.routing_exponent != none.routing_exponent) {
    text += fmt::format(",routing_exponent={}", plan.routing_exponent);
  }
  if (plan.routing_seed != none.routing_seed) {
    text += fmt::format(",routing_seed={}", plan.routing_seed);
  }
  if (plan.zero > 0) text += fmt::format(",zero={}", plan.zero);
  if (plan.shard > 0) text += fmt::format(",shard={}", plan.shard);
  if (!plan.reshard) text += ",reshard=off";
  if (!plan.prefetch) text += ",prefetch=off";
  if (plan.grad_sync != GradSync::every) {
    text += fmt::format(",grad_sync={}", name_of(plan.grad_sync));
  }
  if (plan.gather != ParamGather::end) text += fmt::format(",gather={}", name_of(plan.gather));
  if (plan.reduce != DType::f32) text += fmt::format(",reduce={}", name_of(plan.reduce));
  if (plan.recompute != Recompute::none) {
    text += fmt::format(",recompute={}", name_of(plan.recompute));
  }
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
  if (plan.cp > 1) name += fmt::format(".cp{}", plan.cp);
  if (plan.cp_kind != ContextKind::allgather) name += fmt::format(".{}", name_of(plan.cp_kind));
  if (plan.pp > 1) name += fmt::format(".pp{}", plan.pp);
  if (plan.schedule != kDefaultSchedule) name += "." + plan.schedule;
  if (plan.chunks > 1) name += fmt::format(".v{}", plan.chunks);
  if (plan.p2p == StageMessages::batched) name += ".batched";
  name += fmt::format(".mb{}.seq{}", plan.micro_batch, plan.seq);
  if (plan.sequence_parallel) name += ".sp";
  if (!plan.tp_overlap) name += ".waits";
  if (plan.tp_chunks > 1) name += fmt::format(".tc{}", plan.tp_chunks);
  if (plan.ep > 1) name += fmt::format(".ep{}", plan.ep);
  if (plan.etp > 0) name += fmt::format(".etp{}", plan.etp);
  if (plan.routing == Routing::uniform) name += ".uniform";
  if (plan.routing == Routing::zipf) name += fmt::format(".zipf{}", plan.routing_exponent);
  if (plan.zero > 0) name += fmt::format(".zero{}", plan.zero);
  if (plan.shard > 0) name += fmt::format(".shard{}", plan.shard);
  if (!plan.reshard) name += ".noreshard";
  if (!plan.prefetch) name += ".noprefetch";
  if (plan.grad_sync == GradSync::last) name += ".nosync";
  if (plan.gather == ParamGather::forward) name += ".ahead";
  if (plan.reduce != DType::f32) name += fmt::format(".r{}", name_of(plan.reduce));
  if (plan.recompute == Recompute::selective) name += ".selective";
  if (plan.recompute == Recompute::full) name += ".recompute";
  if (plan.accumulation > 1) name += fmt::format(".acc{}", plan.accumulation);
  if (plan.layers > 0) name += fmt::format(".L{}", plan.layers);
  if (plan.loss_chunks > 0) name += fmt::format(".lc{}", plan.loss_chunks);
  if (plan.optimizer_overlap == OptimizerOverlap::on) name += ".overlap";
  if (plan.optimizer_overlap == OptimizerOverlap::off) name += ".serial";
  return name + "." + std::string(name_of(plan.precision));
}

}  // namespace stepmark

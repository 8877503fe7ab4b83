// SPDX-License-Identifier: Apache-2.0
// Plans as text and YAML, and every reason why a plan is refused.
#include "harness/spec/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "core/rng.h"

namespace stepmark {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

Model small() {
  return {.name = "small",
          .family = ModelFamily::llama,
          .layers = 4,
          .hidden = 64,
          .heads = 8,
          .kv_heads = 4,
          .head_dim = 8,
          .ffn = 96,
          .vocab = 100,
          .max_seq = 32};
}

std::string error_of(std::string_view text) {
  try {
    (void)parse_plan(text);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage);
    return error.message();
  }
  return "no error";
}

TEST(PlanText, RoundTripsRandomPlans) {
  const Philox rng(7, 0);
  for (std::uint64_t i = 0; i < 500; ++i) {
    auto draw = [&, k = std::uint64_t{0}](std::uint64_t bound) mutable {
      return static_cast<std::int64_t>(rng.below(32 * i + k++, bound));
    };
    Plan plan;
    plan.dp = draw(9);
    plan.tp = 1 + draw(8);
    plan.cp = 1 + draw(4);
    plan.cp_kind = static_cast<ContextKind>(draw(3));
    plan.pp = 1 + draw(8);
    plan.schedule = draw(2) == 1 ? "zb-h1" : "1f1b";
    plan.chunks = 1 + draw(3);
    plan.sequence_parallel = draw(2) == 1;
    plan.p2p = static_cast<StageMessages>(draw(2));
    plan.tp_overlap = draw(2) == 1;
    plan.tp_chunks = 1 + draw(3);
    plan.zero = draw(4);
    plan.shard = draw(9);
    plan.reshard = draw(2) == 1;
    plan.prefetch = draw(2) == 1;
    plan.grad_sync = static_cast<GradSync>(draw(2));
    plan.gather = static_cast<ParamGather>(draw(2));
    plan.reduce = draw(2) == 1 ? DType::bf16 : DType::f32;
    plan.recompute = static_cast<Recompute>(draw(3));
    plan.micro_batch = 1 + draw(1000);
    plan.accumulation = 1 + draw(64);
    plan.seq = draw(4096);
    plan.layers = draw(100);
    plan.precision = draw(2) == 1 ? DType::bf16 : DType::f32;
    plan.bucket_mib = 0.1 * static_cast<double>(1 + draw(1000));
    plan.lr = 1e-7 * static_cast<double>(draw(1000000));
    plan.weight_decay = 0.01 * static_cast<double>(draw(100));
    plan.clip = 0.3 * static_cast<double>(draw(10));
    plan.optimizer_overlap = static_cast<OptimizerOverlap>(draw(3));
    plan.grad_norm = draw(2) == 1;
    ASSERT_EQ(parse_plan(to_text(plan)), plan) << to_text(plan);
  }
}

TEST(PlanText, OverlaysTheBase) {
  Plan base;
  base.micro_batch = 4;
  base.tp = 8;
  const Plan plan = parse_plan("tp=2,sp=on", base);
  EXPECT_EQ(plan.tp, 2);
  EXPECT_TRUE(plan.sequence_parallel);
  EXPECT_EQ(plan.micro_batch, 4);
  EXPECT_EQ(parse_plan("", base), base);
}

TEST(PlanText, UnknownKeyGivesColumnAndNearest) {
  EXPECT_THAT(error_of("tp=2,microbatch=4"),
              AllOf(StartsWith("--plan:1:6:"), HasSubstr("did you mean 'micro_batch'")));
  EXPECT_THAT(error_of("zzzzzzzzzz=4"), HasSubstr("valid keys: dp tp"));
}

TEST(PlanText, FormsThatDoNotExistYetAreNamed) {
  for (const char* form : {"offload", "cpu_offload", "Offload"}) {
    EXPECT_THAT(error_of(std::string("tp=2,") + form + "=2"),
                AllOf(StartsWith("--plan:1:6: "), HasSubstr("is not built yet"),
                      HasSubstr("docs/architecture.md"), Not(HasSubstr("did you mean"))))
        << form;
  }
  EXPECT_THAT(error_of("offload=2"), HasSubstr("offload: offloading to the host is not built yet"));
}

TEST(PlanText, OtherNamesOfAFormLeadToItsKey) {
  EXPECT_THAT(error_of("vpp=2"), HasSubstr("are given by the key 'chunks' of a plan"));
  EXPECT_THAT(error_of("Virtual-Stages=2"), HasSubstr("the key 'chunks'"));
  EXPECT_THAT(error_of("pipeline_parallel_size=2"), HasSubstr("the key 'pp'"));
  EXPECT_THAT(error_of("context_parallel_size=2"), HasSubstr("the key 'cp'"));
  EXPECT_THAT(error_of("ring_attention=on"), HasSubstr("the key 'cp_kind'"));
  EXPECT_THAT(error_of("expert_model_parallel_size=2"), HasSubstr("the key 'ep' of a plan"));
  EXPECT_THAT(error_of("num_experts=8"), HasSubstr("the key 'experts' of a model"));
  EXPECT_THAT(error_of("pp=2,pp_schedule=gpipe"), HasSubstr("the key 'schedule'"));
}

TEST(PlanText, PipelineStandsInItWhereThereIsOne) {
  const Plan plan = parse_plan("pp=4,dp=2,schedule=interleaved,chunks=2,accumulation=8");
  EXPECT_THAT(to_text(plan), StartsWith("dp=2,tp=1,pp=4,schedule=interleaved,chunks=2,sp=off,"));
  EXPECT_THAT(to_text(Plan{}), Not(HasSubstr("pp=")));
  EXPECT_THAT(to_text(Plan{}), Not(HasSubstr("schedule")));
  EXPECT_EQ(short_name(plan), "tp1.dp2.pp4.interleaved.v2.mb1.seq0.acc8.fp32");
  EXPECT_EQ(degrees_text(plan), "tp=1,dp=2,pp=4");
  EXPECT_EQ(plan.ranks(), 8);
  EXPECT_EQ(filled(parse_plan("pp=4,tp=2"), 16).dp, 2);
  const Plan alone = plan.on_one_rank();
  EXPECT_EQ(alone.ranks(), 1);
  EXPECT_EQ(alone.accumulation, 16);
  EXPECT_EQ(to_text(alone),
            "dp=1,tp=1,sp=off,micro_batch=1,accumulation=16,precision=fp32,"
            "bucket_mib=25,lr=0.001,weight_decay=0.1,clip=1");
  EXPECT_THAT(error_of("pp=2,schedule=2f2b"),
              HasSubstr("expected one of gpipe 1f1b interleaved zb-h1"));
}

TEST(PlanText, StagesOfZeroAreNamed) {
  EXPECT_EQ(parse_plan("zero=1").zero, 1);
  EXPECT_EQ(parse_plan("zero=0", parse_plan("zero=1")), Plan{});
  for (const char* text : {"tp=2,zero=4", "tp=2,zero=", "tp=2,zero=on"}) {
    EXPECT_THAT(error_of(text),
                AllOf(StartsWith("--plan:1:11: zero="),
                      HasSubstr("1 the optimizer's state, 2 and gradients, 3 and")));
  }
  EXPECT_THAT(error_of("zero=3,gather=now"), HasSubstr("expected end or forward"));
  EXPECT_THAT(error_of("zero=3,reduce=fp16"), HasSubstr("expected fp32 or bf16"));
  EXPECT_THAT(error_of("hsdp=2"), HasSubstr("the key 'shard' of a plan"));
  EXPECT_THAT(error_of("reshard_after_forward=off"), HasSubstr("the key 'reshard' of a plan"));
  for (const char* name :
       {"zero1", "zero_stage", "distributed_optimizer", "ZeRO-1", "ZeRO-3", "fsdp"}) {
    EXPECT_THAT(
        error_of(std::string("tp=2,") + name + "=1"),
        AllOf(StartsWith("--plan:1:6: "), HasSubstr("are given by the key 'zero' of a plan")))
        << name;
  }
}

TEST(PlanText, ZeroStandsInItWhereItIsAskedFor) {
  EXPECT_THAT(to_text(Plan{}), Not(HasSubstr("zero")));
  EXPECT_THAT(short_name(Plan{}), Not(HasSubstr("zero")));
  EXPECT_THAT(to_text(parse_plan("zero=1")), HasSubstr(",zero=1,"));
  EXPECT_EQ(short_name(parse_plan("tp=2,dp=2,sp=on,zero=1,seq=8,accumulation=2")),
            "tp2.dp2.mb1.seq8.sp.zero1.acc2.fp32");
  EXPECT_EQ(parse_plan("dp=4,zero=1").on_one_rank().zero, 0);
  const Plan all = parse_plan("dp=8,zero=3,shard=4,reshard=off,reduce=bf16,seq=8");
  EXPECT_EQ(short_name(all), "tp1.dp8.mb1.seq8.zero3.shard4.noreshard.rbf16.fp32");
  EXPECT_THAT(to_text(all), HasSubstr(",zero=3,shard=4,reshard=off,reduce=bf16,micro_batch="));
  EXPECT_EQ(short_name(parse_plan("dp=2,zero=1,gather=forward,seq=8")),
            "tp1.dp2.mb1.seq8.zero1.ahead.fp32");
  EXPECT_EQ(all.on_one_rank(), parse_plan("dp=1,accumulation=8,seq=8"));
  EXPECT_EQ(all.shard_ways(), 4);
  EXPECT_EQ(all.shard_replicas(), 2);
}

TEST(PlanText, RecomputeStandsInItWhereItIsAskedFor) {
  EXPECT_THAT(to_text(Plan{}), Not(HasSubstr("recompute")));
  const Plan full = parse_plan("recompute=full,seq=8"), some = parse_plan("recompute=selective");
  EXPECT_THAT(to_text(full), HasSubstr(",recompute=full,micro_batch=1,"));
  EXPECT_THAT(short_name(full), HasSubstr(".seq8.recompute.fp32"));
  EXPECT_THAT(short_name(some), HasSubstr(".selective.fp32"));
  EXPECT_EQ(parse_plan("recompute=none", full), parse_plan("seq=8"));
  EXPECT_EQ(some.on_one_rank().recompute, Recompute::none);
  EXPECT_THAT(error_of("tp=2,recompute=on"),
              AllOf(StartsWith("--plan:1:16:"), HasSubstr("expected none, selective or full")));
  EXPECT_THAT(error_of("activation_checkpointing=on"), HasSubstr("by the key 'recompute'"));
}

TEST(PlanText, OffersOnlyKeysThatAreNearAndFree) {
  EXPECT_THAT(error_of("tpp=4"), HasSubstr("did you mean 'tp'"));
  EXPECT_THAT(error_of("tp=2,pp=2,tpp=4"),
              AllOf(Not(HasSubstr("did you mean")), HasSubstr("valid keys")));
  EXPECT_THAT(error_of("tpp=4,tp=2,pp=2"),
              AllOf(Not(HasSubstr("did you mean")), HasSubstr("valid keys")));
  EXPECT_THAT(error_of("tp=2,tpp=4"), HasSubstr("did you mean 'pp'"));
  EXPECT_THAT(error_of("xp=4"), HasSubstr("valid keys"));
}

TEST(PlanText, WrongValuesGiveColumnAndExpectation) {
  EXPECT_THAT(error_of("tp=2,dp=0"),
              AllOf(StartsWith("--plan:1:9:"), HasSubstr("whole number from 1 to")));
  EXPECT_THAT(error_of("tp=two"), AllOf(StartsWith("--plan:1:4:"), HasSubstr("whole number")));
  EXPECT_THAT(error_of("tp=2x"), HasSubstr("whole number"));
  EXPECT_THAT(error_of("tp="), HasSubstr("whole number"));
  EXPECT_THAT(error_of("tp=99999999999999999999"), HasSubstr("whole number"));
  EXPECT_THAT(error_of("sp=yes"), HasSubstr("on or off"));
  EXPECT_THAT(error_of("precision=fp64"), HasSubstr("fp32 or bf16"));
  EXPECT_THAT(error_of("optimizer_overlap=maybe"), HasSubstr("auto, on or off"));
  EXPECT_THAT(error_of("grad_norm=auto"), HasSubstr("on or off"));
  EXPECT_THAT(error_of("optimizer_overlp=on"), HasSubstr("did you mean 'optimizer_overlap'"));
  EXPECT_THAT(error_of("lr=-1"), HasSubstr("a number from 0 to 1000000000"));
  EXPECT_THAT(error_of("lr=nan"), HasSubstr("a number from 0 to 1000000000"));
  EXPECT_THAT(error_of("clip=inf"), HasSubstr("a number from 0 to 1000000000"));
  EXPECT_THAT(error_of("bucket_mib=0"), HasSubstr("a number from 1e-06 to 1000000"));
  EXPECT_THAT(error_of("tp"), HasSubstr("needs a value"));
  EXPECT_THAT(error_of("tp=2,"), StartsWith("--plan:1:6:"));
  EXPECT_THAT(error_of("tp=2,tp=4"), AllOf(StartsWith("--plan:1:6:"), HasSubstr("given twice")));
}

TEST(PlanYaml, ReadsTheSameKeysAndPlacesErrors) {
  const auto read = [](std::string_view text) {
    return read_plan(YamlDocument::read_text(text, "p.yaml").map());
  };
  const Plan plan = read(
      "tp: 2\nsp: on\nzero: 1\nlr: 3e-4\nprecision: bf16\noptimizer_overlap: off\ngrad_norm: "
      "true\n");
  EXPECT_EQ(
      plan,
      parse_plan("tp=2,sp=on,zero=1,lr=3e-4,precision=bf16,optimizer_overlap=off,grad_norm=on"));
  const auto error_in = [&](std::string_view text) -> std::string {
    try {
      (void)read(text);
    } catch (const ConfigError& error) {
      return error.message();
    }
    return "no error";
  };
  EXPECT_THAT(error_in("tp: 2\ndp: zero\n"), StartsWith("p.yaml:2:1:"));
  EXPECT_THAT(error_in("tp: 2\nacumulation: 2\n"),
              AllOf(StartsWith("p.yaml:2:1:"), HasSubstr("accumulation")));
  EXPECT_THAT(error_in("tp: [1, 2]\n"), StartsWith("p.yaml:1:5:"));
  EXPECT_THAT(error_in("tp: 2\nzero: 4\n"), StartsWith("p.yaml:2:1:"));
  EXPECT_THAT(error_in("tp: 2\ndistributed_optimizer: true\n"),
              AllOf(StartsWith("p.yaml:2:1:"), HasSubstr("the key 'zero'")));
}

std::string reason(std::string_view text, std::int64_t world, const Model& model = small()) {
  Plan plan = parse_plan(text);
  if (plan.dp == 0) plan.dp = 1;
  if (plan.seq == 0) plan.seq = model.max_seq;
  return why_illegal(plan, model, world).value_or("legal");
}

TEST(PlanLegality, ShardingNamesItsRuleAndWhatWouldDo) {
  EXPECT_THAT(reason("dp=4,shard=2", 4), HasSubstr("zero=0 shards nothing; give zero=1, 2 or 3"));
  EXPECT_THAT(reason("dp=4,zero=3,shard=1", 4), HasSubstr("give zero=0, or a shard of at least 2"));
  EXPECT_THAT(reason("dp=6,zero=1,shard=4", 6), HasSubstr("6 data-parallel ranks; shard=3 does"));
  EXPECT_THAT(reason("dp=5,zero=1,shard=4", 5), HasSubstr("leave it out"));
  EXPECT_THAT(reason("dp=2,zero=2,reshard=off", 2), HasSubstr("with zero=3 alone"));
  EXPECT_THAT(reason("dp=2,gather=forward", 2), HasSubstr("which zero=1 and zero=2 have"));
  EXPECT_THAT(reason("dp=2,zero=3,gather=forward", 2), HasSubstr("zero=3 gathers layer by layer"));
  EXPECT_THAT(reason("dp=2,pp=2,zero=2,schedule=zb-h1,accumulation=2", 4),
              HasSubstr("zero=1 goes with it, or schedule=1f1b"));
  for (const char* text : {"dp=4,zero=2", "dp=4,zero=3,reshard=off", "dp=4,zero=3,shard=2",
                           "dp=4,zero=2,gather=forward", "dp=4,reduce=bf16"}) {
    EXPECT_EQ(reason(text, 4), "legal") << text;
  }
  EXPECT_EQ(resolve(parse_plan("dp=4,zero=3,shard=4"), small(), 4).shard, 0);
}

TEST(PlanLegality, WhatRunsBesideComputeNamesItsRule) {
  EXPECT_THAT(reason("tp_overlap=off", 1), HasSubstr("needs tp of at least 2"));
  EXPECT_THAT(reason("tp=2,pp=2,schedule=zb-h1,accumulation=2,tp_overlap=off", 4),
              HasSubstr("leave tp_overlap out, or give schedule=1f1b"));
  EXPECT_THAT(reason("dp=2,zero=2,prefetch=off", 2), HasSubstr("with zero=3 alone (zero=2)"));
  EXPECT_EQ(reason("tp=2,dp=2,tp_overlap=off,zero=3,prefetch=off", 4), "legal");
  const Plan plan = parse_plan("tp=2,dp=2,tp_overlap=off,zero=3,prefetch=off,seq=8");
  EXPECT_EQ(short_name(plan), "tp2.dp2.mb1.seq8.waits.zero3.noprefetch.fp32");
  EXPECT_EQ(why_illegal(plan.on_one_rank(), small(), 1), std::nullopt);
}

TEST(PlanLegality, PiecesOfTokensNameTheirRuleAndWhatWouldDo) {
  EXPECT_THAT(reason("tp=2,tp_chunks=2", 2), HasSubstr("give sp=on, or leave it out"));
  EXPECT_THAT(reason("tp=2,sp=on,tp_chunks=2,tp_overlap=off", 2),
              HasSubstr("leave one of them out"));
  EXPECT_THAT(reason("tp=2,sp=on,seq=12,tp_chunks=4", 2),
              AllOf(HasSubstr("the 6 tokens of each rank"), HasSubstr("tp_chunks=3 does")));
  EXPECT_THAT(reason("tp=2,sp=on,seq=14,tp_chunks=4", 2), HasSubstr("; leave it out"));
  EXPECT_EQ(reason("tp=2,sp=on,seq=12,tp_chunks=3", 2), "legal");
  EXPECT_THAT(error_of("tp_chunks=65"), HasSubstr("from 1 to 64"));
}

TEST(PlanLegality, GradientsReducedLastNameTheirRule) {
  EXPECT_THAT(reason("dp=2,zero=1,accumulation=2,grad_sync=last", 2),
              HasSubstr("zero=1 reduces once per step as it is"));
  EXPECT_THAT(reason("dp=2,zero=2,grad_sync=last", 2), HasSubstr("accumulation of at least 2"));
  EXPECT_EQ(reason("dp=2,zero=2,accumulation=2,grad_sync=last", 2), "legal");
  EXPECT_THAT(error_of("grad_sync=never"), HasSubstr("every or last"));
  EXPECT_THAT(error_of("no_sync=on"), HasSubstr("the key 'grad_sync'"));
}

TEST(PlanLegality, MessagesInOneCallNeedStages) {
  EXPECT_THAT(reason("p2p=batched", 1), HasSubstr("p2p=batched is for the stages of a pipeline"));
  EXPECT_THAT(reason("pp=2,accumulation=2,schedule=interleaved,chunks=2,layers=4,p2p=batched", 2),
              HasSubstr("give p2p=single, or schedule=1f1b without chunks"));
  EXPECT_EQ(reason("pp=2,accumulation=2,p2p=batched", 2), "legal");
  EXPECT_EQ(short_name(parse_plan("pp=2,dp=2,tp=2,sp=on,tp_chunks=4,zero=2,accumulation=2,seq=8,"
                                  "grad_sync=last,p2p=batched")),
            "tp2.dp2.pp2.batched.mb1.seq8.sp.tc4.zero2.nosync.acc2.fp32");
}

TEST(PlanLegality, ContextNamesItsRuleAndWhatWouldDo) {
  EXPECT_THAT(error_of("cp=2,cp_kind=tree"), HasSubstr("allgather, ring or ulysses"));
  EXPECT_THAT(reason("cp_kind=ring", 1), HasSubstr("needs cp of at least 2"));
  EXPECT_THAT(reason("cp=3,seq=16", 3), HasSubstr("6 chunks of equal length"));
  EXPECT_THAT(reason("cp=3,seq=16", 3), HasSubstr("seq=12 is, or cp=2"));
  EXPECT_THAT(reason("cp=16,seq=16", 16), HasSubstr("cp=8 goes"));
  EXPECT_THAT(reason("cp=2,seq=1", 2), HasSubstr("leave cp out"));
  EXPECT_THAT(reason("cp=8,seq=16,cp_kind=ulysses", 8),
              AllOf(HasSubstr("the 4 key/value heads"), HasSubstr("cp_kind=ring do not split")));
  EXPECT_THAT(reason("cp=4,tp=2,seq=16,cp_kind=ulysses", 8), HasSubstr("2 key/value heads"));
  EXPECT_THAT(reason("cp=2,dp=2,zero=1,shard=3", 4),
              HasSubstr("the 4 data- and context-parallel ranks; shard=2 does"));
  EXPECT_THAT(reason("cp=2,tp=2,dp=3", 4), HasSubstr("dp=3 x tp=2 x cp=2 needs 12 ranks"));
  for (const char* text :
       {"cp=8,seq=16", "cp=8,seq=16,cp_kind=ring", "cp=4,seq=16,cp_kind=ulysses,dp=2",
        "cp=4,tp=2,seq=16,sp=on,cp_kind=ring", "cp=2,dp=4,zero=3,shard=4,seq=16"}) {
    EXPECT_EQ(reason(text, 8), "legal") << text;
  }
  const Plan plan = resolve(parse_plan("cp=2,dp=2,zero=1,shard=4,seq=16,cp_kind=ring"), small(), 4);
  EXPECT_EQ(plan.shard, 0) << "all ranks that hold the same parameters";
  EXPECT_EQ(plan.rank_tokens(), 8);
  EXPECT_EQ(plan.on_one_rank().cp, 1);
  EXPECT_EQ(why_illegal(plan.on_one_rank(), small(), 1), std::nullopt);
  EXPECT_EQ(filled(parse_plan("cp=2,tp=2"), 16).dp, 4);
}

TEST(WhyIllegal, GivesEveryReason) {
  EXPECT_EQ(reason("tp=2,dp=2", 4), "legal");
  EXPECT_THAT(reason("tp=2,dp=2", 8), AllOf(HasSubstr("needs 4 ranks"), HasSubstr("has 8")));
  EXPECT_THAT(reason("tp=16", 16), HasSubstr("8 attention heads"));
  EXPECT_EQ(reason("tp=8", 8), "legal");  // each of 4 key/value heads is on two ranks
  Model uneven = small();
  uneven.heads = 24;
  uneven.hidden = 192;
  EXPECT_THAT(reason("tp=6", 6, uneven),
              HasSubstr("neither divides the 4 key/value heads of small nor is a multiple"));
  Model odd = small();
  odd.ffn = 97;
  EXPECT_THAT(reason("tp=2", 2, odd), HasSubstr("MLP width 97"));
  Model few = small();
  few.vocab = 5;  // shares of 2, 1, 1, 1
  EXPECT_EQ(reason("tp=4", 4, few), "legal");
  few.vocab = 3;
  EXPECT_THAT(reason("tp=4", 4, few), HasSubstr("without any of the 3 vocabulary rows"));
  EXPECT_THAT(reason("seq=33", 1), HasSubstr("longer than the 32 positions"));
  EXPECT_THAT(reason("sp=on", 1), HasSubstr("needs tp of at least 2"));
  EXPECT_THAT(reason("sp=on,tp=2,micro_batch=1,seq=31", 2), HasSubstr("divisible by tp=2"));
  EXPECT_THAT(reason("layers=5", 1), HasSubstr("more than the 4 layers"));
  EXPECT_THAT(reason("dp=1048576,tp=1048576", 1), HasSubstr("the world has 1"));
  EXPECT_THAT(reason("micro_batch=1048576,accumulation=65536,seq=32", 1), HasSubstr("tokens"));
  EXPECT_THAT(reason("accumulation=16385", 1), HasSubstr("16385 x 4 layers is a program of over"));
  EXPECT_EQ(reason("accumulation=16384", 1), "legal");
  Model wide = small();
  wide.hidden = 1 << 20;
  wide.ffn = 1 << 20;
  wide.layers = 1 << 10;
  wide.max_seq = 1 << 15;
  EXPECT_THAT(reason("micro_batch=1048576,seq=32768", 1, wide), HasSubstr("2^60 bytes"));
}

TEST(ParsePlan, BoundsEveryNumber) {
  for (const char* text : {"dp=1048577", "tp=1048577", "micro_batch=1048577", "accumulation=65537",
                           "seq=1073741825", "layers=65537", "seq=99999999999999999999"}) {
    EXPECT_THAT(error_of(text), HasSubstr("expected a whole number from 1 to ")) << text;
  }
  for (const char* text : {"bucket_mib=1e7", "lr=1e10", "weight_decay=1e10", "clip=1e300"}) {
    EXPECT_THAT(error_of(text), HasSubstr("expected a number from ")) << text;
  }
}

TEST(Resolve, FillsWhatWasLeftOpen) {
  const Plan plan = resolve(parse_plan("tp=2,layers=4"), small(), 8);
  EXPECT_EQ(plan.dp, 4);
  EXPECT_EQ(plan.seq, 32);
  EXPECT_EQ(plan.layers, 0);  // all layers are no slice
  EXPECT_EQ(plan.tokens_per_step(), 4 * 32);
}

TEST(Resolve, RefusesAWorldOfNothing) {
  EXPECT_THROW((void)resolve(Plan{}, small(), 0), Error);
  EXPECT_THROW((void)resolve(Plan{}, small(), (1 << 20) + 1), Error);
  EXPECT_THROW((void)resolve(parse_plan("tp=4"), small(), 2), Error);
  EXPECT_THROW((void)resolve(parse_plan("tp=4"), small(), 6), Error);
}

// Records of earlier builds, which knew one form, stay comparable to those of the same work.
TEST(OptimizerOverlap, StandsInTextAndNameWhereItWasAskedFor) {
  EXPECT_THAT(to_text(Plan{}), AllOf(Not(HasSubstr("optimizer")), Not(HasSubstr("grad_norm"))));
  EXPECT_EQ(short_name(parse_plan("optimizer_overlap=auto")), short_name(Plan{}));
  EXPECT_THAT(short_name(parse_plan("optimizer_overlap=on")), HasSubstr(".overlap.fp32"));
  EXPECT_THAT(short_name(parse_plan("optimizer_overlap=off")), HasSubstr(".serial.fp32"));
  EXPECT_EQ(parse_plan("optimizer_overlap=auto", parse_plan("optimizer_overlap=on")), Plan{});
}

TEST(OptimizerOverlap, TheNormIsComputedWhereItIsUsedOrAskedFor) {
  EXPECT_TRUE(parse_plan("clip=1").computes_norm());
  EXPECT_FALSE(parse_plan("clip=0").computes_norm());
  EXPECT_TRUE(parse_plan("clip=0,grad_norm=on").computes_norm());
}

TEST(Slice, CutsLayersAndShowsInTheName) {
  const Plan plan = resolve(parse_plan("layers=2"), small(), 1);
  EXPECT_EQ(sliced(small(), plan).layers, 2);
  EXPECT_THAT(short_name(plan), HasSubstr(".L2"));
}

}  // namespace
}  // namespace stepmark

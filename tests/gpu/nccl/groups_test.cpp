// SPDX-License-Identifier: Apache-2.0
// Groups made by split, side by side as training uses them, and what they say of themselves.
#include <algorithm>
#include <array>
#include <vector>

#include "core/error.h"
#include "tests/gpu/nccl/world.h"
#include "tests/unit/collectives/all_dtypes.h"

namespace stepmark {
namespace {

using test::world;

// All members agree on the seed, different groups differ: a message that strays shows.
void verify_group(Comm& group, int seed) {
  const auto stream = world().device->create_stream("comm");
  for (const Collective* c : all_collectives()) {
    for (const DType dtype : {DType::f32, DType::bf16, DType::f8e4m3, DType::i32}) {
      test::for_each_form(*c, test::kAllReduceOps, [&](ReduceOp op, bool in_place) {
        test::run_case(group, *stream, *c,
                       {.size_bytes = 1007,
                        .dtype = dtype,
                        .op = op,
                        .in_place = in_place,
                        .root = group.size() - 1,
                        .seed = static_cast<std::uint64_t>(seed + 100)});
      });
    }
  }
}

TEST(NcclGroups, TensorAndDataParallel) {
  Comm& all = *world().comm;
  const int tensor = all.size() % 2 == 0 ? 2 : 1;
  const auto tp = all.split(all.rank() / tensor, all.rank());
  const auto dp = all.split(all.rank() % tensor, all.rank());
  EXPECT_EQ(all.rank() % tensor, tp->rank());
  EXPECT_EQ(all.rank() / tensor, dp->rank());
  verify_group(*tp, all.rank() / tensor);
  verify_group(*dp, all.rank() % tensor);
}

// Two groups at once on two streams; what was issued last is waited for first.
TEST(NcclGroups, DoNotWaitForEachOther) {
  auto& w = world();
  Comm& all = *w.comm;
  const auto one = all.split(0, all.rank());
  const auto two = all.split(0, -all.rank());
  const auto& c = collective(CollectiveKind::all_reduce);
  const CollectiveSetup setup{.size_bytes = 300'000, .seed = 7};
  CollectiveBuffers a(*w.device, c, setup, one->rank(), one->size());
  CollectiveBuffers b(*w.device, c, setup, two->rank(), two->size());
  const auto first = w.device->create_stream("tp");
  const auto second = w.device->create_stream("dp");
  a.fill();
  b.fill();
  a.submit(*one, *first);
  b.submit(*two, *second);
  second->synchronize();
  first->synchronize();
  EXPECT_TRUE(a.verify().ok()) << a.verify().describe();
  EXPECT_TRUE(b.verify().ok()) << b.verify().describe();
}

TEST(NcclGroups, NegativeColourStaysOutAndGroupsSplitAgain) {
  Comm& all = *world().comm;
  const bool inside = all.rank() != 0;
  const auto rest = all.split(inside ? 3 : -1, -all.rank());
  ASSERT_EQ(inside, rest != nullptr);
  if (!inside) return;
  EXPECT_EQ(all.size() - 1 - all.rank(), rest->rank());
  const auto alone = rest->split(rest->rank(), 0);
  EXPECT_EQ(1, alone->size());
  verify_group(*rest, 50);
  verify_group(*alone, all.rank());
}

std::string fact(const CommFacts& facts, std::string_view name) {
  const auto found =
      std::find_if(facts.begin(), facts.end(), [&](const auto& f) { return f.first == name; });
  return found == facts.end() ? "(none)" : found->second;
}

// What one rank computes is a copy, of every type and by every operator.
TEST(NcclGroups, OfOneRankCopy) {
  Comm& all = *world().comm;
  const auto alone = all.split(all.rank(), 0);
  ASSERT_EQ(1, alone->size());
  EXPECT_EQ("self", alone->backend());
  const auto stream = world().device->create_stream("comm");
  for (const DType dtype : test::kAllDTypes) {
    for (const auto kind :
         {CollectiveKind::all_reduce, CollectiveKind::reduce_scatter, CollectiveKind::reduce}) {
      test::for_each_form(collective(kind), test::kAllReduceOps, [&](ReduceOp op, bool in_place) {
        test::run_case(*alone, *stream, collective(kind),
                       {.size_bytes = 1007, .dtype = dtype, .op = op, .in_place = in_place});
      });
    }
  }
}

TEST(NcclGroups, SayWhatTheyAre) {
  auto& w = world();
  EXPECT_EQ("nccl", w.comm->backend());
  const CommFacts facts = w.comm->facts();
  EXPECT_EQ("2.", fact(facts, "version").substr(0, 2));
  EXPECT_NE("(none)", fact(facts, "library"));
  EXPECT_EQ(std::to_string(w.comm->size()), fact(facts, "ranks"));
  EXPECT_GT(std::stod(fact(facts, "init_s")), 0.0);
  EXPECT_EQ("(none)", fact(facts, "max_ctas"));
  EXPECT_EQ(w.settings.shared_gpu ? "single-gpu-timesliced" : "(none)", fact(facts, "topology"));
  const auto narrow = w.comm->split(0, w.comm->rank(), {.max_ctas = 2});
  EXPECT_EQ("2", fact(narrow->facts(), "max_ctas"));
  verify_group(*narrow, 60);
  EXPECT_NO_THROW(narrow->check());
}

TEST(NcclGroups, LoneSendsAndReceivesMeet) {
  auto& w = world();
  const auto stream = w.device->create_stream("p2p");
  const Memory out = w.device->allocate(4);
  const Memory in = w.device->allocate(4);
  const int value = w.comm->rank() * 10;
  int got = -1;
  w.device->copy_to_device(out.data(), &value, sizeof(value));
  w.device->copy_to_device(in.data(), &got, sizeof(got));
  const int last = w.comm->size() - 1;
  // A chain: each rank receives from the one below, then sends up.
  if (w.comm->rank() > 0) w.comm->recv(in.data(), 1, DType::i32, w.comm->rank() - 1, *stream);
  if (w.comm->rank() < last) w.comm->send(out.data(), 1, DType::i32, w.comm->rank() + 1, *stream);
  stream->synchronize();
  w.device->copy_to_host(&got, in.data(), sizeof(got));
  EXPECT_EQ(w.comm->rank() > 0 ? value - 10 : -1, got);
}

// recv = sum of (rank + 1) * 2^rank.
TEST(NcclGroups, ScaledSums) {
  auto& w = world();
  auto& comm = dynamic_cast<NcclComm&>(*w.comm);
  const auto stream = w.device->create_stream("comm");
  const auto n = static_cast<std::size_t>(comm.size());
  const std::vector<float> ones(n, static_cast<float>(comm.rank() + 1));
  const Memory send = w.device->allocate(n * sizeof(float));
  const Memory all = w.device->allocate(n * sizeof(float));
  const Memory part = w.device->allocate(sizeof(float));
  w.device->copy_to_device(send.data(), ones.data(), n * sizeof(float));
  const double scale = static_cast<double>(1 << comm.rank());
  comm.all_reduce_scaled(send.data(), all.data(), n, DType::f32, scale, *stream);
  comm.reduce_scatter_scaled(send.data(), part.data(), 1, DType::f32, scale, *stream);
  stream->synchronize();
  std::vector<float> sums(n + 1);
  w.device->copy_to_host(sums.data(), all.data(), n * sizeof(float));
  w.device->copy_to_host(&sums[n], part.data(), sizeof(float));
  float expected = 0;
  for (int rank = 0; rank < comm.size(); ++rank) {
    expected += static_cast<float>((rank + 1) * (1 << rank));
  }
  EXPECT_EQ(std::vector<float>(n + 1, expected), sums);
  EXPECT_THROW(comm.all_reduce_scaled(send.data(), all.data(), n, DType::i32, 2.0, *stream), Error);
}

TEST(NcclGroups, RegisteredBuffers) {
  auto& w = world();
  auto& comm = dynamic_cast<NcclComm&>(*w.comm);
  const auto library = NcclLibrary::open();
  ASSERT_NE(nullptr, library->functions().ncclMemAlloc);
  void* data = nullptr;
  ASSERT_EQ(ncclSuccess, library->functions().ncclMemAlloc(&data, 1 << 21));
  for (const auto kind : {NcclRegistrationKind::local, NcclRegistrationKind::window}) {
    const auto registration = comm.register_buffer(data, 1 << 21, kind);
    // Whether a library makes a window is its choice.
    const std::string_view applied = registration->applied();
    if (library->path().find("emulated") != std::string::npos) {
      EXPECT_EQ(kind == NcclRegistrationKind::local ? "local" : "window", applied);
    } else {
      EXPECT_TRUE(applied == "local" || applied == "window" || applied == "none") << applied;
    }
    const auto stream = w.device->create_stream("comm");
    comm.all_reduce(data, data, 1024, DType::f32, ReduceOp::max, *stream);
    stream->synchronize();
  }
  // Not aligned as windows must be.
  const auto local =
      comm.register_buffer(static_cast<std::byte*>(data) + 256, 4096, NcclRegistrationKind::window);
  EXPECT_NE("window", local->applied());
  EXPECT_EQ("none", comm.register_buffer(data, 0, NcclRegistrationKind::local)->applied());
  EXPECT_EQ(ncclSuccess, library->functions().ncclMemFree(data));
}

TEST(NcclGroups, MistakesAreToldAtOnce) {
  auto& w = world();
  const auto stream = w.device->create_stream("comm");
  const Memory data = w.device->allocate(64);
  EXPECT_THROW(w.comm->broadcast(data.data(), data.data(), 1, DType::f32, w.comm->size(), *stream),
               Error);
  EXPECT_THROW(w.comm->all_to_all(data.data(), data.data(), 1, DType::f32, *stream), Error);
  EXPECT_THROW(w.comm->group_end(*stream), Error);
  const std::vector<std::size_t> one(1, 0);
  if (w.comm->size() > 1) {
    EXPECT_THROW(
        w.comm->all_to_all_v(data.data(), one, one, data.data(), one, one, DType::f32, *stream),
        Error);
  }
}

}  // namespace
}  // namespace stepmark

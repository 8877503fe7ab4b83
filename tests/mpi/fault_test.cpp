// SPDX-License-Identifier: Apache-2.0
// Wrong data and wrong calls must be found, named, and known to all ranks.
#include <gmock/gmock.h>

#include <array>

#include "collectives/mpi/mpi_check.h"
#include "collectives/mpi/mpi_runtime.h"
#include "core/error.h"
#include "tests/mpi/run_case.h"

namespace stepmark {
namespace {

using ::testing::HasSubstr;

class Fault : public ::testing::Test {
 protected:
  // An all-reduce after which `damage` is done on the last rank, in the stream.
  Verification run_damaged(const std::function<void(CollectiveBuffers&)>& damage) {
    CollectiveBuffers buffers(device_, collective(CollectiveKind::all_reduce),
                              {.size_bytes = 40000}, comm_->rank(), comm_->size());
    buffers.fill();
    buffers.submit(*comm_, stream_);
    if (is_last()) stream_.submit([&] { damage(buffers); });
    stream_.synchronize();
    return buffers.verify();
  }
  [[nodiscard]] bool is_last() const { return comm_->rank() == comm_->size() - 1; }
  [[nodiscard]] bool any_rank(bool mine) const {
    std::array<double, 1> value{mine ? 1.0 : 0.0};
    control_->max_in_place(value);
    return value[0] != 0.0;
  }

  std::unique_ptr<Control> control_ = make_mpi_control();
  std::unique_ptr<Comm> comm_ = make_mpi_comm();
  test::HostMemoryDevice device_;
  test::ThreadStream stream_;
};

TEST_F(Fault, FlippedBitIsFoundAndNamed) {
  const Verification v =
      run_damaged([](CollectiveBuffers& b) { b.recv()[4 * 4321] ^= std::byte{4}; });
  EXPECT_EQ(!is_last(), v.ok());
  EXPECT_TRUE(any_rank(!v.ok()));
  if (is_last()) {
    EXPECT_EQ(1, v.wrong);
    EXPECT_EQ(4321, v.first_bad);
    EXPECT_THAT(v.describe(), HasSubstr("index 4321"));
  }
}

TEST_F(Fault, OverwrittenGuardIsFound) {
  const Verification v = run_damaged([](CollectiveBuffers& b) { b.recv()[40000] = std::byte{0}; });
  EXPECT_EQ(!is_last(), v.guards_intact);
  EXPECT_EQ(0, v.wrong);
  EXPECT_TRUE(any_rank(!v.ok()));
}

TEST_F(Fault, RootsAndPeersOutsideTheGroupAreRefused) {
  int x = 0;
  int y = 0;
  for (const int root : {-1, comm_->size()}) {
    EXPECT_THROW(comm_->broadcast(&x, &y, 1, DType::i32, root, stream_), Error);
    EXPECT_THROW(comm_->reduce(&x, &y, 1, DType::i32, ReduceOp::sum, root, stream_), Error);
    EXPECT_THROW(comm_->gather(&x, &y, 1, DType::i32, root, stream_), Error);
    EXPECT_THROW(comm_->scatter(&x, &y, 1, DType::i32, root, stream_), Error);
    EXPECT_THROW(comm_->send(&x, 1, DType::i32, root, stream_), Error);
    EXPECT_THROW(comm_->recv(&x, 1, DType::i32, root, stream_), Error);
  }
  EXPECT_THROW(comm_->all_to_all(&x, &x, 1, DType::i32, stream_), Error);
  const std::vector<std::size_t> too_few;
  EXPECT_THROW(comm_->all_to_all_v(&x, too_few, too_few, &y, too_few, too_few, DType::i32, stream_),
               Error);
  EXPECT_THROW(comm_->group_end(stream_), Error);
}

TEST_F(Fault, MpiErrorsCarryTheirTextAndTheCall) {
  const int nothing = 0;
  try {
    STEPMARK_MPI(MPI_Send(&nothing, 1, MPI_INT, 123456, 0, MPI_COMM_WORLD));
    FAIL() << "MPI sent to a rank that does not exist";
  } catch (const Error& e) {
    EXPECT_EQ(ExitCode::kEnvironment, e.code());
    EXPECT_THAT(e.message(), HasSubstr("MPI_ERR_RANK"));
    EXPECT_THAT(e.expression(), HasSubstr("MPI_Send("));
    EXPECT_THAT(e.what(), HasSubstr("fault_test.cpp"));
  }
}

TEST_F(Fault, ErrorsInTheStreamSurfaceInSynchronize) {
  if (comm_->size() == 1) GTEST_SKIP() << "needs two ranks";
  std::array<int, 8> data{};
  if (comm_->rank() == 0) comm_->send(data.data(), 8, DType::i32, 1, stream_);
  if (comm_->rank() == 1) comm_->recv(data.data(), 4, DType::i32, 0, stream_);  // too short
  if (comm_->rank() != 1) return stream_.synchronize();
  try {
    stream_.synchronize();
    FAIL() << "a truncated message went unnoticed";
  } catch (const Error& e) {
    EXPECT_THAT(e.message(), HasSubstr("MPI_ERR_TRUNCATE"));
  }
}

TEST_F(Fault, GroupedErrorsNameTheFailedMessage) {
  if (comm_->size() == 1) GTEST_SKIP() << "Open MPI truncates messages to oneself silently";
  std::array<int, 8> out{};
  std::array<int, 8> in{};
  const int next = (comm_->rank() + 1) % comm_->size();
  const int previous = (comm_->rank() + comm_->size() - 1) % comm_->size();
  comm_->group_begin();
  comm_->send(out.data(), 8, DType::i32, next, stream_);
  comm_->recv(in.data(), 4, DType::i32, previous, stream_);
  comm_->group_end(stream_);
  try {
    stream_.synchronize();
    FAIL() << "a truncated message went unnoticed";
  } catch (const Error& e) {
    EXPECT_THAT(e.message(), HasSubstr("MPI_ERR_TRUNCATE"));
  }
}

}  // namespace
}  // namespace stepmark

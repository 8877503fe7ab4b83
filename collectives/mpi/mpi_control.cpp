// SPDX-License-Identifier: Apache-2.0
// Control over MPI: blocking calls on a communicator of its own, from the thread of the caller.
#include <limits>
#include <numeric>

#include "collectives/mpi/mpi_check.h"
#include "collectives/mpi/mpi_runtime.h"

namespace stepmark {
namespace {

int int_size(std::size_t bytes) {
  STEPMARK_CHECK(bytes <= static_cast<std::size_t>(std::numeric_limits<int>::max()),
                 "{} bytes are too many for one control message", bytes);
  return static_cast<int>(bytes);
}

class MpiControl final : public Control {
 public:
  MpiControl() : comm_(duplicate(MPI_COMM_WORLD)) {
    STEPMARK_MPI(MPI_Comm_rank(comm_.get(), &rank_));
    STEPMARK_MPI(MPI_Comm_size(comm_.get(), &size_));
    MPI_Comm local = MPI_COMM_NULL;
    STEPMARK_MPI(
        MPI_Comm_split_type(comm_.get(), MPI_COMM_TYPE_SHARED, rank_, MPI_INFO_NULL, &local));
    const MpiCommHandle owner(local);
    STEPMARK_MPI(MPI_Comm_rank(local, &local_rank_));
    STEPMARK_MPI(MPI_Comm_size(local, &local_size_));
  }

  int rank() const override { return rank_; }
  int size() const override { return size_; }
  int local_rank() const override { return local_rank_; }
  int local_size() const override { return local_size_; }

  void barrier() override { STEPMARK_MPI(MPI_Barrier(comm_.get())); }

  void max_in_place(std::span<double> values) override {
    STEPMARK_MPI(MPI_Allreduce(MPI_IN_PLACE, values.data(), int_size(values.size()), MPI_DOUBLE,
                               MPI_MAX, comm_.get()));
  }

  std::string broadcast(std::string text) override {
    int bytes = int_size(text.size());
    STEPMARK_MPI(MPI_Bcast(&bytes, 1, MPI_INT, 0, comm_.get()));
    text.resize(static_cast<std::size_t>(bytes));
    STEPMARK_MPI(MPI_Bcast(text.data(), bytes, MPI_CHAR, 0, comm_.get()));
    return text;
  }

  std::vector<std::string> gather(const std::string& text) override {
    const bool root = rank_ == 0;
    const int bytes = int_size(text.size());
    std::vector<int> sizes(root ? static_cast<std::size_t>(size_) : 0);
    STEPMARK_MPI(MPI_Gather(&bytes, 1, MPI_INT, sizes.data(), 1, MPI_INT, 0, comm_.get()));
    const auto total = std::accumulate(sizes.begin(), sizes.end(), std::size_t{0});
    std::vector<int> offsets(sizes.size());
    // Checked on the root before anyone sends: offsets are ints.
    if (root) (void)int_size(total);
    std::exclusive_scan(sizes.begin(), sizes.end(), offsets.begin(), 0);
    std::string all(total, '\0');
    STEPMARK_MPI(MPI_Gatherv(text.data(), bytes, MPI_CHAR, all.data(), sizes.data(), offsets.data(),
                             MPI_CHAR, 0, comm_.get()));
    std::vector<std::string> texts;
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      texts.push_back(
          all.substr(static_cast<std::size_t>(offsets[i]), static_cast<std::size_t>(sizes[i])));
    }
    return texts;
  }

 private:
  MpiCommHandle comm_;
  int rank_ = 0;
  int size_ = 1;
  int local_rank_ = 0;
  int local_size_ = 1;
};

}  // namespace

std::unique_ptr<Control> make_mpi_control() { return std::make_unique<MpiControl>(); }

}  // namespace stepmark

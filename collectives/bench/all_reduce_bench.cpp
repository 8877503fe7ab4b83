// SPDX-License-Identifier: Apache-2.0
// What does going through Comm and a stream cost? Times fp32 sums done (a) by a bare MPI_Allreduce
// loop in the main thread on MPI_COMM_WORLD, (b) by the Comm's tasks, replayed in another thread as
// a stream of the host device replays them. Run under mpirun.
//
// Not a Google Benchmark: that decides its iteration counts in each process by itself, and ranks
// that disagree about a count wait for each other for ever. Counts here are fixed per size. Both
// ways alternate in short blocks within one run, so that a disturbance of the machine meets both;
// the time of an iteration is the maximum over ranks, the figure the median over iterations.
#include <mpi.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <span>
#include <thread>
#include <vector>

#include "collectives/mpi/mpi_check.h"
#include "collectives/mpi/mpi_runtime.h"
#include "core/error.h"
#include "core/output.h"
#include "core/units.h"

namespace stepmark {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kBlocks = 10;          // of each way, per size
constexpr int kWarmUpsPerBlock = 2;  // a new thread starts with cold caches

// Keeps tasks for replay; all other duties of a stream do not arise here.
class TaskList final : public Stream {
 public:
  void submit(Task task) override { tasks_.push_back(std::move(task)); }
  void record(Event&) override {}
  void wait(Event&) override {}
  void synchronize() override {}
  std::string_view name() const override { return "task list"; }
  void run() const {
    for (const Task& task : tasks_) task();
  }

 private:
  std::vector<Task> tasks_;
};

// Seconds of each of `count` calls, after warm-up and a barrier.
template <class Body>
std::vector<double> time_block(int count, const Body& body) {
  for (int i = 0; i < kWarmUpsPerBlock; ++i) body();
  STEPMARK_MPI(MPI_Barrier(MPI_COMM_WORLD));
  std::vector<double> seconds;
  seconds.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    const auto begin = Clock::now();
    body();
    seconds.push_back(std::chrono::duration<double>(Clock::now() - begin).count());
  }
  return seconds;
}

// The same in a thread of its own; exceptions surface here.
template <class Body>
std::vector<double> time_block_in_thread(int count, const Body& body) {
  std::vector<double> seconds;
  std::exception_ptr failure;
  std::thread([&] {
    try {
      seconds = time_block(count, body);
    } catch (...) {
      failure = std::current_exception();
    }
  }).join();
  if (failure) std::rethrow_exception(failure);
  return seconds;
}

double median(std::vector<double> x) {
  STEPMARK_CHECK(!x.empty(), "no samples");
  const auto middle = x.begin() + static_cast<std::ptrdiff_t>(x.size() / 2);
  std::nth_element(x.begin(), middle, x.end());
  if (x.size() % 2 == 1) return *middle;
  return (*middle + *std::max_element(x.begin(), middle)) / 2;
}

struct Row {
  std::int64_t bytes;
  int iterations;
  double bare_s;
  double comm_s;
  [[nodiscard]] double ratio() const { return comm_s / bare_s; }
};

int iterations_for(std::int64_t bytes) {
  if (bytes <= 64 * kKiB) return 1000;
  return bytes <= kMiB ? 300 : 100;
}

Row measure(std::int64_t bytes, Comm& comm, Control& control) {
  const auto count = static_cast<std::size_t>(bytes) / sizeof(float);
  std::vector<float> send(count, 1.0F);
  std::vector<float> recv(count);
  TaskList stream;
  comm.all_reduce(send.data(), recv.data(), count, DType::f32, ReduceOp::sum, stream);
  const auto bare = [&] {
    STEPMARK_MPI(MPI_Allreduce(send.data(), recv.data(), static_cast<int>(count), MPI_FLOAT,
                               MPI_SUM, MPI_COMM_WORLD));
  };
  std::vector<double> bare_s;
  std::vector<double> comm_s;
  const int per_block = iterations_for(bytes) / kBlocks;
  for (int block = 0; block < 2 * kBlocks; ++block) {
    // Order a b b a: a slow drift cancels.
    const bool is_bare = block % 4 == 0 || block % 4 == 3;
    auto seconds = is_bare ? time_block(per_block, bare)
                           : time_block_in_thread(per_block, [&] { stream.run(); });
    control.max_in_place(seconds);
    auto& all = is_bare ? bare_s : comm_s;
    all.insert(all.end(), seconds.begin(), seconds.end());
  }
  STEPMARK_CHECK(recv[count / 2] == static_cast<float>(comm.size()), "the sum is wrong");
  return {bytes, per_block * kBlocks, median(bare_s), median(comm_s)};
}

double median_ratio(const std::vector<Row>& rows) {
  std::vector<double> ratios;
  for (const Row& row : rows) ratios.push_back(row.ratio());
  return median(ratios);
}

void print_row(const Row& row) {
  fmt::print("{:>8}  {:>5} iterations  MPI_Allreduce {:>9}  Comm {:>9}  ratio {:.3f}\n",
             format_bytes(static_cast<double>(row.bytes)), row.iterations,
             format_seconds(row.bare_s), format_seconds(row.comm_s), row.ratio());
  std::fflush(stdout);
}

void write_json(const std::string& path, const std::vector<Row>& rows, int ranks) {
  nlohmann::json document{
      {"what", "fp32 sum all-reduce: Comm on a stream thread over MPI_Allreduce"},
      {"statistic", "median over iterations of the maximum over ranks"},
      {"ranks", ranks},
      {"hardware_threads", std::thread::hardware_concurrency()},
      {"mpi", mpi_library_version()},
      {"median_ratio", median_ratio(rows)},
      {"sizes", nlohmann::json::array()}};
  for (const Row& row : rows) {
    document["sizes"].push_back({{"bytes", row.bytes},
                                 {"iterations", row.iterations},
                                 {"mpi_allreduce_s", row.bare_s},
                                 {"comm_s", row.comm_s},
                                 {"ratio", row.ratio()}});
  }
  write_output_file(path, document.dump(2) + "\n");
}

int run(int argc, char** argv) {
  CLI::App app{"All-reduce through stepmark's Comm against a bare MPI_Allreduce loop"};
  std::string smallest = "4K";
  std::string largest = "16M";
  std::string json;
  app.add_option("--min", smallest, "smallest size, bytes per rank")->capture_default_str();
  app.add_option("--max", largest, "largest size; sizes double")->capture_default_str();
  app.add_option("--json", json, "write the figures to this file");
  CLI11_PARSE(app, argc, argv);

  const auto control = make_mpi_control();
  const auto comm = make_mpi_comm();
  std::vector<Row> rows;
  for (std::int64_t bytes = parse_bytes(smallest); bytes <= parse_bytes(largest); bytes *= 2) {
    STEPMARK_REQUIRE(bytes >= 4, "sizes start at one element, 4 bytes");
    rows.push_back(measure(bytes, *comm, *control));
    if (control->rank() == 0) print_row(rows.back());
  }
  if (control->rank() != 0 || rows.empty()) return 0;
  fmt::print("median ratio {:.3f} on {} ranks\n", median_ratio(rows), control->size());
  if (!json.empty()) write_json(json, rows, control->size());
  return 0;
}

}  // namespace
}  // namespace stepmark

int main(int argc, char** argv) {
  try {
    stepmark::MpiRuntime runtime(&argc, &argv);
    try {
      return stepmark::run(argc, argv);
    } catch (const std::exception& e) {
      std::fprintf(stderr, "%s\n", e.what());
      runtime.abort(4);
    }
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 4;
  }
}

// SPDX-License-Identifier: Apache-2.0
// The unique id goes over the control plane as hex. Each step of the start-up ends in an agreement
// with a deadline, so that a rank whose library, GPU or network fails gives all ranks its reason
// instead of a hang.
#include "collectives/nccl/nccl_world.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>
#include <vector>

#include "collectives/nccl/deadline.h"
#include "collectives/nccl/nccl_comm.h"
#include "collectives/nccl/nccl_environment.h"
#include "core/error.h"

namespace stepmark {
namespace {

constexpr double kAgreementSeconds = 10.0;  // beyond the deadline that every rank keeps by itself

std::string hex_of(const ncclUniqueId& id) {
  std::string text;
  for (const char c : id.internal) text += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return text;
}

ncclUniqueId id_from(const std::string& hex) {
  ncclUniqueId id{};
  STEPMARK_CHECK(hex.size() == 2 * sizeof(id.internal), "a unique id of {} hex digits", hex.size());
  for (std::size_t i = 0; i < sizeof(id.internal); ++i) {
    id.internal[i] = static_cast<char>(std::stoi(hex.substr(2 * i, 2), nullptr, 16));
  }
  return id;
}

// "ranks 0, 2: reason; rank 1: another", the first few of each; reasons in rank order, empty: none.
std::string summary_of(const std::vector<std::string>& reasons) {
  constexpr std::size_t kShown = 4;
  std::vector<std::pair<std::string, std::vector<std::size_t>>> groups;
  for (std::size_t rank = 0; rank < reasons.size(); ++rank) {
    if (reasons[rank].empty()) continue;
    const auto known = std::find_if(groups.begin(), groups.end(),
                                    [&](const auto& g) { return g.first == reasons[rank]; });
    (known != groups.end() ? *known
                           : groups.emplace_back(reasons[rank], std::vector<std::size_t>()))
        .second.push_back(rank);
  }
  std::string text;
  for (std::size_t i = 0; i < std::min(groups.size(), kShown); ++i) {
    auto& [reason, ranks] = groups[i];
    const std::size_t all = ranks.size();
    ranks.resize(std::min(all, kShown));
    text += fmt::format("{}rank{} {}{}: {}", i == 0 ? "" : "; ", all == 1 ? "" : "s",
                        fmt::join(ranks, ", "),
                        all > kShown ? fmt::format(" and {} more", all - kShown) : "", reason);
  }
  return text;
}

// `step` on every rank, then the same end for all: nothing, or an Error with all ranks' reasons.
template <class Step>
void together(Control& control, double deadline_s, Step step) {
  std::string failure;
  try {
    step();
  } catch (const Error& e) {
    failure =
        e.expression().empty() ? e.message() : fmt::format("{} [{}]", e.message(), e.expression());
  } catch (const std::exception& e) {
    failure = e.what();
  }
  // A rank that died answers nobody: this too has a deadline. `control` may then be in use for
  // good, in a process that can only end.
  const auto verdict = std::make_shared<std::string>();
  const auto agree = [&control, failure, verdict] {
    *verdict = control.broadcast(summary_of(control.gather(failure)));
  };
  STEPMARK_CHECK(run_with_deadline(deadline_s + kAgreementSeconds, agree),
                 "not all ranks said whether NCCL works for them{}",
                 failure.empty() ? "" : fmt::format(" (here: {})", failure));
  if (!verdict->empty()) throw Error(ExitCode::kEnvironment, "NCCL does not start: " + *verdict);
}

std::string job_id(Control& control, const NcclSettings& settings) {
  const auto now = std::chrono::system_clock::now().time_since_epoch().count();
  return control.broadcast(settings.job_id.empty() ? fmt::format("stepmark-{}-{}", ::getpid(), now)
                                                   : settings.job_id);
}

}  // namespace

std::unique_ptr<NcclComm> make_nccl_comm(Control& control, const NcclSettings& settings,
                                         const std::shared_ptr<const NcclLibrary>& library) {
  if (settings.shared_gpu) {
    pose_as_own_host(fmt::format("{}-{}", job_id(control, settings), control.rank()),
                     /*one_host=*/control.local_size() == control.size());
  }
  if (!settings.tuning_log.empty()) {
    log_to(settings.tuning_log, /*choices=*/true);
  } else if (!settings.transport_log.empty()) {
    log_to(settings.transport_log, /*choices=*/false);
  }

  ncclUniqueId id{};
  std::string hex;
  together(control, 0.0, [&] {
    if (control.rank() != 0) return;
    library->check(library->functions().ncclGetUniqueId(&id), "ncclGetUniqueId", "rank 0");
    hex = hex_of(id);
  });
  id = id_from(control.broadcast(hex));

  std::unique_ptr<NcclComm> comm;
  const auto family = std::make_shared<NcclFamily>(settings.deadline_s);
  const auto start = std::chrono::steady_clock::now();
  try {
    together(control, settings.deadline_s, [&] {
      const CommOptions options;
      ncclConfig_t config = nccl_config(*library, settings, options);
      auto handle =
          NcclHandle::make(library, family, "world", "ncclCommInitRankConfig",
                           [ranks = control.size(), rank = control.rank(), id, config](
                               const NcclFunctions& f, ncclComm_t* out) mutable {
                             return f.ncclCommInitRankConfig(out, ranks, id, rank, &config);
                           });
      STEPMARK_CHECK(handle != nullptr, "ncclCommInitRankConfig gave no communicator");
      const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
      comm = std::make_unique<NcclComm>(std::move(handle), settings, options, took.count());
    });
  } catch (const Error&) {
    family->mark_failed();  // the others do not come to say goodbye: abort
    throw;
  }
  return comm;
}

std::unique_ptr<Comm> make_nccl_world(Control& control, const NcclSettings& settings) {
  std::shared_ptr<const NcclLibrary> library;
  together(control, 0.0, [&] { library = NcclLibrary::open(); });
  return make_nccl_comm(control, settings, library);
}

}  // namespace stepmark

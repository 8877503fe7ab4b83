// SPDX-License-Identifier: Apache-2.0
// What a communicator is and says of itself; its verbs are in nccl_collectives.cpp and
// nccl_messages.cpp.
#include "collectives/nccl/nccl_comm.h"

#include <array>
#include <chrono>
#include <fstream>
#include <sstream>
#include <string_view>
#include <utility>

#include "core/cuda/check.h"
#include "core/error.h"

namespace stepmark {
namespace {

struct PolicyFacts {
  int value;
  std::string_view name;
};
// In the order of NcclCtaPolicy.
constexpr std::array<PolicyFacts, 3> kPolicies{{{NCCL_CTA_POLICY_DEFAULT, "default"},
                                                {NCCL_CTA_POLICY_EFFICIENCY, "efficiency"},
                                                {NCCL_CTA_POLICY_ZERO, "zero"}}};
const PolicyFacts& facts_of(NcclCtaPolicy policy) {
  return kPolicies.at(static_cast<std::size_t>(policy));
}

// Not freed where the family has failed: cudaFree waits for the GPU, which spins in a collective
// whose peer died until that communicator, perhaps another one than this, is aborted.
std::shared_ptr<void> make_zero(const std::shared_ptr<NcclFamily>& family) {
  void* data = nullptr;
  STEPMARK_CUDA_CHECK(cudaMalloc(&data, sizeof(std::int32_t)));
  std::shared_ptr<void> owner(data, [family](void* p) {
    if (!family->failed()) cuda::log_cuda_error(cudaFree(p), "cudaFree(barrier element)");
  });
  const std::int32_t zero = 0;
  STEPMARK_CUDA_CHECK(cudaMemcpy(data, &zero, sizeof(zero), cudaMemcpyHostToDevice));
  return owner;
}

}  // namespace

ncclConfig_t nccl_config(const NcclLibrary& library, const NcclSettings& settings,
                         const CommOptions& options) {
  ncclConfig_t config = library.config();
  config.blocking = 1;  // see NcclHandle::make
  if (options.max_ctas > 0) {
    config.minCTAs = 1;  // NCCL refuses a minimum above the maximum
    config.maxCTAs = options.max_ctas;
  }
  if (settings.cta_policy) config.CTAPolicy = facts_of(*settings.cta_policy).value;
  return config;
}

NcclComm::NcclComm(std::shared_ptr<NcclHandle> handle, const NcclSettings& settings,
                   const CommOptions& options, double init_s)
    : handle_(std::move(handle)), settings_(settings), options_(options), init_s_(init_s) {
  int device = 0;
  STEPMARK_CUDA_CHECK(cudaGetDevice(&device));
  STEPMARK_CUDA_CHECK(cudaDeviceGetAttribute(&compute_capability_major_,
                                             cudaDevAttrComputeCapabilityMajor, device));
  barrier_element_ = make_zero(handle_->family());
  if (size() == 1) copies_ = make_cuda_self_comm();
}

std::unique_ptr<Comm> NcclComm::split(int color, int key, const CommOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  ncclConfig_t config = nccl_config(*handle_->library(), settings_, options);
  const int nccl_color = color < 0 ? NCCL_SPLIT_NOCOLOR : color;
  auto part = NcclHandle::make(
      handle_->library(), handle_->family(),
      fmt::format("group {} split from {}", splits_++, handle_->name()), "ncclCommSplit",
      [parent = handle_, nccl_color, key, config](const NcclFunctions& f,
                                                  ncclComm_t* comm) mutable {
        return f.ncclCommSplit(parent->get(), nccl_color, key, comm, &config);
      });
  if (part == nullptr) return nullptr;
  // Nothing was put on a stream by it yet: it says goodbye to nobody.
  if (part->size() == 1) return alone();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  return std::make_unique<NcclComm>(std::move(part), settings_, options, took.count());
}

CommFacts NcclComm::facts() const {
  const NcclLibrary& library = *handle_->library();
  CommFacts facts{{"version", nccl_version_text(library.version())},
                  {"library", library.path()},
                  {"ranks", fmt::to_string(size())},
                  {"init_s", fmt::format("{:.6f}", init_s_)}};
  if (library.version() != NCCL_VERSION_CODE) {
    facts.emplace_back("header_version", nccl_version_text(NCCL_VERSION_CODE));
  }
  if (options_.max_ctas > 0) facts.emplace_back("max_ctas", fmt::to_string(options_.max_ctas));
  if (settings_.cta_policy) {
    facts.emplace_back("cta_policy", facts_of(*settings_.cta_policy).name);
  }
  if (settings_.shared_gpu) facts.emplace_back("topology", "single-gpu-timesliced");
  return facts;
}

std::optional<CollectiveChoice> NcclComm::choice_of(Verb verb, std::int64_t size_bytes) const {
  if (settings_.tuning_log.empty()) return std::nullopt;
  std::ifstream file(settings_.tuning_log);
  std::ostringstream text;
  text << file.rdbuf();
  return stepmark::choice_of(parse_tuning_log(text.str()), verb, size_bytes);
}

CommFacts NcclComm::choice(Verb verb, std::int64_t size_bytes) const {
  const std::optional<CollectiveChoice> chosen = choice_of(verb, size_bytes);
  if (!chosen) return {};
  return {{"algorithm", chosen->algorithm},
          {"protocol", chosen->protocol},
          {"channels", fmt::to_string(chosen->channels)}};
}

std::unique_ptr<NcclRegistration> NcclComm::register_buffer(void* data, std::size_t bytes,
                                                            NcclRegistrationKind kind) {
  return std::make_unique<NcclRegistration>(handle_, data, bytes, kind);
}

}  // namespace stepmark

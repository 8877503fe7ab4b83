// SPDX-License-Identifier: Apache-2.0
// Engines are counted per kind and gathered as JSON. Ranks that differ in libraries are labelled,
// since the slowest decides the step; algorithms may differ without harm.
#include "harness/cases/engine_record.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "results/families/step.h"
#include "results/record/common_facts.h"

namespace stepmark {
namespace {

enum class Kind { none, attention, gemm };

Kind kind_of(OpId id) {
  switch (id) {
    case OpId::attention_fwd:
    case OpId::attention_bwd:
    case OpId::attention_chunks_fwd:
    case OpId::attention_chunks_bwd:
      return Kind::attention;
    case OpId::gemm:
    case OpId::gemm_gelu:
    case OpId::gemm_dgelu:
    case OpId::gemm_bias_grad:
    case OpId::fp8_gemm:
    case OpId::experts_gemm:
    case OpId::experts_wgrad:
      return Kind::gemm;
    default:
      return Kind::none;
  }
}

// Library and version without algorithm: "cublaslt 13.1.0", "cudnn 9.19.0", "own kernel".
std::string library_of(const std::string& engine) {
  for (const std::string_view end : {" algorithm=", " engine=", " + ", " epilogue="}) {
    if (const auto at = engine.find(end); at != std::string::npos) return engine.substr(0, at);
  }
  return engine;
}

using Counts = std::map<std::string, int>;

// "cudnn 9.19.0", or "cudnn 9.19.0 (2 of 4), flash (2 of 4)".
std::string shares(const Counts& counts) {
  if (counts.size() == 1) return counts.begin()->first;
  int all = 0;
  for (const auto& [name, count] : counts) all += count;
  std::vector<std::string> parts;
  for (const auto& [name, count] : counts) {
    parts.push_back(fmt::format("{} ({} of {})", name, count, all));
  }
  return fmt::format("{}", fmt::join(parts, ", "));
}

// "4 x gemm dtype=bf16 m=...: cublaslt ...; ..."
std::string details(const Counts& counts) {
  std::vector<std::string> parts;
  for (const auto& [text, count] : counts) parts.push_back(fmt::format("{} x {}", count, text));
  return fmt::format("{}", fmt::join(parts, "; "));
}

using Texts = std::map<std::string, std::string>;  // name of the fact, words; none empty

Texts texts_of(const Program& program, const std::function<OpEngine(std::int32_t)>& engine_of) {
  std::map<Kind, Counts> libraries, algorithms;
  Counts refused;
  for (std::int32_t i = 0; i < std::ssize(program.ops); ++i) {
    const Op& op = program.ops[static_cast<std::size_t>(i)];
    const Kind kind = op.kernel ? kind_of(op.kernel->id) : Kind::none;
    if (kind == Kind::none) continue;
    const OpEngine engine = engine_of(i);
    if (engine.name.empty()) continue;  // nothing to do
    ++libraries[kind][library_of(engine.name)];
    ++algorithms[kind][fmt::format("{}: {}", to_text(*op.kernel), engine.name)];
    if (!engine.refused.empty()) {
      ++refused[fmt::format("{}: {}", info_of(op.kernel->id).name, engine.refused)];
    }
  }
  Texts texts;
  for (const auto& [kind, name] : {std::pair{Kind::attention, "attention"}, {Kind::gemm, "gemm"}}) {
    if (libraries[kind].empty()) continue;
    texts[std::string(name) + facts::step::kEngineOf] = shares(libraries[kind]);
    texts[std::string(name) + facts::step::kAlgorithmsOf] = details(algorithms[kind]);
  }
  if (!refused.empty()) texts[facts::kEnginesRefused] = details(refused);
  return texts;
}

}  // namespace

void add_engines(Record& record, Control& control, const Program& program,
                 const std::function<OpEngine(std::int32_t)>& engine_of) {
  const nlohmann::json own = texts_of(program, engine_of);
  std::map<std::string, std::set<std::string>> values;
  std::set<std::string> libraries;  // of each rank: algorithms may differ without harm
  for (const std::string& text : control.gather(own.dump())) {
    const auto rank = nlohmann::json::parse(text).get<Texts>();
    for (const auto& [name, words] : rank) values[name].insert(words);
    const auto of = [&](const char* name) {
      const auto found = rank.find(name);
      return found != rank.end() ? found->second : std::string();
    };
    libraries.insert(of(facts::step::kAttentionEngine) + " " + of(facts::step::kGemmEngine));
  }
  for (const auto& [name, words] : values) {
    record.texts.emplace_back(name, fmt::format("{}", fmt::join(words, " | ")));
  }
  if (libraries.size() > 1) record.labels.emplace_back("ranks differ in engines");
  for (const std::string& words : values[facts::kEnginesRefused]) {
    record.labels.push_back("expected engine refused: " + words);
  }
}

}  // namespace stepmark

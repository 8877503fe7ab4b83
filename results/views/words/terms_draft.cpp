// SPDX-License-Identifier: Apache-2.0
// A proposal as text. Texts from journals are quoted, whatever they hold.
#include "results/views/words/terms_draft.h"

#include <fmt/format.h>

#include <cmath>

namespace stepmark {
namespace {

// In double quotes of YAML: what is no printable ASCII or UTF-8 text becomes an escape.
std::string in_quotes(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return out + "\"";
}

// In a comment: on one line.
std::string one_line(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  return text;
}

std::string percent(double share) {
  // Shares come from texts with few decimals: what a double adds behind them is taken away.
  return fmt::format("{}%", std::round(share * 1e9) / 1e7);
}

std::string floor_yaml(const ProposedFloor& one) {
  const Floor& floor = one.floor;
  std::string out =
      fmt::format("  # {} {} runs in {} journals: {} quantile {:.5g} {}, worst {:.5g} {}\n",
                  one.runs, name_of(one.provenance), one.journals, percent(floor.quantile),
                  one.estimate, one_line(floor.unit), one.worst, one_line(floor.unit));
  out += fmt::format("  - floor: {}\n    case: {}\n    nodes: {}\n    metric: {}\n",
                     in_quotes(floor.name), in_quotes(floor.case_id), floor.nodes.front(),
                     in_quotes(floor.metric));
  out += fmt::format("    {}: {}\n    quantile: {}\n    confidence: {}\n",
                     floor.direction == FloorDirection::at_least ? "at_least" : "at_most",
                     in_quotes(fmt::format("{} {}", floor.value, floor.unit)),
                     percent(floor.quantile), percent(floor.confidence));
  return out;
}

std::string stack_yaml(const std::vector<StackFact>& stack) {
  std::string out;
  for (const char* section : {"hardware", "software"}) {
    bool begun = false;
    for (const StackFact& fact : stack) {
      if (fact.section != section) continue;
      if (!begun) out += fmt::format("  {}:\n", section);
      begun = true;
      out += fmt::format("    {}: {}\n", in_quotes(fact.name), in_quotes(fact.value));
    }
  }
  return out.empty() ? out : "# What all runs had; take out what may change.\nstack:\n" + out;
}

}  // namespace

std::string terms_yaml(const Proposal& proposal) {
  std::string out = fmt::format(
      "# A draft by stepmark contract propose: floors are the {} quantile of run medians, less a "
      "margin of {}.\n"
      "# Parties, dates and quantity are to be filled in; docs/contract.md has fee, availability "
      "and credits.\n",
      percent(proposal.options.quantile), percent(proposal.options.margin));
  for (const std::string& why : proposal.left_out) {
    out += fmt::format("# Left out: {}\n", one_line(why));
  }
  out += fmt::format(
      "terms: draft\nparties: {{provider: PROVIDER, customer: CUSTOMER}}\n"
      "valid: {{from: {}, until: {}}}\nquantity: {{nodes: {}, gpus_per_node: {}}}\n",
      day_text(proposal.valid.from), day_text(proposal.valid.to - kDayS), proposal.nodes,
      proposal.gpus_per_node);
  out += stack_yaml(proposal.stack) + "floors:\n";
  for (const ProposedFloor& one : proposal.floors) out += floor_yaml(one);
  return out;
}

}  // namespace stepmark

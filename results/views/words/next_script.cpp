// SPDX-License-Identifier: Apache-2.0
// Each side's command is a function, since what differs between the sides (program, hosts,
// settings) is a reader's to change in one place. Runs read nothing: mpirun would otherwise take
// the rest of a script that comes through a pipe.
#include "results/views/words/next_script.h"

#include <fmt/format.h>

#include <algorithm>

namespace stepmark {
namespace {

constexpr std::size_t kWidth = 96;

// Words of a command, broken with backslashes.
std::string command_line(const std::vector<std::string>& words, std::size_t indent) {
  std::string out;
  std::string line;
  for (const std::string& word : words) {
    const std::string quoted = shell_word(word);
    if (!line.empty() && indent + line.size() + quoted.size() > kWidth) {
      out += fmt::format("{} \\\n{}", line, std::string(indent + 4, ' '));
      line.clear();
    }
    if (!line.empty()) line.push_back(' ');
    line += quoted;
  }
  return out + line;
}

std::vector<std::string> launched(const SideCommand& side) {
  std::vector<std::string> out;
  if (side.ranks > 1) out = {"mpirun", "-np", std::to_string(side.ranks)};
  if (!side.hosts.empty()) {
    std::string hosts;
    for (const std::string& host : side.hosts) {
      const auto cross = host.rfind(" x");
      if (!hosts.empty()) hosts.push_back(',');
      hosts += cross == std::string::npos
                   ? host
                   : fmt::format("{}:{}", host.substr(0, cross), host.substr(cross + 2));
    }
    out.insert(out.end(), {"--host", hosts});
  }
  out.push_back(side.program);
  out.insert(out.end(), side.words.begin(), side.words.end());
  return out;
}

std::string function(const char* name, const SideCommand& side) {
  return fmt::format("{}() {{\n  {} --out \"$1\" </dev/null\n}}\n", name,
                     command_line(launched(side), 2));
}

std::string one_line(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < ' '; }, ' ');
  return text;
}

std::string comment(const NextGroup& group) {
  const auto runs = std::count_if(group.order.begin(), group.order.end(),
                                  [](const NextRun& run) { return !run.candidate; });
  std::string out = fmt::format(
      "# {} undecided case{}: {} runs of a (the baseline) and {} of b, taking turns in an order "
      "drawn\n# with seed {}, at most {:.0f} s of measuring each.\n",
      group.cases.size(), group.cases.size() == 1 ? "" : "s", runs,
      static_cast<std::ptrdiff_t>(group.order.size()) - runs, group.seed, group.budget_s);
  if (group.need == Need::spread) {
    out += "# They tell what runs differ by; the comparison then says how many more decide.\n";
  }
  if (group.of_nodes) {
    out +=
        "# Nodes are counted: start each pair of runs below on a node that none was on so far.\n";
  }
  if (group.need == Need::samples) {
    out += fmt::format("# Runs anew, each with {} times the samples of a run there is.\n",
                       group.samples_factor);
  }
  return out;
}

std::string group_text(const NextGroup& group, const std::vector<std::string>& compare) {
  std::string out = fmt::format("{}{}{}", comment(group), function("a", group.baseline),
                                function("b", group.candidate));
  for (const NextRun& run : group.order) {
    out += fmt::format("{} {}\n", run.candidate ? 'b' : 'a', shell_word(run.out));
  }
  std::vector<std::string> words = compare;
  words.insert(words.end(), {group.baseline_files, group.candidate_files});
  for (const std::string& id : group.cases) words.insert(words.end(), {"--only", id});
  return out + fmt::format(
                   "if {}; then :; else ended=$?; [ \"$ended\" -le \"$code\" ] || "
                   "code=$ended; fi\n",
                   command_line(words, 0));
}

}  // namespace

std::string shell_word(const std::string& text) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("/._-=,:+%@").find(c) != std::string_view::npos;
  };
  if (!text.empty() && std::all_of(text.begin(), text.end(), plain)) return text;
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      out.push_back(c);
    }
  }
  out.push_back('\'');
  return out;
}

std::string next_script(const NextRuns& plan, const CompareOptions& options,
                        const std::vector<std::string>& compare) {
  std::string out;
  for (const auto& [id, why] : plan.hopeless) {
    out += fmt::format("# {}: no number of runs decides: {}\n", one_line(id), one_line(why));
  }
  if (plan.groups.empty()) {
    return plan.hopeless.empty() ? std::string("# Nothing is undecided: no further runs.\n") : out;
  }
  out += fmt::format(
      "# Further runs in which a difference of {:g} % is found{}, each in {:g} of 100 comparisons\n"
      "# (margin {:g} %). To be run where the runs so far were started: check what a and b "
      "start,\n# they are to differ in nothing but what is compared, and nothing else may run "
      "beside them.\n"
      "(\nset -eu\ncode=0\n",
      100 * smallest_difference(options), options.margin > 0 ? " and none is called same" : "",
      100 * options.power, 100 * options.margin);
  for (const NextGroup& group : plan.groups) out += group_text(group, compare);
  return out + "exit \"$code\"\n)\n";
}

}  // namespace stepmark

// SPDX-License-Identifier: Apache-2.0
// A parser line by line: each known beginning of a line adds to a set of values by name, everything
// else is passed over. Sets of several ranks merge, as lines "name TAB value".
#include "collectives/nccl/transport_log.h"

#include <algorithm>

#include "core/utf8.h"

namespace stepmark {
namespace {

constexpr std::string_view kMark = "NCCL INFO ";
constexpr std::string_view kDevices = "network devices";

// The text between two words; empty where one of them is missing.
std::string_view between(std::string_view text, std::string_view before, std::string_view after) {
  const std::size_t begin = text.find(before);
  if (begin == std::string_view::npos) return {};
  text.remove_prefix(begin + before.size());
  return text.substr(0, text.find(after));
}

template <class Use>
void for_each_part(std::string_view text, char separator, Use use) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(separator), text.size());
    if (end > 0) use(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

bool is_number(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789()[]") == std::string_view::npos;
}

// "NET/IB/0(3)/GDRDMA" -> "NET/IB/GDRDMA".
std::string without_numbers(std::string_view path) {
  std::string kind;
  for_each_part(path, '/', [&](std::string_view part) {
    if (is_number(part)) return;
    if (!kind.empty()) kind += '/';
    kind += part;
  });
  return kind;
}

// "[0]mlx5_0:1/RoCE" -> "mlx5_0:1/RoCE"; "[0]eth0:10.0.0.1<0>" -> "eth0".
std::string device_name(std::string_view word) {
  const std::size_t close = word.find(']');
  if (!word.starts_with('[') || close == std::string_view::npos) return {};
  word.remove_prefix(close + 1);
  if (word.find('<') != std::string_view::npos) word = word.substr(0, word.find(':'));
  return std::string(word);
}

class Parser {
 public:
  void line(std::string_view text) {
    const std::size_t mark = text.find(kMark);
    if (mark == std::string_view::npos) return;
    text.remove_prefix(mark + kMark.size());
    network(text);
    channel(text);
    nvls(text);
    rdma(text);
  }
  [[nodiscard]] NcclTransport take() { return std::move(found_); }

 private:
  void add(std::string_view name, std::string_view value) {
    if (!value.empty()) found_[std::string(name)].insert(printable_line(value));
  }

  void network(std::string_view text) {
    if (text.starts_with("Using network ")) add("network", between(text, "Using network ", " "));
    if (text.starts_with("Assigned NET plugin ")) {
      add("network", between(text, "Assigned NET plugin ", " to comm"));
    }
    if (text.starts_with("NET/Plugin: Loaded net plugin ")) {
      add("net plugin", between(text, "Loaded net plugin ", "\n"));
    }
    if (!text.starts_with("NET/")) return;
    for_each_part(between(text, " : Using", ";"), ' ',
                  [&](std::string_view word) { add(kDevices, device_name(word)); });
  }

  void channel(std::string_view text) {
    if (!text.starts_with("Channel ")) return;
    const std::string_view way = between(text, " via ", "\n");
    const bool pointer = way.starts_with("P2P/direct pointer");
    const std::string kind =
        pointer ? "P2P/direct pointer" : without_numbers(way.substr(0, way.find(' ')));
    if (way.starts_with("P2P/") || way.starts_with("SHM/")) add("same host", kind);
    if (way.starts_with("NET/")) add("other hosts", kind);
    if (way.find("/GDRDMA") != std::string_view::npos) add("GPUDirect RDMA", "used");
  }

  void nvls(std::string_view text) {
    if (text.starts_with("NVLS multicast support is available")) add("NVLS", "available");
    if (text.starts_with("NVLS multicast support is not")) add("NVLS", "not available");
  }

  void rdma(std::string_view text) {
    if (text.find("GPU Direct RDMA Enabled") != text.npos) add("GPUDirect RDMA", "enabled");
    if (text.find("GPU Direct RDMA Disabled") != text.npos) add("GPUDirect RDMA", "disabled");
  }

  NcclTransport found_;
};

}  // namespace

NcclTransport parse_transport_log(std::string_view text) {
  Parser parser;
  for_each_part(text, '\n', [&](std::string_view line) {
    if (line.ends_with('\r')) line.remove_suffix(1);
    parser.line(line);
  });
  return parser.take();
}

std::string to_lines(const NcclTransport& transport) {
  std::string lines;
  for (const auto& [name, values] : transport) {
    for (const std::string& value : values)
      lines.append(name).append("\t").append(value).append("\n");
  }
  return lines;
}

void add_lines(NcclTransport& transport, std::string_view lines) {
  for_each_part(lines, '\n', [&](std::string_view line) {
    const std::size_t tab = line.find('\t');
    if (tab == std::string_view::npos) return;
    transport[std::string(line.substr(0, tab))].emplace(line.substr(tab + 1));
  });
}

}  // namespace stepmark

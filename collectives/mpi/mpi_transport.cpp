// SPDX-License-Identifier: Apache-2.0
// Evidence comes from /proc/self/maps (components kept loaded, segments mapped), open files of
// /proc/self/fd, sysfs, and MPI_T for the copy mechanism of vader. Settings of components that were
// unloaded must not be read, so each is asked only while its component is there.
#include "collectives/mpi/mpi_transport.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <system_error>

#include "collectives/mpi/mpi_check.h"

namespace stepmark {
namespace {

namespace fs = std::filesystem;
using Names = std::set<std::string>;

constexpr const char* kNotKnown = "not known";

// Components of a framework that are loaded: "tcp" of ".../mca_btl_tcp.so". Open MPI unloads what
// it does not use.
Names components(std::string_view maps, std::string_view framework) {
  Names names;
  const std::string prefix = fmt::format("/mca_{}_", framework);
  for (std::size_t at = maps.find(prefix); at != std::string_view::npos;
       at = maps.find(prefix, at + 1)) {
    const std::size_t begin = at + prefix.size();
    const std::size_t end = maps.find_first_of(".\n", begin);
    if (end != std::string_view::npos && maps.substr(end).starts_with(".so")) {
      names.emplace(maps.substr(begin, end - begin));
    }
  }
  return names;
}

// Shared-memory segments of ranks that are mapped: two or more when one of another rank is.
std::size_t segments(std::string_view maps) {
  Names files;
  for (std::size_t begin = 0; begin < maps.size();) {
    const std::size_t end = std::min(maps.find('\n', begin), maps.size());
    const std::string_view line = maps.substr(begin, end - begin);
    const std::size_t path = line.find('/');
    if (path != std::string_view::npos && (line.find("vader_segment.", path) != line.npos ||
                                           line.find("/sm_segment.", path) != line.npos)) {
      files.emplace(line.substr(path));
    }
    begin = end + 1;
  }
  return files.size();
}

bool is_open(const TransportEvidence& evidence, std::string_view file) {
  return std::find(evidence.open_files.begin(), evidence.open_files.end(), file) !=
         evidence.open_files.end();
}

// How a large message within the host is copied.
std::string copies(const TransportEvidence& evidence) {
  std::string mechanism = evidence.single_copy;
  const Names newer = components(evidence.maps, "smsc");  // Open MPI 5
  if (mechanism.empty() && !newer.empty()) mechanism = *newer.begin();
  if (mechanism.empty()) return "";
  if (mechanism == "none" || mechanism == "emulated") return ", copied in and out";
  return ", single copy by " + mechanism;
}

std::string with_devices(std::string text, const TransportEvidence& evidence) {
  for (const std::string& device : evidence.rdma_devices) text += " " + device;
  return text;
}

MpiTransport of_ob1(const TransportEvidence& evidence) {
  MpiTransport transport{.messages = "ob1"};
  Names btls = components(evidence.maps, "btl");
  btls.erase("self");
  const bool has_vader = btls.erase("vader") > 0;
  btls.erase("sm");  // of Open MPI 4 only a stub; the segments tell
  const std::string network =
      btls.empty() ? "nothing" : with_devices(fmt::format("{}", fmt::join(btls, ", ")), evidence);
  transport.other_hosts = network;
  transport.same_host =
      segments(evidence.maps) >= 2
          ? fmt::format("shared memory ({}){}", has_vader ? "vader" : "sm", copies(evidence))
          : network;
  return transport;
}

MpiTransport of_ucx(const TransportEvidence& evidence) {
  std::string local = "ucx";
  if (is_open(evidence, "/dev/xpmem")) local += ", xpmem";
  if (is_open(evidence, "/dev/knem")) local += ", knem";
  return {.messages = "ucx", .same_host = local, .other_hosts = with_devices("ucx", evidence)};
}

std::string line_of(const fs::path& file) {
  std::ifstream stream(file);
  std::string line;
  std::getline(stream, line);
  return line;
}

// The name that the library's own enumeration gives to a value.
std::string item_name(MPI_T_enum items, int value) {
  int count = 0;
  std::array<char, 64> name{};
  int length = static_cast<int>(name.size());
  if (MPI_T_enum_get_info(items, &count, name.data(), &length) != MPI_SUCCESS) return "";
  for (int i = 0; i < count; ++i) {
    int item = 0;
    length = static_cast<int>(name.size());
    if (MPI_T_enum_get_item(items, i, &item, name.data(), &length) == MPI_SUCCESS &&
        item == value) {
      return name.data();
    }
  }
  return "";
}

// An integer setting with named values; empty when the library has none of that name.
std::string enumerated_setting(const char* name) {
  int index = 0;
  if (MPI_T_cvar_get_index(name, &index) != MPI_SUCCESS) return "";
  MPI_Datatype type = MPI_DATATYPE_NULL;
  MPI_T_enum items = MPI_T_ENUM_NULL;
  int verbosity = 0;
  int binding = 0;
  int scope = 0;
  int no_name = 0;
  int no_text = 0;
  if (MPI_T_cvar_get_info(index, nullptr, &no_name, &verbosity, &type, &items, nullptr, &no_text,
                          &binding, &scope) != MPI_SUCCESS ||
      type != MPI_INT || items == MPI_T_ENUM_NULL) {
    return "";
  }
  MPI_T_cvar_handle handle = MPI_T_CVAR_HANDLE_NULL;
  int count = 0;
  if (MPI_T_cvar_handle_alloc(index, nullptr, &handle, &count) != MPI_SUCCESS) return "";
  int value = 0;
  const bool read = count == 1 && MPI_T_cvar_read(handle, &value) == MPI_SUCCESS;
  MPI_T_cvar_handle_free(&handle);
  return read ? item_name(items, value) : "";
}

std::string single_copy_setting() {
  int provided = 0;
  if (MPI_T_init_thread(MPI_THREAD_MULTIPLE, &provided) != MPI_SUCCESS) return "";
  std::string value = enumerated_setting("btl_vader_single_copy_mechanism");
  MPI_T_finalize();
  return value;
}

}  // namespace

std::vector<std::string> rdma_devices(const std::vector<std::string>& open_files,
                                      const std::string& root) {
  constexpr std::string_view kVerbs = "/dev/infiniband/";
  Names names;
  for (const std::string& file : open_files) {
    if (!file.starts_with(kVerbs)) continue;
    const std::string device = line_of(fs::path(root + "/sys/class/infiniband_verbs") /
                                       file.substr(kVerbs.size()) / "ibdev");
    if (!device.empty()) names.insert(device);
  }
  return {names.begin(), names.end()};
}

TransportEvidence transport_evidence() {
  TransportEvidence evidence;
  std::ifstream maps("/proc/self/maps");
  std::ostringstream text;
  text << maps.rdbuf();
  evidence.maps = text.str();
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator("/proc/self/fd", ignored)) {
    const fs::path target = fs::read_symlink(entry.path(), ignored);
    if (!ignored) evidence.open_files.push_back(target.string());
  }
  evidence.rdma_devices = rdma_devices(evidence.open_files);
  // Settings of components that were unloaded must not be read: only ask for one that is there.
  if (components(evidence.maps, "btl").contains("vader")) {
    evidence.single_copy = single_copy_setting();
  }
  return evidence;
}

MpiTransport mpi_transport(const TransportEvidence& evidence) {
  const Names pml = components(evidence.maps, "pml");
  if (pml.contains("ob1")) return of_ob1(evidence);
  if (pml.contains("ucx")) return of_ucx(evidence);
  if (pml.contains("cm")) {
    const Names mtl = components(evidence.maps, "mtl");
    const std::string name = with_devices(fmt::format("mtl {}", fmt::join(mtl, ", ")), evidence);
    return {.messages = fmt::format("cm ({})", name), .same_host = name, .other_hosts = name};
  }
  return {.messages = kNotKnown, .same_host = kNotKnown, .other_hosts = kNotKnown};
}

}  // namespace stepmark

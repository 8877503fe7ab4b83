// SPDX-License-Identifier: Apache-2.0
// An entry of a suite: what one family is asked for, before the size of the world is known. Any
// value with `void expand(const SuiteWorld&, Expansion&) const` is one; which they are only
// harness/cases/families knows.
#pragma once

#include <concepts>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/yaml.h"
#include "harness/cases/case.h"
#include "harness/spec/workload.h"

namespace stepmark {

// Where cases are to run.
struct SuiteWorld {
  int size = 1;
  const std::vector<Workload>& workloads;  // looked up by name
};

// A workload that an entry names: a name, or the path of a file (names_a_file). An entry that has
// one gives it by `NamedWorkload named_workload()`.
struct NamedWorkload {
  std::string& name;
  const YamlPlace& place;  // no file: from the command line
};

// A workload and plans, of which the first that is legal for the world is taken.
struct WorkloadPlans {
  std::string workload;  // a name, or the path of a file (names_a_file)
  std::vector<std::string> plans;
  YamlPlace place = {};  // of `workload`; no file: from the command line
};

class SuiteEntry {
 public:
  template <class Entry>
  requires(!std::same_as<std::remove_cvref_t<Entry>, SuiteEntry>)
      SuiteEntry(Entry entry)  // NOLINT(google-explicit-constructor): an entry is a suite's entry
      : held_(std::make_unique<Held<Entry>>(std::move(entry))) {}
  SuiteEntry(const SuiteEntry& other) : held_(other.held_->copy()) {}
  SuiteEntry(SuiteEntry&&) noexcept = default;
  SuiteEntry& operator=(const SuiteEntry& other) {
    held_ = other.held_->copy();
    return *this;
  }
  SuiteEntry& operator=(SuiteEntry&&) noexcept = default;
  ~SuiteEntry() = default;

  // Adds the entry's cases, and remarks on what of it makes none.
  void expand(const SuiteWorld& world, Expansion& expansion) const {
    held_->expand(world, expansion);
  }
  [[nodiscard]] std::optional<NamedWorkload> named_workload() { return held_->named_workload(); }
  // nullptr: an entry of another type.
  template <class Entry>
  [[nodiscard]] const Entry* as() const {
    const auto* held = dynamic_cast<const Held<Entry>*>(held_.get());
    return held == nullptr ? nullptr : &held->entry;
  }

 private:
  struct Any {
    virtual ~Any() = default;
    [[nodiscard]] virtual std::unique_ptr<Any> copy() const = 0;
    virtual void expand(const SuiteWorld& world, Expansion& expansion) const = 0;
    [[nodiscard]] virtual std::optional<NamedWorkload> named_workload() = 0;
  };
  template <class Entry>
  struct Held final : Any {
    explicit Held(Entry value) : entry(std::move(value)) {}
    [[nodiscard]] std::unique_ptr<Any> copy() const override {
      return std::make_unique<Held>(entry);
    }
    void expand(const SuiteWorld& world, Expansion& expansion) const override {
      entry.expand(world, expansion);
    }
    [[nodiscard]] std::optional<NamedWorkload> named_workload() override {
      if constexpr (requires { entry.named_workload(); }) {
        return entry.named_workload();
      } else {
        return std::nullopt;
      }
    }
    Entry entry;
  };

  std::unique_ptr<Any> held_;
};

}  // namespace stepmark

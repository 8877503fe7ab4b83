// SPDX-License-Identifier: Apache-2.0
// On yaml-cpp's emitter.
#include "core/yaml_writer.h"

#include <yaml-cpp/yaml.h>

#include <cmath>

#include "core/error.h"

namespace stepmark {

struct YamlWriter::State {
  YAML::Emitter out;

  YAML::Emitter& key(std::string_view name) {
    return out << YAML::Key << std::string(name) << YAML::Value;
  }
  void finite(double value) {
    if (std::isfinite(value)) {
      out << value;
    } else {
      out << YAML::Null;
    }
  }
};

YamlWriter::YamlWriter() : state_(std::make_unique<State>()) { state_->out << YAML::BeginMap; }
YamlWriter::~YamlWriter() = default;

YamlWriter& YamlWriter::begin(std::string_view key) {
  state_->key(key) << YAML::BeginMap;
  return *this;
}

YamlWriter& YamlWriter::end() {
  state_->out << YAML::EndMap;
  return *this;
}

YamlWriter& YamlWriter::text(std::string_view key, std::string_view value) {
  if (value.empty()) {
    state_->key(key) << YAML::Null;
  } else {
    state_->key(key) << std::string(value);
  }
  return *this;
}

YamlWriter& YamlWriter::number(std::string_view key, double value) {
  state_->key(key);
  state_->finite(value);
  return *this;
}

YamlWriter& YamlWriter::number(std::string_view key, std::int64_t value) {
  state_->key(key) << value;
  return *this;
}

YamlWriter& YamlWriter::flag(std::string_view key, bool value) {
  state_->key(key) << value;
  return *this;
}

YamlWriter& YamlWriter::texts(std::string_view key, const std::vector<std::string>& values) {
  state_->key(key) << YAML::BeginSeq;
  for (const std::string& value : values) state_->out << value;
  state_->out << YAML::EndSeq;
  return *this;
}

YamlWriter& YamlWriter::numbers(std::string_view key, const std::vector<double>& values) {
  state_->key(key) << YAML::BeginSeq;
  for (const double value : values) state_->finite(value);
  state_->out << YAML::EndSeq;
  return *this;
}

std::string YamlWriter::finish() {
  state_->out << YAML::EndMap;
  STEPMARK_CHECK(state_->out.good(), "YAML that was not written: {}", state_->out.GetLastError());
  return std::string(state_->out.c_str()) + "\n";
}

}  // namespace stepmark

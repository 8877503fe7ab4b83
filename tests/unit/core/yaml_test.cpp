// SPDX-License-Identifier: Apache-2.0
#include "core/yaml.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <functional>

#include "core/error.h"

namespace stepmark {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

YamlMap read(std::string_view text) { return YamlDocument::read_text(text, "t.yaml").map(); }

// The message of the ConfigError that `act` throws.
std::string failure(const std::function<void()>& act) {
  try {
    act();
  } catch (const ConfigError& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage);
    return error.what();
  }
  ADD_FAILURE() << "nothing thrown";
  return "";
}

TEST(Yaml, ReadsEveryKindOfValue) {
  YamlMap map = read(
      "layers: 12\nlr: 1e-3\nratio: 2\ntied: true\nname: gpt2\nid: 535\nact: gelu\n"
      "sizes: [1, 2]\none: 4\nnames:\n  - a\n  - 'b'\nmodel: {d: 8}\ncases:\n  - {k: 1}\n  - {k: "
      "2}\n");
  EXPECT_TRUE(map.has("layers"));
  EXPECT_FALSE(map.has("depth"));
  EXPECT_EQ(map.required_int("layers", {.min = 1}), 12);
  EXPECT_EQ(map.optional_int("absent", 7), 7);
  EXPECT_DOUBLE_EQ(map.required_double("lr"), 1e-3);
  EXPECT_DOUBLE_EQ(map.optional_double("ratio", 0), 2);
  EXPECT_TRUE(map.optional_bool("tied", false));
  EXPECT_EQ(map.required_string("name"), "gpt2");
  EXPECT_EQ(map.optional_string("id", ""), "535");
  constexpr std::array<std::string_view, 2> kActs{"gelu", "swiglu"};
  EXPECT_EQ(map.required_choice("act", kActs), "gelu");
  EXPECT_EQ(map.optional_choice("act2", "swiglu", kActs), "swiglu");
  EXPECT_THAT(map.optional_ints("sizes"), ElementsAre(1, 2));
  EXPECT_THAT(map.optional_ints("one"), ElementsAre(4));
  EXPECT_THAT(map.optional_strings("names"), ElementsAre("a", "b"));
  EXPECT_THAT(map.optional_strings("none"), ElementsAre());
  EXPECT_EQ(map.required_map("model").required_int("d"), 8);
  EXPECT_FALSE(map.optional_map("nothing").has_value());
  std::vector<YamlMap> cases = map.optional_maps("cases");
  ASSERT_EQ(cases.size(), 2U);
  EXPECT_EQ(cases[1].required_int("k"), 2);
  map.finish();
}

TEST(Yaml, KeysComeInFileOrder) {
  EXPECT_THAT(read("zebra: 1\napple: 2\n").keys(), ElementsAre("zebra", "apple"));
}

TEST(Yaml, UnknownKeyNamesPlaceAndNearest) {
  YamlMap map = read("layers: 2\n  \nhiden: 4\n");
  EXPECT_EQ(map.required_int("layers"), 2);
  EXPECT_EQ(map.optional_int("hidden", 8), 8);
  EXPECT_EQ(failure([&] { map.finish(); }),
            "t.yaml:3:1: unknown key 'hiden'; did you mean 'hidden'?");
}

TEST(Yaml, UnknownKeyFarFromAllListsThem) {
  YamlMap map = read("zzz: 4\n");
  EXPECT_EQ(map.optional_int("hidden", 8), 8);
  EXPECT_EQ(map.optional_int("layers", 8), 8);
  EXPECT_EQ(failure([&] { map.finish(); }), "t.yaml:1:1: unknown key 'zzz'; valid: hidden, layers");
}

TEST(Yaml, UnknownKeyInNestedMapHasItsOwnPlace) {
  YamlMap outer = read("model:\n  dim: 4\n  bogus: 1\n");
  YamlMap inner = outer.required_map("model");
  EXPECT_EQ(inner.required_int("dim"), 4);
  outer.finish();
  EXPECT_THAT(failure([&] { inner.finish(); }), HasSubstr("t.yaml:3:3: unknown key 'bogus'"));
}

TEST(Yaml, AskingWhetherAKeyExistsDoesNotReadIt) {
  YamlMap map = read("layers: 2\n");
  EXPECT_TRUE(map.has("layers"));
  EXPECT_THAT(failure([&] { map.finish(); }), HasSubstr("unknown key 'layers'"));
}

TEST(Yaml, WrongTypesSayWhatWasFound) {
  YamlMap map =
      read("a: x\nb: '12'\nc: 1.5\nd: yes\ne: [1]\nf: {}\ng:\nh: .inf\ni: 99999999999999999999\n");
  EXPECT_EQ(failure([&] { static_cast<void>(map.required_int("a")); }),
            "t.yaml:1:4: a: found 'x', expected a whole number");
  EXPECT_THAT(failure([&] { static_cast<void>(map.required_int("b")); }),
              HasSubstr("2:4: b: found"));
  EXPECT_THAT(failure([&] { static_cast<void>(map.required_int("c")); }), HasSubstr("found '1.5'"));
  EXPECT_THAT(failure([&] { static_cast<void>(map.optional_bool("d", true)); }),
              HasSubstr("expected true or false"));
  EXPECT_THAT(failure([&] { static_cast<void>(map.required_string("e")); }),
              HasSubstr("found a list, expected a text"));
  EXPECT_THAT(failure([&] { static_cast<void>(map.required_double("f")); }),
              HasSubstr("found a map, expected a number"));
  EXPECT_EQ(failure([&] { static_cast<void>(map.optional_int("g", 1)); }),
            "t.yaml:7:1: g: found nothing, expected a whole number");
  EXPECT_THAT(failure([&] { static_cast<void>(map.required_double("h")); }), HasSubstr("8:4"));
  EXPECT_THAT(failure([&] { static_cast<void>(map.required_int("i")); }), HasSubstr("9:4"));
  EXPECT_THAT(failure([&] { static_cast<void>(map.required_map("a")); }),
              HasSubstr("expected a map"));
  EXPECT_THAT(failure([&] { static_cast<void>(map.optional_maps("e")); }),
              HasSubstr("t.yaml:5:5: e: found '1', expected a map"));
}

TEST(Yaml, Ranges) {
  YamlMap map = read("n: 0\nx: 2.5\n");
  EXPECT_EQ(failure([&] { static_cast<void>(map.required_int("n", {.min = 1})); }),
            "t.yaml:1:4: n: found '0', expected a whole number of at least 1");
  EXPECT_THAT(failure([&] { static_cast<void>(map.required_double("x", {.min = 0, .max = 1})); }),
              HasSubstr("expected a number from 0 to 1"));
}

TEST(Yaml, ChoicesSuggest) {
  YamlMap map = read("act: geluu\n");
  constexpr std::array<std::string_view, 2> kActs{"gelu", "swiglu"};
  EXPECT_EQ(failure([&] { static_cast<void>(map.required_choice("act", kActs)); }),
            "t.yaml:1:6: act: found 'geluu', expected one of gelu, swiglu; did you mean 'gelu'?");
}

TEST(Yaml, MissingKeyPointsAtTheMapAndAtMisspellings) {
  YamlMap map = read("model:\n  layer: 3\n");
  YamlMap inner = map.required_map("model");
  EXPECT_EQ(failure([&] { static_cast<void>(inner.required_int("layers")); }),
            "t.yaml:2:3: missing key 'layers' (is 'layer' a misspelling of it?)");
}

TEST(Yaml, BadDocuments) {
  EXPECT_EQ(failure([] { read("a: 1\nb: 2\na: 3\n"); }),
            "t.yaml:3:1: duplicate key 'a' (first on line 1)");
  EXPECT_THAT(failure([] { read("m:\n  - {k: 1, k: 2}\n"); }), HasSubstr("t.yaml:2:12: duplicate"));
  EXPECT_THAT(failure([] { read("a: [1, 2\nb: 3\n"); }), HasSubstr("t.yaml:"));
  EXPECT_THAT(failure([] { read("- 1\n"); }), HasSubstr("found a list, expected a map"));
  EXPECT_THAT(failure([] { read(""); }), HasSubstr("t.yaml: found nothing"));
  EXPECT_THAT(failure([] { read("a: 1\n---\nb: 2\n"); }), HasSubstr("more than one"));
  EXPECT_THAT(failure([] { read("[1, 2]: 3\n"); }), HasSubstr("a key must be a word"));
}

// Found by fuzzing: made yaml-cpp's own loader of several documents loop for ever.
TEST(Yaml, MalformedTextEnds) {
  EXPECT_THAT(failure([] { read(",;0[\x96:  \n1,\n  [g]2 [1\xd9 2 "); }), HasSubstr("t.yaml:"));
}

TEST(Yaml, HostileAliasesEndInAnError) {
  EXPECT_THAT(failure([] { read("a: &a\n  b: *a\n"); }), HasSubstr("nested too deeply"));
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    bomb +=
        fmt::format("a{0}: &a{0} [*a{1}, *a{1}, *a{1}, *a{1}, *a{1}, *a{1}, *a{1}]\n", i, i - 1);
  }
  EXPECT_THAT(failure([&] { read(bomb); }), HasSubstr("too large"));
}

TEST(Yaml, UnreadableFile) {
  EXPECT_EQ(failure([] { static_cast<void>(YamlDocument::read_file("no/such.yaml")); }),
            "no/such.yaml: cannot read: No such file or directory");
  EXPECT_THAT(failure([] { static_cast<void>(YamlDocument::read_file("/")); }),
              HasSubstr("/: is a directory"));
}

TEST(Yaml, FailPointsAtTheKey) {
  const YamlMap map = read("a: 1\nb: 2\n");
  EXPECT_EQ(failure([&] { map.fail("b", "b must divide a"); }), "t.yaml:2:1: b must divide a");
  EXPECT_EQ(failure([&] { map.fail("c", "no c"); }), "t.yaml:1:1: no c");
}

TEST(NearestName, FindsOnlyWhatIsNear) {
  const std::vector<std::string> names{"layers", "hidden", "heads", "act"};
  EXPECT_EQ(nearest_name("layer", names), "layers");
  EXPECT_EQ(nearest_name("LAYERS", names), "layers");
  EXPECT_EQ(nearest_name("haeds", names), "heads");
  EXPECT_EQ(nearest_name("ehads", names), "heads");
  EXPECT_EQ(nearest_name("haedz", names), "heads");
  EXPECT_EQ(nearest_name("optimizer", names), "");
  EXPECT_EQ(nearest_name("x", names), "");
  EXPECT_EQ(nearest_name("x", {}), "");
  const std::vector<std::string> options{"out", "resume"};
  EXPECT_EQ(nearest_name("sute", options), "");  // half of it differs
  EXPECT_EQ(nearest_name("resmue", options), "resume");
}

TEST(NearestName, DoesNotGuessBetweenShortNames) {
  const std::vector<std::string> axes{"dp", "tp", "sp"};
  EXPECT_EQ(nearest_name("pp", axes), "");
  EXPECT_EQ(nearest_name("tq", axes), "tp");
}

TEST(NearestName, OffersOnlyWhatIsFree) {
  const auto unknown = [](const char* text) {
    YamlMap map = read(text);
    static_cast<void>(map.optional_int("tp", 1));
    static_cast<void>(map.optional_int("layers", 1));
    return failure([&] { map.finish(); });
  };
  EXPECT_THAT(unknown("tpp: 2\n"), HasSubstr("did you mean 'tp'"));
  EXPECT_THAT(unknown("tp: 1\ntpp: 2\n"),
              AllOf(Not(HasSubstr("did you mean")), HasSubstr("valid: tp, layers")));
}

TEST(NearestName, AMissingKeyIsNotJustAnySimilarOne) {
  const auto missing = [](const char* text, const char* key) {
    YamlMap map = read(text);
    return failure([&] { static_cast<void>(map.required_int(key)); });
  };
  EXPECT_THAT(missing("kv_heads: 2\n", "heads"), Not(HasSubstr("misspelling")));
  EXPECT_THAT(missing("haeds: 2\n", "heads"), HasSubstr("'haeds' a misspelling"));
}

TEST(Yaml, KnowsThePlaceOfAValue) {
  const YamlPlace place = read("a: 1\nlonger: x.yaml\n").place("longer");
  EXPECT_EQ(place.file, "t.yaml");
  EXPECT_EQ(place.line, 2);
  EXPECT_EQ(place.column, 9);
}

TEST(YamlBounds, DepthLengthAndSizeHaveMessages) {
  std::string deep = "a: ";
  for (int i = 0; i < 50'000; ++i) deep += '[';
  EXPECT_THAT(failure([&] { read(deep); }), HasSubstr("t.yaml:"));
  deep = "a: " + std::string(100, '[') + std::string(100, ']');
  EXPECT_THAT(failure([&] { read(deep); }), HasSubstr("nested too deeply, expected at most"));
  EXPECT_THAT(failure([] { read("a: " + std::string(5000, 'x')); }),
              HasSubstr("of 5000 characters, expected at most 4096"));
  EXPECT_THAT(failure([] { read("? " + std::string(5000, 'x') + "\n: 1"); }),
              HasSubstr("5000 characters"));
  EXPECT_THAT(failure([] { read("a: 1\n" + std::string(2'000'000, '#')); }),
              HasSubstr("longer than 1048576 bytes"));
  EXPECT_THAT(failure([] { (void)YamlDocument::read_file("/dev/zero"); }),
              HasSubstr("longer than 1048576 bytes"));
}

}  // namespace
}  // namespace stepmark

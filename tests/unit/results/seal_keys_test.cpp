// SPDX-License-Identifier: Apache-2.0
// Keys and signatures against vectors that others published, and files of keys against the world.
#include "results/seal/keys.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sodium.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "core/error.h"
#include "results/seal/bytes.h"
#include "results/seal/dsse.h"

namespace stepmark {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

std::string bytes_of(std::string_view hex) {
  std::string out(hex.size() / 2, '\0');
  EXPECT_EQ(sodium_hex2bin(unsigned_bytes(out), out.size(), hex.data(), hex.size(), nullptr,
                           nullptr, nullptr),
            0);
  return out;
}

template <class Call>
std::string error_of(const Call& call) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage) << error.message();
    return error.message();
  }
  return "no error";
}

class KeyFiles : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "stepmark-keys-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  [[nodiscard]] std::string path(const std::string& name) const { return folder_ + "/" + name; }

  std::string folder_;
};

// RFC 8032, section 7.1, tests 1 and 2.
TEST(Ed25519, SignsAsTheStandardsVectors) {
  struct Vector {
    std::string_view seed, key, message, signature;
  };
  for (const auto& one :
       {Vector{
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39"
            "701cf9b46bd25bf5f0595bbe24655141438e7a100b"},
        Vector{
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f36"
            "13d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"}}) {
    const auto key = SigningKey::from_seed(bytes_of(one.seed));
    EXPECT_EQ(key.public_key(), PublicKey::from_bytes(bytes_of(one.key)));
    const auto message = bytes_of(one.message);
    EXPECT_EQ(key.sign(message), bytes_of(one.signature));
    EXPECT_TRUE(key.public_key().verifies(message, bytes_of(one.signature)));
    EXPECT_FALSE(key.public_key().verifies(message + "x", bytes_of(one.signature)));
    EXPECT_FALSE(key.public_key().verifies(message, bytes_of(one.signature).substr(1)));
  }
}

// RFC 8410, section 10.1: the public key of its example as PEM.
TEST(PublicKeys, ArePemAsTheStandardsExample) {
  const std::string pem =
      "-----BEGIN PUBLIC KEY-----\n"
      "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n"
      "-----END PUBLIC KEY-----\n";
  const auto key = PublicKey::from_pem(pem, "key.pub");
  EXPECT_EQ(key, PublicKey::from_bytes(
                     bytes_of("19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1")));
  EXPECT_EQ(key.pem(), pem);
  EXPECT_EQ(key.fingerprint().size(), 64U);
  for (std::size_t i = 0; i < pem.size(); ++i) {
    auto changed = pem;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    try {
      EXPECT_FALSE(PublicKey::from_pem(changed, "key.pub") == key) << i;
    } catch (const Error& error) {
      EXPECT_THAT(error.message(), HasSubstr("key.pub: found no Ed25519 public key"));
    }
  }
}

// The protocol's own test vector (dsse, protocol.md): its signature is of another kind of key, what
// is signed and the envelope are the same.
TEST(Dsse, ReadsAndEncodesTheProtocolsVector) {
  EXPECT_EQ(pre_authentication("http://example.com/HelloWorld", "hello world"),
            "DSSEv1 29 http://example.com/HelloWorld 11 hello world");
  EXPECT_EQ(pre_authentication("", ""), "DSSEv1 0  0 ");
  const auto envelope = Envelope::from_text(
      R"({"payload": "aGVsbG8gd29ybGQ=", "payloadType": "http://example.com/HelloWorld",)"
      R"("signatures": [{"sig": )"
      R"("A3JqsQGtVsJ2O2xqrI5IcnXip5GToJ3F+FnZ+O88SjtR6rDAajabZKciJTfUiHqJPcIAriEGAHTVeCUjW2JIZA=="}]})");
  EXPECT_EQ(envelope.body, "hello world");
  EXPECT_EQ(envelope.type, "http://example.com/HelloWorld");
  ASSERT_EQ(envelope.signatures.size(), 1U);
  EXPECT_EQ(envelope.signatures[0].bytes.size(), 64U);
  EXPECT_EQ(envelope.signatures[0].key_id, "");
  // The other alphabet of base64, without padding, and a key that nobody asked for.
  const auto other = Envelope::from_text(
      R"({"payload":"-_8","payloadType":"t","extra":1,"signatures":[{"keyid":"k","sig":"AA"}]})");
  EXPECT_EQ(other.body, "\xfb\xff");
}

TEST(Dsse, SignaturesHoldForBodyAndTypeAlone) {
  const auto key = SigningKey::generate();
  const auto stranger = SigningKey::generate();
  Envelope envelope{.type = "t", .body = "body", .signatures = {}};
  envelope.sign(stranger);
  envelope.sign(key);
  auto read = Envelope::from_text(envelope.text());
  ASSERT_NE(read.signature_of(key.public_key()), nullptr);
  EXPECT_EQ(read.signature_of(key.public_key())->key_id, key.public_key().fingerprint());
  read.signatures[1].key_id = "a hint that lies";
  EXPECT_NE(read.signature_of(key.public_key()), nullptr);
  EXPECT_EQ(read.signature_of(SigningKey::generate().public_key()), nullptr);
  read.type = "tb";  // the same bytes, cut otherwise
  read.body = "ody";
  EXPECT_EQ(read.signature_of(key.public_key()), nullptr);
}

TEST(Base64, HasOneFormOfEveryText) {
  EXPECT_EQ(to_base64("fo"), "Zm8=");
  EXPECT_EQ(from_base64("Zm8="), "fo");
  for (const auto* text : {"Zm9=", "Zm8", "Zm8=\n", "Zm8==", " Zm8=", "Zm8=Zm8=", "-_8="}) {
    EXPECT_EQ(from_base64(text), std::nullopt) << text;
  }
}

TEST(SigningKeys, SurviveTheirFileWithAndWithoutPassphrase) {
  const auto key = SigningKey::generate();
  const auto plain = key.file_text(std::nullopt);
  EXPECT_EQ(SigningKey::from_text(plain, "k", {}).public_key(), key.public_key());
  const auto sealed = key.file_text("correct horse");
  EXPECT_THAT(sealed, AllOf(Not(HasSubstr("\"seed\"")), HasSubstr("argon2id13")));
  EXPECT_EQ(SigningKey::from_text(sealed, "k", [] { return "correct horse"; }).sign("x"),
            key.sign("x"));
  EXPECT_THAT(error_of([&] {
                static_cast<void>(SigningKey::from_text(sealed, "k", [] { return "battery"; }));
              }),
              HasSubstr("k: the passphrase is wrong, or the file was changed"));
}

TEST(SigningKeys, RefuseFilesThatAreNoneAndNeverShowASecret) {
  const auto key = SigningKey::generate();
  const auto text = key.file_text(std::nullopt);
  const auto replaced = [&](std::string_view from, std::string_view to) {
    auto out = text;
    out.replace(out.find(from), from.size(), to);
    return out;
  };
  const auto seed = text.substr(text.find("\"seed\": \"") + 9, 43);
  const auto other = SigningKey::generate().file_text(std::nullopt);
  for (const auto& bad :
       {std::string("{}"), std::string("no json"), text.substr(0, 60), replaced("ed25519", "rsa"),
        replaced("key\": 1", "key\": 2"), replaced(seed, seed.substr(0, 39)),
        replaced(seed, other.substr(other.find("\"seed\": \"") + 9, 43))}) {
    const auto said =
        error_of([&] { static_cast<void>(SigningKey::from_text(bad, "my.key", {})); });
    EXPECT_THAT(said, AllOf(HasSubstr("my.key: "), HasSubstr("stepmark seal --new-key"),
                            Not(HasSubstr(seed.substr(0, 20)))));
  }
  // What would take all memory of whoever reads it.
  auto greedy = key.file_text("p");
  const auto memory = greedy.find("\"memory_bytes\": ") + 16;
  greedy.insert(memory, "99");
  EXPECT_THAT(
      error_of([&] { static_cast<void>(SigningKey::from_text(greedy, "k", [] { return "p"; })); }),
      HasSubstr("memory_bytes"));
}

TEST_F(KeyFiles, ArePrivateAndNeverReplaced) {
  const auto made = write_new_key(path("me"), std::nullopt);
  struct stat status {};
  ASSERT_EQ(stat(path("me").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0600U);
  EXPECT_EQ(SigningKey::from_file(path("me"), {}).public_key(), made);
  std::stringstream beside;
  beside << std::ifstream(path("me.pub")).rdbuf();
  EXPECT_EQ(PublicKey::from_pem(beside.str(), "me.pub"), made);
  const auto again = [&](const std::string& name) {
    return error_of([&] { static_cast<void>(write_new_key(path(name), std::nullopt)); });
  };
  EXPECT_THAT(again("me"), HasSubstr("me: exists already and is not replaced"));
  std::filesystem::rename(path("me"), path("moved"));
  EXPECT_THAT(again("me"), HasSubstr("me.pub: exists already"));
  ASSERT_EQ(chmod(path("moved").c_str(), 0640), 0);
  EXPECT_THAT(error_of([&] { static_cast<void>(SigningKey::from_file(path("moved"), {})); }),
              HasSubstr("others may read this key (mode 0640, expected 0600)"));
}

}  // namespace
}  // namespace stepmark

#include "superstep/front_door/credentials.h"

#include <gtest/gtest.h>

#include "superstep/base/error.h"

namespace superstep {
namespace {

TEST(CredentialsOfAnyHost, ComeThroughHexadecimalDigitsUnchanged) {
  const Credentials made = make_credentials_for_any_host(true);
  const std::string text = made.to_hex();
  EXPECT_EQ(text.find_first_not_of("0123456789abcdef"), std::string::npos);
  const Credentials read = Credentials::from_text(text, "here");
  EXPECT_EQ(read.secret, made.secret);
  ASSERT_TRUE(read.tls);
  EXPECT_EQ(read.tls->name, "coordinator.superstep");
  EXPECT_EQ(read.tls->authority, made.tls->authority);
  EXPECT_EQ(read.tls->certificate, made.tls->certificate);
  EXPECT_EQ(read.tls->key, made.tls->key);
}

TEST(CredentialsOfAnyHost, AreTheSecretAloneWithoutTls) {
  const Credentials made = make_credentials_for_any_host(false);
  EXPECT_EQ(made.secret.size(), 64u);  // 32 bytes
  EXPECT_FALSE(Credentials::from_text(made.to_hex(), "here").tls);
}

TEST(Credentials, ThatAreNoneAreRefusedWithoutBeingQuoted) {
  for (const char* text :
       {"", "7", "zz", "7b22", "{", "{}", "{\"secret\":\"\"}", "{\"secret\":17}"}) {
    try {
      (void)Credentials::from_text(text, "the file");
      FAIL() << text;
    } catch (const ConfigError& error) {
      EXPECT_EQ(std::string(error.what()).find("the file: "), 0u) << error.what();
    }
  }
}

}  // namespace
}  // namespace superstep

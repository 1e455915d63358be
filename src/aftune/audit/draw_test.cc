// SPDX-License-Identifier: Apache-2.0
#include "aftune/audit/draw.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "aftune/codec/base64.h"
#include "aftune/trace/tiny_job_testing.h"

namespace aftune::audit {
namespace {

using trace::testing::digest_of;
using trace::testing::must;
using trace::testing::put;
using trace::testing::TempFolder;
using trace::testing::test_key;

const ByteBuffer kDrawSecret(32, 7);

TEST(ReadSecret, TakesTheContractsSecretInOneSpelling) {
  const TempFolder folder;
  const trace::Contract contract = trace::testing::tiny_contract();
  const std::string hex = to_hex(kDrawSecret);
  for (const std::string& good : {hex + "\n", hex}) {
    put(folder / "secret", good);
    EXPECT_EQ(must(read_secret(folder / "secret", contract)), kDrawSecret);
  }
  for (const std::string& bad :
       {std::string(), std::string("\n"), hex + "\n\n", hex.substr(2), hex + "00",
        to_hex(ByteBuffer(32, 8)), std::string(64, 'g'), std::string(5000, '0')}) {
    put(folder / "secret", bad);
    const auto read = read_secret(folder / "secret", contract);
    ASSERT_FALSE(read) << bad;
    EXPECT_EQ(read.error().code, Code::kInvalidInput) << bad;
    EXPECT_EQ(read.error().what.find(hex), std::string::npos) << "a message tells the secret";
  }
  EXPECT_EQ(read_secret(folder / "none", contract).error().code, Code::kNotFound);
  trace::Contract guessed = contract;  // a secret that both agreed on, and anybody can guess
  guessed.audit.secret_sha256 = trace::secret_commitment(contract.run_id, ByteBuffer(1, 7));
  put(folder / "secret", "07\n");
  EXPECT_EQ(read_secret(folder / "secret", guessed).error().code, Code::kInvalidInput);
}

TEST(ReadSecret, IsOfOneRunOnly) {
  const TempFolder folder;
  put(folder / "secret", to_hex(kDrawSecret) + "\n");
  trace::Contract other = trace::testing::tiny_contract();
  other.run_id = digest_of("another run");
  EXPECT_FALSE(read_secret(folder / "secret", other));
}

std::string note(const std::string& origin, std::uint64_t size, const char* root,
                 unsigned char key = 2) {
  return tlog::encode_note(tlog::sign_checkpoint({origin, size, digest_of(root)}, test_key(key)));
}

/// A note that a closed log of the tiny contract could end with.
std::string closing_note(const trace::Contract& contract, const char* root) {
  return note(contract.origin(), trace::Timeline(contract).entry_count(), root);
}

TEST(Pin, KeepsTheFirstFinalCheckpoint) {
  const TempFolder folder;
  const trace::Contract contract = trace::testing::tiny_contract();
  EXPECT_FALSE(must(read_pin(folder / "secret", contract)).has_value());
  ASSERT_TRUE(write_pin(folder / "secret", closing_note(contract, "a")));
  const auto pin = must(read_pin(folder / "secret", contract));
  ASSERT_TRUE(pin.has_value());
  EXPECT_EQ(pin->note, closing_note(contract, "a"));
  EXPECT_EQ(pin->checkpoint.root, digest_of("a"));
  EXPECT_EQ(write_pin(folder / "secret", closing_note(contract, "b")).error().code,
            Code::kInvalidInput);
  EXPECT_EQ(must(read_pin(folder / "secret", contract))->checkpoint.root, digest_of("a"));
}

/// A provider that adds lines to its note must not keep the client from a second audit.
TEST(Pin, IsReadBackWhateverLinesTheNoteHas) {
  const TempFolder folder;
  const trace::Contract contract = trace::testing::tiny_contract();
  const std::string line = "\u2014 stranger " + codec::to_base64(ByteBuffer(7000, 1)) + "\n";
  std::string note = closing_note(contract, "a");
  for (int i = 0; i < 99; ++i) note += line;
  ASSERT_TRUE(tlog::decode_note(note)) << note.size();
  ASSERT_TRUE(write_pin(folder / "secret", note));
  EXPECT_EQ(must(read_pin(folder / "secret", contract))->note, note);
}

TEST(Pin, IsNoEvidenceUnlessTheLogsKeySignedAClosedLog) {
  const trace::Contract contract = trace::testing::tiny_contract();
  const std::uint64_t size = trace::Timeline(contract).entry_count();
  const std::string lies[] = {
      "not a note", note(contract.origin(), size, "a", 9), note("other", size, "a"),
      note(contract.origin(), size - 1, "a"),  // signed while the run went on
      note(contract.origin(), size + 1, "a")};
  for (const std::string& lie : lies) {
    const TempFolder folder;
    put(folder / "secret.checkpoint", lie);
    const auto read = read_pin(folder / "secret", contract);
    ASSERT_FALSE(read) << lie;
    EXPECT_EQ(read.error().code, Code::kInvalidInput);
    EXPECT_NE(read.error().what.find("secret.checkpoint"), std::string::npos);
  }
}

TEST(Pin, WithoutAPlaceForItNothingIsDrawn) {
  const TempFolder folder;
  const trace::Contract contract = trace::testing::tiny_contract();
  EXPECT_FALSE(write_pin(folder / "none/secret", closing_note(contract, "a")));
}

}  // namespace
}  // namespace aftune::audit

// SPDX-License-Identifier: Apache-2.0
// `aftune prepare` from outside, on a run that stores every second state and edge.
#include "aftune/codec/json.h"
#include "tiny_place.h"

namespace aftune::program {
namespace {

using Arguments = std::vector<std::string>;

/// A place of its own: what is prepared stays in the run.
class Sparse {
 public:
  Sparse() {
    here_.sign_other("sparse", "{layers_per_block: 2, steps_per_block: 2, state_interval: 1}",
                     "{layers_per_block: 1, steps_per_block: 1, state_interval: 2, "
                     "edge_interval: 2}");
    const Outcome trained =
        aftune(here_.train({{"contract", contract()}, {"--run", here_ / "sparse"}}));
    AFTUNE_CHECK(trained.exit == 0, trained.err);
  }

  [[nodiscard]] std::string contract() const { return here_ / "sparse.json"; }
  [[nodiscard]] std::string secret() const { return here_ / "client.secret"; }
  [[nodiscard]] Outcome run(const std::string& command, const Arguments& more) const {
    Arguments all{command, contract(), "--run", here_ / "sparse"};
    all.insert(all.end(), more.begin(), more.end());
    return aftune(all);
  }
  /// Blocks that the audit replays only to make what others take.
  [[nodiscard]] std::size_t rebuilt(const Arguments& chosen) const {
    const std::string told = run("audit", chosen).err;
    std::size_t out = 0;
    for (std::size_t at = 0; (at = told.find("rebuilt ", at)) != std::string::npos; ++at) ++out;
    return out;
  }
  /// A challenge of the client's for the run.
  [[nodiscard]] std::string challenge() const {
    const std::string out = here_ / "challenge.json";
    const Outcome made =
        run("challenge", {"--secret", secret(), "--key", here_ / "keys/client.key", "-o", out});
    AFTUNE_CHECK(made.exit == 0, made.err);
    return out;
  }
  [[nodiscard]] std::string stats() const {
    return aftune({"store", "stats", "--run", here_ / "sparse"}).out;
  }

 private:
  const TinyPlace here_;
};

TEST(Prepare, TakesRebuildingOffTheAuditOfABlock) {
  const Sparse sparse;
  EXPECT_GT(sparse.rebuilt({"--block", "0,3"}), 0U);
  const Outcome prepared = sparse.run("prepare", {"--block", "0,3"});
  EXPECT_TRUE(done(prepared));
  EXPECT_EQ(prepared.out.rfind("1 blocks can be audited without rebuilding", 0), 0U);
  EXPECT_EQ(sparse.rebuilt({"--block", "0,3"}), 0U);
}

TEST(Prepare, TakesTheBlocksThatTheSecretDraws) {
  const Sparse sparse;
  const Outcome prepared = sparse.run("prepare", {"--secret", sparse.secret(), "--json"});
  EXPECT_TRUE(done(prepared));
  EXPECT_TRUE(codec::parse_canonical_json(prepared.out.substr(0, prepared.out.size() - 1), {}));
  const Outcome verdict = sparse.run("audit", {"--secret", sparse.secret()});
  EXPECT_TRUE(done(verdict));
  EXPECT_EQ(verdict.err.find("rebuilt "), std::string::npos) << verdict.err;
}

TEST(Prepare, TakesTheBlocksOfAChallenge) {
  const Sparse sparse;
  const std::string file = sparse.challenge();
  EXPECT_TRUE(done(sparse.run("prepare", {"--challenge", file})));
  EXPECT_EQ(sparse.rebuilt({"--secret", sparse.secret()}), 0U);
}

TEST(Prepare, AllBlocksLeaveNoEdgeOut) {
  const Sparse sparse;
  EXPECT_NE(sparse.stats().find("not stored"), std::string::npos);
  EXPECT_TRUE(done(sparse.run("prepare", {"--all"})));
  const std::string stats = sparse.stats();
  for (const std::string name : {"activations", "gradients"}) {
    const std::size_t line = stats.find(name);
    ASSERT_NE(line, std::string::npos);
    std::size_t unstored = 1, unstored_bytes = 1;
    ASSERT_EQ(std::sscanf(stats.c_str() + line + name.size(), "%*u %*u %*u %*f %zu %zu", &unstored,
                          &unstored_bytes),
              2);
    EXPECT_EQ(unstored + unstored_bytes, 0U) << stats;
  }
  EXPECT_TRUE(done(sparse.run("audit", {"--all"})));
}

TEST(Prepare, NeedsBlocksOfTheGrid) {
  const TinyPlace& here = tiny_place();
  const Arguments prepare{"prepare", here / "contract.json", "--run", here / "run"};
  const auto with = [&](const Arguments& more) {
    Arguments all = prepare;
    all.insert(all.end(), more.begin(), more.end());
    return aftune(all);
  };
  EXPECT_TRUE(refused(with({}), 2, {"no block is named"}));
  EXPECT_TRUE(refused(with({"--block", "2,0"}), 2, {"block 2,0", "2 layer blocks"}));
  EXPECT_TRUE(refused(with({"--block", "0;0"}), 2, {"0;0"}));
  EXPECT_TRUE(refused(with({"--challenge", here / "contract.json"}), 2, {"contract.json"}));
  EXPECT_TRUE(refused(with({"--all", "--block", "0,0"}), 2, {"--block"}));
  expect_untouched();
}

}  // namespace
}  // namespace aftune::program

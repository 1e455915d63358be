// SPDX-License-Identifier: Apache-2.0
// A folder with everything that the program's commands take: keys, a model, data, a signed
// contract and its finished run, all made by the program.
#pragma once

#include <map>
#include <string>

#include "aftune/trace/tiny_job_testing.h"
#include "program.h"

namespace aftune::program {

class TinyPlace {
 public:
  TinyPlace();

  /// A path in the folder.
  [[nodiscard]] std::string operator/(const std::string& name) const {
    return (folder_.path() / name).string();
  }
  [[nodiscard]] const Path& path() const { return folder_.path(); }

  /// train with all that is right; `changes` replaces values of flags or adds flags. An empty value
  /// is a flag without one.
  [[nodiscard]] std::vector<std::string> train(
      const std::map<std::string, std::string>& changes = {}) const;
  [[nodiscard]] std::vector<std::string> audit(std::vector<std::string> more) const;

  /// Writes another job beside job.yaml, drafts it and lets both sides sign: NAME.json.
  void sign_other(const std::string& name, const std::string& from, const std::string& to) const;

 private:
  trace::testing::TempFolder folder_;
};

/// The same for all tests of a program; nobody changes it (see expect_untouched).
const TinyPlace& tiny_place();

/// Files, folders and bytes of the shared place are what they were when it was made.
void expect_untouched();

}  // namespace aftune::program

// SPDX-License-Identifier: Apache-2.0
#include "lying_provider.h"

#include "aftune/trace/run_setup.h"

namespace aftune::liar {

trace::RunFolder tell(const World& world, const Lies& lies) {
  const trace::RunFolder run{fresh_path("lie")};
  must(trace::prepare_run_folder(world.envelope(), run, world.base(), world.data(),
                                 trace::Existing::kRefuse));
  must(attack::tell(world.job(), lies, run, 0, engine()));
  return run;
}

audit::Verdict caught(const World& world, const Lies& lies) {
  world.honest_run();
  return world.audit_all(tell(world, lies));
}

}  // namespace aftune::liar

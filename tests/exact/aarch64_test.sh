#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: tests/exact/aarch64_test.sh PROGRAM BUILD_DIR
#
# Builds tests/exact/alone for aarch64 in BUILD_DIR, runs it under qemu and compares every byte of
# its output with that of PROGRAM, run here. Exits 77, skipped, where compiler or emulator is
# missing; with AFTUNE_REQUIRE_AARCH64 set that is a failure.
set -euo pipefail
program=${1:?} build=${2:?}
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
fail() { echo "aarch64: $*" >&2; exit 1; }

for tool in aarch64-linux-gnu-gcc aarch64-linux-gnu-g++ qemu-aarch64-static; do
  if command -v "$tool" >/dev/null; then continue; fi
  if [[ ${AFTUNE_REQUIRE_AARCH64-} ]]; then fail "there is no $tool; tools/setup --aarch64 installs it"; fi
  echo "SKIPPED: there is no $tool; tools/setup --aarch64 installs it"
  exit 77
done

options=()
if command -v ccache >/dev/null; then
  options=(-DCMAKE_C_COMPILER_LAUNCHER=ccache -DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
fi
cmake -S . -B "$build" -G Ninja --toolchain cmake/aarch64-linux-gnu.cmake \
  -DCMAKE_BUILD_TYPE=Release -DAFTUNE_ONLY_EXACT_DIGESTS=ON "${options[@]}"
cmake --build "$build" -j "${JOBS:-$(nproc)}"
foreign=$build/tests/exact/alone/aftune_exact_digests

# The functions that could differ between C libraries are not called; fma and sqrt are instructions.
symbols=$(aarch64-linux-gnu-nm "$foreign")
grep -qw main <<<"$symbols" || fail "no symbols to look at in $foreign"
called=$(awk 'NF == 3 {print $3}' <<<"$symbols" |
  grep -E '^(fma|sqrt|exp|exp2|log|log2|pow|sin|cos|sincos|tanh)f?$' || true)
[[ -z $called ]] || fail "calls the C library's ${called//$'\n'/, }"

"$program" >"$build/here.txt"
grep -q '^training\.' "$build/here.txt" || fail "$program printed no training step"
# Two threads: one thread gives the same here, as the other test shows.
qemu-aarch64-static "$foreign" --threads 2 >"$build/aarch64.txt"
diff --label here --label aarch64 "$build/here.txt" "$build/aarch64.txt" ||
  fail "digests differ from those of this machine"
echo "$(wc -l <"$build/here.txt") digests of aarch64 are those of $(uname -m)"

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: tests/exact/digests_test.sh PROGRAM
#
# Each instruction set of this machine prints, with one thread and with two, the committed digests.
set -euo pipefail
program=${1:?}
expected=$(dirname "${BASH_SOURCE[0]}")/digests.txt
got=$(mktemp)
trap 'rm "$got"' EXIT

compared=0
for isa in $("$program" --list); do
  for threads in 1 2; do
    "$program" --isa "$isa" --threads "$threads" >"$got"
    diff --label "$expected" --label "$isa with $threads threads" "$expected" "$got" ||
      { echo "exact digests: $isa with $threads threads differs" >&2; exit 1; }
    compared=$((compared + 1))
  done
done
((compared >= 2)) || { echo "exact digests: no instruction set was compared" >&2; exit 1; }
echo "$compared outputs of $(wc -l <"$expected") digests are equal"

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: tests/cli/quickstart_test.sh AFTUNE
#
# tools/quickstart with the program given and its randomly initialised stand-in: says what it is,
# accepts the honest run, finds both lies, keeps what it has at a second start, and leaves the
# evidence of the honest run as it was.
set -euo pipefail
export AFTUNE=${1:?} LC_ALL=C
quickstart=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../tools" && pwd)/quickstart
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
dir=$work/q

fail() { echo "FAILED: $*" >&2; sed 's/^/  | /' "$work/out" >&2; exit 1; }
told() { grep -qE -- "$1" "$work/out" || fail "does not say: $1"; }
evidence() { (cd "$dir" && find run contract.json keys client.secret verdict.json -type f -exec sha256sum {} + | sort -k2); }

"$quickstart" --random-model --dir "$dir" >"$work/out" || fail "first start: exit code $?"
told 'Needs at most 10 GB of disk'
told 'NOT A REAL MODEL'
told ': it falls$'
told '^ACCEPT: '
told 'found +\[delivery\].* is not the last state'
told 'found +\[activation\].* 1 of its values differ'
((2 == $(grep -c '^REJECT: ' "$work/out"))) || fail "not two lies found"
evidence >"$work/first"

"$quickstart" --random-model --dir "$dir" >"$work/out" || fail "second start: exit code $?"
told 'the run is closed already'
told '^ACCEPT: '
evidence >"$work/second"
cmp "$work/first" "$work/second" || fail "the second start changed the evidence"

# A folder of somebody else is not touched.
mkdir "$work/mine"
echo mine >"$work/mine/notes.txt"
status=0
"$quickstart" --random-model --dir "$work/mine" >"$work/out" || status=$?
((status == 2)) || fail "exit code $status for a foreign folder, expected 2"
[[ $(ls -A "$work/mine") == notes.txt ]] || fail "wrote into a foreign folder"

mkdir -p "$work/log/lie-weight" "$work/log/venv"  # names that the quickstart uses too
echo mine | tee "$work/log/build.log" "$work/log/lie-weight/notes.txt" >"$work/log/venv/notes.txt"
(cd "$work/log" && find . -type f -exec sha256sum {} + | sort) >"$work/first"
if "$quickstart" --random-model --dir "$work/log" >"$work/out"; then fail "took a foreign folder"; fi
told "is not empty and no quickstart's"
(cd "$work/log" && find . -type f -exec sha256sum {} + | sort) >"$work/second"
cmp "$work/first" "$work/second" || fail "changed a foreign folder"

# A program without its companion is found before anything is made.
mkdir "$work/alone"
cp "$AFTUNE" "$work/alone/aftune"
if AFTUNE=$work/alone/aftune "$quickstart" --random-model --dir "$work/new" >"$work/out"; then
  fail "started without aftune_forge"
fi
told 'there is no program .*/alone/aftune_forge'
[[ ! -e $work/new ]] || fail "made a folder without aftune_forge"

# A provider's part that is missing is not a pass.
rm -r "$dir/run/log/checkpoints"
echo "" >"$dir/run/log/checkpoint"
if "$quickstart" --random-model --dir "$dir" >"$work/out"; then fail "passed a broken run"; fi
echo "ok"

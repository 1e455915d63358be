#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: tests/cli/tiny_run_test.sh AFTUNE CASE
#
# examples/tiny on the built program. CASE is one of the functions named case_*; CMakeLists.txt
# beside this file lists them. AFTUNE_TEST_SEED repeats the random delays of a failed case.
set -euo pipefail
export AFTUNE=${1:?} LC_ALL=C
unset AFTUNE_THREADS AFTUNE_ISA
chosen=${2:?}
tiny=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../examples/tiny" && pwd)

# Root of the log after examples/tiny/run.sh, and the digest of the contract. They may change only
# with a version of the arithmetic or of a format: never to make this test pass.
root=4712c2103fa8f5ff8c46f5f341c2cfe881445a62f48c795a36509dc366446fd9
contract=119a83890d71d022e681935c1c11b979bf61c66ce43ea2c09d298b5bba8ddded
entries=34

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
  echo "FAILED: $*" >&2
  exit 1
}
same() { [[ $1 == "$2" ]] || fail "$3: is $1, expected $2"; }
root_of() { "$AFTUNE" log verify --run "$1/run" --contract "$tiny/contract.json" 2>/dev/null; }
run_tiny() { "$tiny/run.sh" "$1" >"$work/out" 2>&1 || { cat "$work/out" >&2; fail "run.sh $1"; }; }
# Expects an exit code and a text in what the command says.
expect() {
  local code=$1 text=$2 status=0
  shift 2
  "$@" >"$work/out" 2>&1 || status=$?
  same "$status" "$code" "exit code of $*: $(tail -3 "$work/out")"
  grep -qF -- "$text" "$work/out" || fail "no \"$text\" from $*: $(cat "$work/out")"
}

case_contract_is_made_again_byte_by_byte() {
  "$tiny/make_contract.sh" "$work/made" 2>/dev/null
  cmp "$work/made/contract.json" "$tiny/contract.json" || fail "contract.json is not job.yaml's"
  same "$("$AFTUNE" contract verify "$tiny/contract.json" 2>/dev/null)" "$contract" "contract"
}

case_root_is_the_same_for_threads_and_instruction_sets() {
  local threads isa found
  found=$("$AFTUNE" env | sed -n 's/^instruction sets *//p' | tr -d ,)
  [[ $found == scalar* ]] || fail "aftune env lists instruction sets \"$found\""
  for threads in 1 2 3; do
    AFTUNE_THREADS=$threads run_tiny "$work/threads-$threads"
    same "$(root_of "$work/threads-$threads")" "$root" "root with $threads threads"
  done
  for isa in $found; do
    AFTUNE_ISA=$isa run_tiny "$work/$isa"
    same "$(root_of "$work/$isa")" "$root" "root with $isa"
    cmp "$work/$isa/model/model.safetensors" "$work/threads-1/model/model.safetensors"
  done
  echo "equal: threads 1 2 3, $found"
}

case_complete_run_is_left_alone() {
  run_tiny "$work/t"
  (cd "$work/t" && find . -type f ! -name '*.json*' -exec sha256sum {} + | sort) >"$work/before"
  expect 0 "the run is closed already" "$tiny/run.sh" "$work/t"
  (cd "$work/t" && find . -type f ! -name '*.json*' -exec sha256sum {} + | sort) >"$work/after"
  cmp "$work/before" "$work/after" || fail "a second start changed the run"
  same "$(root_of "$work/t")" "$root" "root"
  expect 2 "go on with --resume" "$AFTUNE" train "$tiny/contract.json" --run "$work/t/run" \
    --key "$work/t/keys/provider.key" --model "$work/t/base" --data "$tiny/data.jsonl"
}

case_audits_accept() {
  run_tiny "$work/t"
  local audit=("$AFTUNE" audit "$tiny/contract.json" --run "$work/t/run" --data "$tiny/data.jsonl"
               --delivered "$work/t/model")
  expect 0 "ACCEPT" "${audit[@]}" --secret "$work/t/client.secret"
  expect 0 "replayed   16 of 16" "${audit[@]}" --all
  expect 3 "INCONCLUSIVE" "${audit[@]}" --block 1,2
  expect 0 "none missing" "$AFTUNE" store check --run "$work/t/run"
  expect 0 "log      $entries entries, closed" "$AFTUNE" inspect "$work/t/run"
}

case_inspect_shows_what_the_log_says_without_metrics() {
  run_tiny "$work/t"
  cp -r "$work/t/run" "$work/copy"
  "$AFTUNE" inspect "$work/t/run" >"$work/whole"
  rm "$work/copy/metrics.jsonl"
  expect 0 "steps    12 of 12; no metrics.jsonl: what they took is not known" \
    "$AFTUNE" inspect "$work/copy"
  # Losses, curve and grid are the same; only the line of steps and times is another.
  diff <(grep -v '^steps ' "$work/whole") <(grep -v '^steps ' "$work/out") || fail "not the log's losses"
  # A list that is gone is told, one that is altered is no list of the log's.
  local list
  list=$("$AFTUNE" log show --run "$work/copy" 2>/dev/null |
    sed -n 's/.*"kind":"step","list":"\([0-9a-f]*\)".*"step":3}$/\1/p')
  list=$work/copy/store/${list:0:2}/$list.raw
  cp "$list" "$work/list"
  rm "$list"
  expect 0 "losses of 1 steps are not known" "$AFTUNE" inspect "$work/copy"
  sed 's/"counted":/"counted": /' "$work/list" >"$list"
  expect 1 "list of step 3" "$AFTUNE" inspect "$work/copy"
  rm -r "$work/copy/store"
  expect 0 "losses of 12 steps are not known" "$AFTUNE" inspect "$work/copy"
  # What is there and is no metrics file is an error as before.
  echo "{}" >"$work/copy/metrics.jsonl"
  expect 2 "metrics.jsonl: line 1 has no" "$AFTUNE" inspect "$work/copy"
}

case_generate_is_repeatable() {
  run_tiny "$work/t"
  local generate=("$AFTUNE" generate "$work/t/model" --chat --prompt "Count down from 3.")
  "${generate[@]}" >"$work/greedy"
  AFTUNE_ISA=scalar AFTUNE_THREADS=1 "${generate[@]}" | cmp - "$work/greedy" || fail "greedy differs"
  "${generate[@]}" --temperature 0.9 --seed 3 >"$work/three"
  # As it was when every token went through the whole forward pass; changes with the root alone.
  same "$(sha256sum <"$work/three" | cut -d " " -f 1)" \
    7e7f4ec73317ccd346c30d34986196cc7c4c36a7424d9980ccc046ad03c67681 "text of seed 3"
  AFTUNE_ISA=scalar AFTUNE_THREADS=1 "${generate[@]}" --temperature 0.9 --seed 3 |
    cmp - "$work/three" || fail "sampling differs"
  "${generate[@]}" --temperature 0.9 --seed 3 | cmp - "$work/three" || fail "equal seeds differ"
  if "${generate[@]}" --temperature 0.9 --seed 4 | cmp -s - "$work/three"; then
    fail "seeds 3 and 4 give the same text"
  fi
}

# Forged by a provider that signs it: evidence holds, replay does not.
case_forged_activation_is_told_by_replay_alone() {
  run_tiny "$work/t"
  local forge block
  forge=$(dirname "$AFTUNE")/aftune_forge
  block=$("$forge" --run "$work/t/run" --key "$work/t/keys/provider.key" --step 7 --edge 3 \
    -o "$work/lie" 2>/dev/null)
  same "$block" 2,2 "block of the forged hand-over"
  expect 0 "none missing" "$AFTUNE" store check --run "$work/lie"
  expect 0 "all in place" "$AFTUNE" log verify --run "$work/lie" --contract "$tiny/contract.json"
  local audit=("$AFTUNE" audit "$tiny/contract.json" --run "$work/lie")
  expect 3 "INCONCLUSIVE" "${audit[@]}" --block 1,2 --block 2,1
  expect 1 "activation at edge 3, step 7" "${audit[@]}" --block 2,2
  expect 1 "activation at edge 4, step 7" "${audit[@]}" --block 3,2
  expect 2 "exists already" "$forge" --run "$work/t/run" --key "$work/t/keys/provider.key" \
    --step 7 --edge 3 -o "$work/lie"
  finish "$work/t" "a forged copy"
}

# One more start that is let finish; the root is the uninterrupted run's.
finish() {
  run_tiny "$1"
  same "$(root_of "$1")" "$root" "root after $2"
  "$AFTUNE" store check --run "$1/run" 2>"$work/out" || fail "store after $2: $(cat "$work/out")"
}

# Starts run.sh in a process group of its own and kills all of it once `$2` steps are done.
kill_after_steps() {
  local dir=$1 steps=$2 group
  setsid "$tiny/run.sh" "$dir" >"$work/out" 2>&1 &
  group=$!
  until [[ -e $dir/run/metrics.jsonl && $(wc -l <"$dir/run/metrics.jsonl") -ge $steps ]]; do
    kill -0 "$group" 2>/dev/null || break  # it was faster
    sleep 0.002
  done
  kill -KILL -- "-$group" 2>/dev/null || true
  wait "$group" 2>/dev/null || true
  let_go "$dir"
}

# A killed process holds its lock until the kernel is done with it, a moment after the kill.
let_go() {
  if [[ -e $1/run/lock ]]; then flock --timeout 20 "$1/run/lock" true || fail "still locked: $1"; fi
}

case_killed_after_steps_and_resumed_gives_the_root() {
  local steps
  for steps in 0 1 2 3 4 6 7 9 11 12; do
    kill_after_steps "$work/k$steps" "$steps"
    finish "$work/k$steps" "a kill at step $steps"
  done
}

case_killed_at_random_times_gives_the_root() {
  local seed=${AFTUNE_TEST_SEED:-$((SRANDOM % 32768))} round delay tries started=0 kills=0
  echo "AFTUNE_TEST_SEED=$seed"
  RANDOM=$seed
  run_tiny "$work/timed"
  local begin=${EPOCHREALTIME/./}
  run_tiny "$work/timed2"
  local whole=$(((${EPOCHREALTIME/./} - begin) / 1000))
  for round in 1 2 3 4 5 6; do
    # The same folder again and again, until one start gets through; later kills come later, in
    # case the machine has become slower since the run was timed.
    tries=0
    while :; do
      delay=$((RANDOM % (whole * (4 + tries) / 4) + 10))
      tries=$((tries + 1))
      started=$((started + 1))
      # timeout kills its whole group, itself too; the inner bash would say so on standard error.
      if bash -c 'timeout -s KILL "$1" "$2" "$3" >"$4" 2>&1; exit $?' _ \
        "$(printf '%d.%03d' $((delay / 1000)) $((delay % 1000)))" "$tiny/run.sh" \
        "$work/r$round" "$work/out" 2>/dev/null; then
        break
      fi
      let_go "$work/r$round"
      kills=$((kills + 1))
      if ((tries > 60)); then fail "never finished"; fi
    done
    finish "$work/r$round" "random kills, round $round"
  done
  echo "$started starts, $kills killed, one run takes $whole ms"
  ((kills > 0)) || fail "no start was killed"
}

# As a kill between two system calls leaves it: the last entry durable, its checkpoint not signed.
case_last_entry_unsigned_is_signed() {
  run_tiny "$work/t"
  local log=$work/t/run/log last size i
  last=$("$AFTUNE" log show --run "$work/t/run" 2>/dev/null | tail -1)
  same "$(ls "$log/checkpoints" | sort -n | tail -1)" "$entries" "size of the log"
  rm "$log/checkpoints/$entries"
  cp "$log/checkpoints/$((entries - 1))" "$log/checkpoint"
  rm "$log/tile/0/000.p/$entries" "$log/tile/entries/000.p/$entries"
  size=${#last}
  {
    printf "\\x$(printf %02x $((entries - 1)))"; printf '\0%.0s' 1 2 3 4 5 6 7
    for i in 0 8 16 24; do printf "\\x$(printf %02x $((size >> i & 255)))"; done
    printf %s "$last"
  } >"$work/record"
  { cat "$work/record"; sha256sum <"$work/record" | head -c 64 | sed 's/../\\x&/g' |
      while IFS= read -r hex || [[ $hex ]]; do printf "$hex"; done; } >"$log/pending"
  same "$("$AFTUNE" log verify --run "$work/t/run" 2>&1 >/dev/null | head -c 8)" "33 of 34" "the log"
  finish "$work/t" "an unsigned end"
}

# A start that was killed before the run's first file had its name.
case_staged_left_over_does_not_block_a_start() {
  mkdir -p "$work/t/run"
  cp "$tiny/contract.json" "$work/t/"
  : >"$work/t/run/contract.json.tmp-0011223344556677"
  finish "$work/t" "a left-over"
  mkdir -p "$work/u/run"
  cp "$tiny/contract.json" "$work/u/"
  echo mine >"$work/u/run/notes.txt"
  expect 2 "is not empty and holds no run" "$tiny/run.sh" "$work/u"
  same "$(cat "$work/u/run/notes.txt")" mine "a file of somebody else"
}

# Neither script writes into a folder, or over a file, that is not its own.
case_foreign_files_are_left_alone() {
  mkdir -p "$work/t/keys"
  echo mine >"$work/t/keys/client.key"
  expect 2 "does not hold this example's contract.json" "$tiny/run.sh" "$work/t"
  expect 2 "is no empty folder" "$tiny/make_contract.sh" "$work/t"
  echo "{}" >"$work/t/contract.json"
  expect 2 "does not hold this example's contract.json" "$tiny/run.sh" "$work/t"
  cp "$tiny/contract.json" "$work/t/contract.json"
  expect 2 "keys/client.key is there and is not this example's" "$tiny/run.sh" "$work/t"
  same "$(cat "$work/t/keys/client.key")" mine "a key of somebody else"
  [[ ! -e $work/t/run ]] || fail "a run was started in a foreign folder"
}

case_wrong_arguments_are_errors_of_usage() {
  local arguments
  for arguments in "" "-x" "one two"; do
    # shellcheck disable=SC2086
    expect 2 "usage: examples/tiny/run.sh DIR" "$tiny/run.sh" $arguments
  done
  touch "$work/file"
  expect 2 "$work/file is not a folder" "$tiny/run.sh" "$work/file"
}

# A closed run without what it delivered is not complete.
case_closed_run_without_its_model_is_told() {
  run_tiny "$work/t"
  rm -r "$work/t/run/model"
  expect 2 "is closed, but not whole" "$tiny/run.sh" "$work/t"
}

# stats counts all that there is; gc takes left-overs and keeps evidence that can be asked for.
case_store_is_measured_and_cleared() {
  run_tiny "$work/t"
  local run="$work/t/run"
  "$AFTUNE" store stats --run "$run" --json >"$work/stats.json" 2>/dev/null || fail stats
  python3 - "$work/stats.json" <<'EOF' || fail "what the store holds: $(cat "$work/stats.json")"
import json, sys
stats = json.load(open(sys.argv[1]))
parts = {"activations", "gradients", "parameters", "first_moments", "second_moments", "lists", "log"}
assert set(stats) == parts | {"all"}, set(stats)
for member in ("bytes", "stored_bytes", "objects"):
    assert stats["all"][member] == sum(stats[part][member] for part in parts), member
assert all(0 < stats[part]["stored_bytes"] <= stats[part]["bytes"] for part in parts)
EOF
  echo half >"$run/store/00.tmp-0011"
  expect 0 "would be removed: 1 files, 5 bytes" "$AFTUNE" store gc --run "$run" --dry-run
  [[ -e $run/store/00.tmp-0011 ]] || fail "--dry-run removed something"
  expect 0 ": all of it stays" "$AFTUNE" store gc --run "$run"
  [[ ! -e $run/store/00.tmp-0011 ]] || fail "a left-over stays"
  mkdir -p "$run/challenges"
  echo "{}" >"$run/challenges/x.json"
  expect 2 "x.json" "$AFTUNE" store gc --run "$run"
  rm -r "$run/challenges"
  expect 0 "none missing" "$AFTUNE" store check --run "$run"
  expect 0 "ACCEPT" "$AFTUNE" audit "$tiny/contract.json" --run "$run" --all
}

# Every lie of the gallery on copies of the tiny run; the run itself and its folder stay as they are.
case_attack_accepts_no_lie() {
  run_tiny "$work/t"
  expect 0 "relative L2" "$AFTUNE" attack "$tiny/contract.json" --run "$work/t/run" --only T24
  "$AFTUNE" attack "$tiny/contract.json" --run "$work/t/run" --json -o "$work/attack.json" \
    >"$work/answer.json" 2>"$work/out" || fail "attack: $(tail -3 "$work/out")"
  cmp "$work/answer.json" "$work/attack.json" || fail "the file is not the answer"
  python3 - "$work/attack.json" <<'EOF' || fail "the table of lies"
import json, sys
table = json.load(open(sys.argv[1]))
lies = table["lies"]
assert table["accepted"] == 0 and len(lies) > 40, (table["accepted"], len(lies))
for lie in lies:
    assert lie["verdict"] == "REJECT" and lie["check"] and lie["cause"] and lie["seconds"] > 0, lie
assert {lie["lie"] for lie in lies if "relative_l2" in lie} == {
    "activation perturbed by projected gradient descent",
    "rank-one weight edit that plants a backdoor"}
EOF
  same "$(ls -d "$work"/t/aftune-attack-* 2>/dev/null)" "" "left-overs"
  same "$(root_of "$work/t")" "$root" "root of the attacked run"
  expect 0 "none missing" "$AFTUNE" store check --run "$work/t/run"
  expect 0 "replayed   16 of 16" "$AFTUNE" audit "$tiny/contract.json" --run "$work/t/run" --all
  expect 2 "no lie of the gallery is called T99" "$AFTUNE" attack "$tiny/contract.json" \
    --run "$work/t/run" --only T99
  expect 2 "exists already" "$AFTUNE" attack "$tiny/contract.json" --run "$work/t/run" \
    -o "$work/attack.json"
  expect 2 "is not a folder" "$AFTUNE" attack "$tiny/contract.json" --run "$work/nowhere"
}

declare -F "case_$chosen" >/dev/null || fail "no case $chosen"
"case_$chosen"
echo "ok: $chosen"

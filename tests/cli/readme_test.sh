#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: tests/cli/readme_test.sh AFTUNE
#
# What README, guides and examples tell people to type exists: each command, each option beside it,
# each script. And each command of the program stands in README and in the command-line guide.
set -euo pipefail
aftune=${1:?}
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
pages=(README.md docs/guides/*.md docs/README.md docs/performance.md examples/*/README.md)
failed=0 checked=0
wrong() { echo "$*" >&2; failed=1; }

declare -A helps
# The help of a command of one or two words; fails where there is no such command.
help_of() {
  local text
  if [[ ! ${helps[$*]-} ]]; then
    text=$("$aftune" "$@" --help 2>/dev/null) || return
    # The help of the whole program is no help for an unknown word.
    grep -q "^Usage: aftune $* " <<<"$text" || return
    helps[$*]=$text
  fi
  printf %s "${helps[$*]}"
}

# In fenced or indented code, or between back-quotes: words after "aftune".
mentions() {
  awk '/^```/ {fence = !fence; next}
       fence || /^    / {if (match($0, /^ *(\$ )?(build\/)?aftune /)) print substr($0, RLENGTH + 1); next}
       {line = $0
        while (match(line, /`aftune [^`]*`/)) {
          print substr(line, RSTART + 8, RLENGTH - 9); line = substr(line, RSTART + RLENGTH)
        }}' "$1"
}

check_mention() {
  local page=$1 command=("$2") help word
  shift 2
  case "${command[0]}" in
    -*) return ;;
    contract | log | receipt | store) if [[ ${1-} == [a-z]* && $1 != *[./]* ]]; then command+=("$1"); fi ;;
  esac
  help=$(help_of "${command[@]}") || { wrong "$page: there is no \"aftune ${command[*]}\""; return; }
  for word; do
    word=${word%%[=,;)]*}
    if [[ $word == -* && $word != - ]] && ! grep -qE -- "(^|[ ,])$word([ ,]|$)" <<<"$help"; then
      wrong "$page: \"aftune ${command[*]}\" has no option $word"
    fi
  done
  checked=$((checked + 1))
}

for page in "${pages[@]}"; do
  while read -r -a words; do
    if ((${#words[@]})); then check_mention "$page" "${words[@]}"; fi
  done < <(mentions "$page")
  while read -r script; do
    if [[ ! -x $script ]]; then wrong "$page: $script is no script"; fi
    checked=$((checked + 1))
  done < <(grep -ohE '(tools|examples/[a-z]+|\.ci)/[a-z_-]+(\.sh|\.py)?\b' "$page" |
             grep -E '^tools/|\.sh$|^\.ci/run$' | sort -u)
done

commands=$("$aftune" --help | sed -n '/^Subcommands:/,$s/^  \([a-z-]*\) .*/\1/p')
for command in $commands; do
  for page in README.md docs/guides/command-line.md; do
    grep -q "aftune $command" "$page" || wrong "$page does not name \"aftune $command\""
  done
done
# A test that finds nothing to check checks nothing.
((checked >= 40)) || wrong "only $checked mentions were found"
if ((failed)); then exit 1; fi
echo "$checked mentions hold; commands: " $commands

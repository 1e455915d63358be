#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: tests/cli/serve_test.sh AFTUNE
#
# The example, then the endpoint from outside: unmodified clients, mistakes, limits, slow clients,
# stops and kills. AFTUNE_PYTHON names an interpreter that has PyPI's openai; without it that part is skipped.
set -euo pipefail
export AFTUNE=${1:?} LC_ALL=C
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
work=$(mktemp -d)
server=''
trap '[[ ! $server ]] || kill -9 "$server" 2>/dev/null || true; rm -rf "$work"' EXIT

source "${BASH_SOURCE[0]%/*}/expect.sh"
# serve OPTIONS...: sets server, url.
serve() {
  : >serve.out
  "$AFTUNE" serve t/model --serving serving --key keys/server.key --contract t/contract.json \
    --run t/run --layers-per-block 1 --port 0 --name tiny "$@" >serve.out 2>serve.log &
  server=$!
  url=''
  while [[ ! $url ]]; do
    kill -0 "$server" 2>/dev/null || fail "the server did not start: $(cat serve.log)"
    url=$(sed -n 's/^listening on //p' serve.out)
    [[ $url ]] || sleep 0.05
  done
}
stopped() { # SIGNAL: ends the server, which must end well
  kill "-$1" "$server"
  wait "$server" || fail "the server ended with $?: $(cat serve.log)"
  server=''
}
# refused STATUS CODE CURL_ARGUMENTS...
refused() {
  local status=$1 code=$2 got
  shift 2
  got=$(curl -sS -o body -w '%{http_code}' "$@") || true
  [[ $got == "$status" ]] || fail "status of $*: $got, expected $status: $(cat body)"
  grep -qF "\"code\":\"$code\"" body || fail "no code $code from $*: $(cat body)"
}
verified() { # ANSWER_FOLDER BODY
  expect 0 HOLDS "$AFTUNE" receipt verify "$1/receipt.json" --proof "$1/receipt.tlog-proof" \
    --answer "$1/answer.json" --server keys/server.pub --asked "$2"
}

cd "$work"
"$root/examples/serve/run.sh" example >example.out 2>&1 || fail "the example: $(cat example.out)"
for line in "HOLDS: the answer is the one" "training   ACCEPT by verdict" "2 receipted"; do
  grep -qF "$line" example.out || fail "the example does not say \"$line\": $(cat example.out)"
done
[[ $(grep -c '^ACCEPT' example.out) == 2 && $(grep -c '^HOLDS' example.out) == 2 ]] ||
  fail "the example: $(cat example.out)"
grep -qF '[DONE]' example/stream.txt || fail "the stream was cut by the stop"
expect 2 "is not empty" "$root/examples/serve/run.sh" example
cd example

# Another body than the one that was sent is told.
sed 's/"max_tokens":12/"max_tokens":13/' asked.json >other.json
expect 1 "[request]" "$AFTUNE" receipt verify answer/receipt.json --proof answer/receipt.tlog-proof \
  --answer answer/answer.json --server keys/server.pub --asked other.json
sed 's/Count down from 3/Count down from 4/' asked.json >other.json
expect 1 "another prompt" "$AFTUNE" receipt verify answer/receipt.json --server keys/server.pub \
  --proof answer/receipt.tlog-proof --answer answer/answer.json --asked other.json

# The same log goes on; one place in the queue, small limits.
serve --max-tokens 100 --body-bytes 2000 --queue 1 --batch 1 --connections 40 --idle-seconds 2
json=(-H 'Content-Type: application/json')
printf '{"prompt":"Hello","max_tokens":8,"seed":3}' >body.json
curl -sS --fail-with-body "$url/v1/completions" "${json[@]}" --data-binary @body.json >got.json
"$AFTUNE" receipt unpack got.json -o first && verified first body.json
expect 2 "first/receipt.json" "$AFTUNE" receipt unpack got.json -o first
# On the wire byte by byte, in chunks, over HTTP/1.0: the same text.
text=$(grep -o '"text":"[^"]*"' got.json)
for how in '--http1.0' '-HTransfer-Encoding:chunked' '-HExpect:100-continue'; do
  curl -sS "$how" "$url/v1/completions" "${json[@]}" --data-binary @body.json >again.json
  [[ $(grep -o '"text":"[^"]*"' again.json) == "$text" ]] || fail "another text with $how"
done

refused 400 invalid_body "$url/v1/completions" -d '{"prompt":'
refused 400 invalid_body "$url/v1/completions" -d '{"prompt":"a","max_tokens":101}'
refused 400 invalid_body "$url/v1/completions" -d '{"prompt":"a","logprobs":3}'
refused 400 invalid_body "$url/v1/chat/completions" -d '{"max_tokens":5,"messages":[{"role":"user","content":"a"}]}'
grep -q "chat template" body || fail "a model without a template: $(cat body)"
refused 404 model_not_found "$url/v1/completions" -d '{"prompt":"a","model":"gpt-4"}'
refused 404 not_found "$url/v1/nothing"
refused 405 method_not_allowed "$url/v1/completions"
head -c 3000 /dev/zero | tr '\0' a >long.txt
refused 413 body_too_large "$url/v1/completions" --data-binary @long.txt
expect 0 '"id":"tiny"' curl -sS "$url/v1/models"
expect 0 '"status":"ok"' curl -sS "$url/health"

# A client that sends half a request, one that sends nothing, and one that does not read its
# answer, hold up nobody; the first two are closed by the server.
port=${url##*:}
exec 5<>"/dev/tcp/127.0.0.1/$port" 6<>"/dev/tcp/127.0.0.1/$port" 7<>"/dev/tcp/127.0.0.1/$port"
printf 'POST /v1/completions HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n{"pro' >&5
printf 'POST /v1/completions HTTP/1.1\r\nHost: h\r\nContent-Length: 53\r\n\r\n{"prompt":"a","max_tokens":90,"seed":1,"stream":true}' >&7
tries=0
until curl -sS --fail "$url/v1/completions" -d @body.json >/dev/null 2>&1; do # 503 while the queue has one
  ((++tries < 200)) || fail "slow clients hold the server up"
  sleep 0.05
done
timeout 20 cat <&6 >/dev/null || fail "a silent connection was not closed"
timeout 20 cat <&5 >/dev/null || fail "half a request was waited for"
exec 5>&- 6>&- 7>&-

# PyPI's openai, unmodified.
python=${AFTUNE_PYTHON:-python3}
if "$python" -c 'import openai' 2>/dev/null; then
  "$python" "$root/tests/cli/openai_client.py" "$url/v1" tiny openai_answers
  verified openai_answers/whole openai_answers/whole/asked.json
  verified openai_answers/streamed openai_answers/streamed/asked.json
  openai="openai's client too"
else
  openai="openai's client skipped: $python has no module openai"
fi
curl -sS "$url/metrics" >metrics
grep -q '^aftune_requests_total{outcome="failed"} 0$' metrics || fail "metrics: $(cat metrics)"
grep -q '^aftune_answer_seconds_count [1-9]' metrics || fail "metrics: $(cat metrics)"
stopped INT

# Killed in the middle: the next start gives every logged receipt its proof, and goes on.
serve
for i in 1 2 3 4 5 6; do
  curl -sS "$url/v1/completions" -d '{"prompt":"a","max_tokens":60,"seed":'$i'}' >/dev/null 2>&1 &
done
sleep 0.1
kill -9 "$server"
wait 2>/dev/null || true
# A second server over the same folder, at once, and mistakes.
serve
expect 3 "" "$AFTUNE" serve t/model --serving serving --key keys/server.key --layers-per-block 1 \
  --contract t/contract.json --run t/run --port 0
expect 2 "numeric address" "$AFTUNE" serve t/model --serving other --key keys/server.key --host localhost
expect 3 "listen on 127.0.0.1 port $(echo "${url##*:}")" "$AFTUNE" serve t/model --serving other \
  --key keys/server.key --port "${url##*:}"
entries=$(ls serving/receipts/*.json | wc -l)
proofs=$(ls serving/receipts/*.tlog-proof | wc -l)
((proofs >= entries - 1)) || fail "$entries receipts, $proofs proofs" # the last may not be logged
curl -sS --fail-with-body "$url/v1/completions" -d @body.json >after.json
"$AFTUNE" receipt unpack after.json -o after && verified after body.json
stopped TERM

# Without receipts: the same text, nothing logged.
serve --no-receipts
curl -sS --fail-with-body "$url/v1/completions" -d @body.json >bare.json
[[ $(grep -o '"text":"[^"]*"' bare.json) == "$text" ]] || fail "another text without receipts"
expect 2 "unreceipted" "$AFTUNE" receipt unpack bare.json -o bare
stopped TERM
echo "ok; $openai"

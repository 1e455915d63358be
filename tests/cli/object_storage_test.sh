#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: tests/cli/object_storage_test.sh AFTUNE
#
# The tiny job with a real S3 server (tools/radosgw): recorded to a bucket with Object Lock, audited
# from there with contract and bucket alone; what is committed cannot be deleted; a run that lost its
# server goes on. Exit code 77 where the server is not installed,
# and without AFTUNE_TEST_S3=1: a cluster takes a quarter of a minute and some memory.
set -euo pipefail
export AFTUNE=${1:?} LC_ALL=C
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
[[ ${AFTUNE_TEST_S3-} ]] || { echo "skipped: AFTUNE_TEST_S3=1 asks for it"; exit 77; }
command -v radosgw >/dev/null || { echo "skipped: radosgw is not installed (tools/setup --s3)"; exit 77; }
work=$(mktemp -d)
trap '"$root/tools/radosgw" stop "$work/server" 2>/dev/null || true; rm -rf "$work"' EXIT

source "${BASH_SOURCE[0]%/*}/expect.sh"
request() { "$root/tools/s3_request.py" "$@"; }

"$root/tools/radosgw" start "$work/server"
source "$work/server/env"
request PUT /evidence -H x-amz-bucket-object-lock-enabled:true 2>/dev/null || fail "no bucket"
request PUT /plain 2>/dev/null || fail "no bucket"

# The tiny job, to end the day after tomorrow: a lock has a date that a server takes.
tiny=$root/examples/tiny
mkdir -p "$work/tiny/keys"
cd "$work/tiny"
cp "$tiny/data.jsonl" .
cp "$tiny"/{client,provider}.pub keys/
for private in client.secret keys/client.key keys/provider.key; do
  install -m 0600 "$tiny/$(basename "$private")" "$private"
done
sed "s/^closes_by: .*/closes_by: \"$(date -u -d '2 days' +%FT00:00:00Z)\"/" "$tiny/job.yaml" >job.yaml
"$AFTUNE" random-model --config "$tiny/config.json" --tokenizer "$tiny/tokenizer.json" --seed 7 \
  -o base 2>/dev/null
expect 0 "" "$AFTUNE" contract draft -c job.yaml -o contract.json
for role in client provider; do
  "$AFTUNE" contract sign contract.json --role $role --key keys/$role.key 2>/dev/null
done
train=("$AFTUNE" train contract.json --key keys/provider.key --model base --data data.jsonl --quiet)
audit=("$AFTUNE" audit contract.json --secret client.secret --delivered model)
expect 0 "delivered model" "${train[@]}" --run run
cp -r run/model model

# Recorded to a locked bucket; the same log as without.
expect 2 "object lock" "${train[@]}" --run "$work/run0" --store s3://plain/a --store-lock governance
expect 0 "copied " "${train[@]}" --run "$work/run" --store s3://evidence/runs/1 --store-lock governance
cmp "$work/run/log/checkpoint" run/log/checkpoint || fail "another log"
expect 2 "--resume" "${train[@]}" --run "$work/run2" --store s3://evidence/runs/1

# Audited on a machine with contract, secret and bucket.
expect 0 "ACCEPT" "${audit[@]}" --store s3://evidence/runs/1 --run "$work/fetched"
[[ ! -e $work/fetched/model ]] || fail "the delivered model was fetched"
expect 0 "all whole" "$AFTUNE" store check --store s3://evidence/runs/1 --run "$work/fetched"
expect 0 "parameters" "$AFTUNE" store stats --store s3://evidence/runs/1 --run "$work/fetched"
expect 0 "" "$AFTUNE" store fetch --store s3://evidence/runs/1 --run "$work/whole"
expect 0 "ACCEPT" "${audit[@]}" --run "$work/whole"
cmp "$work/whole/model/model.safetensors" model/model.safetensors || fail "another model"

# No version of a committed object can be deleted before its date, the latest checkpoint can.
object=$(cd "$work/run" && find store -name '*.raw' | sort | head -1)
version_of() {
  request GET "/evidence?versions&prefix=runs/1/$1" 2>/dev/null |
    grep -o '<VersionId>[^<]*' | head -1 | cut -c12-
}
tile=$(cd "$work/run" && find log/tile -type f | sort | tail -1)
for name in "$object" contract.json "$tile"; do
  version=$(version_of "$name")
  [[ $version ]] || fail "no version of $name"
  status=$(request DELETE "/evidence/runs/1/$name?versionId=$version" 2>&1 >/dev/null || true)
  [[ $status == 403 ]] || fail "deleting $name gave $status"
done
expect 0 "all whole" "$AFTUNE" store check --store s3://evidence/runs/1 --run "$work/fetched2"

# A wrong secret is told and named by nobody.
AWS_SECRET_ACCESS_KEY=wrong expect 2 "SignatureDoesNotMatch" "$AFTUNE" store check \
  --store s3://evidence/runs/1 --run "$work/fetched3"
expect 2 "NoSuchBucket" "$AFTUNE" store check --store s3://absent/runs/1 --run "$work/fetched3"

# The server dies while a run is recorded: one error, and a resume ends it on the next server.
"$root/tools/radosgw" stop "$work/server"
expect 3 "given up" "${train[@]}" --run "$work/run3" --store s3://plain/b --store-patience 1
"$root/tools/radosgw" start "$work/server2"
trap '"$root/tools/radosgw" stop "$work/server2" 2>/dev/null || true; rm -rf "$work"' EXIT
source "$work/server2/env"
request PUT /plain 2>/dev/null || fail "no bucket"
expect 0 "copied " "${train[@]}" --run "$work/run3" --store s3://plain/b --resume
expect 0 "ACCEPT" "${audit[@]}" --store s3://plain/b --run "$work/fetched4"
echo "recorded, audited, locked and resumed"

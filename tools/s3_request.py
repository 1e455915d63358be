#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One request to an S3 server, signed by code of its own: for tests with a real server.

usage: tools/s3_request.py METHOD /BUCKET[/KEY][?NAME=VALUE&...] [-H NAME:VALUE]...

Account, region and endpoint come from the AWS_* variables. Prints the answer's body; the status goes to
standard error. Exit code 0 for 2xx, 1 for any other answer, 2 for none.
"""
import datetime
import hashlib
import hmac
import http.client
import os
import sys
import urllib.parse


def hmac_sha256(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def quoted(text, safe=""):
    return urllib.parse.quote(text, safe=safe + "-._~")


def signed_headers(method, url, path, query, extra):
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    region = os.environ.get("AWS_REGION", "us-east-1")
    empty = hashlib.sha256(b"").hexdigest()
    headers = {"host": url.netloc, "x-amz-date": now, "x-amz-content-sha256": empty, **extra}
    names = ";".join(sorted(headers))
    canonical = "\n".join([method, path, query,
                           "".join(f"{n}:{headers[n]}\n" for n in sorted(headers)), names, empty])
    scope = f"{now[:8]}/{region}/s3/aws4_request"
    to_sign = "\n".join(["AWS4-HMAC-SHA256", now, scope,
                         hashlib.sha256(canonical.encode()).hexdigest()])
    key = b"AWS4" + os.environ["AWS_SECRET_ACCESS_KEY"].encode()
    for part in scope.split("/"):
        key = hmac_sha256(key, part)
    signature = hmac_sha256(key, to_sign).hex()
    headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={os.environ['AWS_ACCESS_KEY_ID']}/{scope},"
        f"SignedHeaders={names},Signature={signature}")
    return headers


def main(arguments):
    if len(arguments) < 2 or arguments[0].startswith("-"):
        sys.exit(__doc__.split("\n\n")[1])
    method, target = arguments[:2]
    extra = {}
    for flag, value in zip(arguments[2::2], arguments[3::2]):
        if flag != "-H":
            sys.exit(f"s3_request: {flag} is not -H")
        name, _, text = value.partition(":")
        extra[name.lower()] = text.strip()
    path, _, text = target.partition("?")
    path = quoted(path, "/")
    pairs = [(quoted(n), quoted(v)) for n, v in urllib.parse.parse_qsl(text, keep_blank_values=True)]
    query = "&".join(f"{n}={v}" for n, v in sorted(pairs))
    url = urllib.parse.urlsplit(os.environ["AWS_ENDPOINT_URL"])
    kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    connection = kind(url.netloc, timeout=30)
    try:
        connection.request(method, path + ("?" + query if query else ""),
                           headers=signed_headers(method, url, path, query, extra))
        answer = connection.getresponse()
        sys.stdout.write(answer.read().decode("utf-8", "replace"))
    except OSError as error:
        print(f"s3_request: {url.netloc}: {error}", file=sys.stderr)
        return 2
    print(answer.status, file=sys.stderr)
    return 0 if 200 <= answer.status < 300 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

// SPDX-License-Identifier: Apache-2.0
#include "fuzz/papers.h"

#include "aftune/crypto/sha256.h"
#include "fuzz/tiny_contract.h"

namespace aftune::fuzz {
namespace {

Papers make_papers() {
  Papers out{tiny_contract(), test_key(4),       test_key(5),
             test_key(6),     ByteBuffer(32, 7), crypto::sha256(as_bytes("challenge"))};
  trace::Contract& contract = out.contract;
  contract.client.key = out.client.public_key();
  contract.provider.key = out.provider.public_key();
  contract.verifier.key = out.client.public_key();
  contract.audit.secret_sha256 = trace::secret_commitment(contract.run_id, out.secret);
  contract.audit.witnesses = {{{"eye", out.witness.public_key()}}, 1, 3600};
  return out;
}

}  // namespace

const Papers& tiny_papers() {
  static const Papers papers = make_papers();
  return papers;
}

}  // namespace aftune::fuzz

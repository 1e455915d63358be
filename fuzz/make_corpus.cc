// SPDX-License-Identifier: Apache-2.0
// usage: make_corpus FOLDER
//
// Writes the seeds of every target below FOLDER (fuzz/corpus). Equal sources give equal bytes.
// taken-NAME must be taken by its decoder; refused-NAME were findings once, or are near misses.
#include <cstdio>
#include <filesystem>

#include "aftune/codec/key_file.h"
#include "aftune/model/gguf_testing.h"
#include "aftune/model/llama_config.h"
#include "aftune/tensor/safetensors.h"
#include "aftune/tlog/journal.h"
#include "aftune/tlog/merkle.h"
#include "aftune/tlog/tiled_tree.h"
#include "aftune/tlog/tlog_proof.h"
#include "aftune/trace/encoded_object.h"
#include "aftune/trace/entry.h"
#include "aftune/trace/list.h"
#include "fuzz/corpus.h"
#include "fuzz/tiny_contract.h"

namespace aftune::fuzz {

// For the linker: this program decodes nothing.
bool decode_one(Bytes) { return true; }

namespace {

void make_texts(const Path& root) {
  const Corpus scalars(root, "scalars");
  scalars.add("taken-digest", digest_of("a").hex());
  scalars.add("taken-base64", "AAECAwQFBgc=");
  scalars.add("taken-hex-float", "-0x1.921fb54442d18p+1");
  scalars.add("taken-subnormal", "0x1p-1074");
  scalars.add("taken-decimal", "18446744073709551615");
  const Corpus xml(root, "xml");
  xml.add("taken-listing",
          "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult xmlns=\"http://s3/\">"
          "<IsTruncated>false</IsTruncated><Contents><Key>a&amp;b</Key><Size>7</Size></Contents>"
          "</ListBucketResult>\n");
  xml.add("taken-complaint", "<s3:Error x='y'><Code>&#65;&#x20ac;</Code><Empty/></s3:Error>");
  xml.add("refused-comment", "<a><!-- c --></a>");
  xml.add("refused-end", "<a></b>");
  const Corpus json(root, "json");
  json.add("taken-canonical", R"({"a":[1,-2,true,null,"\u0000\n\"é"],"b":{"c":9007199254740992}})");
  json.add("taken-reals",
           R"([0.1, -0.0, 1e300, 5e-324, -0, 123456789012345678901, 1E+2, {"é": 1}])");
  json.add("taken-surrogates", R"( {"k": "\ud83d\ude00 \/ \u00e9"} )");
  json.add("refused-lone-surrogate", R"(["\ud83d"])");
  json.add("refused-twice", R"({"a":1,"a":2})");
  json.add("refused-depth", "[[[[[[[[[[1]]]]]]]]]]");
}

void make_safetensors(const Path& root) {
  const Corpus out(root, "safetensors");
  const std::string elements(16, '\x3f');
  const Bytes all = as_bytes(elements);
  const std::vector<NamedTensor> tensors = {{"a.weight", {Dtype::kF32, {2, 1}, all.first(8)}},
                                            {"b", {Dtype::kBF16, {2}, all.first(4)}},
                                            {"scalar", {Dtype::kI32, {}, all.first(4)}}};
  const std::string header = safetensors_header(tensors);
  out.add("taken-three", header + elements);
  out.add("refused-short", header + elements.substr(1));
  const auto file = [&](std::string text, const std::string& data) {
    return std::string(as_text(store_le(std::uint64_t{text.size()}))) + text + data;
  };
  // Not aligned: bytes 1 to 9 behind one of U8.
  out.add("taken-unaligned",
          file(R"({"__metadata__":{"format":"pt"},)"
               R"("b":{"dtype":"F64","shape":[1],"data_offsets":[1,9]},)"
               R"("a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
               R"("none":{"dtype":"BOOL","shape":[3,0],"data_offsets":[9,9]}}  )",
               elements.substr(0, 9)));
  out.add("refused-overlap", file(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},)"
                                  R"("b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})",
                                  "abc"));
  out.add(
      "refused-huge",
      file(R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}})", ""));
}

void make_gguf(const Path& root) {
  using namespace model::testing;  // NOLINT: the writer of test files
  const Corpus out(root, "gguf");
  GgufText text = tiny_gguf();
  out.add("taken-tiny", text.bytes());
  text.version = 2;
  text.set_text("llama.rope.scaling.type", "none");
  text.set_bool("tokenizer.ggml.add_bos_token", false);
  auto& down = text.tensor("blk.0.ffn_down.weight");
  down.type = 1;  // F16
  down.data.resize(down.data.size() / 2);
  out.add("taken-f16", text.bytes());
  GgufText bare;
  bare.set("i8", 1, "\xff");
  bare.set("f64", 12, std::string(8, '\0'));
  bare.set_u32("general.alignment", 8);
  bare.alignment = 8;
  bare.tensor("q8").dimensions = {32, 1};
  bare.tensor("q8").type = 8;  // Q8_0
  bare.tensor("q8").data = std::string(34, '\x11');
  out.add("taken-q8", bare.bytes());
  bare.tensor("q8").data.pop_back();
  out.add("refused-short", bare.bytes().substr(0, bare.bytes().size() - 8));
}

model::LlamaConfig small_config() {
  return {.vocab_size = 7,
          .hidden_size = 8,
          .intermediate_size = 12,
          .layer_count = 2,
          .head_count = 2,
          .kv_head_count = 1,
          .head_dim = 4,
          .max_positions = 64,
          .rms_norm_eps = 1e-5F,
          .rope_theta = 10000,
          .tied_embeddings = true};
}

void make_configs(const Path& root) {
  const Corpus out(root, "hf_config");
  out.add("taken-exported", codec::pretty_json(model::to_hf_config(small_config())));
  out.add("taken-old", tree_file("examples/tiny/config.json"));
  out.add("taken-least",
          R"({"model_type":"llama","vocab_size":9,"hidden_size":8,"intermediate_size":8,)"
          R"("num_hidden_layers":1,"max_position_embeddings":8,"num_attention_heads":2,)"
          R"("rms_norm_eps":1e-6,"rope_parameters":{"rope_theta":5e5,"rope_type":"default"}})");
}

void make_keys(const Path& root) {
  const Corpus keys(root, "keys");
  const crypto::PrivateKey key = test_key(1);
  keys.add("taken-verifier", codec::spell_verifier_key("provider", key.public_key()));
  keys.add("taken-origin", codec::spell_verifier_key("aftune/run/seed", key.public_key()));
  must(codec::write_key_files(scratch(), "seed", key));
  keys.add("taken-private", must(read_text_file(scratch() / "seed.key", 4096)));
  const Corpus dsse(root, "dsse");
  codec::Dsse envelope{"application/vnd.aftune.contract+json", "{}", {}};
  dsse.add("taken-unsigned", codec::encode_dsse(envelope));
  envelope.sign(key, "client");
  envelope.sign(test_key(2), "provider");
  dsse.add("taken-two", codec::encode_dsse(envelope));
}

void make_log(const Path& root) {
  std::vector<Digest> leaves;
  std::string bundle, journal;
  for (const std::string entry : {"first", "", "third", "fourth", "fifth"}) {
    leaves.push_back(tlog::leaf_hash(as_bytes(entry)));
    bundle += std::string{'\0', static_cast<char>(entry.size())} + entry;
  }
  const Corpus log(root, "log");
  log.add("taken-bundle", 5, bundle);
  log.add("refused-bundle", 4, bundle);
  auto opened = must(tlog::Journal::open(scratch() / "seed"));
  must(opened.journal.append(7, "entry seven"));
  must(opened.journal.append(8, ""));
  journal = must(read_text_file(scratch() / "seed", 4096));
  log.add("taken-journal", 0, journal);
  log.add("taken-torn-journal", 0, journal.substr(0, journal.size() - 1));

  const crypto::PrivateKey key = test_key(1);
  const tlog::Checkpoint checkpoint{"aftune/run/seed", leaves.size(), tlog::merkle_root(leaves)};
  tlog::SignedNote note = tlog::sign_checkpoint(checkpoint, key);
  const Corpus checkpoints(root, "checkpoint");
  checkpoints.add("taken-signed", tlog::encode_note(note));
  note.sign(test_key(3), "witness.example/w1");
  checkpoints.add("taken-cosigned", tlog::encode_note(note));
  checkpoints.add("refused-bare", tlog::checkpoint_text(checkpoint));
  const Corpus proofs(root, "tlog_proof");
  for (const std::uint64_t index : {0u, 4u}) {
    const auto path = must(tlog::inclusion_proof(leaves, index));
    tlog::TlogProof proof{index, path, tlog::encode_note(note)};
    if (index == 4) proof.extra = {1, 2, 3};
    proofs.add("taken-index-" + std::to_string(index), tlog::encode_tlog_proof(proof));
  }
}

std::string small_tokenizer(const std::string& normalizer, const std::string& splitting) {
  return R"({"version":"1.0","truncation":null,"padding":null,"added_tokens":[{"id":4,)"
         R"("content":"<s>","single_word":false,"lstrip":false,"rstrip":false,)"
         R"("normalized":false,"special":true}],"normalizer":)" +
         normalizer + R"(,"pre_tokenizer":)" + splitting +
         R"(,"post_processor":null,"decoder":{"type":"ByteLevel"},"model":{"type":"BPE",)"
         R"("vocab":{"a":0,"b":1,"ab":2,"\u0120":3},"merges":["a b"]}})";
}

void make_text(const Path& root) {
  const std::string byte_level =
      R"({"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true})";
  const std::string split =
      R"({"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":)"
      R"("(?i:'s|'t)|\\p{N}{1,3}| ?[^\\s\\p{L}]+|\\s+(?!\\S)|\\s+|\\p{L}+"},"behavior":"Isolated",)"
      R"("invert":false},{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,)"
      R"("use_regex":false}]})";
  const Corpus tokenizers(root, "tokenizer");
  const std::string example = tree_file("examples/tiny/tokenizer.json");
  tokenizers.add("taken-example", example);
  tokenizers.add("taken-small", small_tokenizer("null", byte_level));
  tokenizers.add("taken-nfc", small_tokenizer(R"({"type":"NFC"})", split) + std::string(1, '\0') +
                                  "ab<s> ba e\u0301 123's");
  const Corpus rows(root, "dataset");
  const std::string pairs =
      "{\"prompt\":\"What is 2+2?\",\"completion\":\"4\"}\n"
      "{\"completion\":\"\u00e9\\n\",\"prompt\":\"\"}\n";
  rows.add("taken-completion", 12, pairs);
  rows.add("taken-all", 126, pairs);
  rows.add("taken-text", 1, "{\"text\":\"Hello <|im_end|> world\"}\n{\"text\":\"\"}");
  rows.add("refused-empty-line", 1, "{\"text\":\"a\"}\n\n");
  const Corpus jobs(root, "job");
  jobs.add("taken-example", tree_file("examples/tiny/job.yaml"));
  jobs.add("refused-endless-documents", "&1 '4', [1]\n: ~ ~\n");
  jobs.add("refused-two-documents", "a: 1\n---\nb: 2\n");
  jobs.add("taken-odd", "&a steps: 0x10\nbatch: &b {samples: '4', 7: [1]}\ngrid: *b\n? [1]\n: ~\n");
}

trace::StepList step_list(const trace::Contract& contract) {
  trace::StepList list;
  list.salt = digest_of("salt");
  list.rows = {5, 0, 39, 2};
  list.counted = 77;
  list.learning_rate = 0.005;
  list.norm = 1.75;
  list.clip = 0.5F;
  list.losses = {6.25F, 0x1p-149F};
  for (const TensorSpec& spec : model::parameter_specs(contract.architecture)) {
    list.squares[spec.name] = 0.0625;
  }
  for (std::size_t i = 0; i < trace::edge_places(contract, 3).size(); ++i) {
    list.edges.push_back(digest_of(std::to_string(i)));
  }
  return list;
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  AFTUNE_CHECK(text.find(from) != std::string::npos, "nothing to replace");
  return text.replace(text.find(from), from.size(), to);
}

/// As the target does, the base of a delta is (i * 37 >> 3) mod 256 at byte i.
void make_encoded_objects(const Path& root) {
  const Corpus out(root, "encoded_object");
  ByteBuffer base(4096), plain(4096);
  for (std::size_t i = 0; i < base.size(); ++i) base[i] = static_cast<std::uint8_t>(i * 37 >> 3);
  for (std::size_t i = 0; i < plain.size(); ++i) {
    plain[i] = static_cast<std::uint8_t>(i % 4 == 3 ? 60 + i % 3 : base[i] + (i % 8 == 0 ? 3 : 0));
  }
  const std::pair<trace::Encoding, const char*> names[] = {{trace::Encoding::kZst, "zst"},
                                                           {trace::Encoding::kPlanes, "planes"},
                                                           {trace::Encoding::kDelta, "delta"},
                                                           {trace::Encoding::kHalves, "halves"}};
  for (char choice = 0; choice < 4; ++choice) {
    const auto& [encoding, name] = names[static_cast<std::size_t>(choice)];
    trace::ObjectHeader header{encoding, 0, plain.size(), {}};
    if (encoding == trace::Encoding::kDelta) {
      header.depth = 1;
      header.base = digest_of("base");
    }
    ByteBuffer file;
    const Status done = trace::encode_object(header, plain, base, nullptr, [&](Bytes piece) {
      append(file, piece);
      return ok();
    });
    AFTUNE_CHECK(done.has_value(), "not encoded");
    const std::string text(as_text(file));
    out.add(std::string("taken-") + name, choice, text);
    out.add(std::string("refused-short-") + name, choice, text.substr(0, text.size() - 1));
    out.add(std::string("refused-long-") + name, choice, text + '\0');
  }
}

void make_lists(const Path& root, const trace::Contract& contract) {
  const Corpus out(root, "lists");
  trace::StateList state{digest_of("salt"), {}};
  for (std::size_t i = 0; i < trace::state_tensors(contract, 1).size(); ++i) {
    state.digests.push_back(digest_of(std::to_string(i)));
  }
  constexpr char kState = 1 * 4;
  constexpr char kStep = 3 * 4 + 1;
  out.add("taken-state", kState, trace::encode_list(contract, 1, 1, state));
  const std::string step = trace::encode_list(contract, 3, step_list(contract));
  out.add("taken-step", kStep, step);
  out.add("refused-clip-beyond-fp32", kStep,
          replaced(step, R"("clip":"0x1p-1")", R"("clip":"0x1p+1000")"));
  out.add("refused-loss-beyond-fp32", kStep,
          replaced(step, R"("0x1.9p+2")", R"("-0x1.fffffffffffffp+1023")"));
  const trace::CloseList close{digest_of("salt"),
                               digest_of("root"),
                               {{"config.json", 581, digest_of("config")},
                                {"model.safetensors", 821520, digest_of("model")}}};
  out.add("taken-close", 2, trace::encode_list(close));
  out.add("taken-abort", 3,
          trace::encode_list(trace::AbortList{digest_of("salt"), 4, "loss is not finite"}));
}

void make_trace(const Path& root) {
  const trace::Contract& contract = tiny_contract();
  const Corpus contracts(root, "contract");
  contracts.add("taken-payload", contract.payload());
  contracts.add("taken-envelope", tree_file("examples/tiny/contract.json"));
  trace::Contract other = contract;
  other.training.optimizer = {train::OptimizerKind::kSgd, 0, 0, 0, 0.9, 0};
  other.training.schedule = {train::ScheduleKind::kConstant, 1e-3, 0, 0};
  other.architecture.tied_embeddings = false;
  other.base_public = false;
  other.order = {"none", false};
  contracts.add("taken-sgd", other.payload());

  const trace::Timeline timeline(contract);
  const Corpus entries(root, "entries");
  for (const std::uint64_t position :
       {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{6}, timeline.position_of_close()}) {
    entries.add("taken-" + std::to_string(position), static_cast<char>(position),
                trace::encode_entry(position, timeline.at(position), digest_of("list")));
  }
  entries.add("taken-abort", 9, trace::encode_abort(9, {2, "non-finite", digest_of("list")}));
  make_lists(root, contract);

  make_encoded_objects(root);

  const Corpus store(root, "store");
  const std::string hex = digest_of("object").hex();
  store.add("taken-object", hex.substr(0, 2) + "\n" + hex + ".raw");
  store.add("taken-astray", "00\n" + hex + ".raw");
  store.add("taken-stranger", "ab\n.tmp-1234");
}

}  // namespace
}  // namespace aftune::fuzz

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: make_corpus FOLDER\n", stderr);
    return 2;
  }
  const aftune::Path root = argv[1];
  aftune::fuzz::make_texts(root);
  aftune::fuzz::make_safetensors(root);
  aftune::fuzz::make_gguf(root);
  aftune::fuzz::make_configs(root);
  aftune::fuzz::make_keys(root);
  aftune::fuzz::make_log(root);
  aftune::fuzz::make_text(root);
  aftune::fuzz::make_trace(root);
  aftune::fuzz::make_papers(root);
  return 0;
}

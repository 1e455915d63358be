// SPDX-License-Identifier: Apache-2.0
// A1 and A2: files made to run code in an auditor, to fill its memory or to stop it. Each must be
// refused with a clear error, in little memory, by whatever reads it.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <fstream>

#include "aftune/audit/verdict.h"
#include "aftune/base/endian.h"
#include "aftune/codec/dsse.h"
#include "aftune/model/gguf.h"
#include "aftune/model/import.h"
#include "aftune/tensor/safetensors.h"
#include "aftune/tlog/tiles.h"
#include "aftune/trace/entry.h"
#include "aftune/trace/list.h"
#include "expect_verdict.h"
#include "finished_run.h"

namespace aftune::liar {
namespace {

constexpr std::uint64_t kRoom = std::uint64_t{192} << 20;

std::uint64_t address_space() {
  std::ifstream pages("/proc/self/statm");
  std::uint64_t count = 0;
  pages >> count;
  return count * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

/// The message of the error that `read` gives in a process that may take no more than kRoom of
/// new memory; a crash, an exception or a success is a failure of the test.
template <typename Read>
std::string refusal(const Read& read) {
  int pipe[2];
  must(::pipe(pipe) == 0 ? ok() : Status(Error{Code::kUnavailable, "pipe"}));
  const pid_t child = ::fork();
  if (child == 0) {
    const rlimit limit{address_space() + kRoom, address_space() + kRoom};
    ::setrlimit(RLIMIT_AS, &limit);
    const auto got = read();
    const std::string text = got ? std::string() : got.error().what;
    const auto wrote = ::write(pipe[1], text.data(), std::min<std::size_t>(text.size(), 4096));
    ::_exit(got || wrote < 0 ? 1 : 0);
  }
  ::close(pipe[1]);
  std::string text(4096, '\0');
  const auto size = ::read(pipe[0], text.data(), text.size());
  text.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  ::close(pipe[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "not refused, but " << status;
  EXPECT_LT(text.size(), 1500U) << "a message, not a dump";
  return text;
}

template <typename Read>
void expect_refusal(const Read& read, const std::string& names) {
  const std::string message = refusal(read);
  EXPECT_NE(message.find(names), std::string::npos) << message << "\n  expected: " << names;
}

std::string le64(std::uint64_t value) {
  const auto bytes = store_le<std::uint64_t>(value);
  return std::string(as_text(bytes));
}

std::string le32(std::uint32_t value) {
  const auto bytes = store_le<std::uint32_t>(value);
  return std::string(as_text(bytes));
}

std::string safetensors(const std::string& header, std::size_t data_bytes = 16) {
  return le64(header.size()) + header + std::string(data_bytes, '\0');
}

/// A Python pickle that would run a command where one loads it, as pickle and as PyTorch's ZIP.
std::string pickle(const Path& mark) {
  return fmt::format(
      "\x80\x02"
      "cposix\nsystem\nX{}touch {}\x85R.",
      le32(static_cast<std::uint32_t>(mark.string().size() + 6)), mark.string());
}

TEST(HostileFiles, A1APickleIsNoModel) {
  const Path mark = fresh_path("mark");
  const World& w = world(untied());
  for (const std::string& text : {pickle(mark), std::string("PK\x03\x04") + pickle(mark)}) {
    const Path file = fresh_path("model.safetensors");
    replace(file, text);
    expect_refusal([&] { return SafetensorsFile::open(file); }, "header of ");
    expect_refusal([&] { return model::GgufFile::open(file); }, "");
    expect_refusal([&] { return model::import_gguf(file, fresh_path("imported")); }, "");

    const Path folder = fresh_path("folder");
    std::filesystem::copy(w.base(), folder);
    replace(folder / "model.safetensors", text);
    expect_refusal([&] { return model::import_hf(folder, fresh_path("imported")); }, "header of ");

    auto run = w.copy_of_honest_run();
    replace(run.delivered() / "model.safetensors", text);
    EXPECT_TRUE(rejected(w.audit_all(run), {"delivery", "delivered folder", "header of "}));
    run = w.copy_of_honest_run();
    replace(run.base() / "model.safetensors", text);
    EXPECT_TRUE(rejected(w.audit_all(run), {"base", "layer block 0, step block 0", "header of "}));
    EXPECT_FALSE(std::filesystem::exists(mark)) << "the file was run";
  }
}

TEST(HostileFiles, A2Safetensors) {
  const auto tensor = [](const char* shape, const char* offsets) {
    return fmt::format(R"({{"x":{{"dtype":"F32","shape":{},"data_offsets":{}}}}})", shape, offsets);
  };
  std::string deep(4000, '[');
  const std::pair<std::string, std::string> cases[] = {
      {le64(std::uint64_t{1} << 32) + "{}", "header of 4294967296 bytes"},
      {le64(~std::uint64_t{0}) + "{}", "header of 18446744073709551615 bytes"},
      {"", "bytes"},
      {le64(2), "bytes"},
      {safetensors(tensor("[1152921504606846976]", "[0,16]")), "x"},
      {safetensors(tensor("[4294967296,4294967296]", "[0,16]")), "x"},
      {safetensors(tensor("[35184372088832]", "[0,16]")), "x"},
      {safetensors(tensor("[0,1152921504606846976]", "[0,0]"), 0), "x"},
      {safetensors(tensor("[4]", "[-16,0]")), "data_offsets"},
      {safetensors(tensor("[4]", "[16,0]")), "x"},
      {safetensors(tensor("[4]", "[0,17]")), "x"},
      {safetensors(tensor("[4]", "[0,9007199254740993]")), "data_offsets"},
      {safetensors(tensor("[4.0]", "[0,16]")), "shape"},
      {safetensors(tensor("[1,1,1,1,1,1,1,1,4]", "[0,16]")), "9 extents"},
      {safetensors(R"({"x":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},)"
                   R"("x":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}})"),
       "x"},
      {safetensors(R"({"x":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},)"
                   R"("y":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}})"),
       "y"},
      {safetensors(R"({"x":{"dtype":"OBJ","shape":[4],"data_offsets":[0,16]}})"), "OBJ"},
      {safetensors(deep), "header"},
      {safetensors(std::string(4'000'000, '0')), "header"},
  };
  for (const auto& [bytes, names] : cases) {
    expect_refusal([&, &b = bytes] { return SafetensorsFile::parse(as_bytes(b)); }, names);
  }
}

std::string gguf(std::uint64_t tensors, std::uint64_t keys, const std::string& rest) {
  return std::string("GGUF") + le32(3) + le64(tensors) + le64(keys) + rest;
}

std::string gguf_string(const std::string& text) { return le64(text.size()) + text; }

TEST(HostileFiles, A2Gguf) {
  const std::string array_of = gguf_string("k") + le32(9);
  std::string nested = array_of;
  for (int i = 0; i < 2000; ++i) nested += le32(9) + le64(1);
  const std::string tensor = gguf_string("t") + le32(2);
  const std::pair<std::string, std::string> cases[] = {
      {gguf(~std::uint64_t{0}, 0, ""), "tensors"},
      {gguf(0, ~std::uint64_t{0}, ""), "keys"},
      {gguf(0, 1, le64(std::uint64_t{1} << 60)), ""},
      {gguf(0, 1, gguf_string("k") + le32(8) + le64(std::uint64_t{1} << 62)), "k"},
      {gguf(0, 1, array_of + le32(8) + le64(std::uint64_t{1} << 23)), "k"},
      {gguf(0, 1, array_of + le32(10) + le64(std::uint64_t{1} << 61)), "k"},
      {gguf(0, 1, nested), "k"},
      {gguf(1, 0,
            tensor + le64(std::uint64_t{1} << 40) + le64(std::uint64_t{1} << 40) + le32(0) +
                le64(0) + std::string(64, '\0')),
       "t"},
      {gguf(
           1, 0,
           tensor + le64(4) + le64(4) + le32(0) + le64(~std::uint64_t{31}) + std::string(64, '\0')),
       "t"},
      {gguf(1, 0, gguf_string("t") + le32(0xFFFFFFFF)), "t"},
      {std::string("GGUF") + le32(99), "version"},
  };
  for (const auto& [bytes, names] : cases) {
    expect_refusal([&, &b = bytes] { return model::GgufFile::parse(as_bytes(b)); }, names);
  }
}

TEST(HostileFiles, A2Contract) {
  const std::string payload = world(untied()).contract().payload();
  const auto with = [&](std::string_view from, std::string_view to) {
    std::string out = payload;
    const auto at = out.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return at == std::string::npos ? out : out.replace(at, from.size(), to);
  };
  const std::pair<std::string, std::string> cases[] = {
      {std::string(2'000'000, ' '), "2000000 bytes"},
      {std::string(900'000, '['), "levels"},
      {R"({"a":)" + std::string(20, '[') + std::string(20, ']') + "}", "levels"},
      {with(R"("steps":5)", R"("steps":5,"steps":5)"), "second member"},
      {with(R"("steps":5)", R"("steps":1152921504606846976)"), ""},
      {with(R"("steps":5)", R"("steps":5.5)"), ""},
      {with(R"("vocab_size":512)", R"("vocab_size":4294967295)"), ""},
      {with(R"("layer_count":4)", R"("layer_count":4000000000)"), "layer_count"},
      {with(R"("samples":4)", R"("samples":1000000000)"), "samples"},
      {with(R"("sequence":20)", R"("sequence":1048577)"), "sequence"},
      {with(R"("path":"aftune.safetensors")", R"("path":"../aftune.safetensors")"),
       "no file that travels with a model"},
      {with(R"("path":"aftune.safetensors")", R"("path":"/etc/passwd")"),
       "no file that travels with a model"},
      {with(R"("version":1})", R"("version":1,"zzz":true})"), "zzz"},
      {payload + " ", "canonical"},
  };
  for (const auto& [text, names] : cases) {
    expect_refusal([&, &t = text] { return trace::Contract::parse(t); }, names);
  }
  expect_refusal([&] { return trace::open_signed_contract(std::string(8U << 20, '{')); }, "");
}

TEST(HostileFiles, A2Lists) {
  const trace::Contract& contract = world(fine()).contract();
  std::string many = R"({"_salt":[)";
  for (int i = 0; i < 10'000'000; ++i) many += "0,";
  many += "0]}";
  const std::pair<std::string, std::string> cases[] = {
      {many, "values"},
      {std::string(60'000'000, '['), "levels"},
      {std::string("{\"_salt\":\"\xFF\"}"), "list"},
      {R"({"_salt":"00"})", "_salt"},
      {R"({"_salt":null})", "_salt"},
      {"[]", "list"},
      {"", "list"},
      {std::string(1, '\0'), "zero byte"},
      {R"({"a":1,"a":1})", "a"},
  };
  for (const auto& [text, names] : cases) {
    const std::string& t = text;
    expect_refusal([&] { return trace::decode_state_list(contract, 0, 1, t); }, names);
    expect_refusal([&] { return trace::decode_step_list(contract, 1, t); }, names);
    expect_refusal([&] { return trace::decode_close_list(t); }, names);
    expect_refusal([&] { return trace::decode_abort_list(t); }, names);
  }
}

TEST(HostileFiles, A2Entries) {
  const trace::Place place{trace::EntryKind::kStep, 0, 0, 3};
  const std::string digest(64, '0');
  const std::pair<std::string, std::string> cases[] = {
      {std::string(65000, '['), "levels"},
      {R"({"list":")" + digest + R"(","list":")" + digest + R"("})", "entry 9"},
      {fmt::format(R"({{"aftune":1,"kind":"step","list":"{}","position":9,"step":4}})", digest),
       "the contract implies"},
      {fmt::format(R"({{"aftune":2,"kind":"step","list":"{}","position":9,"step":3}})", digest),
       "the contract implies"},
      {fmt::format(R"({{"aftune":1,"kind":"step","list":"{}","position":9,"step":3}} )", digest),
       "canonical"},
      {R"({"list":")" + std::string(60000, 'f') + "\"}", "entry 9"},
      {R"({"list":1.5})", "entry 9"},
      {"{\"\xC3\xA9\":1}", "entry 9"},
  };
  for (const auto& [text, names] : cases) {
    expect_refusal([&, &t = text] { return trace::decode_entry(t, 9, place); }, names);
    EXPECT_FALSE(trace::is_abort(text));
  }
}

/// Writes a log whose checkpoint the provider signed over whatever it likes.
void sign_checkpoint_of(const World& w, const Path& log, std::uint64_t size) {
  std::filesystem::remove_all(log / "checkpoints");
  const auto note =
      tlog::sign_checkpoint({w.contract().origin(), size, Digest{}}, w.provider_key());
  replace(log / "checkpoint", tlog::encode_note(note));
}

TEST(HostileFiles, A2ALogThatClaimsTooMuch) {
  const World& w = world(untied());
  for (const std::uint64_t size : {std::uint64_t{24}, std::uint64_t{1} << 60, ~std::uint64_t{0}}) {
    const auto run = w.copy_of_honest_run();
    sign_checkpoint_of(w, run.log(), size);
    expect_refusal([&] { return tlog::read_log(run.log(), w.contract().log_key()); }, "");
    EXPECT_EQ(w.audit_all(run).outcome, audit::Outcome::kReject) << size;
  }
}

TEST(HostileFiles, A2Notes) {
  const World& w = world(untied());
  const auto key = w.contract().log_key();
  const std::string note =
      must(read_text_file(w.honest_run().log() / "checkpoint", std::uint64_t{1} << 20));
  std::string lines = note;
  for (int i = 0; i < 200; ++i) lines += "\xE2\x80\x94 a AAAAAA==\n";
  const std::pair<std::string, std::string> cases[] = {
      {std::string(2'000'000, 'a'), ""},
      {lines, ""},
      {note + note, ""},
      {"", ""},
      {w.contract().origin() + "\n99999999999999999999999999\n", ""},
  };
  for (const auto& [text, names] : cases) {
    expect_refusal([&, &t = text] { return tlog::open_checkpoint(t, key); }, names);
  }
}

/// A file of `size` zero bytes that takes no room on the disk.
void make_hole(const Path& file, std::uint64_t size) {
  std::filesystem::remove(file);
  std::ofstream(file).close();
  std::filesystem::resize_file(file, size);
}

TEST(HostileFiles, A2HolesOfATerabyteArePassedByInNoTime) {
  constexpr std::uint64_t kTerabyte = std::uint64_t{1} << 40;
  const World& w = world(untied());
  const FinishedRun honest(w, w.copy_of_honest_run());
  const auto t = honest.timeline();
  const Path root = honest.folder().root;
  const auto in = [&](const Path& path) { return std::filesystem::relative(path, root); };
  const Path files[] = {
      "data.jsonl",
      "base/tokenizer.json",
      "base/config.json",
      "model/model.safetensors",
      "model/tokenizer.json",
      "log/checkpoint",
      "log/tile/entries/000.p/" + std::to_string(t.entry_count()),
      in(honest.object(honest.list_digest(2))),
      in(honest.object(honest.digests(t.position_of_step(3), "edges")[0])),
      in(honest.object(honest.digests(t.position_of_state(1, 1), "tensors")[0])),
  };
  for (const Path& file : files) {
    const auto run = w.copy_of_honest_run();
    make_hole(run.root / file, kTerabyte);
    expect_refusal(
        [&]() -> Status {
          const auto verdict = w.audit_all(run);
          if (verdict.outcome != audit::Outcome::kReject) return ok();
          return Error{Code::kInvalidInput, verdict.findings[0].message};
        },
        file.filename().string().substr(0, 12));
  }
  // The weights are mapped, which takes addresses but no memory: no limit on those here.
  const auto run = w.copy_of_honest_run();
  make_hole(run.base() / "model.safetensors", kTerabyte);
  EXPECT_TRUE(rejected(w.audit_all(run), {"base", "layer block 0, step block 0", "header"}));
}

TEST(HostileFiles, A2PipesFoldersAndLoopsAreNoFiles) {
  const World& w = world(untied());
  for (const char* name :
       {"data.jsonl", "base/tokenizer.json", "model/config.json", "log/checkpoint"}) {
    for (const int kind : {0, 1, 2}) {
      const auto run = w.copy_of_honest_run();
      const Path file = run.root / name;
      std::filesystem::remove(file);
      if (kind == 0)
        must(::mkfifo(file.c_str(), 0600) == 0 ? ok()
                                               : Status(Error{Code::kUnavailable, "mkfifo"}));
      if (kind == 1) std::filesystem::create_directory(file);
      if (kind == 2) std::filesystem::create_symlink(file, file);
      EXPECT_NE(w.audit_all(run).outcome, audit::Outcome::kAccept) << name << ", kind " << kind;
    }
  }
}

TEST(HostileFiles, WhatTheProviderWroteCannotSteerATerminalOrBreakTheVerdict) {
  const World& w = world(fine());
  FinishedRun run(w, w.copy_of_honest_run());
  const auto position = run.timeline().position_of_step(1);
  std::string entry = run.entries[position];
  // An entry of its own form but for a long text of two-byte characters: a message quotes a part.
  std::string text = R"({"aftune":1,"kind":"step","list":")" + std::string(64, '0') +
                     R"(","position":6,"step":1,"zz":"x)";
  for (int i = 0; i < 400; ++i) text += "\xC3\xA9";
  run.entries[position] = text + "\"}";
  run.sign();
  replace(run.folder().delivered() / "\x1B[2J\nACCEPT\xFF", "");
  const auto verdict = w.audit_all(run.folder());
  EXPECT_EQ(verdict.outcome, audit::Outcome::kReject);
  const std::string shown = audit::verdict_text(verdict);
  EXPECT_EQ(shown.find('\x1B'), std::string::npos);
  EXPECT_EQ(shown.find("\nACCEPT"), std::string::npos);
  // The statement is a JSON document whatever is quoted in it.
  EXPECT_TRUE(codec::parse_json(codec::canonical_json(audit::verdict_statement(verdict)), {}));
}

}  // namespace
}  // namespace aftune::liar

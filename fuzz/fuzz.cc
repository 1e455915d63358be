// SPDX-License-Identifier: Apache-2.0
#include "fuzz/fuzz.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string_view>

namespace aftune::fuzz {
namespace {

constexpr std::uint64_t kMaxTreeFile = std::uint64_t{1} << 20;

struct ScratchFolder {
  Path path;

  ScratchFolder() {
    const bool in_memory = ::access("/dev/shm", W_OK) == 0;
    const Path parent = in_memory ? Path("/dev/shm") : std::filesystem::temp_directory_path();
    std::string name = (parent / "aftune-fuzz-XXXXXX").string();
    AFTUNE_CHECK(::mkdtemp(name.data()) != nullptr, "no folder for scratch files");
    path = name;
  }
  ~ScratchFolder() {
    std::error_code error;
    std::filesystem::remove_all(path, error);
  }
};

}  // namespace

std::string tree_file(const std::string& name) {
  auto text = read_text_file(Path(AFTUNE_SOURCE_DIR) / name, kMaxTreeFile);
  AFTUNE_CHECK(text.has_value(), text ? "" : text.error().what);
  return *std::move(text);
}

const Path& scratch() {
  static const ScratchFolder folder;
  return folder.path;
}

Path put_scratch(const std::string& name, Bytes input) {
  const Path path = scratch() / name;
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  AFTUNE_CHECK(fd >= 0, "no scratch file");
  while (!input.empty()) {
    const ssize_t wrote = ::write(fd, input.data(), input.size());
    AFTUNE_CHECK(wrote > 0, "a scratch file cannot be written");
    input = input.subspan(static_cast<std::size_t>(wrote));
  }
  ::close(fd);
  return path;
}

crypto::PrivateKey test_key(std::uint8_t fill) {
  auto key = crypto::PrivateKey::from_seed(crypto::SecretBytes(ByteBuffer(32, fill)));
  AFTUNE_CHECK(key.has_value(), "32 bytes are a seed");
  return *std::move(key);
}

}  // namespace aftune::fuzz

// AFTUNE_FUZZ_EXPECT=taken: every input must be taken. The build runs the honest seeds so, because
// a corpus that is refused at its first byte reaches nothing.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const char* const expected = std::getenv("AFTUNE_FUZZ_EXPECT");
  static const bool must_take = expected != nullptr && std::string_view(expected) == "taken";
  const bool taken = aftune::fuzz::decode_one({data, size});
  // libFuzzer itself begins with an empty input.
  AFTUNE_CHECK(taken || !must_take || size == 0, "the decoder refused a seed that it must take");
  return 0;
}

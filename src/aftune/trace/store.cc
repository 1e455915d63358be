// SPDX-License-Identifier: Apache-2.0
#include "aftune/trace/store.h"

#include <fmt/format.h>

#include <algorithm>

#include "aftune/crypto/blake3.h"
#include "aftune/trace/encoded_object.h"
#include "aftune/trace/run_source.h"

namespace aftune::trace {
namespace {

/// Deltas that are put on one another: each costs a reader one more file.
constexpr std::uint8_t kDepthMade = 4;

std::string suffix_of(Encoding encoding) { return fmt::format(".{}", encoding_name(encoding)); }

/// An object file's name taken apart.
struct FileName {
  Digest digest;
  Encoding encoding = Encoding::kRaw;
};

std::optional<FileName> parse_name(std::string_view name) {
  const Result<Digest> digest = parse_digest(name.substr(0, 64));
  if (!digest) return std::nullopt;
  for (const Encoding encoding : kEncodings) {
    if (name.substr(64) == suffix_of(encoding)) return FileName{*digest, encoding};
  }
  return std::nullopt;
}

bool is_file(const Path& path) {
  std::error_code error;
  return std::filesystem::is_regular_file(path, error);
}

Result<ObjectHeader> read_header(FileReader& file, Encoding encoding) {
  std::array<std::uint8_t, kObjectHeaderBytes> head{};
  AFTUNE_TRY(file.read(head));
  return decode_header(head, encoding);
}

std::vector<Form> candidates_for(Content content, bool has_base) {
  if (content == Content::kText) return {{Encoding::kZst}};
  if (content == Content::kHalves) return {{Encoding::kHalves}};
  if (content != Content::kWords) return {};
  std::vector<Form> out = {{Encoding::kPlanes}};
  if (!has_base) return out;
  out.push_back({Encoding::kDelta, Scale::kPlain});
  out.push_back({Encoding::kDelta, Scale::kByExponent});
  return out;
}

}  // namespace

struct Store::Link {
  FileReader file;  // behind the header
  ObjectHeader header;
};

Result<Store> Store::open(const Path& folder, Open mode, ThreadPool* pool) {
  if (mode == Open::kCreate) {
    AFTUNE_TRY(make_folders(folder));
    AFTUNE_TRY(sync_folder(folder));  // folders that a killed process made
  }
  std::error_code error;
  if (!std::filesystem::is_directory(folder, error)) {
    return Error{Code::kNotFound, fmt::format("store {} is not a folder", folder.string())};
  }
  return Store(folder, pool);
}

Result<Store> Store::open(const RunFolder& run, Open mode, ThreadPool* pool) {
  AFTUNE_TRY(Store out, open(run.store(), mode, pool));
  out.source_ = run.source;
  return out;
}

Store::~Store() {
  for (const auto& [digest, file] : unsettled_) {
    std::error_code ignored;
    std::filesystem::remove(file.staged, ignored);
  }
}

Path Store::path_of(const Digest& digest, Encoding encoding) const {
  const std::string hex = digest.hex();
  return folder_ / hex.substr(0, 2) / (hex + suffix_of(encoding));
}

Path Store::path_of(const Digest& digest) const {
  return path_of(digest, encoding_of(digest).value_or(Encoding::kRaw));
}

std::optional<Encoding> Store::encoding_of(const Digest& digest) const {
  for (const Encoding encoding : kEncodings) {
    if (is_there(path_of(digest, encoding))) return encoding;
  }
  return std::nullopt;
}

Result<ObjectHeader> Store::header_of(const Digest& digest, Encoding encoding) const {
  const Path path = path_of(digest, encoding);
  if (source_ != nullptr && !is_file(path)) {
    AFTUNE_TRY(const ByteBuffer head, head_at_source(path));
    return decode_header(head, encoding);
  }
  AFTUNE_TRY(FileReader file, FileReader::open(path));
  return read_header(file, encoding);
}

std::vector<Digest> Store::bases_of(const Digest& digest) const {
  std::vector<Digest> out;
  Digest at = digest;
  while (encoding_of(at) == Encoding::kDelta && out.size() < kMaxDepth) {
    const auto header = header_of(at, Encoding::kDelta);
    if (!header) break;
    at = header->base;
    out.push_back(at);
  }
  return out;
}

bool Store::has(const Digest& digest) const {
  const std::vector<Digest> bases = bases_of(digest);
  return encoding_of(bases.empty() ? digest : bases.back()).has_value();
}

bool Store::whole_there(const Digest& digest, std::uint64_t size) const {
  const auto encoding = encoding_of(digest);
  if (!encoding) return false;
  if (encoding == Encoding::kRaw) {
    const auto found = size_of(path_of(digest, Encoding::kRaw));
    return found && *found == size;
  }
  const auto header = header_of(digest, *encoding);
  return header && header->size == size && has(digest);
}

Status Store::put(const Digest& digest, Bytes data, const PutHint& hint) {
  if (whole_there(digest, data.size())) {
    // A killed process may have left its name unsynced.
    unsynced_.insert(path_of(digest).parent_path());
    return ok();
  }
  if (unsettled_.contains(digest)) return ok();
  AFTUNE_TRY(make_folders(path_of(digest).parent_path()));
  return write(digest, data, hint);
}

Status Store::write(const Digest& digest, Bytes data, const PutHint& hint) {
  ObjectHeader header{Encoding::kRaw, 0, data.size(), {}};
  ByteBuffer base;
  if (encoding_of(digest)) {
    // What is there is broken. Raw comes before it wherever the writer is killed.
    for (const Encoding encoding : kEncodings) {
      const Path broken = path_of(digest, encoding);
      if (encoding != Encoding::kRaw && is_file(broken)) superseded_.insert(broken);
    }
  } else {
    base = base_for(data.size(), hint, header);
    const Form form = choose_form(data, base, candidates_for(hint.content, !base.empty()));
    header.encoding = form.encoding;
    header.scale = form.scale;
  }
  if (header.encoding != Encoding::kDelta) header = {header.encoding, 0, data.size(), {}};
  AFTUNE_TRY(StagedFile file, StagedFile::create(path_of(digest, header.encoding)));
  if (header.encoding == Encoding::kRaw) {
    AFTUNE_TRY(file.append(data));
  } else {
    AFTUNE_TRY(encode_object(header, data, base, pool_,
                             [&file](Bytes piece) { return file.append(piece); }));
  }
  unsettled_.emplace(digest, std::move(file).leave_unsettled());
  return ok();
}

ByteBuffer Store::base_for(std::uint64_t size, const PutHint& hint, ObjectHeader& header) const {
  if (hint.content != Content::kWords || !hint.base || size == 0) return {};
  const std::size_t depth = bases_of(*hint.base).size() + 1;
  if (depth > kDepthMade) return {};
  Result<ByteBuffer> base = get(*hint.base, size);
  if (!base || base->size() != size) return {};
  header.depth = static_cast<std::uint8_t>(depth);
  header.base = *hint.base;
  return *std::move(base);
}

Status Store::sync() {
  for (const auto& [digest, file] : unsettled_) {
    AFTUNE_TRY(settle_file(file));
    unsynced_.insert(file.target.parent_path());
  }
  for (auto& [digest, file] : std::exchange(unsettled_, {})) {
    settled_.push_back(std::move(file.target));
  }
  AFTUNE_TRY(remove_superseded());
  for (const Path& folder : unsynced_) {
    AFTUNE_TRY(sync_folder(folder));
  }
  unsynced_.clear();
  return ok();
}

Digest Store::digest_of(Bytes data) const {
  return pool_ != nullptr ? crypto::blake3(data, *pool_) : crypto::blake3(data);
}

Result<ByteBuffer> Store::get(const Digest& digest, std::uint64_t limit_bytes) const {
  Result<ByteBuffer> found = get_once(digest, limit_bytes);
  // Altered on the way, or left by an earlier audit: the source is asked once more.
  if (found || found.error().code != Code::kCorrupt || !drop_copies(digest)) return found;
  return get_once(digest, limit_bytes);
}

Result<ByteBuffer> Store::read_plain(const Path& file, std::uint64_t limit_bytes) const {
  AFTUNE_TRY(bring(file, limit_bytes));
  return read_file(file, limit_bytes);
}

Result<ByteBuffer> Store::get_once(const Digest& digest, std::uint64_t limit_bytes) const {
  const Encoding encoding = encoding_of(digest).value_or(Encoding::kRaw);
  AFTUNE_TRY(ByteBuffer data,
             (encoding == Encoding::kRaw ? read_plain(path_of(digest, encoding), limit_bytes)
                                         : decode(digest, limit_bytes))
                 .in("object " + digest.hex()));
  const Digest found = digest_of(data);
  if (found == digest) return data;
  // Over a base with other bytes nothing can be right: name the object that is to blame.
  const std::vector<Digest> bases = bases_of(digest);
  if (!bases.empty()) {
    AFTUNE_TRY([[maybe_unused]] const ByteBuffer base,
               get_once(bases.front(), data.size()).in(fmt::format("base of {}", digest.hex())));
  }
  return Error{Code::kCorrupt, fmt::format("object {} has {} bytes of digest {}", digest.hex(),
                                           data.size(), found.hex())};
}

/// Whether a raw file holds the object and `out` has it now.
bool Store::read_raw(const Digest& digest, std::span<std::uint8_t> out) const {
  if (encoding_of(digest).value_or(Encoding::kRaw) != Encoding::kRaw) return false;
  Result<FileReader> file = FileReader::open(path_of(digest, Encoding::kRaw));
  return file && file->size() == out.size() && file->read(out).has_value() &&
         digest_of(out) == digest;
}

Status Store::get_into(const Digest& digest, std::span<std::uint8_t> out) const {
  if (read_raw(digest, out)) return ok();  // without a second copy in memory
  AFTUNE_TRY(const ByteBuffer data, get(digest, out.size()));
  if (data.size() != out.size()) {
    return Error{Code::kCorrupt, fmt::format("object {} has {} bytes, dtype and shape need {}",
                                             digest.hex(), data.size(), out.size())};
  }
  std::copy(data.begin(), data.end(), out.begin());
  return ok();
}

Result<std::vector<Store::Link>> Store::open_chain(const Digest& digest,
                                                   std::uint64_t limit_bytes) const {
  std::vector<Link> out;
  Digest at = digest;
  while (true) {
    const auto encoding = encoding_of(at);
    if (!encoding) {
      return Error{Code::kNotFound, fmt::format("its base {} is not there", at.hex())};
    }
    if (encoding == Encoding::kRaw) break;  // read as it is
    AFTUNE_TRY(bring(path_of(at, *encoding), limit_bytes));
    AFTUNE_TRY(FileReader file, FileReader::open(path_of(at, *encoding)));
    AFTUNE_TRY(const ObjectHeader header, read_header(file, *encoding));
    if (header.size > limit_bytes) {
      return Error{Code::kInvalidInput,
                   fmt::format("it has {} bytes, the limit is {}", header.size, limit_bytes)};
    }
    if (!out.empty() && header.size != out.back().header.size) {
      return Error{Code::kCorrupt,
                   fmt::format("{} bytes over a base of {}", out.back().header.size, header.size)};
    }
    if (!out.empty() && header.depth >= out.back().header.depth) {
      return Error{Code::kCorrupt, fmt::format("depth {} over a base of depth {}",
                                               out.back().header.depth, header.depth)};
    }
    out.push_back({std::move(file), header});
    if (header.encoding != Encoding::kDelta) break;
    at = header.base;
  }
  return out;
}

Result<ByteBuffer> Store::decode(const Digest& digest, std::uint64_t limit_bytes) const {
  AFTUNE_TRY(std::vector<Link> chain, open_chain(digest, limit_bytes));
  const ObjectHeader& last = chain.back().header;
  ByteBuffer out;
  if (last.encoding == Encoding::kDelta) {  // over a raw object
    AFTUNE_TRY(out, read_plain(path_of(last.base, Encoding::kRaw), last.size));
    if (out.size() != last.size) {
      return Error{Code::kCorrupt,
                   fmt::format("{} bytes over a base of {}", last.size, out.size())};
    }
  } else {
    out.resize(last.size);
  }
  for (auto link = chain.rbegin(); link != chain.rend(); ++link) {
    AFTUNE_TRY(decode_object(link->header, link->file, pool_, out));
  }
  return out;
}

Status Store::remove_superseded() {
  for (const Path& path : superseded_) {
    std::error_code error;
    std::filesystem::remove(path, error);
    if (error) {
      return Error{Code::kUnavailable,
                   fmt::format("remove {}: {}", path.string(), error.message())};
    }
  }
  superseded_.clear();
  return ok();
}

Status Store::walk(const std::function<void(const Path&, const Digest*, Encoding)>& visit) const {
  const auto see = [&](const Path& path) {
    const auto name = parse_name(path.filename().string());
    const bool at_home = name && path_of(name->digest) == path;
    visit(path, at_home ? &name->digest : nullptr, name ? name->encoding : Encoding::kRaw);
  };
  std::error_code error;
  auto it = std::filesystem::recursive_directory_iterator(folder_, error);
  for (; !error && it != std::filesystem::recursive_directory_iterator(); it.increment(error)) {
    if (!it->is_directory(error)) see(it->path());
  }
  if (error) {
    return Error{Code::kUnavailable, fmt::format("list {}: {}", folder_.string(), error.message())};
  }
  if (source_ == nullptr) return ok();
  for (const RemoteFolder::File& file : source_->objects()) {
    const Path path = folder_.parent_path() / file.name;
    if (!is_file(path)) see(path);
  }
  return ok();
}

Result<std::vector<Store::Object>> Store::objects() const {
  std::vector<Object> out;
  Status sized = ok();
  AFTUNE_TRY(walk([&](const Path& path, const Digest* digest, Encoding encoding) {
    if (digest == nullptr || !sized) return;
    Result<std::uint64_t> size = size_of(path);
    if (!size) {
      sized = std::move(size).error();
      return;
    }
    Object object{*digest, *size, encoding, *size};
    if (encoding != Encoding::kRaw) {
      const auto header = header_of(*digest, encoding);
      object.plain_size = header ? header->size : 0;
    }
    out.push_back(object);
  }));
  AFTUNE_TRY(std::move(sized));
  std::sort(out.begin(), out.end(),
            [](const Object& a, const Object& b) { return a.digest < b.digest; });
  return out;
}

Result<std::vector<Path>> Store::strangers() const {
  std::vector<Path> out;
  AFTUNE_TRY(walk([&](const Path& path, const Digest* digest, Encoding) {
    if (digest == nullptr) out.push_back(path);
  }));
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace aftune::trace

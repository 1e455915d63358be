// SPDX-License-Identifier: Apache-2.0
// What a power cut takes: bytes that no fsync of their file made durable, and names that no fsync
// of their folder did. What was there when the process began counts as durable.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace aftune::crash {

/// Threads: one at a time. Its own calls go to the system past the interposed ones.
class Unsynced {
 public:
  /// `shadow`: a folder of the same file system for files that lost their last name.
  explicit Unsynced(std::string shadow) : shadow_(std::move(shadow)) {}

  /// Before bytes of an open file change.
  void changing(int fd);
  /// Before the file at `path` loses this name. Returns: where it is kept; empty if none is there.
  std::string keep(const std::string& path);

  void made(const std::string& path) { names_.push_back({Change::kMade, path, {}, {}}); }
  void renamed(const std::string& from, const std::string& to, const std::string& replaced) {
    names_.push_back({Change::kRenamed, to, from, replaced});
  }
  void removed(const std::string& path, const std::string& kept) {
    names_.push_back({Change::kRemoved, path, {}, kept});
  }
  void removed_folder(const std::string& path) {
    names_.push_back({Change::kRemovedFolder, path, {}, {}});
  }

  /// An fsync of the file or folder `path` came back well.
  void synced(int fd, const std::string& path);

  /// The cut. Seed 0: all is lost. 1: bytes are lost, names stay. 2: names are lost, bytes stay.
  /// Others: the last of the changes of names are lost, and of each file its new bytes, the
  /// latter half of them, or nothing, or they are zeros.
  void take_away(std::uint64_t seed);

 private:
  struct Change {
    enum What : std::uint8_t { kMade, kRenamed, kRemoved, kRemovedFolder } what;
    std::string path, from;  // from: of a rename
    std::string kept;        // of the file that lost its name
  };
  struct Bytes {
    int fd;             // of its own, to read and write
    std::string bytes;  // as they were when they were last synced
  };
  void undo(const Change& change) const;
  static void restore(const Bytes& file, std::uint64_t choice);

  std::string shadow_;
  std::uint64_t kept_count_ = 0;
  std::map<std::uint64_t, Bytes> files_;  // by inode: changed since the last sync
  std::vector<Change> names_;             // in order, not yet synced
};

}  // namespace aftune::crash

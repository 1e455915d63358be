// SPDX-License-Identifier: Apache-2.0
#include "aftune/serve/server.h"

#include <algorithm>
#include <deque>
#include <map>
#include <set>
#include <utility>

namespace aftune::serve {

/// What the threads share.
struct Server::State {
  struct Incoming {
    Ticket ticket = 0;
    Task task;
    Hearer hearer;
  };
  struct Finished {
    Ticket ticket = 0;
    Result<Generated> result;
    std::function<void(Result<Receipted>)> on_end;
  };

  mutable std::mutex mutex;
  std::condition_variable work, receipts;
  std::deque<Incoming> incoming;
  std::deque<Finished> finished;
  std::set<Ticket> cancelled;  // and not yet noticed
  std::set<Ticket> open;       // taken and not ended
  std::set<Ticket> whole;      // of those: the model is done with it
  ServerCounts counts;
  Ticket next = 1;
  bool stopping = false, generated_all = false;
  std::string broken;  // why the log takes nothing more; empty if it does

  /// Why nothing is taken; empty while it is. Requires: the mutex.
  [[nodiscard]] std::string refusing() const { return stopping ? "the server stops" : broken; }
};

Server::Server(ServerParts parts, ServerLimits limits)
    : parts_(parts), limits_(limits), state_(std::make_unique<State>()) {
  generating_ = std::thread([this] { generate(); });
  receipting_ = std::thread([this] { give_receipts(); });
}

Server::~Server() { stop(); }

Result<Server::Ticket> Server::submit(Ask ask, Hearer hearer) {
  const auto refuse = [this](Error error) {
    const std::lock_guard lock(state_->mutex);
    ++state_->counts.refused;
    return error;
  };
  Result<Task> task =
      task_of(std::move(ask), parts_.log.statement(), parts_.tokenizer, parts_.log.secret());
  if (!task) return refuse(task.error());
  std::unique_lock lock(state_->mutex);
  std::string why = state_->refusing();
  if (why.empty() && state_->open.size() >= limits_.waiting) {
    why = std::to_string(state_->open.size()) + " requests wait, at most " +
          std::to_string(limits_.waiting);
  }
  if (!why.empty()) {
    ++state_->counts.refused;
    return Error{Code::kUnavailable, why};
  }
  const Ticket ticket = state_->next++;
  ++state_->counts.taken;
  state_->counts.prompt_tokens += task->prompt.size();
  state_->open.insert(ticket);
  state_->incoming.push_back({ticket, *std::move(task), std::move(hearer)});
  lock.unlock();
  state_->work.notify_one();
  return ticket;
}

void Server::cancel(Ticket ticket) {
  {
    const std::lock_guard lock(state_->mutex);
    if (!state_->open.contains(ticket)) return;
    state_->cancelled.insert(ticket);
  }
  state_->work.notify_one();
}

void Server::stop() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
  }
  state_->work.notify_one();
  if (generating_.joinable()) generating_.join();
  if (receipting_.joinable()) receipting_.join();
}

ServerCounts Server::counts() const {
  const std::lock_guard lock(state_->mutex);
  ServerCounts out = state_->counts;
  out.open = state_->open.size();
  return out;
}

std::string Server::refusing() const {
  const std::lock_guard lock(state_->mutex);
  return state_->refusing();
}

/// One thread: all passes of the model.
void Server::generate() {
  set_float_environment();
  Generator generator(parts_.engine, parts_.decoder, parts_.tokenizer, parts_.log.statement(),
                      limits_.batch, limits_.recording);
  std::map<Ticket, Generator::Key> running;
  const auto start = [&](State::Incoming one) {
    const Ticket ticket = one.ticket;
    Listener listener;
    listener.on_token = std::move(one.hearer.on_token);
    listener.on_end = [this, ticket, on_end = std::move(one.hearer.on_end),
                       &running](Result<Generated> result) mutable {
      running.erase(ticket);
      const std::lock_guard lock(state_->mutex);
      state_->whole.insert(ticket);
      state_->finished.push_back({ticket, std::move(result), std::move(on_end)});
      state_->receipts.notify_one();
    };
    running[ticket] = generator.add(std::move(one.task), std::move(listener));
  };
  for (;;) {
    std::deque<State::Incoming> taken;
    std::set<Ticket> cancelled;
    {
      std::unique_lock lock(state_->mutex);
      state_->work.wait(
          lock, [&] { return state_->stopping || !generator.idle() || !state_->incoming.empty(); });
      if (state_->stopping && generator.idle() && state_->incoming.empty()) break;
      taken.swap(state_->incoming);
      cancelled.swap(state_->cancelled);
      std::erase_if(taken,
                    [&](const State::Incoming& one) { return cancelled.contains(one.ticket); });
      for (const Ticket ticket : cancelled) {
        // One that the model is done with gets its receipt all the same.
        if (state_->whole.contains(ticket)) continue;
        if (state_->open.erase(ticket) > 0) ++state_->counts.cancelled;
      }
    }
    for (const Ticket ticket : cancelled) {
      const auto found = running.find(ticket);
      if (found == running.end()) continue;
      generator.cancel(found->second);
      running.erase(found);
    }
    for (State::Incoming& one : taken) start(std::move(one));
    if (generator.idle()) continue;
    generator.step();
    const std::lock_guard lock(state_->mutex);
    ++state_->counts.passes;
  }
  const std::lock_guard lock(state_->mutex);
  state_->generated_all = true;
  state_->receipts.notify_one();
}

/// The other thread: the disk. It takes all that is finished, so that many answers share a
/// checkpoint when many come.
void Server::give_receipts() {
  for (;;) {
    std::deque<State::Finished> taken;
    std::string broken;
    {
      std::unique_lock lock(state_->mutex);
      state_->receipts.wait(lock,
                            [&] { return state_->generated_all || !state_->finished.empty(); });
      if (state_->finished.empty()) return;
      taken.swap(state_->finished);
      broken = state_->broken;
    }
    std::vector<Generated> whole;
    for (State::Finished& one : taken) {
      if (one.result) whole.push_back(*std::move(one.result));
    }
    Result<std::vector<Receipted>> issued = std::vector<Receipted>();
    std::uint64_t tokens = 0;
    for (const Generated& one : whole) tokens += one.output.size();
    if (!broken.empty()) {
      issued = Error{Code::kUnavailable, broken};
    } else if (limits_.recording == Recording::kOn) {
      issued = parts_.log.issue(std::move(whole));
    } else {
      issued = parts_.log.unreceipted(std::move(whole));
    }
    {
      const std::lock_guard lock(state_->mutex);
      if (!issued) state_->broken = issued.error().what;
      std::uint64_t& answered = limits_.recording == Recording::kOn ? state_->counts.receipted
                                                                    : state_->counts.unreceipted;
      for (const State::Finished& one : taken) {
        state_->open.erase(one.ticket);
        state_->whole.erase(one.ticket);
        state_->cancelled.erase(one.ticket);
        ++(one.result && issued ? answered : state_->counts.failed);
      }
      if (issued) state_->counts.output_tokens += tokens;
    }
    std::size_t next = 0;
    for (State::Finished& one : taken) {
      if (!one.on_end) {
        if (one.result) ++next;
        continue;
      }
      if (!one.result) {
        one.on_end(one.result.error());
      } else if (!issued) {
        one.on_end(issued.error());
      } else {
        one.on_end(std::move((*issued)[next++]));
      }
    }
  }
}

}  // namespace aftune::serve

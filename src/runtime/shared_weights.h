// Packed weights that several sessions of one graph keep once.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "press/runtime/session.h"
#include "runtime/onednn.h"

namespace press {

class SharedWeights {
 public:
  /// Makes `own` one with those of the same step in other sessions: of the same node of the graph, with the
  /// same followers absorbed (`operators`, see StepTime).
  void join(const Node* node, const std::string& operators, onednn::PackedWeights& own) {
    const std::scoped_lock lock(mutex_);
    own = weights_.try_emplace({node, operators}, own).first->second;
  }

 private:
  std::mutex mutex_;
  std::map<std::pair<const Node*, std::string>, onednn::PackedWeights> weights_;
};

}  // namespace press

// What runs a network: our runtime, or another one that measures the same file
// (press/evaluate/onnxruntime.h).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "press/ir/graph.h"
#include "press/ir/tensor.h"
#include "press/runtime/session.h"
#include "press/support/result.h"

namespace press {

/// A network made ready to run. Not for use by two threads at once.
class Engine {
 public:
  virtual ~Engine() = default;
  /// Inputs in the order of the model's, outputs likewise; as Session::run.
  virtual Result<std::vector<Tensor>> run(std::span<const Tensor> inputs) = 0;
  /// Bytes of intermediate tensors at the peak of the last run; nullopt where the engine does not tell.
  virtual std::optional<std::int64_t> peak_bytes() const { return std::nullopt; }
  /// What was executed, and how long it took in all runs so far; empty where the engine does not tell.
  virtual std::vector<StepTime> profile() const { return {}; }
};

/// Makes an engine that runs with so many threads.
using EngineFactory = std::function<Result<std::unique_ptr<Engine>>(int threads)>;

/// Sessions of our runtime that keep packed weights once; they only read `graph`, which must outlive them and
/// the factory.
EngineFactory native_engine(const Graph& graph);

}  // namespace press

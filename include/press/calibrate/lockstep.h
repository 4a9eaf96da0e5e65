// The lock-step pass: an original network and a compressed one run side by side over the same samples, layer
// by layer, so that each layer is compressed for the inputs that the compressed layers before it really make.
//
// What both networks hold at the layer that was asked for last, a cut through the graph, is kept for all
// samples as long as it fits the memory; then each node runs once in the whole pass. Where a cut does not fit
// (wide maps at the entrance of a network), the last one that did is kept and its way is run again.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "press/ir/graph.h"
#include "press/numeric/layer_statistics.h"
#include "press/runtime/batch.h"
#include "press/support/result.h"

namespace press {

struct LockstepOptions {
  /// Workers, each with sessions of one thread. The statistics are the same for any number of them.
  int threads = 1;
  /// Bytes of activations that may be kept for all samples together.
  std::int64_t memory = std::int64_t{3} << 29;
  /// Columns of a layer that are looked at, as a multiple of their width, within bounds.
  std::int64_t columns_per_input = 16;
  std::int64_t least_columns = 1 << 14;
  std::int64_t most_columns = 1 << 15;
  /// Means alone are gathered; covariances and variances stay empty. It takes little more than running the
  /// networks.
  bool means_alone = false;
};

class Lockstep {
 public:
  /// Both graphs must outlive it and keep their nodes. Errors: kUnsupported for a graph with control flow.
  static Result<Lockstep> create(const Graph& original, const Graph& compressed, std::vector<Batch> samples,
                                 const LockstepOptions& options);
  Lockstep(Lockstep&&) noexcept;
  Lockstep& operator=(Lockstep&&) noexcept;
  ~Lockstep();

  /// Statistics of a linear layer (press/ops/linear_layer.h) that stands as `original` in one graph and as
  /// `compressed` in the other. Layers are asked for in the order of the graphs; constants of the compressed
  /// graph may have changed in between, but not before the layer asked for last. Errors: kInput for an
  /// activation that is not finite, naming layer and sample; those of the sessions.
  Result<LayerStatistics> gather(const Node& original, const Node& compressed);

 private:
  class Pass;
  explicit Lockstep(std::unique_ptr<Pass> pass);
  std::unique_ptr<Pass> pass_;
};

}  // namespace press

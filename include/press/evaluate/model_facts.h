// What can be told of a model without running it: parameters, zeros, multiply-accumulates, layer by layer and
// in sum.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "press/ir/graph.h"
#include "press/ops/operator.h"
#include "press/support/result.h"

namespace press {

struct LayerFacts {
  std::string name;     // of the node; of its first output where it has none
  std::string op_type;  // with its domain where that is not ONNX's
  Type output;          // of the first output, batch 1
  std::int64_t parameters = 0;
  std::int64_t weights = 0;  // elements of the weight of a linear operator, else 0
  std::int64_t zero_weights = 0;
  std::optional<std::int64_t> macs;  // of one sample; nullopt where a dim is not known
};

/// Parameters are the learned numbers: constants of floating point and quantized constants behind
/// DequantizeLinear; not scales, zero points, shapes or scalars. A shared constant counts once, in the first
/// layer that uses it.
struct ModelFacts {
  std::int64_t nodes = 0;                         // those of subgraphs included
  std::vector<LayerFacts> layers;                 // every node, in order; empty where only sums are asked for
  std::map<std::string, std::int64_t> operators;  // type -> number of nodes; as `layers`
  struct TypeShare {
    std::int64_t tensors = 0;
    std::int64_t elements = 0;
    std::int64_t bytes = 0;
  };
  std::map<DataType, TypeShare> constants;  // everything that is stored, parameters or not
  std::int64_t parameters = 0;
  std::int64_t weights = 0;  // of linear operators
  std::int64_t zero_weights = 0;
  std::int64_t macs = 0;                 // of one sample, sum of what is known
  std::int64_t layers_without_macs = 0;  // linear layers whose count could not be told
  std::string shape_note;                // why shapes are not known, where inference failed; else empty

  /// Share of the linear weights that are zero, 0 to 1; 0 where there are none.
  double sparsity() const;
};

enum class Detail { kSums, kLayers };

/// Never fails: a model whose shapes cannot be inferred has no MACs, and `shape_note` says why.
ModelFacts model_facts(const Graph& graph, Detail detail = Detail::kLayers);

}  // namespace press

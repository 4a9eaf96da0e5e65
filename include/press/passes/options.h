// What passes are told: plain data, filled by the pipeline from flags or a recipe. Defaults are what users
// want.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "press/ir/data_type.h"
#include "press/numeric/calibration_table.h"
#include "press/numeric/kmeans.h"
#include "press/numeric/observer.h"
#include "press/numeric/pruning_criteria.h"
#include "press/numeric/weight_grid.h"

namespace press {

/// Which nodes a pass may touch: regular expressions (ECMAScript, searched) on original node names. An empty
/// `include` means all; `exclude` wins.
struct NodeSelection {
  std::vector<std::string> include;
  std::vector<std::string> exclude;
  std::vector<std::string> operators = {};  // types ("Conv"); empty: all
};

/// What folding may add to a model: bytes of results less those of the constants that they replace. Shape
/// arithmetic needs little; what needs more makes files large (Expand, Tile, ConstantOfShape).
struct FoldOptions {
  std::int64_t max_node_bytes = 1 << 10;  // one node
  std::int64_t max_bytes = 1 << 14;       // all nodes of a run together
};

/// What the sparsity holds for: each layer, the whole network, or the network with shares by the layers'
/// dims (Erdős-Rényi-Kernel).
enum class PruneScope { kLocal, kGlobal, kErk };

/// What is taken away: single weights, which become zero, or whole output channels, which go.
enum class PruneStructure { kWeights, kChannels };

struct PruneOptions {
  PruneMethod method = PruneMethod::kMagnitude;
  double sparsity = 0.5;  // share of the weights that become zero, or of the channels that go; 0 to 1
  PruneStructure structure = PruneStructure::kWeights;
  /// kWeights, in place of `sparsity`: at most `pattern_keep` of `pattern_of` neighbours along the inputs
  /// stay (N:M); none: the neighbours stay or go together (blocks), by `sparsity`. pattern_of 0: no pattern.
  int pattern_keep = 0;
  int pattern_of = 0;
  std::int64_t round_to = 1;  // kChannels: a layer keeps a multiple of this many channels
  /// kChannels: share of the network's multiply-accumulates that stays, in place of `sparsity`.
  std::optional<double> macs;
  PruneScope scope = PruneScope::kGlobal;
  bool biases = false;
  NodeSelection nodes;
};

/// What is done so that a compressed network answers like the original one. All but kNone run the network
/// over calibration samples.
enum class Recover : std::uint8_t {
  kNone,
  kBias,  // means of the layers' outputs, put into biases
  kFast,  // the weights of each layer rounded or refitted for its real inputs, means and deviations
  kFull,  // the same with more scales to choose from, more samples of each map, and coordinate descent
};

struct QuantizeOptions {
  /// Of weights: 8, 4, 3 or 2. With fewer than 8 the first and the last layer keep 8.
  int weight_bits = 8;
  int activation_bits = 8;          // 8 or 16, asymmetric
  bool signed_activations = false;  // int8 or int16 in place of uint8 or uint16
  bool per_channel = true;
  /// Weights of integer products in 7 bits: for CPUs that add pairs of 8-bit products in 16 bits with
  /// saturation.
  bool narrow_weights = false;
  /// Weights alone: inputs of a MatMul or Gemm that share a scale, a power of 2 from 16 on; 0: all of a
  /// channel.
  std::int64_t block_size = 0;
  /// Blocks as operators of ONNX Runtime's own domain.
  bool contributed_operators = false;
  /// With fewer than 8 bits: names of nodes, exactly, that keep 8.
  std::vector<std::string> wide = {};
  Observer observer = Observer::kMinMax;
  double percentile = 99.99;  // of the values, for kPercentile
  NodeSelection nodes;

  DataType activation_type() const {
    if (activation_bits > 8) return signed_activations ? DataType::kInt16 : DataType::kUint16;
    return signed_activations ? DataType::kInt8 : DataType::kUint8;
  }
};

struct Fp16Options {
  bool keep_io = true;  // inputs and outputs stay float32
  NodeSelection nodes;
};

struct ClusterOptions {
  std::int64_t count = 16;  // values that the weights of a layer share, zero included; 2 to 256
  KMeansStart start = KMeansStart::kDensity;
  NodeSelection nodes;
};

/// How constants stand in a file; see pack_weights.
enum class StoreForm { kDense, kPalette, kBitmask, kSparse, kAuto };

/// "dense", "palette", "bitmask", "sparse", "auto".
std::string_view name(StoreForm form);

struct StoreOptions {
  StoreForm form = StoreForm::kAuto;  // where it is smaller than dense; kAuto: the smallest
  /// What unpacking may take in all while a runtime loads the model, as estimated; those weights are packed
  /// that save most for their time.
  std::optional<double> max_load_ms = {};
};

class ShapeCache;

struct PassContext {
  /// Shapes as passes before found them, given by the pass manager; null: each pass infers its own.
  ShapeCache* shapes = nullptr;
  /// The operator set that upgrade_opset raises a model to; 0: the oldest one that quantization needs.
  std::int64_t opset = 0;
  FoldOptions fold;
  PruneOptions prune;
  QuantizeOptions quantize;
  Fp16Options fp16;
  ClusterOptions cluster;
  StoreOptions store;
  /// Statistics of activations by value name; needed by quantize_static.
  const CalibrationTable* calibration = nullptr;
  /// Integers that weights were rounded to already; others are rounded to the nearest.
  const WeightGrids* grids = nullptr;
  /// Channels that prune_channels takes out, by group (press/passes/channels.h); null: the weakest ones.
  const std::vector<std::vector<std::size_t>>* channels = nullptr;
};

}  // namespace press

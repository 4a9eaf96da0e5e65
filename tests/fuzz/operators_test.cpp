// Operators on shapes, attributes and values that make no sense: each gives a result or an error, never a
// crash or a hang, and what shape inference says of a result is true. One test a family; each changes sound
// nodes at random, from fixed seeds.
#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <string>
#include <vector>

#include "press/onnx/text.h"
#include "press/ops/operator.h"
#include "press/runtime/session.h"

namespace press {
namespace {

constexpr std::int64_t kLargestResult = std::int64_t{1} << 22;  // bytes
constexpr int kRounds = 150;                                    // changed forms of each node

struct Family {
  const char* name;
  int opset;
  std::vector<const char*> graphs;
};

/// Graphs of one node; constants are its inputs too.
const std::vector<Family>& families() {
  static const std::vector<Family> all = {
      {"Convolution",
       17,
       {"(float[2,4,7,5] x, float[6,2,3,3] w, float[6] b) => (y) { y = Conv<group = 2, pads = [1,1,1,1], "
        "strides = [2,1], "
        "dilations = [1,1], kernel_shape = [3,3]>(x, w, b) }",
        "(float[1,32,18,17] x, float[32,32,3,3] w, float[32] b) => (y) { y = Conv<pads = [1,1,1,1]>(x, w, b) "
        "}",
        "(float[1,2,9] x, float[3,2,3] w) => (y) { y = Conv<auto_pad = \"SAME_UPPER\", strides = [2]>(x, w) "
        "}",
        "(float[1,4,5,5] x, float[4,2,3,3] w, float[4] b) => (y) { y = ConvTranspose<group = 2, strides = "
        "[2,2], "
        "output_padding = [1,1], pads = [1,1,1,1]>(x, w, b) }",
        "(float[1,2,4,4] x, float[2,2,3,3] w) => (y) { y = ConvTranspose<output_shape = [9,9], strides = "
        "[2,2]>(x, w) }",
        "(uint8[1,2,5,5] x, uint8[3,2,3,3] w, uint8 xz, uint8 wz) => (y) { y = ConvInteger<pads = "
        "[1,1,1,1]>(x, w, xz, wz) }",
        "(uint8[1,2,5,5] x, float xs, uint8 xz, int8[3,2,3,3] w, float[3] ws, int8[3] wz, float ys, uint8 "
        "yz, int32[3] b) => (y) "
        "{ y = QLinearConv<strides = [1,1]>(x, xs, xz, w, ws, wz, ys, yz, b) }"}},
      {"DeformableConvolution",
       19,
       {"(float[1,2,4,4] x, float[2,1,2,2] w, float[1,8,3,3] o, float[2] b, float[1,4,3,3] m) => (y) { "
        "y = DeformConv<group = 2, offset_group = 1, pads = [0,0,0,0], strides = [1,1]>(x, w, o, b, m) }"}},
      {"Pooling",
       19,
       {"(float[2,3,7,6] x) => (y) { y = MaxPool<kernel_shape = [3,2], strides = [2,2], pads = [1,0,1,1], "
        "dilations = [1,2], "
        "ceil_mode = 1>(x) }",
        "(float[1,2,8] x) => (y) { y = AveragePool<kernel_shape = [3], strides = [2], pads = [1,1], "
        "count_include_pad = 1>(x) }",
        "(float[1,2,4,4,4] x) => (y) { y = LpPool<kernel_shape = [2,2,2], p = 2, auto_pad = "
        "\"SAME_LOWER\">(x) }",
        "(float[1,2,4,4] x) => (y) { y = GlobalAveragePool(x) }",
        "(float[1,2,4,4] x) => (y) { y = GlobalMaxPool(x) }",
        "(float[1,2,4,4] x) => (y) { y = GlobalLpPool<p = 2>(x) }",
        "(float[1,1,2,2] x, int64[1,1,2,2] i) => (y) { y = MaxUnpool<kernel_shape = [2,2], strides = "
        "[2,2]>(x, i) }"}},
      {"Matrix",
       17,
       {"(float[2,3,4] a, float[4,5] b) => (y) { y = MatMul(a, b) }",
        "(float[3,4] a, float[5,4] b, float[5] c) => (y) { y = Gemm<transB = 1, alpha = 0.5>(a, b, c) }",
        "(uint8[3,4] a, int8[4,5] b, uint8 az, int8[5] bz) => (y) { y = MatMulInteger(a, b, az, bz) }",
        "(uint8[3,4] a, float as, uint8 az, int8[4,5] b, float bs, int8 bz, float ys, uint8 yz) => (y) { "
        "y = QLinearMatMul(a, as, az, b, bs, bz, ys, yz) }",
        "(float[2,3,4] a, float[2,4,5] b) => (y) { y = Einsum<equation = \"bij,bjk->bik\">(a, b) }",
        "(float[2,3,3] a) => (y) { y = Det(a) }"}},
      {"Normalization",
       21,
       {"(float[2,3,4,4] x, float[3] s, float[3] b, float[3] m, float[3] v) => (y) { y = "
        "BatchNormalization<epsilon = 0.001>(x, s, b, m, v) }",
        "(float[2,3,4,4] x, float[3] s, float[3] b, float[3] m, float[3] v) => (y, n, w) { y, n, w = "
        "BatchNormalization<training_mode = 1>(x, s, b, m, v) }",
        "(float[2,3,4] x, float[3] s, float[3] b) => (y) { y = InstanceNormalization(x, s, b) }",
        "(float[2,3,4] x, float[4] s, float[4] b) => (y, m, v) { y, m, v = LayerNormalization<axis = -1>(x, "
        "s, b) }",
        "(float[2,4,3] x, float[4] s, float[4] b) => (y) { y = GroupNormalization<num_groups = 2>(x, s, b) }",
        "(float[2,5,3,3] x) => (y) { y = LRN<size = 3>(x) }",
        "(float[2,5,3] x) => (y) { y = LpNormalization<axis = 1, p = 2>(x) }",
        "(float[2,3,3,3] x) => (y) { y = MeanVarianceNormalization<axes = [0,2,3]>(x) }",
        "(float[2,3] x) => (y) { y = Softmax<axis = -1>(x) }",
        "(float[2,3] x) => (y) { y = Hardmax<axis = -1>(x) }"}},
      {"Activation",
       18,
       {"(float[2,3,4] x) => (y) { y = Relu(x) }",
        "(float[2,3,4] x, float[3,1] s) => (y) { y = PRelu(x, s) }",
        "(float[2,3] x) => (y) <float lo = {0.0}, float hi = {6.0}> { y = Clip(x, lo, hi) }",
        "(float[2,3] x, float[3] z) => (y) { y = Add(x, z) }",
        "(int32[2,3] x, int32[3] z) => (y) { y = Div(x, z) }",
        "(int32[2,3] x, int32[3] z) => (y) { y = Mod(x, z) }",
        "(float[2,3] x, float[1] z) => (y) { y = Pow(x, z) }",
        "(uint8[2,3] x, uint8[3] z) => (y) { y = BitShift<direction = \"LEFT\">(x, z) }",
        "(bool[2,1] c, float[3] x, float[2,3] z) => (y) { y = Where(c, x, z) }",
        "(float[2,3] x) => (y) { y = Cast<to = 2>(x) }",
        "(float[2,3] x) => (y) { y = HardSigmoid<alpha = 0.2>(x) }",
        "(float[2,3] x) => (y) { y = Elu<alpha = 2.0>(x) }"}},
      {"Reduction",
       18,
       {"(float[2,3,4] x) => (y) <int64[2] axes = {0, 2}> { y = ReduceMean<keepdims = 1>(x, axes) }",
        "(int32[2,3,4] x) => (y) <int64[1] axes = {1}> { y = ReduceMax<keepdims = 0>(x, axes) }",
        "(float[2,3,4] x) => (y) <int64[1] axes = {-1}> { y = ReduceLogSumExp<noop_with_empty_axes = 1>(x, "
        "axes) }",
        "(float[2,3,4] x) => (y) { y = ArgMax<axis = 1, keepdims = 0>(x) }",
        "(float[2,5] x) => (v, i) <int64[1] k = {2}> { v, i = TopK<axis = -1>(x, k) }",
        "(float[2,5] x) => (y) <int64 axis = {1}> { y = CumSum<reverse = 1>(x, axis) }",
        "(float[5,2] x) => (y, i, j, c) { y, i, j, c = Unique<axis = 0>(x) }"}},
      {"Index",
       18,
       {"(float[3,4] x) => (y) <int64[2] i = {0, 2}> { y = Gather<axis = 0>(x, i) }",
        "(float[3,4] x) => (y) <int64[2,2] i = {0, 1, 2, 0}> { y = GatherElements<axis = 0>(x, i) }",
        "(float[3,4] x) => (y) <int64[2,2] i = {0, 1, 2, 0}> { y = GatherND<batch_dims = 0>(x, i) }",
        "(float[3,4] x, float[2,2] u) => (y) <int64[2,2] i = {0, 1, 2, 0}> { y = ScatterElements<axis = 0, "
        "reduction = \"add\">(x, i, u) }",
        "(float[3,4] x, float[2] u) => (y) <int64[2,2] i = {0, 1, 2, 0}> { y = ScatterND(x, i, u) }",
        "(int64[3] x) => (y) <int64 d = {5}, float[2] v = {0.0, 1.0}> { y = OneHot<axis = -1>(x, d, v) }",
        "(float[3,4] x) => (y) { y = NonZero(x) }",
        "(float[3,4] x, bool[3] c) => (y) { y = Compress<axis = 0>(x, c) }",
        "(float[1,4,4] b, float[1,2,4] s) => (y) <int64[1] m = {3}, float[1] t = {0.5}> { y = "
        "NonMaxSuppression(b, s, m, t) }",
        "(float[4,4] x) => (y) <int64 k = {1}> { y = Trilu<upper = 1>(x, k) }"}},
      {"Layout",
       18,
       {"(float[2,3,4] x) => (y) <int64[2] s = {6, -1}> { y = Reshape<allowzero = 0>(x, s) }",
        "(float[2,3,4] x) => (y) { y = Transpose<perm = [2,0,1]>(x) }",
        "(float[2,3] x, float[2,4] z) => (y) { y = Concat<axis = 1>(x, z) }",
        "(float[2,6] x) => (a, b) <int64[2] s = {2, 4}> { a, b = Split<axis = 1>(x, s) }",
        "(float[4,6] x) => (y) <int64[2] s = {0, 5}, int64[2] e = {3, -7}, int64[2] a = {0, 1}, int64[2] t = "
        "{2, -1}> { y = Slice(x, s, e, a, t) }",
        "(float[2,1] x) => (y) <int64[3] s = {3, 1, 4}> { y = Expand(x, s) }",
        "(float[2,3] x) => (y) <int64[2] r = {2, 3}> { y = Tile(x, r) }",
        "(float[2,3] x) => (y) <int64[4] p = {1, -1, 0, 2}> { y = Pad<mode = \"constant\">(x, p) }",
        "(float[4,3] x) => (y) <int64[4] p = {1, 1, 2, 1}> { y = Pad<mode = \"reflect\">(x, p) }",
        "(float[1,8,2,3] x) => (y) { y = DepthToSpace<blocksize = 2>(x) }",
        "(float[1,2,4,6] x) => (y) { y = SpaceToDepth<blocksize = 2>(x) }",
        "(float[2,3,1] x) => (y) <int64[1] a = {2}> { y = Squeeze(x, a) }",
        "(float[2,3] x) => (y) <int64[2] a = {0, 3}> { y = Unsqueeze(x, a) }",
        "(float[2,3,4] x) => (y) { y = Flatten<axis = 1>(x) }",
        "() => (y) <int64[2] s = {2, 3}> { y = ConstantOfShape(s) }",
        "() => (y) <int64 a = {0}, int64 b = {9}, int64 c = {2}> { y = Range(a, b, c) }",
        "(float[4,3] x, int64[3] l) => (y) { y = ReverseSequence<batch_axis = 1, time_axis = 0>(x, l) }",
        "(float[3,4] x) => (y) <int64[2] s = {5, 2}> { y = CenterCropPad(x, s) }",
        "(float[1,4,4] x) => (y) <int64[2] i = {3, 3}, int64[2] b = {2, 2}> { y = Col2Im<strides = [1,1]>(x, "
        "i, b) }"}},
      {"Resize",
       20,
       {"(float[1,2,4,5] x) => (y) <float[4] s = {1.0, 1.0, 2.0, 0.6}> { y = Resize<mode = \"linear\">(x, , "
        "s) }",
        "(float[1,2,4,5] x) => (y) <int64[4] s = {1, 2, 7, 3}> { y = Resize<mode = \"cubic\", "
        "exclude_outside = 1>(x, , , s) }",
        "(float[1,2,4,5] x) => (y) <float[2] s = {0.5, 0.4}> { y = Resize<mode = \"linear\", antialias = 1, "
        "axes = [2,3]>(x, , s) }",
        "(float[1,2,4,5] x) => (y) <int64[4] s = {1, 2, 7, 3}> { y = Resize<mode = \"nearest\", "
        "keep_aspect_ratio_policy = \"not_larger\">(x, , , s) }",
        "(float[1,2,3,3] x, float[1,2,2,2] g) => (y) { y = GridSample<mode = \"cubic\", padding_mode = "
        "\"reflection\">(x, g) }",
        "(float[1,2,3,3] x, float[1,4] r, int64[1] b) => (y) { y = RoiAlign<output_height = 2, output_width "
        "= 2, sampling_ratio = 0>(x, r, b) }",
        "(float[1,2,3] t) => (y) <int64[4] s = {1, 1, 3, 2}> { y = AffineGrid(t, s) }"}},
      {"Recurrent",
       17,
       {"(float[4,2,3] x, float[1,20,3] w, float[1,20,5] r, float[1,40] b) => (y, h, c) { y, h, c = "
        "LSTM<hidden_size = 5>(x, w, r, b) }",
        "(float[4,2,3] x, float[2,15,3] w, float[2,15,5] r, float[2,30] b) => (y, h) { y, h = "
        "GRU<hidden_size = 5, direction = \"bidirectional\", "
        "linear_before_reset = 1>(x, w, r, b) }",
        "(float[4,2,3] x, float[1,5,3] w, float[1,5,5] r) => (y, h) { y, h = RNN<hidden_size = 5, layout = "
        "0, activations = [\"Tanh\"]>(x, w, r) }"}},
      {"Signal",
       20,
       {"(float[1,6,2] x) => (y) <int64 n = {5}, int64 a = {1}> { y = DFT<onesided = 0>(x, n, a) }",
        "(float[1,9] x, float[4] w) => (y) <int64 s = {2}> { y = STFT(x, s, w) }",
        "() => (y) <int64 n = {6}> { y = HannWindow<periodic = 0>(n) }",
        "() => (y) <int64 b = {4}, int64 n = {16}, int64 r = {8000}, float l = {0.0}, float h = {4000.0}> { "
        "y = MelWeightMatrix(b, n, r, l, h) }"}},
      {"Transformer",
       23,
       {"(float[1,2,3,4] q, float[1,1,5,4] k, float[1,1,5,6] v, float[3,5] m) => (y) { y = "
        "Attention<is_causal = 1, softcap = 2.0>(q, k, v, m) }",
        "(float[1,3,8] q, float[1,5,4] k, float[1,5,4] v) => (y) { y = Attention<q_num_heads = 4, "
        "kv_num_heads = 2, scale = 0.5>(q, k, v) }",
        "(float[1,2,3,4] x, float[5,2] c, float[5,2] s, int64[1,3] p) => (y) { y = "
        "RotaryEmbedding<rotary_embedding_dim = 4>(x, c, s, p) }",
        "(float[2,3,4] x, float[4] s) => (y) { y = RMSNormalization<axis = -1>(x, s) }"}},
      {"ControlFlow",
       17,
       {"(bool c, float[2] x) => (y) { y = If<then_branch = t () => (float[2] a) { a = Abs(x) }, else_branch "
        "= e () => (float[2] b) { b = Neg(x) }>(c) }",
        "(float[2] x) => (y, s) <int64 n = {3}, bool c = {1}> { y, s = Loop<body = b (int64 i, bool g, "
        "float[2] v) => (bool h, float[2] w, float[2] u) "
        "{ five = Constant<value_int = 5>() h = Less(i, five) w = Add(v, v) u = Neg(v) }>(n, c, x) }",
        "(float[2] s, float[3,2] x) => (y, z) { y, z = Scan<num_scan_inputs = 1, scan_input_axes = [0], body "
        "= b (float[2] v, float[2] e) => (float[2] w, float[2] u) "
        "{ w = Add(v, e) u = Mul(v, e) }>(s, x) }"}},
      {"Contributed",
       17,
       {"(uint8[2,3] a, float as, uint8 az, uint8[3] b, float bs, uint8 bz, float ys, uint8 yz) => (y) { y = "
        "com.microsoft.QLinearAdd(a, as, az, b, bs, bz, ys, yz) }",
        "(float ys, uint8 yz, uint8[1,2] a, float as, uint8 az, uint8[2,2] b, float bs, uint8 bz) => (y) { y "
        "= com.microsoft.QLinearConcat<axis = 0>(ys, yz, a, as, az, b, bs, bz) }",
        "(int8[1,3,4,4] x, float xs, int8 xz, float ys, int8 yz) => (y) { y = "
        "com.microsoft.QLinearAveragePool<kernel_shape = [2,2], strides = [2,2], channels_last = 1>(x, xs, "
        "xz, ys, yz) }",
        "(uint8[2,3] x, float xs, uint8 xz, float ys, uint8 yz) => (y) { y = "
        "com.microsoft.QLinearSoftmax<axis = -1, opset = 13>(x, xs, xz, ys, yz) }",
        "(uint8[3,4] a, float as, uint8 az, int8[4,5] b, float[5] bs, int8[5] bz, int32[5] c, float ys, "
        "uint8 yz) "
        "=> (y) { y = com.microsoft.QGemm<alpha = 1.0, transB = 0>(a, as, az, b, bs, bz, c, ys, yz) }",
        "(float[1,2,7,5] x, float[6,2,3,3] w, float[6] b, float[1,6,7,5] z) => (y) { y = "
        "com.microsoft.FusedConv<pads = [1,1,1,1], activation = \"Relu\">(x, w, b, z) }",
        "(float[2,3,4] a, float[2,5,4] b) => (y) { y = com.microsoft.FusedMatMul<transB = 1, alpha = 0.5>(a, "
        "b) }",
        "(float[2,20] a, uint8[3,2,8] b, float[6] s, uint8[3] z) => (y) { y = com.microsoft.MatMulNBits<K = "
        "20, N = 3, bits = 4, block_size = 16>(a, b, s, z) }",
        "(float[2,4] a, int8[4,3] b, float[3] s, int8[3] z, float[3] c) => (y) { y = "
        "com.microsoft.DynamicQuantizeMatMul(a, b, s, z, c) }",
        "(float[2,3,4] x, float[2,3,4] k, float[4] g, float[4] b) => (y) { y = "
        "com.microsoft.SkipLayerNormalization(x, k, g, b) }",
        "(int32[1,3] i, int32[1,3] t, float[5,4] w, float[3,4] p, float[2,4] s, float[4] g, float[4] b) => "
        "(y, m) { "
        "y, m = com.microsoft.EmbedLayerNormalization(i, t, w, p, s, g, b) }"}},
      {"Quantization",
       21,
       {"(float[2,6] x, float[6] s, uint8[6] z) => (y) { y = QuantizeLinear<axis = 1>(x, s, z) }",
        "(float[2,6] x, float[2,2] s) => (y) { y = QuantizeLinear<axis = 1, block_size = 3, output_dtype = "
        "22>(x, s) }",
        "(int8[2,6] x, float s, int8 z) => (y) { y = DequantizeLinear(x, s, z) }",
        "(float[3,4] x) => (y, s, z) { y, s, z = DynamicQuantizeLinear(x) }",
        "(float[3,4] x) => (y) { y = Cast<to = 17, saturate = 1>(x) }"}},
  };
  return all;
}

class Changes {
 public:
  explicit Changes(std::uint32_t seed) : random_(seed) {}

  std::size_t below(std::size_t count) { return random_() % count; }
  bool chance(std::size_t one_in) { return below(one_in) == 0; }

  std::int64_t integer() {
    constexpr std::int64_t kPool[] = {std::numeric_limits<std::int64_t>::min(),
                                      -(std::int64_t{1} << 40),
                                      -2147483648LL,
                                      -7,
                                      -3,
                                      -2,
                                      -1,
                                      0,
                                      0,
                                      1,
                                      1,
                                      2,
                                      3,
                                      4,
                                      5,
                                      7,
                                      64,
                                      65536,
                                      2147483647,
                                      std::int64_t{1} << 40,
                                      std::numeric_limits<std::int64_t>::max()};
    return kPool[below(std::size(kPool))];
  }
  float number() {
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    constexpr float kPool[] = {0,
                               -0.0F,
                               1,
                               -1,
                               0.5F,
                               2,
                               3.7F,
                               1e-38F,
                               1e30F,
                               -1e30F,
                               kInfinity,
                               -kInfinity,
                               std::numeric_limits<float>::quiet_NaN()};
    return kPool[below(std::size(kPool))];
  }
  Dims dims(Dims dims) {
    switch (below(4)) {
      case 0:
        if (!dims.empty()) dims.erase(dims.begin() + static_cast<std::ptrdiff_t>(below(dims.size())));
        break;
      case 1:
        dims.insert(dims.begin() + static_cast<std::ptrdiff_t>(below(dims.size() + 1)),
                    static_cast<std::int64_t>(below(4)));
        break;
      default:
        if (!dims.empty()) dims[below(dims.size())] = static_cast<std::int64_t>(below(8));
    }
    return dims;
  }

  /// Numbers of the type: small ones, here and there an extreme one.
  Tensor tensor(DataType type, const Dims& dims) {
    Result<Tensor> made = Tensor::allocate(type, dims);
    if (!made.ok()) return {};
    Tensor tensor = std::move(*made);
    if (type == DataType::kFloat) {
      for (float& value : tensor.mutable_data<float>())
        value = chance(40) ? number() : static_cast<float>(below(2000)) / 500.0F - 2.0F;
    } else if (type == DataType::kInt64) {
      for (std::int64_t& value : tensor.mutable_data<std::int64_t>())
        value = chance(40) ? integer() : static_cast<std::int64_t>(below(4));
    } else if (type == DataType::kInt32) {
      for (std::int32_t& value : tensor.mutable_data<std::int32_t>())
        value =
            chance(20) ? std::numeric_limits<std::int32_t>::min() : static_cast<std::int32_t>(below(9)) - 4;
    } else {
      for (std::byte& byte : tensor.mutable_bytes())
        byte = static_cast<std::byte>(type == DataType::kBool ? below(2) : below(256));
    }
    return tensor;
  }

  void attribute(Node& node) {
    if (node.attributes().empty()) return;
    const Attribute chosen = node.attributes()[below(node.attributes().size())];
    if (std::holds_alternative<std::int64_t>(chosen.value)) {
      node.set_attribute(chosen.name, integer());
    } else if (std::holds_alternative<float>(chosen.value)) {
      node.set_attribute(chosen.name, number());
    } else if (const auto* list = std::get_if<std::vector<std::int64_t>>(&chosen.value)) {
      std::vector<std::int64_t> changed = *list;
      if (chance(4) && !changed.empty()) {
        changed.pop_back();
      } else if (chance(4) || changed.empty()) {
        changed.push_back(integer());
      } else {
        changed[below(changed.size())] = integer();
      }
      node.set_attribute(chosen.name, std::move(changed));
    } else if (const auto* text = std::get_if<std::string>(&chosen.value)) {
      constexpr const char* kPool[] = {"",    "nearest", "linear",    "VALID", "NOTSET", "edge",
                                       "max", "reverse", "...i->...", "ab,bc", "?"};
      node.set_attribute(chosen.name,
                         chance(6) ? *text + *text : std::string(kPool[below(std::size(kPool))]));
    } else {
      return;
    }
    if (chance(8)) node.remove_attribute(chosen.name);
  }

  /// Another value in a constant: a new number, or another shape.
  Tensor constant(const Tensor& old) {
    if (chance(3) || (old.type() != DataType::kInt64 && old.type() != DataType::kFloat) || old.size() == 0)
      return tensor(old.type(), dims(old.dims()));
    Tensor changed = old;
    const std::size_t at = below(static_cast<std::size_t>(old.size()));
    if (old.type() == DataType::kInt64) changed.mutable_data<std::int64_t>()[at] = integer();
    if (old.type() == DataType::kFloat) changed.mutable_data<float>()[at] = number();
    return changed;
  }

 private:
  std::mt19937 random_;
};

/// What inference says of a value is true of the tensor; `types`: of its element type, too.
void expect_true(const ValueFacts& facts, const Tensor& tensor, bool types, const std::string& text) {
  if (types && facts.type.element != DataType::kUndefined) {
    EXPECT_EQ(facts.type.element, tensor.type()) << text;
  }
  if (!facts.type.shape) return;
  ASSERT_EQ(facts.type.shape->size(), tensor.rank()) << text;
  for (std::size_t i = 0; i < tensor.rank(); ++i) {
    const Dim& dim = (*facts.type.shape)[i];
    if (dim.known()) {
      EXPECT_EQ(dim.value(), tensor.dims()[i]) << text;
    }
  }
}

/// Changes the only node of the graph and its inputs, and executes it. True where that gave a result.
bool run_changed(Graph& graph, Changes& changes) {
  Node& node = **graph.nodes().begin();
  std::vector<Tensor> given;
  bool mixed = false;  // types that the operator does not allow beside each other, maybe
  for (Value* input : graph.inputs()) {
    Type type = input->type();
    Dims dims = known_dims(*type.shape).value_or(Dims());
    if (changes.chance(5)) dims = changes.dims(std::move(dims));
    constexpr DataType kTypes[] = {DataType::kFloat, DataType::kInt64,  DataType::kInt32,  DataType::kUint8,
                                   DataType::kBool,  DataType::kDouble, DataType::kFloat16};
    if (changes.chance(15)) {
      type.element = kTypes[changes.below(std::size(kTypes))];
      mixed = true;
    }
    given.push_back(changes.tensor(type.element, dims));
    type.shape = Shape(dims.begin(), dims.end());
    input->set_type(std::move(type));
  }
  if (!changes.chance(4)) changes.attribute(node);
  for (Value* constant : graph.constants()) {
    if (changes.chance(2)) constant->set_constant(changes.constant(*constant->constant()));
  }
  if (node.input_count() > 0 && changes.chance(20))
    graph.set_input(&node, changes.below(node.input_count()), nullptr);

  const std::string text = to_text(graph);
  const Result<ShapeTable> facts = infer_shapes(graph);
  std::vector<const Tensor*> inputs;
  for (std::size_t i = 0; i < node.input_count(); ++i) {
    const Value* value = node.input(i);
    const Tensor* tensor = value != nullptr ? value->constant() : nullptr;
    for (std::size_t k = 0; k < given.size(); ++k) {
      if (value == graph.inputs()[k]) tensor = &given[k];
    }
    inputs.push_back(tensor);
  }
  const Result<std::vector<Tensor>> alone = evaluate_node(node, inputs, kLargestResult);
  if (!alone.ok()) {
    EXPECT_FALSE(alone.error().message().empty()) << text;
    return false;
  }
  // Subgraphs declare shapes of their own, which the changes may have made untrue.
  if (facts.ok() && node.subgraphs().empty()) {
    for (std::size_t i = 0; i < alone->size(); ++i) {
      if (node.output(i) != nullptr && (*alone)[i].defined())
        expect_true(facts->at(node.output(i)), (*alone)[i], !mixed, text);
    }
  }
  // The same in a session, which plans ahead. What it is not able to promise before it runs it may refuse.
  Result<Session> session = Session::create(graph);
  if (!session.ok()) return true;
  const Result<std::vector<Tensor>> planned = session->run(given);
  if (!planned.ok()) return true;
  for (std::size_t i = 0; i < planned->size(); ++i)
    EXPECT_EQ((*planned)[i].dims(), (*alone)[i].dims()) << text;
  return true;
}

class Operators : public testing::TestWithParam<Family> {};

TEST_P(Operators, GiveAResultOrAnError) {
  int results = 0;
  for (std::size_t i = 0; i < GetParam().graphs.size(); ++i) {
    const std::string text = "<ir_version: 8, opset_import: [\"\" : " + std::to_string(GetParam().opset) +
                             "]> g " + GetParam().graphs[i];
    const Result<Model> sound = parse_model_text(text);
    ASSERT_TRUE(sound.ok()) << sound.error().message();
    for (int round = 0; round < kRounds; ++round) {
      Changes changes(static_cast<std::uint32_t>(i * 100000 + static_cast<std::size_t>(round)));
      const Model model = clone(*sound);
      results += run_changed(*model.graph, changes) ? 1 : 0;
      if (HasFatalFailure()) return;
    }
  }
  EXPECT_GT(results, 0);  // the changes leave some nodes sound
}

INSTANTIATE_TEST_SUITE_P(Families, Operators, testing::ValuesIn(families()),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace press

#include <gtest/gtest.h>

#include "press/onnx/text.h"
#include "press/ops/operator.h"

namespace press {
namespace {

/// The inferred type of the graph's output `index`; a failure's message instead.
std::string inferred(const char* text, const ShapeInferenceOptions& options = {}, std::size_t index = 0) {
  const Result<Model> model = parse_model_text(text);
  if (!model.ok()) return model.error().message();
  const Result<ShapeTable> table = infer_shapes(*model->graph, options);
  if (!table.ok()) return table.error().message();
  return to_string(table->at(model->graph->outputs()[index].value).type);
}

/// A graph of one node at opset 17; outputs are not declared.
std::string inferred_node(const std::string& inputs, const std::string& node) {
  return inferred(
      ("<ir_version: 8, opset_import: [\"\" : 17]> g (" + inputs + ") => (y) { " + node + " }").c_str());
}

TEST(InferShapes, ConvolutionKeepsTheSymbolicBatch) {
  EXPECT_EQ(inferred(R"(<ir_version: 8, opset_import: ["" : 17]>
    g (float[N,3,224,224] x, float[64,3,7,7] w) => (y) {
      c = Conv<strides = [2,2], pads = [3,3,3,3]>(x, w)
      y = MaxPool<kernel_shape = [3,3], strides = [2,2], pads = [1,1,1,1]>(c)
    })"),
            "float32[N,64,56,56]");
}

TEST(InferShapes, ShapeArithmeticKeepsTheSymbolicBatch) {
  EXPECT_EQ(inferred(R"(<ir_version: 8, opset_import: ["" : 17]>
    g (float[N,64,7,7] x) => (y) <int64 zero = {0}, int64[1] axis = {0}, int64[1] rest = {-1}> {
      s = Shape(x)
      n = Gather(s, zero)
      n1 = Unsqueeze(n, axis)
      target = Concat<axis = 0>(n1, rest)
      y = Reshape(x, target)
    })"),
            "float32[N,3136]");
}

TEST(InferShapes, DoublesTheExtentsOfAResizeByItsOwnShape) {
  EXPECT_EQ(inferred(R"(<ir_version: 8, opset_import: ["" : 17]>
    g (float[N,8,20,30] x) => (y) <int64[1] two = {2}, int64[1] four = {4}, int64[1] zero = {0}> {
      s = Shape(x)
      head = Slice(s, zero, two)
      tail = Slice(s, two, four)
      twice = Mul(tail, two)
      sizes = Concat<axis = 0>(head, twice)
      y = Resize<mode = "nearest">(x, , , sizes)
    })"),
            "float32[N,8,40,60]");
}

TEST(InferShapes, ExpandBySelectedShape) {
  EXPECT_EQ(inferred(R"(<ir_version: 8, opset_import: ["" : 17]>
    g (float[N,5] x, float[1,1] token) => (y) <int64[1] zero = {0}, int64[1] one = {1}, int64[2] minus = {-1,-1}> {
      s = Shape(x)
      n = Slice(s, zero, one)
      asked = Concat<axis = 0>(n, one)
      keep = Equal(asked, minus)
      target = Where(keep, minus, asked)
      y = Expand(token, target)
    })"),
            "float32[N,1]");
}

TEST(InferShapes, PadsThatAnExporterComputesInSteps) {
  // How PyTorch writes pads: pairs from the last axis on, turned around and transposed.
  EXPECT_EQ(inferred(R"(<ir_version: 8, opset_import: ["" : 17]>
    g (float[N,16,8,8] x) => (y) <int64[6] given = {0,0,0,0,8,8}, int64[1] two = {2}, int64[2] pairs = {-1,2},
       int64[1] last = {-1}, int64[1] lowest = {-9223372036854775807}, int64[1] zero = {0}, int64[1] flat = {-1}> {
      more = ConstantOfShape(two)
      ints = Cast<to = 7>(more)
      all = Concat<axis = 0>(given, ints)
      table = Reshape(all, pairs)
      turned = Slice(table, last, lowest, zero, last)
      sides = Transpose<perm = [1,0]>(turned)
      pads = Reshape(sides, flat)
      y = Pad<mode = "constant">(x, pads)
    })"),
            "float32[N,32,8,8]");
}

TEST(InferShapes, FlattensAfterTranspose) {
  EXPECT_EQ(inferred_node("float[N,4,2,3] x", "t = Transpose<perm = [0,2,3,1]>(x) y = Flatten(t)"),
            "float32[N,24]");
}

TEST(InferShapes, OptionsPutExtentsInThePlaceOfOpenDims) {
  const char* text = R"(<ir_version: 8, opset_import: ["" : 17]>
    g (float[N,3,H,8] x, float[8,3,3,3] w) => (y) { y = Conv(x, w) })";
  ShapeInferenceOptions options;
  options.dims["N"] = 4;
  EXPECT_EQ(inferred(text, options), "float32[4,8,?,6]");
  options.dims[""] = 16;
  EXPECT_EQ(inferred(text, options), "float32[4,8,14,6]");
}

TEST(InferShapes, UnknownOperatorsKeepWhatTheFileDeclares) {
  EXPECT_EQ(inferred(R"(<ir_version: 8, opset_import: ["" : 17, "custom" : 1]>
    g (float[N,4] x) => (float[N,7] y) { t = custom.Thing(x) y = Identity(t) })"),
            "float32[N,7]");
}

TEST(InferShapes, BranchesOfIfAgreeOrStayOpen) {
  EXPECT_EQ(inferred(R"(<ir_version: 8, opset_import: ["" : 17]>
    g (bool c, float[N,4,6] x) => (y) {
      y = If(c) <
        then_branch = t () => (float[N,4,3] a) { a = MaxPool<kernel_shape = [2], strides = [2]>(x) },
        else_branch = e () => (float[N,4,6] b) { b = Relu(x) }
      >
    })"),
            "float32[N,4,?]");
}

TEST(InferShapes, LoopOpensWhatItsBodyChanges) {
  EXPECT_EQ(inferred(R"(<ir_version: 8, opset_import: ["" : 17]>
    g (int64 trips, bool go, float[1,4] x) => (y) {
      y = Loop(trips, go, x) <body = b (int64 i, bool c, float[K,4] s) => (bool d, float[L,4] t) {
        d = Identity(c)
        t = Concat<axis = 0>(s, s)
      }>
    })"),
            "float32[?,4]");
}

struct Case {
  const char* inputs;
  const char* node;
  const char* expected;
};
class Rules : public testing::TestWithParam<Case> {};

TEST_P(Rules, Infer) {
  EXPECT_EQ(inferred_node(GetParam().inputs, GetParam().node), GetParam().expected);
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, Rules,
    testing::Values(
        Case{"float[N,1,5] a, float[4,1] b", "y = Add(a, b)", "float32[N,4,5]"},
        Case{"float[2,3] a, float[3] b", "y = Greater(a, b)", "bool[2,3]"},
        Case{"float[N,2,3] a, float[3,5] b", "y = MatMul(a, b)", "float32[N,2,5]"},
        Case{"float[3,N] a, float[5,3] b", "y = Gemm<transA = 1, transB = 1>(a, b)", "float32[N,5]"},
        Case{"float[N,8,6,6] x, float[8,4,3,3] w", "y = ConvTranspose<strides = [2,2], group = 2>(x, w)",
             "float32[N,8,13,13]"},
        Case{"float[N,2,7,7] x", "y = AveragePool<kernel_shape = [2,2], strides = [2,2], ceil_mode = 1>(x)",
             "float32[N,2,4,4]"},
        Case{"float[N,2,7,5] x",
             "y = MaxPool<kernel_shape = [3,3], strides = [2,2], auto_pad = \"SAME_UPPER\">(x)",
             "float32[N,2,4,3]"},
        Case{"float[N,2,7,5] x", "y = GlobalAveragePool(x)", "float32[N,2,1,1]"},
        Case{"float[N,2,7] x", "y = ReduceMean<axes = [-1], keepdims = 0>(x)", "float32[N,2]"},
        Case{"float[N,2,7] x", "y = ArgMax<axis = 2>(x)", "int64[N,2,1]"},
        Case{"float[N,6] x", "y, z = Split<axis = 1>(x)", "float32[N,3]"},
        Case{"float[N,8,4,4] x", "y = DepthToSpace<blocksize = 2>(x)", "float32[N,2,8,8]"},
        Case{"float[N,2,4,4] x", "y = SpaceToDepth<blocksize = 2>(x)", "float32[N,8,2,2]"},
        Case{"float[5,N] x, int64[2,3] i", "y = Gather(x, i)", "float32[2,3,N]"},
        Case{"float[7,N,10] x, float[1,16,10] w, float[1,16,4] r", "y = LSTM<hidden_size = 4>(x, w, r)",
             "float32[7,1,N,4]"},
        Case{"float[N,3] x", "y = Cast<to = 7>(x)", "int64[N,3]"},
        Case{"float[N,3] x, float s, uint8 z", "y = QuantizeLinear(x, s, z)", "uint8[N,3]"},
        Case{"float[2,3] a, float[3,4] b", "y = Einsum<equation = \"ij,jk->ik\">(a, b)", "float32[2,4]"},
        Case{"float[N,3] x", "y = Shape(x)", "int64[2]"},
        Case{"float[N,3] x", "y = NonZero(x)", "int64[2,?]"}));

class Rejects : public testing::TestWithParam<Case> {};

TEST_P(Rejects, SayWhatIsWrong) {
  const std::string message = inferred_node(GetParam().inputs, GetParam().node);
  EXPECT_NE(message.find(GetParam().expected), std::string::npos) << message;
  EXPECT_NE(message.find("node "), std::string::npos) << message;
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, Rejects,
    testing::Values(
        Case{"float[1,3,8,8] x, float[4,3,3,3] w", "y = Conv<strides = [0,1]>(x, w)",
             "strides has the entry 0"},
        Case{"float[1,3,8,8] x, float[4,3,3,3] w", "y = Conv<group = 0>(x, w)", "group is 0"},
        Case{"float[1,3,8,8] x, float[4,3,3,3] w", "y = Conv<group = 2>(x, w)", "3 channels"},
        Case{"float[1,3,8,8] x, float[4,3,3,3] w", "y = Conv<kernel_shape = [5,5]>(x, w)",
             "kernel_shape is 5x5"},
        Case{"float[1,3,8,8] x, float[4,3,3,3] w", "y = Conv<pads = [1,1]>(x, w)", "pads has 2 entries"},
        Case{"float[1,3,8,8] x, float[4,3,3,3] w", "y = Conv<dilations = [0,1]>(x, w)", "dilations"},
        Case{"float[1,3,8,8] x, float[4,3,3,3] w", "y = Conv<pads = [9223372036854775807,0,0,0]>(x, w)",
             "pads"},
        Case{"float[1,3,8,8] x, float[4,3,3,3] w", "y = Conv<auto_pad = \"SAME\">(x, w)",
             "auto_pad is 'SAME'"},
        Case{"float[1,3,2,2] x, float[4,3,3,3] w", "y = Conv(x, w)", "larger than the padded input"},
        Case{"float[2,3] a, float[4] b", "y = Add(a, b)", "do not broadcast"},
        Case{"float[2,3] a, float[4,2] b", "y = MatMul(a, b)", "inner dims 3 and 4"},
        Case{"float[2,3] x", "y = Softmax<axis = 2>(x)", "axis 2 is out of range"},
        Case{"float[2,3] x", "y = Transpose<perm = [0,0]>(x)", "named twice"},
        Case{"float[2,3] a, float[2,4] b", "y = Concat<axis = 0>(a, b)", "differ on axis 1"},
        Case{"float[1,4,2,2] x, float[3] p", "y = BatchNormalization(x, p, p, p, p)", "scale has shape [3]"},
        Case{"float[1,6,2,2] x", "y = DepthToSpace<blocksize = 2>(x)", "do not divide"}));

}  // namespace
}  // namespace press

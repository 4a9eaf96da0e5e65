// Random small models for fuzzing the passes: every operator that a pass rewrites, and the patterns that
// passes look for, in the forms of several operator sets. The same seed makes the same model.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "press/ir/graph.h"

namespace press::test {

class RandomGraph {
 public:
  /// `jumps`: also operators whose result jumps where the input moves by a rounding error (Cast to integers);
  /// only passes that keep every bit can be checked with them.
  static Model make(std::uint64_t seed, bool jumps) { return RandomGraph(seed, jumps).run(); }

 private:
  struct Known {
    Value* value;
    Dims dims;
  };

  RandomGraph(std::uint64_t seed, bool jumps) : random_(seed), jumps_(jumps) {}

  Model run() {
    constexpr std::array<std::int64_t, 7> kOpsets = {8, 9, 11, 13, 17, 18, 20};
    opset_ = kOpsets[below(kOpsets.size())];
    graph_ = model_.graph.get();
    graph_->set_name("random");
    graph_->set_opset("", opset_);
    model_.ir_version = opset_ < 9 ? 3 : 8;
    open_batch_ = below(3) == 0;
    const Dims dims = {2, pick({2, 4, 4, 6}), pick({4, 5, 6, 8}), pick({4, 5, 6, 8})};
    Shape shape(dims.begin(), dims.end());
    if (open_batch_) shape[0] = Dim("N");
    Value* input = graph_->add_input("x", {DataType::kFloat, shape, {}});
    known_.push_back({input, dims});
    const std::size_t steps = 3 + below(12);
    for (std::size_t i = 0; i < steps; ++i) grow();
    const std::size_t extra = below(3);
    output("y", known_.back());
    for (std::size_t i = 0; i < extra; ++i) output("extra" + std::to_string(i), any());
    return std::move(model_);
  }

  // -- dice
  std::size_t below(std::size_t bound) { return static_cast<std::size_t>(random_() % bound); }
  bool coin() { return below(2) == 0; }
  std::int64_t pick(std::initializer_list<std::int64_t> choices) {
    return *(choices.begin() + static_cast<std::ptrdiff_t>(below(choices.size())));
  }
  float real() { return static_cast<float>(below(4001)) / 2000.0F - 1.0F; }
  /// Mostly the newest value, so that chains grow; sometimes an older one.
  Known any() { return chained_ || below(4) != 0 ? known_.back() : known_[below(known_.size())]; }

  // -- pieces
  void output(const std::string& name, const Known& known) {
    Shape shape(known.dims.begin(), known.dims.end());
    if (open_batch_) shape.assign(shape.size(), Dim());
    // A file needs a node that makes the output.
    Value* value = known.value->producer() != nullptr && !graph_->is_output(known.value)
                       ? known.value
                       : node("Identity", {known.value});
    graph_->add_output(name, value, {DataType::kFloat, shape, {}});
  }

  Value* node(std::string type, std::vector<Value*> inputs, std::vector<Attribute> attributes = {}) {
    return graph_
        ->add_node(
            {.op_type = std::move(type), .inputs = std::move(inputs), .attributes = std::move(attributes)})
        ->output();
  }
  void push(Value* value, Dims dims) { known_.push_back({value, std::move(dims)}); }

  Value* constant(const Dims& dims, float low, float high) {
    std::int64_t count = 1;
    for (const std::int64_t dim : dims) count *= dim;
    std::vector<float> values(static_cast<std::size_t>(count));
    for (float& value : values) value = low + (real() + 1) / 2 * (high - low);
    if (below(8) == 0) {  // the same bytes as another constant
      for (Value* other : shared_[low]) {
        if (other->constant()->dims() == dims)
          return coin() ? other : graph_->add_constant(*other->constant());
      }
    }
    Value* made = coin() ? graph_->add_constant(Tensor::of(dims, values))
                         : node("Constant", {}, {{"value", Tensor::of(dims, values), {}}});
    if (made->is_constant()) shared_[low].push_back(made);
    return made;
  }
  Value* scalar(float value) {
    return coin() ? graph_->add_constant(Tensor::scalar(value))
                  : graph_->add_constant(Tensor::of({1}, std::vector<float>{value}));
  }
  Value* integers(const std::vector<std::int64_t>& values) {
    return graph_->add_constant(Tensor::of({static_cast<std::int64_t>(values.size())}, values));
  }
  static Attribute ints(std::string name, std::vector<std::int64_t> values) {
    return {std::move(name), std::move(values), {}};
  }
  static Attribute integer(std::string name, std::int64_t value) { return {std::move(name), value, {}}; }

  /// `values` as an attribute, or as an input from operator set `since` on.
  Value* with_integers(const std::string& type, Value* input, const std::string& name, std::int64_t since,
                       const std::vector<std::int64_t>& values) {
    if (opset_ >= since) return node(type, {input, integers(values)});
    return node(type, {input}, {ints(name, values)});
  }

  Value* clipped(Value* value, float low, float high) {
    if (opset_ < 11) return node("Clip", {value}, {{"min", low, {}}, {"max", high, {}}});
    return node("Clip", {value, graph_->add_constant(Tensor::scalar(low)),
                         graph_->add_constant(Tensor::scalar(high))});
  }

  static Dims permuted(const Dims& dims, const std::vector<std::int64_t>& perm) {
    Dims result;
    for (const std::int64_t axis : perm) result.push_back(dims[static_cast<std::size_t>(axis)]);
    return result;
  }
  static std::int64_t count(const Dims& dims) {
    std::int64_t product = 1;
    for (const std::int64_t dim : dims) product *= dim;
    return product;
  }

  // -- steps
  void grow() {
    using Step = void (RandomGraph::*)();
    static constexpr auto kSteps = std::to_array<Step>(
        {&RandomGraph::activation,  &RandomGraph::activation,    &RandomGraph::convolution,
         &RandomGraph::convolution, &RandomGraph::normalization, &RandomGraph::normalization,
         &RandomGraph::affine,      &RandomGraph::affine,        &RandomGraph::pad,
         &RandomGraph::transpose,   &RandomGraph::transpose,     &RandomGraph::reshape,
         &RandomGraph::reshape,     &RandomGraph::squeeze,       &RandomGraph::slice,
         &RandomGraph::split,       &RandomGraph::pool,          &RandomGraph::matrix,
         &RandomGraph::matrix,      &RandomGraph::together,      &RandomGraph::no_effect,
         &RandomGraph::pattern,     &RandomGraph::pattern,       &RandomGraph::twin,
         &RandomGraph::branches,    &RandomGraph::condition,     &RandomGraph::resize,
         &RandomGraph::sandwich,    &RandomGraph::sandwich,      &RandomGraph::sandwich,
         &RandomGraph::turned,      &RandomGraph::turned,        &RandomGraph::projections,
         &RandomGraph::called});
    (this->*kSteps[below(kSteps.size())])();
  }

  void activation() {
    const Known x = any();
    switch (below(9)) {
      case 0:
        return push(node("Sigmoid", {x.value}), x.dims);
      case 1:
        return push(node("Tanh", {x.value}), x.dims);
      case 2:
        return push(node("LeakyRelu", {x.value}, {{"alpha", 0.25F, {}}}), x.dims);
      case 3:
        return push(clipped(x.value, -0.5F, 0.75F), x.dims);
      case 4:
        if (x.dims.empty()) return;
        return push(
            node("Softmax", {x.value}, {integer("axis", static_cast<std::int64_t>(below(x.dims.size())))}),
            x.dims);
      case 5:
        return push(node("Neg", {x.value}), x.dims);
      default:
        return push(node("Relu", {x.value}), x.dims);
    }
  }

  void convolution() {
    const Known x = any();
    if (x.dims.size() != 4) return;
    const std::int64_t channels = x.dims[1];
    const bool transposed = below(6) == 0;
    const std::int64_t group = !transposed && coin() ? channels : channels % 2 == 0 && below(4) == 0 ? 2 : 1;
    const std::int64_t kernel = pick({1, 1, 2, 3, 3}), stride = pick({1, 1, 1, 2}), pad = pick({0, 1, 1});
    const std::int64_t outputs = group == channels ? channels : pick({2, 4, 4, 6});
    if (x.dims[2] + 2 * pad < kernel || x.dims[3] + 2 * pad < kernel || (transposed && pad >= kernel)) return;
    std::vector<Attribute> attributes = {ints("kernel_shape", {kernel, kernel}),
                                         ints("strides", {stride, stride}),
                                         ints("pads", {pad, pad, pad, pad}), integer("group", group)};
    Dims dims = {x.dims[0], outputs, 0, 0};
    for (const std::size_t axis : {2U, 3U}) {
      dims[axis] = transposed ? (x.dims[axis] - 1) * stride + kernel - 2 * pad
                              : (x.dims[axis] + 2 * pad - kernel) / stride + 1;
      if (dims[axis] < 1 || dims[axis] > 12) return;
    }
    const Dims weight_dims = transposed ? Dims{channels, outputs / group, kernel, kernel}
                                        : Dims{outputs, channels / group, kernel, kernel};
    if (transposed && outputs % group != 0) return;
    if (!transposed && outputs % group != 0) return;
    std::vector<Value*> inputs = {x.value, constant(weight_dims, -0.5F, 0.5F)};
    if (coin()) inputs.push_back(constant({outputs}, -0.5F, 0.5F));
    push(node(transposed ? "ConvTranspose" : "Conv", inputs, attributes), dims);
  }

  void normalization() {
    const Known x = any();
    if (x.dims.size() < 2 || (opset_ < 9 && x.dims.size() < 3)) return;
    const Dims channels = {x.dims[1]};
    push(node("BatchNormalization", {x.value, constant(channels, 0.5F, 1.5F), constant(channels, -0.5F, 0.5F),
                                     constant(channels, -0.5F, 0.5F), constant(channels, 0.5F, 1.5F)}),
         x.dims);
  }

  void affine() {
    const Known x = any();
    if (x.dims.empty()) return;
    constexpr std::array<const char*, 4> kTypes = {"Mul", "Add", "Sub", "Div"};
    const std::string type = kTypes[below(4)];
    Value* other = nullptr;
    const std::size_t rank = x.dims.size();
    switch (below(4)) {
      case 0:
        other = scalar(0.5F + static_cast<float>(below(4)) * 0.5F);
        break;
      case 1: {
        Dims dims(rank - (rank > 1 ? 1 : 0), 1);
        dims[0] = rank > 1 ? x.dims[1] : 1;
        if (coin()) dims.insert(dims.begin(), 1);
        if (dims.size() > rank) dims.erase(dims.begin());
        other = constant(dims, 0.5F, 1.5F);
        break;
      }
      case 2: {
        Dims dims(rank, 1);
        const std::size_t axis = below(rank);
        dims[axis] = axis == 0 && open_batch_ ? 1 : x.dims[axis];
        other = constant(dims, 0.5F, 1.5F);
        break;
      }
      default:
        other = constant({x.dims.back()}, 0.5F, 1.5F);
    }
    if (below(8) == 0 && (type == "Add" || type == "Sub")) other = scalar(0.0F);
    const bool swapped = below(4) == 0 && type != "Div";
    push(swapped ? node(type, {other, x.value}) : node(type, {x.value, other}), x.dims);
  }

  void pad() {
    const Known x = any();
    if (x.dims.size() != 4) return;
    const std::int64_t a = pick({0, 1, 1, 2}), b = pick({0, 1, 1}), c = below(6) == 0 ? 1 : 0;
    Dims dims = x.dims;
    dims[1] += c;
    dims[2] += 2 * a;
    dims[3] += a + b;
    if (dims[2] > 12 || dims[3] > 12) return;
    const std::vector<std::int64_t> pads = {0, 0, a, a, 0, c, a, b};
    const float value = below(4) == 0 ? 0.5F : 0.0F;
    if (opset_ < 11) {
      push(node("Pad", {x.value}, {ints("pads", pads), {"value", value, {}}}), dims);
    } else {
      std::vector<Value*> inputs = {x.value, integers(pads)};
      if (value != 0 || coin()) inputs.push_back(graph_->add_constant(Tensor::scalar(value)));
      push(node("Pad", inputs), dims);
    }
  }

  void transpose() {
    const Known x = any();
    std::vector<std::int64_t> perm(x.dims.size());
    for (std::size_t i = 0; i < perm.size(); ++i) perm[i] = static_cast<std::int64_t>(i);
    if (x.dims.size() == 4 && coin()) {
      perm = coin() ? std::vector<std::int64_t>{0, 2, 3, 1} : std::vector<std::int64_t>{0, 3, 1, 2};
    } else {
      for (std::size_t i = perm.size(); i > 1; --i) std::swap(perm[i - 1], perm[below(i)]);
    }
    if (x.dims.size() < 2) return;
    push(node("Transpose", {x.value}, {ints("perm", perm)}), permuted(x.dims, perm));
  }

  void reshape() {
    const Known x = any();
    const std::size_t rank = x.dims.size();
    if (rank < 2) return;
    switch (below(5)) {
      case 0: {  // flatten by shape arithmetic, as exporters write it
        Value* shape = node("Shape", {x.value});
        Value* batch = node("Gather", {shape, graph_->add_constant(Tensor::scalar<std::int64_t>(0))},
                            {integer("axis", 0)});
        Value* first = with_integers("Unsqueeze", batch, "axes", 13, {0});
        Value* target = node("Concat", {first, integers({-1})}, {integer("axis", 0)});
        return push(node("Reshape", {x.value, target}), {x.dims[0], count(x.dims) / x.dims[0]});
      }
      case 1: {
        const auto axis = static_cast<std::int64_t>(1 + below(rank - 1));
        std::int64_t outer = 1;
        for (std::int64_t i = 0; i < axis; ++i) outer *= x.dims[static_cast<std::size_t>(i)];
        return push(node("Flatten", {x.value}, {integer("axis", axis)}), {outer, count(x.dims) / outer});
      }
      case 2: {  // to the shape of another value, or its own
        Value* shape = node("Shape", {x.value});
        return push(node("Reshape", {x.value, shape}), x.dims);
      }
      case 3: {
        if (rank != 4) return;
        return push(node("Reshape", {x.value, integers({0, 0, -1})}),
                    {x.dims[0], x.dims[1], x.dims[2] * x.dims[3]});
      }
      default: {
        const std::int64_t rest = count(x.dims) / x.dims[0];
        if (rest % 2 != 0) return;
        return push(node("Reshape", {x.value, integers({open_batch_ ? 0 : x.dims[0], 2, -1, 1})}),
                    {x.dims[0], 2, rest / 2, 1});
      }
    }
  }

  void squeeze() {
    const Known x = any();
    const std::size_t rank = x.dims.size();
    if (rank >= 1 && rank < 5 && coin()) {
      const std::size_t at = 1 + below(rank);
      Dims dims = x.dims;
      dims.insert(dims.begin() + static_cast<std::ptrdiff_t>(at), 1);
      return push(with_integers("Unsqueeze", x.value, "axes", 13, {static_cast<std::int64_t>(at)}), dims);
    }
    for (std::size_t i = 1; i < rank; ++i) {
      if (x.dims[i] != 1) continue;
      Dims dims = x.dims;
      dims.erase(dims.begin() + static_cast<std::ptrdiff_t>(i));
      return push(with_integers("Squeeze", x.value, "axes", 13, {static_cast<std::int64_t>(i)}), dims);
    }
  }

  void slice() {
    const Known x = any();
    if (x.dims.size() < 2) return;
    const std::size_t axis = 1 + below(x.dims.size() - 1);
    const std::int64_t extent = x.dims[axis];
    const bool everything = below(3) == 0;
    const std::int64_t start =
        everything ? 0 : static_cast<std::int64_t>(below(static_cast<std::size_t>(extent)));
    const std::int64_t end = everything ? INT64_MAX : start + 1 + pick({0, 1, 2, 100});
    const std::int64_t step = everything || opset_ < 10 ? 1 : pick({1, 1, 2});
    Dims dims = x.dims;
    dims[axis] = (std::min(end, extent) - start + step - 1) / step;
    const auto signed_axis = static_cast<std::int64_t>(axis);
    if (opset_ < 10) {
      return push(node("Slice", {x.value},
                       {ints("starts", {start}), ints("ends", {end}), ints("axes", {signed_axis})}),
                  dims);
    }
    push(node("Slice",
              {x.value, integers({start}), integers({end}), integers({signed_axis}), integers({step})}),
         dims);
  }

  void split() {
    const Known x = any();
    if (x.dims.size() < 2) return;
    const std::size_t axis = 1 + below(x.dims.size() - 1);
    if (x.dims[axis] < 2) return;
    const std::int64_t first =
        1 + static_cast<std::int64_t>(below(static_cast<std::size_t>(x.dims[axis] - 1)));
    NodeSpec spec{.op_type = "Split",
                  .inputs = {x.value},
                  .outputs = {"", ""},
                  .attributes = {integer("axis", static_cast<std::int64_t>(axis))}};
    const std::vector<std::int64_t> sizes = {first, x.dims[axis] - first};
    if (opset_ >= 13) {
      spec.inputs.push_back(integers(sizes));
    } else {
      spec.attributes.push_back(ints("split", sizes));
    }
    const Node* made = graph_->add_node(std::move(spec));
    if (coin()) {  // and together again
      return push(node("Concat", {made->output(0), made->output(1)},
                       {integer("axis", static_cast<std::int64_t>(axis))}),
                  x.dims);
    }
    Dims dims = x.dims;
    dims[axis] = sizes[0];
    known_.push_back({made->output(0), dims});
    dims[axis] = sizes[1];
    known_.push_back({made->output(1), dims});
  }

  void pool() {
    const Known x = any();
    if (x.dims.size() != 4) return;
    if (below(4) == 0) return push(node("GlobalAveragePool", {x.value}), {x.dims[0], x.dims[1], 1, 1});
    const std::int64_t kernel = pick({1, 2, 2, 3}), stride = pick({1, 1, 2});
    if (x.dims[2] < kernel || x.dims[3] < kernel) return;
    const std::int64_t pad = kernel == 3 && coin() ? 1 : 0;
    Dims dims = x.dims;
    for (const std::size_t axis : {2U, 3U}) dims[axis] = (x.dims[axis] + 2 * pad - kernel) / stride + 1;
    std::vector<Attribute> attributes = {ints("kernel_shape", {kernel, kernel}),
                                         ints("strides", {stride, stride}),
                                         ints("pads", {pad, pad, pad, pad})};
    const bool average = coin();
    if (average && coin()) attributes.push_back(integer("count_include_pad", 1));
    push(node(average ? "AveragePool" : "MaxPool", {x.value}, attributes), dims);
  }

  void resize() {
    const Known x = any();
    if (x.dims.size() != 4 || opset_ < 11) return;
    const std::int64_t factor = pick({1, 2});
    Dims dims = x.dims;
    for (const std::size_t axis : {2U, 3U}) dims[axis] *= factor;
    if (dims[2] > 12 || dims[3] > 12) return;
    std::vector<Attribute> attributes = {{"mode", std::string(coin() ? "nearest" : "linear"), {}}};
    const std::vector<float> none;
    Value* empty = graph_->add_constant(Tensor::of({0}, none));
    if (coin()) {
      const auto f = static_cast<float>(factor);
      Value* scales = graph_->add_constant(Tensor::of({4}, std::vector<float>{1, 1, f, f}));
      return push(node("Resize", {x.value, empty, scales}, attributes), dims);
    }
    // Sizes as exporters write them: what is open copied from the shape.
    Value* shape = node("Shape", {x.value});
    Value* kept = node("Slice", {shape, integers({0}), integers({2}), integers({0})});
    Value* sizes = node("Concat", {kept, integers({dims[2], dims[3]})}, {integer("axis", 0)});
    push(node("Resize", {x.value, empty, empty, sizes}, attributes), dims);
  }

  void matrix() {
    const Known x = any();
    if (x.dims.size() < 2 || x.dims.size() > 4) return;
    const std::int64_t inner = x.dims.back(), outer = pick({2, 3, 4});
    Dims dims = x.dims;
    dims.back() = outer;
    if (x.dims.size() == 2 && coin()) {
      const bool transposed = coin();
      std::vector<Value*> inputs = {
          x.value, constant(transposed ? Dims{outer, inner} : Dims{inner, outer}, -0.5F, 0.5F)};
      if (coin() || opset_ < 11) inputs.push_back(constant({outer}, -0.5F, 0.5F));
      std::vector<Attribute> attributes = {integer("transB", transposed ? 1 : 0)};
      if (below(4) == 0) attributes.push_back({"alpha", 0.5F, {}});
      if (below(4) == 0) attributes.push_back({"beta", 0.5F, {}});
      return push(node("Gemm", inputs, attributes), dims);
    }
    Value* product = node("MatMul", {x.value, constant({inner, outer}, -0.5F, 0.5F)});
    if (coin()) {
      product = coin() ? node("Add", {product, constant({outer}, -0.5F, 0.5F)})
                       : node("Add", {constant({outer}, -0.5F, 0.5F), product});
    }
    push(product, dims);
  }

  /// Calls of functions of the model, one of which calls the other.
  void called() {
    if (opset_ < 13) return;
    const auto add = [&](std::string name, const auto& body) {
      auto function = std::make_shared<Function>(Function{.domain = "local", .name = std::move(name)});
      Graph& graph = *function->body;
      graph.set_opset("", opset_);
      graph.set_opset("local", 1);
      graph.add_output("b", body(graph, graph.add_input("a", {})), {});
      graph_->add_function(std::move(function));
    };
    const auto made = [](Graph& graph, std::string type, std::vector<Value*> inputs, std::string domain = "",
                         std::string output = "") {
      return graph
          .add_node({.op_type = std::move(type),
                     .inputs = std::move(inputs),
                     .outputs = {std::move(output)},
                     .domain = std::move(domain)})
          ->output();
    };
    if (graph_->functions().empty()) {
      graph_->set_opset("local", 1);
      add("Twice", [&](Graph& graph, Value* a) { return made(graph, "Add", {a, a}, "", "b"); });
      add("Gate", [&](Graph& graph, Value* a) {
        Value* twice = made(graph, "Twice", {a}, "local");
        return made(graph, "Mul", {made(graph, "Sigmoid", {twice}), made(graph, "Identity", {a})}, "", "b");
      });
    }
    const Known x = any();
    push(made(*graph_, coin() ? "Twice" : "Gate", {x.value}, "local"), x.dims);
  }

  void together() {
    const Known a = any(), b = known_[below(known_.size())];
    if (a.dims != b.dims || a.dims.size() < 2) return;
    if (below(3) == 0) {
      Dims dims = a.dims;
      const std::size_t axis = 1 + below(dims.size() - 1);
      dims[axis] += b.dims[axis];
      Value* joined = node("Concat", {a.value, b.value}, {integer("axis", static_cast<std::int64_t>(axis))});
      if (coin()) {
        joined = node("Concat", {joined, a.value}, {integer("axis", static_cast<std::int64_t>(axis))});
        dims[axis] += a.dims[axis];
      }
      return push(joined, dims);
    }
    constexpr std::array<const char*, 4> kTypes = {"Add", "Mul", "Sub", "Max"};
    push(node(kTypes[below(4)], {a.value, b.value}), a.dims);
  }

  void no_effect() {
    const Known x = any();
    switch (below(7)) {
      case 0:
        return push(node("Identity", {x.value}), x.dims);
      case 1:
        return push(node("Dropout", {x.value}), x.dims);
      case 2:
        return push(node("Cast", {x.value}, {integer("to", 1)}), x.dims);
      case 3:  // to something wider and back
        return push(node("Cast", {node("Cast", {x.value}, {integer("to", 11)})}, {integer("to", 1)}), x.dims);
      case 4:  // and narrower
        if (!jumps_) return;
        return push(node("Cast", {node("Cast", {x.value}, {integer("to", 7)})}, {integer("to", 1)}), x.dims);
      case 5:
        if (x.dims.empty()) return;
        return push(node("Concat", {x.value}, {integer("axis", 0)}), x.dims);
      default: {
        if (x.dims.empty() || opset_ < 9) return;
        Value* one = scalar(1.0F);
        return push(node(coin() ? "Mul" : "Div", {x.value, one}), x.dims);
      }
    }
  }

  void pattern() {
    const Known x = any();
    if (x.dims.empty()) return;
    Value* v = x.value;
    switch (below(8)) {
      case 0: {  // Gelu by erf
        if (opset_ < 9) return;
        Value* erf = node("Erf", {node("Div", {v, scalar(1.41421356F)})});
        Value* sum = node("Add", {erf, scalar(1.0F)});
        return push(coin() ? node("Mul", {node("Mul", {v, sum}), scalar(0.5F)})
                           : node("Mul", {node("Mul", {v, scalar(0.5F)}), sum}),
                    x.dims);
      }
      case 1: {  // Gelu by tanh
        Value* cube = node("Pow", {v, scalar(3.0F)});
        Value* inner =
            node("Mul", {node("Add", {v, node("Mul", {cube, scalar(0.044715F)})}), scalar(0.7978845608F)});
        Value* sum = node("Add", {node("Tanh", {inner}), scalar(1.0F)});
        return push(node("Mul", {node("Mul", {v, scalar(0.5F)}), sum}), x.dims);
      }
      case 2: {  // HardSwish
        Value* clip = clipped(node("Add", {v, scalar(3.0F)}), 0.0F, 6.0F);
        return push(coin() ? node("Div", {node("Mul", {v, clip}), scalar(6.0F)})
                           : node("Mul", {v, node("Div", {clip, scalar(6.0F)})}),
                    x.dims);
      }
      case 3:  // Swish
        return push(node("Mul", {v, node("Sigmoid", {v})}), x.dims);
      case 4: {  // Softplus
        Value* bounded = node("Tanh", {v});
        return push(node("Log", {node("Add", {node("Exp", {bounded}), scalar(1.0F)})}), x.dims);
      }
      case 5: {  // HardSigmoid
        Value* clip = clipped(node("Add", {v, scalar(3.0F)}), 0.0F, 6.0F);
        return push(node("Div", {clip, scalar(6.0F)}), x.dims);
      }
      case 6: {  // Reciprocal square root as a division
        Value* positive = node("Add", {node("Mul", {v, v}), scalar(0.5F)});
        return push(node("Div", {v, node("Sqrt", {positive})}), x.dims);
      }
      default: {  // LayerNormalization, InstanceNormalization
        if (x.dims.size() < 2 || x.dims.back() < 2) return;
        const bool instance = x.dims.size() == 4 && coin();
        const std::vector<std::int64_t> axes =
            instance ? std::vector<std::int64_t>{2, 3} : std::vector<std::int64_t>{-1};
        const Dims parameters = instance ? Dims{x.dims[1], 1, 1} : Dims{x.dims.back()};
        const auto mean = [&](Value* of) {
          return opset_ >= 18 ? node("ReduceMean", {of, integers(axes)})
                              : node("ReduceMean", {of}, {ints("axes", axes)});
        };
        Value* centred = node("Sub", {v, mean(v)});
        Value* square = coin() ? node("Mul", {centred, centred}) : node("Pow", {centred, scalar(2.0F)});
        Value* deviation = node("Sqrt", {node("Add", {mean(square), scalar(1e-3F)})});
        Value* normal = node("Div", {centred, deviation});
        Value* scaled = node("Mul", {normal, constant(parameters, 0.5F, 1.5F)});
        return push(node("Add", {scaled, constant(parameters, -0.5F, 0.5F)}), x.dims);
      }
    }
  }

  /// A linear operator with what may be folded into it before and behind, nothing else in between.
  void sandwich() {
    known_.push_back(any());
    chained_ = true;
    const bool is_image = known_.back().dims.size() == 4;
    for (std::size_t i = below(3); i > 0; --i)
      (this->*(coin() ? &RandomGraph::affine : &RandomGraph::normalization))();
    if (is_image && below(3) == 0) pad();
    (this->*(!is_image       ? &RandomGraph::matrix
             : below(4) == 0 ? &RandomGraph::pool
                             : &RandomGraph::convolution))();
    for (std::size_t i = below(3); i > 0; --i)
      (this->*(coin() ? &RandomGraph::affine : &RandomGraph::normalization))();
    chained_ = false;
  }

  /// Operators that do not mind the order of axes between two Transposes, as networks trained with channels
  /// last have them.
  void turned() {
    const Known x = any();
    if (x.dims.size() != 4) return;
    const std::vector<std::int64_t> there = {0, 2, 3, 1}, back = {0, 3, 1, 2};
    push(node("Transpose", {x.value}, {ints("perm", there)}), permuted(x.dims, there));
    chained_ = true;
    using Step = void (RandomGraph::*)();
    static constexpr auto kSteps =
        std::to_array<Step>({&RandomGraph::activation, &RandomGraph::affine, &RandomGraph::pad,
                             &RandomGraph::slice, &RandomGraph::split, &RandomGraph::together});
    for (std::size_t i = 1 + below(4); i > 0; --i) (this->*kSteps[below(kSteps.size())])();
    chained_ = false;
    const Known y = known_.back();
    const std::vector<std::int64_t>& perm = below(6) == 0 ? there : back;
    push(node("Transpose", {y.value}, {ints("perm", perm)}), permuted(y.dims, perm));
  }

  /// Two convolutions with nothing between, the second one of one element.
  void projections() {
    const Known x = any();
    if (x.dims.size() != 4) return;
    const std::int64_t kernel = pick({1, 1, 3}), between = pick({2, 4, 6}), outputs = pick({2, 4});
    const std::int64_t pad = kernel / 2;
    Value* first = node("Conv",
                        {x.value, constant({between, x.dims[1], kernel, kernel}, -0.5F, 0.5F),
                         constant({between}, -0.5F, 0.5F)},
                        {ints("kernel_shape", {kernel, kernel}), ints("pads", {pad, pad, pad, pad})});
    push(node("Conv", {first, constant({outputs, between, 1, 1}, -0.5F, 0.5F)}),
         {x.dims[0], outputs, x.dims[2], x.dims[3]});
  }

  /// The same node once more: a common subexpression.
  void twin() {
    const Known x = known_[below(known_.size())];
    const Node* producer = x.value->producer();
    if (producer == nullptr || producer->output_count() != 1 || !producer->subgraphs().empty()) return;
    Value* again = graph_
                       ->add_node({.op_type = producer->op_type(),
                                   .inputs = producer->inputs(),
                                   .attributes = producer->attributes(),
                                   .domain = producer->domain()})
                       ->output();
    push(node("Add", {x.value, again}), x.dims);
  }

  /// Parallel convolutions that are added, as networks are trained that are merged for use (RepVGG).
  void branches() {
    const Known x = any();
    if (x.dims.size() != 4) return;
    const std::int64_t channels = x.dims[1];
    const std::int64_t group = coin() ? 1 : channels;
    const auto norm = [&](Value* value) {
      return node("BatchNormalization",
                  {value, constant({channels}, 0.5F, 1.5F), constant({channels}, -0.5F, 0.5F),
                   constant({channels}, -0.5F, 0.5F), constant({channels}, 0.5F, 1.5F)});
    };
    const auto branch = [&](std::int64_t kernel) {
      const std::int64_t pad = kernel / 2;
      return norm(node("Conv", {x.value, constant({channels, channels / group, kernel, kernel}, -0.5F, 0.5F)},
                       {ints("kernel_shape", {kernel, kernel}), ints("pads", {pad, pad, pad, pad}),
                        integer("group", group)}));
    };
    Value* sum = node("Add", {branch(3), branch(1)});
    if (coin() && (opset_ >= 9 || x.dims.size() > 2)) sum = node("Add", {sum, norm(x.value)});
    if (below(3) == 0) sum = node("Add", {sum, x.value});
    push(node("Relu", {sum}), x.dims);
  }

  void condition() {
    const Known x = any();
    if (opset_ < 11) return;
    auto branch = [&](const char* type, const char* name) {
      auto inner = std::make_shared<Graph>(graph_);
      inner->set_name(name);
      Node* made =
          inner->add_node({.op_type = type, .inputs = {x.value}, .outputs = {std::string(name) + "_result"}});
      made = inner->add_node(
          {.op_type = "Relu", .inputs = {made->output()}, .outputs = {std::string(name) + "_out"}});
      inner->add_output(std::string(name) + "_out", made->output(), {DataType::kFloat, std::nullopt, {}});
      return inner;
    };
    ++branches_;
    const std::string suffix = std::to_string(branches_);
    Value* decides = graph_->add_constant(Tensor::scalar(coin()));
    push(node("If", {decides},
              {{"then_branch", branch("Tanh", ("then" + suffix).c_str()), {}},
               {"else_branch", branch("Neg", ("else" + suffix).c_str()), {}}}),
         x.dims);
  }

  std::mt19937_64 random_;
  bool jumps_;
  Model model_;
  Graph* graph_ = nullptr;
  std::int64_t opset_ = 13;
  bool open_batch_ = false;
  bool chained_ = false;  // steps go on from the newest value
  std::size_t branches_ = 0;
  std::vector<Known> known_;
  std::map<float, std::vector<Value*>> shared_;  // by the lower end of their range
};

}  // namespace press::test

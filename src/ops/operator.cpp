#include "press/ops/operator.h"

#include <unordered_map>
#include <utility>

#include "ops/shape_rules.h"
#include "press/support/hash.h"

namespace press {
namespace {

using Key = std::pair<std::string_view, std::string_view>;

struct KeyHash {
  std::size_t operator()(const Key& key) const { return hash_bytes(key.second, hash_bytes(key.first)); }
};
using Operators = std::unordered_map<Key, OpInfo, KeyHash>;

const Operators& operators() {
  static const Operators table = [] {
    Operators made;
#define PRESS_OP(domain, type, rule, kernel, ...) \
  made.emplace(Key(domain, type), OpInfo{domain, type, &shape_rules::rule, OpTraits{__VA_ARGS__}});
#include "ops/ops.def"
    return made;
  }();
  return table;
}

/// The type of a value as its tensor or the file tells it.
const Shape* declared_shape(const Value* value) {
  return value != nullptr && value->type().shape ? &*value->type().shape : nullptr;
}

std::optional<std::int64_t> product(const Shape& shape, std::size_t first) {
  Dims dims;
  for (std::size_t i = first; i < shape.size(); ++i) {
    if (!shape[i].known()) return std::nullopt;
    dims.push_back(shape[i].value());
  }
  const Result<std::int64_t> count = element_count(dims);
  return count.ok() ? std::optional(*count) : std::nullopt;
}

std::optional<std::int64_t> multiplied(std::optional<std::int64_t> a, std::optional<std::int64_t> b) {
  std::int64_t result = 0;
  if (!a || !b || __builtin_mul_overflow(*a, *b, &result)) return std::nullopt;
  return result;
}

/// The extent of `axis` (negative: from the end), if known.
std::optional<std::int64_t> extent(const Shape& shape, std::int64_t axis) {
  if (axis < 0) axis += static_cast<std::int64_t>(shape.size());
  if (axis < 0 || axis >= static_cast<std::int64_t>(shape.size())) return std::nullopt;
  const Dim& dim = shape[static_cast<std::size_t>(axis)];
  return dim.known() ? std::optional(dim.value()) : std::nullopt;
}
}  // namespace

const OpInfo* find_operator(std::string_view domain, std::string_view type) {
  const auto found = operators().find(Key(domain, type));
  return found != operators().end() ? &found->second : nullptr;
}

const OpInfo* find_operator(const Node& node) {
  return find_operator(node.domain(), node.op_type());
}

const OpTraits& traits(const Node& node) {
  static const OpTraits unknown{.pure = false};
  const OpInfo* info = find_operator(node);
  return info != nullptr ? info->traits : unknown;
}

const IntegerProduct* integer_product(const Node& node) {
  static constexpr struct {
    std::string_view domain, op_type;
    IntegerProduct inputs;
  } kProducts[] = {{"", "ConvInteger", {1, 3}},
                   {"", "MatMulInteger", {1, 3}},
                   {"", "QLinearConv", {3, 5}},
                   {"", "QLinearMatMul", {3, 5}},
                   {"com.microsoft", "QGemm", {3, 5}}};
  for (const auto& [domain, op_type, inputs] : kProducts) {
    if (node.is(op_type, domain)) return &inputs;
  }
  return nullptr;
}

Value* constant_weight(const Node& node) {
  const int position = traits(node).weight_input;
  if (position < 0) return nullptr;
  Value* value = node.input(static_cast<std::size_t>(position));
  return value != nullptr && value->is_constant() ? value : nullptr;
}

std::optional<int> weight_channel_axis(const Node& node) {
  const int position = traits(node).weight_input;
  if (position < 0) return std::nullopt;
  const std::string& type = node.op_type();
  if (type == "Conv" || type == "FusedConv") return 0;
  if (type == "ConvTranspose") return 1;
  if (type == "Gemm") return node.int_attribute("transB", 0) != 0 ? 0 : 1;
  // MatMul: the last axis; a vector as weight has no channels.
  const Value* weight = node.input(static_cast<std::size_t>(position));
  const Shape* shape = declared_shape(weight);
  const std::size_t rank = weight != nullptr && weight->constant() != nullptr ? weight->constant()->rank()
                           : shape != nullptr                                 ? shape->size()
                                                                              : 0;
  return rank >= 2 ? std::optional(static_cast<int>(rank) - 1) : std::nullopt;
}

std::optional<std::int64_t> multiply_accumulates(const Node& node, const ValueFacts* first_input,
                                                 const ValueFacts* first_output) {
  const std::string& type = node.op_type();
  const IntegerProduct* integers = integer_product(node);
  const bool convolution =
      type == "Conv" || type == "FusedConv" || type == "ConvInteger" || type == "QLinearConv";
  const bool transposed = type == "ConvTranspose";
  const bool gemm = type == "Gemm" || type == "QGemm";
  const bool matrix = gemm || type == "MatMul" || type == "MatMulInteger" || type == "QLinearMatMul";
  if (find_operator(node) == nullptr || (!convolution && !transposed && !matrix)) return 0;
  if (first_input == nullptr || first_output == nullptr || !first_input->type.shape ||
      !first_output->type.shape) {
    return std::nullopt;
  }
  const Shape& input = *first_input->type.shape;
  const Shape& output = *first_output->type.shape;
  if (matrix) {
    const bool trans_a = gemm && node.int_attribute("transA", 0) != 0;
    return multiplied(product(output, 0), extent(input, trans_a ? 0 : -1));
  }
  // Conv: each output element takes (channels / group) x kernel products; ConvTranspose: each input element
  // makes them.
  const std::size_t position = integers != nullptr ? integers->weight : 1;
  const Value* weight = node.input(position);
  if (weight != nullptr && weight->producer() != nullptr && weight->producer()->is("DequantizeLinear")) {
    weight = weight->producer()->input(0);
  }
  std::optional<std::int64_t> each;
  if (weight != nullptr && weight->constant() != nullptr) {
    const Dims& dims = weight->constant()->dims();
    each = product(Shape(dims.begin(), dims.end()), 1);
  } else if (const Shape* shape = declared_shape(weight)) {
    each = product(*shape, 1);
  }
  if (!each) {
    const Dims kernel = node.ints_attribute("kernel_shape");
    const std::optional<std::int64_t> channels = extent(transposed ? output : input, 1);
    const std::int64_t group = node.int_attribute("group", 1);
    if (kernel.empty() || !channels || group < 1) return std::nullopt;
    each = multiplied(*channels / group, product(Shape(kernel.begin(), kernel.end()), 0));
  }
  return multiplied(product(transposed ? input : output, 0), each);
}

}  // namespace press

#include "passes/store/unpack_functions.h"

#include <initializer_list>
#include <limits>
#include <string>
#include <utility>

namespace press {
namespace {

/// Writes the body of a function, operator by operator.
class Body {
 public:
  Body(std::string_view name, std::initializer_list<const char*> inputs, std::int64_t opset)
      : function_(std::make_shared<Function>()) {
    function_->domain = std::string(kStoreDomain);
    function_->name = std::string(name);
    function_->body->set_opset("", opset);
    function_->body->set_opset(std::string(kStoreDomain), 1);
    for (const char* input : inputs) function_->body->add_input(input, {});
  }

  Value* input(std::size_t index) const { return function_->body->inputs()[index]; }

  Value* add(std::string op_type, std::vector<Value*> inputs, std::vector<Attribute> attributes = {}) {
    const bool call = op_type == "Digits";
    return function_->body
        ->add_node({.op_type = std::move(op_type),
                    .inputs = std::move(inputs),
                    .outputs = {function_->body->fresh_name("v")},
                    .attributes = std::move(attributes),
                    .domain = call ? std::string(kStoreDomain) : ""})
        ->output();
  }

  /// A list of one integer.
  Value* integer(std::int64_t value) {
    return add("Constant", {}, {{"value_ints", std::vector<std::int64_t>{value}, {}}});
  }

  /// How many elements a shape has, as a list of one.
  Value* count(Value* shape) { return add("ReduceProd", {shape}, {{"keepdims", std::int64_t{1}, {}}}); }

  /// Sums of all elements up to each one.
  Value* running_sum(Value* list) {
    Value* axis = add("Constant", {}, {{"value_int", std::int64_t{0}, {}}});
    return add("CumSum", {list, axis});
  }

  /// A list with a zero before it.
  Value* after_zero(Value* list, std::int64_t opset) {
    if (opset < kOpsetOfCastLike) {
      return add("Pad", {list, add("Constant", {}, {{"value_ints", std::vector<std::int64_t>{1, 0}, {}}})});
    }
    Value* zero = add("Constant", {}, {{"value_floats", std::vector<float>{0}, {}}});
    return add("Concat", {add("CastLike", {zero, list}), list}, {{"axis", std::int64_t{0}, {}}});
  }

  std::shared_ptr<const Function> returning(Value* value) && {
    function_->body->add_output(value->name(), value, {});
    return std::move(function_);
  }

 private:
  std::shared_ptr<Function> function_;
};

std::shared_ptr<const Function> digits(std::int64_t opset) {
  Body body("Digits", {"words", "powers", "count"}, opset);
  Value* rows = body.add("Unsqueeze", {body.input(0), body.integer(-1)});
  Value* shifted = body.add("Div", {rows, body.input(1)});
  Value* base = body.add("Gather", {body.input(1), body.integer(1)});
  Value* all = body.add("Reshape", {body.add("Mod", {shifted, base}), body.integer(-1)});
  Value* wanted = body.add("Slice", {all, body.integer(0), body.input(2)});
  return std::move(body).returning(wanted);
}

std::shared_ptr<const Function> palette(std::int64_t opset) {
  Body body(kPalette, {"words", "powers", "table", "shape"}, opset);
  Value* indices = body.add("Digits", {body.input(0), body.input(1), body.count(body.input(3))});
  Value* values = body.add("Gather", {body.input(2), indices});
  Value* weight = body.add("Reshape", {values, body.input(3)});
  return std::move(body).returning(weight);
}

std::shared_ptr<const Function> bitmask(std::int64_t opset) {
  Body body(kBitmask, {"words", "powers", "values", "shape"}, opset);
  Value* bits = body.add("Digits", {body.input(0), body.input(1), body.count(body.input(3))});
  Value* slots = body.add("Mul", {body.running_sum(bits), bits});
  Value* values = body.add("Gather", {body.after_zero(body.input(2), opset), slots});
  Value* weight = body.add("Reshape", {values, body.input(3)});
  return std::move(body).returning(weight);
}

std::shared_ptr<const Function> sparse(std::int64_t opset) {
  Body body(kSparse, {"words", "powers", "values", "count", "shape"}, opset);
  Value* one = body.integer(1);
  Value* gaps = body.add("Digits", {body.input(0), body.input(1), body.input(3)});
  Value* places = body.add("Sub", {body.running_sum(body.add("Add", {gaps, one})), one});
  Value* zero = body.add("Slice", {body.input(2), body.integer(0), one});
  Value* zeros = body.add("Expand", {zero, body.count(body.input(4))});
  Value* end = body.integer(std::numeric_limits<std::int64_t>::max());
  Value* entries = body.add("Slice", {body.input(2), one, end});
  Value* values = body.add("ScatterElements", {zeros, places, entries});
  Value* weight = body.add("Reshape", {values, body.input(4)});
  return std::move(body).returning(weight);
}

std::shared_ptr<const Function> dequantize(std::int64_t opset) {
  Body body(kDequantize, {"codes", "zero_points", "levels", "scales"}, opset);
  const auto wide = [&](std::size_t input) {
    return body.add("Cast", {body.input(input)}, {{"to", static_cast<std::int64_t>(DataType::kInt32), {}}});
  };
  Value* zero = wide(1);
  Value* integers = body.add("Mod", {body.add("Add", {wide(0), zero}), wide(2)});
  Value* steps = body.add("Cast", {body.add("Sub", {integers, zero})},
                          {{"to", static_cast<std::int64_t>(DataType::kFloat), {}}});
  Value* weight = body.add("Mul", {steps, body.input(3)});
  return std::move(body).returning(weight);
}

}  // namespace

std::vector<std::shared_ptr<const Function>> unpack_functions(std::int64_t opset) {
  return {digits(opset), palette(opset), bitmask(opset), sparse(opset), dequantize(opset)};
}

}  // namespace press

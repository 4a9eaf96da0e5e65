// If, Loop and Scan: run subgraphs.
#include <algorithm>
#include <cstring>
#include <limits>
#include <optional>

#include "ops/shapes.h"
#include "runtime/kernels/kernels.h"
#include "runtime/kernels/support.h"

namespace press::kernels {
namespace {

/// Beyond this many iterations a loop without an end is taken for a mistake.
constexpr std::int64_t kMostIterations = std::int64_t{1} << 32;

Result<const Graph*> subgraph(const KernelContext& context, const char* name) {
  const Graph* graph = context.node().graph_attribute(name);
  if (graph == nullptr) return reject("attribute {} is missing", name);
  return graph;
}

/// The truth of a bool tensor of one element.
Result<bool> truth(const Tensor& tensor) {
  if (tensor.type() != DataType::kBool || tensor.size() != 1) {
    return reject("the condition is {} {}, expected one bool", name(tensor.type()), to_string(tensor.dims()));
  }
  return tensor.data<bool>()[0];
}

/// Slices of a scan output, put together along `axis` (as if unsqueezed there).
Result<Tensor> stacked(KernelContext& context, const std::vector<Tensor>& slices, std::int64_t axis,
                       bool reverse) {
  const Tensor& first = slices.front();
  PRESS_ASSIGN(const std::size_t position, normalize_axis(axis, first.rank() + 1));
  PRESS_ASSIGN(const std::size_t width, element_width(context, first.type()));
  Dims dims = first.dims();
  dims.insert(dims.begin() + static_cast<std::ptrdiff_t>(position), static_cast<std::int64_t>(slices.size()));
  PRESS_ASSIGN(Tensor whole, context.allocate_scratch(first.type(), dims));
  const std::int64_t outer = span_count(dims, 0, position),
                     inner = span_count(dims, position + 1, dims.size());
  const auto count = static_cast<std::int64_t>(slices.size());
  std::byte* target = whole.mutable_bytes().data();
  for (std::int64_t i = 0; i < count; ++i) {
    const Tensor& slice = slices[static_cast<std::size_t>(reverse ? count - 1 - i : i)];
    if (slice.type() != first.type() || slice.dims() != first.dims()) {
      return reject("the slices of a scan output differ: {} and {}", to_string(first.dims()),
                    to_string(slice.dims()));
    }
    copy_strided(
        {.extents = {outer, inner}, .from = {inner, 1}, .to = {count * inner, 1}, .to_offset = i * inner},
        slice.aligned_bytes(), target, width, context.threads());
  }
  return whole;
}

/// A scan output of a loop that never ran: no slices of the declared type and shape.
Result<Tensor> empty_stack(const Type& type) {
  if (type.element == DataType::kUndefined || !type.shape) {
    return reject("the loop did not run, and the body does not declare the shape of its scan output");
  }
  Dims dims{0};
  for (const Dim& dim : *type.shape) dims.push_back(dim.known() ? dim.value() : 0);
  return Tensor::allocate(type.element, std::move(dims));
}

/// The slice `index` of `tensor` along `axis`, without that axis.
Result<Tensor> slice_of(KernelContext& context, const Tensor& tensor, std::size_t axis, std::int64_t index) {
  PRESS_ASSIGN(const std::size_t width, element_width(context, tensor.type()));
  Dims dims = tensor.dims();
  dims.erase(dims.begin() + static_cast<std::ptrdiff_t>(axis));
  PRESS_ASSIGN(Tensor slice, context.allocate_scratch(tensor.type(), dims));
  const std::int64_t outer = span_count(dims, 0, axis), inner = span_count(dims, axis, dims.size());
  copy_strided({.extents = {outer, inner},
                .from = {tensor.dims()[axis] * inner, 1},
                .to = {inner, 1},
                .from_offset = index * inner},
               tensor.aligned_bytes(), slice.mutable_bytes().data(), width, context.threads());
  return slice;
}

Status check_outputs(const std::vector<Tensor>& outputs, std::size_t expected) {
  if (outputs.size() == expected) return {};
  return reject("the body has {} outputs, expected {}", outputs.size(), expected);
}
}  // namespace

Status if_(KernelContext& context) {
  PRESS_ASSIGN(const Tensor* condition, required(context, 0));
  PRESS_ASSIGN(const bool chosen, truth(*condition));
  PRESS_ASSIGN(const Graph* branch, subgraph(context, chosen ? "then_branch" : "else_branch"));
  PRESS_ASSIGN(std::vector<Tensor> outputs, context.run_subgraph(*branch, {}));
  PRESS_TRY(check_outputs(outputs, context.node().output_count()));
  for (std::size_t i = 0; i < outputs.size(); ++i) context.set_output(i, std::move(outputs[i]));
  return {};
}

Status loop(KernelContext& context) {
  PRESS_ASSIGN(const Graph* body, subgraph(context, "body"));
  std::int64_t trips = std::numeric_limits<std::int64_t>::max();
  if (context.input_count() > 0 && context.input(0) != nullptr) {
    PRESS_ASSIGN(trips, single_integer(*context.input(0)));
  }
  bool go_on = true;
  if (context.input_count() > 1 && context.input(1) != nullptr) {
    PRESS_ASSIGN(go_on, truth(*context.input(1)));
  }
  std::vector<Tensor> inputs(2);  // iteration, condition, carried values
  for (std::size_t i = 2; i < context.input_count(); ++i) {
    PRESS_ASSIGN(const Tensor* carried, required(context, i));
    inputs.push_back(*carried);
  }
  const std::size_t carried = inputs.size() - 2, outputs = context.node().output_count();
  if (outputs < carried || body->outputs().size() != outputs + 1) {
    return reject("{} carried values, {} outputs and {} outputs of the body do not fit together", carried,
                  outputs, body->outputs().size());
  }
  std::vector<std::vector<Tensor>> scans(outputs - carried);
  for (std::int64_t i = 0; i < trips && go_on; ++i) {
    if (i == kMostIterations) return reject("the loop does not end");
    inputs[0] = Tensor::scalar(i);
    inputs[1] = Tensor::scalar(true);
    PRESS_ASSIGN(std::vector<Tensor> results, context.run_subgraph(*body, inputs));
    PRESS_TRY(check_outputs(results, outputs + 1));
    PRESS_ASSIGN(go_on, truth(results[0]));
    for (std::size_t k = 0; k < carried; ++k) inputs[2 + k] = std::move(results[1 + k]);
    for (std::size_t k = 0; k < scans.size(); ++k) scans[k].push_back(std::move(results[1 + carried + k]));
  }
  for (std::size_t k = 0; k < carried; ++k) context.set_output(k, inputs[2 + k]);
  for (std::size_t k = 0; k < scans.size(); ++k) {
    const std::size_t slot = carried + k;
    PRESS_ASSIGN(Tensor whole, scans[k].empty() ? empty_stack(body->outputs()[1 + slot].type)
                                                : stacked(context, scans[k], 0, false));
    context.set_output(slot, std::move(whole));
  }
  return {};
}

namespace {

/// How Scan walks its inputs and stacks its outputs; entries that lists do not have are 0.
struct ScanPlan {
  const Graph* body = nullptr;
  std::size_t states = 0, outputs = 0;
  std::vector<std::int64_t> input_axes, input_directions, output_axes, output_directions;
};

std::int64_t entry(const std::vector<std::int64_t>& list, std::size_t index) {
  return index < list.size() ? list[index] : 0;
}

/// Runs the body over the scan inputs; returns the last states, then the stacked scan outputs.
Result<std::vector<Tensor>> scan_over(KernelContext& context, const ScanPlan& plan,
                                      const std::vector<Tensor>& given) {
  std::vector<Tensor> inputs = given;
  std::vector<std::size_t> axes;
  std::optional<std::int64_t> length;
  for (std::size_t i = plan.states; i < given.size(); ++i) {
    PRESS_ASSIGN(const std::size_t axis,
                 normalize_axis(entry(plan.input_axes, i - plan.states), given[i].rank()));
    axes.push_back(axis);
    if (length && *length != given[i].dims()[axis]) return reject("the scan inputs are of different lengths");
    length = given[i].dims()[axis];
  }
  std::vector<std::vector<Tensor>> scans(plan.outputs - plan.states);
  for (std::int64_t t = 0; t < length.value_or(0); ++t) {
    for (std::size_t i = plan.states; i < given.size(); ++i) {
      const bool backwards = entry(plan.input_directions, i - plan.states) != 0;
      PRESS_ASSIGN(inputs[i],
                   slice_of(context, given[i], axes[i - plan.states], backwards ? *length - 1 - t : t));
    }
    PRESS_ASSIGN(std::vector<Tensor> results, context.run_subgraph(*plan.body, inputs));
    PRESS_TRY(check_outputs(results, plan.outputs));
    for (std::size_t k = 0; k < plan.states; ++k) inputs[k] = std::move(results[k]);
    for (std::size_t k = 0; k < scans.size(); ++k) scans[k].push_back(std::move(results[plan.states + k]));
  }
  std::vector<Tensor> outputs(inputs.begin(), inputs.begin() + static_cast<std::ptrdiff_t>(plan.states));
  for (std::size_t k = 0; k < scans.size(); ++k) {
    PRESS_ASSIGN(Tensor whole, scans[k].empty() ? empty_stack(plan.body->outputs()[plan.states + k].type)
                                                : stacked(context, scans[k], entry(plan.output_axes, k),
                                                          entry(plan.output_directions, k) != 0));
    outputs.push_back(std::move(whole));
  }
  return outputs;
}

/// Scan of opset 8, whose inputs (behind the lengths of the sequences) and outputs have a batch axis first:
/// one scan for each batch entry.
Result<std::vector<Tensor>> scan_batch(KernelContext& context, const ScanPlan& plan,
                                       const std::vector<Tensor>& given) {
  std::vector<std::vector<Tensor>> made(plan.outputs);
  const std::int64_t batch = given[0].rank() > 0 ? given[0].dims()[0] : 0;
  for (const Tensor& tensor : given) {
    if (tensor.rank() == 0 || tensor.dims()[0] != batch || batch == 0)
      return reject("the inputs do not have a batch axis of one extent");
  }
  for (std::int64_t b = 0; b < batch; ++b) {
    std::vector<Tensor> inputs;
    for (const Tensor& tensor : given) {
      PRESS_ASSIGN(Tensor slice, slice_of(context, tensor, 0, b));
      inputs.push_back(std::move(slice));
    }
    PRESS_ASSIGN(std::vector<Tensor> outputs, scan_over(context, plan, inputs));
    for (std::size_t k = 0; k < outputs.size(); ++k) made[k].push_back(std::move(outputs[k]));
  }
  std::vector<Tensor> result;
  for (const std::vector<Tensor>& slices : made) {
    PRESS_ASSIGN(Tensor whole, stacked(context, slices, 0, false));
    result.push_back(std::move(whole));
  }
  return result;
}

}  // namespace

Status scan(KernelContext& context) {
  const Node& node = context.node();
  ScanPlan plan;
  PRESS_ASSIGN(plan.body, subgraph(context, "body"));
  const bool batched = context.opset() < 9;
  if (batched && context.input(0) != nullptr)
    return Error(ErrorCode::kUnsupported, "Scan over sequences of different lengths cannot be executed");
  std::vector<Tensor> given;
  for (std::size_t i = batched ? 1 : 0; i < context.input_count(); ++i) {
    PRESS_ASSIGN(const Tensor* input, required(context, i));
    given.push_back(*input);
  }
  const std::int64_t scanned = node.int_attribute("num_scan_inputs", 0);
  if (scanned < 1 || static_cast<std::size_t>(scanned) > given.size())
    return reject("attribute num_scan_inputs is {}", scanned);
  plan.states = given.size() - static_cast<std::size_t>(scanned);
  plan.outputs = node.output_count();
  if (plan.outputs < plan.states) return reject("{} states, but {} outputs", plan.states, plan.outputs);
  plan.input_axes = node.ints_attribute("scan_input_axes");
  plan.input_directions = node.ints_attribute(batched ? "directions" : "scan_input_directions");
  plan.output_axes = node.ints_attribute("scan_output_axes");
  plan.output_directions = node.ints_attribute("scan_output_directions");
  PRESS_ASSIGN(std::vector<Tensor> outputs,
               batched ? scan_batch(context, plan, given) : scan_over(context, plan, given));
  for (std::size_t k = 0; k < outputs.size(); ++k) context.set_output(k, std::move(outputs[k]));
  return {};
}

}  // namespace press::kernels

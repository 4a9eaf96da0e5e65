#include "runtime/kernel_registry.h"

#include <fmt/format.h>

#include <map>
#include <string_view>
#include <utility>

#include "runtime/kernels/contributed.h"
#include "runtime/kernels/kernels.h"

namespace press {

namespace {

/// What stands in the kernel column of ops.def: a function, a factory, or `none`.
struct Binding {
  explicit Binding(KernelFunction function_) : function(function_) {}
  explicit Binding(KernelFactory factory_) : factory(factory_) {}
  explicit Binding(kernels::NoKernel /*none*/) {}

  KernelFunction function = nullptr;
  KernelFactory factory = nullptr;
};

using Key = std::pair<std::string_view, std::string_view>;

const std::map<Key, Binding>& bindings() {
  using namespace kernels;  // NOLINT(google-build-using-namespace): ops.def writes plain kernel names
  static const std::map<Key, Binding> all = {
#define PRESS_OP(domain, type, rule, kernel, ...) {{domain, type}, Binding(kernel)},
#include "ops/ops.def"
  };
  return all;
}

const Binding* find_binding(const Node& node) {
  const auto found = bindings().find(Key(node.domain(), node.op_type()));
  if (found == bindings().end()) return nullptr;
  const Binding& binding = found->second;
  return binding.function != nullptr || binding.factory != nullptr ? &binding : nullptr;
}

}  // namespace

bool has_kernel(const Node& node) {
  return find_binding(node) != nullptr;
}

Result<std::unique_ptr<Kernel>> make_kernel(const Node& node) {
  const Binding* binding = find_binding(node);
  if (binding == nullptr) {
    const std::string_view domain = node.domain().empty() ? "ai.onnx" : std::string_view(node.domain());
    const std::int64_t opset = node.graph() != nullptr ? node.graph()->opset(node.domain()) : 0;
    return Error(
        ErrorCode::kUnsupported,
        fmt::format("cannot execute operator '{}' of domain '{}' (opset {}); every verb that needs no "
                    "execution still works",
                    node.op_type(), domain, opset));
  }
  if (binding->factory != nullptr) return binding->factory(node);
  return std::unique_ptr<Kernel>(std::make_unique<FunctionKernel<Kernel>>(binding->function));
}

}  // namespace press

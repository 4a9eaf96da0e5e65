// before:  x [M,K] ─ MatMul(W [K,N]) ─ Add(b) ─ y        after:  x ─ Gemm(W, b) ─ y
// before:  x [K,M] ─ Transpose ─ Gemm(W, b) ─ y          after:  x ─ Gemm(transA = 1; W, b) ─ y
//
// The product of two matrices and what is added to it are one Gemm, whose operands may be read transposed.
// b is [N], [1,N], [M,1], [M,N] or one number, constant or not.
//
// Conditions: both operands known to be matrices; nobody else reads the product, or the transposed operand is
// read through the Transpose by this node alone; b has at most two axes and does not widen the result.
//
// Why it pays: one kernel that starts with the bias in its accumulators; quantization gives a Gemm an integer
// bias.
#include <algorithm>

#include "passes/declarations.h"
#include "passes/known_types.h"
#include "passes/match.h"

namespace press::passes {
namespace {

const Shape* shape_of(KnownTypes& types, const Value* value, std::size_t rank) {
  const Type* type = value != nullptr ? types.type(value) : nullptr;
  return type != nullptr && type->shape.has_value() && type->shape->size() == rank ? &*type->shape : nullptr;
}

/// True where `bias` broadcasts to `result` and not beyond it.
bool broadcasts_into(const Type* bias, const Shape& result) {
  if (bias == nullptr || !bias->shape.has_value() || bias->shape->size() > 2) return false;
  const Shape& shape = *bias->shape;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    const Dim& dim = shape[shape.size() - 1 - i];
    if (dim.known() && dim.value() == 1) continue;
    if (!same(dim, result[1 - i])) return false;
  }
  return true;
}

bool fuse_add(Graph& graph, Node& add, KnownTypes& types) {
  for (const std::size_t side : {0U, 1U}) {
    Value* product = add.input(side);
    Value* bias = add.input(1 - side);
    Node* node = made_by(product, "MatMul");
    if (node == nullptr || node->graph() != &graph || !is_private(product) || bias == product) continue;
    const Shape* result = shape_of(types, product, 2);
    if (result == nullptr || shape_of(types, node->input(0), 2) == nullptr ||
        shape_of(types, node->input(1), 2) == nullptr) {
      continue;
    }
    const Type* type = types.type(product);
    // Integer Gemm has no kernel in most runtimes.
    if (!is_floating_point(type->element) || !broadcasts_into(types.type(bias), *result)) continue;
    // The product moves to where the sum stands: its bias may be made in between.
    graph.move_before(node, &add);
    node->set_op_type("Gemm");
    graph.set_input(node, 2, bias);
    graph.replace_all_uses(add.output(), product);
    graph.erase(&add);
    return true;
  }
  return false;
}

bool fuse_transposes(Graph& graph, Node& gemm) {
  bool fused = false;
  for (const std::size_t side : {0U, 1U}) {
    const Node* transpose = made_by(gemm.input(side), "Transpose");
    if (transpose == nullptr || !is_private(gemm.input(side))) continue;
    if (transpose->ints_attribute("perm", {1, 0}) != std::vector<std::int64_t>{1, 0}) continue;
    const char* attribute = side == 0 ? "transA" : "transB";
    gemm.set_attribute(attribute, std::int64_t{gemm.int_attribute(attribute, 0) != 0 ? 0 : 1});
    graph.set_input(&gemm, side, transpose->input(0));
    fused = true;
  }
  return fused;
}

}  // namespace

Result<PassOutcome> fuse_gemm(Model& model, const PassContext& context) {
  PassOutcome outcome;
  if (model.graph->opset() < 7) return outcome;  // broadcasting was an attribute
  KnownTypes types(*model.graph, context);
  for_each_graph(*model.graph, [&](Graph& graph) {
    for (Node* node : graph.nodes_snapshot()) {
      if (node->output() == nullptr) continue;
      const bool fused =
          node->is("Add") ? fuse_add(graph, *node, types) : node->is("Gemm") && fuse_transposes(graph, *node);
      outcome.rewrites += fused ? 1 : 0;
    }
  });
  return outcome;
}

}  // namespace press::passes

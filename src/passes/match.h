// Questions that passes ask while they look for a pattern.
#pragma once

#include <optional>
#include <vector>

#include "press/ir/graph.h"
#include "press/passes/pass.h"

namespace press {

/// The tensor of input `index` where it can never be anything else; null for omitted inputs too.
const Tensor* constant_input(const Node& node, std::size_t index);

/// The elements of a constant of int64 or int32; nullopt for null and other types.
std::optional<std::vector<std::int64_t>> integers_of(const Tensor* tensor);

/// Integers that stand in attribute `name`, or, where operator sets from `since` on have them there, in input
/// `index`; nullopt where they are not constant or not given.
std::optional<std::vector<std::int64_t>> integers_of(const Node& node, std::string_view name,
                                                     std::int64_t since, std::size_t index);

/// The only element of a floating-point constant; nullopt for null and others.
std::optional<double> number_of(const Tensor* tensor);

/// The node that makes `value` in this graph, if it is of ONNX's domain and that type; else null.
Node* made_by(const Value* value, std::string_view op_type);

/// The node that alone uses `value`, once, in the graph where it is made; null for graph outputs and others.
Node* only_user(const Value* value);

/// True where the value is used once, by whomever, and not by the interface.
bool is_private(const Value* value);

/// A new constant of int64 [values.size()], in `graph`.
Value* add_integers(Graph& graph, std::string_view stem, const std::vector<std::int64_t>& values);

/// Calls `visit` for the model's graph and all subgraphs, inner ones first.
void for_each_graph(Graph& graph, const std::function<void(Graph&)>& visit);

}  // namespace press

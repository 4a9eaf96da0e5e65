// before:  Conv(W)        after:  Conv(Bitmask(bits, values, shape))     or Palette(…), or Sparse(…)
//
// Constants are kept in the form that takes the fewest bytes, and calls of model-local functions
// (unpack_functions.h) rebuild them from standard operators. What is rebuilt is the same bit for bit.
//
//   palette   the distinct values in a table, and an index a weight as digits of the base "table size"
//   bitmask   a bit a weight, and the weights that are not zero; their values raw or as a palette of their
//   own sparse    the numbers of zeros between weights that are not zero, as digits of the base that makes
//   them
//             shortest, and the values as above: better than a bit a weight from about 75 % zeros on
//
// Conditions: a constant of the main graph, of at least one dim and an element type of 8, 16, 32 or 64 bits,
// that is used by nodes only. It stays as it is where no form is smaller, the cost of the nodes included.
//
// Why it pays: pruned and clustered weights of 8 bits hold 1 to 3 bits of information, and a file keeps 8.
// Run time does not change, since runtimes fold the constant nodes while they load the model.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>

#include "passes/declarations.h"
#include "passes/store/unpack_functions.h"
#include "press/numeric/packing.h"

namespace press::passes {
namespace {

// Bytes that a file spends on a constant and on a call, their names and dims included.
constexpr std::int64_t kConstantBytes = 24;
constexpr std::int64_t kCallBytes = 64;
constexpr std::int64_t kSmallestTensor = 128;  // bytes
constexpr std::int64_t kLargestGapBase = 256;
constexpr std::int64_t kFirstOpset = 13;
constexpr std::int64_t kFirstIrVersion = 8;  // that knows functions

std::int64_t words_bytes(std::int64_t count, std::int64_t base) {
  return words_for(count, base) * static_cast<std::int64_t>(sizeof(std::int64_t)) + kConstantBytes;
}

/// Elements as bit patterns, each in the low bits of a number.
std::vector<std::uint64_t> patterns_of(const Tensor& tensor, std::size_t width) {
  std::vector<std::uint64_t> patterns(static_cast<std::size_t>(tensor.size()));
  const std::byte* bytes = tensor.bytes().data();
  for (std::size_t i = 0; i < patterns.size(); ++i) std::memcpy(&patterns[i], bytes + i * width, width);
  return patterns;
}

/// The distinct patterns, 0 first, and the place of each element among them; nullopt where they are too many.
struct Symbols {
  std::vector<std::uint64_t> table;
  std::vector<std::uint32_t> indices;
};

std::optional<Symbols> symbols_of(std::span<const std::uint64_t> patterns) {
  Symbols symbols{.table = {0}, .indices = {}};
  std::unordered_map<std::uint64_t, std::uint32_t> places{{0, 0}};
  for (const std::uint64_t pattern : patterns) {
    if (!places.emplace(pattern, 0).second) continue;
    if (places.size() > static_cast<std::size_t>(kLargestBase)) return std::nullopt;
    symbols.table.push_back(pattern);
  }
  std::ranges::sort(symbols.table);
  for (std::size_t i = 0; i < symbols.table.size(); ++i) {
    places[symbols.table[i]] = static_cast<std::uint32_t>(i);
  }
  symbols.indices.reserve(patterns.size());
  for (const std::uint64_t pattern : patterns) symbols.indices.push_back(places[pattern]);
  return symbols;
}

/// Values behind a mask or gaps: raw, or as digits where the table of distinct ones is known and that pays.
struct ValueCost {
  std::int64_t bytes = 0;
  bool as_palette = false;
};

struct Choice {
  StoreForm form = StoreForm::kDense;
  std::int64_t bytes = 0;
  std::int64_t gap_base = 0;
  bool values_as_palette = false;
};

class Packer {
 public:
  Packer(Graph& graph, const StoreOptions& options) : graph_(graph), options_(options) {
    for (Node* node : graph.nodes()) {
      const Place place{places_.size(), node};
      places_.emplace(node, place);
      for (const Graph* inner : node->subgraphs()) {
        for_each_node(*inner, [&](const Node* nested) { places_.emplace(nested, place); });
      }
    }
  }

  PassOutcome run() && {
    std::int64_t before = 0, after = 0;
    for (Value* value : graph_.constants()) {
      const std::optional<Choice> choice = pack(value);
      if (!choice) continue;
      ++outcome_.rewrites;
      before += static_cast<std::int64_t>(choice->bytes);
      after += packed_bytes_;
    }
    if (outcome_.rewrites > 0) {
      outcome_.notes.push_back(
          fmt::format("together: {} bytes of weights are stored in about {}", before, after));
    }
    return std::move(outcome_);
  }

 private:
  // -- choosing
  bool may_pack(const Value& value) const {
    const Tensor& tensor = *value.constant();
    const int bits = bit_width(tensor.type());
    const auto is_packed = [](const Use& use) { return use.node->domain() == kStoreDomain; };
    return tensor.rank() > 0 && (bits == 8 || bits == 16 || bits == 32 || bits == 64) &&
           !is_complex(tensor.type()) && value.sparse.empty() &&
           static_cast<std::int64_t>(tensor.bytes().size()) >= kSmallestTensor && !graph_.is_output(&value) &&
           !value.uses().empty() && std::ranges::none_of(value.uses(), is_packed);
  }

  static bool is_complex(DataType type) {
    return type == DataType::kComplex64 || type == DataType::kComplex128;
  }

  static ValueCost value_cost(std::int64_t count, std::int64_t width, const std::optional<Symbols>& symbols) {
    ValueCost cost{.bytes = (count + 1) * width + kConstantBytes, .as_palette = false};
    if (!symbols) return cost;
    const auto base = static_cast<std::int64_t>(symbols->table.size());
    const std::int64_t packed = words_bytes(count + 1, std::max<std::int64_t>(base, 2)) + base * width +
                                2 * kConstantBytes + kCallBytes;
    if (packed < cost.bytes) cost = {.bytes = packed, .as_palette = true};
    return cost;
  }

  bool allows(StoreForm form) const { return options_.form == StoreForm::kAuto || options_.form == form; }

  Choice choose(const Tensor& tensor, std::span<const std::uint32_t> nonzero,
                const std::optional<Symbols>& symbols) const {
    const auto width = static_cast<std::int64_t>(bit_width(tensor.type()) / 8);
    const std::int64_t count = tensor.size();
    Choice best{.form = StoreForm::kDense, .bytes = static_cast<std::int64_t>(tensor.bytes().size())};
    const auto consider = [&](const Choice& choice) {
      if (choice.bytes < best.bytes) best = choice;
    };
    if (allows(StoreForm::kPalette) && symbols) {
      const auto base = static_cast<std::int64_t>(symbols->table.size());
      consider({.form = StoreForm::kPalette,
                .bytes = words_bytes(count, std::max<std::int64_t>(base, 2)) + base * width +
                         2 * kConstantBytes + kCallBytes});
    }
    if (allows(StoreForm::kBitmask)) {
      const auto entries = static_cast<std::int64_t>(
          std::count_if(nonzero.begin(), nonzero.end(), [](std::uint32_t one) { return one != 0; }));
      const ValueCost values = value_cost(entries, width, symbols);
      consider({.form = StoreForm::kBitmask,
                .bytes = words_bytes(count, 2) + values.bytes + 2 * kConstantBytes + kCallBytes,
                .values_as_palette = values.as_palette});
    }
    if (allows(StoreForm::kSparse)) {
      for (std::int64_t base = 2; base <= kLargestGapBase; base += base < 16 ? 1 : base / 4) {
        const std::int64_t entries = gap_entries(nonzero, base);
        const ValueCost values = value_cost(entries, width, symbols);
        consider({.form = StoreForm::kSparse,
                  .bytes = words_bytes(entries, base) + values.bytes + 3 * kConstantBytes + kCallBytes,
                  .gap_base = base,
                  .values_as_palette = values.as_palette});
      }
    }
    return best;
  }

  // -- rewriting

  /// What a packed constant took before; nullopt where it stays.
  std::optional<Choice> pack(Value* value) {
    if (!may_pack(*value)) return std::nullopt;
    const Tensor tensor = *value->constant();
    const auto width = static_cast<std::size_t>(bit_width(tensor.type()) / 8);
    const std::vector<std::uint64_t> patterns = patterns_of(tensor, width);
    std::vector<std::uint32_t> nonzero(patterns.size());
    std::ranges::transform(patterns, nonzero.begin(),
                           [](std::uint64_t pattern) { return pattern != 0 ? 1U : 0U; });
    const std::optional<Symbols> symbols = symbols_of(patterns);
    const Choice choice = choose(tensor, nonzero, symbols);
    if (choice.form == StoreForm::kDense) return std::nullopt;
    first_user_ = first_user(*value);

    const std::string name = value->name();
    Value* shape = shape_constant(tensor.dims());
    Value* packed = nullptr;
    switch (choice.form) {
      case StoreForm::kPalette:
        packed = palette_call(tensor.type(), *symbols, symbols->indices, shape, name);
        break;
      case StoreForm::kBitmask:
        packed = bitmask_call(tensor.type(), patterns, nonzero, symbols, choice, shape, name);
        break;
      default:
        packed = sparse_call(tensor.type(), patterns, nonzero, symbols, choice, shape, name);
    }
    packed->set_type(value->type());
    graph_.replace_all_uses(value, packed);
    graph_.erase(value);
    packed_bytes_ = choice.bytes;
    outcome_.notes.push_back(fmt::format("{}: {}, {} bytes in about {}", name, press::name(choice.form),
                                         tensor.bytes().size(), choice.bytes));
    return Choice{.form = choice.form, .bytes = static_cast<std::int64_t>(tensor.bytes().size())};
  }

  /// The first node of the main graph that needs the value, itself or in a subgraph.
  Node* first_user(const Value& value) const {
    const Place* first = nullptr;
    for (const Use& use : value.uses()) {
      const Place& place = places_.at(use.node);
      if (first == nullptr || place.index < first->index) first = &place;
    }
    return first->node;
  }

  Value* call(std::string_view function, std::vector<Value*> inputs, const std::string& name) {
    return graph_
        .add_node({.op_type = std::string(function),
                   .inputs = std::move(inputs),
                   .outputs = {name},
                   .domain = std::string(kStoreDomain)},
                  first_user_)
        ->output();
  }

  Value* integers(const std::vector<std::int64_t>& list, std::string_view stem) {
    return graph_.add_constant(Tensor::of<std::int64_t>({static_cast<std::int64_t>(list.size())}, list),
                               graph_.fresh_name(stem));
  }

  /// Powers of a base, and shapes, stand once for all constants that need them.
  Value* powers_constant(std::int64_t base) {
    Value*& powers = powers_[base];
    if (powers == nullptr) powers = integers(digit_powers(base), "powers");
    return powers;
  }
  Value* shape_constant(const Dims& dims) {
    Value*& shape = shapes_[dims];
    if (shape == nullptr) shape = integers(dims, "shape");
    return shape;
  }

  Value* words_constant(std::span<const std::uint32_t> digits, std::int64_t base) {
    return integers(pack_digits(digits, base), "words");
  }

  Value* table_constant(DataType type, std::span<const std::uint64_t> patterns) {
    const auto width = static_cast<std::size_t>(bit_width(type) / 8);
    Tensor table = std::move(Tensor::allocate(type, {static_cast<std::int64_t>(patterns.size())})).value();
    std::byte* bytes = table.mutable_bytes().data();
    for (std::size_t i = 0; i < patterns.size(); ++i) std::memcpy(bytes + i * width, &patterns[i], width);
    return graph_.add_constant(std::move(table), graph_.fresh_name("values"));
  }

  Value* palette_call(DataType type, const Symbols& symbols, std::span<const std::uint32_t> indices,
                      Value* shape, const std::string& name) {
    const auto base = std::max<std::int64_t>(static_cast<std::int64_t>(symbols.table.size()), 2);
    return call(
        kPalette,
        {words_constant(indices, base), powers_constant(base), table_constant(type, symbols.table), shape},
        name);
  }

  /// A zero, then the values of `entries` (indices of elements, or nullopt for an entry of zero).
  Value* values_after_zero(DataType type, std::span<const std::uint64_t> patterns,
                           const std::optional<Symbols>& symbols, bool as_palette,
                           std::span<const std::int64_t> entries) {
    if (as_palette) {
      std::vector<std::uint32_t> digits{0};
      for (const std::int64_t entry : entries) {
        digits.push_back(entry < 0 ? 0 : symbols->indices[static_cast<std::size_t>(entry)]);
      }
      Value* count = shape_constant({static_cast<std::int64_t>(digits.size())});
      return palette_call(type, *symbols, digits, count, graph_.fresh_name("values"));
    }
    std::vector<std::uint64_t> values{0};
    for (const std::int64_t entry : entries) {
      values.push_back(entry < 0 ? 0 : patterns[static_cast<std::size_t>(entry)]);
    }
    return table_constant(type, values);
  }

  Value* bitmask_call(DataType type, std::span<const std::uint64_t> patterns,
                      std::span<const std::uint32_t> nonzero, const std::optional<Symbols>& symbols,
                      const Choice& choice, Value* shape, const std::string& name) {
    std::vector<std::int64_t> entries;
    for (std::size_t i = 0; i < nonzero.size(); ++i) {
      if (nonzero[i] != 0) entries.push_back(static_cast<std::int64_t>(i));
    }
    Value* values = values_after_zero(type, patterns, symbols, choice.values_as_palette, entries);
    return call(kBitmask, {words_constant(nonzero, 2), powers_constant(2), values, shape}, name);
  }

  Value* sparse_call(DataType type, std::span<const std::uint64_t> patterns,
                     std::span<const std::uint32_t> nonzero, const std::optional<Symbols>& symbols,
                     const Choice& choice, Value* shape, const std::string& name) {
    const GapCode code = gap_encode(nonzero, choice.gap_base);
    std::vector<std::int64_t> entries;
    std::int64_t at = 0;
    for (std::size_t i = 0; i < code.gaps.size(); ++i, ++at) {
      at += code.gaps[i];
      entries.push_back(code.symbols[i] != 0 ? at : -1);
    }
    Value* values = values_after_zero(type, patterns, symbols, choice.values_as_palette, entries);
    Value* count = shape_constant({static_cast<std::int64_t>(entries.size())});
    return call(kSparse,
                {words_constant(code.gaps, code.base), powers_constant(code.base), values, count, shape},
                name);
  }

  /// A node of the main graph: the node itself, or the one that holds it in a subgraph.
  struct Place {
    std::size_t index = 0;
    Node* node = nullptr;
  };

  Graph& graph_;
  const StoreOptions& options_;
  std::unordered_map<const Node*, Place> places_;
  PassOutcome outcome_;
  Node* first_user_ = nullptr;
  std::int64_t packed_bytes_ = 0;
  std::map<std::int64_t, Value*> powers_;
  std::map<Dims, Value*> shapes_;
};

/// Adds the functions that the graph's calls need and does not have.
void add_functions(Graph& graph) {
  std::set<std::string> needed{"Digits"};
  for (const Node* node : graph.nodes()) {
    if (node->domain() == kStoreDomain) needed.insert(node->op_type());
  }
  for (const std::shared_ptr<const Function>& function : graph.functions()) {
    if (function->domain == kStoreDomain) needed.erase(function->name);
  }
  for (const std::shared_ptr<const Function>& function : unpack_functions(graph.opset())) {
    if (needed.contains(function->name)) graph.add_function(function);
  }
}

}  // namespace

Result<PassOutcome> pack_weights(Model& model, const PassContext& context) {
  Graph& graph = *model.graph;
  PassOutcome outcome;
  if (graph.opset() < kFirstOpset) {
    outcome.notes.push_back(
        fmt::format("packed weights need opset {} or later, the model has {}", kFirstOpset, graph.opset()));
    return outcome;
  }
  outcome = Packer(graph, context.store).run();
  if (outcome.rewrites == 0) return outcome;
  graph.set_opset(std::string(kStoreDomain), 1);
  add_functions(graph);
  if (model.ir_version < kFirstIrVersion) {
    outcome.notes.push_back(fmt::format("IR version raised from {} to {}, which knows functions",
                                        model.ir_version, kFirstIrVersion));
    model.ir_version = kFirstIrVersion;
  }
  return outcome;
}

}  // namespace press::passes

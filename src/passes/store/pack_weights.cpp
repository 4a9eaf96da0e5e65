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
// Conditions: a floating-point or integer constant of the main graph, of at least one dim, that is used by
// nodes only. It stays as it is where no form is smaller, the cost of the nodes included. Weights that a
// DequantizeLinear turns into floating-point numbers for a layer that computes with these are packed as codes
// (weight_codes.h), since runtimes fold all of Dequantize but not a DequantizeLinear.
//
// With a bound on the load time, candidates are taken in the order of bytes saved for the time of unpacking,
// each that fits into what is left of it; the others stay as they are.
//
// Why it pays: pruned and clustered weights of 8 bits hold 1 to 3 bits of information, and a file keeps 8.
// Run time does not change, since runtimes fold the constant nodes while they load the model.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "passes/declarations.h"
#include "passes/store/unpack_functions.h"
#include "passes/store/weight_codes.h"
#include "press/numeric/packing.h"

namespace press::passes {
namespace {

// Bytes that a file spends on a constant and on a call, their names and dims included.
constexpr std::int64_t kConstantBytes = 24;
constexpr std::int64_t kCallBytes = 64;
// Nanoseconds that ONNX Runtime takes to unpack on one core of about 3 GHz, by element and by stored entry.
constexpr double kDigitTime = 20, kBitmaskTime = 47, kSparseTime = 15, kEntryTime = 80, kDequantizeTime = 15;
constexpr std::int64_t kSmallestTensor = 128;  // bytes
constexpr std::int64_t kLargestGapBase = 256;
constexpr std::int64_t kFirstOpset = 13;
constexpr std::int64_t kFirstIrVersion = 8;  // that knows functions

std::int64_t words_bytes(std::int64_t count, std::int64_t base) {
  return words_for(count, base) * static_cast<std::int64_t>(sizeof(std::int64_t)) + kConstantBytes;
}

/// The distinct values of a constant as bit patterns in ascending order, and the place of each element among
/// them.
struct Symbols {
  std::vector<std::uint64_t> table;
  std::vector<std::uint32_t> indices;

  std::int64_t base() const { return std::max<std::int64_t>(static_cast<std::int64_t>(table.size()), 2); }
};

/// nullopt where there are too many.
std::optional<Symbols> symbols_of(std::span<const std::uint64_t> patterns) {
  Symbols symbols;
  std::unordered_map<std::uint64_t, std::uint32_t> places;
  for (const std::uint64_t pattern : patterns) {
    if (!places.emplace(pattern, 0).second) continue;
    if (places.size() >= static_cast<std::size_t>(kLargestBase)) return std::nullopt;
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

/// A constant taken apart for packing.
struct Contents {
  explicit Contents(const Tensor& tensor)
      : type(tensor.type()), dims(tensor.dims()), width(static_cast<std::size_t>(bit_width(type) / 8)) {
    patterns.resize(static_cast<std::size_t>(tensor.size()));
    nonzero.reserve(patterns.size());
    const std::byte* bytes = tensor.bytes().data();
    for (std::size_t i = 0; i < patterns.size(); ++i) {
      std::memcpy(&patterns[i], bytes + i * width, width);
      nonzero.push_back(patterns[i] != 0 ? 1 : 0);
    }
    symbols = symbols_of(patterns);
  }

  std::int64_t size() const { return static_cast<std::int64_t>(patterns.size()); }
  std::int64_t bytes() const { return size() * static_cast<std::int64_t>(width); }

  DataType type;
  Dims dims;
  std::size_t width;                    // bytes of an element
  std::vector<std::uint64_t> patterns;  // each element in the low bits
  std::vector<std::uint32_t> nonzero;   // 1 where some bit of the element is set
  std::optional<Symbols> symbols;
};

std::int64_t raw_bytes(std::int64_t count, std::size_t width) {
  return count * static_cast<std::int64_t>(width) + kConstantBytes;
}

/// Bytes of a palette of `count` digits and a table of `distinct` values.
std::int64_t palette_bytes(std::int64_t count, std::size_t distinct, std::size_t width) {
  const auto base = std::max<std::int64_t>(static_cast<std::int64_t>(distinct), 2);
  return words_bytes(count, base) + static_cast<std::int64_t>(distinct * width) + 2 * kConstantBytes +
         kCallBytes;
}

/// The elements that are not zero.
std::vector<std::uint64_t> nonzero_patterns(const Contents& contents) {
  std::vector<std::uint64_t> patterns;
  std::ranges::copy_if(contents.patterns, std::back_inserter(patterns),
                       [](std::uint64_t pattern) { return pattern != 0; });
  return patterns;
}

/// A zero, then the values of a gap code's entries.
std::vector<std::uint64_t> entry_patterns(const Contents& contents, const GapCode& code) {
  std::vector<std::uint64_t> patterns{0};
  std::size_t at = 0;
  for (const std::uint32_t gap : code.gaps) {
    at += gap;
    patterns.push_back(contents.patterns[at++]);
  }
  return patterns;
}

struct Choice {
  StoreForm form = StoreForm::kDense;
  std::int64_t bytes = 0;
  double nanoseconds = 0;  // of unpacking
  std::int64_t gap_base = 0;
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
    if (options_.max_load_ms) leave_out_slow_ones(*options_.max_load_ms * 1e6);
    for (Node* node : graph_.nodes_snapshot()) write_codes(node);
    for (Value* value : graph_.constants()) pack(value);
    if (outcome_.rewrites > 0) {
      outcome_.notes.push_back(
          fmt::format("together: {} bytes of weights are stored in about {}, and unpacked in about {:.1f} ms",
                      dense_bytes_, packed_bytes_, nanoseconds_ / 1e6));
    }
    if (!left_out_.empty()) {
      outcome_.notes.push_back(
          fmt::format("{} weights stay as they are for the time of loading", left_out_.size()));
    }
    return std::move(outcome_);
  }

 private:
  // -- choosing

  /// What packing a constant saves and costs.
  struct Candidate {
    const Value* value = nullptr;
    std::int64_t saved = 0;  // bytes
    double nanoseconds = 0;
  };

  void leave_out_slow_ones(double nanoseconds) {
    std::vector<Candidate> candidates;
    std::unordered_set<const Value*> coded;
    for (const Node* node : graph_.nodes()) {
      if (const auto codes = codes_of(*node)) {
        const auto stored = static_cast<std::int64_t>(node->input(0)->constant()->bytes().size());
        coded.insert(node->input(0));
        candidates.push_back(
            {node->input(0), stored - codes->second.bytes,
             codes->second.nanoseconds + kDequantizeTime * static_cast<double>(codes->first.codes.size())});
      }
    }
    for (const Value* value : graph_.constants()) {
      if (coded.contains(value) || !may_pack(*value)) continue;
      const Contents contents(*value->constant());
      const Choice choice = choose(contents);
      if (choice.form == StoreForm::kDense) continue;
      candidates.push_back({value, contents.bytes() - choice.bytes, choice.nanoseconds});
    }
    std::ranges::stable_sort(candidates, std::ranges::greater(), [](const Candidate& candidate) {
      return static_cast<double>(candidate.saved) / candidate.nanoseconds;
    });
    for (const Candidate& candidate : candidates) {
      if (candidate.nanoseconds <= nanoseconds) {
        nanoseconds -= candidate.nanoseconds;
      } else {
        left_out_.insert(candidate.value);
      }
    }
  }

  /// The codes of an integer weight of a layer that computes in floating point, where their packed form is
  /// smaller than the integers.
  std::optional<std::pair<WeightCodes, Choice>> codes_of(const Node& node) const {
    std::optional<WeightCodes> weight = weight_codes(node);
    if (!weight) return std::nullopt;
    const Choice choice = choose(Contents(weight->codes));
    const auto stored_bytes = static_cast<std::int64_t>(node.input(0)->constant()->bytes().size());
    if (choice.form == StoreForm::kDense || choice.bytes >= stored_bytes) return std::nullopt;
    return std::pair(*std::move(weight), choice);
  }

  bool may_pack(const Value& value) const {
    const Tensor& tensor = *value.constant();
    const auto is_packed = [](const Use& use) {
      return use.node->domain() == kStoreDomain && !use.node->is(kDequantize, kStoreDomain);
    };
    return tensor.rank() > 0 && has_form(tensor.type()) && value.sparse.empty() &&
           static_cast<std::int64_t>(tensor.bytes().size()) >= kSmallestTensor && !graph_.is_output(&value) &&
           !left_out_.contains(&value) && !value.uses().empty() &&
           std::ranges::none_of(value.uses(), is_packed);
  }

  /// The types that runtimes gather and scatter.
  static bool has_form(DataType type) {
    return type == DataType::kFloat || type == DataType::kFloat16 || type == DataType::kDouble ||
           type == DataType::kInt8 || type == DataType::kUint8 || type == DataType::kInt32 ||
           type == DataType::kInt64;
  }

  bool may_pad(DataType type) const {
    return graph_.opset() >= kOpsetOfCastLike || type != DataType::kFloat16;
  }

  bool allows(StoreForm form) const { return options_.form == StoreForm::kAuto || options_.form == form; }

  Choice choose(const Contents& contents) const {
    Choice best{.form = StoreForm::kDense, .bytes = contents.bytes()};
    const auto consider = [&](const Choice& choice) {
      if (choice.bytes < best.bytes) best = choice;
    };
    // Behind a bit mask or gaps: raw, or a palette where that is smaller.
    const auto value_bytes = [&](std::int64_t count, std::size_t distinct) {
      const std::int64_t raw = raw_bytes(count, contents.width);
      return contents.symbols ? std::min(raw, palette_bytes(count, distinct, contents.width)) : raw;
    };
    const auto value_time = [&](std::int64_t count, std::size_t distinct) {
      const bool raw = value_bytes(count, distinct) == raw_bytes(count, contents.width);
      return raw ? 0 : kDigitTime * static_cast<double>(count);
    };
    const auto size = static_cast<double>(contents.size());
    const std::size_t distinct = contents.symbols ? contents.symbols->table.size() : 0;
    const std::size_t distinct_nonzero = distinct - (distinct > 0 && contents.symbols->table[0] == 0 ? 1 : 0);
    if (allows(StoreForm::kPalette) && contents.symbols) {
      consider({.form = StoreForm::kPalette,
                .bytes = palette_bytes(contents.size(), distinct, contents.width),
                .nanoseconds = kDigitTime * size});
    }
    if (allows(StoreForm::kBitmask) && may_pad(contents.type)) {
      const std::int64_t entries = std::ranges::count(contents.nonzero, 1U);
      consider({.form = StoreForm::kBitmask,
                .bytes = words_bytes(contents.size(), 2) + value_bytes(entries, distinct_nonzero) +
                         2 * kConstantBytes + kCallBytes,
                .nanoseconds = kBitmaskTime * size + value_time(entries, distinct_nonzero)});
    }
    if (allows(StoreForm::kSparse)) {
      for (std::int64_t base = 2; base <= kLargestGapBase; base += base < 16 ? 1 : base / 4) {
        const std::int64_t entries = gap_entries(contents.nonzero, base);
        consider({.form = StoreForm::kSparse,
                  .bytes = words_bytes(entries, base) + value_bytes(entries + 1, distinct_nonzero + 1) +
                           3 * kConstantBytes + kCallBytes,
                  .nanoseconds = kSparseTime * size + kEntryTime * static_cast<double>(entries) +
                                 value_time(entries + 1, distinct_nonzero + 1),
                  .gap_base = base});
      }
    }
    return best;
  }

  // -- rewriting

  /// Integers that a layer uses as floating-point weights become codes and a call of Dequantize, where their
  /// packed form is smaller than they are.
  void write_codes(Node* node) {
    const auto codes = codes_of(*node);
    if (!codes || left_out_.contains(node->input(0))) return;
    const WeightCodes* weight = &codes->first;
    Value* stored = node->input(0);
    nanoseconds_ += kDequantizeTime * static_cast<double>(weight->codes.size());
    const std::string name = node->output()->name();
    const std::vector<std::int8_t> levels{static_cast<std::int8_t>(weight->levels)};
    const auto constant = [&](const Tensor& tensor, std::string_view stem) {
      return graph_.add_constant(tensor, graph_.fresh_name(stem));
    };
    Value* weights =
        call(kDequantize,
             {constant(weight->codes, "codes"), constant(weight->zero_points, "zeros"),
              constant(Tensor::of<std::int8_t>({1}, levels), "levels"), constant(weight->scales, "scales")},
             name, node);
    weights->set_type(node->output()->type());
    places_.emplace(weights->producer(), Place{places_.at(node).index, weights->producer()});
    graph_.replace_all_uses(node->output(), weights);
    graph_.erase(node);
    graph_.erase(stored);
  }

  void pack(Value* value) {
    if (!may_pack(*value)) return;
    const Contents contents(*value->constant());
    const Choice choice = choose(contents);
    if (choice.form == StoreForm::kDense) return;
    const std::string name = value->name();
    Value* packed = packed_value(contents, choice, name, first_user(*value));
    packed->set_type(value->type());
    graph_.replace_all_uses(value, packed);
    graph_.erase(value);
    ++outcome_.rewrites;
    dense_bytes_ += contents.bytes();
    packed_bytes_ += choice.bytes;
    nanoseconds_ += choice.nanoseconds;
    outcome_.notes.push_back(fmt::format("{}: {}, {} bytes in about {}", name, press::name(choice.form),
                                         contents.bytes(), choice.bytes));
  }

  Value* packed_value(const Contents& contents, const Choice& choice, const std::string& name, Node* before) {
    Value* shape = shape_constant(contents.dims);
    if (choice.form == StoreForm::kPalette) {
      return palette_call(contents.type, *contents.symbols, shape, name, before);
    }
    if (choice.form == StoreForm::kBitmask) {
      Value* values = values_of(contents, nonzero_patterns(contents), before);
      return call(kBitmask, {words_constant(contents.nonzero, 2), powers_constant(2), values, shape}, name,
                  before);
    }
    const GapCode code = gap_encode(contents.nonzero, choice.gap_base);
    Value* values = values_of(contents, entry_patterns(contents, code), before);
    Value* count = shape_constant({static_cast<std::int64_t>(code.gaps.size())});
    return call(kSparse,
                {words_constant(code.gaps, code.base), powers_constant(code.base), values, count, shape},
                name, before);
  }

  Value* values_of(const Contents& contents, const std::vector<std::uint64_t>& patterns, Node* before) {
    const auto count = static_cast<std::int64_t>(patterns.size());
    const std::optional<Symbols> symbols = symbols_of(patterns);
    if (!symbols ||
        palette_bytes(count, symbols->table.size(), contents.width) >= raw_bytes(count, contents.width)) {
      return table_constant(contents.type, patterns);
    }
    return palette_call(contents.type, *symbols, shape_constant({count}), graph_.fresh_name("values"),
                        before);
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

  Value* call(std::string_view function, std::vector<Value*> inputs, const std::string& name, Node* before) {
    return graph_
        .add_node({.op_type = std::string(function),
                   .inputs = std::move(inputs),
                   .outputs = {name},
                   .domain = std::string(kStoreDomain)},
                  before)
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

  Value* palette_call(DataType type, const Symbols& symbols, Value* shape, const std::string& name,
                      Node* before) {
    return call(kPalette,
                {words_constant(symbols.indices, symbols.base()), powers_constant(symbols.base()),
                 table_constant(type, symbols.table), shape},
                name, before);
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
  std::int64_t dense_bytes_ = 0;
  std::int64_t packed_bytes_ = 0;
  double nanoseconds_ = 0;
  std::unordered_set<const Value*> left_out_;
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

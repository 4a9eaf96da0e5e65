#include "press/calibrate/lockstep.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <unordered_map>
#include <unordered_set>

#include "calibrate/columns.h"
#include "calibrate/in_order.h"
#include "press/ir/extract.h"
#include "press/ops/operator.h"
#include "press/runtime/products.h"
#include "press/runtime/session.h"

namespace press {
namespace {

std::int64_t samples_of(const Batch& batch) {
  return !batch.inputs.empty() && batch.inputs.front().rank() > 0 ? batch.inputs.front().dims()[0] : 1;
}

/// One of the two networks: its nodes in order, and what is held of it for every batch.
class Side {
 public:
  explicit Side(const Graph& graph) : graph_(&graph) {}

  Status prepare(const std::vector<Batch>& samples) {
    std::size_t position = 0;
    for (const Node* node : graph_->nodes()) {
      if (!node->subgraphs().empty()) {
        return Error(ErrorCode::kUnsupported,
                     fmt::format("node {} holds a subgraph; layers are recovered in networks without control "
                                 "flow only",
                                 node->label()));
      }
      positions_.emplace(node, position++);
      const std::vector<Value*> inputs = node->inputs();
      if (!std::ranges::all_of(inputs, [&](const Value* v) { return v == nullptr || is_fixed(*v); }))
        continue;
      for (const Value* output : node->outputs()) fixed_.insert(output);
    }
    if (auto facts = infer_shapes(*graph_); facts.ok()) facts_ = std::move(*facts);
    cut_.assign(graph_->inputs().begin(), graph_->inputs().end());
    for (const Batch& batch : samples) {
      if (batch.inputs.size() != cut_.size()) {
        return Error(ErrorCode::kInput, fmt::format("the network takes {} inputs, but samples have {}",
                                                    cut_.size(), batch.inputs.size()));
      }
      held_.push_back(batch.inputs);
      for (std::size_t i = 0; i < cut_.size(); ++i) {
        if (!held_.back()[i].defined() && cut_[i]->tensor() != nullptr) held_.back()[i] = *cut_[i]->tensor();
      }
    }
    return {};
  }

  /// Gets ready to run from the cut to `node`, `workers` at a time.
  Status aim_at(const Node& node, int workers) {
    const Value* input = node.input(0);
    if (input == nullptr || is_fixed(*input)) {
      return Error(ErrorCode::kUnsupported, fmt::format("the input of node {} is constant", node.label()));
    }
    aim_ = frontier(positions_.at(&node));
    layer_input_ = static_cast<std::size_t>(std::ranges::find(aim_, input) - aim_.begin());
    missing_.clear();
    for (const Value* value : aim_) {
      if (std::ranges::find(cut_, value) == cut_.end()) missing_.push_back(value);
    }
    sessions_.clear();
    if (missing_.empty()) return {};
    std::vector<PartInput> inputs;
    for (const Value* value : cut_) {
      const ValueFacts* known = facts_.find(value);
      inputs.push_back({value, known != nullptr ? known->type : value->type()});
    }
    PRESS_ASSIGN(part_, extract(*graph_, inputs, missing_));
    const SessionOptions options{.threads = 1, .shared_weights = make_shared_weights()};
    for (int i = 0; i < workers; ++i) {
      PRESS_ASSIGN(Session session, Session::create(*part_, options));
      sessions_.push_back(std::move(session));
    }
    return {};
  }

  /// The values of the cut that was aimed at, for one batch.
  Result<std::vector<Tensor>> run(int worker, std::size_t batch) {
    std::vector<Tensor> made;
    if (!missing_.empty()) {
      PRESS_ASSIGN(made, sessions_[static_cast<std::size_t>(worker)].run(held_[batch]));
    }
    std::vector<Tensor> values;
    std::size_t next = 0;
    for (const Value* value : aim_) {
      const auto kept = std::ranges::find(cut_, value);
      values.push_back(kept != cut_.end() ? held_[batch][static_cast<std::size_t>(kept - cut_.begin())]
                                          : made[next++]);
    }
    return values;
  }

  std::size_t layer_input() const { return layer_input_; }

  /// After a run of all batches: what was aimed at is the cut from now on, or is forgotten.
  void finish(std::vector<std::vector<Tensor>> values) {
    if (!values.empty()) {
      cut_ = aim_;
      held_ = std::move(values);
    }
    sessions_.clear();
    part_.reset();
  }

 private:
  bool is_fixed(const Value& value) const { return value.is_constant() || fixed_.contains(&value); }

  /// What is made before a position and read from there on.
  std::vector<const Value*> frontier(std::size_t position) const {
    std::vector<const Value*> values;
    for (const Value* value : graph_->values()) {
      if (is_fixed(*value)) continue;
      if (value->producer() != nullptr && positions_.at(value->producer()) >= position) continue;
      const bool read = std::ranges::any_of(value->uses(), [&](const Use& use) {
        return use.node != nullptr && positions_.at(use.node) >= position;
      });
      if (read) values.push_back(value);
    }
    return values;
  }

  const Graph* graph_;
  ShapeTable facts_;
  std::unordered_map<const Node*, std::size_t> positions_;
  std::unordered_set<const Value*> fixed_;  // depend on constants only
  std::vector<const Value*> cut_;
  std::vector<std::vector<Tensor>> held_;  // by batch: the values of the cut
  std::vector<const Value*> aim_, missing_;
  std::size_t layer_input_ = 0;
  std::unique_ptr<Graph> part_;
  std::vector<Session> sessions_;
};

std::int64_t bytes_of(const std::vector<Tensor>& tensors) {
  std::int64_t bytes = 0;
  for (const Tensor& tensor : tensors) bytes += byte_size(tensor.type(), tensor.size());
  return bytes;
}

/// Sums over the columns of some batches; products in float32.
struct Sums {
  std::int64_t columns = 0;
  std::vector<float> squares, cross;         // by group, inputs x inputs
  std::vector<double> compressed, original;  // of the columns
  std::vector<double> outputs, output_squares;
};

/// The layer that statistics are gathered of.
struct Target {
  const Node* original;
  const Node* compressed;
  LinearLayer layer;
  std::vector<float> weights;  // of the original layer, outputs x inputs
  std::vector<float> bias;     // of the original layer; empty: none
  std::int64_t columns_per_sample;
  bool means_alone;
};

void add_rows(const std::vector<float>& rows, std::size_t width, std::vector<double>& sums) {
  sums.resize(width);
  for (std::size_t at = 0; at < rows.size(); at += width) {
    for (std::size_t j = 0; j < width; ++j) sums[j] += rows[at + j];
  }
}

/// A batch without its inputs, which the networks hold.
struct BatchNames {
  std::int64_t first = 0;  // number of its first sample
  std::int64_t samples = 0;
  std::vector<std::string> names;
};

/// The columns of some batches, one after the other, that go into a layer of both networks.
struct Columns {
  std::int64_t width = 0;
  std::vector<float> original, compressed;

  Status append(const Target& target, const Tensor& of_original, const Tensor& of_compressed,
                const BatchNames& batch) {
    PRESS_ASSIGN(const ColumnSampler sampler,
                 ColumnSampler::create(*target.original, target.layer, of_original, batch.samples));
    PRESS_ASSIGN(const ColumnSampler compressed_sampler,
                 ColumnSampler::create(*target.compressed, target.layer, of_compressed, batch.samples));
    width = sampler.width();
    for (std::int64_t i = 0; i < batch.samples; ++i) {
      const auto index = static_cast<std::uint64_t>(batch.first + i);
      sampler.append(of_original, i, index, target.columns_per_sample, original);
      compressed_sampler.append(of_compressed, i, index, target.columns_per_sample, compressed);
    }
    return {};
  }
};

Result<Sums> sum_up(const Target& target, const Columns& inputs, std::span<const BatchNames> batches) {
  const LinearLayer& layer = target.layer;
  const std::vector<float>&x = inputs.original, &x_hat = inputs.compressed;
  const bool same = x == x_hat;
  const std::int64_t width = inputs.width;
  const std::int64_t rows = static_cast<std::int64_t>(x.size()) / width;
  const auto d = static_cast<std::size_t>(layer.inputs);
  const auto groups = static_cast<std::size_t>(layer.groups);
  const auto outputs = static_cast<std::size_t>(layer.outputs_per_group());
  Sums sums{.columns = rows};
  add_rows(x, static_cast<std::size_t>(width), sums.original);
  add_rows(x_hat, static_cast<std::size_t>(width), sums.compressed);
  for (const std::vector<double>* means : {&sums.original, &sums.compressed}) {
    if (!std::ranges::all_of(*means, [](double sum) { return std::isfinite(sum); })) {
      const bool named = !batches.front().names.empty() && !batches.back().names.empty();
      return Error(
          ErrorCode::kInput,
          fmt::format("the input of node {} is not finite for a sample from '{}' to '{}'; the network "
                      "overflows, or its preprocessing is wrong",
                      target.original->label(), named ? batches.front().names.front() : "",
                      named ? batches.back().names.back() : ""));
    }
  }
  sums.outputs.resize(groups * outputs);
  if (target.means_alone) {
    for (std::size_t channel = 0; channel < sums.outputs.size(); ++channel) {
      const std::size_t group = channel / outputs;
      for (std::size_t j = 0; j < d; ++j) {
        sums.outputs[channel] += target.weights[channel * d + j] * sums.original[group * d + j];
      }
    }
    return sums;
  }
  sums.squares.resize(groups * d * d);
  sums.cross.resize(groups * d * d);
  sums.output_squares.resize(groups * outputs);
  std::vector<float> y(static_cast<std::size_t>(rows) * outputs);
  for (std::size_t group = 0; group < groups; ++group) {
    const MatrixView original_view{x.data() + group * d, rows, layer.inputs, width};
    const MatrixView compressed_view{x_hat.data() + group * d, rows, layer.inputs, width};
    PRESS_TRY(add_gram(compressed_view, sums.squares.data() + group * d * d, layer.inputs));
    if (same) {
      std::copy_n(sums.squares.begin() + static_cast<std::ptrdiff_t>(group * d * d), d * d,
                  sums.cross.begin() + static_cast<std::ptrdiff_t>(group * d * d));
    } else {
      PRESS_TRY(add_transposed_product(original_view, compressed_view, sums.cross.data() + group * d * d,
                                       layer.inputs));
    }
    const MatrixView weights{target.weights.data() + group * outputs * d, layer.outputs_per_group(),
                             layer.inputs, layer.inputs};
    PRESS_TRY(multiply_transposed(original_view, weights, y.data()));
    for (std::size_t at = 0; at < y.size(); ++at) {
      const std::size_t channel = group * outputs + at % outputs;
      const double value = y[at];
      sums.outputs[channel] += value;
      sums.output_squares[channel] += value * value;
    }
  }
  return sums;
}

/// Adds up all sums.
class Totals {
 public:
  void add(const Sums& sums) {
    columns_ += sums.columns;
    add_to(squares_, sums.squares);
    add_to(cross_, sums.cross);
    add_to(compressed_, sums.compressed);
    add_to(original_, sums.original);
    add_to(outputs_, sums.outputs);
    add_to(output_squares_, sums.output_squares);
  }

  LayerStatistics statistics(const Target& target) && {
    const auto d = static_cast<std::size_t>(target.layer.inputs);
    const auto n = static_cast<double>(columns_);
    LayerStatistics statistics{.columns = columns_};
    for (std::vector<double>* sums :
         {&squares_, &cross_, &compressed_, &original_, &outputs_, &output_squares_}) {
      for (double& sum : *sums) sum /= n;
    }
    for (std::size_t group = 0; group < static_cast<std::size_t>(target.layer.groups); ++group) {
      ColumnMoments moments;
      moments.mean = slice(compressed_, group, d);
      moments.reference_mean = slice(original_, group, d);
      if (!target.means_alone) {
        moments.covariance = centred(slice(squares_, group, d * d), moments.mean, moments.mean);
        moments.cross = centred(slice(cross_, group, d * d), moments.reference_mean, moments.mean);
      }
      statistics.groups.push_back(std::move(moments));
    }
    for (std::size_t c = 0; c < outputs_.size(); ++c) {
      const double mean = outputs_[c];
      if (!target.means_alone) {
        statistics.output_variance.push_back(std::max(output_squares_[c] - mean * mean, 0.0));
      }
      statistics.output_mean.push_back(mean + (target.bias.empty() ? 0.0 : target.bias[c]));
    }
    return statistics;
  }

 private:
  template <typename T>
  static void add_to(std::vector<double>& totals, const std::vector<T>& sums) {
    totals.resize(sums.size());
    for (std::size_t i = 0; i < sums.size(); ++i) totals[i] += sums[i];
  }

  static std::vector<double> slice(const std::vector<double>& all, std::size_t group, std::size_t size) {
    const auto begin = all.begin() + static_cast<std::ptrdiff_t>(group * size);
    return {begin, begin + static_cast<std::ptrdiff_t>(size)};
  }

  static Matrix centred(std::vector<double> products, const std::vector<double>& rows,
                        const std::vector<double>& columns) {
    Matrix matrix;
    matrix.rows = rows.size();
    matrix.columns = columns.size();
    matrix.values = std::move(products);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      for (std::size_t j = 0; j < columns.size(); ++j) matrix.at(i, j) -= rows[i] * columns[j];
    }
    return matrix;
  }

  std::int64_t columns_ = 0;
  std::vector<double> squares_, cross_, compressed_, original_, outputs_, output_squares_;
};

}  // namespace

class Lockstep::Pass {
 public:
  Pass(const Graph& original, const Graph& compressed, const LockstepOptions& options)
      : options_(options), same_(&original == &compressed), original_(original), compressed_(compressed) {}

  Status prepare(std::vector<Batch> samples) {
    PRESS_TRY(original_.prepare(samples));
    PRESS_TRY(compressed_.prepare(samples));
    for (Batch& batch : samples) {
      batches_.push_back({total_, samples_of(batch), std::move(batch.names)});
      total_ += batches_.back().samples;
    }
    if (total_ == 0) return Error(ErrorCode::kInput, "there is not one sample to recover accuracy with");
    return {};
  }

  Result<LayerStatistics> gather(const Node& original, const Node& compressed) {
    const std::optional<LinearLayer> layer = linear_layer(original);
    if (!layer.has_value()) {
      return Error(
          ErrorCode::kUnsupported,
          fmt::format("node {} is no linear layer with a constant float32 weight", original.label()));
    }
    PRESS_TRY(original_.aim_at(original, options_.threads));
    PRESS_TRY(compressed_.aim_at(compressed, options_.threads));
    Target target{&original, &compressed, *layer, weight_rows(original, *layer), {}, 0, options_.means_alone};
    if (const Value* bias = original.input(2); bias != nullptr && bias->constant() != nullptr) {
      const std::span<const float> values = bias->constant()->data<float>();
      target.bias.assign(values.begin(), values.end());
    }
    const std::int64_t columns = std::max(
        options_.least_columns, std::min(options_.most_columns, options_.columns_per_input * layer->inputs));
    target.columns_per_sample = (columns + total_ - 1) / total_;

    // Batches whose sums are one: with half as many columns as a layer is wide, it takes longer to multiply
    // them than to add up the products.
    std::vector<std::size_t> begins{0};
    std::int64_t samples = 0;
    for (std::size_t batch = 0; batch < batches_.size(); ++batch) {
      samples += batches_[batch].samples;
      if (2 * samples * target.columns_per_sample < layer->inputs && batch + 1 < batches_.size()) continue;
      begins.push_back(batch + 1);
      samples = 0;
    }
    struct Done {
      Sums sums;
      std::array<std::vector<std::vector<Tensor>>, 2> values;  // by batch
    };
    const auto work = [&](int worker, std::size_t part) -> Result<Done> {
      Done done;
      Columns inputs;
      for (std::size_t batch = begins[part]; batch < begins[part + 1]; ++batch) {
        PRESS_ASSIGN(std::vector<Tensor> values, original_.run(worker, batch));
        std::vector<Tensor> beside = values;
        if (!same_) {
          PRESS_ASSIGN(beside, compressed_.run(worker, batch));
        }
        PRESS_TRY(inputs.append(target, values[original_.layer_input()], beside[compressed_.layer_input()],
                                batches_[batch]));
        done.values[0].push_back(std::move(values));
        done.values[1].push_back(std::move(beside));
      }
      PRESS_ASSIGN(
          done.sums,
          sum_up(target, inputs, std::span(batches_).subspan(begins[part], begins[part + 1] - begins[part])));
      return done;
    };
    Totals totals;
    std::int64_t bytes = 0;
    std::array<std::vector<std::vector<Tensor>>, 2> kept;
    const auto take = [&](std::size_t, Done done) {
      totals.add(done.sums);
      for (std::size_t side = 0; side < 2; ++side) {
        for (std::vector<Tensor>& values : done.values[side]) {
          if (side == 0 || !same_) bytes += bytes_of(values);
          kept[side].push_back(std::move(values));
        }
      }
      if (bytes > options_.memory) kept = {};
    };
    PRESS_TRY(in_order(options_.threads, begins.size() - 1, work, take).with_context("recovery"));
    original_.finish(std::move(kept[0]));
    compressed_.finish(std::move(kept[1]));
    return std::move(totals).statistics(target);
  }

 private:
  LockstepOptions options_;
  bool same_;  // one network beside itself
  Side original_, compressed_;
  std::vector<BatchNames> batches_;
  std::int64_t total_ = 0;
};

Lockstep::Lockstep(std::unique_ptr<Pass> pass) : pass_(std::move(pass)) {}
Lockstep::Lockstep(Lockstep&&) noexcept = default;
Lockstep& Lockstep::operator=(Lockstep&&) noexcept = default;
Lockstep::~Lockstep() = default;

Result<Lockstep> Lockstep::create(const Graph& original, const Graph& compressed, std::vector<Batch> samples,
                                  const LockstepOptions& options) {
  auto pass = std::make_unique<Pass>(original, compressed, options);
  PRESS_TRY(pass->prepare(std::move(samples)));
  return Lockstep(std::move(pass));
}

Result<LayerStatistics> Lockstep::gather(const Node& original, const Node& compressed) {
  return pass_->gather(original, compressed);
}

}  // namespace press

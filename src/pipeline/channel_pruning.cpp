#include "press/pipeline/channel_pruning.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "pipeline/counterparts.h"
#include "pipeline/output_error.h"
#include "press/calibrate/lockstep.h"
#include "press/numeric/layer_solver.h"
#include "press/ops/linear_layer.h"

namespace press {
namespace {

constexpr double kDamping = 1e-3;
/// Where the network's error is measured: with this share of a group's channels gone.
constexpr double kMeasuredShare = 0.25;

ChannelReading reading_of(const ChannelReader& reader, const LayerStatistics& statistics) {
  const LinearLayer layer = *linear_layer(*reader.node);
  ChannelReading reading;
  reading.weights = Matrix(static_cast<std::size_t>(layer.outputs), static_cast<std::size_t>(layer.inputs));
  std::ranges::copy(weight_rows(*reader.node, layer), reading.weights.values.begin());
  reading.covariance = damped(statistics.groups.front().covariance, kDamping);
  reading.energy = std::accumulate(statistics.output_variance.begin(), statistics.output_variance.end(), 0.0);
  reading.columns = reader.columns;
  return reading;
}

/// A copy without the first channels of a trace, its readers put right.
Model without(const Model& model, const PrunableChannels& group, const ChannelTrace& trace, std::size_t count,
              const std::vector<LayerStatistics>& statistics, int threads) {
  Model copy = clone(model);
  const auto to_copy = counterparts(*model.graph, *copy.graph);
  for (std::size_t r = 0; r < group.readers.size(); ++r) {
    const ChannelReader& reader = group.readers[r];
    Node* node = to_copy.at(reader.node);
    const LinearLayer layer = *linear_layer(*node);
    std::vector<float> rows = weight_rows(*node, layer);
    for (std::size_t i = 0; i < count; ++i) {
      for (const std::uint32_t column : reader.columns[trace.order[i]]) {
        for (std::size_t at = column; at < rows.size(); at += static_cast<std::size_t>(layer.inputs)) {
          rows[at] = 0;
        }
      }
    }
    node->input(layer.weight_input)->set_constant(weight_from_rows(*node, layer, rows));
    apply(*copy.graph, *node, repair_layer(*node, *reader.node, statistics[r], Recover::kFast, threads));
  }
  return copy;
}

}  // namespace

Result<std::vector<ChannelTrace>> trace_channels(const Model& model, std::span<const PrunableChannels> groups,
                                                 const std::vector<Batch>& samples,
                                                 const RecoverOptions& options) {
  std::map<const Node*, std::vector<std::size_t>> read;  // by layer: the groups that it reads
  for (std::size_t g = 0; g < groups.size(); ++g) {
    for (const ChannelReader& reader : groups[g].readers) read[reader.node].push_back(g);
  }
  PRESS_ASSIGN(const OutputError network, OutputError::create(model, samples, options.threads));
  PRESS_ASSIGN(Lockstep lockstep,
               Lockstep::create(*model.graph, *model.graph, samples, {.threads = options.threads}));
  std::vector<ChannelTrace> traces(groups.size());
  std::vector<std::vector<LayerStatistics>> statistics(groups.size());
  std::int64_t done = 0;
  for (const Node* node : model.graph->nodes()) {
    const auto found = read.find(node);
    if (found == read.end()) continue;
    if (options.progress) {
      PRESS_TRY(options.progress("pruning", done++, static_cast<std::int64_t>(read.size())));
    }
    PRESS_ASSIGN(const LayerStatistics gathered, lockstep.gather(*node, *node));
    for (const std::size_t g : found->second) {
      const std::vector<ChannelReader>& readers = groups[g].readers;
      statistics[g].push_back(gathered);
      if (statistics[g].size() < readers.size()) continue;
      std::vector<ChannelReading> readings;
      for (std::size_t r = 0; r < readers.size(); ++r) {
        readings.push_back(reading_of(readers[r], statistics[g][r]));
      }
      traces[g] = channel_trace(readings);
      // What the layers' errors do to the network, from one place of the curve.
      std::vector<double>& losses = traces[g].losses;
      const auto count =
          static_cast<std::size_t>(std::ceil(kMeasuredShare * static_cast<double>(losses.size())));
      const double expected =
          std::accumulate(losses.begin(), losses.begin() + static_cast<std::ptrdiff_t>(count), 0.0);
      PRESS_ASSIGN(const double measured,
                   network.of(without(model, groups[g], traces[g], count, statistics[g], options.threads)));
      if (expected > 0) {
        for (double& loss : losses) loss *= measured / expected;
      }
      statistics[g] = {};
    }
  }
  return traces;
}

}  // namespace press

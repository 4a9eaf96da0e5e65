#include "press/pipeline/channel_pruning.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "press/calibrate/lockstep.h"
#include "press/numeric/layer_solver.h"
#include "press/ops/linear_layer.h"

namespace press {
namespace {

constexpr double kDamping = 1e-3;

ChannelReading reading_of(const ChannelReader& reader, const LayerStatistics& statistics) {
  const LinearLayer layer = *linear_layer(*reader.node);
  ChannelReading reading;
  reading.weights = Matrix(static_cast<std::size_t>(layer.outputs), static_cast<std::size_t>(layer.inputs));
  const std::vector<float> rows = weight_rows(*reader.node, layer);
  std::ranges::copy(rows, reading.weights.values.begin());
  reading.covariance = damped(statistics.groups.front().covariance, kDamping);
  reading.energy = std::accumulate(statistics.output_variance.begin(), statistics.output_variance.end(), 0.0);
  reading.columns = reader.columns;
  return reading;
}

}  // namespace

Result<std::vector<ChannelTrace>> trace_channels(const Model& model, std::span<const PrunableChannels> groups,
                                                 const std::vector<Batch>& samples,
                                                 const RecoverOptions& options) {
  std::map<const Node*, std::vector<std::size_t>> read;  // by layer: the groups that it reads
  for (std::size_t g = 0; g < groups.size(); ++g) {
    for (const ChannelReader& reader : groups[g].readers) read[reader.node].push_back(g);
  }
  LockstepOptions lockstep_options;
  lockstep_options.threads = options.threads;
  PRESS_ASSIGN(Lockstep lockstep, Lockstep::create(*model.graph, *model.graph, samples, lockstep_options));
  std::vector<ChannelTrace> traces(groups.size());
  std::vector<std::vector<ChannelReading>> readings(groups.size());
  std::int64_t done = 0;
  for (const Node* node : model.graph->nodes()) {
    const auto found = read.find(node);
    if (found == read.end()) continue;
    if (options.progress) {
      PRESS_TRY(options.progress("pruning", done++, static_cast<std::int64_t>(read.size())));
    }
    PRESS_ASSIGN(const LayerStatistics statistics, lockstep.gather(*node, *node));
    for (const std::size_t g : found->second) {
      const std::vector<ChannelReader>& readers = groups[g].readers;
      const auto reader = std::ranges::find(readers, node, &ChannelReader::node);
      readings[g].push_back(reading_of(*reader, statistics));
      if (readings[g].size() < readers.size()) continue;
      traces[g] = channel_trace(readings[g]);
      readings[g] = {};
    }
  }
  return traces;
}

}  // namespace press

// In which order the channels that linear layers read can go, from the moments of the layers' inputs alone.
// The model of the error is that of layer_solver.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "press/numeric/matrix.h"

namespace press {

/// A linear layer that reads a set of channels: channel c stands at columns[c] of its weight.
struct ChannelReading {
  Matrix weights;
  Matrix covariance;  // of the layer's input, damped
  double energy = 0;  // variance of its outputs, all together
  std::vector<std::vector<std::uint32_t>> columns;
};

/// The order in which channels go, and what each step costs: growth of the output error of all that read the
/// channel, in parts of their energy. Costs never fall.
struct ChannelTrace {
  std::vector<std::size_t> order;
  std::vector<double> losses;
};

/// Optimal Brain Surgeon over groups of columns (Frantar et al., "Optimal Brain Compression", arXiv
/// 2208.11580, section 4): the channel with the least Σ tr(W_c·[(H⁻¹)_cc]⁻¹·W_cᵀ)/energy over all readings
/// goes, the columns that are left take over its part, H⁻¹ shrinks; until one is left, whose cost is that of
/// removing it as well. All readings have the same number of channels; d³·2 operations each.
ChannelTrace channel_trace(const std::vector<ChannelReading>& readings);

}  // namespace press

// What taking out channels costs a network, measured on a few unlabelled samples.
#pragma once

#include <span>
#include <vector>

#include "press/ir/graph.h"
#include "press/passes/channels.h"
#include "press/pipeline/recovery.h"
#include "press/runtime/batch.h"
#include "press/support/result.h"

namespace press {

/// The order in which the channels of each group go by what they add to the output errors of the layers that
/// read them, those being put right (press/numeric/channel_solver.h). Groups without readers get an empty
/// trace: their channels stay. Errors: those of Lockstep.
Result<std::vector<ChannelTrace>> trace_channels(const Model& model, std::span<const PrunableChannels> groups,
                                                 const std::vector<Batch>& samples,
                                                 const RecoverOptions& options);

}  // namespace press

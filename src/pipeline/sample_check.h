// Whether the samples look like what the network was trained on.
#pragma once

#include <optional>
#include <string>

#include "press/ir/graph.h"
#include "press/pipeline/recipe.h"

namespace press {

/// One sentence where they do not: a classifier (its first output holds one row of scores a sample) that is
/// right about as often as one that guesses, or, without labels, whose answers tell the samples hardly apart.
/// Of images it names the way to prepare pixels (order of colours, scale, mean) that mends this, if one does.
/// Nullopt where nothing is wrong, or nothing can be told, as where the samples cannot be read: that is said
/// elsewhere. Runs the network on a few dozen samples of a set of `size`, and only where they look wrong once
/// more for each other way.
std::optional<std::string> doubt_about_samples(const Graph& graph, const SampleOptions& samples,
                                               std::int64_t size, int threads);

}  // namespace press

#include "press/pipeline/target.h"

#include <algorithm>
#include <sstream>

namespace press {
namespace {

constexpr Target kTargets[] = {
#define PRESS_TARGET(name, opset, disabled, narrow_weights, contributed, summary) \
  {name, opset, disabled, narrow_weights, contributed, summary},
#include "pipeline/targets.def"
};

}  // namespace

std::vector<std::string> Target::disabled_passes() const {
  std::vector<std::string> passes;
  std::istringstream words{std::string(disabled)};
  for (std::string word; words >> word;) passes.push_back(word);
  return passes;
}

std::span<const Target> all_targets() {
  return kTargets;
}

const Target* find_target(std::string_view name) {
  const auto found = std::ranges::find(kTargets, name, &Target::name);
  return found != std::end(kTargets) ? &*found : nullptr;
}

}  // namespace press

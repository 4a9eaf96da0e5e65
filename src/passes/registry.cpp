#include <algorithm>

#include "passes/declarations.h"
#include "press/passes/pass.h"

namespace press {
namespace {

constexpr PassInfo kPasses[] = {
#define PRESS_PASS(family, name, numerics, summary) \
  {#family, #name, Numerics::numerics, summary, passes::name},
#include "passes/passes.def"
};

}  // namespace

std::span<const PassInfo> all_passes() {
  return kPasses;
}

const PassInfo* find_pass(std::string_view name) {
  const auto found = std::ranges::find(kPasses, name, &PassInfo::name);
  return found != std::end(kPasses) ? &*found : nullptr;
}

std::string_view name(Numerics numerics) {
  switch (numerics) {
    case Numerics::kExact:
      return "exact";
    case Numerics::kReassociated:
      return "reassociated";
    case Numerics::kLossy:
      return "lossy";
  }
  return "";
}

std::string_view name(StoreForm form) {
  switch (form) {
    case StoreForm::kDense:
      return "dense";
    case StoreForm::kPalette:
      return "palette";
    case StoreForm::kBitmask:
      return "bitmask";
    case StoreForm::kSparse:
      return "sparse";
    case StoreForm::kAuto:
      return "auto";
  }
  return "";
}

}  // namespace press

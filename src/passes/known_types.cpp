#include "passes/known_types.h"

namespace press {

std::optional<std::vector<std::int64_t>> reshape_target_of(const Shape& in, const Shape& out) {
  std::vector<std::int64_t> target;
  bool open = false;
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (out[i].known() && out[i].value() > 0) {
      target.push_back(out[i].value());
    } else if (i < in.size() && same(in[i], out[i])) {
      target.push_back(0);
    } else if (!open && !out[i].known()) {
      open = true;
      target.push_back(-1);
    } else {
      return std::nullopt;
    }
  }
  return target;
}

}  // namespace press

// Values of reports as JSON.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>

namespace press {

/// The number, or null where there is none.
template <typename T>
nlohmann::ordered_json or_null(const std::optional<T>& number) {
  return number ? nlohmann::ordered_json(*number) : nlohmann::ordered_json(nullptr);
}

}  // namespace press

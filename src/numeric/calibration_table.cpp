#include "press/numeric/calibration_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

namespace press {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kFormat = "compress calibration table";
constexpr int kVersion = 2;
constexpr std::size_t kBins = std::size_t{2} * Histogram::kHalf;

Json sum_to_json(const ExactSum& sum) {
  Json json = Json::array();
  for (const auto& [exponent, mantissas] : sum.terms()) json.push_back({exponent, mantissas});
  return json;
}

ExactSum sum_from_json(const Json& json) {
  ExactSum::Terms terms;
  for (const Json& term : json) terms[term.at(0).get<int>()] += term.at(1).get<std::int64_t>();
  return ExactSum(std::move(terms));
}

Json histogram_to_json(const Histogram& histogram) {
  const SampleExtremes& extremes = histogram.sample_extremes();
  Json json = {{"count", histogram.count()},
               {"min", histogram.min_max().lo},
               {"max", histogram.min_max().hi},
               {"samples", extremes.samples},
               {"sum_of_min", sum_to_json(extremes.lo)},
               {"sum_of_max", sum_to_json(extremes.hi)}};
  const auto bins = histogram.bins();
  if (bins.empty()) return json;
  const auto not_zero = [](std::uint64_t count) { return count != 0; };
  const auto first = std::find_if(bins.begin(), bins.end(), not_zero);
  const auto end = std::find_if(bins.rbegin(), bins.rend(), not_zero).base();
  json["exponent"] = histogram.exponent();
  json["first_bin"] = first - bins.begin();
  json["bins"] = first < end ? std::vector<std::uint64_t>(first, end) : std::vector<std::uint64_t>();
  return json;
}

/// What is wrong with an entry goes out as one sentence; nlohmann's own exceptions are caught by the caller.
Result<Histogram> histogram_from_json(const Json& json) {
  const auto wrong = [](std::string_view what) { return Error(ErrorCode::kInput, std::string(what)); };
  const auto count = json.at("count").get<std::uint64_t>();
  const Range range{json.at("min").get<float>(), json.at("max").get<float>()};
  if (!std::isfinite(range.lo) || !std::isfinite(range.hi) || range.lo > range.hi) {
    return wrong("'min' and 'max' are no range");
  }
  SampleExtremes extremes{json.at("samples").get<std::uint64_t>(), sum_from_json(json.at("sum_of_min")),
                          sum_from_json(json.at("sum_of_max"))};
  const Range mean = extremes.mean();
  if (!(mean.lo >= range.lo && mean.lo <= mean.hi && mean.hi <= range.hi) && extremes.samples > 0) {
    return wrong("'sum_of_min' and 'sum_of_max' do not lie in the range");
  }
  if (!json.contains("bins")) return Histogram::from_parts(range, count, std::move(extremes), 0, {});
  const auto exponent = json.at("exponent").get<int>();
  const auto first = json.at("first_bin").get<std::size_t>();
  const auto kept = json.at("bins").get<std::vector<std::uint64_t>>();
  if (exponent < -126 || exponent > 117) return wrong("'exponent' is not between -126 and 117");
  if (first > kBins || kept.size() > kBins - first)
    return wrong("there are more 'bins' than a histogram has");
  std::vector<std::uint64_t> bins(kBins);
  std::ranges::copy(kept, bins.begin() + static_cast<std::ptrdiff_t>(first));
  std::uint64_t sum = 0;
  for (const std::uint64_t bin : bins) sum += bin;
  if (sum != count) return wrong(fmt::format("the 'bins' hold {} values, 'count' says {}", sum, count));
  return Histogram::from_parts(range, count, std::move(extremes), exponent, std::move(bins));
}

}  // namespace

void merge(CalibrationTable& table, const CalibrationTable& other) {
  for (const auto& [name, histogram] : other) {
    const auto [place, is_new] = table.try_emplace(name, histogram);
    if (!is_new) place->second.merge(histogram);
  }
}

std::string to_json(const CalibrationTable& table) {
  Json values = Json::object();
  for (const auto& [name, histogram] : table) values[name] = histogram_to_json(histogram);
  const Json json = {{"format", kFormat}, {"version", kVersion}, {"values", std::move(values)}};
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<CalibrationTable> calibration_table_from_json(std::string_view text) {
  std::optional<std::string> current;
  try {
    const Json json = Json::parse(text);
    if (!json.is_object() || json.value("format", "") != kFormat) {
      return Error(ErrorCode::kInput, "this is no calibration table; compress calibrate writes them");
    }
    if (json.value("version", 0) != kVersion) {
      return Error(ErrorCode::kInput,
                   fmt::format("the calibration table has version {}, {} was expected; calibrate again",
                               json.value("version", 0), kVersion));
    }
    CalibrationTable table;
    for (const auto& [name, entry] : json.at("values").items()) {
      current = name;
      PRESS_ASSIGN(table[name], histogram_from_json(entry).with_context(
                                    fmt::format("calibration table: value '{}'", name)));
    }
    return table;
  } catch (const nlohmann::json::exception& exception) {
    const std::string where = current ? fmt::format("value '{}': ", *current) : "";
    return Error(ErrorCode::kInput, fmt::format("calibration table: {}{}", where, exception.what()));
  }
}

}  // namespace press

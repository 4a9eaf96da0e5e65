// The results of a sweep for programs.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "csv.h"
#include "json_values.h"
#include "press/pipeline/sweep_report.h"
#include "report_figures.h"

namespace press {
namespace {
using nlohmann::ordered_json;
}  // namespace

std::string results_csv(const std::vector<SweepCell>& cells) {
  std::vector<std::string> keys;  // of settings, in the order in which they come up
  for (const SweepCell& cell : cells) {
    for (const auto& [key, value] : cell.settings) {
      if (std::find(keys.begin(), keys.end(), key) == keys.end()) keys.push_back(key);
    }
  }
  std::string text =
      "id,model,label,error,bytes,gzip_bytes,zstd_bytes,parameters,nonzero_weights,multiply_accumulates,"
      "peak_activation_bytes,samples,labelled,top1_percent,top5_percent,agreement_percent,sqnr_db,size_front,"
      "time_front,median_ms,p95_ms,latency_ratio,samples_per_second";
  for (const std::string& key : keys) text += "," + csv_field(key);
  text += "\n";
  const Fronts fronts(cells);
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const SweepCell& cell = cells[i];
    const SweepCell::Figures& f = cell.figures;
    text += fmt::format("{},{},{},{},", cell.id, csv_field(cell.model), csv_field(cell.label),
                        csv_field(cell.error));
    if (cell.failed()) {
      text += ",,,,,,,,,,,,,,,,,,";
    } else {
      text += fmt::format("{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},", f.bytes, f.gzip_bytes,
                          f.zstd_bytes, f.parameters, f.nonzero_weights, f.macs, f.peak_bytes, f.samples,
                          f.labelled, csv_field(f.top1), csv_field(f.top5), csv_field(f.agreement),
                          csv_field(f.sqnr_db), fronts.by_size.count(i), fronts.by_time.count(i));
      if (cell.timing) {
        const Latency& latency = cell.timing->latency;
        text += fmt::format("{},{},{},{}", latency.median_ms, latency.p95_ms, csv_field(latency_ratio(cell)),
                            latency.samples_per_second());
      } else {
        text += ",,,";
      }
    }
    for (const std::string& key : keys) {
      const auto setting = std::find_if(cell.settings.begin(), cell.settings.end(),
                                        [&](const auto& entry) { return entry.first == key; });
      text += "," + (setting == cell.settings.end() ? "" : csv_field(setting->second));
    }
    text += "\n";
  }
  return text;
}

std::string results_json(const SweepPlan& plan, const std::vector<SweepCell>& cells) {
  ordered_json json{{"schema", 1},
                    {"version", PRESS_VERSION},
                    {"images", plan.samples_path},
                    {"preprocess", plan.preprocess},
                    {"planned_cells", plan.cells.size()}};
  json["cells"] = ordered_json::array();
  const Fronts fronts(cells);
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const SweepCell& cell = cells[i];
    ordered_json entry{
        {"id", cell.id}, {"model", cell.model}, {"label", cell.label}, {"original", cell.original}};
    entry["settings"] = ordered_json::object();
    for (const auto& [key, value] : cell.settings) entry["settings"][key] = value;
    entry["command"] = cell.command;
    entry["error"] = cell.failed() ? ordered_json(cell.error) : ordered_json(nullptr);
    entry["figures"] =
        cell.failed() ? ordered_json(nullptr) : ordered_json::parse(to_json(cell)).at("figures");
    entry["size_front"] = fronts.by_size.count(i) > 0;
    entry["time_front"] = fronts.by_time.count(i) > 0;
    entry["timing"] = cell.timing ? ordered_json::parse(to_json(*cell.timing)) : ordered_json(nullptr);
    json["cells"].push_back(std::move(entry));
  }
  return json.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace press

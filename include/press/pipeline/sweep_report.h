// What people and programs read of a sweep, drawn from the folder's cells alone.
#pragma once

#include <string>
#include <vector>

#include "press/pipeline/sweep_cell.h"
#include "press/pipeline/sweep_folder.h"
#include "press/support/result.h"

namespace press {

/// Writes results.csv, results.json and report.html into the folder; the same cells give the same bytes.
/// Errors: kInput where it holds no sweep; kOutput.
Status write_reports(const std::string& folder);

/// Writes each chart of the page as an SVG file of its own into `pictures`. Errors as write_reports().
Status write_pictures(const std::string& folder, const std::string& pictures);

std::string results_csv(const std::vector<SweepCell>& cells);
std::string results_json(const SweepPlan& plan, const std::vector<SweepCell>& cells);

/// One HTML file without references to others.
std::string report_page(const SweepPlan& plan, const std::vector<SweepCell>& cells);

}  // namespace press

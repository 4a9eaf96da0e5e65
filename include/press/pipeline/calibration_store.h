// Calibration tables of this process, so that recipes which differ behind calibration only share one run.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "press/numeric/calibration_table.h"
#include "press/pipeline/optimize.h"
#include "press/support/result.h"

namespace press {

class CalibrationStore {
 public:
  struct Entry {
    CalibrationTable table;
    CalibrationReport report;
  };

  /// The entry of `key`; `compute` makes it where there is none. Of several threads that ask for the same key
  /// one computes and the others wait. An error is handed back and not kept.
  Result<Entry> get(const std::string& key, const std::function<Result<Entry>()>& compute);

  /// How many entries were computed.
  std::size_t size() const;

 private:
  struct Slot {
    std::mutex mutex;
    std::optional<Entry> entry;
  };
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Slot>> slots_;
};

}  // namespace press

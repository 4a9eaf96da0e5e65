#include "press/pipeline/calibration_store.h"

namespace press {

Result<CalibrationStore::Entry> CalibrationStore::get(const std::string& key,
                                                      const std::function<Result<Entry>()>& compute) {
  std::shared_ptr<Slot> slot;
  {
    const std::lock_guard lock(mutex_);
    std::shared_ptr<Slot>& found = slots_[key];
    if (!found) found = std::make_shared<Slot>();
    slot = found;
  }
  const std::lock_guard lock(slot->mutex);
  if (!slot->entry) {
    PRESS_ASSIGN(slot->entry, compute());
  }
  return *slot->entry;
}

std::size_t CalibrationStore::size() const {
  const std::lock_guard lock(mutex_);
  return slots_.size();
}

}  // namespace press

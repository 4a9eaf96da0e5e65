#include "press/numeric/observer.h"

#include <gtest/gtest.h>

#include <vector>

namespace press {
namespace {

TEST(Observer, IsFoundByName) {
  for (const ObserverInfo& observer : all_observers()) {
    EXPECT_EQ(find_observer(observer.name), &observer);
    EXPECT_EQ(&info(observer.observer), &observer);
  }
  EXPECT_EQ(find_observer("nothing"), nullptr);
}

TEST(Observer, TurnsStatisticsIntoARange) {
  std::vector<float> values(10000, 1.0F);
  values[17] = 100.0F;
  Histogram histogram;
  histogram.add(values);
  EXPECT_EQ(info(Observer::kMinMax).range(histogram, {}), (Range{1, 100}));
  const Range cut = info(Observer::kPercentile).range(histogram, {Observer::kPercentile, 99.9});
  EXPECT_NEAR(cut.hi, 1.0F, 0.1F);
}

}  // namespace
}  // namespace press

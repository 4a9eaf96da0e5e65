#include "press/numeric/observer.h"

#include <gtest/gtest.h>

#include <cmath>

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

/// Numbers of a bell, and an outlier far from it.
Histogram bell_and_outlier(float sign) {
  std::vector<float> values;
  for (int i = -300; i <= 300; ++i) {
    const float x = static_cast<float>(i) / 100;
    const int count = static_cast<int>(2000 * std::exp(-x * x / 2));
    values.insert(values.end(), static_cast<std::size_t>(count), sign == 0 ? x : sign * std::abs(x));
  }
  values.push_back(sign < 0 ? -40.0F : 40.0F);
  Histogram histogram;
  histogram.add(values);
  return histogram;
}

TEST(Observer, SearchesLeaveOutAnOutlierAndKeepTheBell) {
  for (const Observer observer : {Observer::kMse, Observer::kEntropy}) {
    const Range range = info(observer).range(bell_and_outlier(1), {observer});
    EXPECT_EQ(range.lo, 0) << info(observer).name;
    EXPECT_LT(range.hi, 39) << info(observer).name;
    EXPECT_GT(range.hi, 2) << info(observer).name;
    const Range both = info(observer).range(bell_and_outlier(0), {observer});
    EXPECT_LT(both.lo, -1) << info(observer).name;
    EXPECT_LT(both.hi, 39) << info(observer).name;
  }
}

TEST(Observer, SearchesTakeConstantsAndEmptyTensors) {
  for (const Observer observer : {Observer::kMse, Observer::kEntropy}) {
    Histogram zeros;
    EXPECT_EQ(info(observer).range(zeros, {observer}), (Range{0, 0}));
    zeros.add(std::vector<float>(10, 0.0F));
    EXPECT_EQ(info(observer).range(zeros, {observer}), (Range{0, 0}));
    Histogram constant;
    constant.add(std::vector<float>(10, 3.0F));
    EXPECT_GT(info(observer).range(constant, {observer}).hi, 0);
  }
}

}  // namespace
}  // namespace press

#include "press/numeric/calibration_table.h"

#include <gtest/gtest.h>

#include <cmath>

#include <vector>

namespace press {
namespace {

CalibrationTable example() {
  CalibrationTable table;
  table["binned \"x\""].add(std::vector<float>{0.1F, -7.25F, 1e-30F, 3.0F});
  table.emplace("extremes", Histogram::Detail::kExtremes).first->second.add(std::vector<float>{-0.3F, 1e20F});
  table["nothing"];
  return table;
}

TEST(CalibrationTable, ComesBackFromItsJson) {
  const CalibrationTable table = example();
  const auto again = calibration_table_from_json(to_json(table));
  ASSERT_TRUE(again.ok()) << again.error().message();
  EXPECT_EQ(*again, table);
  EXPECT_EQ(to_json(*again), to_json(table));
}

TEST(CalibrationTable, NamesTheValueThatIsWrong) {
  const auto table = calibration_table_from_json(
      R"({"format": "compress calibration table", "version": 2, "values": {"conv1": {"count": 3, "min": 2, "max": 1}}})");
  ASSERT_FALSE(table.ok());
  EXPECT_EQ(table.error().code(), ErrorCode::kInput);
  EXPECT_NE(table.error().message().find("'conv1'"), std::string::npos);
}

TEST(CalibrationTable, RefusesWhatIsNone) {
  const std::string head = R"({"format": "compress calibration table", "version": 2, "values": )";
  for (
      const std::string& text : {
          std::string(),
          std::string("[1, 2"),
          std::string("[]"),
          std::string(R"({"format": "other"})"),
          std::string(R"({"format": "compress calibration table", "version": 9, "values": {}})"),
          head + "3}",
          head + R"({"x": 1}})",
          head + R"({"x": {"count": "many", "min": 0, "max": 1}}})",
          head + R"({"x": {"count": 1, "min": 0, "max": 1e999}}})",
          head + R"({"x": {"count": 1, "min": 0, "max": 1}}})",
          head +
              R"({"x": {"count": 1, "min": 0, "max": 1, "samples": 1, "sum_of_min": [[0, 9]], "sum_of_max": []}}})",
          head +
              R"({"x": {"count": 1, "min": 0, "max": 1, "samples": 1, "sum_of_min": [], "sum_of_max": [], "exponent": 900, "first_bin": 0, "bins": [1]}}})",
          head +
              R"({"x": {"count": 1, "min": 0, "max": 1, "samples": 1, "sum_of_min": [], "sum_of_max": [], "exponent": 0, "first_bin": 4095, "bins": [1, 2]}}})",
          head +
              R"({"x": {"count": 2, "min": 0, "max": 1, "samples": 1, "sum_of_min": [], "sum_of_max": [], "exponent": 0, "first_bin": 5, "bins": [1]}}})",
      }) {
    const auto table = calibration_table_from_json(text);
    ASSERT_FALSE(table.ok()) << text;
    EXPECT_EQ(table.error().code(), ErrorCode::kInput) << text;
  }
}

TEST(CalibrationTable, MergingPartsGivesTheTableOfTheWhole) {
  std::vector<float> values;
  for (int i = 0; i < 3000; ++i)
    values.push_back(std::sin(static_cast<float>(i)) * static_cast<float>(i % 97));
  const std::span<const float> all(values);
  CalibrationTable whole, first, second;
  whole["x"].add(all, 3);
  first["x"].add(all.subspan(0, 1000));
  second["x"].add(all.subspan(1000), 2);
  second["only there"].add(all);
  whole["only there"].add(all);
  CalibrationTable one = first, other = second;
  merge(one, second);
  merge(other, first);
  EXPECT_EQ(to_json(one), to_json(whole));
  EXPECT_EQ(to_json(other), to_json(whole));
}

}  // namespace
}  // namespace press

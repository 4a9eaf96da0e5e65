// Charts as SVG: drawn with classes, so that the page's style sheet gives the colours for light, dark and
// print; chart_style() makes a picture that stands alone.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "press/evaluate/layers.h"

namespace press {

/// How numbers of an axis are written.
using NumberText = std::string (*)(double value);

struct Axis {
  std::string title;
  NumberText text = nullptr;
};

/// One dot; `group` picks its colour (0 to 7).
struct Dot {
  double x = 0;
  double y = 0;
  int group = 0;
  std::string id;     // of the table row that it belongs to
  std::string mark;   // short text beside it; "" for none
  std::string title;  // what the pointer shows
  bool front = false;
};

/// Dots, and the front as a step line through those that are on it (given in the order of rising x). Dots
/// below `lowest_y` are drawn on the lower edge as triangles.
std::string scatter_chart(const std::string& title, const Axis& x, const Axis& y,
                          const std::vector<Dot>& dots, std::optional<double> lowest_y);

struct Series {
  std::string name;
  int group = 0;
  std::vector<std::pair<double, double>> points;  // rising x
};

/// One line a series, with a legend. `base`: a dashed level line, the original's.
std::string line_chart(const std::string& title, const Axis& x, const Axis& y,
                       const std::vector<Series>& series, std::optional<double> base);

struct Bar {
  std::string name;
  std::optional<double> value;  // nullopt: "equal", a full bar
  std::string text;             // behind the bar
};

/// Horizontal bars from 0; the smallest one is marked.
std::string bar_chart(const std::string& title, const std::vector<Bar>& bars);

/// Counts as columns; `range`: a shaded interval, what quantization can express; `second` is drawn as a line
/// over them.
std::string histogram_chart(const std::string& title, const Bars& bars, const Bars* second,
                            const std::optional<std::pair<double, double>>& range);

/// A <style> with the colours of paper, for an SVG file of its own.
std::string chart_style();

/// The chart as an SVG file.
std::string standalone(const std::string& chart);

}  // namespace press

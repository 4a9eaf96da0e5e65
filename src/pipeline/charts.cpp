#include "charts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "xml.h"

namespace press {
namespace {

constexpr double kWidth = 460, kHeight = 330;
constexpr double kLeft = 64, kRight = 14, kTop = 34, kBottom = 48;
constexpr double kCharacter = 6.6;  // a digit at the size of labels

/// From numbers of an axis to places on the picture.
struct Scale {
  double from = 0, to = 1;    // numbers
  double start = 0, end = 1;  // places

  double operator()(double value) const { return start + (value - from) / (to - from) * (end - start); }
};

/// Round numbers within a range, about `count` of them.
std::vector<double> ticks(double from, double to, int count) {
  const double raw = (to - from) / count;
  const double power = std::pow(10, std::floor(std::log10(raw)));
  double step = 10 * power;
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= raw) {
      step = factor * power;
      break;
    }
  }
  std::vector<double> places;
  for (double tick = std::ceil(from / step - 1e-9); tick * step <= to + 1e-9 * step; ++tick) {
    places.push_back(std::abs(tick) < 0.5 ? 0 : tick * step);  // no -0
  }
  return places;
}

/// A range with room around the numbers.
std::pair<double, double> padded(double from, double to) {
  const double span = to > from ? to - from : std::max(std::abs(to), 1e-3) * 0.2;
  return {from - 0.06 * span, to + 0.08 * span};
}

std::string opening(const std::string& title, const char* kind, double height = kHeight) {
  return fmt::format(
      "<svg class=\"chart {}\" viewBox=\"0 0 {} {:.0f}\" role=\"img\" aria-label=\"{}\" "
      "xmlns=\"http://www.w3.org/2000/svg\">\n<text class=\"heading\" x=\"12\" y=\"18\">{}</text>\n",
      kind, kWidth, height, xml_escaped(title), xml_escaped(title));
}

std::string frame(const Axis& x, const Axis& y, const Scale& across, const Scale& up) {
  std::string svg;
  for (const double tick : ticks(up.from, up.to, 5)) {
    svg += fmt::format(
        "<line class=\"grid\" x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>"
        "<text class=\"tick\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>\n",
        across.start, across.end, up(tick), up(tick), across.start - 6, up(tick) + 4,
        xml_escaped(y.text(tick)));
  }
  for (const double tick : ticks(across.from, across.to, 5)) {
    svg += fmt::format(
        "<line class=\"grid\" x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>"
        "<text class=\"tick\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>\n",
        across(tick), across(tick), up.start, up.end, across(tick), up.start + 17, xml_escaped(x.text(tick)));
  }
  svg += fmt::format("<text class=\"axis\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>\n",
                     (across.start + across.end) / 2, kHeight - 10, xml_escaped(x.title));
  svg += fmt::format(
      "<text class=\"axis\" transform=\"translate(15 {:.1f}) rotate(-90)\" "
      "text-anchor=\"middle\">{}</text>\n",
      (up.start + up.end) / 2, xml_escaped(y.title));
  return svg;
}

/// Puts short texts beside dots where they cover neither dots nor each other.
class Labels {
 public:
  void occupy(double x, double y, double radius) {
    taken_.push_back({x - radius, y - radius, x + radius, y + radius});
  }

  /// The left end of the text's base line; nullopt where there is no room.
  std::optional<std::pair<double, double>> place(double x, double y, const std::string& text) {
    const double width = kCharacter * static_cast<double>(text.size());
    constexpr double kGap = 8, kAscent = 9;
    const std::pair<double, double> places[] = {
        {x + kGap, y + 4},           {x - width / 2, y - kGap},
        {x - kGap - width, y + 4},   {x - width / 2, y + kGap + kAscent},
        {x + kGap, y - kGap},        {x + kGap, y + kGap + kAscent},
        {x - kGap - width, y - kGap}};
    for (const auto& [left, base] : places) {
      const Box box{left, base - kAscent, left + width, base + 1};
      const bool inside = box.left >= kLeft && box.right <= kWidth - 2 && box.top >= kTop - 8 &&
                          box.bottom <= kHeight - kBottom;
      if (!inside || std::any_of(taken_.begin(), taken_.end(), [&](const Box& b) { return meets(b, box); })) {
        continue;
      }
      taken_.push_back(box);
      return std::pair(left, base);
    }
    return std::nullopt;
  }

 private:
  struct Box {
    double left, top, right, bottom;
  };
  static bool meets(const Box& a, const Box& b) {
    return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
  }
  std::vector<Box> taken_;
};

/// "ends of long names tell more": the last `widest` characters.
std::string shortened(const std::string& name, std::size_t widest) {
  if (name.size() <= widest) return name;
  std::size_t at = name.size() - widest + 1;
  while (at < name.size() && (static_cast<unsigned char>(name[at]) & 0xC0U) == 0x80) ++at;
  return "…" + name.substr(at);
}

std::string columns(const Bars& bars, const Scale& across, const Scale& up) {
  std::string path;
  const double width = (bars.hi - bars.lo) / static_cast<double>(bars.counts.size());
  path += fmt::format("M{:.1f} {:.1f}", across(bars.lo), up.start);
  for (std::size_t i = 0; i < bars.counts.size(); ++i) {
    const double left = bars.lo + width * static_cast<double>(i);
    path += fmt::format("V{:.1f}H{:.1f}", up(std::sqrt(static_cast<double>(bars.counts[i]))),
                        across(left + width));
  }
  return path + fmt::format("V{:.1f}", up.start);
}

double highest(const Bars& bars) {
  const auto most = std::max_element(bars.counts.begin(), bars.counts.end());
  return most == bars.counts.end() ? 1 : std::sqrt(std::max<double>(1, static_cast<double>(*most)));
}

std::string short_number(double value) {
  return std::abs(value) >= 100 ? fmt::format("{:.0f}", value) : fmt::format("{:.3g}", value);
}

}  // namespace

std::string scatter_chart(const std::string& title, const Axis& x, const Axis& y,
                          const std::vector<Dot>& dots, std::optional<double> lowest_y) {
  if (dots.empty()) return "";
  double x_from = dots[0].x, x_to = dots[0].x, y_from = INFINITY, y_to = -INFINITY;
  for (const Dot& dot : dots) {
    x_from = std::min(x_from, dot.x);
    x_to = std::max(x_to, dot.x);
    const double shown = lowest_y ? std::max(dot.y, *lowest_y) : dot.y;
    y_from = std::min(y_from, shown);
    y_to = std::max(y_to, shown);
  }
  const auto [left, right] = padded(x_from, x_to);
  const auto [low, high] = padded(y_from, y_to);
  const Scale across{left, right, kLeft, kWidth - kRight};
  const Scale up{low, high, kHeight - kBottom, kTop};
  std::string svg = opening(title, "scatter") + frame(x, y, across, up);

  std::string path;
  Labels labels;
  for (const Dot& dot : dots) {
    labels.occupy(across(dot.x), up(std::max(dot.y, lowest_y.value_or(dot.y))), dot.front ? 6 : 4);
    if (!dot.front) continue;
    path += path.empty() ? fmt::format("M{:.1f} {:.1f}", across(dot.x), up(std::max(dot.y, low)))
                         : fmt::format("H{:.1f}V{:.1f}", across(dot.x), up(std::max(dot.y, low)));
  }
  if (!path.empty()) svg += fmt::format("<path class=\"front\" d=\"{}\"/>\n", path);
  // The front is drawn last, above what it beats.
  for (const bool front : {false, true}) {
    for (const Dot& dot : dots) {
      if (dot.front != front) continue;
      const double at_x = across(dot.x);
      const bool below = lowest_y && dot.y < *lowest_y;
      const double at_y = below ? kHeight - kBottom - 6 : up(dot.y);
      const std::string classes = fmt::format("dot g{}{}", dot.group, front ? " on-front" : "");
      svg += fmt::format("<g class=\"{}\" data-id=\"{}\" tabindex=\"0\"><title>{}</title>", classes, dot.id,
                         xml_escaped(dot.title));
      if (below) {
        svg += fmt::format("<path d=\"M{:.1f} {:.1f}h9l-4.5 7.5z\"/>", at_x - 4.5, at_y - 3);
      } else {
        svg += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{}\"/>", at_x, at_y, front ? 5.5 : 4);
      }
      if (front && !dot.mark.empty()) {
        if (const auto place = labels.place(at_x, at_y, dot.mark)) {
          svg += fmt::format("<text class=\"mark\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>", place->first,
                             place->second, xml_escaped(dot.mark));
        }
      }
      svg += "</g>\n";
    }
  }
  return svg + "</svg>\n";
}

std::string line_chart(const std::string& title, const Axis& x, const Axis& y,
                       const std::vector<Series>& series, std::optional<double> base) {
  double x_from = INFINITY, x_to = -INFINITY, y_from = base.value_or(INFINITY),
         y_to = base.value_or(-INFINITY);
  for (const Series& one : series) {
    for (const auto& [px, py] : one.points) {
      x_from = std::min(x_from, px);
      x_to = std::max(x_to, px);
      y_from = std::min(y_from, py);
      y_to = std::max(y_to, py);
    }
  }
  if (!(x_to >= x_from)) return "";
  const auto [left, right] = padded(x_from, x_to);
  const auto [low, high] = padded(y_from, y_to);
  constexpr double kLegendLine = 17;
  const std::size_t legend_lines = (series.size() + 1) / 2;
  const double legend = kLegendLine * static_cast<double>(legend_lines) + 4;
  const Scale across{left, right, kLeft, kWidth - kRight};
  const Scale up{low, high, kHeight - kBottom, kTop};
  std::string svg = opening(title, "lines", kHeight + legend) + frame(x, y, across, up);
  if (base) {
    svg += fmt::format(
        "<line class=\"base\" x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\"><title>original: "
        "{}</title></line>\n",
        across.start, across.end, up(*base), up(*base), xml_escaped(y.text(*base)));
  }
  for (std::size_t s = 0; s < series.size(); ++s) {
    const Series& one = series[s];
    std::string path;
    for (const auto& [px, py] : one.points) {
      path += fmt::format("{}{:.1f} {:.1f}", path.empty() ? "M" : "L", across(px), up(py));
    }
    svg += fmt::format("<g class=\"series g{}\"><path class=\"line\" d=\"{}\"/>", one.group, path);
    for (const auto& [px, py] : one.points) {
      svg += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3.2\"><title>{}, {}: {}</title></circle>",
                         across(px), up(py), xml_escaped(one.name), xml_escaped(x.text(px)),
                         xml_escaped(y.text(py)));
    }
    const double at_x = 14 + (s % 2 == 0 ? 0 : kWidth / 2);
    const std::size_t line = s / 2;
    const double at_y = kHeight + 8 + kLegendLine * static_cast<double>(line);
    svg += fmt::format(
        "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"4\"/></g><text class=\"legend\" x=\"{:.1f}\" "
        "y=\"{:.1f}\">{}</text>\n",
        at_x, at_y - 4, at_x + 9, at_y, xml_escaped(shortened(one.name, 32)));
  }
  return svg + "</svg>\n";
}

std::string bar_chart(const std::string& title, const std::vector<Bar>& bars) {
  constexpr double kRow = 18, kNames = 190, kText = 60;
  double most = 1, least = INFINITY;
  for (const Bar& bar : bars) {
    if (!bar.value) continue;
    most = std::max(most, *bar.value);
    least = std::min(least, *bar.value);
  }
  std::string svg = opening(title, "bars", kTop + kRow * static_cast<double>(bars.size()) + 4);
  for (std::size_t i = 0; i < bars.size(); ++i) {
    const Bar& bar = bars[i];
    const double top = kTop + kRow * static_cast<double>(i) - 6;
    const double length = (bar.value ? std::max(0.0, *bar.value) / most : 1) * (kWidth - kNames - kText);
    svg += fmt::format(
        "<g class=\"bar{}\"><text class=\"tick\" x=\"{}\" y=\"{:.1f}\" "
        "text-anchor=\"end\">{}<title>{}</title></text>"
        "<rect x=\"{}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"12\" rx=\"1.5\"/>"
        "<text class=\"tick\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text></g>\n",
        bar.value && *bar.value == least ? " worst" : "", kNames - 8, top + 10,
        xml_escaped(shortened(bar.name, 27)), xml_escaped(bar.name), kNames, top, std::max(length, 0.5),
        kNames + length + 5, top + 10, xml_escaped(bar.text));
  }
  return svg + "</svg>\n";
}

std::string histogram_chart(const std::string& title, const Bars& bars, const Bars* second,
                            const std::optional<std::pair<double, double>>& range) {
  if (bars.counts.empty()) return "";
  constexpr double kLow = 150, kHigh = 30;
  double from = bars.lo, to = bars.hi;
  if (second != nullptr && !second->counts.empty()) {
    from = std::min(from, second->lo);
    to = std::max(to, second->hi);
  }
  const double span = to > from ? to - from : 1;
  if (range) {
    // A range that reaches far beyond the numbers is cut, so that these can still be seen.
    from = std::max(std::min(from, range->first), from - 0.6 * span);
    to = std::min(std::max(to, range->second), to + 0.6 * span);
  }
  if (!(to > from)) to = from + 1;
  const Scale across{from, to, 14, kWidth - 14};
  double most = highest(bars);
  const bool both = second != nullptr && !second->counts.empty();
  if (both) most = std::max(most, highest(*second));
  const Scale up{0, most, kLow, kHigh};
  std::string svg = opening(title, "histogram", kLow + 24);
  if (range) {
    const double left = across(std::clamp(range->first, from, to));
    const double right = across(std::clamp(range->second, from, to));
    svg += fmt::format(
        "<rect class=\"range\" x=\"{:.1f}\" y=\"{}\" width=\"{:.1f}\" height=\"{}\"><title>range {} to "
        "{}</title></rect>\n",
        left, kHigh - 4, right - left, kLow - kHigh + 4, short_number(range->first),
        short_number(range->second));
  }
  svg += fmt::format("<path class=\"columns\" d=\"{}z\"/>\n", columns(bars, across, up));
  if (both) svg += fmt::format("<path class=\"outline\" d=\"{}\"/>\n", columns(*second, across, up));
  svg += fmt::format("<line class=\"ground\" x1=\"14\" x2=\"{}\" y1=\"{}\" y2=\"{}\"/>\n", kWidth - 14, kLow,
                     kLow);
  for (const double tick : ticks(from, to, 6)) {
    svg += fmt::format("<text class=\"tick\" x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n",
                       across(tick), kLow + 16, short_number(std::abs(tick) < 1e-9 * span ? 0 : tick));
  }
  return svg + "</svg>\n";
}

std::string chart_style() {
  return "<style>"
         "svg{font-family:system-ui,'DejaVu Sans',sans-serif;background:#fff}"
         "text{font-size:11.5px;fill:#333}.heading{font-size:13.5px;font-weight:600;fill:#111}"
         ".mark{font-weight:600}.grid{stroke:#e3e3e3}.ground{stroke:#888}"
         ".front{fill:none;stroke:#666;stroke-width:1.4}.base{stroke:#666;stroke-dasharray:5 4}"
         ".dot circle,.dot path{fill:#fff;stroke:var(--c);stroke-width:1.6}"
         ".on-front circle,.on-front path{fill:var(--c)}"
         ".series circle{fill:var(--c)}.line{fill:none;stroke:var(--c);stroke-width:1.8}"
         ".bar rect{fill:#0072b2}.worst rect{fill:#d55e00}"
         ".columns{fill:#9dc3df}.outline{fill:none;stroke:#d55e00;stroke-width:1.2}.range{fill:#009e73;"
         "opacity:.14}"
         ".g0{--c:#555}.g1{--c:#0072b2}.g2{--c:#d55e00}.g3{--c:#009e73}.g4{--c:#b5599a}.g5{--c:#9a7400}"
         ".g6{--c:#3d8fc4}.g7{--c:#7a4fc0}"
         "</style>";
}

std::string standalone(const std::string& chart) {
  const std::size_t end = chart.find('>');
  return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n" + chart.substr(0, end + 1) + chart_style() +
         chart.substr(end + 1);
}

}  // namespace press

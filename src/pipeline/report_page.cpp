// The page of a sweep: one HTML file, charts as SVG inside of it.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <set>

#include "charts.h"
#include "press/pipeline/sweep_report.h"
#include "press/support/atomic_file.h"
#include "press/support/text.h"
#include "press/support/units.h"
#include "report_assets.h"
#include "report_figures.h"
#include "xml.h"

namespace press {
namespace {

constexpr double kNearPoints = 0.5;    // "nearly as accurate"
constexpr double kDeepestPoints = 12;  // dots further below the best are drawn on the edge
constexpr std::size_t kMostDetails = 80;

std::string bytes_text(double value) {
  return human_bytes(std::llround(value));
}
/// Three digits, without an exponent.
std::string digits(double value) {
  const double size = std::abs(value);
  if (size < 5e-4) return "0";
  return fmt::format("{:.{}f}", value, size >= 99.5 ? 0 : size >= 9.95 ? 1 : size >= 0.995 ? 2 : 3);
}
std::string plain_text(double value) {
  return fmt::format("{:.4g}", value);
}
std::string times_text(double value) {
  return plain_text(value) + "×";
}
std::string milliseconds_text(double value) {
  return digits(value) + " ms";
}

std::string signed_points(double points) {
  return fmt::format("{}{:.2f}", points < 0 ? "−" : "+", std::abs(points));
}

/// The cells of one model.
struct View {
  std::string model;
  std::vector<std::size_t> cells;  // indices
  const SweepCell* original = nullptr;
};

class Page {
 public:
  Page(const SweepPlan& plan, const std::vector<SweepCell>& cells)
      : plan_(plan), cells_(cells), fronts_(cells) {
    for (std::size_t i = 0; i < cells.size(); ++i) {
      const auto same = [&](const View& view) { return view.model == cells[i].model; };
      auto view = std::find_if(views_.begin(), views_.end(), same);
      if (view == views_.end()) view = views_.insert(views_.end(), View{cells[i].model, {}, nullptr});
      view->cells.push_back(i);
      if (cells[i].original && !cells[i].failed()) view->original = &cells[i];
    }
    find_groups();
  }

  std::string html() const {
    std::string page = fmt::format(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
        "'unsafe-inline'; "
        "script-src 'unsafe-inline'; img-src data:\">\n"
        "<link rel=\"icon\" href=\"data:,\">\n"
        "<title>Compression report</title>\n<style>{}</style>\n</head>\n<body>\n",
        kReportStyle);
    page += head();
    page += "<main>\n";
    for (const View& view : views_) page += section(view);
    page += "</main>\n" + foot();
    page += fmt::format("<template id=\"chart-style\">{}</template>\n<script>{}</script>\n</body>\n</html>\n",
                        chart_style(), kReportScript);
    return page;
  }

  /// Name and SVG of each chart.
  std::vector<std::pair<std::string, std::string>> pictures() const {
    std::vector<std::pair<std::string, std::string>> named;
    for (std::size_t v = 0; v < views_.size(); ++v) {
      const std::string prefix = views_.size() > 1 ? fmt::format("model-{}-", v + 1) : "";
      for (auto& [name, svg] : charts(views_[v])) named.emplace_back(prefix + name, std::move(svg));
    }
    return named;
  }

 private:
  // -- what the colours stand for

  /// The setting that tells cells apart best in colours: the kind of quantization, else the first one with
  /// several values.
  void find_groups() {
    std::map<std::string, std::set<std::string>> values;
    std::vector<std::string> order;
    for (const SweepCell& cell : cells_) {
      for (const auto& [key, value] : cell.settings) {
        if (values[key].insert(value).second && values[key].size() == 1) order.push_back(key);
      }
    }
    if (values.count("quantize.type") > 0) group_key_ = "quantize.type";
    for (const std::string& key : order) {
      if (group_key_.empty() && values[key].size() > 1) group_key_ = key;
    }
    for (const SweepCell& cell : cells_) {
      const std::string name = group_name(cell);
      if (std::find(groups_.begin(), groups_.end(), name) == groups_.end()) groups_.push_back(name);
    }
  }

  static std::string setting(const SweepCell& cell, const std::string& key) {
    for (const auto& [name, value] : cell.settings) {
      if (name != key) continue;
      std::string text = value;
      std::erase(text, '"');
      return text;
    }
    return "";
  }

  std::string group_name(const SweepCell& cell) const {
    if (cell.original) return "original";
    const std::string value = setting(cell, group_key_);
    return value.empty() || value == "none" ? "float32" : value;
  }

  int group(const SweepCell& cell) const {
    const auto found = std::find(groups_.begin(), groups_.end(), group_name(cell));
    return static_cast<int>((found - groups_.begin()) % 8);
  }

  bool on_front(std::size_t i) const { return fronts_.by_size.count(i) > 0 || fronts_.by_time.count(i) > 0; }

  // -- parts of the page

  std::string head() const {
    std::size_t failed = 0, models = views_.size();
    for (const SweepCell& cell : cells_) failed += cell.failed() ? 1 : 0;
    std::string text = "<header>\n<h1>Compression report</h1>\n<ul class=\"facts\">\n";
    const auto fact = [&](const std::string& words) { text += "<li>" + xml_escaped(words) + "</li>\n"; };
    fact(fmt::format("{} settings on {} model{}", cells_.size() - std::min(models, cells_.size()), models,
                     models == 1 ? "" : "s"));
    if (const SweepCell* first = any_cell()) {
      fact(fmt::format("{} samples, {} with labels, of {}", first->figures.samples, first->figures.labelled,
                       plan_.samples_path));
      if (first->timing) {
        fact(fmt::format("time: {}, {} thread{}", first->timing->engine, first->timing->threads,
                         first->timing->threads == 1 ? "" : "s"));
        fact(first->timing->machine);
      }
    }
    if (!plan_.preprocess.empty()) fact("images: " + plan_.preprocess);
    if (failed > 0) fact(fmt::format("{} failed, see the tables", failed));
    if (cells_.size() < plan_.cells.size()) {
      fact(fmt::format("unfinished: {} of {} cells are there", cells_.size(), plan_.cells.size()));
    }
    return text + "</ul>\n</header>\n";
  }

  const SweepCell* any_cell() const {
    for (const SweepCell& cell : cells_) {
      if (!cell.failed()) return &cell;
    }
    return nullptr;
  }

  std::string foot() const {
    return fmt::format(
        "<footer>\n<p>Made by compress {}. A star marks cells that no other one beats: none is as accurate "
        "with "
        "fewer bytes, or as accurate in less time. ms: median time of one sample; the factor compares it "
        "with the "
        "original, measured in turn with it. Labels and accuracy are those of the samples above.</p>\n"
        "<p>Drawn from the cells of the folder; <code>compress report FOLDER</code> draws it again without "
        "running "
        "anything.</p>\n</footer>\n",
        PRESS_VERSION);
  }

  std::string section(const View& view) const {
    std::string text = fmt::format("<section class=\"model\">\n<h2>{}</h2>\n", xml_escaped(view.model));
    text += cards(view);
    text += "<div class=\"charts\">\n";
    for (const auto& [name, svg] : charts(view)) {
      const bool scatter = name.find("accuracy-against") != std::string::npos;
      text += "<figure>" + svg + "<figcaption>" + (scatter ? key() : "<span></span>") +
              "</figcaption></figure>\n";
    }
    text += "</div>\n" + table(view) + details(view) + "</section>\n";
    return text;
  }

  std::string key() const {
    std::string text = "<span class=\"key\">";
    for (std::size_t g = 0; g < groups_.size() && g < 8; ++g) {
      text +=
          fmt::format("<span><i style=\"background:var(--c{})\"></i>{}</span>", g, xml_escaped(groups_[g]));
    }
    return text + "<span>line: the front</span></span>";
  }

  std::string cards(const View& view) const {
    std::string text = "<div class=\"cards\">\n";
    if (view.original != nullptr) text += card("as it came", *view.original, view);
    const auto best = [&](auto better) {
      const SweepCell* chosen = nullptr;
      for (const std::size_t i : view.cells) {
        const SweepCell& cell = cells_[i];
        if (cell.original || !quality(cell)) continue;
        if (chosen == nullptr || better(cell, *chosen)) chosen = &cell;
      }
      return chosen;
    };
    const auto near = [&](const SweepCell& cell) {
      return view.original == nullptr || *quality(cell) >= quality(*view.original).value_or(0) - kNearPoints;
    };
    const SweepCell* small = best([&](const SweepCell& a, const SweepCell& b) {
      return near(a) != near(b) ? near(a) : a.figures.bytes < b.figures.bytes;
    });
    if (small != nullptr && near(*small)) {
      text += card(fmt::format("smallest within {} points", kNearPoints), *small, view);
    }
    const SweepCell* fast = best([&](const SweepCell& a, const SweepCell& b) {
      const double x = latency_ratio(a).value_or(INFINITY), y = latency_ratio(b).value_or(INFINITY);
      return near(a) != near(b) ? near(a) : x < y;
    });
    if (fast != nullptr && near(*fast) && latency_ratio(*fast)) {
      text += card(fmt::format("fastest within {} points", kNearPoints), *fast, view);
    }
    const SweepCell* good = best([&](const SweepCell& a, const SweepCell& b) {
      return *quality(a) != *quality(b) ? *quality(a) > *quality(b) : a.figures.bytes < b.figures.bytes;
    });
    if (good != nullptr) text += card("most accurate", *good, view);
    return text + "</div>\n";
  }

  std::string card(const std::string& role, const SweepCell& cell, const View& view) const {
    std::string numbers = human_bytes(cell.figures.bytes);
    if (view.original != nullptr && &cell != view.original) {
      numbers +=
          fmt::format(" ({:.3g} of the original)", static_cast<double>(cell.figures.bytes) /
                                                       static_cast<double>(view.original->figures.bytes));
    }
    if (const auto good = quality(cell)) {
      numbers += fmt::format("<br>{} {:.2f}", quality_name(), *good);
      if (view.original != nullptr && &cell != view.original) {
        numbers += fmt::format(" ({})", signed_points(*good - quality(*view.original).value_or(0)));
      }
    }
    if (cell.timing) {
      numbers += "<br>" + milliseconds_text(cell.timing->latency.median_ms);
      if (!cell.original) numbers += fmt::format(" ({:.2f}×)", latency_ratio(cell).value_or(1));
    }
    return fmt::format(
        "<div class=\"card\"><b>{}</b><div class=\"what\">{}</div><div class=\"numbers\">{}</div></div>\n",
        xml_escaped(role), xml_escaped(cell.label), numbers);
  }

  std::string quality_name() const {
    for (const SweepCell& cell : cells_) {
      if (cell.figures.top1) return "top-1 %";
      if (cell.figures.agreement) return "agreement %";
    }
    return "SQNR dB";
  }

  // -- charts

  std::vector<std::pair<std::string, std::string>> charts(const View& view) const {
    std::vector<std::pair<std::string, std::string>> named;
    const auto add = [&](const std::string& name, std::string svg) {
      if (!svg.empty()) named.emplace_back(name, std::move(svg));
    };
    add("accuracy-against-size",
        scatter(view, "Accuracy against size", {"file", bytes_text}, size_cost, false));
    add("accuracy-against-time",
        scatter(view, "Accuracy against time", {"time of one sample, original = 1", times_text},
                latency_ratio, true));
    for (const std::string& key : swept_numbers(view)) {
      const std::string name = key.substr(key.rfind('.') + 1);
      add("accuracy-over-" + name,
          lines(view, key, "Accuracy over " + name, {quality_name(), plain_text}, quality));
      add("packed-size-over-" + name,
          lines(view, key, "Packed size (gzip) over " + name, {"gzip", bytes_text},
                [](const SweepCell& cell) -> std::optional<double> {
                  return static_cast<double>(cell.figures.gzip_bytes);
                }));
      add("time-over-" + name, lines(view, key, "Time of one sample over " + name, {"ms", digits},
                                     [](const SweepCell& cell) -> std::optional<double> {
                                       if (!cell.timing) return std::nullopt;
                                       return cell.timing->latency.median_ms;
                                     }));
    }
    return named;
  }

  std::string scatter(const View& view, const std::string& title, const Axis& x,
                      std::optional<double> (*cost)(const SweepCell&), bool time) const {
    std::vector<Dot> dots;
    double best = -INFINITY;
    for (const std::size_t i : view.cells) {
      const SweepCell& cell = cells_[i];
      const auto good = quality(cell);
      const auto price = cost(cell);
      if (!good || !price) continue;
      best = std::max(best, *good);
      const bool front = (time ? fronts_.by_time : fronts_.by_size).count(i) > 0;
      dots.push_back({*price, *good, group(cell), cell.id, number(view, i),
                      fmt::format("{}: {} {:.2f}, {}", cell.label, quality_name(), *good, x.text(*price)),
                      front});
    }
    // The front runs from cheap to dear.
    std::stable_sort(dots.begin(), dots.end(), [](const Dot& a, const Dot& b) { return a.x < b.x; });
    if (dots.size() < 2) return "";
    return scatter_chart(title, x, {quality_name(), plain_text}, dots, best - kDeepestPoints);
  }

  /// Numbers that the sweep runs over: settings with three values or more.
  std::vector<std::string> swept_numbers(const View& view) const {
    std::vector<std::string> keys;
    std::map<std::string, std::set<double>> values;
    for (const std::size_t i : view.cells) {
      for (const auto& [key, value] : cells_[i].settings) {
        char* end = nullptr;
        const double parsed = std::strtod(value.c_str(), &end);
        if (value.empty() || end != value.c_str() + value.size()) continue;
        if (values[key].insert(parsed).second && values[key].size() == 3) keys.push_back(key);
      }
    }
    return keys;
  }

  template <typename Figure>
  std::string lines(const View& view, const std::string& key, const std::string& title, const Axis& y,
                    Figure figure) const {
    std::vector<Series> all;
    for (const std::size_t i : view.cells) {
      const SweepCell& cell = cells_[i];
      const std::string at = setting(cell, key);
      const auto value = figure(cell);
      if (at.empty() || cell.failed() || !value) continue;
      std::string name;  // of all the other settings
      for (const auto& [other, text] : cell.settings) {
        const std::string word = setting(cell, other);
        if (other == key || word == "none") continue;
        name += (name.empty() ? "" : ", ") + word;
      }
      auto found = std::find_if(all.begin(), all.end(), [&](const Series& one) { return one.name == name; });
      if (found == all.end()) {
        found = all.insert(all.end(), Series{name, static_cast<int>(1 + all.size() % 7), {}});
      }
      found->points.emplace_back(std::strtod(at.c_str(), nullptr), *value);
    }
    std::erase_if(all, [](const Series& one) { return one.points.size() < 2; });
    for (Series& one : all) std::sort(one.points.begin(), one.points.end());
    std::optional<double> base;
    if (view.original != nullptr) base = figure(*view.original);
    return line_chart(title, {key.substr(key.rfind('.') + 1), plain_text}, y, all, base);
  }

  // -- the table

  std::string number(const View& view, std::size_t cell) const {
    const auto found = std::find(view.cells.begin(), view.cells.end(), cell);
    return std::to_string(found - view.cells.begin());
  }

  std::string table(const View& view) const {
    std::string text =
        "<div class=\"controls\"><label>Filter <input type=\"search\" placeholder=\"int8 0.5\" "
        "aria-label=\"filter settings\"></label><label><input type=\"checkbox\"> only the front "
        "<span class=\"star\">★</span></label><span class=\"soft count\" aria-live=\"polite\"></span></div>\n"
        "<div class=\"scroll\"><table>\n<thead><tr>";
    const auto header = [&](const char* classes, const char* words, bool sorts_words, const char* title) {
      text += fmt::format("<th class=\"{}\"{} title=\"{}\"><button type=\"button\">{}</button></th>", classes,
                          sorts_words ? " data-words=\"1\"" : "", title, words);
    };
    header("number", "#", false, "as in the charts");
    header("name", "setting", true, "values of the sweep");
    header("", "file", false, "bytes of the file");
    header("", "ratio", false, "file against the original's");
    header("", "gzip", false, "bytes as gzip packs the file");
    header("", "top-1 %", false, "accuracy");
    header("", "diff", false, "points of top-1 against the original");
    header("", "top-5 %", false, "label among the five best classes");
    header("", "agree %", false, "same best class as the original");
    header("", "SQNR dB", false, "signal to noise of the output against the original's");
    header("", "zeros %", false, "zeros among the weights of linear layers");
    header("", "MACs", false, "multiply-accumulates of one sample");
    header("", "memory", false, "activations of one sample at their peak");
    header("", "ms", false, "median time of one sample");
    header("", "×", false, "time against the original's, measured in turn");
    header("", "/s", false, "samples a second in a batch");
    text += "</tr></thead>\n<tbody>\n";
    for (const std::size_t i : view.cells) text += row(view, i);
    return text + "</tbody>\n</table></div>\n";
  }

  std::string row(const View& view, std::size_t i) const {
    const SweepCell& cell = cells_[i];
    std::string words = cell.label;
    for (const auto& [key, value] : cell.settings) words += fmt::format(" {} {}", key, value);
    std::transform(words.begin(), words.end(), words.begin(),
                   [](unsigned char c) { return std::tolower(c); });
    const bool front = on_front(i);
    std::string text =
        fmt::format("<tr data-id=\"{}\" data-text=\"{}\" class=\"{}{}\">", cell.id, xml_escaped(words),
                    front ? "front-row" : "", cell.failed() ? " failed" : "");
    const auto put = [&](const std::optional<double>& value, const std::string& shown,
                         const char* classes = "") {
      text += fmt::format("<td class=\"{}\" data-v=\"{}\">{}</td>", classes,
                          value ? fmt::format("{}", *value) : "", value ? shown : "–");
    };
    const std::string place = number(view, i);
    text += fmt::format("<td class=\"number\" data-v=\"{0}\">{0}</td>", place);
    text += fmt::format("<td class=\"name\" data-v=\"{0}\">{1}{0}</td>", xml_escaped(cell.label),
                        front ? "<span class=\"star\" title=\"no other cell beats it\">★</span> " : "");
    if (cell.failed()) {
      return text +
             fmt::format("<td colspan=\"14\" class=\"name\">failed: {}</td></tr>\n", xml_escaped(cell.error));
    }
    const SweepCell::Figures& f = cell.figures;
    const auto bytes = [](std::int64_t count) { return std::optional(static_cast<double>(count)); };
    put(bytes(f.bytes), human_bytes(f.bytes));
    const double whole = view.original != nullptr ? static_cast<double>(view.original->figures.bytes) : 0;
    std::optional<double> ratio;
    if (whole > 0) ratio = static_cast<double>(f.bytes) / whole;
    put(ratio, fmt::format("{:.3f}", ratio.value_or(0)));
    put(bytes(f.gzip_bytes), human_bytes(f.gzip_bytes));
    put(f.top1, fmt::format("{:.2f}", f.top1.value_or(0)));
    std::optional<double> difference;
    if (view.original != nullptr && view.original->figures.top1 && f.top1 && !cell.original) {
      difference = *f.top1 - *view.original->figures.top1;
    }
    put(difference, signed_points(difference.value_or(0)),
        difference.value_or(0) < -kNearPoints ? "worse"
        : difference.value_or(0) > 0          ? "better"
                                              : "");
    put(f.top5, fmt::format("{:.2f}", f.top5.value_or(0)));
    put(f.agreement, fmt::format("{:.2f}", f.agreement.value_or(0)));
    put(f.sqnr_db, fmt::format("{:.1f}", f.sqnr_db.value_or(0)));
    const double zeros =
        f.weights == 0 ? 0
                       : 100 * (1 - static_cast<double>(f.nonzero_weights) / static_cast<double>(f.weights));
    put(zeros, fmt::format("{:.1f}", zeros));
    put(bytes(f.macs), human_count(f.macs));
    put(bytes(f.peak_bytes), human_bytes(f.peak_bytes));
    std::optional<double> ms, rate;
    if (cell.timing) {
      ms = cell.timing->latency.median_ms;
      rate = cell.timing->latency.samples_per_second();
    }
    put(ms, digits(ms.value_or(0)));
    const auto times = latency_ratio(cell);
    put(times, fmt::format("{:.2f}", times.value_or(0)));
    put(rate, fmt::format("{:.0f}", rate.value_or(0)));
    return text + "</tr>\n";
  }

  // -- one cell in full

  std::string details(const View& view) const {
    std::string text = "<h3>Each setting in full</h3>\n";
    const bool all = view.cells.size() <= kMostDetails;
    for (const std::size_t i : view.cells) {
      const SweepCell& cell = cells_[i];
      if (cell.original || (!all && !on_front(i) && !cell.failed())) continue;
      text += fmt::format(
          "<details{}><summary>{}{}. {}</summary>\n", on_front(i) ? " class=\"front-cell\"" : "",
          on_front(i) ? "<span class=\"star\">★</span> " : "", number(view, i), xml_escaped(cell.label));
      if (cell.failed()) text += "<p class=\"worse\">" + xml_escaped(cell.error) + "</p>\n";
      text += "<p>The command that makes it:</p><pre>" + xml_escaped(cell.command) + "</pre>\n";
      if (cell.command.find("--recipe recipe.toml") != std::string::npos) {
        text += "<p>recipe.toml:</p><pre>" + xml_escaped(cell.recipe) + "</pre>\n";
      }
      text += ledger(view, cell) + layers(cell);
      for (const std::string& warning : cell.warnings)
        text += "<p class=\"soft\">" + xml_escaped(warning) + "</p>\n";
      text += "</details>\n";
    }
    return text;
  }

  /// A recipe without what has no effect, and without the kinds of work in `without`: equal texts give equal
  /// models.
  static std::string effective(const std::string& recipe, const std::set<std::string>& without) {
    const auto has = [&](const char* key, const char* none) {
      const std::size_t at = recipe.find(std::string(key) + " = ");
      return at != std::string::npos && recipe.compare(at, std::string(none).size(), none) != 0;
    };
    const bool quantizes = has("quantize.type", "quantize.type = \"none\"") && without.count("quantize") == 0;
    const bool prunes = has("prune.method", "prune.method = \"none\"") && without.count("prune") == 0;
    std::string text;
    for (std::size_t begin = 0; begin < recipe.size();) {
      const std::size_t end = recipe.find('\n', begin) + 1;
      const std::string line = recipe.substr(begin, end - begin);
      begin = end;
      if (line.starts_with("quantize.") && !quantizes) continue;
      if (line.starts_with("prune.") && !prunes) continue;
      if ((line.starts_with("calibration.") || line.starts_with("preprocess.")) && !quantizes) continue;
      text += line;
    }
    return text;
  }

  /// What each step cost and gained, where the sweep has a cell that stops there.
  std::string ledger(const View& view, const SweepCell& cell) const {
    if (cell.failed() || view.original == nullptr) return "";
    std::string text =
        "<h3>What each step cost and gained</h3>\n<div class=\"scroll\"><table><thead><tr><th "
        "class=\"name\">after"
        "</th><th>file</th><th>gzip</th><th>top-1 %</th><th>diff</th><th>ms</th></tr></thead><tbody>\n";
    const SweepCell* last = nullptr;
    const auto put = [&](const std::string& name, const SweepCell& at) {
      const auto good = at.figures.top1;
      std::optional<double> before;
      if (last != nullptr) before = last->figures.top1;
      text += fmt::format(
          "<tr><td class=\"name\">{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
          name, human_bytes(at.figures.bytes), human_bytes(at.figures.gzip_bytes),
          good ? fmt::format("{:.2f}", *good) : "–",
          before ? signed_points(good.value_or(0) - before.value_or(0)) : "",
          at.timing ? digits(at.timing->latency.median_ms) : "–");
      last = &at;
    };
    put("original", *view.original);
    const std::string whole = effective(cell.recipe, {});
    std::set<std::string> seen{whole};
    for (const auto& [name, without] : std::vector<std::pair<std::string, std::set<std::string>>>{
             {"cleanup and fusing", {"prune", "quantize"}}, {"pruning", {"quantize"}}}) {
      const std::string wanted = effective(cell.recipe, without);
      if (!seen.insert(wanted).second) continue;
      for (const std::size_t i : view.cells) {
        if (cells_[i].original || cells_[i].failed() || effective(cells_[i].recipe, {}) != wanted) continue;
        put(name, cells_[i]);
        break;
      }
    }
    put("all of it", cell);
    text += "</tbody></table></div>\n";
    std::string passes;
    for (const SweepCell::Step& step : cell.steps) {
      passes += fmt::format("{}{} ({}{})", passes.empty() ? "" : ", ", step.pass, step.rewrites,
                            step.declined > 0 ? fmt::format(", {} declined", step.declined) : "");
    }
    if (!passes.empty())
      text += "<p class=\"soft\">Passes and their rewrites: " + xml_escaped(passes) + "</p>\n";
    if (cell.calibration_samples > 0) {
      text += fmt::format("<p class=\"soft\">Calibrated on {} samples.</p>\n", cell.calibration_samples);
    }
    return text;
  }

  static std::string layers(const SweepCell& cell) {
    std::vector<Bar> bars;
    for (const SweepCell::Layer& layer : cell.layers) {
      if (layer.weights == 0) continue;
      bars.push_back(
          {layer.name, layer.sqnr_db, layer.sqnr_db ? fmt::format("{:.1f}", *layer.sqnr_db) : "equal"});
    }
    if (bars.empty()) return "";
    std::string text = "<h3>Layer by layer</h3>\n<div class=\"charts\">\n";
    const auto put = [&](const std::string& svg, const std::string& caption) {
      if (svg.empty()) return;
      text += "<figure>" + svg + "<figcaption><span>" + caption + "</span></figcaption></figure>\n";
    };
    put(bar_chart("SQNR of each layer's output in dB", bars),
        "against the original; errors of earlier layers are in it");
    std::vector<const SweepCell::Layer*> drawn;
    for (const SweepCell::Layer& layer : cell.layers) {
      if (!layer.outputs.counts.empty()) drawn.push_back(&layer);
    }
    std::stable_sort(drawn.begin(), drawn.end(), [](const SweepCell::Layer* a, const SweepCell::Layer* b) {
      return a->sqnr_db.value_or(INFINITY) < b->sqnr_db.value_or(INFINITY);
    });
    constexpr std::size_t kShown = 3;
    for (std::size_t l = 0; l < std::min(kShown, drawn.size()); ++l) {
      const SweepCell::Layer& layer = *drawn[l];
      put(histogram_chart("Outputs of " + layer.name, layer.outputs, nullptr, layer.range),
          layer.range
              ? fmt::format("square root of counts; shaded: what the chosen range {:.4g} to {:.4g} holds",
                            layer.range->first, layer.range->second)
              : "square root of counts");
      put(histogram_chart(
              "Weights of " + layer.name,
              layer.original_weights.counts.empty() ? layer.stored_weights : layer.original_weights,
              layer.original_weights.counts.empty() ? nullptr : &layer.stored_weights, std::nullopt),
          "square root of counts; area: before, line: as stored");
    }
    return text + "</div>\n";
  }

  const SweepPlan& plan_;
  const std::vector<SweepCell>& cells_;
  Fronts fronts_;
  std::vector<View> views_;
  std::string group_key_;
  std::vector<std::string> groups_;
};

}  // namespace

std::string report_page(const SweepPlan& plan, const std::vector<SweepCell>& cells) {
  return Page(plan, cells).html();
}

Status write_reports(const std::string& folder) {
  const SweepFolder files(folder);
  PRESS_ASSIGN(const SweepPlan plan, files.plan());
  PRESS_ASSIGN(const std::vector<SweepCell> cells, files.cells());
  const std::filesystem::path path(folder);
  PRESS_TRY(write_file((path / "results.csv").string(), results_csv(cells)));
  PRESS_TRY(write_file((path / "results.json").string(), results_json(plan, cells)));
  return write_file((path / "report.html").string(), report_page(plan, cells));
}

Status write_pictures(const std::string& folder, const std::string& pictures) {
  const SweepFolder files(folder);
  PRESS_ASSIGN(const SweepPlan plan, files.plan());
  PRESS_ASSIGN(const std::vector<SweepCell> cells, files.cells());
  std::error_code error;
  std::filesystem::create_directories(pictures, error);
  if (error) {
    return Error(ErrorCode::kOutput,
                 fmt::format("cannot make {}: {}", quoted_path(pictures), error.message()));
  }
  for (const auto& [name, svg] : Page(plan, cells).pictures()) {
    PRESS_TRY(write_file((std::filesystem::path(pictures) / (name + ".svg")).string(), standalone(svg)));
  }
  return {};
}

}  // namespace press

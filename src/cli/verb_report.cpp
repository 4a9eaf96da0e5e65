// compress report: the page of a sweep, drawn again.
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "flags.h"
#include "press/pipeline/sweep_report.h"
#include "verb.h"

namespace press {
namespace {

class ReportVerb : public Verb {
 public:
  std::string_view name() const override { return "report"; }
  std::string_view summary() const override { return "draw the report of a sweep again"; }
  std::string_view description() const override {
    return "Draws report.html, results.csv and results.json of a sweep's folder from its cells, without "
           "running "
           "anything; also of an unfinished sweep. The page is one file that needs no network.";
  }
  std::string_view examples() const override {
    return "compress report out\ncompress report out --svg pictures";
  }

  void declare(CLI::App& app) override {
    app.add_option("FOLDER", folder_, "what compress sweep wrote to")->required()->type_name("");
    app.add_option("--svg", pictures_, "write each chart as an SVG file into this folder as well")
        ->type_name("FOLDER")
        ->group(kMainGroup);
  }

  Status run(Console& console) override {
    PRESS_TRY(write_reports(folder_));
    if (!pictures_.empty()) PRESS_TRY(write_pictures(folder_, pictures_));
    console.say(fmt::format("see {0}/report.html, {0}/results.csv, {0}/results.json", folder_));
    return {};
  }

 private:
  std::string folder_;
  std::string pictures_;
};

}  // namespace

std::unique_ptr<Verb> make_report() {
  return std::make_unique<ReportVerb>();
}

}  // namespace press

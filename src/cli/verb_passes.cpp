// compress passes: the list of passes.
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "flags.h"
#include "press/passes/pass.h"
#include "table.h"
#include "verb.h"

namespace press {
namespace {

class PassesVerb : public Verb {
 public:
  std::string_view name() const override { return "passes"; }
  std::string_view summary() const override { return "every pass with one line"; }
  std::string_view description() const override {
    return "Lists every pass in the order in which they run: its name, as --disable-pass and --only-pass "
           "take it, its "
           "family, and what it does.";
  }
  std::string_view examples() const override { return ""; }

  void declare(CLI::App& app) override {
    app.add_flag("--markdown", markdown_, "print docs/passes.md")->group(kMainGroup);
  }

  Status run(Console& /*console*/) override {
    if (markdown_) return Console::print(passes_markdown());
    Table table({{"pass"}, {"family"}, {"what it does", Table::Align::kLeft, 200}});
    for (const PassInfo& pass : all_passes()) {
      table.add_row({std::string(pass.name), std::string(pass.family), std::string(pass.summary)});
    }
    return Console::print(table.text());
  }

 private:
  bool markdown_ = false;
};

}  // namespace

std::unique_ptr<Verb> make_passes() {
  return std::make_unique<PassesVerb>();
}

}  // namespace press

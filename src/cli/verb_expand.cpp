// compress expand: packed weights become plain ones again.
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "model_file.h"
#include "press/passes/pass.h"
#include "press/pipeline/pass_manager.h"
#include "verb.h"

namespace press {
namespace {

class ExpandVerb : public Verb {
 public:
  std::string_view name() const override { return "expand"; }
  std::string_view summary() const override { return "turn packed weights into plain ones"; }
  std::string_view description() const override {
    return "Writes the model that --store packed with plain weights, bit for bit the same. Runtimes open "
           "packed files as they are; other tools see weights where they expect them only in plain ones.";
  }
  std::string_view examples() const override { return "compress expand small.onnx -o plain.onnx"; }

  void declare(CLI::App& app) override {
    app.add_option("MODEL", input_, "the ONNX model to read; - is standard input")->required()->type_name("");
    target_.add(app);
  }

  Status run(Console& console) override {
    PRESS_ASSIGN(Model model, read_model(input_));
    PRESS_TRY(target_.check(input_));
    PRESS_ASSIGN(const PassReport report, run_pass(model, *find_pass("expand_weights"), {}));
    if (!target_.dry_run) PRESS_TRY(target_.write(model, input_));
    console.say(fmt::format("{}: {}", shown(input_),
                            report.rewrites == 0 ? "no weights are packed"
                                                 : fmt::format("{} constants unpacked", report.rewrites)));
    return {};
  }

 private:
  std::string input_;
  ModelTarget target_;
};

}  // namespace

std::unique_ptr<Verb> make_expand() {
  return std::make_unique<ExpandVerb>();
}

}  // namespace press

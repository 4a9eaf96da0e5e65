// Random small graphs through random lists of passes:  press_fuzz_graphs COUNT [FIRST_SEED [FOLDER]]
//
// After the passes the graph must verify, compute the same as before in our runtime (bit for bit where only
// passes that promise it have rewritten), and keep its interface. The seeds FIRST_SEED (default 0) to
// FIRST_SEED + COUNT - 1 are run, so a failure repeats by its number. With FOLDER the models before and after
// go there, to be compared in another runtime (tools/dev/fuzz_with_onnxruntime.py). Exit code 1 where any
// graph differs.
#include <fmt/format.h>

#include <cmath>
#include <cstdlib>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "press/onnx/model_io.h"
#include "press/pipeline/pass_manager.h"
#include "press/runtime/session.h"
#include "support/random_graph.h"

namespace {

using namespace press;

/// Of outputs after passes that only reorder rounding, relative to the largest magnitude (at least 1).
constexpr double kTolerance = 1e-4;

using Rewrites = std::map<std::string, std::size_t>;  // by pass

struct Outcome {
  std::string failure;  // "" where all is well
  Rewrites rewrites;
};

std::vector<PassGroup> random_passes(std::mt19937_64& random, bool only_exact) {
  std::vector<std::string> names;
  for (const PassInfo& pass : all_passes()) {
    const bool wanted = pass.family == "cleanup" || pass.family == "fuse" || pass.family == "functions" ||
                        pass.name == "upgrade_opset";
    if (wanted && (!only_exact || pass.numerics == Numerics::kExact)) names.emplace_back(pass.name);
  }
  std::vector<PassGroup> groups(1 + random() % 3);
  for (PassGroup& group : groups) {
    for (std::size_t i = 1 + random() % names.size(); i > 0; --i) {
      group.passes.push_back(names[random() % names.size()]);
    }
    group.until_stable = random() % 2 == 0;
  }
  if (random() % 2 == 0) {  // what users run
    PassGroup all{.passes = names, .until_stable = true};
    groups.push_back(std::move(all));
  }
  return groups;
}

std::vector<Tensor> seeded_inputs(const Graph& graph, std::mt19937_64& random) {
  std::vector<Tensor> inputs;
  for (const Value* input : graph.inputs()) {
    Dims dims;
    for (const Dim& dim : *input->type().shape) dims.push_back(dim.known() ? dim.value() : 2);
    std::vector<float> values(static_cast<std::size_t>(element_count(dims).value()));
    for (float& value : values) value = static_cast<float>(random() % 4001) / 1000.0F - 2.0F;
    inputs.push_back(Tensor::of(dims, values));
  }
  return inputs;
}

Result<std::vector<Tensor>> run(const Graph& graph, const std::vector<Tensor>& inputs) {
  PRESS_ASSIGN(Session session, Session::create(graph, {.reference = true}));
  return session.run(inputs);
}

std::string difference(const Tensor& before, const Tensor& after, bool exact) {
  if (before.type() != after.type() || before.dims() != after.dims()) {
    return fmt::format("{} became {}", to_string(before.dims()), to_string(after.dims()));
  }
  const auto expected = before.data<float>(), actual = after.data<float>();
  double largest = 1, worst = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (std::isnan(expected[i]) && std::isnan(actual[i])) continue;
    if (expected[i] == actual[i]) continue;
    if (exact) return fmt::format("element {}: {} became {}", i, expected[i], actual[i]);
    if (!std::isfinite(expected[i]) || !std::isfinite(actual[i])) {
      return fmt::format("element {}: {} became {}", i, expected[i], actual[i]);
    }
    worst = std::max(worst, std::abs(static_cast<double>(expected[i]) - actual[i]));
  }
  for (const float one : expected) {
    if (std::isfinite(one)) largest = std::max(largest, std::abs(static_cast<double>(one)));
  }
  return worst <= kTolerance * largest ? "" : fmt::format("differs by {} of {}", worst, largest);
}

std::string check_interface(const Graph& before, const Graph& after) {
  if (before.inputs().size() != after.inputs().size() || before.outputs().size() != after.outputs().size()) {
    return "inputs or outputs were added or lost";
  }
  for (std::size_t i = 0; i < before.inputs().size(); ++i) {
    const Value &a = *before.inputs()[i], &b = *after.inputs()[i];
    if (a.name() != b.name() || to_string(a.type()) != to_string(b.type()))
      return "an input changed: " + a.name();
  }
  for (std::size_t i = 0; i < before.outputs().size(); ++i) {
    const GraphOutput &a = before.outputs()[i], &b = after.outputs()[i];
    if (a.name != b.name || to_string(a.type) != to_string(b.type)) return "an output changed: " + a.name;
  }
  return {};
}

Outcome fuzz(std::uint64_t seed, const std::string& folder) {
  const bool only_exact = seed % 3 == 0;
  const Model before = test::RandomGraph::make(seed, only_exact);
  if (const Status sound = verify(*before.graph); !sound.ok()) return {sound.error().message(), {}};
  std::mt19937_64 random(seed ^ 0x9e3779b97f4a7c15U);
  const std::vector<Tensor> inputs = seeded_inputs(*before.graph, random);
  const auto expected = run(*before.graph, inputs);
  if (!expected.ok()) return {"the graph itself does not run: " + expected.error().message(), {}};

  Model after = clone(before);
  const auto reports = run_passes(after, random_passes(random, only_exact), {});
  if (!reports.ok()) return {reports.error().message(), {}};
  Outcome outcome;
  bool exact = true;
  for (const PassReport& report : *reports) {
    outcome.rewrites[report.name] += report.rewrites;
    if (report.rewrites > 0 && report.numerics != Numerics::kExact) exact = false;
    for (const std::string& note : report.notes) {
      if (note.find("still rewriting") != std::string::npos) outcome.failure = report.name + ": " + note;
    }
  }
  if (!outcome.failure.empty()) return outcome;
  outcome.failure = check_interface(*before.graph, *after.graph);
  const auto actual = run(*after.graph, inputs);
  if (!actual.ok()) {
    outcome.failure = "it does not run any more: " + actual.error().message();
  } else {
    for (std::size_t i = 0; i < expected->size() && outcome.failure.empty(); ++i) {
      outcome.failure = difference((*expected)[i], (*actual)[i], exact);
    }
  }
  if (outcome.failure.empty() && !folder.empty()) {
    const SaveOptions options{.overwrite = true};
    for (const bool is_after : {false, true}) {
      const std::string path = fmt::format("{}/{}.{}.onnx", folder, seed, is_after ? "after" : "before");
      const Status saved = save_model(is_after ? after : before, path, options);
      if (!saved.ok()) outcome.failure = saved.error().message();
    }
  }
  if (!outcome.failure.empty() && std::getenv("PRESS_FUZZ_VERBOSE") != nullptr) {
    std::string passes;
    for (const PassReport& report : *reports) passes += fmt::format("{}:{} ", report.name, report.rewrites);
    fmt::print("{}\n{}\n{}\n", to_text(*before.graph), to_text(*after.graph), passes);
  }
  return outcome;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    fmt::print(stderr, "usage: press_fuzz_graphs COUNT [FIRST_SEED [FOLDER]]\n");
    return 2;
  }
  const std::uint64_t count = std::strtoull(argv[1], nullptr, 10);
  const std::uint64_t first = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 0;
  const std::string folder = argc > 3 ? argv[3] : "";
  std::size_t failures = 0;
  Rewrites rewrites;
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    const Outcome outcome = fuzz(seed, folder);
    for (const auto& [pass, more] : outcome.rewrites) rewrites[pass] += more;
    if (outcome.failure.empty()) continue;
    ++failures;
    fmt::print(stderr, "seed {}: {}\n", seed, outcome.failure);
  }
  for (const auto& [pass, times] : rewrites) fmt::print("{:<24} {:>8} rewrites\n", pass, times);
  fmt::print("{} graphs, {} failures\n", count, failures);
  return failures == 0 ? 0 : 1;
}

#include "press/pipeline/pass_manager.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <unordered_map>

#include "press/passes/dead_code.h"
#include "press/passes/shape_cache.h"

namespace press {
namespace {

struct Size {
  std::size_t nodes = 0;
  std::size_t constants = 0;
  friend bool operator==(const Size&, const Size&) = default;
};

/// What a pass that reports no rewrites leaves as it is.
struct ModelState {
  std::uint64_t revision = 0;
  std::uint64_t fingerprint = 0;
  Size size;
  std::int64_t ir_version = 0;
  std::vector<std::pair<std::string, std::string>> metadata;

  bool says_the_same_as(const ModelState& other) const {
    return fingerprint == other.fingerprint && size == other.size && ir_version == other.ir_version &&
           metadata == other.metadata;
  }
  bool is_untouched(const Model& model) const {
    return revision == model.graph->revision() && ir_version == model.ir_version &&
           metadata == model.metadata;
  }
};

Size size_of(const Graph& graph) {
  Size size{.nodes = graph.node_count(), .constants = graph.constant_count()};
  if (!graph.has_subgraphs()) return size;
  for (const Node* node : graph.nodes()) {
    for (const Graph* inner : node->subgraphs()) {
      const Size more = size_of(*inner);
      size.nodes += more.nodes;
      size.constants += more.constants;
    }
  }
  return size;
}

ModelState state_of(const Model& model) {
  return {model.graph->revision(), fingerprint(*model.graph), size_of(*model.graph), model.ir_version,
          model.metadata};
}

bool contains(const std::vector<std::string>& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

Result<const PassInfo*> pass_named(const std::string& name) {
  if (const PassInfo* pass = find_pass(name)) return pass;
  std::vector<std::string_view> known;
  for (const PassInfo& pass : all_passes()) known.push_back(pass.name);
  return Error(ErrorCode::kUsage,
               fmt::format("there is no pass '{}'; the passes are {}", name, fmt::join(known, ", ")));
}

/// A pass on its way through a run, with the report that it writes.
struct Step {
  const PassInfo* pass;
  std::size_t report;
};

class Manager {
 public:
  Manager(Model& model, const PassContext& context, PassManagerOptions options)
      : model_(model), context_(context), options_(std::move(options)) {
    context_.shapes = &shapes_;
  }

  Result<std::vector<PassReport>> run(const std::vector<PassGroup>& groups) {
    for (const auto* names : {&options_.only, &options_.disable}) {
      for (const std::string& name : *names) PRESS_TRY(pass_named(name));
    }
    std::vector<std::vector<Step>> schedule;
    for (const PassGroup& group : groups) {
      PRESS_ASSIGN(std::vector<Step> steps, plan(group));
      schedule.push_back(std::move(steps));
    }
    state_ = state_of(model_);
    for (std::size_t i = 0; i < groups.size(); ++i) PRESS_TRY(run(groups[i], schedule[i]));
    return std::move(reports_);
  }

  Result<PassReport> run(const PassInfo& pass) {
    state_ = state_of(model_);
    PRESS_TRY(run(step_of(pass), true));
    return std::move(reports_.front());
  }

 private:
  Result<std::vector<Step>> plan(const PassGroup& group) {
    std::vector<Step> steps;
    for (const std::string& name : group.passes) {
      PRESS_ASSIGN(const PassInfo* pass, pass_named(name));
      if ((!options_.only.empty() && !contains(options_.only, name)) || contains(options_.disable, name))
        continue;
      steps.push_back(step_of(*pass));
    }
    return steps;
  }

  Step step_of(const PassInfo& pass) {
    reports_.push_back(
        {.name = std::string(pass.name), .family = std::string(pass.family), .numerics = pass.numerics});
    return {&pass, reports_.size() - 1};
  }

  Status run(const PassGroup& group, const std::vector<Step>& steps) {
    const int rounds = group.until_stable ? options_.max_rounds : 1;
    for (int round = 0; round < rounds; ++round) {
      std::size_t rewrites = 0;
      for (const Step& step : steps) {
        PRESS_ASSIGN(const std::size_t more, run(step, round == 0));
        rewrites += more;
      }
      if (rewrites == 0 || !group.until_stable) return {};
    }
    for (const Step& step : steps) {
      add_note(reports_[step.report], fmt::format("still rewriting after {} rounds", rounds));
    }
    return {};
  }

  Result<std::size_t> run(const Step& step, bool is_first_round) {
    const PassInfo& pass = *step.pass;
    PassReport& report = reports_[step.report];
    const std::string doing = fmt::format("pass {}", pass.name);
    if (options_.progress) options_.progress(pass, step.report, reports_.size());
    if (is_first_round) report.nodes_before = state_.size.nodes;

    const auto start = std::chrono::steady_clock::now();
    const auto idle = idle_.find(&pass);
    Result<PassOutcome> outcome = idle != idle_.end() ? idle->second : pass.run(model_, context_);
    report.seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();

    if (!outcome.ok()) return std::move(outcome).error().with_context(doing);
    PRESS_TRY(settle(outcome->rewrites).with_context(doing));
    if (outcome->rewrites > 0) {
      idle_.clear();
    } else if (idle == idle_.end()) {
      idle_.emplace(&pass, *outcome);
    }
    if (options_.dump) options_.dump(pass, to_text(*model_.graph));
    if (options_.observe) options_.observe(pass, *outcome, *model_.graph);

    report.rewrites += outcome->rewrites;
    report.declined = std::move(outcome->declined);
    for (std::string& note : outcome->notes) add_note(report, std::move(note));
    report.nodes_after = state_.size.nodes;
    return outcome->rewrites;
  }

  /// After a pass: the graph is whole, rid of dead code, and the pass's word holds. A pass that touched
  /// nothing left nothing to look at, which keeps long graphs cheap.
  Status settle(std::size_t rewrites) {
    bool changed = false;
    if (!state_.is_untouched(model_)) {
      PRESS_TRY(verify(*model_.graph));
      if (rewrites > 0) remove_dead_code(*model_.graph);
      ModelState now = state_of(model_);
      changed = !now.says_the_same_as(state_);
      state_ = std::move(now);
      shapes_.clear();
    }
    if (changed == (rewrites > 0)) return {};
    return Error(ErrorCode::kInternal, fmt::format("it reports {} rewrites, but the model {}", rewrites,
                                                   changed ? "changed" : "is the same"));
  }

  static void add_note(PassReport& report, std::string note) {
    if (!contains(report.notes, note)) report.notes.push_back(std::move(note));
  }

  Model& model_;
  PassContext context_;
  ShapeCache shapes_;
  const PassManagerOptions options_;
  std::vector<PassReport> reports_;
  ModelState state_;
  /// What passes said that have found nothing to do since the last rewrite: they would say it again.
  std::unordered_map<const PassInfo*, PassOutcome> idle_;
};

}  // namespace

PassGroup cleanup_group() {
  PassGroup group{.passes = {}, .until_stable = true};
  for (const PassInfo& pass : all_passes()) {
    if (pass.family == "cleanup") group.passes.emplace_back(pass.name);
  }
  return group;
}

Result<std::vector<PassReport>> run_passes(Model& model, const std::vector<PassGroup>& groups,
                                           const PassContext& context, const PassManagerOptions& options) {
  return Manager(model, context, options).run(groups);
}

Result<PassReport> run_pass(Model& model, const PassInfo& pass, const PassContext& context) {
  return Manager(model, context, {}).run(pass);
}

}  // namespace press

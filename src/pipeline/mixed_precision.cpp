#include "pipeline/mixed_precision.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "pipeline/batch_cache.h"
#include "press/evaluate/evaluate.h"
#include "press/pipeline/analysis.h"
#include "press/pipeline/calibration_store.h"

namespace press {
namespace {

constexpr int kWideBits = 8;
constexpr std::int64_t kRankingSamples = 32;
constexpr std::int64_t kMostCachedBytes = std::int64_t{1} << 30;

class Search {
 public:
  Search(const Model& original, const Recipe& recipe, const OptimizeOptions& options)
      : original_(original), recipe_(recipe), options_(options), goal_(recipe.goal) {
    recipe_.goal = {};
    samples_ = recipe.calibration;
    samples_.limit = samples_.limit.value_or(kRecoverySamples);
    options_.calibrations = &calibrations_;
  }

  Result<OptimizeReport> run(Model& result) {
    PRESS_ASSIGN(const BatchCache cache, BatchCache::open(samples_, *original_.graph, kMostCachedBytes,
                                                          options_.threads, options_.progress));
    cache_ = &cache;
    PRESS_ASSIGN(Attempt best, attempt(0));
    if (!best.met) {
      PRESS_TRY(rank_layers());
      PRESS_ASSIGN(best, search(std::move(best)));
    }
    const std::size_t spared = best.outcome.spared;
    GoalReport report{.met = best.met, .sentence = sentence(best), .attempts = std::move(attempts_)};
    report.spared.assign(ranked_.begin(), ranked_.begin() + static_cast<std::ptrdiff_t>(spared));
    best.report.goal = std::move(report);
    result = std::move(best.model);
    return std::move(best.report);
  }

 private:
  struct Attempt {
    Model model;
    OptimizeReport report;
    GoalAttempt outcome;
    bool met = false;
  };

  /// The smallest number of spared layers that will do, as long as sparing more never does harm; where none
  /// will, the attempt that came closest.
  Result<Attempt> search(Attempt none) {
    std::size_t fails = 0;
    std::size_t holds = ranked_.size();
    PRESS_ASSIGN(Attempt best, attempt(holds));
    if (!best.met) return score(best) >= score(none) ? std::move(best) : std::move(none);
    while (holds - fails > 1) {
      const std::size_t middle = fails + (holds - fails) / 2;
      PRESS_ASSIGN(Attempt tried, attempt(middle));
      if (tried.met) {
        holds = middle;
        best = std::move(tried);
      } else {
        fails = middle;
      }
    }
    return best;
  }

  static double score(const Attempt& attempt) {
    return attempt.outcome.agreement.value_or(0) - attempt.outcome.drop.value_or(0);
  }

  Result<Attempt> attempt(std::size_t spared) {
    Recipe recipe = recipe_;
    for (std::size_t i = 0; i < spared; ++i) {
      if (recipe.quantize_options.weight_bits < kWideBits) {
        recipe.quantize_options.wide.push_back(ranked_[i].name);
      } else {
        recipe.quantize_options.nodes.exclude.push_back(exactly(ranked_[i].name));
      }
    }
    Attempt made{.model = clone(original_)};
    PRESS_ASSIGN(made.report, optimize(made.model, recipe, options_));
    made.outcome = {.spared = spared, .bytes = made.report.after.bytes};
    PRESS_TRY(measure(made));
    attempts_.push_back(made.outcome);
    return made;
  }

  Status measure(Attempt& attempt) {
    std::vector<EvaluatedModel> models{{"the original", original_.graph.get()},
                                       {"the result", attempt.model.graph.get()}};
    if (!answers_.empty()) models[0].recorded = &answers_;
    EvaluateOptions evaluate{.threads = options_.threads};
    if (answers_.empty()) evaluate.record = &answers_;
    evaluate.progress = [this](std::int64_t done) -> Status {
      return options_.progress ? options_.progress("evaluating", done, cache_->samples()) : Status();
    };
    PRESS_ASSIGN(const BatchSource source, cache_->source());
    PRESS_ASSIGN(const std::vector<ModelScore> scores, evaluate_models(models, source, evaluate));
    GoalAttempt& outcome = attempt.outcome;
    outcome.agreement = scores[1].agreement_percent();
    if (scores[0].top1_percent() && scores[1].top1_percent())
      outcome.drop = *scores[0].top1_percent() - *scores[1].top1_percent();
    if (goal_.max_drop && !outcome.drop)
      return Error(ErrorCode::kUsage,
                   "--max-drop needs calibration samples with labels; --min-agreement needs none");
    if (goal_.min_agreement && !outcome.agreement)
      return Error(ErrorCode::kUsage, "the model has no classes that could agree");
    attempt.met = (!goal_.max_drop || *outcome.drop <= *goal_.max_drop) &&
                  (!goal_.min_agreement || *outcome.agreement >= *goal_.min_agreement);
    return {};
  }

  /// By rounding to the nearest: the order is that of recovered weights, near enough, in a fraction of the
  /// time.
  Status rank_layers() {
    Recipe plain = recipe_;
    plain.recover = Recover::kNone;
    SampleOptions few = samples_;
    few.limit = std::min(*samples_.limit == 0 ? kRankingSamples : *samples_.limit, kRankingSamples);
    const NamedModel named{.name = "the original", .model = clone(original_)};
    PRESS_ASSIGN(const Sensitivity sensitivity,
                 analyze_sensitivity(named, plain, few, 0,
                                     {.threads = options_.threads, .progress = options_.progress}));
    for (const Outcome& alone : sensitivity.alone) ranked_.push_back({alone.layer, alone.sqnr_db});
    std::ranges::stable_sort(ranked_, {}, [](const SparedLayer& layer) {
      return layer.sqnr_db.value_or(std::numeric_limits<double>::infinity());
    });
    return {};
  }

  std::string sentence(const Attempt& best) const {
    std::string text;
    const auto add = [&](const std::string& part) { text += (text.empty() ? "" : "; ") + part; };
    if (goal_.max_drop)
      add(fmt::format("{:.2f} points of top-1 are lost, at most {:g} are asked for", *best.outcome.drop,
                      *goal_.max_drop));
    if (goal_.min_agreement)
      add(fmt::format("{:.2f} % of the samples agree, at least {:g} % are asked for", *best.outcome.agreement,
                      *goal_.min_agreement));
    return text;
  }

  const Model& original_;
  Recipe recipe_;
  OptimizeOptions options_;
  AccuracyGoal goal_;
  SampleOptions samples_;
  CalibrationStore calibrations_;
  const BatchCache* cache_ = nullptr;
  RecordedOutputs answers_;
  std::vector<SparedLayer> ranked_;
  std::vector<GoalAttempt> attempts_;
};

}  // namespace

Result<OptimizeReport> optimize_to_goal(Model& model, const Recipe& recipe, const OptimizeOptions& options) {
  if (recipe.precision == Precision::kAsIs)
    return Error(ErrorCode::kUsage,
                 "--max-drop and --min-agreement choose what is quantized: give --quantize TYPE");
  if (recipe.calibration.path.empty())
    return Error(ErrorCode::kUsage,
                 "--max-drop and --min-agreement are measured on samples: give --calibration PATH");
  const Model original = std::move(model);
  return Search(original, recipe, options).run(model);
}

}  // namespace press

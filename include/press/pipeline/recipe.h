// What a run shall do: the same options from flags and from a TOML file. docs/recipe.md describes the file.
//
// recipe_options() is the only list: the command line makes its flags of it, the file reader its keys, and
// help, manual and completion their texts.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "press/calibrate/preprocess.h"
#include "press/passes/options.h"
#include "press/pipeline/interface.h"
#include "press/pipeline/target.h"
#include "press/support/result.h"

namespace press {

/// A preset, and single steps that stand above it.
struct PreprocessOptions {
  std::string preset;  // "": none, pixels as they are
  std::optional<std::variant<std::monostate, ShorterSide, ImageSize>> resize;
  std::optional<ImageSize> crop;
  std::optional<Interpolation> interpolation;
  std::optional<double> scale;
  std::optional<std::vector<double>> mean;
  std::optional<std::vector<double>> std;
  std::optional<Channels> channels;
  std::optional<ChannelOrder> order;
  std::optional<Layout> layout;

  bool given() const;
};

/// Errors: kUsage for an unknown preset.
Result<Preprocess> resolve(const PreprocessOptions& options);

/// Where samples come from and how they become inputs of a network.
struct SampleOptions {
  std::string path;
  std::string labels;
  std::optional<std::int64_t> limit;  // 0: all
  std::optional<std::uint64_t> seed;
  std::int64_t batch = 0;  // samples at once; 0: by the size of the inputs, 1 to 32
  bool skip_corrupt = false;
  PreprocessOptions preprocess;
};

/// What numbers become. kInt8: activations too, in ranges from calibration; kDynamic: in ranges of each run.
/// kWeights: those of weights alone. Widths: QuantizeOptions.
enum class Precision { kAsIs, kInt8, kDynamic, kWeights, kFp16, kBf16 };

/// What the result must keep on the calibration samples; layers stay wider until it does.
struct AccuracyGoal {
  std::optional<double> max_drop;       // points of top-1 that may be lost; needs labels
  std::optional<double> min_agreement;  // percent of samples with the same best class

  bool given() const { return max_drop.has_value() || min_agreement.has_value(); }
};

struct Recipe {
  bool freeze_initializers = false;  // on loading, see LoadOptions
  bool inline_functions = false;
  InterfaceOptions interface;
  std::int64_t opset = 0;          // to raise the model to; 0: only where something asked for needs it
  const Target* target = nullptr;  // null: any runtime
  bool fuse = false;
  bool prune = false;
  Precision precision = Precision::kAsIs;
  bool qlinear = false;     // int8: QLinear operators in place of pairs
  bool requantize = false;  // quantization that the file brings is taken out first
  bool keep_ends = false;   // the first and the last layer are not quantized
  AccuracyGoal goal;
  /// After pruning and quantization, where there are samples. Not given: kNone for int8 with weights of 8
  /// bits, else kFast.
  std::optional<Recover> recover;
  PruneOptions prune_options;
  QuantizeOptions quantize_options;
  Fp16Options fp16_options;
  std::optional<ClusterOptions> cluster;
  StoreOptions store_options{.form = StoreForm::kDense};
  bool strip = false;   // names and whatever else a runtime does not need
  NodeSelection nodes;  // for pruning and quantization, beside their own selections
  SampleOptions calibration;
  std::string calibration_table;  // a file with what calibration gathered before; "": none
  std::vector<std::string> disabled_passes;
  std::vector<std::string> only_passes;

  /// Neither fusing nor anything that costs accuracy is asked for.
  bool asks_for_nothing() const {
    return !fuse && !prune && !cluster && precision == Precision::kAsIs && opset == 0 &&
           store_options.form == StoreForm::kDense;
  }
};

enum class OptionKind { kSwitch, kInteger, kNumber, kText, kNumbers, kTexts };
using OptionValue =
    std::variant<bool, std::int64_t, double, std::string, std::vector<double>, std::vector<std::string>>;

struct RecipeOption {
  std::string_view key;   // in a file: "prune.sparsity"
  std::string_view flag;  // on the command line: "--sparsity"; "" where only files have it
  OptionKind kind;
  std::string_view placeholder;  // what the flag's value is called in help; "" for switches
  std::string_view fallback;     // what holds where nothing is said
  std::string_view help;
  /// `value` is of the kind's type. Errors: kUsage, what is allowed and what was found.
  Status (*set)(Recipe& recipe, const OptionValue& value);
};

std::span<const RecipeOption> recipe_options();

/// Reads a recipe. Errors: kInput where the file cannot be read; kUsage with file and line where it is no
/// TOML, a key is unknown (with the nearest known one), or a value is of the wrong type or out of range.
Result<Recipe> load_recipe(const std::string& path);

/// The same from text; `name` stands for the file in errors.
Result<Recipe> parse_recipe(std::string_view text, const std::string& name);

}  // namespace press

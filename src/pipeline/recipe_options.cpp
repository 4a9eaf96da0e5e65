// The list of options: one entry each, in the order of the help texts.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <bit>
#include <charconv>

#include "press/numeric/observer.h"
#include "press/pipeline/recipe.h"
#include "press/support/suggest.h"

namespace press {
namespace {

Error not_allowed(std::string message) {
  return Error(ErrorCode::kUsage, std::move(message));
}

const std::string& text(const OptionValue& value) {
  return std::get<std::string>(value);
}

/// One of a few words.
template <typename T, std::size_t N>
Result<T> choice(const OptionValue& value, const std::array<std::pair<std::string_view, T>, N>& choices) {
  std::vector<std::string_view> words;
  for (const auto& [word, meaning] : choices) {
    if (word == text(value)) return meaning;
    words.push_back(word);
  }
  return not_allowed(fmt::format("'{}' is none of {}{}", text(value), fmt::join(words, ", "),
                                 did_you_mean(text(value), words)));
}

/// One of observers.def.
Result<Observer> observer(const OptionValue& value) {
  if (const ObserverInfo* found = find_observer(text(value)); found != nullptr) return found->observer;
  std::vector<std::string_view> words;
  for (const ObserverInfo& known : all_observers()) words.push_back(known.name);
  return not_allowed(fmt::format("'{}' is none of {}{}", text(value), fmt::join(words, ", "),
                                 did_you_mean(text(value), words)));
}

Result<double> number_within(const OptionValue& value, double low, double high) {
  const double number = std::get<double>(value);
  if (number >= low && number <= high) return number;
  return not_allowed(fmt::format("{} is not between {} and {}", number, low, high));
}

Result<std::int64_t> integer_from(const OptionValue& value, std::int64_t low, std::int64_t high) {
  const std::int64_t number = std::get<std::int64_t>(value);
  if (number >= low && number <= high) return number;
  return not_allowed(fmt::format("{} is not between {} and {}", number, low, high));
}

/// "224" or "224x192" (height x width) as one or two extents.
Result<std::vector<int>> extents(std::string_view word) {
  constexpr int kLargest = 1 << 16;
  std::vector<int> sizes;
  const char* at = word.data();
  const char* end = word.data() + word.size();
  while (sizes.size() < 2) {
    int size = 0;
    const auto [next, error] = std::from_chars(at, end, size);
    if (error != std::errc() || size < 1 || size > kLargest) break;
    sizes.push_back(size);
    if (next == end) return sizes;
    if (*next != 'x') break;
    at = next + 1;
  }
  return not_allowed(fmt::format("'{}' is no size; give PIXELS or HEIGHTxWIDTH, as 224 or 224x192", word));
}

Status set_resize(Recipe& recipe, const OptionValue& value) {
  PreprocessOptions& steps = recipe.calibration.preprocess;
  if (text(value) == "none") {
    steps.resize = std::monostate();
    return {};
  }
  PRESS_ASSIGN(const std::vector<int> sizes, extents(text(value)));
  if (sizes.size() == 1) {
    steps.resize = ShorterSide{sizes[0]};
  } else {
    steps.resize = ImageSize{sizes[0], sizes[1]};
  }
  return {};
}

Status set_crop(Recipe& recipe, const OptionValue& value) {
  PRESS_ASSIGN(const std::vector<int> sizes, extents(text(value)));
  recipe.calibration.preprocess.crop = ImageSize{sizes.front(), sizes.back()};
  return {};
}

Status set_channels(Recipe& recipe, const OptionValue& value) {
  PreprocessOptions& steps = recipe.calibration.preprocess;
  using Kind = std::pair<Channels, ChannelOrder>;
  static constexpr std::array<std::pair<std::string_view, Kind>, 4> kChoices{{
      {"rgb", {Channels::kRgb, ChannelOrder::kRgb}},
      {"bgr", {Channels::kRgb, ChannelOrder::kBgr}},
      {"grey", {Channels::kGrey, ChannelOrder::kRgb}},
      {"rgba", {Channels::kRgba, ChannelOrder::kRgb}},
  }};
  PRESS_ASSIGN(const Kind kind, choice(value, kChoices));
  steps.channels = kind.first;
  steps.order = kind.second;
  return {};
}

constexpr std::array<std::pair<std::string_view, PruneScope>, 3> kPruneScopes{
    {{"global", PruneScope::kGlobal}, {"local", PruneScope::kLocal}, {"erk", PruneScope::kErk}}};
constexpr std::array<std::pair<std::string_view, Recover>, 4> kRecoveries{
    {{"none", Recover::kNone}, {"bias", Recover::kBias}, {"fast", Recover::kFast}, {"full", Recover::kFull}}};
/// Is it signed?
constexpr std::array<std::pair<std::string_view, bool>, 4> kActivationTypes{
    {{"uint8", false}, {"int8", true}, {"unsigned", false}, {"signed", true}}};
constexpr std::array<std::pair<std::string_view, bool>, 2> kFormats{{{"qdq", false}, {"qlinear", true}}};
constexpr std::array<std::pair<std::string_view, KMeansStart>, 3> kKMeansStarts{
    {{"linear", KMeansStart::kLinear},
     {"density", KMeansStart::kDensity},
     {"k-means++", KMeansStart::kPlusPlus}}};
constexpr std::array<std::pair<std::string_view, StoreForm>, 5> kStoreForms{{{"dense", StoreForm::kDense},
                                                                             {"auto", StoreForm::kAuto},
                                                                             {"palette", StoreForm::kPalette},
                                                                             {"bitmask", StoreForm::kBitmask},
                                                                             {"sparse", StoreForm::kSparse}}};

Status set_prune_method(Recipe& recipe, const OptionValue& value) {
  recipe.prune = text(value) != "none";
  if (!recipe.prune) return {};
  std::vector<std::string_view> words{"none"};
  for (const PruningCriterion& criterion : all_pruning_criteria()) {
    if (criterion.name == text(value)) {
      recipe.prune_options.method = criterion.method;
      return {};
    }
    words.push_back(criterion.name);
  }
  return not_allowed(fmt::format("'{}' is none of {}{}", text(value), fmt::join(words, ", "),
                                 did_you_mean(text(value), words)));
}

/// "weights", "channels", "block4": so many weights go together, or "2:4": N of M weights stay.
Status set_prune_structure(Recipe& recipe, const OptionValue& value) {
  PruneOptions& options = recipe.prune_options;
  options.structure = text(value) == "channels" ? PruneStructure::kChannels : PruneStructure::kWeights;
  options.pattern_keep = options.pattern_of = 0;
  if (text(value) == "weights" || text(value) == "channels") return {};
  const char* end = text(value).data() + text(value).size();
  constexpr std::string_view kBlock = "block";
  if (text(value).starts_with(kBlock)) {
    const auto [rest, error] = std::from_chars(text(value).data() + kBlock.size(), end, options.pattern_of);
    if (error == std::errc() && rest == end && options.pattern_of >= 2 && options.pattern_of <= 64) return {};
  }
  const auto [colon, first] = std::from_chars(text(value).data(), end, options.pattern_keep);
  if (first == std::errc() && colon != end && *colon == ':') {
    const auto [rest, second] = std::from_chars(colon + 1, end, options.pattern_of);
    const bool fits = options.pattern_keep > 0 && options.pattern_keep < options.pattern_of;
    if (second == std::errc() && rest == end && fits && options.pattern_of <= 64) return {};
  }
  return not_allowed(fmt::format(
      "'{}' is neither weights nor channels nor blocks of up to 64, as block4, nor a pattern N:M, as 2:4",
      text(value)));
}

Status set_precision(Recipe& recipe, const OptionValue& value) {
  struct Form {
    Precision precision;
    int weight_bits;
    int activation_bits = 8;
  };
  static constexpr std::array<std::pair<std::string_view, Form>, 10> kForms{{
      {"int8", {Precision::kInt8, 8}},
      {"int8-dynamic", {Precision::kDynamic, 8}},
      {"int16x8", {Precision::kInt8, 8, 16}},
      {"w8", {Precision::kWeights, 8}},
      {"w4", {Precision::kWeights, 4}},
      {"w3", {Precision::kWeights, 3}},
      {"w2", {Precision::kWeights, 2}},
      {"fp16", {Precision::kFp16, 8}},
      {"bf16", {Precision::kBf16, 8}},
      {"none", {Precision::kAsIs, 8}},
  }};
  PRESS_ASSIGN(const Form form, choice(value, kForms));
  recipe.precision = form.precision;
  recipe.quantize_options.weight_bits = form.weight_bits;
  recipe.quantize_options.activation_bits = form.activation_bits;
  return {};
}

constexpr std::array<std::pair<std::string_view, Interpolation>, 3> kInterpolations{
    {{"nearest", Interpolation::kNearest},
     {"bilinear", Interpolation::kBilinear},
     {"bicubic", Interpolation::kBicubic}}};
constexpr std::array<std::pair<std::string_view, Layout>, 2> kLayouts{
    {{"nchw", Layout::kNchw}, {"nhwc", Layout::kNhwc}}};

constexpr std::int64_t kMany = std::int64_t{1} << 40;

/// A setter that assigns the checked value of `read` (of `value`) to a place in `recipe`.
#define PRESS_SET(place, read)                             \
  [](Recipe& recipe, const OptionValue& value) -> Status { \
    PRESS_ASSIGN(recipe.place, read);                      \
    return {};                                             \
  }
/// The same where any value of the right type will do.
#define PRESS_STORE(place, type)                           \
  [](Recipe& recipe, const OptionValue& value) -> Status { \
    recipe.place = std::get<type>(value);                  \
    return {};                                             \
  }

using Words = std::vector<std::string>;
using Numbers = std::vector<double>;

Status set_fixed_dims(Recipe& recipe, const OptionValue& value) {
  recipe.interface.dims.clear();
  for (const std::string& word : std::get<Words>(value)) {
    PRESS_ASSIGN(auto dim, parse_fixed_dim(word));
    recipe.interface.dims.push_back(std::move(dim));
  }
  return {};
}

Status set_input_shapes(Recipe& recipe, const OptionValue& value) {
  recipe.interface.input_shapes.clear();
  for (const std::string& word : std::get<Words>(value)) {
    PRESS_ASSIGN(auto shape, parse_input_shape(word));
    recipe.interface.input_shapes.push_back(std::move(shape));
  }
  return {};
}

Status set_target(Recipe& recipe, const OptionValue& value) {
  recipe.target = find_target(text(value));
  if (recipe.target != nullptr) return {};
  std::vector<std::string_view> words;
  for (const Target& known : all_targets()) words.push_back(known.name);
  return not_allowed(fmt::format("'{}' is none of {}{}", text(value), fmt::join(words, ", "),
                                 did_you_mean(text(value), words)));
}

constexpr RecipeOption kOptions[] = {
    {"model.fix-dims", "--fix-dim", OptionKind::kTexts, "NAME=EXTENT", "none",
     "give a named dim of the inputs an extent, as batch=1; may be repeated", set_fixed_dims},
    {"model.input-shapes", "--input-shape", OptionKind::kTexts, "NAME:EXTENTS", "as the file says",
     "all extents of an input, as data:1,3,224,224; may be repeated", set_input_shapes},
    {"model.freeze-initializers", "--freeze-initializers", OptionKind::kSwitch, "", "false",
     "make constants of weights that the file also lists as inputs, which callers may override; else they "
     "stay as "
     "they are",
     PRESS_STORE(freeze_initializers, bool)},
    {"model.inline-functions", "--inline-functions", OptionKind::kSwitch, "", "false",
     "put the bodies of model-local functions in the place of their calls, where the other passes see them",
     PRESS_STORE(inline_functions, bool)},
    {"model.opset", "--opset", OptionKind::kInteger, "N", "as the file says",
     "raise the model to this operator set, 13 to 25", PRESS_SET(opset, integer_from(value, 13, 25))},
    {"model.target", "--target", OptionKind::kText, "RUNTIME", "generic",
     "where it will run: generic, onnxruntime-x86, onnxruntime-x86-avx2, onnxruntime-arm, tensorrt or "
     "openvino; decides which "
     "fusions help, "
     "and the operator set that they may use",
     set_target},

    {"fuse", "--fuse", OptionKind::kSwitch, "", "false",
     "fuse operators: normalization, scales, biases, padding and parallel branches into layers; outputs "
     "differ by "
     "rounding only",
     PRESS_STORE(fuse, bool)},

    {"prune.method", "--prune", OptionKind::kText, "METHOD", "none",
     "set weights to zero: magnitude (the smallest ones), lamp (in parts of what is left of their layer), "
     "wanda "
     "(whose products with their inputs vary least), second-order (those that the others make up for best), "
     "random, "
     "or none; wanda and second-order need calibration images",
     set_prune_method},
    {"prune.sparsity", "--sparsity", OptionKind::kNumber, "SHARE", "0.5",
     "share of the weights that become zero, 0 to 1",
     PRESS_SET(prune_options.sparsity, number_within(value, 0, 1))},
    {"prune.scope", "--scope", OptionKind::kText, "SCOPE", "global",
     "one threshold for the whole network (global), one a layer (local), or shares by the layers' dims (erk)",
     PRESS_SET(prune_options.scope, choice(value, kPruneScopes))},
    {"prune.structure", "--structure", OptionKind::kText, "NAME", "weights",
     "what is pruned: weights (they become zero), channels (tensors shrink), blocks as block4 (4 neighbours "
     "along the inputs become zero together), or a pattern as 2:4 (2 of 4 neighbours stay)",
     set_prune_structure},
    {"prune.round-to", "--round-to", OptionKind::kInteger, "N", "1",
     "channels only: layers keep a multiple of N",
     PRESS_SET(prune_options.round_to, integer_from(value, 1, 1 << 16))},
    {"prune.macs", "--macs", OptionKind::kNumber, "SHARE", "none",
     "channels only, in place of a sparsity: share of the network's multiply-accumulates that stays, 0 to 1",
     PRESS_SET(prune_options.macs, number_within(value, 0, 1))},
    {"prune.biases", "--prune-biases", OptionKind::kSwitch, "", "false", "prune biases as well",
     PRESS_STORE(prune_options.biases, bool)},
    {"prune.include", "", OptionKind::kTexts, "", "all", "regular expressions of node names to prune",
     PRESS_STORE(prune_options.nodes.include, Words)},
    {"prune.exclude", "", OptionKind::kTexts, "", "none", "regular expressions of node names not to prune",
     PRESS_STORE(prune_options.nodes.exclude, Words)},

    {"quantize.type", "--quantize", OptionKind::kText, "TYPE", "none",
     "int8 (weights and activations, needs calibration images), int8-dynamic (ranges of activations are "
     "measured "
     "in each run), int16x8 (activations of 16 bits), w8, w4, w3 or w2 (weights alone), fp16, bf16 (weights "
     "alone), or none",
     set_precision},
    {"quantize.weight-bits", "--weight-bits", OptionKind::kInteger, "N", "as the type",
     "bits of weights: 8, or 4 to 2 (the first and the last layer keep 8)",
     [](Recipe& recipe, const OptionValue& value) -> Status {
       PRESS_ASSIGN(const std::int64_t bits, integer_from(value, 2, 8));
       if (bits > 4 && bits < 8) return not_allowed(fmt::format("{} is none of 2, 3, 4, 8", bits));
       recipe.quantize_options.weight_bits = static_cast<int>(bits);
       return {};
     }},
    {"quantize.activations", "--activations", OptionKind::kText, "TYPE", "uint8",
     "int8 and int16x8: type of activations, uint8 or int8; unsigned or signed",
     PRESS_SET(quantize_options.signed_activations, choice(value, kActivationTypes))},
    {"quantize.per-channel", "--per-channel", OptionKind::kSwitch, "", "true",
     "int8 only: a scale for each output channel of a weight",
     PRESS_STORE(quantize_options.per_channel, bool)},
    {"quantize.format", "--format", OptionKind::kText, "FORM", "qdq",
     "int8 only: qdq (QuantizeLinear and DequantizeLinear around operators) or qlinear (QLinearConv, "
     "QLinearMatMul, "
     "…)",
     PRESS_SET(qlinear, choice(value, kFormats))},
    {"quantize.block-size", "--block-size", OptionKind::kInteger, "N", "none",
     "w8 to w2: a scale for each N inputs of a MatMul or Gemm; a power of 2 from 16 to 1024",
     [](Recipe& recipe, const OptionValue& value) -> Status {
       PRESS_ASSIGN(const std::int64_t size, integer_from(value, 16, 1024));
       if (!std::has_single_bit(static_cast<std::uint64_t>(size)))
         return not_allowed(fmt::format("{} is no power of 2", size));
       recipe.quantize_options.block_size = size;
       return {};
     }},
    {"quantize.requantize", "--requantize", OptionKind::kSwitch, "", "false",
     "take out the QuantizeLinear and DequantizeLinear that the model brings and quantize it anew",
     PRESS_STORE(requantize, bool)},
    {"quantize.max-drop", "--max-drop", OptionKind::kNumber, "POINTS", "none",
     "points of top-1 that may be lost on the calibration samples (labelled); sensitive layers stay wider "
     "until "
     "that holds",
     PRESS_SET(goal.max_drop, number_within(value, 0, 100))},
    {"quantize.min-agreement", "--min-agreement", OptionKind::kNumber, "PERCENT", "none",
     "the same for the share of calibration samples with the same best class",
     PRESS_SET(goal.min_agreement, number_within(value, 0, 100))},
    {"quantize.observer", "--observer", OptionKind::kText, "NAME", "min-max",
     "int8 only: ranges of activations: min-max, percentile, entropy or mse",
     PRESS_SET(quantize_options.observer, observer(value))},
    {"quantize.percentile", "--percentile", OptionKind::kNumber, "PERCENT", "99.99",
     "percent of the values that stay within the range of the percentile observer",
     PRESS_SET(quantize_options.percentile, number_within(value, 50, 100))},
    {"quantize.calibration-table", "--calibration-table", OptionKind::kText, "FILE", "",
     "ranges of activations that compress calibrate measured, in place of a run",
     PRESS_STORE(calibration_table, std::string)},
    {"quantize.keep-io", "--keep-io", OptionKind::kSwitch, "", "true",
     "fp16 only: inputs and outputs of the network stay float32", PRESS_STORE(fp16_options.keep_io, bool)},
    {"quantize.operators", "--operators", OptionKind::kTexts, "TYPE", "all",
     "quantize operators of this type alone, as Conv; may be repeated",
     PRESS_STORE(quantize_options.nodes.operators, Words)},
    {"quantize.keep-ends", "--keep-ends", OptionKind::kSwitch, "", "false",
     "do not quantize the first and the last layer, where networks are most sensitive",
     PRESS_STORE(keep_ends, bool)},
    {"quantize.include", "", OptionKind::kTexts, "", "all", "regular expressions of node names to quantize",
     PRESS_STORE(quantize_options.nodes.include, Words)},
    {"quantize.exclude", "", OptionKind::kTexts, "", "none",
     "regular expressions of node names not to quantize", PRESS_STORE(quantize_options.nodes.exclude, Words)},

    {"cluster.count", "--cluster", OptionKind::kInteger, "N", "none",
     "let the weights of each layer share N values, 2 to 256; with --calibration those that keep its outputs",
     [](Recipe& recipe, const OptionValue& value) -> Status {
       PRESS_ASSIGN(const std::int64_t count, integer_from(value, 2, 256));
       if (!recipe.cluster) recipe.cluster.emplace();
       recipe.cluster->count = count;
       return {};
     }},
    {"cluster.start", "", OptionKind::kText, "NAME", "density",
     "where the shared values start: linear, density or k-means++",
     [](Recipe& recipe, const OptionValue& value) -> Status {
       if (!recipe.cluster) recipe.cluster.emplace();
       PRESS_ASSIGN(recipe.cluster->start, choice(value, kKMeansStarts));
       return {};
     }},
    {"store.form", "--store", OptionKind::kText, "FORM", "dense",
     "how weights stand in the file: dense, or packed where that is smaller and unpacked at load time by "
     "standard "
     "operators: auto (the smallest), palette, bitmask, sparse",
     PRESS_SET(store_options.form, choice(value, kStoreForms))},
    {"store.max-load-ms", "--max-load-ms", OptionKind::kNumber, "MS", "none",
     "packed weights only: estimated time of unpacking them at load time; weights that save least for it "
     "stay "
     "dense",
     PRESS_SET(store_options.max_load_ms, number_within(value, 0, 1e9))},

    {"store.strip", "--strip", OptionKind::kSwitch, "", "false",
     "shorten names of inner values and drop those of nodes: for files that are only run",
     PRESS_STORE(strip, bool)},

    {"recover.effort", "--recover", OptionKind::kText, "EFFORT",
     "fast; int8 of 8 bits: bias with depthwise layers, else none",
     "keep accuracy by calibration images: none, bias (means), fast (weights rounded for their real inputs, "
     "means, "
     "deviations) or full (the same, thoroughly)",
     PRESS_SET(recover, choice(value, kRecoveries))},

    {"nodes.include", "--include", OptionKind::kTexts, "REGEX", "all",
     "prune and quantize only nodes whose names match; may be repeated", PRESS_STORE(nodes.include, Words)},
    {"nodes.exclude", "--exclude", OptionKind::kTexts, "REGEX", "none",
     "leave nodes alone whose names match; may be repeated", PRESS_STORE(nodes.exclude, Words)},
    {"passes.disable", "--disable-pass", OptionKind::kTexts, "PASS", "none",
     "do not run this pass; may be repeated ('compress passes' lists them)",
     PRESS_STORE(disabled_passes, Words)},
    {"passes.only", "--only-pass", OptionKind::kTexts, "PASS", "all",
     "run no other passes than those named so; may be repeated", PRESS_STORE(only_passes, Words)},

    {"calibration.images", "--calibration", OptionKind::kText, "PATH", "",
     "representative samples: a folder of images, a CSV of filename,label, an IDX file, NPY or NPZ",
     PRESS_STORE(calibration.path, std::string)},
    {"calibration.labels", "--labels", OptionKind::kText, "FILE", "", "label file of an IDX or NPY set",
     PRESS_STORE(calibration.labels, std::string)},
    {"calibration.limit", "--limit", OptionKind::kInteger, "N", "",
     "how many samples to take, evenly over the classes; 0 takes all",
     PRESS_SET(calibration.limit, integer_from(value, 0, kMany))},
    {"calibration.seed", "--seed", OptionKind::kInteger, "N", "",
     "draw the samples at random, the same ones for the same number",
     [](Recipe& recipe, const OptionValue& value) -> Status {
       PRESS_ASSIGN(const std::int64_t seed, integer_from(value, 0, kMany));
       recipe.calibration.seed = static_cast<std::uint64_t>(seed);
       return {};
     }},
    {"calibration.batch", "--batch", OptionKind::kInteger, "N", "1 to 32, by size",
     "samples that run at once, fewer of large images; networks with a fixed batch keep theirs",
     PRESS_SET(calibration.batch, integer_from(value, 1, 1 << 16))},
    {"calibration.skip-corrupt", "--skip-corrupt", OptionKind::kSwitch, "", "false",
     "go on without images that cannot be read", PRESS_STORE(calibration.skip_corrupt, bool)},

    {"preprocess.preset", "--preprocess", OptionKind::kText, "PRESET", "none",
     "how images become inputs: imagenet, imagenet-tf, cifar10, fashion-mnist or none (pixels 0 to 255)",
     [](Recipe& recipe, const OptionValue& value) -> Status {
       if (auto preset = preprocess_preset(text(value)); !preset.ok()) return std::move(preset).error();
       recipe.calibration.preprocess.preset = text(value);
       return {};
     }},
    {"preprocess.resize", "--resize", OptionKind::kText, "SIZE", "as the preset",
     "shorter side in PIXELS, exactly HEIGHTxWIDTH, or none", set_resize},
    {"preprocess.crop", "--crop", OptionKind::kText, "SIZE", "as the preset",
     "cut out the centre, PIXELS or HEIGHTxWIDTH", set_crop},
    {"preprocess.interpolation", "--interpolation", OptionKind::kText, "NAME", "as the preset",
     "of resizing: nearest, bilinear or bicubic",
     PRESS_SET(calibration.preprocess.interpolation, choice(value, kInterpolations))},
    {"preprocess.scale", "--scale", OptionKind::kNumber, "FACTOR", "as the preset",
     "value = (pixel * scale - mean) / std, pixels of 0 to 255",
     PRESS_STORE(calibration.preprocess.scale, double)},
    {"preprocess.mean", "--mean", OptionKind::kNumbers, "LIST", "as the preset",
     "one number, or one a channel: 0.485,0.456,0.406", PRESS_STORE(calibration.preprocess.mean, Numbers)},
    {"preprocess.std", "--std", OptionKind::kNumbers, "LIST", "as the preset",
     "one number, or one a channel: 0.229,0.224,0.225", PRESS_STORE(calibration.preprocess.std, Numbers)},
    {"preprocess.channels", "--channels", OptionKind::kText, "ORDER", "as the preset",
     "rgb, bgr, grey or rgba", set_channels},
    {"preprocess.layout", "--layout", OptionKind::kText, "LAYOUT", "as the network's shape reads",
     "order of the input's dims: nchw or nhwc",
     PRESS_SET(calibration.preprocess.layout, choice(value, kLayouts))},
};
#undef PRESS_SET
#undef PRESS_STORE

}  // namespace

std::span<const RecipeOption> recipe_options() {
  return kOptions;
}

}  // namespace press

// ONNX's own conformance tests, run by the runtime.
//
//   press_conformance [--reference] [FOLDER...]
//
// A FOLDER holds kinds of tests (node, simple, …), as Debian's libonnx-testdata installs them; without one
// that is where they are looked for. Prints each case that does not pass with the reason, and the counts.
// Exit code: 0; 1 where a case within our scope does not pass; 77 where there is no test data.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "press/onnx/model_io.h"
#include "press/ops/operator.h"
#include "press/runtime/session.h"
#include "runtime/narrow.h"

namespace {

namespace fs = std::filesystem;
using press::DataType;
using press::Graph;
using press::Node;
using press::Result;
using press::Tensor;
using press::Type;

constexpr const char* kInstalled = "/usr/share/libonnx-testdata/data";

/// Cases that we do not pass although their operators are in our scope, and why.
const std::map<std::string, std::string>& exceptions() {
  static const std::string kLike = "the data of input 'like' has one element where the model says 3x4";
  static const std::string kRounded =
      "divides by the extent before it is rounded down; the operator's text and ONNX Runtime by the output's";
  static const std::string kWraps =
      "the expected values wrap around where the operator saturates (mended after onnx 1.20; ONNX Runtime "
      "saturates)";
  static const std::string kOverhang =
      "counts what ceil_mode adds behind the padding (mended by onnx 1.20; ONNX Runtime does not count it)";
  static const std::string kCap =
      "adds the mask before the scores are capped, or counts the stages of the scores that way (mended after "
      "onnx 1.20; ONNX Runtime caps first)";
  static const std::string kFourBits = "saturates to 4 bits; later versions of onnx keep the low bits";
  static const std::map<std::string, std::string> known = {
      {"test_attention_3d_with_past_and_present_qk_matmul_bias", kCap},
      {"test_attention_3d_with_past_and_present_qk_matmul_softcap", kCap},
      {"test_attention_4d_with_past_and_present_qk_matmul_bias", kCap},
      {"test_attention_4d_with_past_and_present_qk_matmul_bias_3d_mask", kCap},
      {"test_attention_4d_with_past_and_present_qk_matmul_bias_3d_mask_causal", kCap},
      {"test_attention_4d_with_past_and_present_qk_matmul_bias_4d_mask", kCap},
      {"test_attention_4d_with_past_and_present_qk_matmul_bias_4d_mask_causal", kCap},
      {"test_attention_4d_with_qk_matmul_bias", kCap},
      {"test_attention_4d_with_qk_matmul_softcap", kCap},
      {"test_averagepool_3d_dilations_large_count_include_pad_is_1_ceil_mode_is_True", kOverhang},
      {"test_cast_FLOAT16_to_INT4", kFourBits},
      {"test_cast_FLOAT16_to_UINT4", kFourBits},
      {"test_cast_FLOAT_to_INT4", kFourBits},
      {"test_cast_FLOAT_to_UINT4", kFourBits},
      {"test_castlike_BFLOAT16_to_FLOAT", kLike},
      {"test_castlike_BFLOAT16_to_FLOAT_expanded", kLike},
      {"test_castlike_FLOAT_to_BFLOAT16", kLike},
      {"test_castlike_FLOAT_to_BFLOAT16_expanded", kLike},
      {"test_l2normalization_axis_0",
       "divides 0 by 0 for a row of zeros; ONNX Runtime keeps zeros, as we do"},
      {"test_qlinearmatmul_2D_int8_float16", kWraps},
      {"test_qlinearmatmul_2D_int8_float32", kWraps},
      {"test_qlinearmatmul_3D_int8_float16", kWraps},
      {"test_qlinearmatmul_3D_int8_float32", kWraps},
      {"test_resize_downsample_scales_cubic_align_corners", kRounded},
      {"test_resize_downsample_scales_linear_align_corners", kRounded},
  };
  return known;
}

bool is_any_of(std::string_view text, std::initializer_list<std::string_view> list) {
  return std::ranges::find(list, text) != list.end();
}

/// Why a node is out of our scope; "" where it is not.
std::string out_of_scope(const Node& node) {
  const std::string& type = node.op_type();
  if (node.domain().ends_with(".training")) return "training";
  if (node.domain() == "ai.onnx.ml") return "classical machine learning (ai.onnx.ml)";
  if (node.is("Dropout") && node.graph()->opset() >= 12 && node.input(2) != nullptr)
    return "random values (training mode)";
  if (is_any_of(type, {"Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform",
                       "RandomUniformLike"})) {
    return "random values";
  }
  if (type.starts_with("Optional")) return "optional values";
  if (type.find("Sequence") != std::string::npos && type != "ReverseSequence") return "sequences of tensors";
  if (type.starts_with("String") || type == "RegexFullMatch") return "strings";
  if (type == "ImageDecoder") return "decodes image files";
  return "";
}

std::string out_of_scope(const Type& type) {
  if (!type.is_tensor()) return "a sequence, map or optional";
  return type.element == DataType::kString ? "strings" : "";
}

/// The first reason that a case is out of our scope; "" where it is not.
std::string out_of_scope(const Graph& graph) {
  std::string reason;
  const auto note = [&](std::string why) {
    if (reason.empty()) reason = std::move(why);
  };
  for (const press::Value* input : graph.inputs()) note(out_of_scope(input->type()));
  for (const press::GraphOutput& output : graph.outputs()) note(out_of_scope(output.type));
  press::for_each_node(graph, [&](Node* node) { note(out_of_scope(*node)); });
  return reason;
}

double element(const Tensor& tensor, std::size_t index) {
  switch (tensor.type()) {
    case DataType::kFloat:
      return tensor.data<float>()[index];
    case DataType::kDouble:
      return tensor.data<double>()[index];
    case DataType::kFloat16:
      return to_float(tensor.data<press::Float16>()[index]);
    case DataType::kBFloat16:
      return to_float(tensor.data<press::BFloat16>()[index]);
    default:
      return 0;
  }
}

/// "" where the tensors agree within what the element type allows.
std::string difference(const Tensor& found, const Tensor& expected) {
  if (found.type() != expected.type() || found.dims() != expected.dims()) {
    return fmt::format("expected {} {}, found {} {}", name(expected.type()),
                       press::to_string(expected.dims()), name(found.type()), press::to_string(found.dims()));
  }
  if (is_small_float(expected.type())) {  // NaN has several codes
    const std::vector<std::uint8_t> a = press::unpacked(found), b = press::unpacked(expected);
    for (std::size_t i = 0; i < a.size(); ++i) {
      const float x = press::decode(found.type(), a[i]), y = press::decode(found.type(), b[i]);
      if (a[i] != b[i] && !(std::isnan(x) && std::isnan(y))) return "the elements differ";
    }
    return "";
  }
  if (!is_floating_point(expected.type())) return found == expected ? "" : "the elements differ";
  const double relative = expected.type() == DataType::kFloat16    ? 2e-3
                          : expected.type() == DataType::kBFloat16 ? 2e-2
                                                                   : 1e-3;
  const double absolute = relative * 1e-2;
  for (std::size_t i = 0; i < static_cast<std::size_t>(expected.size()); ++i) {
    const double a = element(found, i);
    const double b = element(expected, i);
    if (a == b || (std::isnan(a) && std::isnan(b))) continue;
    if (!(std::abs(a - b) <= absolute + relative * std::abs(b))) {
      return fmt::format("element {} is {}, expected {}", i, a, b);
    }
  }
  return "";
}

/// The tensor as the graph declares it: some test data stores bfloat16 under the code of uint16.
Tensor as_declared(Tensor tensor, const Type& type) {
  if (type.element != DataType::kBFloat16 || tensor.type() != DataType::kUint16) return tensor;
  auto owner = std::make_shared<Tensor>(tensor);
  return *Tensor::from_bytes(DataType::kBFloat16, tensor.dims(), owner->bytes(), owner);
}

/// "" where what shape inference says of the outputs is true of them.
std::string misjudged(const Graph& graph, const std::vector<Tensor>& outputs) {
  const Result<press::ShapeTable> facts = press::infer_shapes(graph);
  if (!facts.ok()) return "shape inference: " + facts.error().message();
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const press::ValueFacts* found = facts->find(graph.outputs()[i].value);
    if (found == nullptr || !found->type.is_tensor()) continue;
    const Type& type = found->type;
    bool right = type.element == DataType::kUndefined || type.element == outputs[i].type();
    if (type.shape) {
      right = right && type.shape->size() == outputs[i].rank();
      for (std::size_t k = 0; right && k < type.shape->size(); ++k)
        right = !(*type.shape)[k].known() || (*type.shape)[k].value() == outputs[i].dims()[k];
    }
    if (!right) {
      return fmt::format("output {} is inferred as {}, but is {} {}", i, to_string(type),
                         name(outputs[i].type()), press::to_string(outputs[i].dims()));
    }
  }
  return "";
}

/// Runs one set of inputs; "" where all outputs are as expected.
std::string run_set(press::Session& session, const Graph& graph, const fs::path& data) {
  std::vector<Tensor> inputs;
  for (std::size_t i = 0; i < graph.inputs().size(); ++i) {
    const fs::path file = data / fmt::format("input_{}.pb", i);
    if (!fs::exists(file)) {
      inputs.emplace_back();
      continue;
    }
    Result<Tensor> input = press::load_tensor(file);
    if (!input.ok()) return input.error().message();
    inputs.push_back(as_declared(std::move(*input), graph.inputs()[i]->type()));
  }
  const Result<std::vector<Tensor>> outputs = session.run(inputs);
  if (!outputs.ok()) return outputs.error().message();
  for (std::size_t i = 0; i < outputs->size(); ++i) {
    Result<Tensor> expected = press::load_tensor(data / fmt::format("output_{}.pb", i));
    if (!expected.ok()) return expected.error().message();
    const std::string differs =
        difference((*outputs)[i], as_declared(std::move(*expected), graph.outputs()[i].type));
    if (!differs.empty()) return fmt::format("output {}: {}", i, differs);
  }
  return misjudged(graph, *outputs);
}

enum class Outcome { kPassed, kOutOfScope, kFailed };

struct CaseResult {
  Outcome outcome = Outcome::kPassed;
  std::string reason = {};
};

CaseResult run_case(const fs::path& folder, const press::SessionOptions& options) {
  const Result<press::Model> model = press::load_model(folder / "model.onnx");
  if (!model.ok()) return {Outcome::kFailed, model.error().message()};
  const Graph& graph = *model->graph;
  std::string failure;
  Result<press::Session> session = press::Session::create(graph, options);
  if (!session.ok()) failure = session.error().message();
  for (int set = 0; failure.empty(); ++set) {
    const fs::path data = folder / fmt::format("test_data_set_{}", set);
    if (!fs::exists(data)) break;
    failure = run_set(*session, graph, data);
  }
  if (failure.empty()) return {};
  if (const auto known = exceptions().find(folder.filename()); known != exceptions().end())
    return {Outcome::kOutOfScope, known->second};
  std::string scope = out_of_scope(graph);
  return scope.empty() ? CaseResult{Outcome::kFailed, failure}
                       : CaseResult{Outcome::kOutOfScope, std::move(scope)};
}

std::vector<fs::path> entries(const fs::path& folder) {
  std::vector<fs::path> paths;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    if (entry.is_directory()) paths.push_back(entry.path());
  }
  std::ranges::sort(paths);
  return paths;
}

}  // namespace

int main(int argc, char** argv) {
  press::SessionOptions options;
  std::vector<fs::path> folders;
  for (int i = 1; i < argc; ++i) {
    if (std::string_view(argv[i]) == "--reference") {
      options.reference = true;
    } else {
      folders.emplace_back(argv[i]);
    }
  }
  if (folders.empty()) folders.emplace_back(kInstalled);
  std::map<Outcome, int> counts;
  int total = 0;
  for (const fs::path& folder : folders) {
    if (!fs::is_directory(folder)) {
      fmt::print("no test data in {}; on Debian: apt install libonnx-testdata\n", folder.string());
      return 77;
    }
    for (const fs::path& kind : entries(folder)) {
      for (const fs::path& path : entries(kind)) {
        if (!fs::exists(path / "model.onnx")) continue;  // an address to download from
        const CaseResult result = run_case(path, options);
        ++counts[result.outcome];
        ++total;
        if (result.outcome == Outcome::kPassed) continue;
        fmt::print("{} {}: {}\n", result.outcome == Outcome::kFailed ? "FAILED" : "listed",
                   path.filename().string(), result.reason);
      }
    }
  }
  fmt::print("ONNX conformance: {} of {} passed, {} listed, {} failed\n", counts[Outcome::kPassed], total,
             counts[Outcome::kOutOfScope], counts[Outcome::kFailed]);
  return counts[Outcome::kFailed] == 0 ? 0 : 1;
}

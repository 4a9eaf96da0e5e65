// ONNX's own node tests (Debian: libonnx-testdata), for all operators that we execute.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <map>
#include <memory>
#include <string>

#include "press/onnx/model_io.h"
#include "press/runtime/session.h"

namespace press {
namespace {

namespace fs = std::filesystem;

constexpr const char* kTestData = "/usr/share/libonnx-testdata/data/node";

/// Cases that we do not pass, and why. Cases with an operator, type or kind of value that we cannot execute
/// at all are skipped without an entry here.
const std::map<std::string, std::string>& exceptions() {
  static const std::map<std::string, std::string> known = {
      {"test_castlike_BFLOAT16_to_FLOAT",
       "the data of input 'like' has one element where the model says 3x4"},
      {"test_castlike_BFLOAT16_to_FLOAT_expanded", "the same"},
      {"test_castlike_FLOAT_to_BFLOAT16", "the same"},
      {"test_castlike_FLOAT_to_BFLOAT16_expanded", "the same"},
      {"test_resize_downsample_scales_cubic_align_corners",
       "divides by the extent before it is rounded down; the operator's text and ONNX Runtime by the "
       "output's"},
      {"test_resize_downsample_scales_linear_align_corners", "the same"},
  };
  return known;
}

double element(const Tensor& tensor, std::size_t index) {
  switch (tensor.type()) {
    case DataType::kFloat:
      return tensor.data<float>()[index];
    case DataType::kDouble:
      return tensor.data<double>()[index];
    case DataType::kFloat16:
      return to_float(tensor.data<Float16>()[index]);
    case DataType::kBFloat16:
      return to_float(tensor.data<BFloat16>()[index]);
    default:
      return 0;
  }
}

/// "" where the tensors agree within what the element type allows.
std::string difference(const Tensor& found, const Tensor& expected) {
  if (found.type() != expected.type() || found.dims() != expected.dims()) {
    return std::string("expected ") + std::string(name(expected.type())) + " " + to_string(expected.dims()) +
           ", found " + std::string(name(found.type())) + " " + to_string(found.dims());
  }
  if (!is_floating_point(expected.type())) return found == expected ? "" : "the elements differ";
  const double relative = expected.type() == DataType::kFloat16    ? 2e-3
                          : expected.type() == DataType::kBFloat16 ? 1e-2
                                                                   : 1e-3;
  const double absolute = relative * 1e-2;
  for (std::size_t i = 0; i < static_cast<std::size_t>(expected.size()); ++i) {
    const double a = element(found, i);
    const double b = element(expected, i);
    if (std::isnan(a) && std::isnan(b)) continue;
    if (a == b) continue;
    if (!(std::abs(a - b) <= absolute + relative * std::abs(b))) {
      return "element " + std::to_string(i) + " is " + std::to_string(a) + ", expected " + std::to_string(b);
    }
  }
  return "";
}

/// The tensor as the graph declares it: the test data stores bfloat16 under the code of uint16.
Tensor as_declared(Tensor tensor, const Type& type) {
  if (type.element != DataType::kBFloat16 || tensor.type() != DataType::kUint16) return tensor;
  auto owner = std::make_shared<Tensor>(tensor);
  return *Tensor::from_bytes(DataType::kBFloat16, tensor.dims(), owner->bytes(), owner);
}

enum class Outcome { kPassed, kSkipped, kFailed };

struct CaseResult {
  Outcome outcome = Outcome::kSkipped;
  std::string message;
};

CaseResult run_case(const fs::path& folder) {
  const Result<Model> model = load_model(folder / "model.onnx");
  if (!model.ok()) return {Outcome::kFailed, model.error().message()};
  const Graph& graph = *model->graph;
  Result<Session> session = Session::create(graph);
  if (!session.ok()) {
    return {session.error().code() == ErrorCode::kUnsupported ? Outcome::kSkipped : Outcome::kFailed,
            session.error().message()};
  }
  for (int set = 0; fs::exists(folder / ("test_data_set_" + std::to_string(set))); ++set) {
    const fs::path data = folder / ("test_data_set_" + std::to_string(set));
    std::vector<Tensor> inputs;
    for (std::size_t i = 0; i < graph.inputs().size(); ++i) {
      if (!graph.inputs()[i]->type().is_tensor()) return {Outcome::kSkipped, "an input is no tensor"};
      const fs::path file = data / ("input_" + std::to_string(i) + ".pb");
      if (!fs::exists(file)) {
        inputs.emplace_back();
        continue;
      }
      Result<Tensor> input = load_tensor(file);
      if (!input.ok()) return {Outcome::kFailed, input.error().message()};
      inputs.push_back(as_declared(std::move(*input), graph.inputs()[i]->type()));
    }
    const Result<std::vector<Tensor>> outputs = session->run(inputs);
    if (!outputs.ok()) {
      return {outputs.error().code() == ErrorCode::kUnsupported ? Outcome::kSkipped : Outcome::kFailed,
              outputs.error().message()};
    }
    for (std::size_t i = 0; i < outputs->size(); ++i) {
      if (!graph.outputs()[i].type.is_tensor()) return {Outcome::kSkipped, "an output is no tensor"};
      Result<Tensor> expected = load_tensor(data / ("output_" + std::to_string(i) + ".pb"));
      if (!expected.ok()) return {Outcome::kFailed, expected.error().message()};
      const std::string differs =
          difference((*outputs)[i], as_declared(std::move(*expected), graph.outputs()[i].type));
      if (!differs.empty()) return {Outcome::kFailed, "output " + std::to_string(i) + ": " + differs};
    }
  }
  return {Outcome::kPassed, ""};
}

TEST(Conformance, NodeTests) {
  if (!fs::exists(kTestData)) GTEST_SKIP() << "needs ONNX's test data: apt install libonnx-testdata";
  std::vector<fs::path> cases;
  for (const fs::directory_entry& entry : fs::directory_iterator(kTestData)) cases.push_back(entry.path());
  std::ranges::sort(cases);
  std::map<Outcome, int> counts;
  for (const fs::path& folder : cases) {
    const CaseResult result = run_case(folder);
    const bool known = exceptions().contains(folder.filename());
    ++counts[known && result.outcome == Outcome::kFailed ? Outcome::kSkipped : result.outcome];
    if (result.outcome == Outcome::kFailed && !known) {
      ADD_FAILURE() << folder.filename().string() << ": " << result.message;
    }
    if (std::getenv("PRESS_VERBOSE") != nullptr && result.outcome == Outcome::kSkipped) {
      std::cout << "skipped " << folder.filename().string() << ": " << result.message << "\n";
    }
  }
  std::cout << "ONNX node tests: " << counts[Outcome::kPassed] << " of " << cases.size() << " passed, "
            << counts[Outcome::kSkipped] << " skipped, " << counts[Outcome::kFailed] << " failed\n";
}

}  // namespace
}  // namespace press

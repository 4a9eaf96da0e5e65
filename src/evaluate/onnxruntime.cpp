#include "press/evaluate/onnxruntime.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <cstdint>
#include <utility>

#include "press/support/text.h"

namespace press {
namespace {

// The C interface is one exported function, OrtGetApiBase(), that hands out a table of function pointers. A
// function keeps its place in the table for ever: new ones are added at the end. So the places of the few
// that are needed here, all of version 1, stand for the header, which few systems have. tests/evaluate
// compares them with the header where there is one.
enum Place : std::size_t {
  kGetErrorMessage = 2,
  kCreateEnv = 3,
  kCreateSession = 7,
  kRun = 9,
  kCreateSessionOptions = 10,
  kSetIntraOpNumThreads = 24,
  kSetInterOpNumThreads = 25,
  kCreateTensorWithDataAsOrtValue = 49,
  kGetTensorMutableData = 51,
  kGetTensorElementType = 60,
  kGetDimensionsCount = 61,
  kGetDimensions = 62,
  kGetTensorTypeAndShape = 65,
  kCreateCpuMemoryInfo = 69,
  kReleaseEnv = 92,
  kReleaseStatus = 93,
  kReleaseMemoryInfo = 94,
  kReleaseSession = 95,
  kReleaseValue = 96,
  kReleaseTensorTypeAndShapeInfo = 99,
  kReleaseSessionOptions = 100,
};
constexpr std::uint32_t kApiVersion = 8;  // of the table that is asked for: release 1.8
constexpr int kLogErrors = 3;
constexpr int kDeviceAllocator = 0;
constexpr int kDefaultMemory = 0;

struct ApiBase {
  void* const* (*table)(std::uint32_t version);
  const char* (*version)();
};

/// Calls the function at `place`; all of them but the releasing ones return a status, null for success.
template <typename... Arguments>
void* call(void* const* functions, Place place, Arguments... arguments) {
  return reinterpret_cast<void* (*)(Arguments...)>(functions[place])(arguments...);
}

void release(void* const* functions, Place place, void* object) {
  if (object != nullptr) reinterpret_cast<void (*)(void*)>(functions[place])(object);
}

/// A status as a Status; releases it.
Status checked(void* const* functions, void* status, const char* doing) {
  if (status == nullptr) return {};
  const char* words = reinterpret_cast<const char* (*)(const void*)>(functions[kGetErrorMessage])(status);
  Error error(ErrorCode::kUnsupported,
              fmt::format("ONNX Runtime, {}: {}", doing, escaped(words == nullptr ? "" : words, 400)));
  release(functions, kReleaseStatus, status);
  return error;
}

/// Something that the library made and takes back.
class Handle {
 public:
  Handle(void* const* functions, Place releaser) : functions_(functions), releaser_(releaser) {}
  Handle(Handle&& other) noexcept
      : functions_(other.functions_),
        releaser_(other.releaser_),
        object_(std::exchange(other.object_, nullptr)) {}
  Handle& operator=(Handle&&) = delete;
  ~Handle() { release(functions_, releaser_, object_); }
  void** place() { return &object_; }
  void* get() const { return object_; }

 private:
  void* const* functions_;
  Place releaser_;
  void* object_ = nullptr;
};

std::string last_loader_error() {
  const char* words = ::dlerror();
  return words == nullptr ? "no reason is given" : escaped(words, 300);
}

}  // namespace

/// A session; the tensors it hands out keep what they need of it alive.
class OnnxRuntimeEngine : public Engine {
 public:
  OnnxRuntimeEngine(std::shared_ptr<OnnxRuntime> library, const Graph& graph)
      : library_(std::move(library)),
        functions_(library_->functions_),
        graph_(graph),
        session_(functions_, kReleaseSession),
        memory_(functions_, kReleaseMemoryInfo) {}

  Status open(const std::string& path, int threads) {
    Handle options(functions_, kReleaseSessionOptions);
    PRESS_TRY(checked(functions_, call(functions_, kCreateSessionOptions, options.place()), "options"));
    PRESS_TRY(
        checked(functions_, call(functions_, kSetIntraOpNumThreads, options.get(), threads), "threads"));
    PRESS_TRY(checked(functions_, call(functions_, kSetInterOpNumThreads, options.get(), 1), "threads"));
    PRESS_TRY(checked(
        functions_, call(functions_, kCreateCpuMemoryInfo, kDeviceAllocator, kDefaultMemory, memory_.place()),
        "memory"));
    return checked(functions_,
                   call(functions_, kCreateSession, library_->environment_, path.c_str(), options.get(),
                        session_.place()),
                   "reading the model");
  }

  Result<std::vector<Tensor>> run(std::span<const Tensor> inputs) override {
    std::vector<const char*> input_names, output_names;
    std::vector<Handle> owned;
    std::vector<void*> values;
    for (std::size_t i = 0; i < inputs.size() && i < graph_.inputs().size(); ++i) {
      if (!inputs[i].defined()) continue;
      PRESS_ASSIGN(Handle value, wrapped(inputs[i]));
      input_names.push_back(graph_.inputs()[i]->name().c_str());
      values.push_back(value.get());
      owned.push_back(std::move(value));
    }
    for (const GraphOutput& output : graph_.outputs()) output_names.push_back(output.name.c_str());
    std::vector<void*> results(output_names.size(), nullptr);
    PRESS_TRY(checked(
        functions_,
        call(functions_, kRun, session_.get(), static_cast<const void*>(nullptr),
             static_cast<const char* const*>(input_names.data()), static_cast<void* const*>(values.data()),
             values.size(), static_cast<const char* const*>(output_names.data()), output_names.size(),
             results.data()),
        "running"));
    std::vector<std::shared_ptr<void>> kept;
    kept.reserve(results.size());
    for (void* result : results) {
      kept.emplace_back(
          result, [library = library_](void* value) { release(library->functions_, kReleaseValue, value); });
    }
    std::vector<Tensor> outputs;
    for (std::shared_ptr<void>& value : kept) {
      PRESS_ASSIGN(Tensor output, tensor(std::move(value)));
      outputs.push_back(std::move(output));
    }
    return outputs;
  }

 private:
  /// A value over the tensor's own bytes.
  Result<Handle> wrapped(const Tensor& tensor) {
    Handle value(functions_, kReleaseValue);
    const Dims& dims = tensor.dims();
    void* bytes = const_cast<std::byte*>(tensor.aligned_bytes());  // inputs are only read
    // Element types have the numbers of ONNX's TensorProto.
    PRESS_TRY(checked(functions_,
                      call(functions_, kCreateTensorWithDataAsOrtValue, memory_.get(), bytes,
                           static_cast<std::size_t>(byte_size(tensor.type(), tensor.size())), dims.data(),
                           dims.size(), static_cast<int>(tensor.type()), value.place()),
                      "making an input"));
    return value;
  }

  /// The library's tensor, which lives as long as ours.
  Result<Tensor> tensor(std::shared_ptr<void> value) {
    Handle info(functions_, kReleaseTensorTypeAndShapeInfo);
    PRESS_TRY(checked(functions_, call(functions_, kGetTensorTypeAndShape, value.get(), info.place()),
                      "reading an output's type"));
    int type = 0;
    std::size_t rank = 0;
    void* bytes = nullptr;
    PRESS_TRY(checked(functions_, call(functions_, kGetTensorElementType, info.get(), &type), "type"));
    PRESS_TRY(checked(functions_, call(functions_, kGetDimensionsCount, info.get(), &rank), "rank"));
    Dims dims(rank);
    PRESS_TRY(checked(functions_, call(functions_, kGetDimensions, info.get(), dims.data(), rank), "dims"));
    PRESS_TRY(checked(functions_, call(functions_, kGetTensorMutableData, value.get(), &bytes), "data"));
    const auto element = static_cast<DataType>(type);
    PRESS_ASSIGN(const std::int64_t count, element_count(dims));
    const auto size = static_cast<std::size_t>(byte_size(element, count));
    return Tensor::from_bytes(element, dims, {static_cast<const std::byte*>(bytes), size}, std::move(value));
  }

  std::shared_ptr<OnnxRuntime> library_;
  void* const* functions_;
  const Graph& graph_;
  Handle session_;
  Handle memory_;
};

Result<std::shared_ptr<OnnxRuntime>> OnnxRuntime::load(const std::string& path) {
  const std::string name = path.empty() ? "libonnxruntime.so" : path;
  std::shared_ptr<OnnxRuntime> loaded(new OnnxRuntime());
  loaded->library_ = ::dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (loaded->library_ == nullptr) {
    return Error(ErrorCode::kInput, fmt::format("cannot load ONNX Runtime: {}; --ort-library PATH names its "
                                                "shared library (libonnxruntime.so)",
                                                last_loader_error()));
  }
  auto* entry = reinterpret_cast<const ApiBase* (*)()>(::dlsym(loaded->library_, "OrtGetApiBase"));
  if (entry == nullptr) {
    return Error(ErrorCode::kInput,
                 fmt::format("{} is no library of ONNX Runtime: it has no OrtGetApiBase", quoted_path(name)));
  }
  const ApiBase* base = entry();
  loaded->version_ = base->version();
  loaded->functions_ = base->table(kApiVersion);
  if (loaded->functions_ == nullptr) {
    return Error(ErrorCode::kInput, fmt::format("{} is ONNX Runtime {}; version 1.8 or newer is needed",
                                                quoted_path(name), escaped(loaded->version_)));
  }
  PRESS_TRY(checked(loaded->functions_,
                    call(loaded->functions_, kCreateEnv, kLogErrors, "compress", &loaded->environment_),
                    "starting"));
  return loaded;
}

OnnxRuntime::~OnnxRuntime() {
  if (environment_ != nullptr) release(functions_, kReleaseEnv, environment_);
  // The library stays loaded: its threads and atexit handlers may outlive the last session.
}

EngineFactory OnnxRuntime::engine(std::shared_ptr<OnnxRuntime> library, const Graph& graph,
                                  std::string path) {
  return [library = std::move(library), &graph,
          path = std::move(path)](int threads) -> Result<std::unique_ptr<Engine>> {
    auto engine = std::make_unique<OnnxRuntimeEngine>(library, graph);
    PRESS_TRY(engine->open(path, threads));
    return std::unique_ptr<Engine>(std::move(engine));
  };
}

}  // namespace press

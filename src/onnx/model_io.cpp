#include "press/onnx/model_io.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>

#include "onnx/exporter.h"
#include "onnx/importer.h"
#include "onnx/recognize.h"
#include "press/support/atomic_file.h"
#include "press/support/mapped_file.h"
#include "press/support/text.h"

namespace press {
namespace {

using wire::Bytes;

constexpr std::uint64_t kLargestFile = std::numeric_limits<std::int32_t>::max();  // what protobuf reads
constexpr std::uint64_t kExternalAlignment = 4096;

Result<Model> import_or_explain(Bytes bytes, TensorSource& source, const LoadOptions& options = {}) {
  if (bytes.empty()) return Error(ErrorCode::kInput, "the file is empty; an ONNX model is needed");
  Result<Model> model = import_model(bytes, source, options);
  if (model.ok()) return model;
  if (const std::string kind = recognize(bytes); !kind.empty()) return Error(ErrorCode::kInput, kind);
  return model;
}

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash + 1);
}

/// A model file whose external data is in `folder`; "" allows none.
Result<Model> load_mapped(const Result<std::shared_ptr<const MappedFile>>& file, const std::string& folder,
                          const LoadOptions& options) {
  if (!file.ok()) return file.error();
  TensorSource source(*file, folder);
  return import_or_explain((*file)->bytes(), source, options);
}

/// Weights that go into a file of their own, each at the start of a page.
class ExternalWeights : public TensorSink {
 public:
  explicit ExternalWeights(std::string location) : location_(std::move(location)) {}

  std::uint64_t put(Bytes bytes) override {
    const std::uint64_t offset = (end_ + kExternalAlignment - 1) / kExternalAlignment * kExternalAlignment;
    weights_.push_back({offset, bytes});
    end_ = offset + bytes.size();
    return offset;
  }
  std::string location() const override { return location_; }

  std::uint64_t size() const { return end_; }

  /// Calls `visit(Bytes) -> Status` for the pieces of the file in order; they live as long as the weights do.
  template <typename Visit>
  Status for_each_piece(Visit&& visit) const {
    static constexpr std::array<std::byte, kExternalAlignment> kPadding{};
    std::uint64_t position = 0;
    for (const auto& [offset, bytes] : weights_) {
      PRESS_TRY(visit(Bytes(kPadding).first(static_cast<std::size_t>(offset - position))));
      PRESS_TRY(visit(bytes));
      position = offset + bytes.size();
    }
    return {};
  }

 private:
  std::string location_;
  std::vector<std::pair<std::uint64_t, Bytes>> weights_;
  std::uint64_t end_ = 0;
};

/// Writes pieces many at a time and lets go of the pages they came from, so that memory does not fill with
/// weights already written.
class PieceWriter {
 public:
  explicit PieceWriter(AtomicFile& file) : file_(file) {}

  /// `bytes` must live until finish().
  Status add(Bytes bytes) {
    while (!bytes.empty()) {
      const Bytes piece = bytes.first(std::min(bytes.size(), kBatch));
      pieces_.push_back(piece);
      size_ += piece.size();
      bytes = bytes.subspan(piece.size());
      if (size_ >= kBatch) PRESS_TRY(finish());
    }
    return {};
  }

  Status finish() {
    PRESS_TRY(file_.write(pieces_));
    for (const Bytes piece : pieces_) MappedFile::release(piece);
    pieces_.clear();
    size_ = 0;
    return {};
  }

 private:
  static constexpr std::size_t kBatch = std::size_t{8} << 20;
  AtomicFile& file_;
  std::vector<Bytes> pieces_;
  std::size_t size_ = 0;
};

/// All pieces of `source`, a message or weights.
template <typename Source>
Status write_pieces(AtomicFile& file, const Source& source) {
  PRESS_TRY(file.reserve(source.size()));
  PieceWriter writer(file);
  PRESS_TRY(source.for_each_piece([&](Bytes bytes) { return writer.add(bytes); }));
  return writer.finish();
}

/// Hashes all tensors one by one, so that a fingerprint finds the hashes ready and memory holds one tensor at
/// a time.
void hash_and_release(const Graph& graph) {
  const auto visit = [](const Tensor* tensor) {
    if (tensor == nullptr || tensor->type() == DataType::kString) return;
    [[maybe_unused]] const std::uint64_t hash = tensor->hash();
    MappedFile::release(tensor->bytes());
  };
  for (const Value* value : graph.values()) visit(value->tensor());
  for (const Node* node : graph.nodes()) {
    for (const Attribute& attribute : node->attributes()) visit(std::get_if<Tensor>(&attribute.value));
    for (const Graph* inner : node->subgraphs()) hash_and_release(*inner);
  }
}

/// Reads back what was written to temporary files.
Status check_written(const Model& model, const AtomicFile& file, const AtomicFile* weights,
                     const std::string& location) {
  PRESS_ASSIGN(const std::shared_ptr<const MappedFile> mapped, MappedFile::open(file.temporary_path()));
  TensorSource source(mapped, {});
  if (weights != nullptr) {
    PRESS_ASSIGN(std::shared_ptr<const MappedFile> data, MappedFile::open(weights->temporary_path()));
    source.provide(location, std::move(data));
  }
  PRESS_ASSIGN(const Model read, import_model(mapped->bytes(), source));
  if (weights != nullptr || mapped->bytes().size() >= MappedFile::kWorthReleasing) {
    hash_and_release(*model.graph);
    hash_and_release(*read.graph);
  }
  if (fingerprint(*model.graph) != fingerprint(*read.graph)) {
    return Error(ErrorCode::kInternal, "the file that was read back is not the model that was written");
  }
  return {};
}

Error too_large(std::uint64_t size) {
  return {ErrorCode::kOutput,
          fmt::format("the model has {} bytes, and one ONNX file holds {} at most; keep the "
                      "weights in external data",
                      size, kLargestFile)};
}

Status save_file(const Model& model, const std::string& path, const SaveOptions& options) {
  Model storage;
  const Model& prepared = prepared_for_export(model, storage);
  const std::string location = path.substr(path.rfind('/') + 1) + ".data";
  ExternalWeights weights(location);
  wire::Message message =
      export_model(prepared, options.weights == WeightStore::kExternal ? &weights : nullptr);
  bool external = options.weights == WeightStore::kExternal;
  if (message.size() > kLargestFile && options.weights == WeightStore::kAuto) {
    external = true;
    message = export_model(prepared, &weights);
  }
  if (message.size() > kLargestFile) return too_large(message.size());

  const AtomicFile::Options file_options{options.overwrite, options.inputs};
  PRESS_ASSIGN(AtomicFile file, AtomicFile::create(path, file_options));
  PRESS_TRY(write_pieces(file, message));
  file.start_flush();  // the disk writes while we read back
  if (!external) {
    if (options.check) PRESS_TRY(check_written(prepared, file, nullptr, location));
    PRESS_TRY(file.flush());
    return file.commit();
  }
  PRESS_ASSIGN(AtomicFile data, AtomicFile::create(path + ".data", file_options));
  PRESS_TRY(write_pieces(data, weights));
  data.start_flush();
  if (options.check) PRESS_TRY(check_written(prepared, file, &data, location));
  PRESS_TRY(data.flush());
  PRESS_TRY(file.flush());
  PRESS_TRY(data.commit());
  return file.commit();
}

}  // namespace

Result<Model> load_model(const std::string& path, const LoadOptions& options) {
  if (path == "-")
    return load_mapped(MappedFile::standard_input(), {}, options).with_context("loading standard input");
  return load_mapped(MappedFile::open(path), folder_of(path), options)
      .with_context(fmt::format("loading {}", quoted_path(path)));
}

Result<Tensor> load_tensor(const std::string& path) {
  const auto load = [&]() -> Result<Tensor> {
    PRESS_ASSIGN(const std::shared_ptr<const MappedFile> file, MappedFile::open(path));
    TensorSource source(file, folder_of(path));
    PRESS_ASSIGN(NamedTensor named, read_tensor({file->bytes()}, source));
    return std::move(named.tensor);
  };
  return load().with_context(fmt::format("loading {}", quoted(path)));
}

Result<Model> model_from_bytes(std::span<const std::byte> bytes, std::shared_ptr<const void> owner,
                               const std::string& folder) {
  TensorSource source(std::move(owner), folder);
  return import_or_explain(bytes, source);
}

Result<Model> model_from_bytes(std::string bytes, const std::string& folder) {
  const auto owner = std::make_shared<const std::string>(std::move(bytes));
  return model_from_bytes(wire::as_bytes(*owner), owner, folder);
}

Status save_model(const Model& model, const std::string& path, const SaveOptions& options) {
  return save_file(model, path, options).with_context(fmt::format("writing {}", quoted_path(path)));
}

Status write_model(const Model& model, const std::function<Status(std::span<const std::byte>)>& sink) {
  Model storage;
  const Model& prepared = prepared_for_export(model, storage);
  const wire::Message message = export_model(prepared, nullptr);
  if (message.size() > kLargestFile) return too_large(message.size());
  return message.for_each_piece(sink);
}

Result<std::string> model_to_bytes(const Model& model) {
  std::string text;
  PRESS_TRY(write_model(model, [&](Bytes bytes) -> Status {
    text.append(wire::as_text(bytes));
    return {};
  }));
  return text;
}

std::int64_t serialized_size(const Model& model) {
  Model storage;
  return static_cast<std::int64_t>(export_model(prepared_for_export(model, storage), nullptr).size());
}

}  // namespace press

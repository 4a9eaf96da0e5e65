// ONNX's TensorProto and SparseTensorProto to tensors and back.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "onnx/wire.h"
#include "press/ir/tensor.h"
#include "press/support/mapped_file.h"

namespace press {

/// What tensors are read from: the model's bytes and the files beside it.
class TensorSource {
 public:
  /// `owner` keeps the model's bytes alive; `folder` holds external data, "" means that there is none.
  TensorSource(std::shared_ptr<const void> owner, std::string folder)
      : owner_(std::move(owner)), folder_(std::move(folder)) {}

  const std::shared_ptr<const void>& owner() const { return owner_; }
  /// The external file `location`, mapped once. Errors: see MappedFile::open_inside.
  Result<std::shared_ptr<const MappedFile>> file(const std::string& location);
  /// Takes `file` for the external file `location`.
  void provide(std::string location, std::shared_ptr<const MappedFile> file) {
    files_.insert_or_assign(std::move(location), std::move(file));
  }

 private:
  std::shared_ptr<const void> owner_;
  std::string folder_;
  std::map<std::string, std::shared_ptr<const MappedFile>> files_;
};

/// Puts long tensors aside while a model is written.
class TensorSink {
 public:
  virtual ~TensorSink() = default;
  /// The offset that the bytes will have in the external file.
  virtual std::uint64_t put(wire::Bytes bytes) = 0;
  /// Its name beside the model.
  virtual std::string location() const = 0;
};

/// Bytes from which on a tensor may be stored outside the model.
constexpr std::size_t kExternalFrom = 1024;

struct NamedTensor {
  std::string_view name;
  Tensor tensor;
  std::string extras;  // fields that the tensor does not carry: doc string, metadata, newer ones
};

/// Errors: bytes that do not match type and dims, unknown element types, external data that cannot be had.
Result<NamedTensor> read_tensor(const wire::Parts& message, TensorSource& source);
wire::Message write_tensor(const Tensor& tensor, std::string_view name, std::string_view extras,
                           TensorSink* sink);

struct SparseInitializer {
  std::string_view name;
  Tensor dense;
  std::string encoded;  // the SparseTensorProto without the name, self-contained
};

/// Errors: as for read_tensor(), and indices out of range or a dense form that is too large.
Result<SparseInitializer> read_sparse_tensor(wire::Bytes message, TensorSource& source);
wire::Message write_sparse_tensor(std::string_view encoded, std::string_view name);

}  // namespace press

#include "onnx/tensor_proto.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <limits>

#include "onnx/schema.h"
#include "press/support/text.h"

namespace press {
namespace {

using schema::entry::kKey;
using schema::entry::kValue;
using namespace schema::tensor;
using wire::Bytes;
using wire::Field;
using wire::Type;

constexpr std::size_t kHighestRank = 64;
constexpr std::int64_t kLargestDense = std::int64_t{1} << 30;  // bytes of a sparse tensor in dense form

Error malformed(std::string message) {
  return {ErrorCode::kInput, std::move(message)};
}

std::string_view data_field_name(std::uint32_t number) {
  switch (number) {
    case kFloatData:
      return "float_data";
    case kInt32Data:
      return "int32_data";
    case kStringData:
      return "string_data";
    case kInt64Data:
      return "int64_data";
    case kDoubleData:
      return "double_data";
    default:
      return "uint64_data";
  }
}

bool is_data_field(std::uint32_t number) {
  return number == kFloatData || number == kInt32Data || number == kStringData || number == kInt64Data ||
         number == kDoubleData || number == kUint64Data;
}

/// The field that holds elements of a type where they are not in raw_data.
std::uint32_t data_field(DataType type) {
  switch (type) {
    case DataType::kFloat:
    case DataType::kComplex64:
      return kFloatData;
    case DataType::kDouble:
    case DataType::kComplex128:
      return kDoubleData;
    case DataType::kString:
      return kStringData;
    case DataType::kInt64:
      return kInt64Data;
    case DataType::kUint32:
    case DataType::kUint64:
      return kUint64Data;
    default:
      return kInt32Data;
  }
}

struct Location {
  std::string path;
  std::int64_t offset = 0;
  std::int64_t length = -1;  // negative: not given
};

Result<std::int64_t> parse_count(std::string_view key, std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) {
    return malformed(
        fmt::format("external data has {} {}, but a number of bytes from 0 on is needed", key, quoted(text)));
  }
  return value;
}

/// A TensorProto with its head read and its data not yet looked at.
struct Head {
  Dims dims;
  std::int64_t type = 0;
  std::string_view name;
  bool has_raw = false;
  Bytes raw;
  bool external = false;
  Location location;
  std::uint32_t data_number = 0;  // the typed field that holds something; 0: none
  bool ambiguous = false;         // more than one typed field holds something
  std::string extras;
};

Status read_location_entry(Bytes message, Location& location) {
  std::string_view key, value;
  PRESS_TRY(wire::for_each_field(message, [&](const Field& field) -> Status {
    if (field.is(kKey, Type::kLength)) key = field.text();
    if (field.is(kValue, Type::kLength)) value = field.text();
    return {};
  }));
  if (key == "location") location.path = value;
  if (key == "offset") {
    PRESS_ASSIGN(location.offset, parse_count(key, value));
  }
  if (key == "length") {
    PRESS_ASSIGN(location.length, parse_count(key, value));
  }
  return {};
}

Result<Head> read_head(const wire::Parts& message) {
  Head head;
  PRESS_TRY(wire::for_each_field(message, [&](const Field& field) -> Status {
    if (field.number == kDims && (field.type == Type::kVarint || field.type == Type::kLength)) {
      return wire::for_each_varint(
          field, [&](std::uint64_t dim) { head.dims.push_back(static_cast<std::int64_t>(dim)); });
    }
    if (field.is(kDataType, Type::kVarint)) {
      head.type = static_cast<std::int32_t>(field.value);
    } else if (field.is(kName, Type::kLength)) {
      head.name = field.text();
    } else if (field.is(kRawData, Type::kLength)) {
      head.has_raw = true;
      head.raw = field.payload;
    } else if (field.is(kDataLocation, Type::kVarint)) {
      head.external = field.value == kExternalLocation;
    } else if (field.is(kExternalData, Type::kLength)) {
      return read_location_entry(field.payload, head.location);
    } else if (is_data_field(field.number)) {
      const bool holds_something =
          field.type != Type::kLength || field.number == kStringData || !field.payload.empty();
      if (!holds_something) return {};
      head.ambiguous = head.ambiguous || (head.data_number != 0 && head.data_number != field.number);
      head.data_number = field.number;
    } else {
      head.extras.append(wire::as_text(field.whole));
    }
    return {};
  }));
  return head;
}

/// Appends the low `width` bytes of `value`.
void put(std::byte*& target, std::uint64_t value, std::size_t width) {
  std::memcpy(target, &value, width);
  target += width;
}

/// The elements of a fixed-width field (float_data, double_data), which lie in the file as they do in memory.
Result<Tensor> read_fixed(const wire::Parts& message, Head& head, std::size_t width, TensorSource& source) {
  const auto type = static_cast<DataType>(head.type);
  std::vector<Bytes> pieces;
  std::uint64_t size = 0;
  PRESS_TRY(wire::for_each_field(message, [&](const Field& field) -> Status {
    if (field.number != head.data_number) return {};
    const bool single = field.type == (width == 4 ? Type::kFixed32 : Type::kFixed64);
    if (!single && field.type != Type::kLength)
      return malformed("a list of numbers is encoded in the wrong way");
    pieces.push_back(single ? field.whole.last(width) : field.payload);
    size += pieces.back().size();
    return {};
  }));
  if (pieces.size() == 1)
    return Tensor::from_bytes(type, std::move(head.dims), pieces.front(), source.owner());
  auto joined = std::make_shared<std::vector<std::byte>>();
  joined->reserve(static_cast<std::size_t>(size));
  for (const Bytes piece : pieces) joined->insert(joined->end(), piece.begin(), piece.end());
  const Bytes bytes(*joined);
  return Tensor::from_bytes(type, std::move(head.dims), bytes, std::move(joined));
}

/// The elements of a field of varints; types below 8 bits stand there byte by byte.
Result<Tensor> read_varints(const wire::Parts& message, Head& head) {
  const auto type = static_cast<DataType>(head.type);
  PRESS_ASSIGN(const std::int64_t elements, element_count(head.dims));
  const std::int64_t expected = bit_width(type) < 8 ? byte_size(type, elements) : elements;
  std::int64_t found = 0;
  const auto each = [&](const auto& visit) {
    return wire::for_each_field(message, [&](const Field& field) -> Status {
      return field.number == head.data_number ? wire::for_each_varint(field, visit) : Status();
    });
  };
  PRESS_TRY(each([&](std::uint64_t) { ++found; }));
  if (found != expected) {
    return malformed(fmt::format("{} {} elements need {} values in {}, but there are {}",
                                 to_string(head.dims), name(type), expected,
                                 data_field_name(data_field(type)), found));
  }
  PRESS_ASSIGN(Tensor tensor, Tensor::allocate(type, std::move(head.dims)));
  std::byte* target = tensor.mutable_bytes().data();
  const std::size_t width = std::max<std::size_t>(1, static_cast<std::size_t>(bit_width(type)) / 8);
  PRESS_TRY(each([&](std::uint64_t value) { put(target, value, width); }));
  return tensor;
}

Result<Tensor> read_strings(const wire::Parts& message, Head& head) {
  std::vector<std::string> strings;
  PRESS_TRY(wire::for_each_field(message, [&](const Field& field) -> Status {
    if (field.is(kStringData, Type::kLength)) strings.emplace_back(field.text());
    return {};
  }));
  return Tensor::from_strings(std::move(head.dims), std::move(strings));
}

Result<Tensor> read_external(Head& head, TensorSource& source) {
  const auto type = static_cast<DataType>(head.type);
  const Location& location = head.location;
  if (location.path.empty()) return malformed("external data has no location");
  PRESS_ASSIGN(const std::int64_t elements, element_count(head.dims));
  if (elements > std::numeric_limits<std::int64_t>::max() / 16) {
    return malformed(fmt::format("shape {} has too many elements", to_string(head.dims)));
  }
  const std::int64_t needed = byte_size(type, elements);
  PRESS_ASSIGN(const std::shared_ptr<const MappedFile> file, source.file(location.path));
  const auto size = static_cast<std::int64_t>(file->bytes().size());
  const std::int64_t length = location.length < 0 ? needed : location.length;
  if (location.offset > size || length > size - location.offset) {
    return malformed(
        fmt::format("external data is said to be {} bytes at offset {} of {}, which has {} bytes", length,
                    location.offset, quoted(location.path), size));
  }
  const Bytes bytes =
      file->bytes().subspan(static_cast<std::size_t>(location.offset), static_cast<std::size_t>(length));
  return Tensor::from_bytes(type, std::move(head.dims), bytes, file);
}

Result<Tensor> read_data(const wire::Parts& message, Head& head, TensorSource& source) {
  const auto type = static_cast<DataType>(head.type);
  if (head.dims.size() > kHighestRank) {
    return malformed(
        fmt::format("a tensor has {} dimensions, and there can be {}", head.dims.size(), kHighestRank));
  }
  PRESS_TRY(element_count(head.dims));
  if (bit_width(type) == 0 && type != DataType::kString) {
    return Error(ErrorCode::kUnsupported, fmt::format("element type {} is not known", head.type));
  }
  if (head.external) {
    if (type == DataType::kString) return malformed("strings cannot be external data");
    return read_external(head, source);
  }
  // Where raw_data and a typed field both hold something, every reader of ONNX takes raw_data.
  if (type != DataType::kString && head.has_raw && (head.data_number == 0 || !head.raw.empty())) {
    return Tensor::from_bytes(type, std::move(head.dims), head.raw, source.owner());
  }
  if (head.has_raw && !head.raw.empty()) return malformed("strings cannot stand in raw_data");
  if (head.ambiguous) return malformed("values stand in more than one field");
  if (head.data_number != 0 && head.data_number != data_field(type)) {
    return malformed(fmt::format("{} elements belong into {} or raw_data, but they stand in {}", name(type),
                                 data_field_name(data_field(type)), data_field_name(head.data_number)));
  }
  if (type == DataType::kString) return read_strings(message, head);
  if (head.data_number == kFloatData) return read_fixed(message, head, 4, source);
  if (head.data_number == kDoubleData) return read_fixed(message, head, 8, source);
  return read_varints(message, head);
}

}  // namespace

Result<std::shared_ptr<const MappedFile>> TensorSource::file(const std::string& location) {
  const auto found = files_.find(location);
  if (found != files_.end()) return found->second;
  if (folder_.empty()) {
    return malformed(
        fmt::format("external data in {} cannot be read, because the model does not come from a folder",
                    quoted(location)));
  }
  PRESS_ASSIGN(std::shared_ptr<const MappedFile> file,
               MappedFile::open_inside(folder_, location)
                   .with_context("external data, which belongs into the model's folder"));
  files_.emplace(location, file);
  return file;
}

Result<NamedTensor> read_tensor(const wire::Parts& message, TensorSource& source) {
  PRESS_ASSIGN(Head head, read_head(message));
  PRESS_ASSIGN(Tensor tensor, read_data(message, head, source));
  return NamedTensor{head.name, std::move(tensor), std::move(head.extras)};
}

wire::Message write_tensor(const Tensor& tensor, std::string_view name, std::string_view extras,
                           TensorSink* sink) {
  wire::Message message;
  for (const std::int64_t dim : tensor.dims()) message.add_integer(kDims, dim);
  message.add_integer(kDataType, static_cast<std::int32_t>(tensor.type()));
  if (!name.empty()) message.add_text(kName, name);
  if (tensor.type() == DataType::kString) {
    for (const std::string& text : tensor.strings()) message.add_text(kStringData, text);
  } else if (sink != nullptr && tensor.bytes().size() >= kExternalFrom) {
    const std::array<std::pair<std::string_view, std::string>, 3> entries = {
        {{"location", sink->location()},
         {"offset", std::to_string(sink->put(tensor.bytes()))},
         {"length", std::to_string(tensor.bytes().size())}}};
    for (const auto& [key, value] : entries) {
      wire::Message pair;
      pair.add_text(kKey, key);
      pair.add_text(kValue, value);
      message.add_message(kExternalData, pair);
    }
    message.add_varint(kDataLocation, kExternalLocation);
  } else {
    message.add_bytes(kRawData, tensor.bytes());
  }
  message.add_fields(extras);
  return message;
}

// -- sparse tensors
// ------------------------------------------------------------------------------------------------

namespace {

/// Copies `values` to the places that `indices` name: [count] of flat positions or [count, rank] of
/// coordinates.
Status scatter(const Tensor& values, const Tensor& indices, Tensor& dense) {
  const std::int64_t count = values.size();
  const std::size_t rank = dense.rank();
  const bool flat = indices.dims() == Dims{count};
  if (values.rank() != 1 || indices.type() != DataType::kInt64 ||
      (!flat && indices.dims() != Dims{count, static_cast<std::int64_t>(rank)})) {
    return malformed(
        fmt::format("a sparse tensor needs a list of values and int64 indices for each; found {} values "
                    "and {} indices of type {}",
                    to_string(values.dims()), to_string(indices.dims()), name(indices.type())));
  }
  const auto width = static_cast<std::size_t>(bit_width(values.type())) / 8;
  const std::span<const std::int64_t> places = indices.data<std::int64_t>();
  const std::span<std::byte> target = dense.mutable_bytes();
  for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
    std::int64_t place = flat ? places[i] : 0;
    for (std::size_t axis = 0; !flat && axis < rank; ++axis) {
      const std::int64_t index = places[i * rank + axis];
      if (index < 0 || index >= dense.dims()[axis]) place = -1;
      if (place >= 0) place = place * dense.dims()[axis] + index;
    }
    if (place < 0 || place >= dense.size()) {
      return malformed(
          fmt::format("index {} of a sparse tensor is outside its shape {}", i, to_string(dense.dims())));
    }
    std::memcpy(target.data() + static_cast<std::size_t>(place) * width, values.bytes().data() + i * width,
                width);
  }
  return {};
}

}  // namespace

Result<SparseInitializer> read_sparse_tensor(Bytes message, TensorSource& source) {
  using namespace schema::sparse;
  wire::Parts values_message, indices_message;
  Dims dims;
  std::string extras;
  PRESS_TRY(wire::for_each_field(message, [&](const Field& field) -> Status {
    if (field.is(kValues, Type::kLength)) {
      values_message.push_back(field.payload);
    } else if (field.is(kIndices, Type::kLength)) {
      indices_message.push_back(field.payload);
    } else if (field.number == schema::sparse::kDims) {
      return wire::for_each_varint(
          field, [&](std::uint64_t dim) { dims.push_back(static_cast<std::int64_t>(dim)); });
    } else {
      extras.append(wire::as_text(field.whole));
    }
    return {};
  }));
  PRESS_ASSIGN(const NamedTensor values, read_tensor(values_message, source).with_context("values"));
  PRESS_ASSIGN(const NamedTensor indices, read_tensor(indices_message, source).with_context("indices"));
  const int bits = bit_width(values.tensor.type());
  if (bits == 0 || bits % 8 != 0) {
    return Error(ErrorCode::kUnsupported,
                 fmt::format("sparse tensors of {} are not supported", name(values.tensor.type())));
  }
  PRESS_ASSIGN(const std::int64_t count, element_count(dims));
  if (count > kLargestDense / (bits / 8)) {
    return Error(ErrorCode::kUnsupported,
                 fmt::format("a sparse tensor of shape {} is too large: its dense form may "
                             "have up to {} bytes",
                             to_string(dims), kLargestDense));
  }
  PRESS_ASSIGN(Tensor dense, Tensor::allocate(values.tensor.type(), dims));
  std::ranges::fill(dense.mutable_bytes(), std::byte{0});
  PRESS_TRY(scatter(values.tensor, indices.tensor, dense));

  wire::Message encoded;
  encoded.add_message(kValues, write_tensor(values.tensor, {}, values.extras, nullptr));
  encoded.add_message(kIndices, write_tensor(indices.tensor, indices.name, indices.extras, nullptr));
  for (const std::int64_t dim : dims) encoded.add_integer(schema::sparse::kDims, dim);
  encoded.add_fields(extras);
  return SparseInitializer{values.name, std::move(dense), encoded.to_string()};
}

wire::Message write_sparse_tensor(std::string_view encoded, std::string_view name) {
  wire::Message message;
  [[maybe_unused]] const Status status =
      wire::for_each_field(wire::as_bytes(encoded), [&](const Field& field) -> Status {
        if (!field.is(schema::sparse::kValues, Type::kLength)) {
          message.add_fields(wire::as_text(field.whole));
          return {};
        }
        wire::Message values;
        values.add_text(kName, name);
        values.add_fields(field.text());
        message.add_message(schema::sparse::kValues, values);
        return {};
      });
  return message;
}

}  // namespace press

#include "calibrate/npy.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <limits>
#include <utility>

#include "calibrate/numbers.h"
#include "press/support/text.h"

namespace press {

namespace {
using namespace std::string_view_literals;

constexpr std::string_view kMagic = "\x93NUMPY"sv;

struct ElementCode {
  std::string_view code;  // of NumPy, without the byte order
  DataType type;
};
constexpr std::array kElementCodes = {
    ElementCode{"f2", DataType::kFloat16}, ElementCode{"f4", DataType::kFloat},
    ElementCode{"f8", DataType::kDouble},  ElementCode{"i1", DataType::kInt8},
    ElementCode{"i2", DataType::kInt16},   ElementCode{"i4", DataType::kInt32},
    ElementCode{"i8", DataType::kInt64},   ElementCode{"u1", DataType::kUint8},
    ElementCode{"u2", DataType::kUint16},  ElementCode{"u4", DataType::kUint32},
    ElementCode{"u8", DataType::kUint64},  ElementCode{"b1", DataType::kBool},
};

std::string_view skip_spaces(std::string_view text) {
  const std::size_t at = text.find_first_not_of(" \t\n");
  return at == std::string_view::npos ? ""sv : text.substr(at);
}

/// What stands behind `'key':` in the header's Python dictionary.
std::optional<std::string_view> value_of(std::string_view header, std::string_view key) {
  const std::size_t at = header.find(fmt::format("'{}'", key));
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view rest = skip_spaces(header.substr(at + key.size() + 2));
  return rest.starts_with(':') ? std::optional(skip_spaces(rest.substr(1))) : std::nullopt;
}

/// "(3, 4)", "(3,)", "()".
std::optional<Dims> parse_shape(std::string_view text) {
  if (!text.starts_with('(')) return std::nullopt;
  Dims dims;
  for (text = skip_spaces(text.substr(1)); !text.starts_with(')');) {
    std::int64_t dim = 0;
    const auto [stop, code] = std::from_chars(text.data(), text.data() + text.size(), dim);
    if (code != std::errc() || dim < 0) return std::nullopt;
    dims.push_back(dim);
    text = skip_spaces(text.substr(static_cast<std::size_t>(stop - text.data())));
    if (text.starts_with(',')) {
      text = skip_spaces(text.substr(1));
    } else if (!text.starts_with(')')) {
      return std::nullopt;
    }
  }
  return dims;
}

Result<DataType> parse_element_type(std::string_view text) {
  const std::string_view item = text.substr(0, std::min(text.find_first_of(",}"), text.size()));
  const std::string_view descr = item.size() == 5 ? item.substr(1, 3) : item;  // "<f4" of "'<f4'"
  for (const ElementCode& known : kElementCodes) {
    if (descr.size() != 3 || descr.substr(1) != known.code) continue;
    if (descr[0] != '>') return known.type;
    return Error(ErrorCode::kInput, fmt::format("elements of type {} are big-endian: save it with "
                                                "array.astype(array.dtype.newbyteorder('<'))",
                                                press::quoted(descr)));
  }
  return Error(ErrorCode::kInput,
               fmt::format("elements of type {} are not supported: use bool, integers or floats",
                           press::quoted(descr)));
}
}  // namespace

bool is_npy(std::string_view text) {
  return text.starts_with(kMagic);
}

Result<Tensor> parse_npy(const FileBytes& file) {
  const Error malformed(ErrorCode::kInput, "malformed NPY header");
  const std::string_view text = file.text();
  if (!is_npy(text) || text.size() < 12) return malformed;
  const auto byte = [&](std::size_t i) {
    return static_cast<std::size_t>(static_cast<unsigned char>(text[i]));
  };
  // Version 1 has a length of 2 bytes, later ones of 4.
  const bool long_form = byte(6) >= 2;
  const std::size_t begin = long_form ? 12 : 10;
  const std::size_t length = byte(8) | byte(9) << 8 | (long_form ? byte(10) << 16 | byte(11) << 24 : 0);
  if (length > text.size() - begin) return malformed;
  const std::string_view header = text.substr(begin, length);

  const auto descr = value_of(header, "descr");
  const auto fortran = value_of(header, "fortran_order");
  const auto shape = value_of(header, "shape");
  const std::optional<Dims> dims = shape ? parse_shape(*shape) : std::nullopt;
  if (!descr || !fortran || !dims) return malformed;
  PRESS_ASSIGN(const DataType type, parse_element_type(*descr));
  if (!fortran->starts_with("False") && dims->size() > 1) {
    return Error(ErrorCode::kInput,
                 "the array is in Fortran order: save it with numpy.ascontiguousarray(array)");
  }
  return Tensor::from_bytes(type, *dims, file.bytes.subspan(begin + length), file.owner);
}

Result<std::vector<std::int64_t>> to_labels(const Tensor& array) {
  const Error wrong(ErrorCode::kInput, fmt::format("labels must be integers of rank 1, these are {} {}",
                                                   to_string(array.dims()), name(array.type())));
  if (array.rank() != 1 || !is_integer(array.type())) return wrong;
  PRESS_ASSIGN(const Tensor wide, convert_elements(array, DataType::kInt64));
  const std::span<const std::int64_t> values = wide.data<std::int64_t>();
  for (const std::int64_t value : values) {
    if (value < 0) return Error(ErrorCode::kInput, fmt::format("label {} is negative", value));
  }
  return std::vector<std::int64_t>(values.begin(), values.end());
}

namespace {
/// nullopt where the value does not fit.
template <typename To, typename From>
std::optional<To> convert_integer(From value) {
  if constexpr (std::is_same_v<From, bool>) {
    return static_cast<To>(value);
  } else if constexpr (std::is_same_v<To, bool>) {
    return value == 0 || value == 1 ? std::optional(value == 1) : std::nullopt;
  } else {
    return std::in_range<To>(value) ? std::optional(static_cast<To>(value)) : std::nullopt;
  }
}

template <typename To, typename From>
Result<Tensor> convert(const Tensor& tensor) {
  PRESS_ASSIGN(Tensor result, Tensor::allocate(data_type_of<To>(), tensor.dims()));
  const std::span<const From> source = tensor.data<From>();
  const std::span<To> target = result.mutable_data<To>();
  for (std::size_t i = 0; i < source.size(); ++i) {
    if constexpr (std::is_integral_v<To> && std::is_integral_v<From>) {
      const std::optional<To> value = convert_integer<To>(source[i]);
      if (!value) {
        return Error(ErrorCode::kInput, fmt::format("the {} {} does not fit into {}", name(tensor.type()),
                                                    source[i], name(data_type_of<To>())));
      }
      target[i] = *value;
    } else {
      target[i] = convert_number<To>(source[i]);
    }
  }
  return result;
}
}  // namespace

Result<Tensor> convert_elements(const Tensor& tensor, DataType type) {
  if (tensor.type() == type) return tensor;
  return with_number_type(tensor.type(), [&]<typename From>() {
    return with_number_type(type, [&]<typename To>() -> Result<Tensor> {
      if constexpr (std::is_integral_v<To> && !std::is_integral_v<From>) {
        return Error(ErrorCode::kInput, fmt::format("{} numbers do not become {}: save them as {}",
                                                    name(tensor.type()), name(type), name(type)));
      } else {
        return convert<To, From>(tensor);
      }
    });
  });
}

}  // namespace press

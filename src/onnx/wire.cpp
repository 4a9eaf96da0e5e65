#include "onnx/wire.h"

#include <fmt/format.h>

#include <array>
#include <bit>

namespace press::wire {
namespace {

constexpr std::size_t kCopiedBytes = 1024;
constexpr std::size_t kDeepestGroup = 100;

Error damaged(std::string message) {
  return {ErrorCode::kInput, std::move(message)};
}

Error no_field() {
  return damaged("there is no valid field: the file is damaged or no ONNX model");
}

}  // namespace

Result<std::uint64_t> Reader::varint() {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < 10; ++i) {
    if (i == rest_.size())
      return damaged(
          "the data ends inside a number: the file is cut short or damaged; copy or export it again");
    const auto byte = std::to_integer<std::uint64_t>(rest_[i]);
    value |= (byte & 0x7f) << (7 * i);
    if (byte < 0x80) {
      rest_ = rest_.subspan(i + 1);
      return value;
    }
  }
  return damaged("a number has more than ten bytes: the file is damaged or no ONNX model");
}

Result<Bytes> Reader::take(std::uint64_t size) {
  if (size > rest_.size()) {
    return damaged(
        fmt::format("a field needs {} bytes, but only {} are left: the file is cut short or damaged; copy or "
                    "export it again",
                    size, rest_.size()));
  }
  const Bytes taken = rest_.first(static_cast<std::size_t>(size));
  rest_ = rest_.subspan(taken.size());
  return taken;
}

Result<Field> Reader::next() {
  const Bytes start = rest_;
  PRESS_ASSIGN(const std::uint64_t tag, varint());
  if (tag >> 32 != 0 || tag >> 3 == 0) return no_field();
  Field field;
  field.number = static_cast<std::uint32_t>(tag >> 3);
  field.type = static_cast<Type>(tag & 7);
  switch (field.type) {
    case Type::kVarint: {
      PRESS_ASSIGN(field.value, varint());
      break;
    }
    case Type::kFixed64: {
      PRESS_ASSIGN(const Bytes bytes, take(8));
      std::memcpy(&field.value, bytes.data(), 8);
      break;
    }
    case Type::kFixed32: {
      PRESS_ASSIGN(const Bytes bytes, take(4));
      std::memcpy(&field.value, bytes.data(), 4);
      break;
    }
    case Type::kLength: {
      PRESS_ASSIGN(const std::uint64_t size, varint());
      PRESS_ASSIGN(field.payload, take(size));
      break;
    }
    case Type::kGroup:
      PRESS_TRY(skip_group(field.number));
      break;
    default:
      return no_field();
  }
  field.whole = start.first(start.size() - rest_.size());
  return field;
}

Status Reader::skip_group(std::uint32_t number) {
  std::vector<std::uint32_t> open{number};
  while (!open.empty()) {
    PRESS_ASSIGN(const std::uint64_t tag, varint());
    if (tag >> 32 != 0 || tag >> 3 == 0) return no_field();
    const auto inner = static_cast<std::uint32_t>(tag >> 3);
    std::uint64_t size = 0;
    switch (static_cast<Type>(tag & 7)) {
      case Type::kVarint:
        PRESS_TRY(varint());
        break;
      case Type::kFixed64:
        size = 8;
        break;
      case Type::kFixed32:
        size = 4;
        break;
      case Type::kLength: {
        PRESS_ASSIGN(size, varint());
        break;
      }
      case Type::kGroup:
        if (open.size() == kDeepestGroup) return damaged("groups are nested too deeply: the file is damaged");
        open.push_back(inner);
        break;
      case Type::kEndGroup:
        if (inner != open.back()) return damaged("a group ends that was not open: the file is damaged");
        open.pop_back();
        break;
      default:
        return no_field();
    }
    PRESS_TRY(take(size));
  }
  return {};
}

namespace {

/// A number as it stands in a message.
struct Varint {
  explicit Varint(std::uint64_t value) {
    while (value >= 0x80) {
      bytes[size++] = static_cast<char>(value | 0x80);
      value >>= 7;
    }
    bytes[size++] = static_cast<char>(value);
  }
  std::array<char, 10> bytes;
  std::size_t size = 0;
};

}  // namespace

void Message::put_varint(std::uint64_t value) {
  const Varint varint(value);
  own_.append(varint.bytes.data(), varint.size);
}

void Message::put_length_at(const Mark& start) {
  const Varint length(own_.size() - start.own + borrowed_size_ - start.borrowed_size);
  own_.insert(start.own, length.bytes.data(), length.size);
  for (std::size_t i = start.borrowed; i < borrowed_.size(); ++i) borrowed_[i].position += length.size;
}

void Message::put_tag(std::uint32_t number, Type type) {
  put_varint(std::uint64_t{number} << 3 | static_cast<std::uint64_t>(type));
}

void Message::add_varint(std::uint32_t number, std::uint64_t value) {
  put_tag(number, Type::kVarint);
  put_varint(value);
}

void Message::add_float(std::uint32_t number, float value) {
  put_tag(number, Type::kFixed32);
  const auto bytes = std::bit_cast<std::array<char, 4>>(value);
  own_.append(bytes.data(), bytes.size());
}

void Message::add_text(std::uint32_t number, std::string_view text) {
  put_tag(number, Type::kLength);
  put_varint(text.size());
  own_.append(text);
}

void Message::add_bytes(std::uint32_t number, Bytes bytes) {
  if (bytes.size() <= kCopiedBytes) {
    add_text(number, as_text(bytes));
    return;
  }
  put_tag(number, Type::kLength);
  put_varint(bytes.size());
  borrowed_.push_back({own_.size(), bytes});
  borrowed_size_ += bytes.size();
}

void Message::add_message(std::uint32_t number, const Message& message) {
  put_tag(number, Type::kLength);
  put_varint(message.size());
  add_message_fields(message);
}

void Message::add_message_fields(const Message& message) {
  for (const Borrowed& borrowed : message.borrowed_) {
    borrowed_.push_back({own_.size() + borrowed.position, borrowed.bytes});
  }
  borrowed_size_ += message.borrowed_size_;
  own_.append(message.own_);
}

std::string Message::to_string() const {
  std::string text;
  text.reserve(static_cast<std::size_t>(size()));
  [[maybe_unused]] const Status status = for_each_piece([&](Bytes bytes) -> Status {
    text.append(as_text(bytes));
    return {};
  });
  return text;
}

}  // namespace press::wire

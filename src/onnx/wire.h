// Protobuf's wire format, read and written in place.
//
// Model files are walked field by field where they are mapped, and only what the graph needs is looked at:
// tensors stay where they are, fields that we do not know keep their bytes, and no size is bound to what one
// message in memory may hold. A message is a list of parts, because the format joins messages by putting
// their bytes one after another.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "press/support/result.h"

namespace press::wire {

using Bytes = std::span<const std::byte>;
using Parts = std::vector<Bytes>;

enum class Type : std::uint8_t {
  kVarint = 0,
  kFixed64 = 1,
  kLength = 2,
  kGroup = 3,
  kEndGroup = 4,
  kFixed32 = 5
};

struct Field {
  std::uint32_t number = 0;
  Type type = Type::kVarint;
  std::uint64_t value = 0;  // of kVarint, kFixed64, kFixed32
  Bytes payload;            // of kLength
  Bytes whole;              // tag and all

  bool is(std::uint32_t wanted_number, Type wanted) const {
    return number == wanted_number && type == wanted;
  }
  std::string_view text() const { return {reinterpret_cast<const char*>(payload.data()), payload.size()}; }
  std::int64_t integer() const { return static_cast<std::int64_t>(value); }
};

/// Reads the fields of one part. Errors (kInput): bytes that are no fields, fields that run past the end.
class Reader {
 public:
  explicit Reader(Bytes bytes) : rest_(bytes) {}
  bool done() const { return rest_.empty(); }
  Result<Field> next();
  Result<std::uint64_t> varint();

 private:
  Status skip_group(std::uint32_t number);
  Result<Bytes> take(std::uint64_t size);

  Bytes rest_;
};

/// Calls `visit(field) -> Status` for every field of a message.
template <typename Visit>
Status for_each_field(Bytes bytes, Visit&& visit) {
  Reader reader(bytes);
  while (!reader.done()) {
    PRESS_ASSIGN(const Field field, reader.next());
    PRESS_TRY(visit(field));
  }
  return {};
}

template <typename Visit>
Status for_each_field(const Parts& parts, Visit&& visit) {
  for (const Bytes part : parts) PRESS_TRY(for_each_field(part, visit));
  return {};
}

/// Calls `visit(std::uint64_t)` for every element of a repeated integer field, packed or not.
template <typename Visit>
Status for_each_varint(const Field& field, Visit&& visit) {
  if (field.type == Type::kVarint) visit(field.value);
  if (field.type != Type::kLength) return {};
  Reader reader(field.payload);
  while (!reader.done()) {
    PRESS_ASSIGN(const std::uint64_t value, reader.varint());
    visit(value);
  }
  return {};
}

inline std::string_view as_text(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
inline Bytes as_bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

/// A message that is being built: bytes of its own, and long bytes of tensors that it only points at and that
/// must outlive it.
class Message {
 public:
  std::uint64_t size() const { return own_.size() + borrowed_size_; }
  bool empty() const { return size() == 0; }

  void add_varint(std::uint32_t number, std::uint64_t value);
  void add_integer(std::uint32_t number, std::int64_t value) {
    add_varint(number, static_cast<std::uint64_t>(value));
  }
  void add_float(std::uint32_t number, float value);
  void add_text(std::uint32_t number, std::string_view text);
  /// Points at long `bytes`, copies short ones.
  void add_bytes(std::uint32_t number, Bytes bytes);
  void add_message(std::uint32_t number, const Message& message);
  /// A message of the fields that `fill()` adds to this one meanwhile; needs no memory of its own.
  template <typename Fill>
  void add_nested(std::uint32_t number, Fill&& fill) {
    put_tag(number, Type::kLength);
    const Mark start{own_.size(), borrowed_.size(), borrowed_size_};
    fill();
    put_length_at(start);
  }
  /// The fields of another message.
  void add_message_fields(const Message& message);
  /// Fields that are encoded already.
  void add_fields(std::string_view fields) { own_.append(fields); }

  /// Calls `visit(Bytes) -> Status` for the pieces in order.
  template <typename Visit>
  Status for_each_piece(Visit&& visit) const {
    std::size_t position = 0;
    for (const Borrowed& borrowed : borrowed_) {
      PRESS_TRY(visit(as_bytes(own_).subspan(position, borrowed.position - position)));
      PRESS_TRY(visit(borrowed.bytes));
      position = borrowed.position;
    }
    return visit(as_bytes(own_).subspan(position));
  }

  /// All of it in one string.
  std::string to_string() const;

 private:
  struct Borrowed {
    std::size_t position;  // in own_
    Bytes bytes;
  };
  struct Mark {
    std::size_t own, borrowed;
    std::uint64_t borrowed_size;
  };
  /// Writes how long all is that came since `start`, in front of it.
  void put_length_at(const Mark& start);
  void put_varint(std::uint64_t value);
  void put_tag(std::uint32_t number, Type type);

  std::string own_;
  std::vector<Borrowed> borrowed_;
  std::uint64_t borrowed_size_ = 0;
};

}  // namespace press::wire

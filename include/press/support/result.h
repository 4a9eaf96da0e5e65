// Errors as values: every function that can fail for a reason outside this library returns Result<T> or
// Status.
//
// An Error carries a closed code (the command line maps it to an exit code, see docs/errors.md), one
// sentence, and the chain of what was being done, outermost first: "loading 'a.onnx': node 'Conv_3': scale
// input is not constant". A broken invariant of our own is an assert, never an Error.
#pragma once

#include <cassert>
#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace press {

enum class ErrorCode {
  kUsage,         // the request itself makes no sense: flags, recipe, a value out of range
  kInput,         // a file that was to be read is missing, unreadable or malformed
  kUnsupported,   // the model is well-formed, but needs what we do not have
  kTargetMissed,  // an accuracy, size or latency target was not reached
  kOutput,        // a file could not be written
  kInternal,      // a bug of ours, caught
  kInterrupted,   // stopped by the user
};

class [[nodiscard]] Error {
 public:
  Error(ErrorCode code, std::string message) : code_(code), message_(std::move(message)) {}

  ErrorCode code() const { return code_; }
  /// The whole chain in one line.
  const std::string& message() const { return message_; }

  /// The same error, with what was being done put in front.
  Error with_context(const std::string& doing) && {
    message_ = doing + ": " + message_;
    return std::move(*this);
  }

 private:
  ErrorCode code_;
  std::string message_;
};

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::move(value)) {}      // NOLINT(google-explicit-constructor): `return value;`
  Result(Error error) : state_(std::move(error)) {}  // NOLINT(google-explicit-constructor): `return error;`

  bool ok() const { return std::holds_alternative<T>(state_); }
  explicit operator bool() const { return ok(); }

  T& value() & { return *value_pointer(); }
  const T& value() const& { return const_cast<Result*>(this)->value(); }
  T&& value() && { return std::move(*value_pointer()); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return value_pointer(); }
  const T* operator->() const { return &value(); }

  const Error& error() const& { return *std::get_if<Error>(&state_); }
  Error&& error() && { return std::move(*std::get_if<Error>(&state_)); }

  Result with_context(const std::string& doing) && {
    if (ok()) return std::move(*this);
    return std::move(*this).error().with_context(doing);
  }

 private:
  T* value_pointer() {
    assert(ok());
    return std::get_if<T>(&state_);
  }

  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT(google-explicit-constructor): `return error;`

  bool ok() const { return !error_.has_value(); }
  explicit operator bool() const { return ok(); }
  const Error& error() const& { return *error_; }
  Error&& error() && { return std::move(*error_); }

  Result with_context(const std::string& doing) && {
    if (ok()) return {};
    return std::move(*error_).with_context(doing);
  }

 private:
  std::optional<Error> error_;
};

using Status = Result<void>;

}  // namespace press

#define PRESS_CONCAT_INNER(a, b) a##b
#define PRESS_CONCAT(a, b) PRESS_CONCAT_INNER(a, b)

/// Leaves the function with the error of a Status or Result, if it has one.
#define PRESS_TRY(expression)                                       \
  do {                                                              \
    auto press_status = (expression);                               \
    if (!press_status.ok()) return std::move(press_status).error(); \
  } while (false)

/// `PRESS_ASSIGN(auto x, f());` declares or assigns x, or leaves the function with the error of f().
#define PRESS_ASSIGN(target, expression) \
  PRESS_ASSIGN_INNER(PRESS_CONCAT(press_result_, __LINE__), target, expression)
#define PRESS_ASSIGN_INNER(result, target, expression) \
  auto result = (expression);                          \
  if (!result.ok()) return std::move(result).error();  \
  target = std::move(result).value()

// Text that hardly any object has: empty, it takes a pointer's place.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace press {

class RareText {
 public:
  RareText() = default;
  RareText(std::string text) { *this = std::move(text); }  // NOLINT(google-explicit-constructor)
  RareText(const RareText& other) : RareText(other.text()) {}
  RareText(RareText&&) noexcept = default;
  ~RareText() = default;
  RareText& operator=(const RareText& other) { return *this = std::string(other.text()); }
  RareText& operator=(RareText&&) noexcept = default;
  RareText& operator=(std::string text) {
    text_ = text.empty() ? nullptr : std::make_unique<std::string>(std::move(text));
    return *this;
  }

  const std::string& text() const {
    static const std::string none;
    return text_ != nullptr ? *text_ : none;
  }
  operator std::string_view() const { return text(); }  // NOLINT(google-explicit-constructor)
  bool empty() const { return text_ == nullptr; }
  void clear() { text_.reset(); }

 private:
  std::unique_ptr<std::string> text_;
};

}  // namespace press

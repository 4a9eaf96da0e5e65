#include "table.h"

#include <algorithm>

namespace press {
namespace {

bool continues_character(char c) {
  return (static_cast<unsigned char>(c) & 0xC0U) == 0x80;
}

/// Code points; good enough for names, which rarely hold anything wide.
std::size_t width_of(const std::string& text) {
  return text.size() - static_cast<std::size_t>(std::count_if(text.begin(), text.end(), continues_character));
}

/// The end of a name tells more than its beginning: "…/layer3/conv2".
std::string cut(const std::string& text, std::size_t widest) {
  const std::size_t width = width_of(text);
  if (width <= widest) return text;
  std::size_t at = 0;
  for (std::size_t skip = width - widest + 1; skip > 0; --skip) {
    do {
      ++at;
    } while (at < text.size() && continues_character(text[at]));
  }
  return "…" + text.substr(at);
}

}  // namespace

std::string Table::text(std::size_t indent) const {
  std::vector<std::size_t> widths;
  for (std::size_t c = 0; c < columns_.size(); ++c) {
    std::size_t width = width_of(columns_[c].title);
    for (const auto& row : rows_) width = std::max(width, width_of(cut(row[c], columns_[c].widest)));
    widths.push_back(width);
  }
  std::string result;
  const auto add_line = [&](const auto& cell_of) {
    std::string line(indent, ' ');
    for (std::size_t c = 0; c < columns_.size(); ++c) {
      const std::string cell = cell_of(c);
      const std::string padding(widths[c] - width_of(cell), ' ');
      if (c > 0) line += "  ";
      line += columns_[c].align == Align::kRight ? padding + cell : cell + padding;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    result += line + '\n';
  };
  add_line([&](std::size_t c) { return columns_[c].title; });
  add_line([&](std::size_t c) { return std::string(widths[c], '-'); });
  for (const auto& row : rows_) {
    add_line([&](std::size_t c) { return cut(row[c], columns_[c].widest); });
  }
  return result;
}

}  // namespace press

// Einsum and Det.
#include <algorithm>
#include <cctype>
#include <cmath>
#include <map>

#include "ops/shapes.h"
#include "runtime/kernels/arguments.h"
#include "runtime/kernels/kernels.h"
#include "runtime/kernels/support.h"

namespace press::kernels {

namespace {

/// An equation of Einsum with the ellipsis written out: axes are numbers, those of the ellipsis first.
struct Equation {
  std::vector<std::vector<int>> terms;  // the axes of each operand
  std::vector<int> result;
};

/// Axes that letters stand for come behind the axes of the ellipsis.
int axis_of(char letter, std::size_t ellipsis) {
  return static_cast<int>(ellipsis) + static_cast<unsigned char>(letter);
}

/// The axes of one term; `rank` tells how many axes its ellipsis covers (of `ellipsis`, the most of all).
Result<std::vector<int>> parse_term(std::string_view term, std::size_t rank, std::size_t ellipsis) {
  std::vector<int> axes;
  std::size_t letters = 0;
  for (const char c : term) letters += c != '.' ? 1 : 0;
  for (std::size_t i = 0; i < term.size(); ++i) {
    if (std::isalpha(static_cast<unsigned char>(term[i])) != 0) {
      axes.push_back(axis_of(term[i], ellipsis));
    } else if (term.substr(i, 3) == "..." && rank >= letters && rank - letters <= ellipsis) {
      for (std::size_t k = ellipsis - (rank - letters); k < ellipsis; ++k)
        axes.push_back(static_cast<int>(k));
      i += 2;
    } else {
      return reject("term '{}' of the equation cannot be read", term);
    }
  }
  if (axes.size() != rank) return reject("term '{}' does not fit an operand of {} dims", term, rank);
  return axes;
}

Result<Equation> parse(std::string text, const std::vector<const Tensor*>& operands) {
  std::erase(text, ' ');
  const std::size_t arrow = text.find("->");
  std::vector<std::string> terms(1);
  for (const char c : text.substr(0, arrow)) {
    if (c == ',') {
      terms.emplace_back();
    } else {
      terms.back() += c;
    }
  }
  if (terms.size() != operands.size())
    return reject("'{}' has {} terms for {} operands", text, terms.size(), operands.size());
  std::size_t ellipsis = 0;
  for (std::size_t i = 0; i < terms.size(); ++i) {
    const std::size_t letters = terms[i].size() - static_cast<std::size_t>(std::ranges::count(terms[i], '.'));
    if (letters < terms[i].size() && operands[i]->rank() >= letters)
      ellipsis = std::max(ellipsis, operands[i]->rank() - letters);
  }
  Equation equation;
  std::map<int, int> uses;
  for (std::size_t i = 0; i < terms.size(); ++i) {
    PRESS_ASSIGN(std::vector<int> axes, parse_term(terms[i], operands[i]->rank(), ellipsis));
    for (const int axis : axes) ++uses[axis];
    equation.terms.push_back(std::move(axes));
  }
  if (arrow != std::string::npos) {
    const std::string result = text.substr(arrow + 2);
    const std::size_t letters = result.size() - static_cast<std::size_t>(std::ranges::count(result, '.'));
    PRESS_ASSIGN(equation.result,
                 parse_term(result, letters < result.size() ? letters + ellipsis : letters, ellipsis));
  } else {  // the axes of the ellipsis, then the letters that occur once, in the order of the alphabet
    for (const auto& [axis, count] : uses) {
      if (axis < static_cast<int>(ellipsis) || count == 1) equation.result.push_back(axis);
    }
  }
  for (const int axis : equation.result) {
    if (!uses.contains(axis) || std::ranges::count(equation.result, axis) != 1)
      return reject("the result of '{}' names an axis that no term has, or one twice", text);
  }
  return equation;
}

/// How an operand is walked: its stride along each axis of the whole loop.
using Strides = std::vector<std::int64_t>;

template <typename T>
void contract(const std::vector<const Tensor*>& operands, const Dims& extents,
              const std::vector<Strides>& strides, std::size_t kept, T* out) {
  const std::size_t count = operands.size();
  std::vector<const T*> data;
  data.reserve(count);
  for (const Tensor* operand : operands) data.push_back(operand->data<T>().data());
  const std::int64_t outputs = product(extents, 0, kept), sums = product(extents, kept);
  Dims index(extents.size(), 0);
  std::vector<std::int64_t> at(count, 0);
  const auto advance = [&](std::size_t first, std::size_t last) {
    for (std::size_t axis = last; axis-- > first;) {
      for (std::size_t k = 0; k < count; ++k) at[k] += strides[k][axis];
      if (++index[axis] < extents[axis]) return;
      for (std::size_t k = 0; k < count; ++k) at[k] -= strides[k][axis] * extents[axis];
      index[axis] = 0;
    }
  };
  using Sum = std::conditional_t<std::is_floating_point_v<T>, double, std::uint64_t>;
  for (std::int64_t i = 0; i < outputs; ++i) {
    Sum sum = 0;
    for (std::int64_t j = 0; j < sums; ++j) {
      Sum term = 1;
      for (std::size_t k = 0; k < count; ++k) term *= static_cast<Sum>(data[k][at[k]]);
      sum += term;
      advance(kept, extents.size());
    }
    out[i] = static_cast<T>(sum);
    advance(0, kept);
  }
}

}  // namespace

/// Sums of products over the axes that the equation leaves out of its result.
Status einsum(KernelContext& context) {
  std::vector<const Tensor*> operands;
  for (std::size_t i = 0; i < context.input_count(); ++i) {
    PRESS_ASSIGN(const Tensor* operand, required(context, i));
    if (i > 0) PRESS_TRY(same_type(*operands[0], *operand));
    operands.push_back(operand);
  }
  if (operands.empty()) return reject("there are no operands");
  PRESS_ASSIGN(const Equation equation, parse(context.node().string_attribute("equation", ""), operands));
  // The loop runs over the result's axes, then over those that are summed.
  std::vector<int> axes = equation.result;
  std::map<int, std::int64_t> extent;
  for (std::size_t k = 0; k < operands.size(); ++k) {
    for (std::size_t i = 0; i < equation.terms[k].size(); ++i) {
      const int axis = equation.terms[k][i];
      const std::int64_t dim = operands[k]->dims()[i];
      const auto [found, added] = extent.emplace(axis, dim);
      if (!added && found->second != dim && found->second != 1 && dim != 1)
        return reject("one axis has {} and {} elements", found->second, dim);
      if (found->second == 1) found->second = dim;
      if (std::ranges::find(axes, axis) == axes.end()) axes.push_back(axis);
    }
  }
  Dims extents;
  for (const int axis : axes) extents.push_back(extent[axis]);
  PRESS_TRY(element_count(extents));
  std::vector<Strides> strides;
  for (std::size_t k = 0; k < operands.size(); ++k) {
    const Dims own = strides_of(operands[k]->dims());
    Strides walk(axes.size(), 0);
    for (std::size_t i = 0; i < own.size(); ++i) {
      if (operands[k]->dims()[i] == 1) continue;
      walk[static_cast<std::size_t>(std::ranges::find(axes, equation.terms[k][i]) - axes.begin())] += own[i];
    }
    strides.push_back(std::move(walk));
  }
  const std::size_t kept = equation.result.size();
  const DataType type = operands[0]->type();
  return dispatch_numbers(context, type, [&]<typename T>() -> Status {
    PRESS_ASSIGN(Tensor * target,
                 context.allocate_output(
                     0, type, Dims(extents.begin(), extents.begin() + static_cast<std::ptrdiff_t>(kept))));
    contract<T>(operands, extents, strides, kept, target->mutable_data<T>().data());
    return {};
  });
}

/// The determinant of each matrix, by Gaussian elimination with the largest pivot of the column.
Status det(KernelContext& context) {
  PRESS_ASSIGN(const Tensor* input, required(context, 0, DataType::kFloat));
  const Dims& dims = input->dims();
  if (dims.size() < 2 || dims[dims.size() - 1] != dims[dims.size() - 2])
    return reject("the input is {}, expected square matrices", to_string(dims));
  const std::int64_t n = dims.back();
  PRESS_ASSIGN(Tensor * target,
               context.allocate_output(0, DataType::kFloat, Dims(dims.begin(), dims.end() - 2)));
  const std::span<float> out = target->mutable_data<float>();
  for (std::size_t i = 0; i < out.size(); ++i) {
    const float* from = input->data<float>().data() + static_cast<std::int64_t>(i) * n * n;
    std::vector<double> m(from, from + n * n);
    const auto at = [&](std::int64_t row, std::int64_t column) -> double& {
      return m[static_cast<std::size_t>(row * n + column)];
    };
    double result = 1;
    for (std::int64_t k = 0; k < n; ++k) {
      std::int64_t pivot = k;
      for (std::int64_t row = k + 1; row < n; ++row) {
        if (std::abs(at(row, k)) > std::abs(at(pivot, k))) pivot = row;
      }
      if (pivot != k) {
        for (std::int64_t column = 0; column < n; ++column) std::swap(at(pivot, column), at(k, column));
        result = -result;
      }
      result *= at(k, k);
      if (at(k, k) == 0) break;
      for (std::int64_t row = k + 1; row < n; ++row) {
        const double factor = at(row, k) / at(k, k);
        for (std::int64_t column = k; column < n; ++column) at(row, column) -= factor * at(k, column);
      }
    }
    out[i] = static_cast<float>(result);
  }
  return {};
}

}  // namespace press::kernels

#include "runtime/kernels/support.h"

#include <algorithm>
#include <cstring>

#include "ops/shapes.h"

namespace press::kernels {

Status same_type(const Tensor& a, const Tensor& b) {
  if (a.type() == b.type()) return {};
  return reject("the inputs are of different types, {} and {}", name(a.type()), name(b.type()));
}

Error unsupported_type(const KernelContext& context, DataType type) {
  return {ErrorCode::kUnsupported,
          fmt::format("cannot execute operator '{}' on {}", context.node().op_type(), name(type))};
}

Result<std::vector<std::int64_t>> integers(const Tensor& tensor) {
  if (tensor.type() == DataType::kInt64) {
    const std::span<const std::int64_t> data = tensor.data<std::int64_t>();
    return std::vector<std::int64_t>(data.begin(), data.end());
  }
  if (tensor.type() == DataType::kInt32) {
    const std::span<const std::int32_t> data = tensor.data<std::int32_t>();
    return std::vector<std::int64_t>(data.begin(), data.end());
  }
  return reject("expected integers, found {}", name(tensor.type()));
}

Result<std::int64_t> single_integer(const Tensor& tensor) {
  if (tensor.size() != 1) return reject("expected one element, found {}", tensor.size());
  PRESS_ASSIGN(const std::vector<std::int64_t> values, integers(tensor));
  return values.front();
}

Result<double> single_number(const Tensor& tensor) {
  if (tensor.size() != 1) return reject("expected one element, found {}", tensor.size());
  if (tensor.type() == DataType::kFloat) return static_cast<double>(tensor.data<float>()[0]);
  if (tensor.type() == DataType::kDouble) return tensor.data<double>()[0];
  if (tensor.type() == DataType::kFloat16) return static_cast<double>(to_float(tensor.data<Float16>()[0]));
  PRESS_ASSIGN(const std::int64_t value, single_integer(tensor));
  return static_cast<double>(value);
}

Result<std::optional<std::vector<std::int64_t>>> list_argument(const KernelContext& context,
                                                               const char* attribute, std::size_t input,
                                                               std::int64_t since) {
  using List = std::optional<std::vector<std::int64_t>>;
  if (context.opset() < since) {
    return context.node().has_attribute(attribute) ? List(context.node().ints_attribute(attribute)) : List();
  }
  const Tensor* tensor = input < context.input_count() ? context.input(input) : nullptr;
  if (tensor == nullptr) return List();
  PRESS_ASSIGN(std::vector<std::int64_t> values, integers(*tensor));
  return List(std::move(values));
}

Dims strides_of(const Dims& dims) {
  Dims strides(dims.size(), 1);
  for (std::size_t i = dims.size(); i-- > 1;) strides[i - 1] = strides[i] * dims[i];
  return strides;
}

std::int64_t span_count(const Dims& dims, std::size_t first, std::size_t last) {
  std::int64_t count = 1;
  for (std::size_t i = first; i < last; ++i) count *= dims[i];
  return count;
}

Result<std::size_t> element_width(const KernelContext& context, DataType type) {
  const int bits = bit_width(type);
  if (bits == 0 || bits % 8 != 0 || bits > 64) return unsupported_type(context, type);
  return static_cast<std::size_t>(bits / 8);
}

Result<BroadcastLoop> BroadcastLoop::plan(std::initializer_list<const Dims*> operands) {
  BroadcastLoop loop;
  for (const Dims* operand : operands) {
    PRESS_ASSIGN(loop.dims_, broadcast_dims(loop.dims_, *operand));
  }
  PRESS_ASSIGN(loop.count_, element_count(loop.dims_));
  const std::size_t rank = loop.dims_.size();
  std::vector<Dims> strides;  // full rank, 0 where an operand is stretched
  for (const Dims* operand : operands) {
    const Dims own = strides_of(*operand);
    Dims stretched(rank, 0);
    const std::size_t offset = rank - operand->size();
    for (std::size_t i = 0; i < operand->size(); ++i) {
      if ((*operand)[i] != 1) stretched[offset + i] = own[i];
    }
    strides.push_back(std::move(stretched));
  }
  loop.strides_.resize(strides.size());
  for (std::size_t axis = 0; axis < rank; ++axis) {
    const std::int64_t extent = loop.dims_[axis];
    if (extent == 1) continue;
    bool merges = !loop.extents_.empty();
    for (std::size_t k = 0; k < strides.size() && merges; ++k) {
      merges = loop.strides_[k].back() == strides[k][axis] * extent;
    }
    if (merges) {
      loop.extents_.back() *= extent;
      for (std::size_t k = 0; k < strides.size(); ++k) loop.strides_[k].back() = strides[k][axis];
    } else {
      loop.extents_.push_back(extent);
      for (std::size_t k = 0; k < strides.size(); ++k) loop.strides_[k].push_back(strides[k][axis]);
    }
  }
  if (loop.extents_.empty()) {
    loop.extents_.push_back(1);
    for (Dims& own : loop.strides_) own.push_back(0);
  }
  return loop;
}

namespace {

constexpr std::int64_t kTile = 32;

/// Axes of extent 1 dropped, axes that run on in both tensors merged; innermost last, at least one.
StridedCopy merged(const StridedCopy& copy) {
  StridedCopy result{
      .extents = {}, .from = {}, .to = {}, .from_offset = copy.from_offset, .to_offset = copy.to_offset};
  for (std::size_t i = 0; i < copy.extents.size(); ++i) {
    if (copy.extents[i] == 1) continue;
    if (!result.extents.empty() && result.from.back() == copy.from[i] * copy.extents[i] &&
        result.to.back() == copy.to[i] * copy.extents[i]) {
      result.extents.back() *= copy.extents[i];
      result.from.back() = copy.from[i];
      result.to.back() = copy.to[i];
    } else {
      result.extents.push_back(copy.extents[i]);
      result.from.push_back(copy.from[i]);
      result.to.push_back(copy.to[i]);
    }
  }
  if (result.extents.empty()) {
    result.extents = {1};
    result.from = result.to = {1};
  }
  return result;
}

/// Calls body(from, to, index on the last of them) for every position of the axes in front of the last
/// `inner` ones.
template <typename Body>
void for_each_outer(const StridedCopy& copy, std::size_t inner, std::int64_t cost, int threads,
                    const Body& body) {
  const std::size_t outer = copy.extents.size() - inner;
  const std::int64_t count = span_count(copy.extents, 0, outer);
  const std::int64_t grain = std::max<std::int64_t>(1, kElementGrain / std::max<std::int64_t>(cost, 1));
  parallel_for(threads, count, grain, [&](std::int64_t begin, std::int64_t end) {
    Dims index(outer, 0);
    std::int64_t from = copy.from_offset, to = copy.to_offset;
    std::int64_t rest = begin;
    for (std::size_t axis = outer; axis-- > 0;) {
      index[axis] = rest % copy.extents[axis];
      rest /= copy.extents[axis];
      from += index[axis] * copy.from[axis];
      to += index[axis] * copy.to[axis];
    }
    for (std::int64_t i = begin; i < end; ++i) {
      body(from, to, outer > 0 ? index.back() : 0);
      for (std::size_t axis = outer; axis-- > 0;) {
        from += copy.from[axis];
        to += copy.to[axis];
        if (++index[axis] < copy.extents[axis]) break;
        from -= index[axis] * copy.from[axis];
        to -= index[axis] * copy.to[axis];
        index[axis] = 0;
      }
    }
  });
}

template <typename T>
void copy_typed(StridedCopy copy, const T* source, T* target, int threads) {
  const std::size_t last = copy.extents.size() - 1;
  const std::int64_t count = copy.extents[last];
  const std::int64_t from_step = copy.from[last], to_step = copy.to[last];
  const auto unit = std::ranges::find(copy.from, 1);
  if (to_step == 1 && from_step != 1 && from_step != 0 && unit != copy.from.end()) {
    // A transposition: the axis that is contiguous in the source goes next to the one contiguous in the
    // target.
    const auto axis = static_cast<std::size_t>(unit - copy.from.begin());
    for (Dims* list : {&copy.extents, &copy.from, &copy.to}) {
      std::rotate(list->begin() + static_cast<std::ptrdiff_t>(axis),
                  list->begin() + static_cast<std::ptrdiff_t>(axis) + 1, list->end() - 1);
    }
    const std::int64_t rows = copy.extents[last - 1], row_step = copy.to[last - 1];
    // Tiles of rows become an axis of their own, so that one large matrix is shared by the threads too.
    StridedCopy tiled = copy;
    tiled.extents[last - 1] = (rows + kTile - 1) / kTile;
    tiled.from[last - 1] = kTile;
    tiled.to[last - 1] = kTile * row_step;
    for_each_outer(tiled, 1, kTile * count, threads,
                   [&](std::int64_t from, std::int64_t to, std::int64_t tile) {
                     const std::int64_t height = std::min(kTile, rows - tile * kTile);
                     for (std::int64_t begin = 0; begin < count; begin += kTile) {
                       const std::int64_t end = std::min(begin + kTile, count);
                       for (std::int64_t row = 0; row < height; ++row) {
                         const T* in = source + from + row;
                         T* out = target + to + row * row_step;
                         for (std::int64_t i = begin; i < end; ++i) out[i] = in[i * from_step];
                       }
                     }
                   });
    return;
  }
  for_each_outer(copy, 1, count, threads, [&](std::int64_t from, std::int64_t to, std::int64_t) {
    const T* in = source + from;
    T* out = target + to;
    if (from_step == 1 && to_step == 1) {
      std::memcpy(out, in, static_cast<std::size_t>(count) * sizeof(T));
    } else if (from_step == 0 && to_step == 1) {
      std::fill_n(out, count, *in);
    } else {
      for (std::int64_t i = 0; i < count; ++i) out[i * to_step] = in[i * from_step];
    }
  });
}
}  // namespace

void copy_strided(const StridedCopy& copy, const std::byte* source, std::byte* target, std::size_t width,
                  int threads) {
  if (std::ranges::find(copy.extents, 0) != copy.extents.end()) return;
  const StridedCopy flat = merged(copy);
  const auto typed = [&]<typename T>() {
    copy_typed(flat, reinterpret_cast<const T*>(source), reinterpret_cast<T*>(target), threads);
  };
  if (width == 1) typed.template operator()<std::uint8_t>();
  if (width == 2) typed.template operator()<std::uint16_t>();
  if (width == 4) typed.template operator()<std::uint32_t>();
  if (width == 8) typed.template operator()<std::uint64_t>();
}

}  // namespace press::kernels

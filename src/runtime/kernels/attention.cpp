// Attention and RotaryEmbedding of ONNX's opsets 23 to 25.
//
// Attention: softmax(scale · Q Kᵀ + mask) V for each batch entry and head; heads of K and V may serve several
// heads of Q (grouped queries). Q, K and V are [batch, heads, sequence, size] or [batch, sequence, heads ·
// size].
#include <algorithm>
#include <cmath>
#include <limits>

#include "runtime/kernels/arguments.h"
#include "runtime/kernels/kernels.h"
#include "runtime/kernels/support.h"

namespace press::kernels {

namespace {

constexpr float kMasked = -std::numeric_limits<float>::infinity();

/// A tensor of heads: where element (batch, head, position, i) stands.
struct Heads {
  std::int64_t batch = 0, heads = 0, length = 0, size = 0;
  bool merged = false;  // heads · size is one dim, behind the sequence
  const float* data = nullptr;

  const float* row(std::int64_t b, std::int64_t h, std::int64_t position) const {
    return data + (merged ? ((b * length + position) * heads + h) * size
                          : ((b * heads + h) * length + position) * size);
  }
  Dims dims() const { return merged ? Dims{batch, length, heads * size} : Dims{batch, heads, length, size}; }
};

Result<Heads> heads_of(const KernelContext& context, std::size_t index, const char* count_attribute) {
  PRESS_ASSIGN(const Tensor* tensor, required(context, index, DataType::kFloat));
  const Dims& dims = tensor->dims();
  const float* data = tensor->data<float>().data();
  if (dims.size() == 4) return Heads{dims[0], dims[1], dims[2], dims[3], false, data};
  const std::int64_t heads = context.node().int_attribute(count_attribute, 0);
  if (dims.size() != 3 || heads < 1 || dims[2] % heads != 0) {
    return reject("input {} is {}, which does not hold {} heads ({})", index, to_string(dims), heads,
                  count_attribute);
  }
  return Heads{dims[0], heads, dims[1], dims[2] / heads, true, data};
}

/// Past and new keys or values one behind the other: [batch, heads, length, size].
Result<Tensor> joined(KernelContext& context, const Heads& heads, std::size_t past_input,
                      std::size_t output) {
  PRESS_ASSIGN(const Tensor* past, optional(context, past_input, DataType::kFloat));
  std::int64_t before = 0;
  if (past != nullptr) {
    const Dims& dims = past->dims();
    if (dims.size() != 4 || dims[0] != heads.batch || dims[1] != heads.heads || dims[3] != heads.size) {
      return reject("input {} is {}, expected {} x {} x … x {}", past_input, to_string(dims), heads.batch,
                    heads.heads, heads.size);
    }
    before = dims[2];
  }
  const Dims dims{heads.batch, heads.heads, before + heads.length, heads.size};
  PRESS_ASSIGN(Tensor all, context.allocate_scratch(DataType::kFloat, dims));
  float* to = all.mutable_data<float>().data();
  for (std::int64_t b = 0; b < heads.batch; ++b) {
    for (std::int64_t h = 0; h < heads.heads; ++h) {
      if (past != nullptr) {
        const float* from = past->data<float>().data() + (b * heads.heads + h) * before * heads.size;
        to = std::copy_n(from, before * heads.size, to);
      }
      for (std::int64_t i = 0; i < heads.length; ++i) to = std::copy_n(heads.row(b, h, i), heads.size, to);
    }
  }
  if (context.wants_output(output)) context.set_output(output, all);
  return all;
}

/// What is added to the scores: the mask of the node, causality and the lengths without padding.
class Bias {
 public:
  static Result<Bias> create(const KernelContext& context, const Heads& q, std::int64_t keys,
                             std::int64_t past) {
    Bias bias;
    bias.keys_ = keys;
    const Tensor* mask = context.input(3);
    if (mask != nullptr) {
      if (mask->type() != DataType::kBool && mask->type() != DataType::kFloat)
        return unsupported_type(context, mask->type());
      const Dims& dims = mask->dims();
      const Dims scores{q.batch, q.heads, q.length, keys};
      bool fits = !dims.empty() && dims.size() <= 4;
      std::int64_t stride = 1;
      for (std::size_t i = dims.size(); fits && i-- > 0;) {
        const std::size_t axis = i + 4 - dims.size();
        fits = dims[i] == 1 || dims[i] == scores[axis] || (axis == 3 && dims[i] < keys);
        if (dims[i] != 1 || axis == 3) bias.strides_[axis] = stride;
        stride *= dims[i];
      }
      if (!fits) return reject("the mask is {}, the scores are {}", to_string(dims), to_string(scores));
      bias.mask_ = mask;
      bias.mask_keys_ = dims.back();
      if (dims.back() == 1 && keys > 1) bias.strides_[3] = 0, bias.mask_keys_ = keys;
    }
    if (const Tensor* lengths = context.input(6); lengths != nullptr) {
      PRESS_ASSIGN(bias.lengths_, integers(*lengths));
      if (static_cast<std::int64_t>(bias.lengths_.size()) != q.batch)
        return reject("there are {} lengths for a batch of {}", bias.lengths_.size(), q.batch);
    }
    bias.causal_ = context.node().int_attribute("is_causal", 0) != 0;
    bias.left_ = context.node().int_attribute("left_window_size", -1);
    bias.right_ = context.node().int_attribute("right_window_size", -1);
    constexpr std::int64_t kWidest = std::int64_t{1} << 40;
    if (bias.left_ < -1 || bias.right_ < -1 || bias.left_ > kWidest || bias.right_ > kWidest)
      return reject("a window of {} keys before and {} behind makes no sense", bias.left_, bias.right_);
    bias.past_ = past;
    bias.queries_ = q.length;
    return bias;
  }

  /// The bias of one row of scores. False where every key is masked.
  bool fill(std::int64_t b, std::int64_t h, std::int64_t position, std::span<float> row) const {
    std::ranges::fill(row, 0.0F);
    if (mask_ != nullptr) {
      const std::int64_t start = b * strides_[0] + h * strides_[1] + position * strides_[2];
      for (std::int64_t j = 0; j < keys_; ++j) {
        float& value = row[static_cast<std::size_t>(j)];
        if (j >= mask_keys_) {
          value = kMasked;
          continue;
        }
        const auto at = static_cast<std::size_t>(start + j * strides_[3]);
        if (mask_->type() == DataType::kFloat) {
          value = mask_->data<float>()[at];
        } else if (!mask_->data<bool>()[at]) {
          value = kMasked;
        }
      }
    }
    // The key that stands where the query does; windows and causality count from there.
    std::int64_t begin = 0, end = keys_;
    std::int64_t place = position + past_;
    if (!lengths_.empty()) {
      const std::int64_t length = lengths_[static_cast<std::size_t>(b)];
      end = std::min(end, length);
      place = position + length - queries_;
    }
    if (causal_) end = std::min(end, place + 1);
    if (left_ >= 0) begin = std::max(begin, place - left_);
    if (right_ >= 0) end = std::min(end, place + right_ + 1);
    for (std::int64_t j = 0; j < keys_; ++j) {
      if (j < begin || j >= end) row[static_cast<std::size_t>(j)] = kMasked;
    }
    return std::ranges::any_of(row, [](float value) { return value != kMasked; });
  }

 private:
  const Tensor* mask_ = nullptr;
  std::array<std::int64_t, 4> strides_{};
  std::int64_t mask_keys_ = 0, keys_ = 0, past_ = 0, queries_ = 0;
  std::vector<std::int64_t> lengths_;  // keys of each batch entry that are no padding; empty: all
  bool causal_ = false;
  std::int64_t left_ = -1, right_ = -1;  // keys on either side that a query sees; negative: all
};

/// Which stage of the scores the fourth output shows.
enum class Stage { kProduct = 0, kSecond = 1, kThird = 2, kSoftmax = 3 };

}  // namespace

Status attention(KernelContext& context) {
  const Node& node = context.node();
  PRESS_ASSIGN(Heads q, heads_of(context, 0, "q_num_heads"));
  PRESS_ASSIGN(const Heads new_k, heads_of(context, 1, "kv_num_heads"));
  PRESS_ASSIGN(const Heads new_v, heads_of(context, 2, "kv_num_heads"));
  if (q.batch != new_k.batch || q.batch != new_v.batch || new_k.heads != new_v.heads ||
      new_k.length != new_v.length || q.size != new_k.size || new_k.heads < 1 || q.heads % new_k.heads != 0) {
    return reject("queries {}, keys {} and values {} do not fit together", to_string(q.dims()),
                  to_string(new_k.dims()), to_string(new_v.dims()));
  }
  PRESS_ASSIGN(const Tensor all_k, joined(context, new_k, 4, 1));
  PRESS_ASSIGN(const Tensor all_v, joined(context, new_v, 5, 2));
  const std::int64_t keys = all_k.dims()[2];
  if (all_v.dims()[2] != keys) return reject("there are {} keys, but {} values", keys, all_v.dims()[2]);
  PRESS_ASSIGN(const Bias bias, Bias::create(context, q, keys, keys - new_k.length));
  const float cap = node.float_attribute("softcap", 0.0F);
  const float scale =
      node.float_attribute("scale", 1.0F / std::sqrt(static_cast<float>(std::max<std::int64_t>(q.size, 1))));
  const auto shown = static_cast<Stage>(node.int_attribute("qk_matmul_output_mode", 0));

  Heads y{q.batch, q.heads, q.length, new_v.size, q.merged};
  PRESS_ASSIGN(Tensor * target, context.allocate_output(0, DataType::kFloat, y.dims()));
  y.data = target->mutable_data<float>().data();
  float* scores_out = nullptr;
  if (context.wants_output(3)) {
    PRESS_ASSIGN(Tensor * scores,
                 context.allocate_output(3, DataType::kFloat, {q.batch, q.heads, q.length, keys}));
    scores_out = scores->mutable_data<float>().data();
  }
  const float* k_data = all_k.data<float>().data();
  const float* v_data = all_v.data<float>().data();
  parallel_for(context.threads(), q.batch * q.heads, 1, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> transposed(static_cast<std::size_t>(q.size * keys));
    std::vector<float> row(static_cast<std::size_t>(keys)), added(row.size());
    for (std::int64_t plane = begin; plane < end; ++plane) {
      const std::int64_t b = plane / q.heads, h = plane % q.heads;
      const std::int64_t kv_plane = b * new_k.heads + h / (q.heads / new_k.heads);
      const float* k = k_data + kv_plane * keys * q.size;
      const float* v = v_data + kv_plane * keys * y.size;
      for (std::int64_t j = 0; j < keys; ++j) {
        for (std::int64_t d = 0; d < q.size; ++d)
          transposed[static_cast<std::size_t>(d * keys + j)] = k[j * q.size + d];
      }
      for (std::int64_t position = 0; position < q.length; ++position) {
        const float* query = q.row(b, h, position);
        std::ranges::fill(row, 0.0F);
        for (std::int64_t d = 0; d < q.size; ++d) {
          const float factor = query[d] * scale;
          const float* line = transposed.data() + d * keys;
          for (std::int64_t j = 0; j < keys; ++j) row[static_cast<std::size_t>(j)] += factor * line[j];
        }
        float* show = scores_out != nullptr ? scores_out + (plane * q.length + position) * keys : nullptr;
        const auto expose = [&](Stage stage) {
          if (show != nullptr && shown == stage) std::ranges::copy(row, show);
        };
        const bool any = bias.fill(b, h, position, added);
        const auto soften = [&] {
          for (float& value : row) value = cap > 0 ? cap * std::tanh(value / cap) : value;
        };
        const auto mask = [&] {
          for (std::size_t j = 0; j < row.size(); ++j) row[j] += added[j];
        };
        expose(Stage::kProduct);
        soften();
        expose(Stage::kSecond);
        mask();
        expose(Stage::kThird);
        const float largest = row.empty() ? 0.0F : *std::ranges::max_element(row);
        float sum = 0;
        for (float& value : row) {
          value = any ? std::exp(value - largest) : 0.0F;
          sum += value;
        }
        for (float& value : row) value = any ? value / sum : 0.0F;
        expose(Stage::kSoftmax);
        auto* out = const_cast<float*>(y.row(b, h, position));
        std::fill_n(out, y.size, 0.0F);
        for (std::int64_t j = 0; j < keys; ++j) {
          const float factor = row[static_cast<std::size_t>(j)];
          for (std::int64_t d = 0; d < y.size; ++d) out[d] += factor * v[j * y.size + d];
        }
      }
    }
  });
  return {};
}

/// Turns pairs of elements by the angle of their position: (x1, x2) -> (x1 cos - x2 sin, x1 sin + x2 cos).
Status rotary_embedding(KernelContext& context) {
  const Node& node = context.node();
  PRESS_ASSIGN(const Heads x, heads_of(context, 0, "num_heads"));
  PRESS_ASSIGN(const Tensor* cosines, required(context, 1, DataType::kFloat));
  PRESS_ASSIGN(const Tensor* sines, required(context, 2, DataType::kFloat));
  const bool interleaved = node.int_attribute("interleaved", 0) != 0;
  std::int64_t turned = node.int_attribute("rotary_embedding_dim", 0);
  if (turned == 0) turned = x.size;
  if (turned < 0 || turned > x.size || turned % 2 != 0)
    return reject("rotary_embedding_dim is {}, heads have {} elements", turned, x.size);
  const std::int64_t half = turned / 2;
  // Angles by position id, or by batch entry and position.
  std::vector<std::int64_t> rows(static_cast<std::size_t>(x.batch * x.length));
  const Dims& cache = cosines->dims();
  const std::size_t rank = context.input(3) != nullptr ? 2 : 3;
  if (cache.size() != rank || cache.back() != half || sines->dims() != cache) {
    return reject("the cosines are {} and the sines {}, expected {} dims with {} last", to_string(cache),
                  to_string(sines->dims()), rank, half);
  }
  const std::int64_t entries = product(cache, 0, rank - 1);
  if (const Tensor* positions = context.input(3); positions != nullptr) {
    PRESS_ASSIGN(rows, integers(*positions));
  } else {
    for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<std::int64_t>(i);
  }
  if (static_cast<std::int64_t>(rows.size()) != x.batch * x.length)
    return reject("there are {} position ids for {} positions", rows.size(), x.batch * x.length);
  for (const std::int64_t row : rows) {
    if (row < 0 || row >= entries) return reject("position {} is outside of the {} cached", row, entries);
  }
  PRESS_ASSIGN(Tensor * target, context.allocate_output(0, DataType::kFloat, x.dims()));
  float* to = target->mutable_data<float>().data();
  for (std::int64_t b = 0; b < x.batch; ++b) {
    for (std::int64_t h = 0; h < x.heads; ++h) {
      for (std::int64_t i = 0; i < x.length; ++i) {
        const float* in = x.row(b, h, i);
        float* out = to + (in - x.data);
        const std::int64_t angle = rows[static_cast<std::size_t>(b * x.length + i)] * half;
        const float* cosine = cosines->data<float>().data() + angle;
        const float* sine = sines->data<float>().data() + angle;
        for (std::int64_t d = 0; d < half; ++d) {
          const std::int64_t first = interleaved ? 2 * d : d;
          const std::int64_t second = interleaved ? 2 * d + 1 : d + half;
          out[first] = cosine[d] * in[first] - sine[d] * in[second];
          out[second] = sine[d] * in[first] + cosine[d] * in[second];
        }
        std::copy(in + turned, in + x.size, out + turned);
      }
    }
  }
  return {};
}

}  // namespace press::kernels

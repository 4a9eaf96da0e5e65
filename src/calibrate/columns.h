// Columns of a linear layer's input: the numbers that one output is made of, at sampled positions.
#pragma once

#include <cstdint>
#include <vector>

#include "press/ir/graph.h"
#include "press/ir/tensor.h"
#include "press/ops/linear_layer.h"
#include "press/support/result.h"

namespace press {

/// Where columns are taken: the same sample has the same positions however samples are split over batches.
class ColumnSampler {
 public:
  /// Errors (kInput): a window that makes no sense; (kUnsupported): an input without samples or positions.
  static Result<ColumnSampler> create(const Node& node, const LinearLayer& layer, const Tensor& input,
                                      std::int64_t samples);

  /// Positions of one sample.
  std::int64_t positions() const { return positions_; }
  /// Numbers in a column, all groups together.
  std::int64_t width() const { return width_; }

  /// Appends columns (one a row, `width()` numbers, those of a group side by side) of sample `sample` of
  /// `input`, which is number `index` of all samples: `count` positions, one drawn from each of as many equal
  /// stretches, or all where there are no more.
  void append(const Tensor& input, std::int64_t sample, std::uint64_t index, std::int64_t count,
              std::vector<float>& columns) const;

 private:
  void append_window(const float* sample, std::int64_t position, float* column) const;

  bool window_ = false;
  std::int64_t positions_ = 0, width_ = 0;
  std::int64_t sample_size_ = 0;
  // Of a convolution: input height and width (height 1 for one axis), output width, window.
  std::int64_t channels_ = 0, height_ = 0, width_in_ = 0, width_out_ = 0;
  std::int64_t kernel_[2] = {1, 1}, stride_[2] = {1, 1}, dilation_[2] = {1, 1}, pad_[2] = {0, 0};
};

}  // namespace press

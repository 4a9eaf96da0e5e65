// How far a changed network answers from the original one.
#pragma once

#include <vector>

#include "press/ir/graph.h"
#include "press/runtime/batch.h"
#include "press/support/result.h"

namespace press {

class OutputError {
 public:
  /// Runs the original network over the first of `samples`, which must outlive this. Errors: of the session.
  static Result<OutputError> create(const Model& model, const std::vector<Batch>& samples, int threads);

  /// Mean square difference of the outputs in parts of their variance. Does not depend on threads.
  Result<double> of(const Model& model) const;

 private:
  explicit OutputError(int threads) : threads_(threads) {}
  Result<std::vector<float>> outputs(const Model& model) const;

  int threads_;
  std::vector<const Batch*> batches_;
  std::vector<float> wanted_;
  double variance_ = 0;
};

}  // namespace press

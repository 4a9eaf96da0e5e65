// RNN, GRU and LSTM. The inputs of all steps are multiplied by W at once; each step then adds the state times
// R.
#include <algorithm>
#include <array>
#include <cmath>

#include "runtime/kernels/arguments.h"
#include "runtime/kernels/kernels.h"
#include "runtime/onednn.h"

namespace press::kernels {

namespace {

enum class Cell { kRnn, kGru, kLstm };

constexpr std::int64_t gate_count(Cell cell) {
  return cell == Cell::kRnn ? 1 : cell == Cell::kGru ? 3 : 4;
}
constexpr std::size_t activation_count(Cell cell) {
  return cell == Cell::kRnn ? 1 : cell == Cell::kGru ? 2 : 3;
}

float sigmoid(float x) {
  return 1.0F / (1.0F + std::exp(-x));
}

/// An activation function by ONNX's name, with its parameters.
struct Activation {
  using Function = float (*)(float x, float alpha, float beta);

  Function function = nullptr;
  float alpha = 0;
  float beta = 0;

  float operator()(float x) const { return function(x, alpha, beta); }
};

struct ActivationKind {
  std::string_view name;
  Activation::Function function;
  std::optional<float> alpha;  // the default, where it has this parameter
  std::optional<float> beta;
};

const std::array<ActivationKind, 11> kActivationKinds = {{
    {"sigmoid", [](float x, float, float) { return sigmoid(x); }, {}, {}},
    {"tanh", [](float x, float, float) { return std::tanh(x); }, {}, {}},
    {"relu", [](float x, float, float) { return std::max(x, 0.0F); }, {}, {}},
    {"affine", [](float x, float alpha, float beta) { return alpha * x + beta; }, 1.0F, 0.0F},
    {"leakyrelu", [](float x, float alpha, float) { return x < 0 ? alpha * x : x; }, 0.01F, {}},
    {"thresholdedrelu", [](float x, float alpha, float) { return x > alpha ? x : 0.0F; }, 1.0F, {}},
    {"scaledtanh", [](float x, float alpha, float beta) { return alpha * std::tanh(beta * x); }, 1.0F, 1.0F},
    {"hardsigmoid", [](float x, float alpha, float beta) { return std::clamp(alpha * x + beta, 0.0F, 1.0F); },
     0.2F, 0.5F},
    {"elu", [](float x, float alpha, float) { return x < 0 ? alpha * (std::exp(x) - 1.0F) : x; }, 1.0F, {}},
    {"softsign", [](float x, float, float) { return x / (1.0F + std::abs(x)); }, {}, {}},
    {"softplus", [](float x, float, float) { return std::log1p(std::exp(x)); }, {}, {}},
}};

/// The activations of all directions, one direction after the other.
Result<std::vector<Activation>> read_activations(const Node& node, Cell cell, std::size_t directions) {
  std::vector<std::string> names;
  if (const Attribute* given = node.attribute("activations"); given != nullptr) {
    if (const auto* list = std::get_if<std::vector<std::string>>(&given->value)) names = *list;
  }
  if (names.empty()) {
    for (std::size_t i = 0; i < directions; ++i) {
      names.emplace_back(cell == Cell::kRnn ? "Tanh" : "Sigmoid");
      for (std::size_t j = 1; j < activation_count(cell); ++j) names.emplace_back("Tanh");
    }
  }
  if (names.size() != directions * activation_count(cell)) {
    return Error(ErrorCode::kInput, fmt::format("activations should have {} entries, but has {}",
                                                directions * activation_count(cell), names.size()));
  }
  const std::vector<float> alphas = node.floats_attribute("activation_alpha");
  const std::vector<float> betas = node.floats_attribute("activation_beta");
  std::size_t next_alpha = 0;
  std::size_t next_beta = 0;
  std::vector<Activation> activations;
  for (std::string& name : names) {
    std::ranges::transform(name, name.begin(),
                           [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    const auto* kind = std::ranges::find(kActivationKinds, name, &ActivationKind::name);
    if (kind == kActivationKinds.end()) {
      return Error(ErrorCode::kInput, fmt::format("'{}' is no activation of recurrent operators", name));
    }
    Activation activation{kind->function, kind->alpha.value_or(0.0F), kind->beta.value_or(0.0F)};
    if (kind->alpha && next_alpha < alphas.size()) activation.alpha = alphas[next_alpha++];
    if (kind->beta && next_beta < betas.size()) activation.beta = betas[next_beta++];
    activations.push_back(activation);
  }
  return activations;
}

Status expect_dims(const Tensor* tensor, const char* what, const Dims& dims) {
  if (tensor == nullptr || tensor->dims() == dims) return {};
  return Error(ErrorCode::kInput,
               fmt::format("{} should be {}, but is {}", what, to_string(dims), to_string(tensor->dims())));
}

class RecurrentKernel final : public Float32Kernel {
 public:
  explicit RecurrentKernel(Cell cell) : cell_(cell) {}

 protected:
  Status run_float32(KernelContext& context) override;

 private:
  /// Inputs, sizes and attributes of one run.
  struct Job {
    const float* x = nullptr;
    const Tensor* w = nullptr;
    const Tensor* r = nullptr;
    const Tensor* bias = nullptr;
    const Tensor* lengths = nullptr;
    const Tensor* peepholes = nullptr;
    std::int64_t steps = 0, batch = 0, inputs = 0, hidden = 0, directions = 1;
    bool batch_first = false, input_forget = false, linear_before_reset = false;
    bool reversed = false;  // the only direction runs backwards
    float clip = INFINITY;
    std::vector<Activation> activations;
    float* y = nullptr;  // all states, or null

    std::int64_t x_row(std::int64_t step, std::int64_t sample) const {
      return batch_first ? sample * steps + step : step * batch + sample;
    }
    std::int64_t y_row(std::int64_t step, std::int64_t direction, std::int64_t sample) const {
      return batch_first ? (sample * steps + step) * directions + direction
                         : (step * directions + direction) * batch + sample;
    }
    std::int64_t state_row(std::int64_t direction, std::int64_t sample) const {
      return batch_first ? sample * directions + direction : direction * batch + sample;
    }
    std::int64_t length(std::int64_t sample) const {
      return lengths != nullptr ? lengths->data<std::int32_t>()[static_cast<std::size_t>(sample)] : steps;
    }
  };

  Result<Job> read(const KernelContext& context) const;
  Status run_direction(KernelContext& context, const Job& job, std::int64_t direction, std::vector<float>& h,
                       std::vector<float>& c) const;
  void step_rnn(const Job& job, const Activation* f, const float* x, const float* hr, const float* bias,
                float* h) const;
  void step_gru(const Job& job, const Activation* f, const float* x, const float* hr, const float* bias,
                const float* r, float* h) const;
  void step_lstm(const Job& job, const Activation* f, const float* x, const float* hr, const float* bias,
                 const float* p, float* h, float* c) const;

  Cell cell_;
};

Result<RecurrentKernel::Job> RecurrentKernel::read(const KernelContext& context) const {
  const Node& node = context.node();
  Job job;
  PRESS_ASSIGN(const Tensor* x, required(context, 0, DataType::kFloat));
  PRESS_ASSIGN(job.w, required(context, 1, DataType::kFloat));
  PRESS_ASSIGN(job.r, required(context, 2, DataType::kFloat));
  PRESS_ASSIGN(job.bias, optional(context, 3, DataType::kFloat));
  PRESS_ASSIGN(job.lengths, optional(context, 4, DataType::kInt32));
  if (cell_ == Cell::kLstm) {
    PRESS_ASSIGN(job.peepholes, optional(context, 7, DataType::kFloat));
  }
  if (x->rank() != 3 || job.w->rank() != 3 || job.r->rank() != 3) {
    return Error(ErrorCode::kInput,
                 fmt::format("X, W and R should have 3 dims, but are {}, {} and {}", to_string(x->dims()),
                             to_string(job.w->dims()), to_string(job.r->dims())));
  }
  const std::string direction = node.string_attribute("direction", "forward");
  if (direction != "forward" && direction != "reverse" && direction != "bidirectional") {
    return Error(ErrorCode::kInput, fmt::format("direction '{}' is none", direction));
  }
  job.x = x->data<float>().data();
  job.batch_first = node.int_attribute("layout", 0) != 0;
  job.directions = direction == "bidirectional" ? 2 : 1;
  job.reversed = direction == "reverse";
  job.steps = x->dims()[job.batch_first ? 1 : 0];
  job.batch = x->dims()[job.batch_first ? 0 : 1];
  job.inputs = x->dims()[2];
  job.hidden = job.r->dims()[2];
  const std::int64_t rows = gate_count(cell_) * job.hidden;
  PRESS_TRY(expect_dims(job.w, "W", {job.directions, rows, job.inputs}));
  PRESS_TRY(expect_dims(job.r, "R", {job.directions, rows, job.hidden}));
  PRESS_TRY(expect_dims(job.bias, "B", {job.directions, 2 * rows}));
  PRESS_TRY(expect_dims(job.lengths, "sequence_lens", {job.batch}));
  PRESS_TRY(expect_dims(job.peepholes, "P", {job.directions, 3 * job.hidden}));
  for (std::int64_t sample = 0; sample < job.batch; ++sample) {
    if (job.length(sample) < 0 || job.length(sample) > job.steps) {
      return Error(ErrorCode::kInput,
                   fmt::format("sequence_lens says {} of {} steps", job.length(sample), job.steps));
    }
  }
  job.input_forget = node.int_attribute("input_forget", 0) != 0;
  job.linear_before_reset = node.int_attribute("linear_before_reset", 0) != 0;
  if (node.has_attribute("clip")) job.clip = std::abs(node.float_attribute("clip", INFINITY));
  PRESS_ASSIGN(job.activations, read_activations(node, cell_, static_cast<std::size_t>(job.directions)));
  return job;
}

Status RecurrentKernel::run_float32(KernelContext& context) {
  PRESS_ASSIGN(Job job, read(context));
  const Dims state_dims = job.batch_first ? Dims{job.batch, job.directions, job.hidden}
                                          : Dims{job.directions, job.batch, job.hidden};
  std::vector<float> h(static_cast<std::size_t>(job.directions * job.batch * job.hidden), 0.0F);
  std::vector<float> c(cell_ == Cell::kLstm ? h.size() : 0, 0.0F);
  PRESS_ASSIGN(const Tensor* initial_h, optional(context, 5, DataType::kFloat));
  PRESS_TRY(expect_dims(initial_h, "initial_h", state_dims));
  if (initial_h != nullptr) std::ranges::copy(initial_h->data<float>(), h.begin());
  if (cell_ == Cell::kLstm) {
    PRESS_ASSIGN(const Tensor* initial_c, optional(context, 6, DataType::kFloat));
    PRESS_TRY(expect_dims(initial_c, "initial_c", state_dims));
    if (initial_c != nullptr) std::ranges::copy(initial_c->data<float>(), c.begin());
  }
  if (context.wants_output(0)) {
    const Dims dims = job.batch_first ? Dims{job.batch, job.steps, job.directions, job.hidden}
                                      : Dims{job.steps, job.directions, job.batch, job.hidden};
    PRESS_ASSIGN(Tensor * y, context.allocate_output(0, DataType::kFloat, dims));
    std::ranges::fill(y->mutable_data<float>(), 0.0F);
    job.y = y->mutable_data<float>().data();
  }
  for (std::int64_t direction = 0; direction < job.directions; ++direction) {
    PRESS_TRY(run_direction(context, job, direction, h, c));
  }
  if (context.wants_output(1)) {
    PRESS_ASSIGN(Tensor * output, context.allocate_output(1, DataType::kFloat, state_dims));
    std::ranges::copy(h, output->mutable_data<float>().begin());
  }
  if (cell_ == Cell::kLstm && context.wants_output(2)) {
    PRESS_ASSIGN(Tensor * output, context.allocate_output(2, DataType::kFloat, state_dims));
    std::ranges::copy(c, output->mutable_data<float>().begin());
  }
  return {};
}

Status RecurrentKernel::run_direction(KernelContext& context, const Job& job, std::int64_t direction,
                                      std::vector<float>& h, std::vector<float>& c) const {
  if (job.steps == 0 || job.batch == 0 || job.hidden == 0) return {};
  const std::int64_t hidden = job.hidden;
  const std::int64_t rows = gate_count(cell_) * hidden;
  const float* w = job.w->data<float>().data() + direction * rows * job.inputs;
  const float* r = job.r->data<float>().data() + direction * rows * hidden;
  const float* p =
      job.peepholes != nullptr ? job.peepholes->data<float>().data() + direction * 3 * hidden : nullptr;
  std::vector<float> bias(static_cast<std::size_t>(2 * rows), 0.0F);  // W's, then R's
  if (job.bias != nullptr)
    std::copy_n(job.bias->data<float>().data() + direction * 2 * rows, 2 * rows, bias.begin());
  const Activation* f =
      job.activations.data() + static_cast<std::size_t>(direction) * activation_count(cell_);

  PRESS_ASSIGN(Tensor projected, context.allocate_scratch(DataType::kFloat, {job.steps * job.batch, rows}));
  float* xw = projected.mutable_data<float>().data();
  std::fill_n(xw, projected.size(), 0.0F);
  if (job.inputs > 0) {
    PRESS_TRY(onednn::sgemm(false, true, job.steps * job.batch, rows, job.inputs, 1.0F, job.x, job.inputs, w,
                            job.inputs, 0.0F, xw, rows));
  }
  std::vector<float> state(static_cast<std::size_t>(job.batch * hidden));
  std::vector<float> state_r(static_cast<std::size_t>(job.batch * rows));
  const bool backwards = job.reversed || direction == 1;
  for (std::int64_t step = 0; step < job.steps; ++step) {
    for (std::int64_t sample = 0; sample < job.batch; ++sample) {
      std::copy_n(h.data() + job.state_row(direction, sample) * hidden, hidden,
                  state.data() + sample * hidden);
    }
    PRESS_TRY(onednn::sgemm(false, true, job.batch, rows, hidden, 1.0F, state.data(), hidden, r, hidden, 0.0F,
                            state_r.data(), rows));
    for (std::int64_t sample = 0; sample < job.batch; ++sample) {
      if (step >= job.length(sample)) continue;
      const std::int64_t at = backwards ? job.length(sample) - 1 - step : step;
      const float* x = xw + job.x_row(at, sample) * rows;
      const float* hr = state_r.data() + sample * rows;
      const std::int64_t row = job.state_row(direction, sample) * hidden;
      switch (cell_) {
        case Cell::kRnn:
          step_rnn(job, f, x, hr, bias.data(), h.data() + row);
          break;
        case Cell::kGru:
          step_gru(job, f, x, hr, bias.data(), r, h.data() + row);
          break;
        case Cell::kLstm:
          step_lstm(job, f, x, hr, bias.data(), p, h.data() + row, c.data() + row);
          break;
      }
      if (job.y != nullptr)
        std::copy_n(h.data() + row, hidden, job.y + job.y_row(at, direction, sample) * hidden);
    }
  }
  return {};
}

/// H = f(X·W + H·R + b)
void RecurrentKernel::step_rnn(const Job& job, const Activation* f, const float* x, const float* hr,
                               const float* bias, float* h) const {
  for (std::int64_t j = 0; j < job.hidden; ++j) {
    h[j] = f[0](std::clamp(x[j] + hr[j] + bias[j] + bias[job.hidden + j], -job.clip, job.clip));
  }
}

/// z = f(…), r = f(…), n = g(X·Wn + (r∘H)·Rn + b) or g(X·Wn + r∘(H·Rn + b) + b), H = (1 - z)∘n + z∘H
void RecurrentKernel::step_gru(const Job& job, const Activation* f, const float* x, const float* hr,
                               const float* bias, const float* r, float* h) const {
  const std::int64_t n = job.hidden;
  const float* recurrent_bias = bias + 3 * n;
  const auto gate = [&](std::int64_t i) {
    return f[0](std::clamp(x[i] + hr[i] + bias[i] + recurrent_bias[i], -job.clip, job.clip));
  };
  std::vector<float> reset(static_cast<std::size_t>(n));  // r∘H
  std::vector<float> fresh(static_cast<std::size_t>(n));  // what the state is mixed with
  for (std::int64_t j = 0; j < n; ++j) reset[static_cast<std::size_t>(j)] = gate(n + j);
  for (std::int64_t j = 0; j < n; ++j) {
    float sum = x[2 * n + j] + bias[2 * n + j];
    if (job.linear_before_reset) {
      sum += reset[static_cast<std::size_t>(j)] * (hr[2 * n + j] + recurrent_bias[2 * n + j]);
    } else {
      const float* row = r + (2 * n + j) * n;
      for (std::int64_t i = 0; i < n; ++i) sum += reset[static_cast<std::size_t>(i)] * h[i] * row[i];
      sum += recurrent_bias[2 * n + j];
    }
    fresh[static_cast<std::size_t>(j)] = f[1](std::clamp(sum, -job.clip, job.clip));
  }
  for (std::int64_t j = 0; j < n; ++j) {
    const float z = gate(j);
    h[j] = (1.0F - z) * fresh[static_cast<std::size_t>(j)] + z * h[j];
  }
}

/// Gates in the order i, o, f, c; peepholes P in the order i, o, f.
void RecurrentKernel::step_lstm(const Job& job, const Activation* f, const float* x, const float* hr,
                                const float* bias, const float* p, float* h, float* c) const {
  const std::int64_t n = job.hidden;
  const auto sum = [&](std::int64_t gate, std::int64_t j) {
    const std::int64_t i = gate * n + j;
    return x[i] + hr[i] + bias[i] + bias[4 * n + i];
  };
  const auto cut = [&](float value) { return std::clamp(value, -job.clip, job.clip); };
  for (std::int64_t j = 0; j < n; ++j) {
    const float input = f[0](cut(sum(0, j) + (p != nullptr ? p[j] * c[j] : 0.0F)));
    const float forget =
        job.input_forget ? 1.0F - input : f[0](cut(sum(2, j) + (p != nullptr ? p[2 * n + j] * c[j] : 0.0F)));
    c[j] = forget * c[j] + input * f[1](cut(sum(3, j)));
    const float output = f[0](cut(sum(1, j) + (p != nullptr ? p[n + j] * c[j] : 0.0F)));
    h[j] = output * f[2](c[j]);
  }
}

}  // namespace

Result<std::unique_ptr<Kernel>> rnn(const Node& /*node*/) {
  return std::unique_ptr<Kernel>(std::make_unique<RecurrentKernel>(Cell::kRnn));
}
Result<std::unique_ptr<Kernel>> gru(const Node& /*node*/) {
  return std::unique_ptr<Kernel>(std::make_unique<RecurrentKernel>(Cell::kGru));
}
Result<std::unique_ptr<Kernel>> lstm(const Node& /*node*/) {
  return std::unique_ptr<Kernel>(std::make_unique<RecurrentKernel>(Cell::kLstm));
}

}  // namespace press::kernels

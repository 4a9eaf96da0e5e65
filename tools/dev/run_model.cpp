// For developers: runs a model on tensors from files and writes what comes out, to compare with other
// runtimes, or tells how long it takes.
//
//   run_model MODEL OUTPUT_FOLDER [--threads N] [--repeat N] [--reference] [--profile] [--serve] INPUT.pb…
//
// With --serve it writes no outputs: each line with a number of runs on stdin is answered by a line with the
// milliseconds of each, (of the process's CPU time with --cpu-time), and the end of stdin by the bytes that
// the process added to its peak memory by loading and running.
//
// Inputs are files of one TensorProto each, in the model's order; outputs become OUTPUT_FOLDER/<index>.npy.
#include <fmt/format.h>

#include <ctime>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "press/onnx/model_io.h"
#include "press/runtime/session.h"

namespace {

using press::DataType;

const char* npy_type(DataType type) {
  switch (type) {
    case DataType::kFloat:
      return "<f4";
    case DataType::kDouble:
      return "<f8";
    case DataType::kFloat16:
      return "<f2";
    case DataType::kInt64:
      return "<i8";
    case DataType::kInt32:
      return "<i4";
    case DataType::kInt8:
      return "|i1";
    case DataType::kUint8:
      return "|u1";
    case DataType::kBool:
      return "|b1";
    default:
      return nullptr;
  }
}

void write_npy(const std::string& path, const press::Tensor& tensor) {
  const char* type = npy_type(tensor.type());
  if (type == nullptr) return;
  std::string shape;
  for (const std::int64_t dim : tensor.dims()) shape += fmt::format("{},", dim);
  std::string header = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}", type, shape);
  header.resize((header.size() + 10 + 64) / 64 * 64 - 11, ' ');
  header += '\n';
  const auto size = static_cast<std::uint16_t>(header.size());
  std::ofstream file(path, std::ios::binary);
  file.write("\x93NUMPY\x01\x00", 8);
  file.put(static_cast<char>(size & 255)).put(static_cast<char>(size >> 8)).write(header.data(), size);
  file.write(reinterpret_cast<const char*>(tensor.bytes().data()),
             static_cast<std::streamsize>(tensor.bytes().size()));
}

/// A figure of /proc/self/status in bytes; 0 where there is none.
long long memory(const std::string& field) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(field + ":")) return std::atoll(line.c_str() + field.size() + 1) * 1024;
  }
  return 0;
}

int fail(const press::Error& error) {
  fmt::print(stderr, "run_model: {}\n", error.message());
  return 1;
}

double milliseconds(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) * 1e-6;
}

int answer(press::Session& session, const std::vector<press::Tensor>& inputs, clockid_t clock,
           long long before) {
  for (std::string line; std::getline(std::cin, line);) {
    for (int left = std::atoi(line.c_str()); left > 0; --left) {
      const double start = milliseconds(clock);
      const press::Result<std::vector<press::Tensor>> outputs = session.run(inputs);
      const double end = milliseconds(clock);
      if (!outputs.ok()) return fail(outputs.error());
      fmt::print("{:.6f} ", end - start);
    }
    fmt::print("\n");
    std::fflush(stdout);
  }
  fmt::print("{}\n", memory("VmHWM") - before);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    fmt::print(
        stderr,
        "usage: run_model MODEL OUTPUT_FOLDER [--threads N] [--repeat N] [--reference] [--profile] [--serve] "
        "INPUT.pb...\n");
    return 2;
  }
  press::SessionOptions options;
  int repeat = 0;
  bool serve = false;
  clockid_t clock = CLOCK_MONOTONIC;
  std::vector<press::Tensor> inputs;
  for (int i = 3; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--threads" && i + 1 < argc) {
      options.threads = std::atoi(argv[++i]);
    } else if (argument == "--repeat" && i + 1 < argc) {
      repeat = std::atoi(argv[++i]);
    } else if (argument == "--reference") {
      options.reference = true;
    } else if (argument == "--cpu-time") {
      clock = CLOCK_PROCESS_CPUTIME_ID;
    } else if (argument == "--serve") {
      serve = true;
    } else if (argument == "--profile") {
      options.profile = true;
    } else {
      press::Result<press::Tensor> input = press::load_tensor(argument);
      if (!input.ok()) return fail(input.error());
      inputs.push_back(std::move(*input));
    }
  }
  const long long before = memory("VmRSS");
  const press::Result<press::Model> model = press::load_model(argv[1]);
  if (!model.ok()) return fail(model.error());
  inputs.resize(std::max(inputs.size(), model->graph->inputs().size()));
  press::Result<press::Session> session = press::Session::create(*model->graph, options);
  if (!session.ok()) return fail(session.error());
  if (serve) return answer(*session, inputs, clock, before);
  press::Result<std::vector<press::Tensor>> outputs = session->run(inputs);
  if (!outputs.ok()) return fail(outputs.error());
  for (std::size_t i = 0; i < outputs->size(); ++i) {
    write_npy(fmt::format("{}/{}.npy", argv[2], i), (*outputs)[i]);
  }
  double best = 1e30;
  for (int i = 0; i < repeat; ++i) {
    const auto start = std::chrono::steady_clock::now();
    outputs = session->run(inputs);
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  if (repeat > 0) {
    fmt::print("best of {}: {:.3f} ms, peak {:.1f} MB of intermediate tensors\n", repeat, best * 1e3,
               static_cast<double>(session->peak_bytes()) / 1e6);
  }
  for (const press::StepTime& step : session->profile()) {
    const double milliseconds = static_cast<double>(step.nanoseconds) / static_cast<double>(step.runs) / 1e6;
    fmt::print("{:10.3f} ms  {:40} {}\n", milliseconds, step.operators, step.node->label());
  }
  return 0;
}

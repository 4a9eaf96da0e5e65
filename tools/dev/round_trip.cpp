// Reads a model and writes it again, for tools/dev/round_trip.py:  press_round_trip IN OUT
#include <cstdio>

#include "press/onnx/model_io.h"

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const press::Result<press::Model> model = press::load_model(argv[1]);
  if (!model.ok()) {
    std::fprintf(stderr, "%s\n", model.error().message().c_str());
    return 3;
  }
  const press::Status saved = press::save_model(*model, argv[2], {.overwrite = true, .inputs = {argv[1]}});
  if (saved.ok()) return 0;
  std::fprintf(stderr, "%s\n", saved.error().message().c_str());
  return 6;
}

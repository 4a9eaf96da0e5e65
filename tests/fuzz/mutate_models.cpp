// Feeds damaged copies of models to the importer:  press_mutate_models COUNT MODEL...
//
// Every copy must end in an error of one printable line, or in a sound graph that is written and read back
// the same. Build it with PRESS_SANITIZE to find reads outside of memory. The mutations depend on COUNT only:
// runs repeat.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "press/onnx/model_io.h"

namespace {

using Random = std::mt19937_64;

/// A few flipped bits, replaced, removed, repeated or inserted bytes, or a cut.
std::string mutated(std::string bytes, Random& random) {
  const auto below = [&](std::size_t bound) {
    return static_cast<std::size_t>(random() % std::max<std::size_t>(1, bound));
  };
  for (std::size_t left = 1 + below(4); left > 0 && !bytes.empty(); --left) {
    const std::size_t at = below(bytes.size());
    const std::size_t length = below(std::min<std::size_t>(bytes.size() - at, 32) + 1);
    switch (below(7)) {
      case 0:
      case 1:
        bytes[at] = static_cast<char>(bytes[at] ^ (1 << below(8)));
        break;
      case 2:
        bytes[at] = static_cast<char>(random());
        break;
      case 3:
        bytes.erase(at, length);
        break;
      case 4:
        bytes.insert(below(bytes.size()), bytes.substr(at, length));
        break;
      case 5:
        bytes.insert(at, 1 + below(9), '\xff');
        break;
      default:
        if (below(8) == 0) bytes.resize(at);
    }
  }
  return bytes;
}

bool survives(const std::string& bytes) {
  const press::Result<press::Model> model = press::model_from_bytes(bytes);
  if (!model.ok()) {
    return std::ranges::all_of(model.error().message(),
                               [](char c) { return static_cast<unsigned char>(c) >= 0x20; });
  }
  const press::Result<std::string> written = press::model_to_bytes(*model);
  if (!press::verify(*model->graph).ok() || !written.ok()) return false;
  const press::Result<press::Model> again = press::model_from_bytes(*written);
  return again.ok() && press::model_to_bytes(*again).value() == *written;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: press_mutate_models COUNT MODEL...\n");
    return 2;
  }
  const long count = std::strtol(argv[1], nullptr, 10);
  std::vector<std::string> models;
  for (int i = 2; i < argc; ++i) {
    std::ifstream file(argv[i], std::ios::binary);
    models.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  Random random(static_cast<std::uint64_t>(count));
  for (long i = 0; i < count; ++i) {
    const std::string bytes = mutated(models[static_cast<std::size_t>(i) % models.size()], random);
    if (survives(bytes)) continue;
    std::ofstream("mutation.onnx", std::ios::binary) << bytes;
    std::fprintf(stderr, "mutation %ld of %s failed; it is kept as mutation.onnx\n", i,
                 argv[2 + static_cast<std::size_t>(i) % models.size()]);
    return 1;
  }
  std::printf("%ld mutations\n", count);
  return 0;
}

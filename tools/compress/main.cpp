#include "press/cli/cli.h"

int main(int argc, char** argv) {
  return press::run_command(argc, argv);
}

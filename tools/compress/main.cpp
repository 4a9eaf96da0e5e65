#include <cstdlib>  // says whether this is glibc
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "press/cli/cli.h"

int main(int argc, char** argv) {
#ifdef __GLIBC__
  // Packed weights and activations go back to the system when they are freed. By itself glibc raises the
  // limit to the size of what was freed and keeps it: a third more memory at the peak of a calibration.
  constexpr int kLargeBlock = 1 << 20;
  mallopt(M_MMAP_THRESHOLD, kLargeBlock);
  mallopt(M_TRIM_THRESHOLD, 64 * kLargeBlock);  // smaller ones are asked for again soon
  // Without lists of small free blocks, which glibc walks whenever a large block is freed: long graphs.
  mallopt(M_MXFAST, 0);
#endif
  return press::run_command(argc, argv);
}

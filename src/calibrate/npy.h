// NumPy's array files: NPY, and NPZ, which is a ZIP archive of them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "calibrate/dataset_sources.h"
#include "press/ir/tensor.h"

namespace press {

/// The array of an NPY file, its bytes shared with `file`. Errors: kInput for a malformed header, Fortran
/// order, big-endian, an element type other than bool, integers and floats, or another number of bytes than
/// the shape asks for.
Result<Tensor> parse_npy(const FileBytes& file);

struct NamedArray {
  std::string name;  // of the entry, without ".npy"
  Tensor array;
};

/// The arrays of an NPZ file in the order of its directory; entries stored or deflated, ZIP64 too. Errors: as
/// parse_npy; kInput for a malformed archive or a wrong checksum.
Result<std::vector<NamedArray>> parse_npz(const FileBytes& file);

/// Integers of rank 1, none negative, as labels. Errors: kInput otherwise.
Result<std::vector<std::int64_t>> to_labels(const Tensor& array);

/// The same numbers as elements of another type: any to float types (rounded), integers and bool to integers
/// that hold them all. Errors: kInput where a value does not fit, or floats would become integers.
Result<Tensor> convert_elements(const Tensor& tensor, DataType type);

}  // namespace press

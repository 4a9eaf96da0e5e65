// Field numbers of ONNX's messages, as far as we look into them.
#pragma once

#include <cstdint>

namespace press::schema {

namespace model {
constexpr std::uint32_t kIrVersion = 1, kGraph = 7, kOpsetImport = 8, kMetadataProps = 14, kFunctions = 25;
}
namespace function {
constexpr std::uint32_t kName = 1, kInput = 4, kOutput = 5, kNode = 7, kOpsetImport = 9, kDomain = 10,
                        kAttributeProto = 11, kValueInfo = 12, kOverload = 13;
}
namespace opset {
constexpr std::uint32_t kDomain = 1, kVersion = 2;
}
namespace graph {
constexpr std::uint32_t kNode = 1, kName = 2, kInitializer = 5, kInput = 11, kOutput = 12, kValueInfo = 13,
                        kSparseInitializer = 15;
}
namespace node {
constexpr std::uint32_t kInput = 1, kOutput = 2, kName = 3, kOpType = 4, kAttribute = 5, kDomain = 7;
}
namespace attribute {
constexpr std::uint32_t kName = 1, kFloat = 2, kInt = 3, kString = 4, kTensor = 5, kGraph = 6, kFloats = 7,
                        kInts = 8, kStrings = 9, kTensors = 10, kGraphs = 11, kType = 20, kRefAttrName = 21;
enum Kind : std::int64_t {
  kUndefined = 0,
  kFloatKind = 1,
  kIntKind = 2,
  kStringKind = 3,
  kTensorKind = 4,
  kGraphKind = 5,
  kFloatsKind = 6,
  kIntsKind = 7,
  kStringsKind = 8,
  kTensorsKind = 9,
  kGraphsKind = 10,
};
}  // namespace attribute
namespace tensor {
constexpr std::uint32_t kDims = 1, kDataType = 2, kFloatData = 4, kInt32Data = 5, kStringData = 6,
                        kInt64Data = 7, kName = 8, kRawData = 9, kDoubleData = 10, kUint64Data = 11,
                        kExternalData = 13, kDataLocation = 14;
constexpr std::uint64_t kExternalLocation = 1;
}  // namespace tensor
namespace sparse {
constexpr std::uint32_t kValues = 1, kIndices = 2, kDims = 3;
}
namespace entry {
constexpr std::uint32_t kKey = 1, kValue = 2;
}
namespace value_info {
constexpr std::uint32_t kName = 1, kType = 2;
}
namespace type {
constexpr std::uint32_t kTensor = 1, kDenotation = 6;
}
namespace tensor_type {
constexpr std::uint32_t kElement = 1, kShape = 2;
}
namespace shape {
constexpr std::uint32_t kDim = 1, kDimValue = 1, kDimName = 2;
}

}  // namespace press::schema

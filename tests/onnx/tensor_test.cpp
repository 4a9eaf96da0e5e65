// Tensors of every element type and in every way of storing them.
#include <gtest/gtest.h>

#include <sys/stat.h>

#include <filesystem>

#include "onnx/protos.h"
#include "support/files.h"

namespace press::test {
namespace {

Model import_with(const onnx::TensorProto& tensor) {
  onnx::ModelProto proto = relu_proto();
  *proto.mutable_graph()->add_initializer() = tensor;
  proto.mutable_graph()->mutable_initializer(0)->set_name("t");
  return import(proto);
}

std::string error_with(const onnx::TensorProto& tensor) {
  onnx::ModelProto proto = relu_proto();
  *proto.mutable_graph()->add_initializer() = tensor;
  proto.mutable_graph()->mutable_initializer(0)->set_name("t");
  return import_error(proto);
}

onnx::TensorProto tensor_of(std::int32_t type, const std::vector<std::int64_t>& dims) {
  onnx::TensorProto tensor;
  tensor.set_data_type(type);
  for (const std::int64_t dim : dims) tensor.add_dims(dim);
  return tensor;
}

std::string bytes_of(const Model& model) {
  const std::span<const std::byte> bytes = find_value(*model.graph, "t")->constant()->bytes();
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

class EveryType : public testing::TestWithParam<int> {};

TEST_P(EveryType, PassesThroughAsRawData) {
  const auto type = static_cast<DataType>(GetParam());
  onnx::TensorProto tensor = tensor_of(GetParam(), {5});
  const std::string raw(static_cast<std::size_t>(byte_size(type, 5)), '\x2a');
  tensor.set_raw_data(raw);
  const Model model = import_with(tensor);
  EXPECT_EQ(find_value(*model.graph, "t")->constant()->type(), type);
  const onnx::TensorProto written = export_proto(model).graph().initializer(0);
  EXPECT_EQ(written.data_type(), GetParam());
  EXPECT_EQ(written.raw_data(), raw);
}

INSTANTIATE_TEST_SUITE_P(Codes, EveryType,
                         testing::Values(1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20,
                                         21, 22, 23, 24, 25, 26));

TEST(TypedData, FloatDataIsReadInPlace) {
  onnx::TensorProto tensor = tensor_of(1, {3});
  for (const float value : {1.5F, -2.0F, 3.0F}) tensor.add_float_data(value);
  const Model model = import_with(tensor);
  EXPECT_EQ(*find_value(*model.graph, "t")->constant(),
            Tensor::of<float>({3}, std::vector<float>{1.5F, -2, 3}));
  const onnx::TensorProto written = export_proto(model).graph().initializer(0);
  EXPECT_EQ(written.float_data_size(), 0);
  EXPECT_EQ(written.raw_data().size(), 12u);
}

TEST(TypedData, NarrowTypesComeFromInt32Data) {
  struct Case {
    std::int32_t type;
    std::vector<std::int64_t> dims;
    std::vector<std::int32_t> data;
    std::string bytes;
  };
  const std::vector<Case> cases = {
      {2, {2}, {1, 255}, {"\x01\xff", 2}},          // uint8
      {3, {2}, {-1, 127}, {"\xff\x7f", 2}},         // int8
      {4, {1}, {65535}, {"\xff\xff", 2}},           // uint16
      {5, {1}, {-2}, {"\xfe\xff", 2}},              // int16
      {6, {1}, {-2}, {"\xfe\xff\xff\xff", 4}},      // int32
      {9, {2}, {1, 0}, {"\x01\x00", 2}},            // bool
      {10, {1}, {0x3c00}, {"\x00\x3c", 2}},         // float16
      {16, {1}, {0x3f80}, {"\x80\x3f", 2}},         // bfloat16
      {17, {1}, {0x38}, {"\x38", 1}},               // float8e4m3fn
      {21, {3}, {0x21, 0x03}, {"\x21\x03", 2}},     // uint4, two a byte
      {22, {2, 2}, {0xf1, 0x2e}, {"\xf1\x2e", 2}},  // int4
      {25, {5}, {0xe4, 0x01}, {"\xe4\x01", 2}},     // uint2, four a byte
  };
  for (const Case& one : cases) {
    onnx::TensorProto tensor = tensor_of(one.type, one.dims);
    for (const std::int32_t value : one.data) tensor.add_int32_data(value);
    EXPECT_EQ(bytes_of(import_with(tensor)), one.bytes) << one.type;
  }
}

TEST(TypedData, WideTypesComeFromTheirFields) {
  onnx::TensorProto longs = tensor_of(7, {2});
  longs.add_int64_data(-1);
  longs.add_int64_data(std::int64_t{1} << 40);
  EXPECT_EQ(bytes_of(import_with(longs)),
            std::string("\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00\x00\x01\x00\x00", 16));
  onnx::TensorProto unsigned_ints = tensor_of(12, {1});
  unsigned_ints.add_uint64_data(0xfffffffe);
  EXPECT_EQ(bytes_of(import_with(unsigned_ints)), "\xfe\xff\xff\xff");
  onnx::TensorProto doubles = tensor_of(11, {1});
  doubles.add_double_data(1);
  EXPECT_EQ(bytes_of(import_with(doubles)), std::string("\0\0\0\0\0\0\xf0\x3f", 8));
  onnx::TensorProto complex = tensor_of(14, {1});
  complex.add_float_data(1);
  complex.add_float_data(0);
  EXPECT_EQ(bytes_of(import_with(complex)), std::string("\0\0\x80\x3f\0\0\0\0", 8));
}

TEST(TypedData, NumbersThatAreNotPackedAreReadToo) {
  onnx::ModelProto proto = relu_proto();
  onnx::TensorProto* tensor = proto.mutable_graph()->add_initializer();
  *tensor = tensor_of(1, {2});
  tensor->set_name("t");
  // Two single fields of fixed 32 bits instead of one packed list.
  google::protobuf::UnknownFieldSet* fields = tensor->GetReflection()->MutableUnknownFields(tensor);
  fields->AddFixed32(4, 0x3f800000);
  fields->AddFixed32(4, 0x40000000);
  const Model model = import(proto);
  EXPECT_EQ(*find_value(*model.graph, "t")->constant(), Tensor::of<float>({2}, std::vector<float>{1, 2}));
}

TEST(TypedData, StringsStayStrings) {
  onnx::TensorProto tensor = tensor_of(8, {2});
  tensor.add_string_data("a");
  tensor.add_string_data(std::string("\0b", 2));
  const onnx::TensorProto written = export_proto(import_with(tensor)).graph().initializer(0);
  ASSERT_EQ(written.string_data_size(), 2);
  EXPECT_EQ(written.string_data(1), std::string("\0b", 2));
}

TEST(TypedData, EmptyTensorsNeedNoData) {
  const Model model = import_with(tensor_of(1, {0, 3}));
  EXPECT_EQ(find_value(*model.graph, "t")->constant()->size(), 0);
  EXPECT_EQ(find_value(*import_with(tensor_of(7, {0})).graph, "t")->constant()->size(), 0);
}

TEST(TypedData, RawDataWinsOverATypedField) {
  onnx::TensorProto tensor = tensor_of(1, {1});
  tensor.add_float_data(5);
  tensor.set_raw_data(std::string("\0\0\x80\x3f", 4));
  EXPECT_EQ(*find_value(*import_with(tensor).graph, "t")->constant(),
            Tensor::of<float>({1}, std::vector<float>{1}));
}

TEST(BadTensors, SayWhatIsWrong) {
  EXPECT_EQ(error_with(tensor_of(1, {-4})), "initializer 't': dimension -4 is negative");
  EXPECT_EQ(error_with(tensor_of(1, {std::int64_t{1} << 40, std::int64_t{1} << 40})),
            "initializer 't': shape 1099511627776x1099511627776 has too many elements");
  EXPECT_EQ(error_with(tensor_of(99, {1})), "initializer 't': element type 99 is not known");
  EXPECT_EQ(error_with(tensor_of(7, {3})),
            "initializer 't': 3 int64 elements need 3 values in int64_data, but there are 0");
  onnx::TensorProto short_raw = tensor_of(1, {2});
  short_raw.set_raw_data("1234567");
  EXPECT_EQ(error_with(short_raw), "initializer 't': 2 float32 elements need 8 bytes, but there are 7");
  onnx::TensorProto wrong_field = tensor_of(1, {1});
  wrong_field.add_int32_data(1);
  EXPECT_EQ(
      error_with(wrong_field),
      "initializer 't': float32 elements belong into float_data or raw_data, but they stand in int32_data");
  onnx::TensorProto huge = tensor_of(1, {std::int64_t{1} << 60});
  huge.set_raw_data("1234");
  EXPECT_NE(error_with(huge), "");
}

TEST(BadTensors, SparseOnesSayWhatIsWrong) {
  const auto error = [](std::int64_t index, const std::vector<std::int64_t>& dims) {
    onnx::ModelProto proto = relu_proto();
    onnx::SparseTensorProto* sparse = proto.mutable_graph()->add_sparse_initializer();
    *sparse->mutable_values() = tensor_of(1, {1});
    sparse->mutable_values()->set_name("s");
    sparse->mutable_values()->add_float_data(1);
    *sparse->mutable_indices() = tensor_of(7, {1});
    sparse->mutable_indices()->add_int64_data(index);
    for (const std::int64_t dim : dims) sparse->add_dims(dim);
    return import_error(proto);
  };
  EXPECT_EQ(error(4, {4}), "sparse initializer 's': index 0 of a sparse tensor is outside its shape 4");
  EXPECT_EQ(error(-1, {4}), "sparse initializer 's': index 0 of a sparse tensor is outside its shape 4");
  EXPECT_NE(error(0, {std::int64_t{1} << 30, 4}).find("too large"), std::string::npos);
  EXPECT_NE(error(0, {-1}).find("negative"), std::string::npos);
}

// -- external data
// -------------------------------------------------------------------------------------------------

/// A model whose initializer "t" of two floats has external data with these entries.
std::string external_model(const std::vector<std::pair<std::string, std::string>>& entries) {
  onnx::ModelProto proto = relu_proto();
  onnx::TensorProto* tensor = proto.mutable_graph()->add_initializer();
  *tensor = tensor_of(1, {2});
  tensor->set_name("t");
  tensor->set_data_location(onnx::TensorProto::EXTERNAL);
  for (const auto& [key, value] : entries) {
    onnx::StringStringEntryProto* entry = tensor->add_external_data();
    entry->set_key(key);
    entry->set_value(value);
  }
  return proto.SerializeAsString();
}

class ExternalData : public testing::Test {
 protected:
  ExternalData() {
    const std::array<float, 4> values = {1, 2, 3, 4};
    const std::string bytes(reinterpret_cast<const char*>(values.data()), sizeof values);
    folder_.write("model/weights.bin", bytes);
    folder_.write("model/sub/weights.bin", bytes);
    folder_.write("secret.bin", bytes);
  }

  Result<Model> load(const std::vector<std::pair<std::string, std::string>>& entries) {
    return load_model(folder_.write("model/m.onnx", external_model(entries)).string());
  }

  std::string error(const std::vector<std::pair<std::string, std::string>>& entries) {
    const Result<Model> model = load(entries);
    EXPECT_FALSE(model.ok());
    if (model.ok()) return "";
    EXPECT_EQ(model.error().code(), ErrorCode::kInput);
    return model.error().message();
  }

  TemporaryFolder folder_;
};

TEST_F(ExternalData, IsReadAtItsOffset) {
  const Result<Model> model = load({{"location", "weights.bin"}, {"offset", "4"}, {"length", "8"}});
  ASSERT_TRUE(model.ok()) << model.error().message();
  EXPECT_EQ(*find_value(*model->graph, "t")->constant(), Tensor::of<float>({2}, std::vector<float>{2, 3}));
  EXPECT_EQ(export_proto(*model).graph().initializer(0).raw_data().size(), 8u);
  EXPECT_TRUE(load({{"location", "sub/weights.bin"}}).ok());
  EXPECT_TRUE(load({{"location", "./sub/../weights.bin"}, {"checksum", "ignored"}}).ok());
}

TEST_F(ExternalData, StaysInsideTheFolder) {
  std::filesystem::create_symlink("../secret.bin", folder_.path() / "model/link.bin");
  std::filesystem::create_directory_symlink("..", folder_.path() / "model/up");
  std::filesystem::create_symlink("weights.bin", folder_.path() / "model/inner_link.bin");
  for (const char* location :
       {"../secret.bin", "/etc/passwd", "//etc/passwd", "sub/../../secret.bin", "link.bin", "up/secret.bin",
        ".", "sub", "/proc/self/mem", "", "missing.bin"}) {
    EXPECT_NE(error({{"location", location}}), "") << location;
  }
  EXPECT_TRUE(load({{"location", "inner_link.bin"}}).ok());
  ASSERT_EQ(mkfifo((folder_.path() / "model/pipe").c_str(), 0600), 0);
  EXPECT_NE(error({{"location", "pipe"}}).find("a pipe"), std::string::npos);
}

TEST_F(ExternalData, ChecksOffsetsAndLengths) {
  for (const char* bad : {"-4", "x", "1000", "9223372036854775807", "99999999999999999999", "", "4 "}) {
    EXPECT_NE(error({{"location", "weights.bin"}, {"offset", bad}}), "") << bad;
    EXPECT_NE(error({{"location", "weights.bin"}, {"length", bad}}), "") << bad;
  }
  EXPECT_NE(error({{"location", "weights.bin"}, {"offset", "12"}}), "");
  EXPECT_NE(error({{"offset", "0"}}).find("no location"), std::string::npos);
}

TEST_F(ExternalData, IsRefusedWhereItWouldBeLost) {
  onnx::ModelProto inner;
  ASSERT_TRUE(inner.ParseFromString(external_model({{"location", "weights.bin"}})));
  onnx::ModelProto proto = relu_proto();
  onnx::AttributeProto* attribute = proto.add_functions()->add_node()->add_attribute();
  *attribute->mutable_t() = inner.graph().initializer(0);
  const Result<Model> model = load_model(folder_.write("model/f.onnx", proto.SerializeAsString()).string());
  ASSERT_FALSE(model.ok());
  EXPECT_EQ(model.error().code(), ErrorCode::kUnsupported);
}

TEST_F(ExternalData, IsNotReadForModelsFromMemory) {
  EXPECT_NE(import_error(external_model({{"location", "weights.bin"}})).find("does not come from a folder"),
            std::string::npos);
}

}  // namespace
}  // namespace press::test

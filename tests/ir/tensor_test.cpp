#include "press/ir/tensor.h"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <memory>

namespace press {
namespace {

constexpr std::int64_t kHuge = std::numeric_limits<std::int64_t>::max();

TEST(ElementCount, RefusesNegativeAndOverflowingDims) {
  EXPECT_EQ(*element_count({}), 1);
  EXPECT_EQ(*element_count({2, 3}), 6);
  EXPECT_EQ(*element_count({2, 0, 3}), 0);
  EXPECT_FALSE(element_count({2, -1}).ok());
  EXPECT_FALSE(element_count({kHuge, 2}).ok());
  EXPECT_FALSE(element_count({0, kHuge, kHuge}).ok()) << "a zero does not hide an overflow";
}

TEST(ByteSize, PacksNarrowTypes) {
  EXPECT_EQ(byte_size(DataType::kFloat, 3), 12);
  EXPECT_EQ(byte_size(DataType::kInt4, 3), 2);
  EXPECT_EQ(byte_size(DataType::kUint2, 5), 2);
  EXPECT_EQ(byte_size(DataType::kComplex128, 1), 16);
}

TEST(Tensor, AllocateRefusesWhatMemoryCannotHold) {
  EXPECT_TRUE(Tensor::allocate(DataType::kFloat, {2, 3}).ok());
  EXPECT_FALSE(Tensor::allocate(DataType::kFloat, {kHuge / 4}).ok());
  EXPECT_FALSE(Tensor::allocate(DataType::kFloat, {std::int64_t{1} << 50}).ok());
  EXPECT_FALSE(Tensor::allocate(DataType::kUndefined, {1}).ok());
  EXPECT_FALSE(Tensor::allocate(static_cast<DataType>(99), {1}).ok());
}

TEST(Tensor, FromBytesChecksTheSizeAndCopiesNothing) {
  const auto owner = std::make_shared<std::vector<float>>(std::vector<float>{1, 2, 3});
  const std::span<const std::byte> bytes = std::as_bytes(std::span(*owner));
  const Result<Tensor> tensor = Tensor::from_bytes(DataType::kFloat, {3}, bytes, owner);
  ASSERT_TRUE(tensor.ok());
  EXPECT_EQ(tensor->bytes().data(), bytes.data());
  EXPECT_EQ(tensor->data<float>().data(), owner->data());
  EXPECT_FALSE(Tensor::from_bytes(DataType::kFloat, {4}, bytes, owner).ok());
  EXPECT_FALSE(Tensor::from_bytes(DataType::kFloat, {2}, bytes, owner).ok());
}

TEST(Tensor, UnalignedBytesAreAlignedOnDemand) {
  const auto owner = std::make_shared<std::vector<std::byte>>(13);
  const float value = 2.5F;
  std::memcpy(owner->data() + 1, &value, sizeof value);
  const Result<Tensor> tensor =
      Tensor::from_bytes(DataType::kFloat, {1}, std::span(*owner).subspan(1, 4), owner);
  ASSERT_TRUE(tensor.ok());
  EXPECT_EQ(tensor->data<float>()[0], 2.5F);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(tensor->data<float>().data()) % alignof(float), 0u);
}

TEST(Tensor, WritingToACopyLeavesTheOriginal) {
  const Tensor original = Tensor::of<float>({2}, std::vector<float>{1, 2});
  Tensor copy = original;
  const std::uint64_t hash = copy.hash();
  copy.mutable_data<float>()[0] = 9;
  EXPECT_EQ(original.data<float>()[0], 1);
  EXPECT_NE(copy.hash(), hash);
  EXPECT_NE(copy, original);
  EXPECT_EQ(original.hash(), hash);
}

TEST(Tensor, EqualityAndHashLookAtTypeDimsAndBytes) {
  const Tensor tensor = Tensor::of<std::int32_t>({2}, std::vector<std::int32_t>{1, 2});
  EXPECT_EQ(tensor, Tensor::of<std::int32_t>({2}, std::vector<std::int32_t>{1, 2}));
  EXPECT_NE(tensor, tensor.reshaped({1, 2}));
  EXPECT_NE(tensor.hash(), tensor.reshaped({1, 2}).hash());
  EXPECT_NE(tensor, Tensor::of<std::uint32_t>({2}, std::vector<std::uint32_t>{1, 2}));
}

TEST(Tensor, StringsMatchTheirDims) {
  const Result<Tensor> strings = Tensor::from_strings({2}, {"a", "b"});
  ASSERT_TRUE(strings.ok());
  EXPECT_EQ(strings->strings()[1], "b");
  EXPECT_FALSE(Tensor::from_strings({3}, {"a"}).ok());
}

}  // namespace
}  // namespace press

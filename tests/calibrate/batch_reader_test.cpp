#include "press/calibrate/batch_reader.h"

#include <fmt/format.h>

#include <atomic>
#include <thread>

#include "calibrate/calibrate_support.h"

namespace press::test {
namespace {

NetworkInput image_input() {
  return {"x", Type{DataType::kFloat, Shape{Dim("N"), Dim(), Dim(), Dim()}, {}}};
}

/// Grey images of one pixel whose value is their index, and counts of what was asked of them.
class CountedImages final : public Dataset {
 public:
  explicit CountedImages(std::size_t size) : Dataset({}), size_(size) {}
  std::size_t size() const override { return size_; }
  std::string name(std::size_t index) const override { return fmt::format("#{}", index); }
  std::optional<std::int64_t> label(std::size_t index) const override {
    return static_cast<std::int64_t>(index);
  }
  Result<Sample> read(std::size_t index) const override {
    reads.fetch_add(1);
    if (index == throws_at) throw std::bad_alloc();
    if (index % 5 == corrupt_remainder) return Error(ErrorCode::kInput, "damaged");
    // Later samples are often ready first.
    if (index % 3 == 0) std::this_thread::sleep_for(std::chrono::microseconds(200));
    return Sample(
        Image{index == wide_at ? ImageSize{1, 2} : ImageSize{1, 1}, 1, 1,
              std::vector<std::uint8_t>(index == wide_at ? 2 : 1, static_cast<std::uint8_t>(index))});
  }

  mutable std::atomic<std::size_t> reads = 0;
  std::size_t corrupt_remainder = 5;  // indices with this remainder of 5 are corrupt; 5: none
  std::size_t throws_at = 1000;
  std::size_t wide_at = 1000;

 private:
  std::size_t size_;
};

std::unique_ptr<BatchReader> open(const Dataset& set, const BatchReaderOptions& options) {
  auto reader = BatchReader::open(set, {image_input()}, options);
  EXPECT_TRUE(reader.ok()) << reader.error().message();
  return std::move(reader).value();
}

struct Contents {
  std::vector<float> values;
  std::vector<std::int64_t> labels;
  std::vector<std::size_t> sizes;
};

Contents read_all(BatchReader& reader) {
  Contents contents;
  while (true) {
    auto batch = reader.next();
    EXPECT_TRUE(batch.ok()) << batch.error().message();
    if (!batch.ok() || !batch->has_value()) return contents;
    const std::span<const float> values = (**batch).inputs[0].data<float>();
    contents.values.insert(contents.values.end(), values.begin(), values.end());
    contents.labels.insert(contents.labels.end(), (**batch).labels.begin(), (**batch).labels.end());
    contents.sizes.push_back((**batch).names.size());
    EXPECT_EQ((**batch).inputs[0].dims()[0], static_cast<std::int64_t>((**batch).names.size()));
  }
}

TEST(BatchReader, KeepsTheOrderForAnyNumberOfThreads) {
  const CountedImages set(100);
  for (const unsigned threads : {0u, 1u, 2u, 3u, 8u, 100u}) {
    const auto reader = open(set, {.batch_size = 32, .threads = threads});
    const Contents contents = read_all(*reader);
    EXPECT_EQ(contents.sizes, (std::vector<std::size_t>{32, 32, 32, 4}));
    for (std::size_t i = 0; i < 100; ++i) {
      EXPECT_EQ(contents.values[i], static_cast<float>(i));
      EXPECT_EQ(contents.labels[i], static_cast<std::int64_t>(i));
    }
    const auto after = reader->next();
    ASSERT_TRUE(after.ok());
    EXPECT_FALSE(after->has_value());
  }
}

TEST(BatchReader, ReadsAheadByTwoBatchesAtMost) {
  const CountedImages set(100);
  const auto reader = open(set, {.batch_size = 10, .threads = 4});
  ASSERT_TRUE(reader->next().ok());
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_LE(set.reads, 30u);
}

TEST(BatchReader, StopsWhenItIsDropped) {
  const CountedImages set(200);
  open(set, {.batch_size = 10, .threads = 4}).reset();
  const std::size_t reads = set.reads;
  EXPECT_LE(reads, 20u);
  std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_EQ(set.reads, reads);
}

TEST(BatchReader, MayBeDrainedBySeveralThreads) {
  const CountedImages set(200);
  const auto reader = open(set, {.batch_size = 7, .threads = 2});
  std::atomic<std::size_t> samples = 0;
  {
    std::vector<std::jthread> consumers;
    for (int i = 0; i < 4; ++i) {
      consumers.emplace_back([&] {
        for (auto batch = reader->next(); batch.ok() && batch->has_value(); batch = reader->next()) {
          samples += (**batch).names.size();
        }
      });
    }
  }
  EXPECT_EQ(samples, 200u);
}

TEST(BatchReader, FailsAtTheFirstCorruptSampleAndStaysThere) {
  CountedImages set(100);
  set.corrupt_remainder = 3;
  const auto reader = open(set, {.batch_size = 2, .threads = 3});
  ASSERT_TRUE(reader->next().ok());
  for (int i = 0; i < 2; ++i) EXPECT_EQ(input_error(reader->next()), "image '#3': damaged");
}

TEST(BatchReader, SkipsCorruptSamplesAndFillsTheBatch) {
  CountedImages set(20);
  set.corrupt_remainder = 0;
  const auto reader = open(set, {.batch_size = 3, .threads = 3, .on_corrupt = CorruptPolicy::kSkip});
  const Contents contents = read_all(*reader);
  EXPECT_EQ(contents.sizes, (std::vector<std::size_t>{3, 3, 3, 3, 3, 1}));
  EXPECT_EQ(contents.labels,
            (std::vector<std::int64_t>{1, 2, 3, 4, 6, 7, 8, 9, 11, 12, 13, 14, 16, 17, 18, 19}));
  ASSERT_EQ(reader->skipped().size(), 4u);
  EXPECT_EQ(reader->skipped()[1].name, "#5");
  EXPECT_EQ(reader->skipped()[1].reason, "image '#5': damaged");
}

TEST(BatchReader, FailsWhereAllSamplesAreCorrupt) {
  const TemporaryFolder folder;
  folder.write("a.jpg", "x");
  folder.write("b.jpg", "x");
  const auto set = open_dataset(folder.path());
  const auto reader = open(**set, {.on_corrupt = CorruptPolicy::kSkip});
  EXPECT_TRUE(
      contains(input_error(reader->next()), "none of the 2 images can be read; the first: image 'a.jpg'"));
}

TEST(BatchReader, DoesNotSkipWhatDoesNotFit) {
  CountedImages set(10);
  set.wide_at = 4;
  const auto reader = open(set, {.batch_size = 3, .on_corrupt = CorruptPolicy::kSkip});
  ASSERT_TRUE(reader->next().ok());
  EXPECT_TRUE(
      contains(input_error(reader->next()), "image '#4' comes out as 1x1x1x2, '#3' in the same batch"));
}

TEST(BatchReader, LetsNoExceptionOut) {
  CountedImages set(10);
  set.throws_at = 4;
  const auto reader = open(set, {.batch_size = 10});
  const auto batch = reader->next();
  ASSERT_FALSE(batch.ok());
  EXPECT_EQ(batch.error().code(), ErrorCode::kInternal);
  EXPECT_TRUE(contains(batch.error().message(), "'#4'"));
}

TEST(BatchReader, ChecksTheRequest) {
  const CountedImages set(10);
  const auto none = BatchReader::open(set, {image_input()}, {.batch_size = 0});
  ASSERT_FALSE(none.ok());
  EXPECT_EQ(none.error().code(), ErrorCode::kUsage);
  EXPECT_TRUE(contains(input_error(BatchReader::open(set, {image_input(), image_input()}, {})), "2 inputs"));
}

TEST(BatchReader, FeedsArraysByTheNamesOfInputs) {
  const auto set = open_dataset(data_path("arrays/two_inputs.npz"));
  const NetworkInput ids{"ids", Type{DataType::kInt64, Shape{Dim("N"), 4}, {}}};
  const NetworkInput mask{"mask", Type{DataType::kFloat, Shape{Dim("N"), 2, 2}, {}}};
  const auto reader = BatchReader::open(**set, {mask, ids}, {.batch_size = 2});
  ASSERT_TRUE(reader.ok()) << reader.error().message();
  EXPECT_FALSE((**reader).preprocess());
  const auto first = (**reader).next();
  ASSERT_TRUE(first.ok()) << first.error().message();
  const Batch& batch = **first;
  // The doubles become what the input asks for.
  EXPECT_EQ(batch.inputs[0],
            Tensor::of<float>({2, 2, 2}, std::vector<float>{0, 0.5f, 1, 1.5f, 2, 2.5f, 3, 3.5f}));
  EXPECT_EQ(batch.inputs[1],
            Tensor::of<std::int64_t>({2, 4}, std::vector<std::int64_t>{0, 1, 2, 3, 4, 5, 6, 7}));
  EXPECT_EQ(batch.labels, (std::vector<std::int64_t>{2, 0}));
  EXPECT_EQ(batch.names[1], "two_inputs.npz[1]");
}

TEST(BatchReader, SaysWhyArraysDoNotFeedTheNetwork) {
  const auto set = open_dataset(data_path("arrays/two_inputs.npz"));
  const auto error = [&](const char* name, DataType type, Shape shape) {
    const auto reader = BatchReader::open(**set, {{name, Type{type, std::move(shape), {}}}}, {});
    return reader.ok() ? input_error((**reader).next()) : input_error(reader);
  };
  EXPECT_EQ(error("x", DataType::kFloat, {1}), "no array for the network's input 'x': there are 'ids, mask'");
  EXPECT_TRUE(
      contains(error("ids", DataType::kInt64, {Dim("N"), 5}), "sample 'two_inputs.npz[0]' is 4 int64"));
  EXPECT_TRUE(contains(error("mask", DataType::kInt64, {Dim("N"), 2, 2}), "do not become int64"));
  EXPECT_EQ(error("ids", DataType::kBool, {Dim("N"), 4}),
            "sample 'two_inputs.npz[0]', input 'ids': the int64 2 does not fit into bool");
}

}  // namespace
}  // namespace press::test

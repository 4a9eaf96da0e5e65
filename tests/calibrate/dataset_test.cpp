#include "press/calibrate/dataset.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <set>

#include "calibrate/calibrate_support.h"

namespace press::test {
namespace {

std::vector<std::string> names(const Dataset& set) {
  std::vector<std::string> result;
  for (std::size_t i = 0; i < set.size(); ++i) result.push_back(set.name(i));
  return result;
}

std::vector<std::int64_t> labels(const Dataset& set) {
  std::vector<std::int64_t> result;
  for (std::size_t i = 0; i < set.size(); ++i) result.push_back(set.label(i).value_or(-1));
  return result;
}

std::unique_ptr<Dataset> open(const std::filesystem::path& path, const DatasetOptions& options = {}) {
  auto set = open_dataset(path, options);
  EXPECT_TRUE(set.ok()) << set.error().message();
  return std::move(set).value();
}

std::string gzip(const std::string& bytes) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string result(bytes.size() + 100, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(result.data());
  stream.avail_out = static_cast<uInt>(result.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  result.resize(stream.total_out);
  deflateEnd(&stream);
  return result;
}

std::string idx(const std::vector<int>& dims, const std::string& elements) {
  std::string result = {'\0', '\0', '\x08', static_cast<char>(dims.size())};
  for (const int dim : dims)
    result += {'\0', '\0', static_cast<char>(dim >> 8), static_cast<char>(dim & 255)};
  return result + elements;
}

std::string npy(const std::string& descr, const std::string& shape, const std::string& elements,
                const std::string& fortran = "False") {
  std::string header =
      "{'descr': '" + descr + "', 'fortran_order': " + fortran + ", 'shape': " + shape + ", }\n";
  return std::string("\x93NUMPY\x01\x00", 8) + static_cast<char>(header.size()) + '\0' + header + elements;
}

template <typename T>
std::string bytes_of(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

TEST(Folder, OfSubFoldersHasAClassEach) {
  const TemporaryFolder folder;
  folder.write("dog/b.pgm", pgm(1, 1, 2));
  folder.write("dog/a.PGM", pgm(1, 1, 1));
  folder.write("cat/z.pgm", pgm(1, 1, 0));
  folder.write("cat/Thumbs.db", "x");
  folder.write("readme.txt", "x");
  folder.write(".git/a.pgm", "x");
  const auto set = open(folder.path());
  EXPECT_EQ(names(*set), (std::vector<std::string>{"cat/z.pgm", "dog/a.PGM", "dog/b.pgm"}));
  EXPECT_EQ(labels(*set), (std::vector<std::int64_t>{0, 1, 1}));
  EXPECT_EQ(set->info().class_names, (std::vector<std::string>{"cat", "dog"}));
  EXPECT_EQ(set->info().ignored_files, 2u);
  EXPECT_TRUE(set->holds_images());
  EXPECT_EQ(std::get<Image>(set->read(2).value()).pixels, std::vector<std::uint8_t>{2});
}

TEST(Folder, OfImagesHasNoLabels) {
  const TemporaryFolder folder;
  folder.write("b.pgm", pgm(1, 1, 2));
  folder.write("a.pgm", pgm(1, 1, 1));
  folder.write("notes/readme.txt", "x");
  const auto set = open(folder.path());
  EXPECT_EQ(names(*set), (std::vector<std::string>{"a.pgm", "b.pgm"}));
  EXPECT_FALSE(set->label(0));
}

TEST(Folder, ErrorsSayWhatIsThere) {
  const TemporaryFolder folder;
  const std::string path = folder.path().string();
  EXPECT_EQ(input_error(open_dataset(path + "/none")),
            fmt::format("reading '{}/none': the file cannot be opened: No such file or directory", path));
  EXPECT_EQ(input_error(open_dataset(path)), fmt::format("folder '{}' is empty", path));
  folder.write("a.txt", "x");
  EXPECT_TRUE(contains(input_error(open_dataset(path)), "has no images (1 other files"));
  folder.write("cat/a.pgm", pgm(1, 1, 0));
  folder.write("dog/a.txt", "x");
  EXPECT_TRUE(contains(input_error(open_dataset(path)), "sub-folder 'dog' has no images"));
  folder.write("dog/a.pgm", pgm(1, 1, 0));
  EXPECT_TRUE(open_dataset(path).ok());
  folder.write("a.pgm", pgm(1, 1, 0));
  EXPECT_TRUE(contains(input_error(open_dataset(path)), "images and sub-folders with images ('cat')"));
}

TEST(Folder, TakesNoLabelFile) {
  const TemporaryFolder folder;
  folder.write("a.pgm", pgm(1, 1, 0));
  const auto set = open_dataset(folder.path(), {.labels = "labels"});
  ASSERT_FALSE(set.ok());
  EXPECT_EQ(set.error().code(), ErrorCode::kUsage);
}

TEST(Csv, HasAHeaderLineOrNot) {
  const TemporaryFolder folder;
  folder.write("sub/a.pgm", pgm(1, 1, 5));
  const auto plain = folder.write("plain.csv", "sub/a.pgm,3\r\n\"b, c.pgm\" , 0\r\n\r\n");
  EXPECT_EQ(names(*open(plain)), (std::vector<std::string>{"sub/a.pgm", "b, c.pgm"}));
  EXPECT_EQ(labels(*open(plain)), (std::vector<std::int64_t>{3, 0}));
  EXPECT_EQ(std::get<Image>(open(plain)->read(0).value()).pixels[0], 5);
  const auto titled = folder.write("titled.csv", "\xef\xbb\xbfLabel,synset,FileName\n7,n1,sub/a.pgm");
  EXPECT_EQ(names(*open(titled)), (std::vector<std::string>{"sub/a.pgm"}));
  EXPECT_EQ(labels(*open(titled)), (std::vector<std::int64_t>{7}));
}

TEST(Csv, ErrorsNameTheLine) {
  const TemporaryFolder folder;
  const auto error = [&](const char* text) { return input_error(open_dataset(folder.write("a.csv", text))); };
  EXPECT_TRUE(contains(error("a.jpg,1\nb.jpg,cat\n"), "line 2: label 'cat'"));
  EXPECT_TRUE(contains(error("a.jpg,-1\n"), "line 1: label '-1'"));
  EXPECT_TRUE(contains(error("a.jpg\n"), "line 1: 'filename,label' is expected"));
  EXPECT_TRUE(contains(error(",1\n"), "file name is empty"));
  EXPECT_TRUE(contains(error("filename,label\n"), "lists no images"));
  EXPECT_TRUE(contains(error(""), "lists no images"));
}

TEST(Idx, FindsItsLabels) {
  const std::string images = idx({2, 2, 3}, "abcdefghijkl");
  const std::string marks = idx({2}, "\x07\x03");
  for (const bool compressed : {false, true}) {
    const TemporaryFolder folder;
    const auto path = compressed ? folder.write("t10k-images-idx3-ubyte.gz", gzip(images))
                                 : folder.write("t10k-images-idx3-ubyte", images);
    EXPECT_EQ(labels(*open(path)), (std::vector<std::int64_t>{-1, -1}));
    folder.write("t10k-labels-idx1-ubyte.gz", gzip(marks));
    const auto set = open(path);
    EXPECT_EQ(labels(*set), (std::vector<std::int64_t>{7, 3}));
    const Image image = std::get<Image>(set->read(1).value());
    EXPECT_EQ(image.size, (ImageSize{2, 3}));
    EXPECT_EQ(std::string(image.pixels.begin(), image.pixels.end()), "ghijkl");
    const auto other = folder.write("other", idx({2}, "\x01\x02"));
    EXPECT_EQ(labels(*open(path, {.labels = other})), (std::vector<std::int64_t>{1, 2}));
  }
}

TEST(Idx, RefusesMalformedFiles) {
  const TemporaryFolder folder;
  const auto error = [&](const std::string& bytes) {
    return input_error(open_dataset(folder.write("a", bytes)));
  };
  EXPECT_TRUE(contains(error(idx({2, 2, 3}, "abc")), "need 28 bytes, the IDX file has 19"));
  EXPECT_TRUE(contains(error(idx({2, 2, 3}, "abc").substr(0, 7)), "truncated"));
  EXPECT_TRUE(contains(error(idx({2}, "ab") + std::string(20, 'x')), "rank 3"));
  EXPECT_TRUE(contains(error(gzip(idx({60000, 6000, 6000}, "abc"))), "cannot hold"));
  EXPECT_TRUE(contains(error(gzip(idx({2, 2, 3}, "abc"))), "shorter than its header says"));
  EXPECT_TRUE(contains(error(gzip(idx({1, 2, 1}, "abc"))), "longer than its header says"));
  const std::string whole = gzip(idx({2, 2, 3}, "abcdefghijkl"));
  EXPECT_TRUE(contains(error(whole.substr(0, whole.size() - 10)), "truncated"));
  std::string damaged = whole;
  damaged[damaged.size() - 6] = static_cast<char>(damaged[damaged.size() - 6] ^ 1);
  EXPECT_TRUE(contains(error(damaged), "damaged"));
  folder.write("images-idx3", idx({2, 1, 1}, "ab"));
  folder.write("labels-idx1", idx({3}, "abc"));
  EXPECT_TRUE(contains(input_error(open_dataset(folder.path() / "images-idx3")), "2 images"));
}

TEST(Npy, GivesASampleAlongTheFirstDim) {
  const TemporaryFolder folder;
  const auto path = folder.write("x.npy", npy("<f4", "(2, 3)", bytes_of<float>({1, 2, 3, 4, 5, 6})));
  const auto set =
      open(path, {.labels = folder.write("y.npy", npy("<i4", "(2,)", bytes_of<std::int32_t>({9, 0})))});
  EXPECT_FALSE(set->holds_images());
  EXPECT_EQ(set->name(1), "x.npy[1]");
  EXPECT_EQ(labels(*set), (std::vector<std::int64_t>{9, 0}));
  const auto sample = std::get<std::vector<Tensor>>(set->read(1).value());
  ASSERT_EQ(sample.size(), 1u);
  EXPECT_EQ(sample[0], Tensor::of<float>({3}, std::vector<float>{4, 5, 6}));
}

TEST(Npy, RefusesWhatItDoesNotRead) {
  const TemporaryFolder folder;
  const auto error = [&](const std::string& bytes) {
    return input_error(open_dataset(folder.write("x.npy", bytes)));
  };
  EXPECT_TRUE(contains(error(npy("<f4", "(2, 3)", std::string(24, 'x'), "True")), "Fortran order"));
  EXPECT_TRUE(contains(error(npy(">f4", "(2, 3)", std::string(24, 'x'))), "big-endian"));
  EXPECT_TRUE(contains(error(npy("|O", "(2, 3)", std::string(24, 'x'))), "not supported"));
  EXPECT_TRUE(contains(error(npy("<c8", "(2, 3)", std::string(48, 'x'))), "not supported"));
  EXPECT_TRUE(contains(error(npy("<f4", "(2, 3)", std::string(23, 'x'))), "need 24 bytes, but there are 23"));
  EXPECT_TRUE(contains(error(npy("<f4", "()", std::string(4, 'x'))), "is a scalar"));
  EXPECT_TRUE(contains(error(npy("<f4", "(0, 3)", "")), "has no samples"));
  EXPECT_TRUE(contains(error(npy("<f4", "(9000000000, 9000000000, 9000000000)", "")), "too many elements"));
  EXPECT_TRUE(contains(error(npy("<f4", "(99999999999999999999,)", "")), "malformed"));
  EXPECT_TRUE(contains(error(npy("<f4", "(2 3)", "")), "malformed"));
  const std::string whole = npy("<f4", "(2, 3)", std::string(24, 'x'));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    input_error(parse_npy({nullptr, as_bytes(whole).first(size)}));
  }
}

TEST(Npz, RefusesEveryTruncationAndSurvivesEveryFlippedByte) {
  for (const char* name : {"arrays/two_inputs.npz", "arrays/two_inputs_deflated.npz"}) {
    std::string bytes = read_bytes(data_path(name));
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      const std::vector<char> part(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
      input_error(parse_npz({nullptr, std::as_bytes(std::span(part))}));
    }
    for (char& byte : bytes) {
      const char old = byte;
      for (const int flip : {0x01, 0x80, 0xff}) {
        byte = static_cast<char>(old ^ flip);
        const auto arrays = parse_npz({nullptr, as_bytes(bytes)});
        if (!arrays.ok()) {
          EXPECT_FALSE(arrays.error().message().empty());
        }
      }
      byte = old;
    }
  }
}

TEST(Npz, HasAnArrayForEachInput) {
  for (const char* name : {"arrays/two_inputs.npz", "arrays/two_inputs_deflated.npz"}) {
    const auto set = open(data_path(name));
    EXPECT_EQ(set->info().array_names, (std::vector<std::string>{"ids", "mask"})) << name;
    EXPECT_EQ(labels(*set), (std::vector<std::int64_t>{2, 0, 1}));
    const auto sample = std::get<std::vector<Tensor>>(set->read(2).value());
    ASSERT_EQ(sample.size(), 2u);
    EXPECT_EQ(sample[0], Tensor::of<std::int64_t>({4}, std::vector<std::int64_t>{8, 9, 10, 11}));
    EXPECT_EQ(sample[1].type(), DataType::kDouble);
    EXPECT_EQ(sample[1].dims(), (Dims{2, 2}));
    EXPECT_EQ(sample[1].data<double>()[3], 5.5);
  }
}

TEST(Npz, RefusesArraysOfDifferentLengths) {
  EXPECT_TRUE(contains(input_error(open_dataset(data_path("arrays/lengths_differ.npz"))),
                       "array 'b' has 2 samples, array 'a' has 3"));
}

TEST(Dataset, OfAnotherKindIsRefused) {
  EXPECT_TRUE(contains(input_error(open_dataset(data_path("images/rgb.png"))), "is no set of samples"));
}

class Selection : public testing::Test {
 protected:
  /// Classes of 50, 3 and 10 images.
  std::filesystem::path write_list() const {
    std::string text;
    for (int i = 0; i < 50; ++i) text += fmt::format("a{}.jpg,0\n", i);
    for (int i = 0; i < 3; ++i) text += fmt::format("b{}.jpg,1\n", i);
    for (int i = 0; i < 10; ++i) text += fmt::format("c{}.jpg,2\n", i);
    return folder_.write("list.csv", text);
  }
  TemporaryFolder folder_;
};

TEST_F(Selection, SpreadsOverClassesAndWithinThem) {
  const auto path = write_list();
  EXPECT_EQ(names(*open(path, {.limit = 3})), (std::vector<std::string>{"a0.jpg", "b0.jpg", "c0.jpg"}));
  EXPECT_EQ(names(*open(path, {.limit = 6})),
            (std::vector<std::string>{"a0.jpg", "a25.jpg", "b0.jpg", "b1.jpg", "c0.jpg", "c5.jpg"}));
  // The small class gives all that it has, the others share the rest.
  const std::vector<std::int64_t> of_21 = labels(*open(path, {.limit = 21}));
  EXPECT_EQ(of_21.size(), 21u);
  EXPECT_EQ(std::ranges::count(of_21, 1), 3);
  EXPECT_EQ(std::ranges::count(of_21, 2), 9);
  EXPECT_EQ(open(path, {.limit = 63})->size(), 63u);
  EXPECT_EQ(open(path, {.limit = 1000})->size(), 63u);
}

TEST_F(Selection, BySeedIsARepeatableDraw) {
  const auto path = write_list();
  const auto drawn = names(*open(path, {.limit = 20, .seed = 1}));
  EXPECT_EQ(drawn.size(), 20u);
  EXPECT_EQ(std::set<std::string>(drawn.begin(), drawn.end()).size(), 20u);
  EXPECT_EQ(names(*open(path, {.limit = 20, .seed = 1})), drawn);
  EXPECT_NE(names(*open(path, {.limit = 20, .seed = 2})), drawn);
  const auto all = names(*open(path, {.seed = 1}));
  EXPECT_EQ(std::vector<std::string>(all.begin(), all.begin() + 20), drawn);
  EXPECT_EQ(std::set<std::string>(all.begin(), all.end()).size(), 63u);
}

}  // namespace
}  // namespace press::test

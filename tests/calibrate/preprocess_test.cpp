#include "press/calibrate/preprocess.h"

#include "calibrate/calibrate_support.h"

namespace press::test {
namespace {

NetworkInput input_of(Shape shape, DataType element = DataType::kFloat) {
  return {"x", Type{element, std::move(shape), {}}};
}

Image filled(ImageSize size, int channels, std::vector<std::uint8_t> pixel) {
  Image image = make_image(size, channels).value();
  for (std::size_t i = 0; i < image.pixels.size(); ++i) image.pixels[i] = pixel[i % pixel.size()];
  return image;
}

Result<Tensor> run(const Preprocess& preprocess, const NetworkInput& input, Image image) {
  PRESS_ASSIGN(const ImagePreprocessor preprocessor, ImagePreprocessor::create(preprocess, input));
  return preprocessor.run(std::move(image), "a.jpg");
}

std::vector<float> floats(const Tensor& tensor) {
  const std::span<const float> values = tensor.data<float>();
  return {values.begin(), values.end()};
}

TEST(Preprocess, TakesAPhotographIntoANetworkAsPillowAndNumPyDo) {
  Preprocess steps = preprocess_preset("imagenet").value();
  steps.resize = ShorterSide{32};
  steps.crop = ImageSize{28, 28};
  const Result<Tensor> tensor = run(steps, input_of({Dim("N"), 3, 28, 28}), decode_file("wide.jpg").value());
  ASSERT_TRUE(tensor.ok()) << tensor.error().message();
  EXPECT_EQ(tensor->dims(), (Dims{1, 3, 28, 28}));
  const std::vector<float> values = floats(*tensor);
  const std::span<const float> wanted = expected("wide.jpg:imagenet28").data<float>();
  for (std::size_t i = 0; i < wanted.size(); ++i) ASSERT_FLOAT_EQ(values[i], wanted[i]) << i;
}

TEST(Preprocess, PresetsAreComplete) {
  for (const PreprocessPreset& preset : preprocess_presets()) {
    EXPECT_TRUE(preprocess_preset(preset.name).ok()) << preset.name;
    EXPECT_FALSE(preset.help.empty());
  }
  const Result<Preprocess> unknown = preprocess_preset("imagnet");
  ASSERT_FALSE(unknown.ok());
  EXPECT_EQ(unknown.error().code(), ErrorCode::kUsage);
  EXPECT_EQ(unknown.error().message(),
            "unknown preprocessing preset 'imagnet': use one of imagenet, imagenet-tf, cifar10, "
            "fashion-mnist, none");
}

TEST(Preprocess, PresetsMakeTheirValues) {
  const auto first = [](const char* preset, int channels, std::uint8_t pixel) {
    const Preprocess steps = preprocess_preset(preset).value();
    return floats(
        run(steps, input_of({1, Dim(), Dim(), Dim()}), filled({300, 300}, channels, {pixel})).value())[0];
  };
  EXPECT_FLOAT_EQ(first("imagenet", 3, 255), (1.0f - 0.485f) / 0.229f);
  EXPECT_FLOAT_EQ(first("imagenet-tf", 3, 0), -1);
  EXPECT_FLOAT_EQ(first("imagenet-tf", 3, 255), 1);
  EXPECT_FLOAT_EQ(first("cifar10", 1, 0), -0.485f / 0.229f);
  EXPECT_FLOAT_EQ(first("fashion-mnist", 1, 255), (1 - 0.2860f) / 0.3530f);
  EXPECT_FLOAT_EQ(first("none", 1, 255), 255);
}

TEST(Preprocess, LaysOutChannels) {
  const Image image{{1, 2}, 3, 1, {1, 2, 3, 4, 5, 6}};
  Preprocess steps;
  const NetworkInput any = input_of({1, Dim(), Dim(), Dim()});
  EXPECT_EQ(floats(run(steps, any, image).value()), (std::vector<float>{1, 4, 2, 5, 3, 6}));
  steps.layout = Layout::kNhwc;
  EXPECT_EQ(floats(run(steps, any, image).value()), (std::vector<float>{1, 2, 3, 4, 5, 6}));
  set_channel_order(steps, ChannelOrder::kBgr);
  const Tensor tensor = run(steps, any, image).value();
  EXPECT_EQ(tensor.dims(), (Dims{1, 1, 2, 3}));
  EXPECT_EQ(floats(tensor), (std::vector<float>{3, 2, 1, 6, 5, 4}));
}

TEST(Preprocess, LeavesAlphaLast) {
  Preprocess steps;
  steps.channels = Channels::kRgba;
  steps.order = ChannelOrder::kBgr;
  const Tensor tensor = run(steps, input_of({1, 4, 1, 1}), Image{{1, 1}, 4, 1, {1, 2, 3, 4}}).value();
  EXPECT_EQ(floats(tensor), (std::vector<float>{3, 2, 1, 4}));
}

TEST(Preprocess, ReadsTheLayoutFromTheShape) {
  const auto layout = [](Shape shape) {
    return ImagePreprocessor::create({}, input_of(std::move(shape)))->preprocess().layout;
  };
  EXPECT_EQ(layout({1, 3, 224, 224}), Layout::kNchw);
  EXPECT_EQ(layout({1, 224, 224, 3}), Layout::kNhwc);
  EXPECT_EQ(layout({Dim("N"), Dim(), Dim(), 1}), Layout::kNhwc);
  EXPECT_EQ(layout({Dim("N"), Dim(), Dim(), Dim()}), Layout::kNchw);
}

TEST(Preprocess, MovesMeanAndStdWithTheColours) {
  Preprocess steps = preprocess_preset("imagenet").value();
  set_channel_order(steps, ChannelOrder::kBgr);
  EXPECT_EQ(steps.mean, (std::vector<double>{0.406, 0.456, 0.485}));
  EXPECT_EQ(steps.std, (std::vector<double>{0.225, 0.224, 0.229}));
  set_channel_order(steps, ChannelOrder::kBgr);
  EXPECT_EQ(steps.mean[0], 0.406);
}

TEST(Preprocess, WritesTheElementTypeOfTheInput) {
  const Image image{{1, 1}, 1, 1, {200}};
  const Shape shape = {1, 1, 1, 1};
  EXPECT_EQ(run({}, input_of(shape, DataType::kUint8), image)->data<std::uint8_t>()[0], 200);
  EXPECT_EQ(run({}, input_of(shape, DataType::kInt32), image)->data<std::int32_t>()[0], 200);
  EXPECT_EQ(run({}, input_of(shape, DataType::kFloat16), image)->data<Float16>()[0], to_float16(200));
  EXPECT_EQ(run({}, input_of(shape, DataType::kDouble), image)->data<double>()[0], 200.0);
  Preprocess shifted;
  shifted.mean = {128};
  EXPECT_EQ(run(shifted, input_of(shape, DataType::kInt8), image)->data<std::int8_t>()[0], 72);
}

TEST(Preprocess, RefusesAnElementTypeThatCannotHoldTheValues) {
  const Shape shape = {1, 1, 1, 1};
  EXPECT_TRUE(contains(input_error(ImagePreprocessor::create({}, input_of(shape, DataType::kInt8))),
                       "--preset none"));
  const Preprocess scaled = preprocess_preset("fashion-mnist").value();
  EXPECT_TRUE(contains(input_error(ImagePreprocessor::create(scaled, input_of(shape, DataType::kUint8))),
                       "whole numbers"));
  EXPECT_TRUE(contains(input_error(ImagePreprocessor::create({}, input_of(shape, DataType::kString))),
                       "not supported"));
}

TEST(Preprocess, NamesTheImageWhoseChannelsDoNotFit) {
  EXPECT_EQ(input_error(run({}, input_of({1, 3, 2, 2}), filled({2, 2}, 1, {0}))),
            "image 'a.jpg' has 1 channel, the network's input 'x' (float32[1,3,2,2]) asks for 3: use "
            "--channels rgb");
  EXPECT_EQ(input_error(run({}, input_of({1, 1, 2, 2}), filled({2, 2}, 4, {0}))),
            "image 'a.jpg' has 4 channels, the network's input 'x' (float32[1,1,2,2]) asks for 1: use "
            "--channels grey");
  Preprocess steps;
  steps.mean = {1, 2, 3};
  EXPECT_EQ(input_error(run(steps, input_of({1, Dim(), 2, 2}), filled({2, 2}, 1, {0}))),
            "image 'a.jpg' has 1 channel, mean and std have 3: use --channels rgb");
}

TEST(Preprocess, NamesTheImageWhoseSizeDoesNotFit) {
  EXPECT_EQ(input_error(run({}, input_of({1, 3, 224, 200}), filled({2, 3}, 3, {0}))),
            "image 'a.jpg' comes out as 2x3 (height x width), the network's input 'x' (float32[1,3,224,200]) "
            "asks for "
            "224x200: use --resize 224x200 or --crop 224x200");
  Preprocess steps;
  steps.crop = ImageSize{4, 4};
  EXPECT_EQ(input_error(run(steps, input_of({1, 3, Dim(), Dim()}), filled({2, 3}, 3, {0}))),
            "image 'a.jpg' is 2x3 (height x width), the crop asks for 4x4: use --resize");
}

TEST(Preprocess, ComparesItsStepsWithTheNetworkBeforeAnyImageIsRead) {
  const Preprocess imagenet = preprocess_preset("imagenet").value();
  EXPECT_EQ(input_error(ImagePreprocessor::create(imagenet, input_of({1, 3, 299, 299}))),
            "preprocessing makes images of 224x224 (height x width), the network's input 'x' "
            "(float32[1,3,299,299]) "
            "asks for 299x299: use --crop 299x299");
  EXPECT_EQ(input_error(ImagePreprocessor::create(imagenet, input_of({1, 1, 224, 224}))),
            "preprocessing makes 3 channels (rgb, nchw), the network's input 'x' (float32[1,1,224,224]) asks "
            "for 1: "
            "use --channels grey");
  Preprocess planar = imagenet;
  planar.layout = Layout::kNchw;
  EXPECT_EQ(input_error(ImagePreprocessor::create(planar, input_of({1, 224, 224, 3}))),
            "preprocessing makes 3 channels (rgb, nchw), the network's input 'x' (float32[1,224,224,3]) asks "
            "for 224: "
            "use --layout nhwc");
  EXPECT_TRUE(
      contains(input_error(ImagePreprocessor::create(imagenet, input_of({1, 10}))), "takes no images"));
}

TEST(Preprocess, RefusesStepsThatMakeNoSense) {
  const auto code = [](const Preprocess& steps) {
    const auto made = ImagePreprocessor::create(steps, input_of({1, Dim(), Dim(), Dim()}));
    return made.ok() ? ErrorCode::kInternal : made.error().code();
  };
  Preprocess steps;
  steps.std = {0};
  EXPECT_EQ(code(steps), ErrorCode::kUsage);
  steps = {};
  steps.resize = ShorterSide{0};
  EXPECT_EQ(code(steps), ErrorCode::kUsage);
  steps = {};
  steps.crop = ImageSize{-1, 4};
  EXPECT_EQ(code(steps), ErrorCode::kUsage);
  steps = {};
  steps.channels = Channels::kGrey;
  steps.mean = {1, 2, 3};
  EXPECT_EQ(code(steps), ErrorCode::kUsage);
}

TEST(Preprocess, TurnsThePictureUnlessToldNotTo) {
  const Image image = decode_file("orientation6.jpg").value();
  const NetworkInput any = input_of({1, Dim(), Dim(), Dim()});
  Preprocess steps;
  EXPECT_EQ(run(steps, any, image)->dims(), (Dims{1, 3, 16, 8}));
  steps.apply_orientation = false;
  EXPECT_EQ(run(steps, any, image)->dims(), (Dims{1, 3, 8, 16}));
}

TEST(Preprocess, DescribesItself) {
  EXPECT_EQ(describe(preprocess_preset("imagenet").value()),
            "rgb, shorter side 256 bilinear, crop 224x224, scale 0.00392157, mean [0.485, 0.456, 0.406], std "
            "[0.229, "
            "0.224, 0.225]");
}

}  // namespace
}  // namespace press::test

// From a decoded image to a network's input tensor: the steps of preprocessing, their presets, and their
// application.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "press/calibrate/image.h"
#include "press/ir/tensor.h"
#include "press/ir/type.h"
#include "press/support/result.h"

namespace press {

/// What is known of one input of the network. The first dim of its shape counts the samples of a batch.
struct NetworkInput {
  std::string name;
  Type type;
};

enum class Channels { kAsStored = 0, kGrey = 1, kRgb = 3, kRgba = 4 };
enum class ChannelOrder { kRgb, kBgr };
enum class Layout { kNchw, kNhwc };

/// The shorter side becomes `pixels`, the longer one floor(pixels * longer / shorter), as in torchvision.
struct ShorterSide {
  int pixels = 0;
};

/// All that happens to an image, in the order in which it happens. The default passes 8-bit pixels on as
/// floats.
struct Preprocess {
  bool apply_orientation = true;            // turn the picture as EXIF asks
  Channels channels = Channels::kAsStored;  // convert to grey, RGB or RGBA
  std::variant<std::monostate, ShorterSide, ImageSize> resize;
  Interpolation interpolation = Interpolation::kBilinear;
  std::optional<ImageSize> crop;  // around the centre
  // Value = (pixel * scale - mean) / std with pixels of 0 to 255. mean and std hold one number for all
  // channels or one a channel in the order in which the network takes them; empty: 0 and 1.
  double scale = 1;
  std::vector<double> mean;
  std::vector<double> std;
  ChannelOrder order = ChannelOrder::kRgb;  // kBgr: red and blue change places; alpha stays last
  std::optional<Layout> layout;             // nullopt: as the network's shape reads
};

struct PreprocessPreset {
  std::string_view name;
  std::string_view help;  // one line
};

/// All presets in the order of the help text.
std::span<const PreprocessPreset> preprocess_presets();

/// The preset of that name. Errors: kUsage for an unknown name.
Result<Preprocess> preprocess_preset(std::string_view name);

/// Changes the order of colours and moves mean and std with them.
void set_channel_order(Preprocess& preprocess, ChannelOrder order);

/// One line for reports: "rgb, shorter side 256 bilinear, crop 224x224, scale 0.00392157, mean [..], std
/// [..], nchw".
std::string describe(const Preprocess& preprocess);

/// A Preprocess that was checked against one network input.
class ImagePreprocessor {
 public:
  /// Errors: kUsage where the steps make no sense (sizes below 1, std of 0, as many means as no image has
  /// channels); kInput where the input takes no images, where its channels or size are known and differ from
  /// what the steps yield, or where its element type cannot hold the values.
  static Result<ImagePreprocessor> create(Preprocess preprocess, NetworkInput input);

  /// The input tensor of one image, [1,C,H,W] or [1,H,W,C] in the input's element type. `name` is the
  /// image's, for errors: kInput where the image is smaller than the crop, or its channels or size are not
  /// the network's.
  Result<Tensor> run(Image image, const std::string& name) const;

  /// The steps with what the network's shape decides filled in.
  const Preprocess& preprocess() const { return preprocess_; }

 private:
  ImagePreprocessor(Preprocess preprocess, NetworkInput input);

  Result<Image> shape_image(Image image, const std::string& name) const;
  Status check_image(const Image& image, const std::string& name) const;
  double value(int channel, int pixel) const;
  template <typename T>
  Result<Tensor> to_tensor(const Image& image) const;
  Status check_values() const;

  Preprocess preprocess_;
  NetworkInput input_;
};

}  // namespace press

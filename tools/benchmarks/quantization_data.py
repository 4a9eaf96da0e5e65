"""Networks with the images that they were trained for: inputs as arrays, for calibration and for test, and labels."""
import csv
import dataclasses
import gzip
from pathlib import Path

import numpy as np

FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")
IMAGENET_PART = 5  # every fifth of the ImageNet samples calibrates, the others test


@dataclasses.dataclass
class Steps:
    """value = (pixel * scale - mean) / std"""
    mean: tuple = (0,)
    std: tuple = (1,)
    scale: float = 1 / 255
    size: int = 0  # square, in pixels; 0: as stored
    bgr: bool = False

    def apply(self, pixels):
        """[N,H,W,C] of 0 to 255 to [N,C,H,W]."""
        pixels = np.stack(pixels).transpose(0, 3, 1, 2)
        if self.bgr:
            pixels = pixels[:, ::-1]
        mean, std = (np.array(numbers, np.float32).reshape(1, -1, 1, 1) for numbers in (self.mean, self.std))
        return np.ascontiguousarray((pixels * np.float32(self.scale) - mean) / std, np.float32)


@dataclasses.dataclass
class Network:
    path: str  # below the shared folder, or in the repository
    images: str  # cifar10, imagenet or fashion-mnist
    steps: Steps
    labels: bool = True
    depthwise: bool = False
    first_class: int = 0  # the output that label 0 stands for
    transformer: bool = False

    def file(self, shared):
        """Its model below the shared folder, else in the repository."""
        found = Path(shared) / self.path
        return found if found.exists() else Path(self.path)


CIFAR = Steps((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
HALF = Steps((127.5,), (127.5,), 1, 224)
NETWORKS = {
    "ResNet-20": Network("models/accuracy/akamaster_resnet20_cifar10_op17_bn.onnx", "cifar10", CIFAR),
    "ResNet-32": Network("models/accuracy/akamaster_resnet32_cifar10_op13_bn.onnx", "cifar10", CIFAR),
    "ResNet-56": Network("models/accuracy/akamaster_resnet56_cifar10_op13_bn.onnx", "cifar10", CIFAR),
    "ResNet-8": Network("models/accuracy/mlperf_tiny_resnet8_cifar10.onnx", "cifar10", Steps(scale=1)),
    "person detector": Network("models/accuracy/mlperf_tiny_vww96_mobilenet_v1_0.25.onnx", "imagenet", Steps(size=96),
                               labels=False, depthwise=True),
    "Fashion-MNIST ResNet": Network("models/fashion_mnist_resnet.onnx", "fashion-mnist", Steps((0.286,), (0.353,))),
    "Fashion-MNIST MobileNetV2": Network("models/fashion_mnist_mobilenetv2.onnx", "fashion-mnist", Steps((0.286,), (0.353,)),
                                         depthwise=True),
    "Fashion-MNIST ViT": Network("build/bench/fashion_mnist_vit.onnx", "fashion-mnist", Steps((0.286,), (0.353,)),
                                 transformer=True),  # tools/dev/train_vit.py makes it
    "SqueezeNet 1.1": Network("models/accuracy/winml_SqueezeNet1.1_imagenet_fp32upcast.onnx", "imagenet",
                              Steps((104, 117, 123), scale=1, size=224, bgr=True)),
    "MobileNetV1 0.25": Network("models/accuracy/stm32ai_mobilenet_v1_0.25_224_imagenet.onnx", "imagenet",
                                Steps((128,), (128,), 1, 224), depthwise=True),
    "MobileNetV2": Network("models/accuracy/coral_mobilenet_v2_1.0_224_quant_dequantized.onnx", "imagenet", HALF,
                           depthwise=True, first_class=1),
}


def open_image(file, size):
    """The centre of the picture as [H,W,3]; a size below the picture's shrinks the shorter side to it where the network is
    small, else only cuts (the samples are stored with a shorter side of 256)."""
    from PIL import Image

    image = Image.open(file).convert("RGB")
    if size == 0:
        return np.asarray(image)
    if size < 224:
        image = image.resize((size, size), Image.BILINEAR)
    left, top = (image.width - size) // 2, (image.height - size) // 2
    return np.asarray(image.crop((left, top, left + size, top + size)))


def by_class(folder, count):
    """(file, label) of a folder a class, evenly over the classes; 0: all."""
    classes = sorted(folder.iterdir())
    each = None if count == 0 else -(-count // len(classes))
    return [(file, label) for label, kind in enumerate(classes) for file in sorted(kind.iterdir())[:each]]


def read_idx(path):
    data = gzip.open(path, "rb").read()
    dims = np.frombuffer(data, ">i4", data[3], 4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * data[3]).reshape(dims)


def read(network, shared, part, count=0):
    """Inputs and labels of `part`: "calibration" (`count` of them) or "test" (0: all)."""
    steps, size = network.steps, network.steps.size
    if network.images == "fashion-mnist":
        stem = "t10k" if part == "test" else "train"
        pixels, labels = (read_idx(FASHION_MNIST / f"{stem}-{kind}-ubyte.gz") for kind in ("images-idx3", "labels-idx1"))
        taken = slice(None) if count == 0 else slice(0, len(pixels), len(pixels) // count)
        return steps.apply(pixels[taken][..., None]), labels[taken]
    if network.images == "cifar10":
        files = by_class(shared / "data/cifar10" / part, count)
    else:
        folder = shared / "data/imagenet-samples"
        rows = list(csv.DictReader(open(folder / "labels.csv", newline="")))
        files = [(folder / row["filename"], int(row["label"])) for i, row in enumerate(rows)
                 if (i % IMAGENET_PART == 0) == (part == "calibration")]
    labels = np.array([label for _, label in files]) + network.first_class
    return steps.apply([open_image(file, size) for file, _ in files]), labels

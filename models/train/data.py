"""Fashion-MNIST from its four gzip-compressed IDX files."""

import gzip
from pathlib import Path

import numpy as np

MEAN, DEVIATION = 0.2860, 0.3530
FILES = {
    "train": ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"),
    "test": ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"),
}


def normalise(pixels):
    """Pixels 0..255 to what the networks take."""
    return (pixels / np.float32(255) - np.float32(MEAN)) / np.float32(DEVIATION)


def read_idx(path):
    """The array in one IDX file of unsigned bytes."""
    raw = gzip.decompress(path.read_bytes())
    if raw[:3] != b"\0\0\x08":
        raise ValueError(f"{path} is not an IDX file of unsigned bytes")
    shape = np.frombuffer(raw, ">u4", count=raw[3], offset=4)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3]).reshape(shape)


def load(folder, part):
    """Images as float32 [n,1,28,28], normalised, and labels as int64 [n]."""
    images, labels = (read_idx(Path(folder) / name) for name in FILES[part])
    return normalise(images[:, None].astype(np.float32)), labels.astype(np.int64)

"""Trains a small vision transformer on Fashion-MNIST, for comparisons of quantization, and writes it as ONNX.

    train_vit.py OUT.onnx [--epochs N] [--width N] [--depth N]

Inputs are (pixel / 255 - 0.286) / 0.353. Needs PyTorch; takes some minutes on two cores.
"""
import argparse
import gzip
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

DATA = Path("/usr/share/datasets/fashion-mnist")
PATCH = 7


def read_idx(path):
    data = gzip.open(path, "rb").read()
    return np.frombuffer(data, np.uint8, offset=4 + 4 * data[3]).reshape(np.frombuffer(data, ">i4", data[3], 4))


def read(stem):
    images = torch.tensor(read_idx(DATA / f"{stem}-images-idx3-ubyte.gz").astype(np.float32))[:, None]
    return (images / 255 - 0.286) / 0.353, torch.tensor(read_idx(DATA / f"{stem}-labels-idx1-ubyte.gz").astype(np.int64))


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        batch, tokens, width = x.shape
        query, key, value = self.qkv(self.norm1(x)).reshape(batch, tokens, 3, self.heads, -1).permute(2, 0, 3, 1, 4).unbind(0)
        scores = query @ key.transpose(-2, -1) * (width // self.heads) ** -0.5
        mixed = (scores.softmax(-1) @ value).transpose(1, 2).reshape(batch, tokens, width)
        x = x + self.out(mixed)
        return x + self.down(functional.gelu(self.up(self.norm2(x))))


class Vit(nn.Module):
    def __init__(self, width, depth, heads=4):
        super().__init__()
        tokens = (28 // PATCH) ** 2
        self.embed = nn.Conv2d(1, width, PATCH, PATCH)
        self.first = nn.Parameter(torch.zeros(1, 1, width))
        self.places = nn.Parameter(torch.randn(1, tokens + 1, width) * 0.02)
        self.blocks = nn.Sequential(*[Block(width, heads) for _ in range(depth)])
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 10)

    def forward(self, images):
        x = self.embed(images).flatten(2).transpose(1, 2)
        x = torch.cat([self.first.expand(x.shape[0], -1, -1), x], 1) + self.places
        return self.head(self.norm(self.blocks(x))[:, 0])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("out")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--width", type=int, default=96)
    parser.add_argument("--depth", type=int, default=4)
    options = parser.parse_args()
    torch.manual_seed(1)
    images, labels = read("train")
    test_images, test_labels = read("t10k")
    model = Vit(options.width, options.depth)
    steps = options.epochs * (len(images) // 128)
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, steps)
    for epoch in range(options.epochs):
        order = torch.randperm(len(images))
        for at in range(0, len(images) - 127, 128):
            batch = order[at:at + 128]
            loss = functional.cross_entropy(model(images[batch]), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        with torch.no_grad():
            right = (torch.cat([model(part) for part in test_images.split(500)]).argmax(1) == test_labels).float().mean()
        print(f"epoch {epoch + 1}: loss {loss:.3f}, top-1 of the test images {100 * right:.2f} %", flush=True)
        torch.onnx.export(model.eval(), images[:2], options.out, opset_version=17, input_names=["images"],
                          output_names=["classes"], dynamic_axes={"images": {0: "N"}, "classes": {0: "N"}}, dynamo=False)
        model.train()


if __name__ == "__main__":
    main()

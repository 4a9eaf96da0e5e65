"""Trains one of the networks on Fashion-MNIST and writes it as ONNX.

Trains on all 60,000 training images for a fixed number of epochs and writes
the last state. The test images are never read here: see evaluate.py.
"""

import argparse
import time
from pathlib import Path

import torch
from torch.nn import functional as F

import data
from export import export
from networks import NETWORKS

CROP_PADDING = 2
ERASE_PROBABILITY = 0.5
ERASE_SIZES = (3, 9)  # smallest, and one more than the largest


def augment(images):
    """Random crop of the padded image, horizontal flip and erasing of a small rectangle."""
    count, _, size, _ = images.shape
    grid = torch.arange(size)

    def window():
        """For each image, which of its rows (or columns) to erase."""
        extent = torch.randint(*ERASE_SIZES, (count, 1))
        start = torch.randint(size, (count, 1)) - extent // 2
        return (grid >= start) & (grid < start + extent)

    padded = F.pad(images, [CROP_PADDING] * 4, value=data.normalise(0))
    offsets = torch.randint(2 * CROP_PADDING + 1, (2, count, 1))
    rows, columns = offsets + grid
    columns = torch.where(torch.rand(count, 1) < 0.5, columns.flip(1), columns)
    cropped = padded[torch.arange(count)[:, None, None], 0, rows[:, :, None], columns[:, None, :]]
    erased = window()[:, :, None] & window()[:, None, :]
    erased &= torch.rand(count, 1, 1) < ERASE_PROBABILITY
    return cropped.masked_fill(erased, 0)[:, None]


def train(network, images, labels, options):
    batches = len(images) // options.batch
    optimiser = torch.optim.SGD(
        network.parameters(),
        lr=options.rate,
        momentum=0.9,
        nesterov=True,
        weight_decay=options.decay,
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser,
        options.rate,
        epochs=options.epochs,
        steps_per_epoch=batches,
        pct_start=0.15,
        cycle_momentum=False,
        final_div_factor=1e3,
    )
    network.train()
    for epoch in range(1, options.epochs + 1):
        start, total = time.monotonic(), 0.0
        order = torch.randperm(len(images))[: batches * options.batch]
        for batch in order.view(batches, options.batch):
            inputs = augment(images[batch]).contiguous(memory_format=torch.channels_last)
            with torch.autocast("cpu", torch.bfloat16, enabled=options.bfloat16):
                logits = network(inputs)
            loss = F.cross_entropy(logits.float(), labels[batch], label_smoothing=0.05)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            total += loss.item()
        seconds = time.monotonic() - start
        print(f"epoch {epoch}: loss {total / batches:.4f}, {seconds:.0f} s", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("network", choices=NETWORKS)
    parser.add_argument("--data", type=Path, required=True, help="folder of the IDX .gz files")
    parser.add_argument("--output", type=Path, required=True, help="ONNX file to write")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rate", type=float, default=0.1, help="peak learning rate")
    parser.add_argument("--decay", type=float, default=5e-4, help="weight decay")
    parser.add_argument(
        "--bfloat16", action="store_true", help="mixed precision: faster for wide convolutions"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()

    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    torch.use_deterministic_algorithms(True)
    images, labels = map(torch.from_numpy, data.load(options.data, "train"))
    network = NETWORKS[options.network]().to(memory_format=torch.channels_last)
    train(network, images, labels, options)
    export(network.eval(), options.output.stem, options.output)


if __name__ == "__main__":
    main()

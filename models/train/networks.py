"""The two networks, for inputs of [N,1,28,28] and ten classes.

Every operation, residual additions included, is a module: its path in the
module tree names the node that export.py writes for it.
"""

from collections import OrderedDict

from torch import nn


class Add(nn.Module):
    def forward(self, left, right):
        return left + right


def chain(**modules):
    return nn.Sequential(OrderedDict(modules))


def conv(inputs, outputs, kernel, stride=1, groups=1):
    """A bias-free convolution that keeps the size at stride 1."""
    return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)


def head(channels):
    return dict(
        pool=nn.AdaptiveAvgPool2d(1), flatten=nn.Flatten(), classifier=nn.Linear(channels, 10)
    )


class Residual(nn.Module):
    """Two 3x3 convolutions beside the identity, or a 1x1 projection where shapes differ."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.body = chain(
            conv1=conv(inputs, outputs, 3, stride),
            bn1=nn.BatchNorm2d(outputs),
            relu1=nn.ReLU(),
            conv2=conv(outputs, outputs, 3),
            bn2=nn.BatchNorm2d(outputs),
        )
        self.shortcut = nn.Sequential()
        if stride != 1 or inputs != outputs:
            self.shortcut = chain(
                conv=conv(inputs, outputs, 1, stride), bn=nn.BatchNorm2d(outputs)
            )
        self.add = Add()
        self.relu = nn.ReLU()

    def forward(self, x):
        return self.relu(self.add(self.body(x), self.shortcut(x)))


class InvertedResidual(nn.Module):
    """1x1 expansion, 3x3 depthwise, linear 1x1 projection; added to its input if shapes agree.

    Expansion 1 leaves out the first convolution.
    """

    def __init__(self, inputs, outputs, stride, expansion):
        super().__init__()
        hidden = inputs * expansion
        widen = dict(
            expand=conv(inputs, hidden, 1), bn1=nn.BatchNorm2d(hidden), relu1=nn.ReLU6()
        )
        self.body = chain(
            **(widen if expansion > 1 else {}),
            depthwise=conv(hidden, hidden, 3, stride, groups=hidden),
            bn2=nn.BatchNorm2d(hidden),
            relu2=nn.ReLU6(),
            project=conv(hidden, outputs, 1),
            bn3=nn.BatchNorm2d(outputs),
        )
        self.add = Add() if stride == 1 and inputs == outputs else None

    def forward(self, x):
        return self.add(self.body(x), x) if self.add else self.body(x)


def resnet(widths=(16, 40, 72), depth=2):
    layers = dict(
        stem=chain(conv=conv(1, widths[0], 3), bn=nn.BatchNorm2d(widths[0]), relu=nn.ReLU())
    )
    inputs = widths[0]
    for stage, outputs in enumerate(widths, 1):
        for block in range(1, depth + 1):
            stride = 2 if stage > 1 and block == 1 else 1
            layers[f"stage{stage}_block{block}"] = Residual(inputs, outputs, stride)
            inputs = outputs
    return chain(**layers, **head(inputs))


def mobilenetv2(stem=16, last=192):
    layers = dict(stem=chain(conv=conv(1, stem, 3), bn=nn.BatchNorm2d(stem), relu=nn.ReLU6()))
    inputs = stem
    # Expansion, channels, blocks, stride of the first block.
    stages = [(1, 24, 1, 2), (4, 24, 1, 1), (4, 48, 3, 2), (4, 80, 3, 1)]
    for stage, (expansion, outputs, depth, first_stride) in enumerate(stages, 1):
        for block in range(1, depth + 1):
            stride = first_stride if block == 1 else 1
            layers[f"stage{stage}_block{block}"] = InvertedResidual(
                inputs, outputs, stride, expansion
            )
            inputs = outputs
    layers["last"] = chain(conv=conv(inputs, last, 1), bn=nn.BatchNorm2d(last), relu=nn.ReLU6())
    return chain(**layers, **head(last))


NETWORKS = {"resnet": resnet, "mobilenetv2": mobilenetv2}

"""Writes the golden files beside this script: networks, inputs and what PyTorch makes of them.

    python -m venv venv && . venv/bin/activate
    pip install torch==2.15.0 numpy==2.4.6 safetensors==0.8.0
    python tests/goldens/generate.py [NAME ...]

See README.md for the layout of the files and for an installation without the parts of PyTorch that a CPU has no use for.
Each network is stated in PyTorch's functional API, so that nothing but its weight paths ties it to `networks.rs`.
"""

import math
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.numpy import save_file

HERE = Path(__file__).parent
ATTEMPTS = 400  # seeds tried for one that stays clear of every kink
CLEAR = 1e-4  # distance from a kink, relative to the root mean square of the values beside it
SINGLE = 3e-6  # how far float32 may be off: the tests ask for 1e-5


class Net:
    """The weights of a network, drawn on first use, and how near its evaluation came to a kink."""

    def __init__(self, rng):
        self.rng = rng
        self.weights = {}
        self.start()

    def start(self):
        self.branches = []
        self.margin = math.inf

    # Weights

    def weight(self, path, shape, like, draw):
        if path not in self.weights:
            self.weights[path] = torch.from_numpy(np.float32(draw(shape)))
        weight = self.weights[path]
        assert weight.shape == torch.Size(shape), path
        return weight.to(like.dtype)

    def normal(self, path, shape, like, gain=1.0):
        std = gain * math.sqrt(2 / math.prod(shape[1:]))
        return self.weight(path, shape, like, lambda s: self.rng.normal(0.0, std, s))

    def bias(self, path, out, like, bias):
        return self.weight(f"{path}.bias", (out,), like, lambda s: self.rng.normal(0.0, 0.5, s)) if bias else None

    def linear(self, path, x, out, bias=False, gain=1.0):
        weight = self.normal(f"{path}.weight", (out, x.shape[-1]), x, gain)
        return F.linear(x, weight, self.bias(path, out, x, bias))

    def conv2d(self, path, x, out, kernel, stride=1, padding=0, dilation=1, groups=1, gain=1.0, bias=False):
        kh, kw = kernel if isinstance(kernel, tuple) else (kernel, kernel)
        weight = self.normal(f"{path}.weight", (out, x.shape[1] // groups, kh, kw), x, gain)
        return F.conv2d(x, weight, self.bias(path, out, x, bias), stride, padding, dilation, groups)

    def conv1d(self, path, x, out, kernel, stride=1, padding=0, dilation=1, groups=1):
        weight = self.normal(f"{path}.weight", (out, x.shape[1] // groups, kernel), x)
        return F.conv1d(x, weight, None, stride, padding, dilation, groups)

    def conv3d(self, path, x, out, kernel, stride=1, padding=0, dilation=1, groups=1):
        weight = self.normal(f"{path}.weight", (out, x.shape[1] // groups, *sizes(x, kernel)), x)
        return F.conv3d(x, weight, None, stride, padding, dilation, groups)

    def conv_transpose(self, path, x, out, kernel, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
        function = [F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d][x.dim() - 3]
        weight = self.normal(f"{path}.weight", (x.shape[1], out // groups, *sizes(x, kernel)), x)
        return function(x, weight, None, stride, padding, output_padding, groups, dilation)

    def scale(self, path, x, n):
        weight = self.weight(f"{path}.weight", (n,), x, lambda s: self.rng.uniform(0.5, 1.5, s))
        return x * weight.view(1, n, *[1] * (x.dim() - 2))

    def uniform(self, path, shape, like, low, high):
        return self.weight(path, shape, like, lambda s: self.rng.uniform(low, high, s))

    def layer_norm(self, path, x, shape, bias=True):
        weight = self.uniform(f"{path}.weight", shape, x, 0.5, 2.5)
        shift = self.uniform(f"{path}.bias", shape, x, -1, 1) if bias else None
        return F.layer_norm(x, shape, weight, shift, 0.0)

    def group_norm(self, path, x, groups):
        weight = self.uniform(f"{path}.weight", (x.shape[1],), x, 0.5, 2.5)
        shift = self.uniform(f"{path}.bias", (x.shape[1],), x, -1, 1)
        return F.group_norm(x, groups, weight, shift, 0.0)

    def rms_norm(self, path, x, shape, eps=0.0):
        return F.rms_norm(x, shape, self.uniform(f"{path}.weight", shape, x, 0.5, 2.5), eps)

    def heads(self, path, x, heads):
        """Queries, keys and values of `nn.MultiheadAttention`, each (N, heads, tokens, features of a head)."""
        features = x.shape[2]
        projected = F.linear(x, self.normal(f"{path}.in_proj_weight", (3 * features, features), x, gain=math.sqrt(0.5)))
        return [part.unflatten(2, (heads, -1)).transpose(1, 2) for part in projected.chunk(3, 2)]

    def project(self, path, mixed, gain=1.0):
        mixed = mixed.transpose(1, 2).flatten(2)
        return self.linear(f"{path}.out_proj", mixed, mixed.shape[2], gain=gain)

    def softmax_attention(self, path, x, heads, causal=False, rotary=False, gain=1.0):
        q, k, v = self.heads(path, x, heads)
        if rotary:
            q, k = rotate(q, 10_000), rotate(k, 10_000)
        scale = math.sqrt(q.shape[3])
        q, k = F.normalize(q, dim=3, eps=0), F.normalize(k, dim=3, eps=0)
        return self.project(path, F.scaled_dot_product_attention(q, k, v, is_causal=causal, scale=scale), gain)

    def relu_attention(self, path, x, heads, normalized, causal=False):
        q, k, v = self.heads(path, x, heads)
        scores = self.relu(q @ k.transpose(2, 3))
        if causal:
            scores = scores.tril()
        if normalized:
            sums = scores.sum(3, keepdim=True)
            weights = torch.where(sums > 0, scores / torch.where(sums > 0, sums, 1), 0)
        else:
            weights = scores / math.sqrt(q.shape[3]) / x.shape[1]
        return self.project(path, weights @ v)

    def rnn(self, path, x, hidden):
        ih = self.normal(f"{path}.weight_ih_l0", (hidden, x.shape[2]), x)
        hh = self.normal(f"{path}.weight_hh_l0", (hidden, hidden), x, gain=math.sqrt(0.5))
        state, states = x.new_zeros(x.shape[0], hidden), []
        for step in x.unbind(1):
            state = self.relu(F.linear(step, ih) + F.linear(state, hh))
            states.append(state)
        zero = x.new_zeros(1, x.shape[0], hidden)
        theirs, last = torch.rnn_relu(x, zero, (ih, hh), False, 1, 0.0, False, False, True)
        states = torch.stack(states, 1)
        assert torch.allclose(theirs, states) and torch.equal(last[0], theirs[:, -1])
        return states

    # Kinks

    def kinks(self, x, *kinks):
        for kink in kinks:
            self.near(x - kink, x)
        return x

    def near(self, distance, values):
        """A distance of exactly 0 comes from structure (a rectified or padded tie), where the branch is immaterial."""
        distance = distance.detach()
        self.branches.append(distance.sign())
        if distance.dtype == torch.float64:
            relative = distance.abs() / values.detach().square().mean().sqrt()
            self.margin = min([self.margin, *relative[relative > 0].flatten().tolist()])

    def relu(self, x):
        self.near(x, x)
        return F.relu(x)

    def leaky_relu(self, x, slope):
        self.near(x, x)
        return F.leaky_relu(x, slope)

    def prelu(self, path, x, n):
        self.near(x, x)
        return F.prelu(x, self.weight(f"{path}.weight", (n,), x, lambda s: self.rng.uniform(-0.2, 0.5, s)))

    def abs(self, x):
        self.near(x, x)
        return x.abs()

    def maximum(self, a, b):
        self.near(a - b, torch.cat([a, b]))
        return torch.maximum(a, b)

    def minimum(self, a, b):
        self.near(a - b, torch.cat([a, b]))
        return torch.minimum(a, b)

    def max_pool2d(self, x, kernel, stride=None, padding=0, dilation=1, ceil_mode=False):
        y, winners = F.max_pool2d(x, kernel, stride, padding, dilation, ceil_mode, return_indices=True)
        self.branches.append(winners)
        self.runners_up(x, y, kernel, stride or kernel, padding, dilation)
        return y

    def max_pool1d(self, x, kernel, stride=None, padding=0, dilation=1, ceil_mode=False):
        stride = stride or kernel
        y = self.max_pool2d(x.unsqueeze(2), (1, kernel), (1, stride), (0, padding), (1, dilation), ceil_mode)
        one = F.max_pool1d(x, kernel, stride, padding, dilation, ceil_mode)
        assert torch.equal(one, y.squeeze(2))
        return one

    def global_max_pool(self, x):
        return self.max_pool2d(x, tuple(x.shape[2:]))

    def runners_up(self, x, y, kernel, stride, padding, dilation):
        pair = lambda v: v if isinstance(v, tuple) else (v, v)
        (kh, kw), (sh, sw), (ph, pw), (dh, dw) = map(pair, (kernel, stride, padding, dilation))
        # Ceil mode lets a window reach past the padding, floor mode leaves rows out: fit the map to the windows.
        below = (y.shape[2] - 1) * sh + (kh - 1) * dh + 1 - ph - x.shape[2]
        right = (y.shape[3] - 1) * sw + (kw - 1) * dw + 1 - pw - x.shape[3]
        fitted = F.pad(x.detach(), (pw, right, ph, below), value=-math.inf)
        windows = F.unfold(fitted, (kh, kw), (dh, dw), 0, (sh, sw)).view(*x.shape[:2], kh * kw, -1)
        first, second = windows.topk(2, 2).values.unbind(2)
        assert torch.equal(first.view_as(y), y)
        self.near(first - second, x)


    def runners_up_of(self, x, windows, best):
        """Windows of any form, as lists of elements in which NaN stands for padding."""
        first, second = windows.detach().nan_to_num(nan=-math.inf).topk(2, -1).values.unbind(-1)
        assert torch.equal(first, best)
        self.near(first - second, x)

    def max_pool3d(self, x, kernel, stride, padding=0, dilation=1, ceil_mode=False):
        y, winners = F.max_pool3d(x, kernel, stride, padding, dilation, ceil_mode, return_indices=True)
        self.branches.append(winners)
        self.runners_up_of(x, windows(x, y.shape[2:], kernel, stride, padding, dilation), y)
        return y

    def min_pool(self, x, kernel, stride, padding=0, dilation=1):
        function = [F.max_pool1d, F.max_pool2d, F.max_pool3d][x.dim() - 3]
        y, winners = function(-x, kernel, stride, padding, dilation, return_indices=True)
        self.branches.append(winners)
        self.runners_up_of(x, windows(-x, y.shape[2:], kernel, stride, padding, dilation), y)
        return -y

    def median_pool(self, x, kernel, stride):
        output = [(n - k) // s + 1 for n, k, s in zip(x.shape[2:], sizes(x, kernel), sizes(x, stride))]
        ordered, winners = windows(x, output, kernel, stride, 0, 1).sort(-1)
        middle = (ordered.shape[-1] - 1) // 2
        self.branches.append(winners[..., middle])
        assert torch.equal(ordered[..., middle], windows(x, output, kernel, stride, 0, 1).median(-1).values)
        self.near(ordered[..., middle] - ordered[..., middle - 1], x)
        self.near(ordered[..., middle + 1] - ordered[..., middle], x)
        return ordered[..., middle]

    def adaptive_max_pool(self, x, output):
        function = [F.adaptive_max_pool1d, F.adaptive_max_pool2d, F.adaptive_max_pool3d][x.dim() - 3]
        y, winners = function(x, output, return_indices=True)
        self.branches.append(winners)
        for at in np.ndindex(*y.shape[2:]):
            window = x.detach()
            for axis, (i, n, m) in enumerate(zip(at, x.shape[2:], y.shape[2:]), 2):
                start = i * n // m
                window = window.narrow(axis, start, -(-(i + 1) * n // m) - start)
            if window[0, 0].numel() > 1:
                self.runners_up_of(x, window.flatten(2), y[(..., *at)])
        return y


def sizes(x, size):
    """One number for each spatial axis."""
    return size if isinstance(size, tuple) else (size,) * (x.dim() - 2)


def windows(x, output, kernel, stride, padding, dilation):
    """The elements of each window along a last axis, NaN in the padding."""
    inside, kernel = torch.ones_like(x), sizes(x, kernel)
    arguments = zip(output, kernel, *(sizes(x, a) for a in (stride, padding, dilation)))
    for axis, (m, k, s, p, d) in enumerate(arguments, 2):
        at = (torch.arange(m)[:, None] * s + torch.arange(k) * d - p).flatten()
        outside = ((at < 0) | (at >= x.shape[axis])).view(-1, *[1] * (x.dim() - 1 - axis))
        at = at.clamp(0, x.shape[axis] - 1)
        x, inside = x.index_select(axis, at), inside.index_select(axis, at).masked_fill(outside, 0)
    x = x.masked_fill(inside == 0, math.nan)
    for axis, (m, k) in enumerate(zip(output, kernel), 2):
        x = x.unflatten(axis, (m, k)).movedim(axis + 1, -1)
    return x.flatten(2 + len(kernel))


def rotate(x, base):
    """Su et al. 2021, equation 34, over the last two dimensions, (tokens, features)."""
    tokens, features = x.shape[-2:]
    frequencies = float(base) ** (-torch.arange(0, features, 2, dtype=torch.float64) / features)
    angles = torch.outer(torch.arange(tokens, dtype=torch.float64), frequencies).repeat_interleave(2, 1)
    swapped = torch.stack([-x[..., 1::2], x[..., 0::2]], -1).flatten(-2)
    return x * angles.cos().to(x.dtype) + swapped * angles.sin().to(x.dtype)


# Networks: `networks.rs` in PyTorch


def mlp(net, x):
    x = net.relu(net.linear("fc1", x.flatten(1), 32))
    x = net.leaky_relu(net.linear("fc2", x, 24), 0.1)
    x = net.prelu("act", net.linear("fc3", x, 16), 16)
    return net.linear("head", x, 10)


def x_alexnet(net, image):
    x = net.max_pool2d(net.relu(net.conv2d("conv1", image, 4, 11, stride=4, padding=2)), 3, stride=2)
    x = net.max_pool2d(net.relu(net.conv2d("conv2", x, 12, 5, padding=2)), 3, stride=2)
    x = net.relu(net.conv2d("conv3", x, 24, 3, padding=1))
    x = net.relu(net.conv2d("conv4", x, 16, 3, padding=1))
    x = net.max_pool2d(net.relu(net.conv2d("conv5", x, 16, 3, padding=1)), 3, stride=2)
    assert x.shape[2:] == (2, 1)
    x = F.adaptive_avg_pool2d(x, (6, 6)).flatten(1)
    x = net.relu(net.linear("fc6", x, 64))
    x = net.relu(net.linear("fc7", x, 64))
    return net.linear("fc8", x, 10)


def x_vgg(net, image):
    x = image
    for stage, (n, width) in enumerate([(2, 4), (2, 8), (3, 8), (3, 16), (3, 16)], 1):
        for i in range(n):
            x = net.relu(net.conv2d(f"s{stage}.{i}.conv", x, width, 3, padding=1))
        x = net.max_pool2d(x, 2)
    x = F.adaptive_avg_pool2d(x, (2, 2)).flatten(1)
    x = net.relu(net.linear("fc1", x, 32))
    x = net.relu(net.linear("fc2", x, 32))
    return net.linear("head", x, 10)


def x_resnet(net, image):
    def bottleneck(path, x, width, stride=1):
        x = net.relu(net.conv2d(f"{path}.conv1", x, width, 1))
        x = net.relu(net.conv2d(f"{path}.conv2", x, width, 3, stride=stride, padding=1))
        return net.conv2d(f"{path}.conv3", x, 4 * width, 1, gain=0.5)

    x = net.relu(net.conv2d("conv1", image, 4, 7, stride=2, padding=3))
    x = net.max_pool2d(x, 3, stride=2, padding=1)
    for layer, (width, stride) in enumerate([(4, 1), (8, 2), (8, 2), (16, 2)], 1):
        skip = net.conv2d(f"layer{layer}.down.downsample", x, 4 * width, 1, stride=stride)
        x = net.relu(bottleneck(f"layer{layer}.down", x, width, stride) + skip)
        x = net.relu(bottleneck(f"layer{layer}.rest.0", x, width) + x)
    return net.linear("fc", x.mean((2, 3)), 10)


def gated(net, x):
    return net.linear("head", net.relu(net.linear("a", x, 12)) * net.abs(net.linear("b", x, 12)), 5)


def lattice(net, x):
    x = net.maximum(net.linear("a", x, 12), net.linear("b", x, 12))
    x = net.minimum(net.linear("c", x, 8), net.abs(net.linear("d", x, 8)))
    return net.linear("head", x, 4)


def fusion(net, image, audio):
    v = net.relu(net.conv2d("conv_v", image, 8, 3)).mean((2, 3))
    a = net.relu(net.conv2d("conv_a", audio, 6, 5)).mean((2, 3))
    return net.linear("head", torch.cat([v, a], 1), 5)


def super_res(net, low, **mode):
    x = net.relu(net.conv2d("conv1", low, 6, 5, padding=2))
    for i in range(4):
        inner = net.relu(net.conv2d(f"body.{i}.conv1", x, 6, 3, padding=1))
        x = x + net.conv2d(f"body.{i}.conv2", inner, 6, 3, padding=1, gain=0.5)
    detail = F.pixel_shuffle(net.conv2d("up", x, 4, 3, padding=1), 2)
    return F.interpolate(low, scale_factor=2, **mode) + detail


def super_res_bilinear(net, low):
    return super_res(net, low, mode="bilinear", align_corners=False)


def pools(net, image):
    x = F.pad(image, (1, 2, 0, 3))
    x = net.abs(net.conv2d("conv1", x, 8, (3, 5), stride=(1, 2), padding=(1, 2), groups=2))
    x = net.scale("gain", x, 1)
    x = F.avg_pool2d(x, 3, stride=2, padding=1, ceil_mode=True, count_include_pad=False)
    x = net.prelu("act", net.conv2d("conv2", x, 12, 3, padding=2, dilation=2, groups=4), 12)
    x = net.scale("gains", x, 12)
    x = net.max_pool2d(x, 3, stride=2, padding=1, dilation=2, ceil_mode=True)
    assert x.shape[2:] == (6, 3)
    peak = net.global_max_pool(x).flatten(1)
    mean = F.avg_pool2d(x, 3, stride=2, padding=1, ceil_mode=True)
    assert mean.shape[2:] == (4, 2)
    mean = F.adaptive_avg_pool2d(mean, (3, 3)).flatten(1)
    return net.linear("head", torch.cat([peak, mean], 1), 6)


def sequence(net, signal):
    x = net.leaky_relu(net.conv1d("conv1", signal, 8, 5, stride=2, padding=2), 0.2)
    x = net.max_pool1d(x, 4, stride=2, padding=1, ceil_mode=True)
    x = net.relu(net.conv1d("conv2", x, 12, 3, padding=2, dilation=2, groups=4))
    x = F.avg_pool1d(x, 4, stride=3, padding=1, ceil_mode=True, count_include_pad=False)
    x = net.conv1d("conv3", x.reshape(-1, 4, 12), 5, 3)
    return net.linear("head", net.max_pool1d(x, 2).flatten(1), 5)


def volumes(net, volume):
    x = F.pad(volume, (1, 0, 2, 1, 0, 1))
    x = net.relu(net.conv3d("conv1", x, 6, (2, 3, 3), stride=(1, 2, 1), padding=(1, 0, 1), groups=2))
    x = net.max_pool3d(x, (2, 3, 3), 2, padding=(1, 1, 1), ceil_mode=True)
    x = net.abs(net.conv_transpose("up", x, 4, (3, 2, 3), stride=(2, 1, 2), padding=(1, 0, 1), output_padding=(1, 0, 1)))
    mean = F.avg_pool3d(x, 2, stride=(2, 1, 2), padding=(0, 1, 1), count_include_pad=False)
    mean = F.adaptive_avg_pool3d(mean, (2, 2, 3)).flatten(1)
    least = net.min_pool(x, (2, 3, 2), (2, 1, 3), padding=(1, 1, 0), dilation=(1, 1, 2))
    most = net.adaptive_max_pool(least, (2, 3, 2)).flatten(1)
    return net.linear("head", torch.cat([mean, most], 1), 5)


def margins(net, image):
    x = F.pad(image, (1, 3, 2, 0), mode="reflect")
    x = net.conv2d("conv1", x, 8, 3, groups=2)
    x = F.pad(F.channel_shuffle(x, 2), (2, 0, 1, 1), mode="replicate")
    x = net.min_pool(x, 2, (1, 2), padding=1)
    x = net.leaky_relu(net.conv2d("conv2", F.pad(x, (1, 1, 2, 0), mode="circular"), 6, 3), 0.3)
    x = -net.median_pool(x[:, :, 1:, 2:-1], (3, 2), 1)
    x = net.conv_transpose("up", x, 4, (4, 3), stride=(2, 3), padding=1, output_padding=(0, 2), groups=2, dilation=(1, 2))
    x = F.interpolate(net.adaptive_max_pool(x, (7, 6)), scale_factor=(2, 3), mode="bicubic", align_corners=True)
    x = F.pixel_unshuffle(F.interpolate(x, scale_factor=(1, 2), mode="bicubic", align_corners=False), 2)
    x = net.relu(net.conv2d("conv3", x, 5, 3, stride=(2, 5)))
    return net.linear("head", x.permute(0, 2, 3, 1).flatten(1), 4)


def lines(net, signal):
    x = net.relu(net.conv_transpose("up", signal, 6, 4, stride=3, padding=2, output_padding=1, groups=3))
    x = net.median_pool(F.pad(x, (2, 1), mode="reflect"), 4, 2)
    x = net.conv1d("conv1", F.pad(x, (3, 0), mode="circular"), 8, 3)
    x = net.min_pool(F.pad(x, (0, 2), mode="replicate"), 3, 2, padding=1)
    x = F.pad(x[:, :, 1:], (1, 2))
    mean = F.adaptive_avg_pool1d(x, 4).flatten(1)
    most = net.adaptive_max_pool(x, 5).flatten(1)
    return net.linear("head", torch.cat([mean, most], 1), 4)


def powers(net, image):
    wide = net.relu(net.conv2d("conv1", image, 6, 3, padding=1))
    narrow, winners = F.max_pool2d(wide, 2, return_indices=True)
    net.branches.append(winners)
    net.runners_up(wide, narrow, 2, 2, 0, 1)
    narrow = net.conv2d("conv2", narrow, 6, 1)
    # `F.max_unpool2d`, which is not deterministic by its own account.
    unpooled = torch.zeros_like(wide).flatten(2).scatter(2, winners.flatten(2), narrow.flatten(2))
    x = wide + unpooled.view_as(wide)
    x = F.lp_pool2d(x, 2, (2, 3), stride=(2, 1), ceil_mode=True)
    exponent = net.weight("gem.p", (1,), x, lambda s: np.full(s, 2.5))
    means = x.pow(exponent).mean((2, 3)).pow(1 / exponent)
    fixed = x.pow(3).mean((2, 3)).pow(1 / 3)
    ordered = x.flatten(2).sort(-1, descending=True)
    net.branches.append(ordered.indices[..., :4])
    net.near(ordered.values[..., 3] - ordered.values[..., 4], x)
    largest = x.flatten(2).topk(4, -1).values.mean(-1)
    lines = F.lp_pool1d(x.flatten(2), 4, 5, stride=3).flatten(1)
    return net.linear("head", torch.cat([means, fixed, largest, lines], 1), 4)


def gates(net, x):
    y = net.linear("value", x, 8)
    n = net.layer_norm("norm", net.linear("gate", x, 8), (8,))
    net.kinks(n, 0, -1, 1, 6, -3, 3, 0.5, -0.5, 0.1, 0.7, -0.7)  # those of every function below
    # In float64, too, PyTorch rounds the slope of `hardsigmoid` and 1/alpha of `celu` to single precision.
    hardsigmoid = F.relu6(n + 3) / 6
    assert torch.allclose(hardsigmoid, F.hardsigmoid(n))
    functions = [
        torch.sigmoid(n), F.logsigmoid(n), torch.tanh(n), F.tanhshrink(n), F.gelu(n), F.gelu(n, approximate="tanh"),
        F.silu(n), F.mish(n), F.elu(n, 0.8), F.selu(n), F.celu(n, 2), F.softplus(n), F.softplus(n, 2, 1),
        F.softsign(n), F.hardtanh(n), F.relu6(n), hardsigmoid, F.hardswish(n), F.threshold(n, 0.1, -0.3),
        F.hardshrink(n), F.softshrink(n, 0.7), n.exp(), F.softplus(n).log(), n.sin(), n.cos(),
        n + net.uniform("offset.bias", (8,), n, -1, 1), F.softmax(n, 1), F.log_softmax(n, 1), F.softmin(n, 1),
    ]  # fmt: skip
    return net.linear("head", torch.cat([y * f for f in functions], 1), 6)


def norms(net, image):
    x = net.conv2d("conv", image, 8, 3, padding=1)
    unit = F.normalize(x, dim=1, eps=0)
    pairs = x.unflatten(1, (4, 2))
    net.near(pairs[:, :, 0] - pairs[:, :, 1], x)
    quartets = x.unflatten(1, (2, 4)).sort(2)
    net.branches.append(quartets.indices)
    for i in range(3):
        net.near(quartets.values[:, :, i + 1] - quartets.values[:, :, i], x)
    net.kinks(x, 0)
    parts = [
        x * unit,
        x * F.normalize(x, dim=3, eps=0),
        x * net.layer_norm("layer", x, (8, 6, 5)),
        x * net.layer_norm("scaled", x, (5,), bias=False),
        x * net.rms_norm("rms", x, (6, 5)),
        x * net.rms_norm("eps", net.group_norm("group", x, 4), (5,), eps=0.5),
        x * F.local_response_norm(unit, 3, 2, 0.75, 1),
        x * F.softmax(unit, 1),
        x * x.sign(),
        pairs.amax(2) * F.glu(unit, 1),
        F.relu(x),
        F.relu(-x),
        quartets.values.flatten(1, 2),
        net.scale("frozen", x, 8),
    ]
    x = net.relu(net.conv2d("mix", torch.cat(parts, 1), 6, 1))
    return net.linear("head", F.adaptive_avg_pool2d(x, (2, 2)).flatten(1), 5)


def degrees(net, x):
    a, b = net.linear("left", x, 8), net.linear("right", x, 8)
    net.kinks(a, 0)
    net.kinks(b, 0)
    squares = a * a + b * b
    parts = [
        F.relu(a).square(),
        F.relu(a).pow(2),
        squares,
        squares.sqrt().square(),
        torch.where(a > 0, a.abs().pow(3).pow(2 / 3), 0) - a * b,
        (a * b * a / squares.sqrt()).abs(),
        a**3 / squares.sqrt(),
        (a.unflatten(1, (4, 2)) @ b.unflatten(1, (2, 4))).flatten(1),
    ]
    return net.linear("head", torch.cat(parts, 1), 4)


def attention(net, tokens):
    x = torch.cat([rotate(part, 100) for part in tokens.chunk(2, 2)], 2)
    x = net.linear("embed", x, 8)
    a = net.softmax_attention("soft", x, 2)
    b = net.relu_attention("rows", x, 4, normalized=True, causal=True)
    c = net.relu_attention("relu", x, 2, normalized=False)
    d = net.softmax_attention("causal", x, 1, causal=True, rotary=True)
    return net.linear("head", torch.cat([a * b * x, a * d * d, c], 1).flatten(1), 4)


def recurrent(net, signal):
    return net.linear("head", net.rnn("second", net.rnn("first", signal, 8), 6)[:, -1], 4)


def x_vit(net, image):
    x = net.conv2d("patches", image, 12, 4, stride=4)
    x = x + net.conv2d("position", x, 12, 3, padding=1, groups=12)
    x = x.flatten(2).transpose(1, 2)
    for block in (f"blocks.{i}" for i in range(12)):
        x = x + net.softmax_attention(f"{block}.attention", x, 6, gain=0.5)
        x = x + net.linear(f"{block}.fc2", net.relu(net.linear(f"{block}.fc1", x, 48)), 12, gain=0.5)
    return net.linear("head", x.mean(1), 5)


def x_llama(net, tokens):
    x = tokens
    for block in (f"blocks.{i}" for i in range(6)):
        x = x + net.softmax_attention(f"{block}.attention", x, 8, causal=True, rotary=True, gain=0.5)
        gate = F.silu(net.linear(f"{block}.gate", net.rms_norm(f"{block}.norm", x, (16,)), 42))
        x = x + net.linear(f"{block}.down", net.linear(f"{block}.up", x, 42) * gate, 16, gain=0.5)
    return net.linear("head", x, 7).transpose(1, 2)


def x_irnn(net, signal):
    return net.linear("head", net.rnn("rnn", signal, 8)[:, -1], 4)


def x_unet(net, image):
    def stage(path, x, width):
        x = net.relu(net.conv2d(f"{path}.conv1", x, width, 3, padding=1))
        return net.relu(net.conv2d(f"{path}.conv2", x, width, 3, padding=1))

    x, maps = stage("down1", image, 2), []
    for path, width in [("down2", 4), ("down3", 8), ("down4", 16), ("bottom", 32)]:
        maps.append(x)
        x = stage(path, net.max_pool2d(x, 2), width)
    for i, width in [(4, 16), (3, 8), (2, 4), (1, 2)]:
        wide = net.conv_transpose(f"wide{i}", x, width, 2, stride=2)
        x = stage(f"up{i}", torch.cat([maps.pop(), wide], 1), width)
    return net.conv2d("head", x, 3, 1)


def alexnet(net, image):
    x = net.max_pool2d(net.relu(net.conv2d("conv1", image, 4, 11, stride=4, padding=2, bias=True)), 3, stride=2)
    x = net.max_pool2d(net.relu(net.conv2d("conv2", x, 12, 5, padding=2, bias=True)), 3, stride=2)
    x = net.relu(net.conv2d("conv3", x, 24, 3, padding=1, bias=True))
    x = net.relu(net.conv2d("conv4", x, 16, 3, padding=1, bias=True))
    x = net.max_pool2d(net.relu(net.conv2d("conv5", x, 16, 3, padding=1, bias=True)), 3, stride=2)
    x = F.adaptive_avg_pool2d(x, (2, 2)).flatten(1)
    x = net.relu(net.linear("fc6", x, 32, bias=True))
    x = net.relu(net.linear("fc7", x, 32, bias=True))
    return net.linear("fc8", x, 10)


# function: degree (None: not homogeneous), batch, inputs, target outputs (None: the predicted class of each sample)
GOLDENS = {
    mlp: (1, 3, {"x": (1, 8, 8)}, None),
    x_alexnet: (1, 2, {"image": (3, 95, 63)}, None),
    x_vgg: (1, 2, {"image": (3, 32, 32)}, None),
    x_resnet: (1, 2, {"image": (3, 32, 32)}, None),
    gated: (2, 3, {"x": (16,)}, None),
    lattice: (1, 3, {"x": (16,)}, None),
    fusion: (1, 2, {"image": (3, 16, 16), "audio": (1, 20, 12)}, None),
    super_res: (1, 3, {"low": (1, 8, 8)}, [0, 7 * 16 + 4, 12 * 16 + 15]),
    super_res_bilinear: (1, 3, {"low": (1, 8, 8)}, [0, 7 * 16 + 4, 12 * 16 + 15]),
    pools: (1, 3, {"image": (4, 21, 18)}, None),
    sequence: (1, 3, {"signal": (3, 37)}, None),
    volumes: (1, 2, {"volume": (4, 4, 6, 5)}, None),
    margins: (1, 2, {"image": (4, 9, 10)}, None),
    lines: (1, 3, {"signal": (3, 9)}, None),
    powers: (1, 2, {"image": (3, 8, 6)}, None),
    gates: (1, 2, {"x": (16,)}, None),
    norms: (1, 2, {"image": (3, 6, 5)}, None),
    degrees: (2, 3, {"x": (12,)}, None),
    attention: (3, 2, {"tokens": (5, 8)}, None),
    recurrent: (1, 3, {"signal": (7, 3)}, None),
    x_vit: (1, 2, {"image": (3, 12, 12)}, None),
    x_llama: (1, 3, {"tokens": (6, 16)}, [4 * 6 + 2, 5, 6 * 6 + 3]),
    x_irnn: (1, 3, {"signal": (9, 3)}, None),
    x_unet: (1, 2, {"image": (1, 16, 16)}, [256 + 8 * 16 + 5, 512 + 15]),
    alexnet: (None, 2, {"image": (3, 63, 63)}, None),
}


def attribute(network, net, inputs, degree, targets):
    """The outputs, the targets, the outputs at the targets, and x · ∂F_t/∂x / k, where k is 1 without a degree."""
    net.start()
    inputs = {name: x.detach().requires_grad_() for name, x in inputs.items()}
    output = network(net, *inputs.values())
    flat = output.flatten(1)
    if targets is None:
        first, second = flat.topk(2).values.unbind(1)
        net.near(first - second, flat)
        targets = flat.argmax(1)
    else:
        targets = torch.tensor(targets)
    chosen = flat.gather(1, targets[:, None]).squeeze(1)
    gradients = torch.autograd.grad(chosen.sum(), inputs.values())
    attributions = {name: (x * g).detach() / (degree or 1) for (name, x), g in zip(inputs.items(), gradients)}
    return output.detach(), targets, chosen.detach(), attributions


def per_sample(tensors):
    return torch.cat([t.flatten(1) for t in tensors.values()], 1)


def relative_difference(a, b):
    """Of each sample, against its largest value; the worst of them."""
    return ((a - b).abs().amax(1) / b.abs().amax(1)).max().item()


class Golden:
    def __init__(self, network, seed):
        degree, batch, shapes, targets = GOLDENS[network]
        rng = np.random.default_rng(seed)
        net = Net(rng)
        single = {n: torch.from_numpy(rng.normal(size=(batch, *s)).astype(np.float32)) for n, s in shapes.items()}
        output32, targets32, _, a32 = attribute(network, net, single, degree, targets)
        branches32 = net.branches
        double = {name: x.double() for name, x in single.items()}
        output, targets64, chosen, a = attribute(network, net, double, degree, targets)

        self.seed = seed
        pairs = zip(net.branches, branches32, strict=True)
        self.same_branches = all(torch.equal(b64.double(), b32.double()) for b64, b32 in pairs)
        self.same_branches &= torch.equal(targets64, targets32)
        self.margin = net.margin
        self.difference = relative_difference(per_sample(a32).double(), per_sample(a))
        total, size = per_sample(a).sum(1), per_sample(a).abs().sum(1)
        self.completeness = ((total - chosen).abs() / size).max().item()
        with torch.no_grad():
            tripled = network(net, *(3 * x for x in double.values()))
        self.homogeneous = degree is not None
        self.homogeneity = relative_difference(tripled.flatten(1), 3 ** (degree or 1) * output.flatten(1))

        self.metadata = {"degree": str(degree).lower()}  # a second entry would come in random order
        self.tensors = {
            **{f"weights.{path}": w for path, w in net.weights.items()},
            **{f"input.{name}": x for name, x in single.items()},
            **{f"attribution.{name}": x for name, x in a.items()},
            **{f"attribution_f32.{name}": x for name, x in a32.items()},
            "targets": targets64,
            "output": output,
            "output_f32": output32,
        }
        self.weights = sum(w.numel() for w in net.weights.values())

    def sound(self):
        kept = self.completeness < 1e-12 and self.homogeneity < 1e-12
        broken = self.completeness > 1e-3 and self.homogeneity > 1e-3
        return self.same_branches and self.difference < SINGLE and (kept if self.homogeneous else broken)


def search(network):
    """The first seed that stays clear of every kink, or of the first ATTEMPTS the one that comes the least near."""
    best = None
    for seed in range(ATTEMPTS):
        golden = Golden(network, seed)
        if golden.sound() and (best is None or golden.margin > best.margin):
            best = golden
            if best.margin > CLEAR:
                break
    assert best is not None, f"{network.__name__}: float32 and float64 disagree for every seed"
    return best


def main(names):
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    for network in GOLDENS:
        name = network.__name__
        if names and name not in names:
            continue
        golden = search(network)
        path = HERE / f"{name}.safetensors"
        tensors = {key: np.ascontiguousarray(t.numpy()) for key, t in sorted(golden.tensors.items())}
        save_file(tensors, path, golden.metadata)
        print(
            f"{name:18} degree {golden.metadata['degree']}  seed {golden.seed:<3}  {golden.weights:>6,} weights  "
            f"margin {golden.margin:.1e}  f32 off by {golden.difference:.1e}  completeness {golden.completeness:.1e}  "
            f"homogeneity {golden.homogeneity:.1e}  {path.stat().st_size / 1000:.0f} kB"
        )


if __name__ == "__main__":
    main(sys.argv[1:])

"""The first attribution of a process, as one writes it with PyTorch and Captum: `first.py FOLDER THREADS`."""

import sys
from collections import OrderedDict

import numpy as np
import torch
from captum.attr import InputXGradient
from safetensors.torch import load_file
from torch import nn

folder, threads = sys.argv[1:]
torch.set_num_threads(int(threads))


def conv(*sizes, **options):
    return nn.Conv2d(*sizes, bias=False, **options)


def linear(*sizes):
    return nn.Linear(*sizes, bias=False)


with torch.device("meta"):  # weights that are loaded need not be drawn before
    model = nn.Sequential(
        OrderedDict(
            conv1=conv(3, 64, 11, stride=4, padding=2),
            relu1=nn.ReLU(),
            pool1=nn.MaxPool2d(3, 2),
            conv2=conv(64, 192, 5, padding=2),
            relu2=nn.ReLU(),
            pool2=nn.MaxPool2d(3, 2),
            conv3=conv(192, 384, 3, padding=1),
            relu3=nn.ReLU(),
            conv4=conv(384, 256, 3, padding=1),
            relu4=nn.ReLU(),
            conv5=conv(256, 256, 3, padding=1),
            relu5=nn.ReLU(),
            pool5=nn.MaxPool2d(3, 2),
            average=nn.AdaptiveAvgPool2d(6),
            flatten=nn.Flatten(),
            dropout6=nn.Dropout(),
            fc6=linear(256 * 6 * 6, 4096),
            relu6=nn.ReLU(),
            dropout7=nn.Dropout(),
            fc7=linear(4096, 4096),
            relu7=nn.ReLU(),
            fc8=linear(4096, 1000),
        )
    ).eval()
model.load_state_dict(load_file(f"{folder}/weights.safetensors"), assign=True)
model.requires_grad_(False)
x = torch.from_numpy(np.fromfile(f"{folder}/input.f32", np.float32, 3 * 224 * 224)).view(1, 3, 224, 224)
with torch.no_grad():
    target = int(model(x).argmax(1))
attribution = InputXGradient(model).attribute(x.requires_grad_(), target=target)
attribution.detach().numpy().tofile(f"{folder}/first-captum.f32")

"""Prints the table of `optimizer.rs`: PyTorch's weights after each of five steps on one function.

    python optimizer.py        (needs torch and numpy; written with torch 2.15)
"""

import numpy
import torch
from torch.optim import SGD, Adam, AdamW

CASES = {
    "plain": lambda w: SGD(w, lr=0.1),
    "decayed": lambda w: SGD(w, lr=0.1, weight_decay=0.3),
    "momentum": lambda w: SGD(w, lr=0.05, momentum=0.9),
    "nesterov": lambda w: SGD(w, lr=0.05, momentum=0.8, weight_decay=0.1, nesterov=True),
    "adam": lambda w: Adam(w, lr=0.1),
    "adam_decayed": lambda w: Adam(w, lr=0.02, betas=(0.8, 0.95), eps=1e-3, weight_decay=0.2),
    "adam_w": lambda w: AdamW(w, lr=0.1),
    "adam_w_decayed": lambda w: AdamW(w, lr=0.02, betas=(0.7, 0.9), eps=1e-4, weight_decay=0.5),
}

for name, optimizer in CASES.items():
    w = torch.tensor([1.5, -0.25, 0.0, 3.0], requires_grad=True)
    steps = optimizer([w])
    rows = []
    for _ in range(5):
        # A polynomial in each weight, so that no library's functions differ.
        w.grad = (3 * w * w + torch.tensor([2.0, -2.0, 0.0, -30.0])).detach()
        steps.step()
        shortest = [numpy.format_float_positional(x, trim="0") for x in w.detach().numpy()]
        rows.append(f"        [{', '.join(shortest)}],")
    print(f"    {name} => [", *rows, "    ];", sep="\n")

#!/usr/bin/env python3
"""Makes regression.safetensors: least squares and logistic regression by PyTorch in float64.

Usage: regression.py regression.safetensors

`rows` [150, 9], `labels` [150] (0 or 1, a third are 1). `least_squares` is torch.linalg.pinv of the centred rows times the centred labels.
`logistic.balanced` and `logistic.plain` [10] (weights, then intercept) minimise
sum_i c_i ln(1 + exp(-s_i (w x_i + b))) + penalty / 2 |w|^2 by torch.optim.LBFGS, penalty 2.5, c_i = N / (2 N_class) or 1: what scikit-learn's
LogisticRegression(C=0.4, class_weight="balanced" or None) minimises. `projected` is d - D (D^T D)^-1 D^T d for d = least_squares and the
columns of `held` [9, 3].
"""
import sys

import torch
from safetensors.torch import save_file

torch.manual_seed(11)
torch.set_default_dtype(torch.float64)
rows = (torch.randn(150, 9) @ torch.randn(9, 9) * 0.5).float().double()
score = rows @ torch.randn(9) + 0.8 * torch.randn(150)
labels = (score > score.quantile(0.67)).double()
out = {"rows": rows, "labels": labels}
centred = rows - rows.mean(0)
out["least_squares"] = torch.linalg.pinv(centred) @ (labels - labels.mean())
for name, balanced in (("balanced", True), ("plain", False)):
    positives = labels.sum()
    weight = torch.where(labels > 0, 150 / (2 * positives), 150 / (2 * (150 - positives))) if balanced else torch.ones(150)
    solution = torch.zeros(10, requires_grad=True)
    optimiser = torch.optim.LBFGS(
        [solution], max_iter=2000, tolerance_grad=1e-12, tolerance_change=1e-16, line_search_fn="strong_wolfe")

    def closure():
        optimiser.zero_grad()
        margin = rows @ solution[:9] + solution[9]
        loss = (weight * torch.nn.functional.softplus(-(2 * labels - 1) * margin)).sum() + 1.25 * solution[:9].square().sum()
        loss.backward()
        return loss

    optimiser.step(closure)
    out["logistic." + name] = solution.detach()
held = torch.randn(9, 3)
d = out["least_squares"]
out["held"] = held
out["projected"] = d - held @ torch.linalg.inv(held.T @ held) @ held.T @ d
save_file({key: value.float().contiguous() for key, value in out.items()}, sys.argv[1])

#!/usr/bin/env python3
"""Makes pca.safetensors: PCA of small vectors as weights2weights does it, by PyTorch.

Usage: pca.py pca.safetensors

`vectors` [90, 70] float32 (one column constant), standardised with torch.mean and torch.std (unbiased; a constant column is divided by 1);
torch.linalg.svd in float64; the sign of a component makes its number of largest magnitude positive. `unprojected` is
`proj @ V.T * std + mean` of the first five coefficients, `centred.*` the same without the division by std.
"""
import sys

import torch
from safetensors.torch import save_file

torch.manual_seed(3)
rows, n, k = 90, 70, 12
basis = torch.randn(n, 20, dtype=torch.float64)
codes = torch.randn(rows, 20, dtype=torch.float64) * torch.linspace(3, 0.3, 20, dtype=torch.float64)
vectors = (0.02 * (codes @ basis.T + 0.2 * torch.randn(rows, n, dtype=torch.float64)) + 0.01 * torch.randn(n)).float()
vectors[:, 7] = 0.25
out = {"vectors": vectors}
for name, standardises in (("", True), ("centred.", False)):
    x = vectors.double()
    mean = x.mean(0)
    std = x.std(0) if standardises else torch.ones(n, dtype=torch.float64)
    std = torch.where(std > 1e-12, std, torch.ones_like(std))
    z = (x - mean) / std
    _, s, vh = torch.linalg.svd(z, full_matrices=False)
    v = vh[:k].T
    v = v * torch.sign(v[v.abs().argmax(0), torch.arange(k)])
    proj = z @ v
    for key, value in {
        "mean": mean, "std": std, "components": v, "singular_values": s[:k], "coefficients": proj,
        "unprojected": proj[:5] @ v.T * std + mean,
    }.items():
        out[name + key] = value.float().contiguous()
save_file(out, sys.argv[1])

"""Makes measures.safetensors: a small face embedder in PyTorch with one backward pass of its loss, and the statistics of a space in NumPy.

    python measures.py OUT.safetensors
"""
import sys

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

SIZE, CHANNELS, GROUPS, DIM, CLASSES = 16, [8, 12], 4, 6, 5


class Stage(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.down = nn.Conv2d(inputs, outputs, 3, 2, 1, bias=False)
        self.down_norm = nn.GroupNorm(GROUPS, outputs)
        self.same = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.same_norm = nn.GroupNorm(GROUPS, outputs)

    def forward(self, x):
        x = F.leaky_relu(self.down_norm(self.down(x)), 0.1)
        return x + F.leaky_relu(self.same_norm(self.same(x)), 0.1)


class Embedder(nn.Module):
    def __init__(self):
        super().__init__()
        self.stages = nn.ModuleList([Stage(a, b) for a, b in zip([3] + CHANNELS, CHANNELS)])
        side = SIZE >> len(CHANNELS)
        self.embedding = nn.Linear(side * side * CHANNELS[-1], DIM)

    def forward(self, x):
        for stage in self.stages:
            x = stage(x)
        return F.normalize(self.embedding(x.permute(0, 2, 3, 1).flatten(1)))


def embedder(out):
    torch.manual_seed(3)
    net = Embedder()
    x = torch.randn(4, SIZE, SIZE, 3)
    directions = torch.randn(CLASSES, DIM, requires_grad=True)
    classes, groups = torch.tensor([0, 3, 1, 4]), torch.tensor([0, 1, 0, 1, 1])
    points = net(x.permute(0, 3, 1, 2))
    cosines = points @ F.normalize(directions).T
    own = F.one_hot(classes, CLASSES)
    alike = (groups[classes][:, None] == groups[None]).int() * (1 - own)
    loss = F.cross_entropy(16 * (cosines - 0.3 * own + 0.1 * alike), classes, label_smoothing=0.05)
    loss.backward()
    out |= {"x": x, "points": points, "directions": directions, "loss": loss.reshape(1)}
    out["directions.gradient"] = directions.grad
    for name, value in net.state_dict().items():
        out["weight." + name] = value
    for name, value in net.named_parameters():
        out["gradient." + name] = value.grad


def statistics(out):
    rng = np.random.default_rng(7)
    rows, d, n = 60, 4, 30
    codes = rng.normal(size=(rows, d)) @ rng.normal(size=(d, d)) + 0.5
    logvar = rng.normal(size=(rows, d)) * 0.3 - 2
    codes, logvar = codes.astype(np.float32).astype(float), logvar.astype(np.float32).astype(float)
    kl = 0.5 * (codes**2 + np.exp(logvar) - 1 - logvar).mean(0)
    mean = codes.mean(0)
    cov = np.cov(codes.T, bias=True) + np.diag(np.exp(logvar).mean(0))
    probe = rng.normal(size=(3, d)).astype(np.float32).astype(float) * 2
    distance = lambda z: np.sqrt(np.einsum("ij,jk,ik->i", z - mean, np.linalg.inv(cov), z - mean) / d)
    percentile = (distance(codes)[None] >= distance(probe)[:, None]).mean(1)
    normal = torch.distributions.MultivariateNormal
    fitted = torch.distributions.kl_divergence(
        normal(torch.tensor(mean), torch.tensor(cov)), normal(torch.zeros(d).double(), torch.eye(d).double())
    )
    train = (rng.normal(size=(40, 6)) @ rng.normal(size=(6, n)) + 0.3 * rng.normal(size=(40, n))).astype(np.float32)
    test = (rng.normal(size=(9, 6)) @ rng.normal(size=(6, n)) + train.mean(0)).astype(np.float32)
    r2 = []
    for std in [np.ones(n), train.astype(float).std(0, ddof=1)]:
        centre = train.astype(float).mean(0)
        basis = np.linalg.svd((train - centre) / std, full_matrices=False)[2][:3]
        back = ((test - centre) / std) @ basis.T @ basis * std + centre
        r2.append(1 - ((test - back) ** 2).sum() / ((test - centre) ** 2).sum())
    same, different = rng.normal(0.7, 0.1, 20), rng.normal(0.1, 0.2, 50)
    prime = (same.mean() - different.mean()) / np.sqrt((same.var() + different.var()) / 2)
    numbers = dict(
        codes=codes, logvar=logvar, kl=kl, variance=codes.var(0), probe=probe, distance=distance(probe),
        percentile=percentile, fitted=np.array([fitted.item()]), train=train, test=test, r2=np.array(r2), same=same,
        different=different, prime=np.array([prime]),
    )
    out |= {"statistics." + name: torch.tensor(value).float() for name, value in numbers.items()}


if __name__ == "__main__":
    tensors = {}
    embedder(tensors)
    statistics(tensors)
    save_file({name: value.detach().contiguous().float() for name, value in tensors.items()}, sys.argv[1])

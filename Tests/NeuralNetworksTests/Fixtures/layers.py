"""Writes layers.safetensors beside itself: results and gradients of PyTorch's layers, and of a few steps of its optimisers.

Usage: python layers.py

Every case has tensors named CASE.WHAT; images are stored channels-last. `d.X` is the gradient of X for the gradient `d.y` of the result.
"""
import pathlib

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

torch.manual_seed(0)
out = {}


def put(case, **tensors):
    for name, value in tensors.items():
        value = value.detach()
        if value.dim() == 4 and not name.endswith("weight"):
            value = value.permute(0, 2, 3, 1)
        out[f"{case}.{name.replace('d_', 'd.')}"] = value.contiguous().clone()


def record(case, y, **leaves):
    g = torch.randn_like(y)
    gradients = torch.autograd.grad(y, list(leaves.values()), g)
    put(case, y=y, d_y=g, **leaves, **{"d_" + name: d for (name, _), d in zip(leaves.items(), gradients)})


def leaf(*shape):
    return torch.randn(*shape, requires_grad=True)


x, w, b, r = leaf(2, 5, 7), leaf(6, 7), leaf(6), leaf(2, 5, 6)
record("linear", F.leaky_relu(F.linear(x, w, b) + r, 0.01), x=x, weight=w, bias=b, residual=r)

x, w, bias, a, b = leaf(2, 4, 6), leaf(5, 6), leaf(5), leaf(2, 3, 6), leaf(2, 5, 3)
y = F.linear(x, w, bias) + 0.7 * torch.einsum("nti,nri,nor->nto", x, a, b)
record("lora", y, x=x, weight=w, bias=bias, a=a, b=b)

x, w, b, v, r = leaf(2, 3, 6, 5), leaf(4, 3, 3, 3), leaf(4), leaf(2, 4), leaf(2, 4, 6, 5)
y = F.silu(F.conv2d(x, w, b, padding=1) + v[:, :, None, None] + r)
record("conv", y, x=x, weight=w, bias=b, vector=v, residual=r)

x, w, b = leaf(1, 3, 7, 6), leaf(5, 3, 3, 3), leaf(5)
record("downsample", F.conv2d(F.pad(x, (0, 1, 0, 1)), w, b, stride=2), x=x, weight=w, bias=b)

x, w, b = leaf(2, 12, 3, 5), leaf(12), leaf(12)
record("group_norm", F.silu(F.group_norm(x, 4, w, b, 1e-5)), x=x, weight=w, bias=b)

x, w, b = leaf(2, 3, 20), leaf(20), leaf(20)
record("layer_norm", F.layer_norm(x, (20,), w, b, 1e-5), x=x, weight=w, bias=b)

w = leaf(9, 4)
record("embedding", F.embedding(torch.tensor([[3, 1, 3], [0, 8, 1]]), w), weight=w)

for name, function in {
    "silu": F.silu, "gelu": F.gelu, "tanh": torch.tanh, "leaky_relu": lambda x: F.leaky_relu(x, 0.2),
    "quick_gelu": lambda x: x * torch.sigmoid(1.702 * x),
    "geglu": lambda x: x.chunk(2, -1)[0] * F.gelu(x.chunk(2, -1)[1]),
}.items():
    x = torch.linspace(-6, 6, 3 * 22).reshape(3, 22).requires_grad_()
    record(name, function(x), x=x)

for name, causal, length in [("attention", False, 9), ("causal_attention", True, 5)]:
    q, k, v = leaf(2, 5, 12), leaf(2, length, 12), leaf(2, length, 12)
    split = lambda t: t.view(2, -1, 3, 4).transpose(1, 2)
    y = F.scaled_dot_product_attention(split(q), split(k), split(v), is_causal=causal).transpose(1, 2).reshape(2, 5, 12)
    record(name, y, query=q, key=k, value=v)

x = leaf(2, 3, 2, 3)
record("upsample", F.interpolate(x, scale_factor=2, mode="nearest"), x=x)

a, b = leaf(2, 3, 2, 2), leaf(2, 5, 2, 2)
record("concatenate", torch.cat([a, b], 1), a=a, b=b)

# A variational autoencoder's loss with everything that the weight VAE uses.
x, noise = torch.randn(6, 8), torch.randn(6, 3)
names = ["w1", "b1", "wm", "bm", "wl", "bl", "w2", "b2", "w3", "b3"]
shapes = [(10, 8), (10,), (3, 10), (3,), (3, 10), (3,), (10, 3), (10,), (8, 10), (8,)]
parameters = [(0.4 * torch.randn(*s)).requires_grad_() for s in shapes]


def vae_loss():
    w1, b1, wm, bm, wl, bl, w2, b2, w3, b3 = parameters
    hidden = F.leaky_relu(F.linear(x, w1, b1), 0.01)
    mean, log_variance = F.linear(hidden, wm, bm), F.linear(hidden, wl, bl)
    z = mean + torch.exp(0.5 * log_variance) * noise
    back = torch.tanh(F.linear(F.leaky_relu(F.linear(z, w2, b2), 0.01), w3, b3))
    reconstruction = F.mse_loss(back, x)
    kl = -0.5 * torch.mean(1 + log_variance - mean.pow(2) - log_variance.exp())
    return reconstruction + 0.3 * kl, reconstruction, kl


put("vae", x=x, noise=noise, **dict(zip(names, parameters)))
loss, reconstruction, kl = vae_loss()
put("vae", loss=torch.stack([loss, reconstruction, kl]))
put("vae", **{"d_" + n: d for n, d in zip(names, torch.autograd.grad(loss, parameters))})
start = [p.detach().clone() for p in parameters]
for optimiser_name, make in {
    "adam": lambda: torch.optim.Adam(parameters, lr=0.01, weight_decay=0.02),
    "adamw": lambda: torch.optim.AdamW(parameters, lr=0.02, betas=(0.8, 0.95), eps=1e-6, weight_decay=0.1),
    "clipped": lambda: torch.optim.Adam(parameters, lr=0.01),
}.items():
    with torch.no_grad():
        for p, s in zip(parameters, start):
            p.copy_(s)
    optimiser, losses = make(), []
    for _ in range(12):
        optimiser.zero_grad()
        loss = vae_loss()[0]
        loss.backward()
        if optimiser_name == "clipped":
            torch.nn.utils.clip_grad_norm_(parameters, 0.05)
        losses.append(loss.detach())
        optimiser.step()
    put(optimiser_name, losses=torch.stack(losses), **dict(zip(names, parameters)))

save_file(out, str(pathlib.Path(__file__).with_name("layers.safetensors")))

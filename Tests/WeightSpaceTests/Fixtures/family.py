"""Makes family.safetensors: every kind of weight VAE as a PyTorch class with the keys of facts about the published models, one backward pass of the
loss in training mode, then the outputs in evaluation mode.

    python family.py OUT.safetensors
"""
import sys

import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

N, LATENT, BATCH, BETA = 48, 5, 6, 0.03
TOKENS = [16, 12, 20]


class VAE(nn.Module):
    def add_linear_path(self):
        self.linear_encoder, self.linear_decoder = nn.Linear(N, LATENT), nn.Linear(LATENT, N)
        return self

    def posterior(self, x):
        mean, log_variance = self.heads(x)
        if hasattr(self, "linear_encoder"):
            mean = mean + self.linear_encoder(x)
        return mean, log_variance

    def decode(self, z):
        y = self.tail(z)
        return y + self.linear_decoder(z) if hasattr(self, "linear_decoder") else y


def stage(a, b, norm):
    return nn.Sequential(nn.Linear(a, b), *([nn.BatchNorm1d(b)] if norm else []), nn.LeakyReLU())


class MirroredDecoder(VAE):
    def make_decoder(self, widths, norm=False):
        back = widths[::-1]
        self.decoder_input = nn.Linear(LATENT, back[0])
        self.decoder = nn.Sequential(*[stage(a, b, norm) for a, b in zip(back, back[1:])])
        self.final_layer = nn.Sequential(nn.Linear(widths[0], N), nn.Tanh())

    def tail(self, z):
        return self.final_layer(self.decoder(self.decoder_input(z)))


class Vanilla(MirroredDecoder):
    def __init__(self, widths, norm):
        super().__init__()
        self.encoder = nn.Sequential(*[stage(a, b, norm) for a, b in zip([N] + widths, widths)])
        self.fc_mu, self.fc_var = nn.Linear(widths[-1], LATENT), nn.Linear(widths[-1], LATENT)
        self.make_decoder(widths, norm)

    def heads(self, x):
        hidden = self.encoder(x)
        return self.fc_mu(hidden), self.fc_var(hidden)


class Convolutional(MirroredDecoder):
    def __init__(self, channels, kernel, stride, widths):
        super().__init__()
        pairs = list(zip([1] + channels, channels))
        self.encoder = nn.Sequential(*[nn.Sequential(nn.Conv1d(a, b, kernel, stride), nn.LeakyReLU()) for a, b in pairs])
        features = self.encoder(torch.zeros(1, 1, N)).numel()
        self.fc_mu, self.fc_var = nn.Linear(features, LATENT), nn.Linear(features, LATENT)
        self.make_decoder(widths)

    def heads(self, x):
        hidden = self.encoder(x[:, None]).transpose(1, 2).flatten(1)
        return self.fc_mu(hidden), self.fc_var(hidden)


def two(a, b, c):
    return nn.Sequential(nn.Linear(a, b), nn.ReLU(), nn.Linear(b, c))


class Block(nn.Module):
    def __init__(self, h):
        super().__init__()
        self.block = nn.Sequential(nn.Linear(h, h // 2), nn.ReLU(), nn.LayerNorm(h // 2), nn.Linear(h // 2, h), nn.LayerNorm(h))

    def forward(self, x):
        return x + self.block(x)


class Residual(VAE):
    def __init__(self, h, blocks):
        super().__init__()
        self.first_layer = two(N, 2 * h, h)
        self.encoder = nn.Sequential(*[Block(h) for _ in range(blocks)])
        self.fc_mu, self.fc_var = two(h, h // 2, LATENT), two(h, h // 2, LATENT)
        self.decoder_input = nn.Linear(LATENT, h)
        self.decoder = nn.Sequential(*[Block(h) for _ in range(blocks)])
        self.final_layer = two(h, 2 * h, N)

    def heads(self, x):
        hidden = self.encoder(self.first_layer(x))
        return self.fc_mu(hidden), self.fc_var(hidden)

    def tail(self, z):
        return self.final_layer(self.decoder(self.decoder_input(z)))


class Discriminator(nn.Module):
    def __init__(self, h, blocks):
        super().__init__()
        self.first_layer, self.final_layer = two(N, 2 * h, h), two(h, 2 * h, 1)
        self.blocks = nn.Sequential(*[Block(h) for _ in range(blocks)])

    def forward(self, x):
        return self.final_layer(self.blocks(self.first_layer(x)))


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.to_q, self.to_k, self.to_v, self.to_out = [nn.Linear(width, width) for _ in range(4)]
        self.ff = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x):
        split = lambda y: y.unflatten(-1, (self.heads, -1)).transpose(1, 2)
        y = self.norm1(x)
        seen = F.scaled_dot_product_attention(split(self.to_q(y)), split(self.to_k(y)), split(self.to_v(y)))
        x = x + self.to_out(seen.transpose(1, 2).flatten(2))
        return x + self.ff(self.norm2(x))


class Transformer(VAE):
    def __init__(self, width, heads, blocks):
        super().__init__()
        self.width, everything = width, len(TOKENS) * width
        self.embed = nn.ModuleList([nn.Linear(t, width) for t in TOKENS])
        self.encoder = nn.Sequential(*[Attention(width, heads) for _ in range(blocks)])
        self.encoder_norm = nn.LayerNorm(width)
        self.fc_mu, self.fc_var = nn.Linear(everything, LATENT), nn.Linear(everything, LATENT)
        self.decoder_input = nn.Linear(LATENT, everything)
        self.decoder = nn.Sequential(*[Attention(width, heads) for _ in range(blocks)])
        self.decoder_norm = nn.LayerNorm(width)
        self.unembed = nn.ModuleList([nn.Linear(width, t) for t in TOKENS])

    def heads(self, x):
        tokens = torch.stack([layer(part) for layer, part in zip(self.embed, x.split(TOKENS, dim=1))], dim=1)
        hidden = self.encoder_norm(self.encoder(tokens)).flatten(1)
        return self.fc_mu(hidden), self.fc_var(hidden)

    def tail(self, z):
        tokens = self.decoder_norm(self.decoder(self.decoder_input(z).unflatten(1, (len(TOKENS), self.width))))
        return torch.cat([layer(tokens[:, i]) for i, layer in enumerate(self.unembed)], dim=1)


torch.manual_seed(11)
x, noise = torch.rand(BATCH, N) * 1.6 - 0.8, torch.randn(BATCH, LATENT)
tensors = {"x": x, "noise": noise}
cases = {
    "batch_norm": Vanilla([12, 8], True),
    "linear_path": Vanilla([12, 8], False).add_linear_path(),
    "residual": Residual(12, 2),
    "transformer": Transformer(8, 2, 2),
    "convolutional": Convolutional([4, 6], 5, 3, [12, 8]),
}
discriminator = Discriminator(8, 1)
for model in [*cases.values(), discriminator]:
    for parameter in model.parameters():  # norms that are not the identity
        parameter.data += 0.1 * torch.randn_like(parameter)
tensors |= {"discriminator.weight." + k: v.clone() for k, v in discriminator.state_dict().items()}
for name, model in cases.items():
    model.train()
    tensors |= {f"{name}.weight.{k}": v.clone().float() for k, v in model.state_dict().items()}
    mean, log_variance = model.posterior(x)
    decoded = model.decode(mean + torch.exp(0.5 * log_variance) * noise)
    reconstruction = F.mse_loss(decoded, x)
    kl = -0.5 * torch.mean(1 + log_variance - mean**2 - log_variance.exp())
    total = reconstruction + BETA * kl
    if name == "residual":
        logits = discriminator(decoded)
        total = total + 0.1 * F.binary_cross_entropy_with_logits(logits, torch.ones_like(logits))
    total.backward()
    tensors[f"{name}.losses"] = torch.stack([total, reconstruction, kl]).detach()
    tensors |= {f"{name}.gradient.{k}": p.grad.clone() for k, p in model.named_parameters()}
    tensors |= {f"{name}.after.{k}": b.clone().float() for k, b in model.named_buffers()}
    model.eval()
    with torch.no_grad():
        mean, log_variance = model.posterior(x)
        tensors |= {f"{name}.mean": mean, f"{name}.log_variance": log_variance, f"{name}.decoded": model.decode(mean)}
discriminator.zero_grad()
real, fake = discriminator(x), discriminator(tensors["residual.decoded"])
loss = 0.5 * (
    F.binary_cross_entropy_with_logits(real, torch.ones_like(real))
    + F.binary_cross_entropy_with_logits(fake, torch.zeros_like(fake))
)
loss.backward()
tensors["discriminator.loss"] = loss.detach()[None]
tensors |= {"discriminator.gradient." + k: p.grad.clone() for k, p in discriminator.named_parameters()}
save_file({k: v.contiguous() for k, v in tensors.items()}, sys.argv[1])

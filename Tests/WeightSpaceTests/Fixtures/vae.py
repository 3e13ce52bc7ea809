"""Makes vae.safetensors: a small vanilla weight VAE in PyTorch, one backward pass of its loss, and ten Adam steps.

    python vae.py OUT.safetensors
"""
import sys

import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

N, WIDTHS, LATENT, BATCH, BETA, STEPS = 24, [12, 8], 5, 6, 0.03, 10


class VanillaVAE(nn.Module):
    def __init__(self):
        super().__init__()
        widths = [N] + WIDTHS
        self.encoder = nn.Sequential(
            *[nn.Sequential(nn.Linear(a, b), nn.LeakyReLU()) for a, b in zip(widths, widths[1:])]
        )
        self.fc_mu = nn.Linear(widths[-1], LATENT)
        self.fc_var = nn.Linear(widths[-1], LATENT)
        self.decoder_input = nn.Linear(LATENT, widths[-1])
        back = widths[::-1]
        self.decoder = nn.Sequential(
            *[nn.Sequential(nn.Linear(a, b), nn.LeakyReLU()) for a, b in zip(back[:-2], back[1:-1])]
        )
        self.final_layer = nn.Sequential(nn.Linear(widths[1], N), nn.Tanh())

    def forward(self, x, noise):
        hidden = self.encoder(x)
        mean, log_variance = self.fc_mu(hidden), self.fc_var(hidden)
        z = mean + torch.exp(0.5 * log_variance) * noise
        return self.final_layer(self.decoder(self.decoder_input(z))), mean, log_variance


def loss_of(model, x, noise):
    decoded, mean, log_variance = model(x, noise)
    reconstruction = F.mse_loss(decoded, x)
    kl = -0.5 * torch.mean(1 + log_variance - mean**2 - log_variance.exp())
    return reconstruction + BETA * kl, reconstruction, kl


torch.manual_seed(3)
model = VanillaVAE()
x, noise = torch.rand(BATCH, N) * 1.6 - 0.8, torch.randn(STEPS, BATCH, LATENT)
tensors = {"input.x": x, "input.noise": noise}
tensors |= {"weight." + k: v.clone() for k, v in model.state_dict().items()}
total, reconstruction, kl = loss_of(model, x, noise[0])
total.backward()
tensors |= {"gradient." + k: p.grad.clone() for k, p in model.named_parameters()}
tensors["losses"] = torch.stack([total, reconstruction, kl]).detach()

optimizer = torch.optim.Adam(model.parameters(), lr=1e-2, eps=1e-12)
curve = []
for step in range(STEPS):
    optimizer.zero_grad()
    loss, _, _ = loss_of(model, x, noise[step])
    loss.backward()
    optimizer.step()
    curve.append(loss.detach())
tensors["curve"] = torch.stack(curve)
with torch.no_grad():
    hidden = model.encoder(x)
    tensors["mean"], tensors["log_variance"] = model.fc_mu(hidden), model.fc_var(hidden)
    tensors["decoded"] = model.final_layer(model.decoder(model.decoder_input(tensors["mean"])))
tensors |= {"trained." + k: v.clone() for k, v in model.state_dict().items()}
save_file({k: v.contiguous() for k, v in tensors.items()}, sys.argv[1])

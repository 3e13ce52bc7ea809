#!/usr/bin/env python3
"""Times one training step of the weight VAE at full size, side by side: `w2w bench train-full` and PyTorch float32 with the same optimiser.

    time_training.py W2W [--steps 6] [--rounds 2] [--batch 64] [--small]

W2W is the program (a release build: .build/release/w2w). Every measurement is a process of its own, in turns: w2w, w2w with moments in
bfloat16, PyTorch with `torch.optim.Adam(fused=True)`, PyTorch with `torch.optim.Adam` as it is by default. The network has
99,648 numbers, a hidden layer of 4,096, a code of 512: 816 million weights. Needs some 17 GB of memory for PyTorch, and
`pip install torch` in the Python that runs this. Printed: the median of the steps in seconds, the largest memory of each process, ratios.
"""
import argparse, json, resource, statistics, subprocess, sys, time

N, HIDDEN, LATENT, BETA = 99_648, 4096, 512, 0.005

arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
arguments.add_argument("w2w", nargs="?")
arguments.add_argument("--steps", type=int, default=6)
arguments.add_argument("--rounds", type=int, default=2)
arguments.add_argument("--batch", type=int, default=64)
arguments.add_argument("--threads", type=int, default=0, help="of PyTorch; 0 leaves its choice")
arguments.add_argument("--only", help="measure only these, separated by commas: w2w, w2w-bf16, fused, default")
arguments.add_argument("--torch", choices=["fused", "default"], help=argparse.SUPPRESS)
options = arguments.parse_args()


def torch_steps(fused):
    import torch
    from torch import nn
    from torch.nn import functional as F

    if options.threads:
        torch.set_num_threads(options.threads)

    class VAE(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = nn.Sequential(nn.Sequential(nn.Linear(N, HIDDEN), nn.LeakyReLU()))
            self.fc_mu, self.fc_var = nn.Linear(HIDDEN, LATENT), nn.Linear(HIDDEN, LATENT)
            self.decoder_input = nn.Linear(LATENT, HIDDEN)
            self.final_layer = nn.Sequential(nn.Linear(HIDDEN, N), nn.Tanh())

    model = VAE()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4, fused=fused or None)
    times = []
    for step in range(options.steps + 2):
        x = 0.2 * torch.randn(options.batch, N)
        start = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        hidden = model.encoder(x)
        mean, log_variance = model.fc_mu(hidden), model.fc_var(hidden)
        z = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
        decoded = model.final_layer(model.decoder_input(z))
        kl = -0.5 * torch.mean(1 + log_variance - mean**2 - log_variance.exp())
        (F.mse_loss(decoded, x) + BETA * kl).backward()
        optimizer.step()
        times.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    print(json.dumps({"seconds": times[2:], "megabytes": peak}))


def w2w_steps(name):
    output = subprocess.run(
        [options.w2w, "bench", name, "--repeats", str(options.steps), "--json"], check=True, capture_output=True, text=True
    ).stdout
    median = {entry["name"]: entry["median"] for entry in json.loads(output)}
    return {"seconds": [median[name] / 1000], "megabytes": median[name.replace("train-full", "train-full-memory")]}


def other(kind):
    command = [sys.executable, __file__, "--torch", kind, "--steps", str(options.steps), "--batch", str(options.batch)]
    output = subprocess.run(command + ["--threads", str(options.threads)], check=True, capture_output=True, text=True).stdout
    return json.loads(output)


if options.torch:
    torch_steps(options.torch == "fused")
    sys.exit()
if not options.w2w:
    arguments.error("name the w2w program")

kinds = {
    "w2w": ("w2w, float32", lambda: w2w_steps("train-full")),
    "w2w-bf16": ("w2w, moments in bfloat16", lambda: w2w_steps("train-full-bf16")),
    "fused": ("PyTorch, Adam(fused=True)", lambda: other("fused")),
    "default": ("PyTorch, Adam()", lambda: other("default")),
}
if options.only:
    kinds = {key: kinds[key] for key in options.only.split(",")}
seconds = {key: [] for key in kinds}
megabytes = {key: 0 for key in kinds}
for _ in range(options.rounds):
    for key, (name, measure) in kinds.items():
        result = measure()
        seconds[key] += result["seconds"]
        megabytes[key] = max(megabytes[key], result["megabytes"])
        print(f"{name:28} {statistics.median(result['seconds']):7.2f} s a step, {result['megabytes'] / 1000:6.2f} GB", flush=True)
print()
for key in ("w2w", "w2w-bf16"):
    for peer in ("fused", "default"):
        if key in kinds and peer in kinds:
            time_ratio = statistics.median(seconds[key]) / statistics.median(seconds[peer])
            memory_ratio = megabytes[key] / megabytes[peer]
            print(f"{kinds[key][0]} : {kinds[peer][0]} = {time_ratio:.2f} of the time, {memory_ratio:.2f} of the memory")

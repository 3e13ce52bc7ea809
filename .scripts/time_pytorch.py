#!/usr/bin/env python3
"""Times PyTorch (float32, CPU) on the work that `w2w bench` measures, for comparison in one sitting.

    time_pytorch.py MODEL [--side 16] [--repeats 30] [--threads N] [--json]

MODEL is a folder in diffusers layout, for instance Sources/WeightSpace/Resources/BuiltInSpace/base. Measured: text encoding of one prompt, one
U-Net evaluation for one and for two samples, decoding of one picture; SIDE is the side of the image latents (pixels / 8). Needs
`pip install torch diffusers transformers safetensors`, best in a virtual environment outside the checkout.
"""
import argparse, json, statistics, time

arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
arguments.add_argument("model")
arguments.add_argument("--side", type=int, default=16)
arguments.add_argument("--repeats", type=int, default=30)
arguments.add_argument("--threads", type=int, default=0, help="0 leaves PyTorch's choice")
arguments.add_argument("--json", action="store_true", help="a list of {name, unit, median, min, max, repeats, work}")
options = arguments.parse_args()

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextModel

torch.set_grad_enabled(False)
if options.threads:
    torch.set_num_threads(options.threads)
load = lambda kind, part: kind.from_pretrained(f"{options.model}/{part}", torch_dtype=torch.float32).eval()
unet, vae, text = load(UNet2DConditionModel, "unet"), load(AutoencoderKL, "vae"), load(CLIPTextModel, "text_encoder")
results = []


def measure(name, work, body):
    for _ in range(3):
        body()
    times = []
    for _ in range(options.repeats):
        start = time.perf_counter()
        body()
        times.append(1000 * (time.perf_counter() - start))
    results.append(dict(name=name, unit="ms", median=statistics.median(times), min=min(times), max=max(times), repeats=len(times), work=work))
    if not options.json:
        print(f"{name:20} median {results[-1]['median']:8.2f} ms, min {results[-1]['min']:8.2f} ms   ({work})", flush=True)


side, width, length = options.side, unet.config.cross_attention_dim, text.config.max_position_embeddings
tokens = torch.randint(0, text.config.vocab_size, (1, length))
measure("text", f"1 prompt of {length} tokens", lambda: text(tokens))
for batch in (1, 2):
    sample, states = torch.randn(batch, unet.config.in_channels, side, side), torch.randn(batch, length, width)
    for layout in (torch.contiguous_format, torch.channels_last):
        unet.to(memory_format=layout)
        sample = sample.contiguous(memory_format=layout)
        name = f"unet-batch{batch}" + ("" if layout == torch.contiguous_format else "-channels-last")
        measure(name, f"{batch} x {side} x {side} latents", lambda: unet(sample, torch.tensor(500), encoder_hidden_states=states))
latents = torch.randn(1, vae.config.latent_channels, side, side)
measure("decode", f"1 picture of {8 * side} x {8 * side} pixels", lambda: vae.decode(latents))
if options.json:
    print(json.dumps(results, indent=1))

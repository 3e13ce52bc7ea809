#!/usr/bin/env python3
"""Holds w2w against transformers and diffusers at the full size of Stable Diffusion 1.5: tokenizer, text model, U-Net, image VAE.

    check_full_size.py [MODEL] [--w2w .build/release/w2w] [--precision f32|fast] [--work FOLDER] [--only PART ...]

Gives both the same numbers and prints, for each part and size, the worst difference of any element relative to the largest element of the
reference. In f32 more than the tolerance (U-Net 1e-3, others 3e-4) is a failure; for fast the signal-to-noise ratio is printed. MODEL is a folder
in diffusers layout; without it one of random numbers is made (2 GB). Needs `pip install torch diffusers transformers safetensors`.
"""
import argparse, json, os, subprocess, sys, tempfile

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, here)
arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
arguments.add_argument("model", nargs="?")
arguments.add_argument("--w2w", default=f"{here}/../.build/release/w2w")
arguments.add_argument("--precision", default="f32")
arguments.add_argument("--work", default=os.path.expanduser("~/.cache/w2w-peers"))
arguments.add_argument("--only", nargs="*", default=["tokens", "text", "unet", "decode", "encode"])
options = arguments.parse_args()

import torch
from safetensors.torch import load_file, save_file

torch.set_grad_enabled(False)
if not options.model:
    from random_model import make
    options.model = make(f"{options.work}/sd15")
model, failed = options.model, []
folder = tempfile.mkdtemp()


def ours(part, tensors):
    """w2w's results for some tensors."""
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, f"{folder}/in.safetensors")
    run(part, f"{folder}/in.safetensors", f"{folder}/out.safetensors")
    return load_file(f"{folder}/out.safetensors")


def run(part, source, target):
    subprocess.run(
        [options.w2w, "compute", part, "--space", model, "--in", source, "--out", target, "--precision", options.precision], check=True)


def compare(name, found, expected, tolerance):
    worst = ((found - expected).abs().max() / expected.abs().max()).item()
    ratio = 10 * torch.log10(expected.square().mean() / (found - expected).square().mean()).item()
    verdict = "" if options.precision != "f32" or worst <= tolerance else "  FAILED"
    if verdict or not torch.isfinite(found).all():
        failed.append(name)
    print(f"{name:44} worst {worst:.1e} of the largest   {ratio:6.1f} dB{verdict}", flush=True)


PROMPTS = [
    "", "photo of sks person", "a café in Zürich, naïve façade", "emoji 😀👩‍🚀🏳️‍🌈 and \u200b zero width", "ALL CAPS, don't they'll we've I'm",
    "  many   spaces\tand\nlines ", "1234567890 3.14 #hash @at $5 100%", "日本語のプロンプト и по-русски ελληνικά عربي", "x" * 300, "word " * 200,
    "<|endoftext|> in the middle <|startoftext|>", "\u0301combining e\u0301 ﬁ ligature ½ ²", "(weights:1.3) [brackets] {braces} <angle>", "?!…—–“”‘’",
]
if "tokens" in options.only:
    from transformers import CLIPTokenizer
    tokenizer = CLIPTokenizer.from_pretrained(f"{model}/tokenizer")
    json.dump(PROMPTS, open(f"{folder}/prompts.json", "w"))
    run("tokens", f"{folder}/prompts.json", f"{folder}/ids.json")
    found = json.load(open(f"{folder}/ids.json"))
    expected = tokenizer(PROMPTS, padding="max_length", truncation=True, max_length=77).input_ids
    wrong = [prompt for prompt, a, b in zip(PROMPTS, found, expected) if a != b]
    failed += [f"tokens of {prompt!r}" for prompt in wrong]
    print(f"{'tokens':44} {len(PROMPTS) - len(wrong)} of {len(PROMPTS)} prompts equal {wrong or ''}")
if "text" in options.only:
    from transformers import CLIPTextModel
    text = CLIPTextModel.from_pretrained(f"{model}/text_encoder", torch_dtype=torch.float32).eval()
    ids = torch.randint(0, 49408, (3, 77), generator=torch.Generator().manual_seed(1))
    compare("text model, 3 prompts", ours("text", {"tokens": ids})["states"], text(ids).last_hidden_state, 3e-4)
if "unet" in options.only:
    from diffusers import UNet2DConditionModel
    unet = UNet2DConditionModel.from_pretrained(f"{model}/unet", torch_dtype=torch.float32).eval()
    for batch, height, width in [(1, 32, 32), (2, 64, 64), (1, 48, 72), (1, 40, 24), (3, 16, 16), (8, 32, 32), (1, 64, 64), (1, 36, 52)]:
        random = torch.Generator().manual_seed(batch * height + width)
        sample = torch.randn(batch, 4, height, width, generator=random)
        states = torch.randn(batch, 77, unet.config.cross_attention_dim, generator=random)
        steps = torch.linspace(999, 1, batch + 2)[1:-1].round()
        found = ours("unet", dict(sample=sample, states=states, timesteps=steps))["prediction"]
        compare(f"U-Net, {batch} x {height} x {width}", found, unet(sample, steps, encoder_hidden_states=states).sample, 1e-3)
    del unet
if "decode" in options.only or "encode" in options.only:
    from diffusers import AutoencoderKL
    vae = AutoencoderKL.from_pretrained(f"{model}/vae", torch_dtype=torch.float32).eval()
    for batch, height, width in [(1, 32, 32), (2, 16, 24), (1, 40, 48)]:
        random = torch.Generator().manual_seed(height)
        if "decode" in options.only:
            latents = torch.randn(batch, 4, height, width, generator=random)
            expected = vae.decode(latents / vae.config.scaling_factor).sample
            compare(f"decode, {batch} x {height} x {width}", ours("decode", dict(latents=latents))["pictures"], expected, 3e-4)
        if "encode" in options.only:
            pictures = torch.rand(batch, 3, 8 * height, 8 * width, generator=random) * 2 - 1
            expected, found = vae.encode(pictures).latent_dist, ours("encode", dict(pictures=pictures))
            compare(f"encode, {batch} x {8 * height} x {8 * width}, mean", found["mean"], expected.mean, 3e-4)
            compare(f"encode, {batch} x {8 * height} x {8 * width}, log variance", found["log_variance"], expected.logvar, 3e-4)
sys.exit(f"failed: {', '.join(failed)}" if failed else 0)

#!/usr/bin/env python3
"""Holds w2w against transformers and diffusers at the full size of Stable Diffusion 1.5: tokenizer, text model, U-Net, image VAE,
several identities in one batch, adapters.

    check_full_size.py [MODEL] [--w2w .build/release/w2w] [--precision f32|fast] [--work FOLDER] [--only PART ...]

Gives both the same numbers and prints, for each part and size, the worst difference of any element relative to the largest element of the
reference. In f32 more than the tolerance (U-Net 1e-3, others 3e-4) is a failure; for fast the signal-to-noise ratio is printed, and pictures below a PSNR of 30 dB are one. MODEL is a folder
in diffusers layout; without it one of random numbers is made (2 GB). Needs `pip install torch diffusers transformers peft safetensors`.
"""
import argparse, json, os, subprocess, sys, tempfile

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, here)
arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
arguments.add_argument("model", nargs="?")
arguments.add_argument("--w2w", default=f"{here}/../.build/release/w2w")
arguments.add_argument("--precision", default="f32")
arguments.add_argument("--work", default=os.path.expanduser("~/.cache/w2w-peers"))
arguments.add_argument("--only", nargs="*", default=["tokens", "text", "unet", "identities", "adapter", "decode", "encode"])
options = arguments.parse_args()

import torch
from safetensors.torch import load_file, save_file

torch.set_grad_enabled(False)
if not options.model:
    from random_model import make
    options.model = make(f"{options.work}/sd15")
model, failed = options.model, []
folder = tempfile.mkdtemp()


def ours(part, tensors, *more):
    """w2w's results for some tensors."""
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, f"{folder}/in.safetensors")
    run(part, f"{folder}/in.safetensors", f"{folder}/out.safetensors", *more)
    return load_file(f"{folder}/out.safetensors")


def run(part, source, target, *more):
    subprocess.run(
        [options.w2w, "compute", part, "--space", model, "--in", source, "--out", target, "--precision", options.precision, *more], check=True)


def compare(name, found, expected, tolerance):
    worst = ((found - expected).abs().max() / expected.abs().max()).item()
    ratio = 10 * torch.log10(expected.square().mean() / (found - expected).square().mean()).item()
    verdict = "" if options.precision != "f32" or worst <= tolerance else "  FAILED"
    if verdict or not torch.isfinite(found).all():
        failed.append(name)
    print(f"{name:60} worst {worst:.1e} of the largest   {ratio:6.1f} dB{verdict}", flush=True)


def compare_pictures(name, found, expected):
    compare(name, found, expected, 3e-4)
    shown = lambda pictures: (pictures / 2 + 0.5).clamp(0, 1)
    ratio = -10 * torch.log10((shown(found) - shown(expected)).square().mean()).item()
    print(f"{name + ', as pictures':60} PSNR {ratio:.1f} dB{'' if ratio >= 30 else '  FAILED'}", flush=True)
    if ratio < 30:
        failed.append(name)


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
    print(f"{'tokens':60} {len(PROMPTS) - len(wrong)} of {len(PROMPTS)} prompts equal {wrong or ''}")
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
if "identities" in options.only or "adapter" in options.only:
    from diffusers import UNet2DConditionModel
    from peft import LoraConfig
    unet = UNet2DConditionModel.from_pretrained(f"{model}/unet", torch_dtype=torch.float32).eval()
    random = torch.Generator().manual_seed(7)
    sample = torch.randn(4, 4, 32, 32, generator=random)
    states = torch.randn(4, 77, unet.config.cross_attention_dim, generator=random)
    steps = torch.tensor([901.0, 601.0, 301.0, 1.0])
    predict = lambda rows: unet(sample[rows], steps[rows], encoder_hidden_states=states[rows]).sample
    plain = predict(slice(None))

    def strength(found):
        """How much adapters change, or nothing is compared."""
        return f"{((found - plain).abs().max() / plain.abs().max()).item():.2f} of the largest changed"

if "identities" in options.only:
    # One LoRA vector each, in the order of weights2weights: sorted names, A before B.
    names, vectors = [f"person{i}" for i in range(4)], []
    for name in names:
        unet.add_adapter(LoraConfig(r=1, lora_alpha=27, target_modules=["to_q", "to_v"], init_lora_weights=False), adapter_name=name)
        factors = {key: value for key, value in unet.named_parameters() if f".{name}." in key}
        for value in factors.values():
            value.copy_(0.04 * torch.randn(value.shape, generator=random))
        vectors.append(torch.cat([factors[key].flatten() for key in sorted(factors)]))
    expected = []
    for row, name in enumerate(names):
        unet.set_adapters(name)
        expected.append(predict(slice(row, row + 1)))
    expected = torch.cat(expected)
    found = ours("unet", dict(sample=sample, states=states, timesteps=steps, vectors=torch.stack(vectors)))["prediction"]
    compare(f"U-Net, 4 identities, {strength(expected)}", found, expected, 1e-3)
    unet.delete_adapters(names)
if "adapter" in options.only:
    # A file of kohya's scripts for all attention, feed-forward and convolution layers, times 1.5.
    targets = ["to_q", "to_k", "to_v", "to_out.0", "ff.net.0.proj", "ff.net.2", "proj_in", "proj_out", "conv1", "conv2"]
    unet.add_adapter(LoraConfig(r=8, lora_alpha=4, target_modules=targets, init_lora_weights=False), adapter_name="all")
    flat = {}
    for key, value in unet.named_parameters():
        if ".lora_" in key:
            value.copy_(0.03 * torch.randn(value.shape, generator=random))
            path, factor = key.removesuffix(".all.weight").rsplit(".lora_", 1)
            name = "lora_unet_" + path.replace(".", "_")
            flat[f"{name}.lora_{'down' if factor == 'A' else 'up'}.weight"] = value.detach().clone().contiguous()
            flat[name + ".alpha"] = torch.tensor(4.0)
    save_file(flat, f"{folder}/kohya.safetensors")
    unet.set_adapters("all", 1.5)
    expected = predict(slice(None))
    found = ours("unet", dict(sample=sample, states=states, timesteps=steps), "--adapter", f"{folder}/kohya.safetensors",
                 "--multiplier", "1.5")["prediction"]
    compare(f"U-Net, kohya's file x 1.5, {strength(expected)}", found, expected, 1e-3)
unet = None
if "decode" in options.only or "encode" in options.only:
    from diffusers import AutoencoderKL
    vae = AutoencoderKL.from_pretrained(f"{model}/vae", torch_dtype=torch.float32).eval()
    for batch, height, width in [(1, 32, 32), (2, 16, 24), (1, 40, 48)]:
        random = torch.Generator().manual_seed(height)
        if "decode" in options.only:
            latents = torch.randn(batch, 4, height, width, generator=random)
            expected = vae.decode(latents / vae.config.scaling_factor).sample
            compare_pictures(f"decode, {batch} x {height} x {width}", ours("decode", dict(latents=latents))["pictures"], expected)
        if "encode" in options.only:
            pictures = torch.rand(batch, 3, 8 * height, 8 * width, generator=random) * 2 - 1
            expected, found = vae.encode(pictures).latent_dist, ours("encode", dict(pictures=pictures))
            compare(f"encode, {batch} x {8 * height} x {8 * width}, mean", found["mean"], expected.mean, 3e-4)
            compare(f"encode, {batch} x {8 * height} x {8 * width}, log variance", found["log_variance"], expected.logvar, 3e-4)
sys.exit(f"failed: {', '.join(failed)}" if failed else 0)

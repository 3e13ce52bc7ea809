#!/usr/bin/env python3
"""Times w2w, OpenVINO and PyTorch on equal work, in turns, and prints a table with ratios and memory.

    time_peers.py [MODEL] [--w2w .build/release/w2w] [--only WORK ...] [--rounds 3] [--work FOLDER] [--json]

MODEL is a folder in diffusers layout; without it a Stable Diffusion 1.5 of random numbers is made in FOLDER (2 GB, kept for the next time), and
the base model of the built-in space is measured too. Every figure is the median over all rounds; in each round every program runs in a process of
its own, one after the other, so that a busy moment meets all of them. Memory is the most that a process held, less what the weights' converter
needs. bfloat16 is what OpenVINO and PyTorch make of it on this processor, which may be slower than float32 where it has no fast instructions.
Needs `pip install torch diffusers transformers safetensors openvino`, best in a virtual environment outside the checkout.
"""
import argparse, json, os, resource, statistics, subprocess, sys, time

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, here)

# name: (w2w's benchmark, its figure, height and width of latents, batch, repeats in a round)
FULL = {
    "unet 32x32": ("unet", "unet-batch1", 32, 1, 5), "unet 64x64, batch 2": ("unet", "unet-batch2", 64, 2, 2),
    "decoder 32x32": ("decoder", "decode", 32, 1, 3), "unet 96x96": ("unet", "unet-batch1", 96, 1, 2),
    "unet 16x16": ("unet", "unet-batch1", 16, 1, 10), "unet 32x32, batch 8": ("unet", "unet-batch8", 32, 8, 2),
}
# Operations of Stable Diffusion 1.5 at these sizes: convolutions and linear layers grow with the pixels, attention with their square.
GIGAFLOP = {"unet 16x16": 44, "unet 32x32": 180, "unet 64x64, batch 2": 1607, "unet 96x96": 2160, "unet 32x32, batch 8": 1440}
SMALL = {
    "unet 16x16": ("unet", "unet-batch1", 16, 1, 30), "unet 16x16, batch 2": ("unet", "unet-batch2", 16, 2, 30),
    "decoder 16x16": ("decoder", "decode", 16, 1, 30),
}
PROGRAMS = ["w2w f32", "w2w fast", "openvino f32", "openvino bf16", "pytorch f32", "pytorch bf16"]


def repeat(body, count):
    body()
    times = []
    for _ in range(count):
        start = time.perf_counter()
        body()
        times.append(time.perf_counter() - start)
    return times


def peer(program, model, part, side, batch, count, work):
    """Runs in a process of its own: seconds of each repeat and peak memory."""
    library, kind = program.split()
    import numpy
    random = numpy.random.default_rng(0)
    config = json.load(open(f"{model}/unet/config.json"))
    latents = random.standard_normal((batch, 4, side, side), dtype="f4")
    states = random.standard_normal((batch, 77, config["cross_attention_dim"]), dtype="f4")
    if library == "openvino":
        import openvino
        compiled = openvino.Core().compile_model(
            f"{work}/{part}.xml", "CPU", {"INFERENCE_PRECISION_HINT": kind, "PERFORMANCE_HINT": "LATENCY"})
        inputs = [latents, numpy.int64(500), states] if part == "unet" else [latents]
        times = repeat(lambda: compiled(inputs), count)
    else:
        import torch
        from diffusers import AutoencoderKL, UNet2DConditionModel
        torch.set_grad_enabled(False)
        type = torch.float32 if kind == "f32" else torch.bfloat16
        x, t, e = torch.tensor(latents).to(type), torch.tensor(500), torch.tensor(states).to(type)
        if part == "unet":
            network = UNet2DConditionModel.from_pretrained(f"{model}/unet", torch_dtype=type).eval()
            times = repeat(lambda: network(x, t, encoder_hidden_states=e), count)
        else:
            network = AutoencoderKL.from_pretrained(f"{model}/vae", torch_dtype=type).eval()
            times = repeat(lambda: network.decode(x), count)
    return dict(seconds=times, bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)


def convert(model, work):
    """OpenVINO's files of U-Net and decoder, made once."""
    if os.path.exists(f"{work}/decoder.xml"):
        return
    import openvino, torch
    from diffusers import AutoencoderKL, UNet2DConditionModel

    class Noise(torch.nn.Module):
        def __init__(self, network):
            super().__init__()
            self.network = network

        def forward(self, x, t, e):
            return self.network(x, t, encoder_hidden_states=e).sample

    class Picture(Noise):
        def forward(self, x):
            return self.network.decode(x).sample

    unet = UNet2DConditionModel.from_pretrained(f"{model}/unet", torch_dtype=torch.float32).eval()
    example = torch.randn(1, 4, 32, 32), torch.tensor(500), torch.randn(1, 77, unet.config.cross_attention_dim)
    openvino.save_model(openvino.convert_model(Noise(unet), example_input=example), f"{work}/unet.xml", compress_to_fp16=True)
    vae = AutoencoderKL.from_pretrained(f"{model}/vae", torch_dtype=torch.float32).eval()
    openvino.save_model(
        openvino.convert_model(Picture(vae), example_input=(example[0],)), f"{work}/decoder.xml", compress_to_fp16=True)


def ours(options, model, space, program, name, work):
    benchmark, figure, side, batch, count = work
    command = [options.w2w, "bench", benchmark, "--latent", f"{side}x{side}", "--batch", str(batch), "--repeats", str(count), "--json",
               "--precision", program.split()[1]] + ([] if space else ["--space", model])
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stderr}")
    figures = {item["name"]: item for item in json.loads(done.stdout)}
    weights = figures.get("unet-weights", {}).get("median", 0) * 1e6
    return dict(seconds=[figures[figure]["median"] / 1000] * count, bytes=figures["peak-memory"]["median"] * 1e6, weights=weights)


def measure(options, model, works, folder, is_builtin):
    os.makedirs(folder, exist_ok=True)
    if any(p.startswith("openvino") for p in options.programs):
        subprocess.run([sys.executable, __file__, "--convert", model, folder], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    results = []
    for name, work in works.items():
        if options.only and not any(word == name or (word not in works and word in name) for word in options.only):
            continue
        seconds, memory = {p: [] for p in options.programs}, {p: 0 for p in options.programs}
        weights = {}
        for _ in range(options.rounds):
            for program in options.programs:
                if program.startswith("w2w"):
                    found = ours(options, model, is_builtin, program, name, work)
                else:
                    job = json.dumps([program, model, work[0], work[2], work[3], work[4], folder])
                    done = subprocess.run([sys.executable, __file__, "--peer", job], check=True, capture_output=True, text=True)
                    found = json.loads(done.stdout.strip().splitlines()[-1])
                seconds[program] += found["seconds"]
                memory[program] = max(memory[program], found["bytes"])
                weights[program] = found.get("weights", 0)
        results.append(dict(
            work=name, seconds={p: statistics.median(s) for p, s in seconds.items()}, gigabytes={p: b / 1e9 for p, b in memory.items()},
            weights=weights))
        if not options.json:
            show(results[-1], options.programs)
    return results


def show(result, programs):
    print(f"\n{result['work']}")
    for program in programs:
        s = result["seconds"][program]
        ratios = "  ".join(
            f"{s / result['seconds'][p]:5.2f} of {p}" for p in ("openvino f32", "openvino bf16", "pytorch f32") if p in programs and p != program)
        print(f"  {program:14} {1000 * s:9.1f} ms  {result['gigabytes'][program]:5.2f} GB   {ratios}", flush=True)


def read_rate(options):
    """GB/s at which w2w reads memory."""
    done = subprocess.run([options.w2w, "bench", "memory", "--json"], capture_output=True, text=True, check=True)
    return next(item["median"] for item in json.loads(done.stdout) if item["name"] == "memory")


def compare_sizes(options, results):
    """Time per operation from size to size, the weights' way from memory, batches against single runs: of Stable Diffusion 1.5's shape."""
    found = {result["work"]: result for result in results}
    if max((size for result in results for size in (result.get("weights") or {}).values() if size), default=0) < 1e9:
        return
    for program in [p for p in options.programs if p.startswith("w2w")]:
        rates = {name: GIGAFLOP[name] / found[name]["seconds"][program] for name in found if name in GIGAFLOP}
        print(f"\n{program}: " + ", ".join(f"{name} {rate:.0f} GFLOP/s" for name, rate in rates.items()))
        if "unet 16x16" in found:
            rate = found["unet 16x16"]["weights"][program] / found["unet 16x16"]["seconds"][program] / 1e9
            print(f"  16x16 reads its weights at {rate:.1f} GB/s; this memory gives {read_rate(options):.1f}")
        if "unet 96x96" in rates and "unet 32x32" in rates:
            print(f"  time per operation at 96x96: {rates['unet 32x32'] / rates['unet 96x96']:.2f} of that at 32x32")
        if "unet 32x32, batch 8" in rates and "unet 32x32" in rates:
            print(f"  a picture of a batch of 8 at 32x32: {rates['unet 32x32'] / rates['unet 32x32, batch 8']:.2f} of one alone")


def main():
    if sys.argv[1:2] == ["--peer"]:
        return print(json.dumps(peer(*json.loads(sys.argv[2]))))
    if sys.argv[1:2] == ["--convert"]:
        return convert(*sys.argv[2:4])
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("model", nargs="?")
    arguments.add_argument("--w2w", default=f"{here}/../.build/release/w2w")
    arguments.add_argument("--only", nargs="*", help="works to measure, or words of them, such as 'decoder' or '64x64'")
    arguments.add_argument("--programs", nargs="*", default=PROGRAMS, help="some of: " + ", ".join(PROGRAMS))
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--work", default=os.path.expanduser("~/.cache/w2w-peers"), help="where models and conversions are kept")
    arguments.add_argument("--json", action="store_true")
    options = arguments.parse_args()
    results = {}
    builtin = f"{here}/../Sources/WeightSpace/Resources/BuiltInSpace/base"
    if options.model:
        results["model"] = measure(options, options.model, FULL, f"{options.work}/model", False)
    else:
        from random_model import make
        results["built-in space"] = measure(options, builtin, SMALL, f"{options.work}/built-in", True)
        results["Stable Diffusion 1.5"] = measure(options, make(f"{options.work}/sd15"), FULL, f"{options.work}/sd15-openvino", False)
    if options.json:
        print(json.dumps(results, indent=1))
    else:
        for name in results.keys() & {"model", "Stable Diffusion 1.5"}:
            compare_sizes(options, results[name])


main()

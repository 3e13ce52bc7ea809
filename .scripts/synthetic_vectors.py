#!/usr/bin/env python3
"""Makes a data set of the original project's width for trials of streamed training: FOLDER/weights.safetensors, layout.json, base (a link).

    synthetic_vectors.py FOLDER BASE ROWS [--rank 64] [--float32]

BASE is a Stable Diffusion 1.x folder in diffusers layout, whose attention layers (to_q, to_v) give the layout; ROWS times 199 kB are written
as float16, twice as much as float32: vectors of the given rank (deviation 0.02 / sqrt(1 + i) along direction i) with noise. Needs numpy.
"""
import argparse, json, os, struct

import numpy as np

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("folder")
parser.add_argument("base")
parser.add_argument("rows", type=int)
parser.add_argument("--rank", type=int, default=64)
parser.add_argument("--float32", action="store_true")
options = parser.parse_args()
folder, base, count = options.folder, os.path.abspath(options.base), options.rows
kind, size, name = (np.float32, 4, "F32") if options.float32 else (np.float16, 2, "F16")
os.makedirs(folder, exist_ok=True)
unet = next(f"{base}/unet/{file}" for file in sorted(os.listdir(f"{base}/unet")) if file.endswith(".safetensors"))
with open(unet, "rb") as file:
    header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
entries = []
for key in sorted(header):
    module = key.removesuffix(".weight")
    if key.endswith(".weight") and module.endswith((".to_q", ".to_v")):
        out, width = header[key]["shape"]
        entries.append(dict(module=module, factor="A", shape=[1, width]))
        entries.append(dict(module=module, factor="B", shape=[out, 1]))
n = sum(entry["shape"][0] * entry["shape"][1] for entry in entries)
with open(f"{folder}/layout.json", "w") as file:
    json.dump(dict(rank=1, alpha=27, entries=entries), file, indent=1)
if not os.path.lexists(f"{folder}/base"):
    os.symlink(base, f"{folder}/base")

random = np.random.default_rng(0)
rank, block = options.rank, 512
basis = random.standard_normal((rank, n), dtype=np.float32)
scale = (0.02 / np.sqrt(1 + np.arange(rank))).astype(np.float32)
noise = 0.005 * random.standard_normal((block + 64, n), dtype=np.float32)
text = json.dumps({"weights": {"dtype": name, "shape": [count, n], "data_offsets": [0, count * n * size]}})
text += " " * (-len(text) % 8)
with open(f"{folder}/weights.safetensors", "wb") as file:
    file.write(struct.pack("<Q", len(text)) + text.encode())
    for start in range(0, count, block):
        rows = min(block, count - start)
        codes = random.standard_normal((rows, rank), dtype=np.float32) * scale
        shift = int(random.integers(64))
        file.write((codes @ basis + noise[shift : shift + rows]).astype(kind).tobytes())
print(f"{count} vectors of {n} numbers, {count * n * size / 1e9:.1f} GB")

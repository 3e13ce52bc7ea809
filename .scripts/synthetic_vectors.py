#!/usr/bin/env python3
"""Makes a data set of the original project's width for trials of streamed training: FOLDER/weights.safetensors, layout.json, base (a link).

    synthetic_vectors.py FOLDER BASE ROWS

BASE is a Stable Diffusion 1.x folder in diffusers layout, whose attention layers (to_q, to_v) give the layout; ROWS times 199 kB are written
as float16: low-rank vectors with noise. Needs numpy.
"""
import json, os, struct, sys

import numpy as np

folder, base, count = sys.argv[1], os.path.abspath(sys.argv[2]), int(sys.argv[3])
os.makedirs(folder, exist_ok=True)
unet = next(f"{base}/unet/{name}" for name in sorted(os.listdir(f"{base}/unet")) if name.endswith(".safetensors"))
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
rank, block = 64, 512
basis = random.standard_normal((rank, n), dtype=np.float32)
scale = (0.02 / np.sqrt(1 + np.arange(rank))).astype(np.float32)
noise = 0.005 * random.standard_normal((block + 64, n), dtype=np.float32)
text = json.dumps({"weights": {"dtype": "F16", "shape": [count, n], "data_offsets": [0, count * n * 2]}})
text += " " * (-len(text) % 8)
with open(f"{folder}/weights.safetensors", "wb") as file:
    file.write(struct.pack("<Q", len(text)) + text.encode())
    for start in range(0, count, block):
        rows = min(block, count - start)
        codes = random.standard_normal((rows, rank), dtype=np.float32) * scale
        shift = int(random.integers(64))
        file.write((codes @ basis + noise[shift : shift + rows]).astype(np.float16).tobytes())
print(f"{count} vectors of {n} numbers, {count * n * 2 / 1e9:.1f} GB")

"""Writes tensors of every element type with the safetensors library: make_safetensors.py [OUT]

types.safetensors holds them, types.json the same numbers as text; sharded.safetensors.index.json and its shards split two of them.
"""
import json, os, sys
import torch
from safetensors.torch import save_file

out = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
torch.manual_seed(3)
half = torch.cat([torch.randn(30) * 10 ** torch.linspace(-8, 4, 30), torch.tensor([0.0, -0.0, 65504.0, -65504.0, 6e-8, 3e-5, float("inf"), float("-inf")])])
tensors = {
    "f64": torch.randn(3, 5, dtype=torch.float64),
    "f32": torch.randn(2, 3, 4),
    "f16": half.to(torch.float16),
    "bf16": half.clamp(-1e30, 1e30).to(torch.bfloat16).reshape(2, 19),
    "i64": torch.tensor([[-(2 ** 40), 2 ** 40], [0, -1]]),
    "i32": torch.tensor([-(2 ** 31), 2 ** 31 - 1], dtype=torch.int32),
    "i16": torch.tensor([-32768, 32767], dtype=torch.int16),
    "i8": torch.tensor([-128, 127], dtype=torch.int8),
    "u8": torch.tensor([0, 255], dtype=torch.uint8),
    "bool": torch.tensor([True, False, True]),
    "scalar": torch.tensor(7.5),
    "empty": torch.zeros(0, 4),
}
save_file(tensors, out + "/types.safetensors", metadata={"format": "pt", "note": "ä \"quoted\"\n"})
text = lambda t: [str(v) for v in t.flatten().double().tolist()] if t.is_floating_point() else [str(int(v)) for v in t.flatten().tolist()]
json.dump({k: {"shape": list(t.shape), "values": text(t)} for k, t in tensors.items()}, open(out + "/types.json", "w"))

shards = {"sharded-00001-of-00002.safetensors": ["f32"], "sharded-00002-of-00002.safetensors": ["i64", "f16"]}
for name, keys in shards.items():
    save_file({k: tensors[k] for k in keys}, f"{out}/{name}")
json.dump({"metadata": {"total_size": 1}, "weight_map": {k: name for name, keys in shards.items() for k in keys}},
          open(out + "/sharded.safetensors.index.json", "w"), indent=1)

"""Files of torch.save: make_torch.py [OUT]

types.pt: a tensor of every type, and views; types-torch.json the same numbers as text. old.bin: the form before PyTorch 1.6. wrapped.ckpt: a
checkpoint of a training program; scored.ckpt one with numbers beside its weights. hostile-*.pt: files that would run a program when loaded. deflated.pt: compressed. module.pt: a whole module.
"""
import collections, json, os, pickle, sys, zipfile
import numpy as np
import torch

out = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
torch.manual_seed(5)
base = torch.randn(4, 6)
cube = torch.randn(2, 3, 4)
tensors = {
    "f64": base.double()[:2], "f32": base, "f16": base.half(), "bf16": base.bfloat16(),
    "i64": torch.tensor([[-(2 ** 40), 2 ** 40], [0, -1]]), "i32": torch.tensor([-(2 ** 31), 2 ** 31 - 1], dtype=torch.int32),
    "i16": torch.tensor([-32768, 32767], dtype=torch.int16), "i8": torch.tensor([-128, 127], dtype=torch.int8),
    "u8": torch.tensor([0, 255], dtype=torch.uint8), "bool": torch.tensor([True, False, True]),
    "u16": torch.tensor([0, 65535], dtype=torch.uint16), "u32": torch.tensor([0, 2 ** 32 - 1], dtype=torch.uint32),
    "f8": base.clamp(-2, 2).to(torch.float8_e4m3fn), "f8wide": base.to(torch.float8_e5m2),
    "scalar": torch.tensor(7.5), "empty": torch.zeros(0, 4),
    "parameter": torch.nn.Parameter(base[:1].clone()),
    "rows": base[1:3], "columns": base[:, 2:5], "transposed": base.t(), "permuted": cube.permute(2, 0, 1), "tied": base,
    "array": np.arange(6, dtype=np.int32).reshape(2, 3), "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
}
numbers = {"step": 12, "rate": 1e-4, "name": "größe", "none": None, "size": base.shape, "big": 2 ** 100, "device": torch.device("cpu")}
torch.save({**tensors, **numbers}, out + "/types.pt")
plain = lambda t: t if isinstance(t, np.ndarray) else t.detach().double().numpy()
json.dump({k: {"shape": list(plain(t).shape), "values": [repr(float(v)) for v in plain(t).flatten()]} for k, t in tensors.items()},
          open(out + "/types-torch.json", "w"))

state = collections.OrderedDict([("a.weight", base), ("a.bias", base[0]), ("tied.weight", base)])
state._metadata = {"": {"version": 1}}
torch.save(state, out + "/old.bin", _use_new_zipfile_serialization=False)
torch.save({"epoch": 3, "state_dict": state, "optimizer": {"lr": 0.1}}, out + "/wrapped.ckpt")
torch.save({"best": base[0, 0], "seen": np.arange(3.0), "state_dict": state}, out + "/scored.ckpt")
torch.save(base, out + "/tensor.pt")


class Runs:
    def __reduce__(self):
        return os.system, ("true",)


class Nested:
    def __reduce__(self):
        return getattr, (torch.Size, "mro")


torch.save({"weight": base, "run": Runs()}, out + "/hostile-system.pt")
torch.save({"run": Nested()}, out + "/hostile-getattr.pt")
torch.save(torch.nn.Linear(2, 2), out + "/module.pt")
with zipfile.ZipFile(out + "/tensor.pt") as source, zipfile.ZipFile(out + "/deflated.pt", "w", zipfile.ZIP_DEFLATED) as target:
    for name in source.namelist():
        target.writestr(name, source.read(name))

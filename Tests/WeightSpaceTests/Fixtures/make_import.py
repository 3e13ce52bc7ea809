"""Files of weights2weights and weights2weights++ for the small model: make_import.py SMALL [OUT]

SMALL is the small model of StableDiffusionTests (Fixtures/small). import/ gets five identities: all_weights.pt, mean.pt, std.pt, V.pt (a transposed
view, as an SVD gives it), proj_1000pc.pt, pinverse_1000pc.pt, identity_df.pt, weight_dimensions.pt, w2wmodel.pt; two weight VAEs (vanilla.pt wrapped,
residual.pt bare); the first two identities as folders of PEFT, the third as kohya file; expected.safetensors: vectors, reconstructions, codes.
"""
import collections, os, shutil, sys
import pandas as pd
import torch
from diffusers import UNet2DConditionModel
from peft import LoraConfig, get_peft_model
from peft.utils import get_peft_model_state_dict
from safetensors.torch import save_file

torch.set_grad_enabled(False)
small = sys.argv[1]
out = (sys.argv[2] if len(sys.argv) > 2 else os.path.dirname(os.path.abspath(__file__))) + "/import"
shutil.rmtree(out, ignore_errors=True)
os.makedirs(out)
torch.manual_seed(31)
names = ["anna", "bert", "carl", "dora", "emil"]
config = LoraConfig(r=1, lora_alpha=27, target_modules=["to_q", "to_v"], init_lora_weights=False)
rows, dimensions = [], None
for name in names:
    model = get_peft_model(UNet2DConditionModel.from_pretrained(small + "/unet", torch_dtype=torch.float32), config)
    for key, parameter in model.named_parameters():
        if "lora_" in key:
            parameter.copy_(0.02 * torch.randn_like(parameter))
    state = dict(sorted(get_peft_model_state_dict(model).items()))
    rows.append(torch.cat([value.flatten() for value in state.values()]))
    dimensions = collections.OrderedDict((key, ((value.numel(),), value.shape)) for key, value in state.items())
    if name in ("anna", "bert"):
        model.save_pretrained(f"{out}/adapters/{name}/unet")
        os.remove(f"{out}/adapters/{name}/unet/README.md")
    if name == "carl":
        flat = {}
        for key, value in state.items():
            path, factor = key.removeprefix("base_model.model.").removesuffix(".weight").rsplit(".lora_", 1)
            layer = "lora_unet_" + path.replace(".", "_")
            # Half the alpha: half the scale, which an import puts into B.
            flat[f"{layer}.lora_{'down' if factor == 'A' else 'up'}.weight"] = value.clone()
            flat[layer + ".alpha"] = torch.tensor(13.5)
        save_file(flat, f"{out}/adapters/carl.safetensors")
weights = torch.stack(rows)
mean, std = weights.mean(0), weights.std(0) + 1e-6
scaled = (weights - mean) / std
_, _, vh = torch.linalg.svd(scaled, full_matrices=False)
v = vh.T
proj = (scaled @ v)[:, :4]
extra = torch.tensor([[1.0, -2.0, 0.5, 0.25, 9.0]])
torch.save(weights, out + "/all_weights.pt")
torch.save(mean, out + "/mean.pt")
torch.save(std, out + "/std.pt")
torch.save(v, out + "/V.pt")
torch.save(proj, out + "/proj_1000pc.pt")
torch.save(torch.linalg.pinv(proj), out + "/pinverse_1000pc.pt")
torch.save(extra, out + "/w2wmodel.pt")
torch.save(pd.DataFrame({"file": [n + ".jpg" for n in names], "Male": [-1, 1, 1, -1, 1], "Young": [1, 1, -1, -1, 1]}), out + "/identity_df.pt")
torch.save(dimensions, out + "/weight_dimensions.pt")
unproject = lambda p: p @ v[:, : p.shape[1]].T * std + mean
expected = {"weights": weights, "unprojected": unproject(proj), "extra": unproject(extra[:, :4]), "singular_values": torch.linalg.svdvals(scaled)[:4]}


def linear(state, key, rows, columns):
    state[key + ".weight"], state[key + ".bias"] = torch.randn(rows, columns) / columns ** 0.5, 0.1 * torch.randn(rows)


n, hidden, latent, vanilla = weights.shape[1], [6, 4], 4, {}
for i, (inner, outer) in enumerate(zip(hidden, [n] + hidden)):
    linear(vanilla, f"encoder.{i}.0", inner, outer)
for head in ("fc_mu", "fc_var"):
    linear(vanilla, head, latent, hidden[-1])
linear(vanilla, "decoder_input", hidden[-1], latent)
linear(vanilla, "decoder.0.0", hidden[0], hidden[1])
linear(vanilla, "final_layer.0", n, hidden[0])
torch.save({"epoch": 3, "loss": torch.tensor(0.25), "model_state_dict": vanilla, "optimizer_state_dict": {"lr": 1e-4}}, out + "/vanilla.pt")
apply = lambda state, key, x: torch.nn.functional.linear(x, state[key + ".weight"], state[key + ".bias"])
leaky = lambda x: torch.nn.functional.leaky_relu(x, 0.01)
x = leaky(apply(vanilla, "encoder.1.0", leaky(apply(vanilla, "encoder.0.0", weights * 10))))
expected["vanilla/codes"] = apply(vanilla, "fc_mu", x)

h, residual = 4, {}
norm = lambda key, width: residual.update({key + ".weight": torch.rand(width) + 0.5, key + ".bias": 0.1 * torch.randn(width)})


def blocks(side):
    for b in range(2):
        linear(residual, f"{side}.{b}.block.0", h // 2, h)
        norm(f"{side}.{b}.block.2", h // 2)
        linear(residual, f"{side}.{b}.block.3", h, h // 2)
        norm(f"{side}.{b}.block.4", h)


linear(residual, "first_layer.0", 2 * h, n)
linear(residual, "first_layer.2", h, 2 * h)
blocks("encoder")
for head in ("fc_mu", "fc_var"):
    linear(residual, head + ".0", h // 2, h)
    linear(residual, head + ".2", latent, h // 2)
linear(residual, "decoder_input", h, latent)
blocks("decoder")
linear(residual, "final_layer.0", 2 * h, h)
linear(residual, "final_layer.2", n, 2 * h)
torch.save(residual, out + "/residual.pt")
layer_norm = lambda key, x: torch.nn.functional.layer_norm(x, x.shape[-1:], residual[key + ".weight"], residual[key + ".bias"])
y = 2 * (weights + 0.094693) / 0.186591 - 1
y = apply(residual, "first_layer.2", apply(residual, "first_layer.0", y).relu())
for b in range(2):
    z = layer_norm(f"encoder.{b}.block.2", apply(residual, f"encoder.{b}.block.0", y).relu())
    y = y + layer_norm(f"encoder.{b}.block.4", apply(residual, f"encoder.{b}.block.3", z))
expected["residual/codes"] = apply(residual, "fc_mu.2", apply(residual, "fc_mu.0", y).relu())
save_file({k: v.contiguous() for k, v in expected.items()}, out + "/expected.safetensors")
print(n, {f: os.path.getsize(f"{out}/{f}") for f in os.listdir(out) if os.path.isfile(f"{out}/{f}")})

"""Adapters that are not plain LoRA, for the small model: make_adapter_kinds.py [OUT], after make_adapters.py

adapters/loha, adapters/lokr: folders of PEFT, convolutions in Tucker's form and as matrices; adapters/dora: LoRA with magnitudes, by PEFT;
adapters/lycoris-*.safetensors: as LyCORIS writes them for kohya's scripts: LoCon with a middle factor, LoHa, LoKr (whole, taken apart, Tucker's
form), each with dora_scale, of outputs and of inputs. adapters/kinds.safetensors: the weights that they change, by PEFT's merge and by LyCORIS'
modules, and the U-Net's output with PEFT's. Needs `pip install --no-deps lycoris-lora` besides the other oracles.
"""
import os, shutil, sys
import torch
from safetensors.torch import load_file, save_file
from diffusers import UNet2DConditionModel
from peft import LoHaConfig, LoKrConfig, LoraConfig, get_peft_model
from lycoris.modules.locon import LoConModule
from lycoris.modules.loha import LohaModule
from lycoris.modules.lokr import LokrModule

torch.set_grad_enabled(False)
out = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
folder = out + "/adapters"
torch.manual_seed(31)
expected = load_file(out + "/small_expected.safetensors")
sample = expected["unet/odd/sample"].permute(0, 3, 1, 2)
steps, plain = expected["unet/odd/timesteps"], expected["text/states"]
load_unet = lambda: UNet2DConditionModel.from_pretrained(out + "/small/unet", torch_dtype=torch.float32).eval()
layers = ["down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q", "mid_block.attentions.0.transformer_blocks.0.attn2.to_k",
          "up_blocks.2.attentions.0.proj_in", "down_blocks.1.resnets.0.conv1", "down_blocks.0.downsamplers.0.conv",
          "mid_block.resnets.0.time_emb_proj"]
arrays = {}


def scatter(model):
    for name, parameter in model.named_parameters():
        if any(word in name for word in ("lora_", "hada_", "lokr_")):
            parameter.copy_(parameter.abs() * (1 + torch.rand_like(parameter)) if "magnitude" in name else 0.3 * torch.randn_like(parameter))
    return model.eval()


def keep(kind, model):
    for path in layers:
        weight = model.get_submodule(path).weight
        arrays[f"{kind}/{path}"] = weight.contiguous().clone()


for name, config in {
    "loha": LoHaConfig(r=3, alpha=5, init_weights=False, target_modules=layers, use_effective_conv2d=True,
                       rank_pattern={"time_emb_proj": 2}, alpha_pattern={"attn2.to_k": 2}),
    "loha-flat": LoHaConfig(r=2, alpha=4, init_weights=False, target_modules=layers),
    "lokr": LoKrConfig(r=1, alpha=3, init_weights=False, target_modules=layers, use_effective_conv2d=True, decompose_both=True,
                       rank_pattern={"time_emb_proj": 16}, alpha_pattern={"time_emb_proj": 8}),
    "lokr-flat": LoKrConfig(r=1, alpha=2, init_weights=False, target_modules=layers, decompose_factor=2),
    "dora": LoraConfig(r=2, lora_alpha=5, init_lora_weights=False, target_modules=layers, use_dora=True),
}.items():
    shutil.rmtree(f"{folder}/{name}", ignore_errors=True)
    model = scatter(get_peft_model(load_unet(), config))
    model.save_pretrained(f"{folder}/{name}")
    os.remove(f"{folder}/{name}/README.md")
    arrays[f"{name}/unet"] = model(sample, steps, encoder_hidden_states=plain).sample.permute(0, 2, 3, 1).contiguous()
    keep(name, model.merge_and_unload())

# LyCORIS: the weight with which a module calculates in its forward pass.
for name, kind, settings in [
    ("locon", LoConModule, dict(use_tucker=True)), ("locon-dora", LoConModule, dict(weight_decompose=True)),
    ("locon-dora-inputs", LoConModule, dict(weight_decompose=True, wd_on_out=False, use_tucker=True)),
    ("loha", LohaModule, dict(use_tucker=True)), ("loha-dora", LohaModule, dict(weight_decompose=True)),
    ("lokr", LokrModule, dict(use_tucker=True, decompose_both=True)), ("lokr-whole", LokrModule, dict(full_matrix=True)),
    ("lokr-dora", LokrModule, dict(factor=2, weight_decompose=True, wd_on_out=False)),
]:
    model, state = load_unet(), {}
    for path in layers:
        layer = model.get_submodule(path)
        module = kind("x", layer, 1.0, lora_dim={"lokr": 1, "lokr-whole": 10000}.get(name, 2), alpha=3.0, **settings).eval()
        for key, parameter in module.named_parameters():
            if key.startswith("org_module"):
                continue
            parameter.copy_(parameter * (1 + torch.rand_like(parameter)) if key == "dora_scale" else 0.4 * torch.randn_like(parameter))
        weights = {key: value.detach().clone().contiguous() for key, value in module.custom_state_dict().items()}
        for key, value in weights.items():
            state[f"lora_unet_{path.replace('.', '_')}.{key}"] = value.float()
        # What forward adds to the layer's own output for unit inputs is the change of the weight: ask the module itself.
        change = module.get_weight(layer.weight.shape) if hasattr(module, "get_weight") else module.make_weight() * module.scale
        changed = layer.weight + change.reshape(layer.weight.shape)
        arrays[f"lycoris-{name}/{path}"] = (module.apply_weight_decompose(changed, 1) if "dora" in name else changed).contiguous().clone()
        shape = (1, layer.in_features) if hasattr(layer, "in_features") else (1, layer.in_channels, 8, 8)
        x = torch.randn(shape)
        found = layer(x) + torch.zeros(1)
        result = module(x)
        layer.weight.copy_(arrays[f"lycoris-{name}/{path}"])
        assert torch.allclose(result, layer(x), atol=1e-3 * float(result.abs().max())), (name, path)
    save_file(state, f"{folder}/lycoris-{name}.safetensors")
save_file(arrays, folder + "/kinds.safetensors")
for key, value in arrays.items():
    assert torch.isfinite(value).all(), key

"""LoRA files of every maker for the small model: make_adapters.py [OUT], after make_small_model.py

adapters/peft: a folder of PEFT with patterns of rank and alpha, convolutions and a text model; adapters/peft-bin the same U-Net part as .bin with the
adapter's name in its keys; adapters/diffusers.safetensors by save_lora_weights; adapters/kohya.safetensors and adapters/processors.bin in the
forms of kohya's scripts and of diffusers before PEFT; adapters/expected.safetensors: the U-Net's output and the text states with them, by PEFT and
diffusers; adapters/stabilized.safetensors by save_lora_weights; adapters/xl.safetensors: of another family.
"""
import copy, json, os, shutil, sys
import torch
from safetensors.torch import load_file, save_file
from diffusers import StableDiffusionPipeline, UNet2DConditionModel
from peft import LoraConfig, get_peft_model
from peft.utils import get_peft_model_state_dict
from transformers import CLIPTextModel

torch.set_grad_enabled(False)
out = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
folder = out + "/adapters"
shutil.rmtree(folder, ignore_errors=True)
os.makedirs(folder)
torch.manual_seed(21)
expected = load_file(out + "/small_expected.safetensors")
sample = expected["unet/odd/sample"].permute(0, 3, 1, 2)
steps, tokens, plain = expected["unet/odd/timesteps"], expected["text/tokens"], expected["text/states"]
last = lambda t: t.permute(0, 2, 3, 1).contiguous()
load_unet = lambda: UNet2DConditionModel.from_pretrained(out + "/small/unet", torch_dtype=torch.float32).eval()
load_text = lambda: CLIPTextModel.from_pretrained(out + "/small/text_encoder", torch_dtype=torch.float32).eval()


def scatter(model):
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            parameter.copy_(0.1 * torch.randn_like(parameter))
    return model.eval()


unet_config = LoraConfig(
    r=2, lora_alpha=5, init_lora_weights=False,
    target_modules=["down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q", "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k",
                    "mid_block.attentions.0.transformer_blocks.0.attn1.to_out.0", "mid_block.attentions.0.transformer_blocks.0.ff.net.2",
                    "up_blocks.2.attentions.0.proj_in", "down_blocks.1.resnets.0.conv1", "down_blocks.0.downsamplers.0.conv",
                    "mid_block.resnets.0.time_emb_proj"],
    rank_pattern={"attn2.to_k": 3, "conv1": 4}, alpha_pattern={"attn2.to_k": 7, "ff.net.2": 1})
text_config = LoraConfig(r=2, lora_alpha=3, init_lora_weights=False, target_modules=["q_proj", "fc1"])
unet, text = scatter(get_peft_model(load_unet(), unet_config)), scatter(get_peft_model(load_text(), text_config))
unet.save_pretrained(folder + "/peft/unet")
text.save_pretrained(folder + "/peft/text_encoder")
arrays = {}
arrays["peft/states"] = text(tokens).last_hidden_state
arrays["peft/unet"] = last(unet(sample, steps, encoder_hidden_states=plain).sample)

# The U-Net part as .bin, its keys with the adapter's name.
os.makedirs(folder + "/peft-bin")
shutil.copy(folder + "/peft/unet/adapter_config.json", folder + "/peft-bin/adapter_config.json")
state = {k: v for k, v in unet.state_dict().items() if "lora_" in k}
torch.save(state, folder + "/peft-bin/adapter_model.bin")

# diffusers: save_lora_weights with the metadata that newer versions add.
unet_layers = {k.removeprefix("base_model.model."): v for k, v in get_peft_model_state_dict(unet).items()}
text_layers = {k.removeprefix("base_model.model."): v for k, v in get_peft_model_state_dict(text).items()}
StableDiffusionPipeline.save_lora_weights(
    folder, unet_lora_layers=unet_layers, text_encoder_lora_layers=text_layers, weight_name="diffusers.safetensors",
    unet_lora_adapter_metadata=unet_config.to_dict(), text_encoder_lora_adapter_metadata=text_config.to_dict())

# kohya: low lines, one alpha for each layer.
ranks = {"attn2.to_k": (3, 7), "conv1": (4, 5), "ff.net.2": (2, 1)}
flat = {}
for prefix, layers, default in (("lora_unet_", unet_layers, (2, 5)), ("lora_te_text_model_", {k.removeprefix("text_model."): v for k, v in text_layers.items()}, (2, 3))):
    for key, value in layers.items():
        path, factor = key.removesuffix(".weight").rsplit(".lora_", 1)
        rank, alpha = next((v for k, v in ranks.items() if path.endswith(k)), default)
        name = prefix + path.replace(".", "_")
        flat[f"{name}.lora_{'down' if factor == 'A' else 'up'}.weight"] = value.half().clone()
        flat[name + ".alpha"] = torch.tensor(float(alpha))
save_file(flat, folder + "/kohya.safetensors", metadata={"ss_network_dim": "2"})

# diffusers before PEFT: attention processors, scale 1.
old, model = {}, load_unet()
for path, projections in (("down_blocks.0.attentions.0.transformer_blocks.0.attn1", ("to_q", "to_k", "to_v", "to_out")),
                          ("mid_block.attentions.0.transformer_blocks.1.attn2", ("to_q", "to_v"))):
    attention = model.get_submodule(path)
    for projection in projections:
        layer = attention.to_out[0] if projection == "to_out" else getattr(attention, projection)
        down, up = 0.1 * torch.randn(4, layer.in_features), 0.1 * torch.randn(layer.out_features, 4)
        old[f"{path}.processor.{projection}_lora.down.weight"], old[f"{path}.processor.{projection}_lora.up.weight"] = down, up
        layer.weight += up @ down
torch.save(old, folder + "/processors.bin")
arrays["processors/unet"] = last(model(sample, steps, encoder_hidden_states=plain).sample)

# Rank-stabilised, which diffusers says in the metadata of its file alone; and an adapter of Stable Diffusion XL, which has no text model in it.
stable_config = LoraConfig(r=4, lora_alpha=3, use_rslora=True, init_lora_weights=False, target_modules=["attn1.to_v", "attn2.to_k"])
stable = scatter(get_peft_model(load_unet(), stable_config))
StableDiffusionPipeline.save_lora_weights(
    folder, weight_name="stabilized.safetensors", unet_lora_adapter_metadata=stable_config.to_dict(),
    unet_lora_layers={k.removeprefix("base_model.model."): v for k, v in get_peft_model_state_dict(stable).items()})
arrays["stabilized/unet"] = last(stable(sample, steps, encoder_hidden_states=plain).sample)
wide = "lora_unet_input_blocks_4_1_transformer_blocks_0_attn2_to_k.lora_"
save_file({wide + "down.weight": torch.zeros(1, 2048), wide + "up.weight": torch.zeros(640, 1)}, folder + "/xl.safetensors")
save_file(arrays, folder + "/expected.safetensors")
for root, _, files in os.walk(folder):
    for name in files:
        if name == "README.md":
            os.remove(os.path.join(root, name))

"""Names of Stable Diffusion 1.5 in the original layout: make_ldm_names.py [OUT]

ldm_names.json: for the U-Net and the AutoencoderKL a list of [name in diffusers, name in the original layout behind its prefix, shape there].
The old names are guessed from the structure and then proved: diffusers' own conversion of a checkpoint with them must give every parameter back.
"""
import json, os, sys
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint, convert_ldm_vae_checkpoint

out = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
with torch.device("meta"):
    unet = UNet2DConditionModel(sample_size=64, block_out_channels=(320, 640, 1280, 1280), cross_attention_dim=768, attention_head_dim=8)
    vae = AutoencoderKL(block_out_channels=(128, 256, 512, 512), layers_per_block=2, down_block_types=("DownEncoderBlock2D",) * 4,
                        up_block_types=("UpDecoderBlock2D",) * 4, sample_size=512)

RESNET = {"norm1": "in_layers.0", "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1", "norm2": "out_layers.0", "conv2": "out_layers.3", "conv_shortcut": "skip_connection"}


def old_unet(name):
    words = name.split(".")
    heads = {"conv_in": "input_blocks.0.0", "conv_norm_out": "out.0", "conv_out": "out.2"}
    if words[0] in heads:
        return f"{heads[words[0]]}.{words[-1]}"
    if words[0] == "time_embedding":
        return f"time_embed.{0 if words[1] == 'linear_1' else 2}.{words[-1]}"
    if words[0] == "mid_block":
        return f"middle_block.1.{'.'.join(words[3:])}" if words[1] == "attentions" else f"middle_block.{2 * int(words[2])}.{RESNET[words[3]]}.{words[4]}"
    block, kind, index, rest = int(words[1]), words[2], int(words[3]), words[4:]
    if words[0] == "down_blocks":
        if kind == "downsamplers":
            return f"input_blocks.{3 * block + 3}.0.op.{rest[-1]}"
        place = f"input_blocks.{3 * block + index + 1}"
    else:
        if kind == "upsamplers":
            return f"output_blocks.{3 * block + 2}.{1 if block == 0 else 2}.conv.{rest[-1]}"
        place = f"output_blocks.{3 * block + index}"
    return f"{place}.1.{'.'.join(rest)}" if kind == "attentions" else f"{place}.0.{RESNET[rest[0]]}.{rest[1]}"


def old_vae(name):
    words = ["nin_shortcut" if w == "conv_shortcut" else "norm_out" if w == "conv_norm_out" else w for w in name.split(".")]
    if "mid_block" in words:
        if words[2] == "resnets":
            return ".".join([words[0], "mid", f"block_{int(words[3]) + 1}", *words[4:]])
        old = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out": "proj_out"}[words[4]]
        return f"{words[0]}.mid.attn_1.{old}.{words[-1]}"
    if len(words) > 1 and words[1] in ("down_blocks", "up_blocks"):
        place = f"down.{words[2]}" if words[1] == "down_blocks" else f"up.{3 - int(words[2])}"
        kind = {"resnets": "block", "downsamplers": "downsample", "upsamplers": "upsample"}[words[3]]
        return ".".join([words[0], place, kind, *(words[4:] if kind == "block" else words[5:])])
    return ".".join(words)


def old_shape(name, shape):
    """Projections of the VAE's attention were convolutions."""
    return list(shape) + [1, 1] if ".mid.attn_1." in name and name.endswith("weight") and ".norm." not in name else list(shape)


def prove(parameters, old, prefix, convert, config):
    """Every tensor is told apart by its first element's number; shapes are kept small by looking at names only."""
    names = list(parameters)
    tags = {prefix + old(n): torch.full(old_shape(old(n), [1] * parameters[n].ndim), float(i)) for i, n in enumerate(names)}
    assert len(tags) == len(names)
    back = convert(dict(tags), config)
    assert set(back) == set(names), set(back) ^ set(names)
    for i, n in enumerate(names):
        assert back[n].flatten()[0] == i, n


parameters = dict(unet.named_parameters())
prove(parameters, old_unet, "model.diffusion_model.", convert_ldm_unet_checkpoint, dict(unet.config))
lists = {"unet": [[n, old_unet(n), list(p.shape)] for n, p in parameters.items()]}
parameters = dict(vae.named_parameters())
prove(parameters, old_vae, "first_stage_model.", convert_ldm_vae_checkpoint, dict(vae.config))
lists["vae"] = [[n, old_vae(n), old_shape(old_vae(n), p.shape)] for n, p in parameters.items()]
with open(out + "/ldm_names.json", "w") as file:
    file.write("{\n" + ",\n".join(f'"{k}": [\n' + ",\n".join(json.dumps(x, separators=(",", ":")) for x in v) + "]" for k, v in lists.items()) + "}\n")
print({k: len(v) for k, v in lists.items()})

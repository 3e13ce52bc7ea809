"""The small model of make_small_model.py on unusual shapes, from diffusers: make_shapes.py [SMALL] [OUT]

Batches of eight, images that are not square, sides that no halving divides. Writes shapes.safetensors.
"""
import os, sys
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import save_file

torch.set_grad_enabled(False)
here = os.path.dirname(os.path.abspath(__file__))
small = sys.argv[1] if len(sys.argv) > 1 else here + "/small"
out = sys.argv[2] if len(sys.argv) > 2 else here
unet = UNet2DConditionModel.from_pretrained(small + "/unet", torch_dtype=torch.float32).eval()
vae = AutoencoderKL.from_pretrained(small + "/vae", torch_dtype=torch.float32).eval()
tensors = {}
for batch, height, width in [(8, 6, 10), (1, 5, 7), (3, 14, 4), (2, 1, 9)]:
    random = torch.Generator().manual_seed(100 * height + width)
    name = f"{batch}x{height}x{width}"
    sample = torch.randn(batch, unet.config.in_channels, height, width, generator=random)
    states = torch.randn(batch, 11, unet.config.cross_attention_dim, generator=random)
    steps = torch.linspace(990, 7, batch).round()
    tensors[f"unet/{name}/sample"] = sample.permute(0, 2, 3, 1).contiguous()
    tensors[f"unet/{name}/states"] = states
    tensors[f"unet/{name}/timesteps"] = steps
    tensors[f"unet/{name}/output"] = unet(sample, steps, encoder_hidden_states=states).sample.permute(0, 2, 3, 1).contiguous()
for batch, height, width in [(1, 3, 5), (2, 7, 2)]:
    random = torch.Generator().manual_seed(height)
    name = f"{batch}x{height}x{width}"
    latents = torch.randn(batch, vae.config.latent_channels, height, width, generator=random)
    shift = vae.config.shift_factor or 0
    scale = 2 ** (len(vae.config.block_out_channels) - 1)
    pictures = torch.rand(batch, 3, scale * height, scale * width, generator=random) * 2 - 1
    tensors[f"vae/{name}/latents"] = latents.permute(0, 2, 3, 1).contiguous()
    tensors[f"vae/{name}/decoded"] = vae.decode(latents / vae.config.scaling_factor + shift).sample.permute(0, 2, 3, 1).contiguous()
    tensors[f"vae/{name}/pictures"] = pictures.permute(0, 2, 3, 1).contiguous()
    tensors[f"vae/{name}/mean"] = vae.encode(pictures).latent_dist.mean.permute(0, 2, 3, 1).contiguous()
save_file(tensors, out + "/shapes.safetensors")

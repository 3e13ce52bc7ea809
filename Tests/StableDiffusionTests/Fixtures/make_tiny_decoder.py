"""A small AutoencoderTiny of diffusers with random weights and what it decodes: make_tiny_decoder.py [OUT]

Writes OUT/tiny (diffusers layout), OUT/taesd_decoder.safetensors (the same decoder under the names of TAESD's authors) and
OUT/tiny_expected.safetensors; arrays are stored channels last.
"""
import os, sys
import torch
from safetensors.torch import load_file, save_file
from diffusers import AutoencoderTiny

torch.set_grad_enabled(False)
out = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
torch.manual_seed(5)
model = AutoencoderTiny(
    encoder_block_out_channels=(4, 4, 4), decoder_block_out_channels=(6, 6, 6), num_encoder_blocks=(1, 1, 1), num_decoder_blocks=(2, 1, 1))
for parameter in model.parameters():
    parameter.copy_(1.5 * parameter + 0.05 * torch.randn_like(parameter))
model.eval().save_pretrained(out + "/tiny")
# The authors' list begins with the clamp, diffusers' with the first convolution.
names = {}
for name, tensor in model.decoder.state_dict().items():
    index, rest = name.removeprefix("layers.").split(".", 1)
    names[f"{int(index) + 1}.{rest}"] = tensor.contiguous()
save_file(names, out + "/taesd_decoder.safetensors")
latents = 2.5 * torch.randn(2, 4, 5, 7)
last = lambda t: t.permute(0, 2, 3, 1).contiguous()
save_file({"latents": last(latents), "decoded": last(model.decode(latents).sample)}, out + "/tiny_expected.safetensors")
print(sum(p.numel() for p in model.decoder.parameters()), "parameters")

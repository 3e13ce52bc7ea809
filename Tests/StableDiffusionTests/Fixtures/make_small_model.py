"""A small random model that differs from the built-in one in every respect the configuration knows: make_small_model.py [OUT]

Writes OUT/small (a folder in diffusers layout, weights float16, the U-Net's in shards) and OUT/small_expected.safetensors: text states, the U-Net with and without
LoRA (PEFT applies it), decoder and encoder, all from diffusers and transformers; arrays are stored channels last.
"""
import copy, json, os, shutil, sys
import torch
from safetensors.torch import save_file
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel
from peft import LoraConfig, get_peft_model

torch.set_grad_enabled(False)
out = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
folder = out + "/small"
shutil.rmtree(folder, ignore_errors=True)
torch.manual_seed(11)


def scatter(model):
    """Norms and biases away from one and zero, so that a forgotten one shows."""
    for name, parameter in model.named_parameters():
        if parameter.ndim == 1:
            parameter.add_(0.3 * torch.randn_like(parameter))
    return model.half().float().eval()


text = scatter(CLIPTextModel(CLIPTextConfig(
    vocab_size=40, hidden_size=20, intermediate_size=36, num_hidden_layers=2, num_attention_heads=5, max_position_embeddings=11,
    hidden_act="gelu", bos_token_id=38, eos_token_id=39, pad_token_id=0, projection_dim=20)))
unet = scatter(UNet2DConditionModel(
    sample_size=9, in_channels=4, out_channels=4, down_block_types=("CrossAttnDownBlock2D", "DownBlock2D", "CrossAttnDownBlock2D"),
    up_block_types=("CrossAttnUpBlock2D", "UpBlock2D", "CrossAttnUpBlock2D"), block_out_channels=(8, 12, 16), layers_per_block=2,
    cross_attention_dim=20, attention_head_dim=(2, 3, 4), use_linear_projection=True, transformer_layers_per_block=(1, 1, 2),
    norm_num_groups=4, norm_eps=1e-4, flip_sin_to_cos=False, freq_shift=1))
vae = scatter(AutoencoderKL(
    in_channels=3, out_channels=3, down_block_types=("DownEncoderBlock2D",) * 3, up_block_types=("UpDecoderBlock2D",) * 3,
    block_out_channels=(6, 9, 12), layers_per_block=2, latent_channels=4, norm_num_groups=3, sample_size=32, scaling_factor=0.7,
    shift_factor=0.1))
for name, model in (("text_encoder", text), ("unet", unet), ("vae", vae)):
    copy.deepcopy(model).half().save_pretrained(f"{folder}/{name}", max_shard_size="150KB")
DDIMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False, set_alpha_to_one=False,
              steps_offset=1).save_pretrained(folder + "/scheduler")

# A tokenizer of 40 tokens: bytes that it does not know become the unknown token.
letters = "abcdefghijklmnopq"
words = [*letters, *(c + "</w>" for c in letters), "ab", "abc</w>", "d</w>e", "?", "<|startoftext|>", "<|endoftext|>"]
assert len(words) == 40
os.makedirs(folder + "/tokenizer")
json.dump({w: i for i, w in enumerate(words)}, open(folder + "/tokenizer/vocab.json", "w"))
open(folder + "/tokenizer/merges.txt", "w").write("#version: 0.2\na b\nab c</w>\n")
json.dump({"bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>", "pad_token": "<|endoftext|>",
           "model_max_length": 11, "tokenizer_class": "CLIPTokenizer"}, open(folder + "/tokenizer/tokenizer_config.json", "w"))
index = {"_class_name": "StableDiffusionPipeline", "scheduler": ["diffusers", "DDIMScheduler"],
         "text_encoder": ["transformers", "CLIPTextModel"], "tokenizer": ["transformers", "CLIPTokenizer"],
         "unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderKL"], "safety_checker": [None, None]}
json.dump(index, open(folder + "/model_index.json", "w"), indent=1)

last = lambda t: t.permute(0, 2, 3, 1).contiguous()
arrays = {}
tokens = torch.tensor([[38, 1, 5, 30, 39, 39, 39, 39, 39, 39, 39], [38, 9, 9, 36, 2, 17, 22, 4, 3, 8, 39]])
states = text(tokens).last_hidden_state
arrays["text/tokens"], arrays["text/states"] = tokens, states
for name, size in (("even", (8, 12)), ("odd", (9, 7))):
    sample = torch.randn(2, 4, *size)
    steps = torch.tensor([999, 17])
    arrays[f"unet/{name}/sample"], arrays[f"unet/{name}/timesteps"] = last(sample), steps
    arrays[f"unet/{name}/output"] = last(unet(sample, steps, encoder_hidden_states=states).sample)

latents = torch.randn(2, 4, 6, 5)
arrays["vae/latents"] = last(latents)
arrays["vae/decoded"] = last(vae.decode(latents / vae.config.scaling_factor + vae.config.shift_factor).sample)
pictures = torch.rand(2, 3, 24, 20) * 2 - 1
distribution = vae.encode(pictures).latent_dist
arrays["vae/pictures"] = last(pictures)
arrays["vae/mean"], arrays["vae/std"] = last(distribution.mean), last(distribution.std)
arrays["vae/mode"] = last((distribution.mode() - vae.config.shift_factor) * vae.config.scaling_factor)

# Two identities, of rank 1 and 3, on all projections of both attentions and the feed-forward layers.
targets = ["to_q", "to_k", "to_v", "to_out.0", "ff.net.0.proj", "ff.net.2"]
for number, (rank, alpha) in enumerate(((1, 27), (3, 6))):
    config = LoraConfig(r=rank, lora_alpha=alpha, target_modules=targets, init_lora_weights=False)
    adapted = get_peft_model(copy.deepcopy(unet), config).eval()
    for name, parameter in adapted.named_parameters():
        if "lora_" in name:
            parameter.copy_(0.2 / alpha ** 0.5 * torch.randn_like(parameter))
            path = name.replace("base_model.model.", "").replace(".default.weight", "")
            arrays[f"lora/{number}/{path}"] = parameter.clone()
    sample = arrays["unet/odd/sample"].permute(0, 3, 1, 2)
    arrays[f"unet/odd/lora{number}"] = last(adapted(sample, arrays["unet/odd/timesteps"], encoder_hidden_states=states).sample)
    assert not torch.equal(arrays[f"unet/odd/lora{number}"], arrays["unet/odd/output"])
save_file(arrays, out + "/small_expected.safetensors")
for name in ("unet", "vae", "text_encoder"):
    print(name, sum(p.numel() for p in {"unet": unet, "vae": vae, "text_encoder": text}[name].parameters()))

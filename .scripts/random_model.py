"""A Stable Diffusion 1.5 of random numbers in diffusers layout, for the scripts beside this one: real shapes, meaningless pictures."""
import json, os


def make(folder, seed=0):
    """Writes the model (float16, 2 GB) to a folder unless it is there. Needs torch, diffusers and transformers."""
    import torch
    from diffusers import AutoencoderKL, PNDMScheduler, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    if os.path.exists(f"{folder}/model_index.json"):
        return folder
    torch.manual_seed(seed)
    os.makedirs(f"{folder}/tokenizer", exist_ok=True)
    attends = lambda kind: [f"CrossAttn{kind}Block2D"] * 3
    parts = {
        "unet": lambda: UNet2DConditionModel(
            sample_size=64, block_out_channels=(320, 640, 1280, 1280), cross_attention_dim=768, attention_head_dim=8,
            down_block_types=attends("Down") + ["DownBlock2D"], up_block_types=["UpBlock2D"] + attends("Up")),
        "vae": lambda: AutoencoderKL(
            block_out_channels=(128, 256, 512, 512), layers_per_block=2, latent_channels=4, sample_size=512,
            down_block_types=["DownEncoderBlock2D"] * 4, up_block_types=["UpDecoderBlock2D"] * 4),
        "text_encoder": lambda: CLIPTextModel(CLIPTextConfig(
            vocab_size=49408, hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12,
            hidden_act="quick_gelu", max_position_embeddings=77, bos_token_id=512, eos_token_id=513, pad_token_id=513)),
    }
    for name, build in parts.items():
        build().half().save_pretrained(f"{folder}/{name}")
    PNDMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", skip_prk_steps=True, set_alpha_to_one=False,
        steps_offset=1).save_pretrained(f"{folder}/scheduler")

    # A tokenizer of single bytes: enough to encode any prompt, and nobody's merges are needed.
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    symbols = [chr(b) for b in printable] + [chr(256 + i) for i in range(256 - len(printable))]
    words = symbols + [s + "</w>" for s in symbols] + ["<|startoftext|>", "<|endoftext|>"]
    json.dump({word: i for i, word in enumerate(words)}, open(f"{folder}/tokenizer/vocab.json", "w"), ensure_ascii=False)
    open(f"{folder}/tokenizer/merges.txt", "w").write("#version: 0.2\n")
    json.dump(
        dict(tokenizer_class="CLIPTokenizer", model_max_length=77, bos_token=words[-2], eos_token=words[-1], pad_token=words[-1],
             unk_token=words[-1]), open(f"{folder}/tokenizer/tokenizer_config.json", "w"))
    index = dict(_class_name="StableDiffusionPipeline", safety_checker=[None, None], feature_extractor=[None, None],
                 scheduler=["diffusers", "PNDMScheduler"], unet=["diffusers", "UNet2DConditionModel"], vae=["diffusers", "AutoencoderKL"],
                 text_encoder=["transformers", "CLIPTextModel"], tokenizer=["transformers", "CLIPTokenizer"])
    json.dump(index, open(f"{folder}/model_index.json", "w"), indent=1)
    return folder

"""Finished pictures of identities of the built-in space from diffusers and PEFT: make_pictures.py SPACE [OUT]

SPACE is Sources/WeightSpace/Resources/BuiltInSpace. Writes pictures.json and one PNG for each case.
"""
import copy, json, os, sys
import torch
from safetensors.torch import load_file
from diffusers import (DDIMScheduler, DPMSolverMultistepScheduler, EulerAncestralDiscreteScheduler, EulerDiscreteScheduler,
                       LCMScheduler, PNDMScheduler, StableDiffusionPipeline)
from peft import LoraConfig, get_peft_model

torch.set_grad_enabled(False)
space = sys.argv[1]
out = sys.argv[2] if len(sys.argv) > 2 else os.path.dirname(os.path.abspath(__file__))
pipe = StableDiffusionPipeline.from_pretrained(space + "/base", torch_dtype=torch.float32, safety_checker=None)
pipe.set_progress_bar_config(disable=True)
layout = json.load(open(space + "/layout.json"))
weights = load_file(space + "/weights.safetensors")["weights"].float()
plain, scheduler = pipe.unet, pipe.scheduler.config


def adapted(row):
    modules = sorted({e["module"] for e in layout["entries"]})
    model = get_peft_model(copy.deepcopy(plain), LoraConfig(r=layout["rank"], lora_alpha=layout["alpha"], target_modules=modules))
    parameters, position = dict(model.named_parameters()), 0
    for entry in layout["entries"]:
        count = entry["shape"][0] * entry["shape"][1]
        values = weights[row, position:position + count].reshape(entry["shape"])
        parameters[f"base_model.model.{entry['module']}.lora_{entry['factor']}.default.weight"].copy_(values)
        position += count
    assert position == weights.shape[1]
    return model


prompt = "photo of sks person, neutral expression, facing the camera, grey background, neutral light"
cases = [
    dict(row=0, seed=5, scheduler="dpmpp-2m", steps=12, guidance=2.5, prompt=prompt, negative="", width=128, height=128),
    dict(row=100, seed=5, scheduler="dpmpp-2m", steps=12, guidance=2.5, prompt=prompt, negative="", width=128, height=128),
    dict(row=0, seed=5, scheduler="ddim", steps=20, guidance=2.5, prompt=prompt, negative="", width=128, height=128),
    dict(row=7, seed=123456789, scheduler="ddim", steps=8, guidance=1.0, prompt="photo of sks person", negative="", width=96, height=136),
    dict(row=3, seed=17, scheduler="pndm", steps=9, guidance=2.5, prompt=prompt, negative="", width=96, height=96),
    dict(row=3, seed=17, scheduler="dpmpp-2m-plain", steps=9, guidance=2.5, prompt=prompt, negative="", width=96, height=96),
    dict(row=3, seed=17, scheduler="euler", steps=9, guidance=2.5, prompt=prompt, negative="", width=96, height=96),
    dict(row=3, seed=17, scheduler="euler-a", steps=9, guidance=2.5, prompt=prompt, negative="", width=96, height=96),
    dict(row=3, seed=17, scheduler="lcm", steps=5, guidance=1.0, prompt=prompt, negative="", width=96, height=96),
    dict(row=None, seed=2, scheduler="dpmpp-2m", steps=16, guidance=4.0, prompt="photo of a person, Smiling!", negative="glasses, hat", width=128, height=128),
]
for number, case in enumerate(cases):
    pipe.unet = plain if case["row"] is None else adapted(case["row"])
    pipe.scheduler = {
        "ddim": lambda: DDIMScheduler.from_config(scheduler, clip_sample=False, set_alpha_to_one=False),
        "pndm": lambda: PNDMScheduler.from_config(scheduler),
        "dpmpp-2m": lambda: DPMSolverMultistepScheduler.from_config(scheduler, use_karras_sigmas=True),
        "dpmpp-2m-plain": lambda: DPMSolverMultistepScheduler.from_config(scheduler, use_karras_sigmas=False),
        "euler": lambda: EulerDiscreteScheduler.from_config(scheduler),
        "euler-a": lambda: EulerAncestralDiscreteScheduler.from_config(scheduler),
        "lcm": lambda: LCMScheduler.from_config(scheduler),
    }[case["scheduler"]]()
    case["file"] = f"picture{number}.png"
    pipe(case["prompt"], negative_prompt=case["negative"], num_inference_steps=case["steps"], guidance_scale=case["guidance"],
         width=case["width"], height=case["height"],
         generator=[torch.Generator().manual_seed(case["seed"])]).images[0].save(f"{out}/{case['file']}")
json.dump([{k: v for k, v in case.items() if v is not None} for case in cases], open(out + "/pictures.json", "w"), indent=1)

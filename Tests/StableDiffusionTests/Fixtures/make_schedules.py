"""Steps of diffusers' schedulers over several configurations: make_schedules.py [OUT]

schedules.json lists the cases, schedules.safetensors their numbers: rows of samples (one more than steps), made-up model outputs, estimates of the
clean sample where the scheduler tells them, noise where it drew some, and for Euler's method what it shows the model; under "/timesteps" the time
steps and, last, the deviation of the first noise.
"""
import json, os, sys
import torch
from safetensors.torch import save_file
from diffusers import (DDIMScheduler, DPMSolverMultistepScheduler, EulerAncestralDiscreteScheduler, EulerDiscreteScheduler,
                       LCMScheduler, PNDMScheduler)

out = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
makers = {
    "ddim": lambda c: DDIMScheduler.from_config(c, clip_sample=False, set_alpha_to_one=False),
    "pndm": PNDMScheduler.from_config,
    "dpmpp-2m": lambda c: DPMSolverMultistepScheduler.from_config(c, use_karras_sigmas=True),
    "dpmpp-2m-plain": lambda c: DPMSolverMultistepScheduler.from_config(c, use_karras_sigmas=False),
    "euler": EulerDiscreteScheduler.from_config,
    "euler-a": EulerAncestralDiscreteScheduler.from_config,
    "lcm": LCMScheduler.from_config,
}
sd = dict(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
configurations = {
    "sd15": dict(sd, steps_offset=1),
    "linspace": dict(sd, timestep_spacing="linspace", steps_offset=1),
    "leading": dict(sd, timestep_spacing="leading", steps_offset=1, skip_prk_steps=True),
    "trailing_v": dict(sd, timestep_spacing="trailing", prediction_type="v_prediction"),
    "leading_sample": dict(sd, timestep_spacing="leading", prediction_type="sample", steps_offset=1),
    "linear": dict(beta_start=0.0001, beta_end=0.02, beta_schedule="linear"),
    "cosine": dict(beta_schedule="squaredcos_cap_v2"),
    "zero_snr_v": dict(sd, rescale_betas_zero_snr=True, timestep_spacing="trailing", prediction_type="v_prediction"),
    "trained": dict(trained_betas=[0.01 + 0.001 * i for i in range(100)], num_train_timesteps=100),
}
solver = {
    "heun": dict(sd, solver_type="heun"),
    "sigma_min": dict(sd, final_sigmas_type="sigma_min"),
    "sigma_min_free": dict(sd, final_sigmas_type="sigma_min", lower_order_final=False),
    "euler_end": dict(sd, final_sigmas_type="sigma_min", lower_order_final=False, euler_at_final=True),
    "first_order": dict(sd, solver_order=1),
    "third_order": dict(sd, solver_order=3),
    "third_order_free": dict(sd, solver_order=3, lower_order_final=False, final_sigmas_type="sigma_min"),
    "clipped": dict(beta_schedule="squaredcos_cap_v2", lambda_min_clipped=-5.1),
}
# What a folder may say besides, by the sampler that minds it.
special = {
    "pndm": {
        "skip": dict(sd, skip_prk_steps=True, set_alpha_to_one=True),
        "skip_v": dict(sd, skip_prk_steps=True, prediction_type="v_prediction", steps_offset=1),
        "skip_trailing": dict(sd, skip_prk_steps=True, timestep_spacing="trailing"),
        "skip_linspace": dict(sd, skip_prk_steps=True, timestep_spacing="linspace", rescale_betas_zero_snr=True),
    },
    "euler": {
        "karras": dict(sd, use_karras_sigmas=True),
        "karras_bounds": dict(sd, use_karras_sigmas=True, sigma_min=0.1, sigma_max=12.5, timestep_spacing="leading"),
        "sigma_min": dict(sd, final_sigmas_type="sigma_min"),
        "linspace_sample": dict(sd, prediction_type="sample"),
    },
    "lcm": {
        "clip": dict(sd, clip_sample=True, clip_sample_range=0.8, timestep_scaling=0.003),
        "original": dict(sd, original_inference_steps=30),
        "defaults": {},
    },
}
cases, arrays = [], {}


def trace(kind, name, configuration, steps):
    file = dict(configuration)
    scheduler = makers[kind](file)
    scheduler.set_timesteps(steps)
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(0)  # or diffusers loses a step where the first two time steps are equal
    generator = torch.Generator().manual_seed(len(cases))
    first = torch.randn(1, 2, 2, 2, generator=generator)
    noise = torch.Generator().manual_seed(1000 + len(cases))
    sample = first * scheduler.init_noise_sigma
    samples, outputs, originals, inputs, noises = [sample], [], [], [], []
    for t in scheduler.timesteps:
        shown = scheduler.scale_model_input(sample, t)
        # Bounded and depending on the sample, like a model.
        output = 0.7 * torch.tanh(shown) + 0.3 * torch.randn(sample.shape, generator=generator)
        state = noise.get_state()
        if kind in ("ddim", "euler"):
            result = scheduler.step(output, t, sample)
            originals.append(result.pred_original_sample)
        elif kind in ("euler-a", "lcm"):
            result = scheduler.step(output, t, sample, generator=noise)
            originals.append(result.denoised if kind == "lcm" else result.pred_original_sample)
        else:
            result = scheduler.step(output, t, sample)
            if kind != "pndm":  # whose steps do not tell
                originals.append(scheduler.model_outputs[-1])
        if not torch.equal(noise.get_state(), state):
            noises.append(torch.randn(sample.shape, generator=torch.Generator().set_state(state)))
        sample = result.prev_sample
        inputs.append(shown)
        outputs.append(output)
        samples.append(sample)
    assert all(torch.isfinite(s).all() for s in samples), (kind, name)
    key = f"{kind}/{name}/{steps}"
    parts = {"samples": samples, "outputs": outputs, "originals": originals, "noises": noises}
    if kind.startswith("euler"):
        parts["inputs"] = inputs
    # One tensor of rows [1, 2, 2, 2] for each case: names in the file's head would be larger than the numbers.
    cases.append({"key": key, "kind": kind, "steps": steps, "configuration": file, "rows": [len(p) for p in parts.values()]})
    arrays[key] = torch.cat([row for part in parts.values() for row in part])
    arrays[key + "/timesteps"] = torch.cat([scheduler.timesteps.float(), torch.tensor([float(scheduler.init_noise_sigma)])])


for name, configuration in configurations.items():
    for kind in makers:
        if kind == "ddim" and name == "zero_snr_v" or kind in ("pndm", "euler-a") and "sample" in name:
            continue
        if kind == "pndm" and name == "trailing_v":
            continue  # below, with skip_prk_steps
        for steps in ((1, 2, 5, 12, 20) if name == "sd15" else (7, 16) if kind in ("ddim", "dpmpp-2m", "dpmpp-2m-plain") else (6,)):
            if kind != "pndm" or steps > 3 or configuration.get("skip_prk_steps"):
                trace(kind, name, configuration, steps)
trace("ddim", "zero_snr_v", dict(sd, rescale_betas_zero_snr=True, prediction_type="v_prediction"), 10)
for name, configuration in solver.items():
    for steps in (1, 4, 16):
        if name != "third_order_free":  # whose last step, from the smallest level to itself, is not a number in diffusers
            trace("dpmpp-2m", name, configuration, steps)
        trace("dpmpp-2m-plain", name, configuration, steps)
for kind, table in special.items():
    for name, configuration in table.items():
        for steps in (1, 2, 3, 9):
            trace(kind, name, configuration, steps)
for kind in makers:
    trace(kind, "sd15", configurations["sd15"], 50)
save_file(arrays, out + "/schedules.safetensors")
json.dump(cases, open(out + "/schedules.json", "w"), indent=None, separators=(",", ":"))
print(len(cases), "cases")

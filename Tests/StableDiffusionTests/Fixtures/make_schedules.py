"""Steps of diffusers' schedulers over several configurations: make_schedules.py [OUT]

schedules.json lists the cases, schedules.safetensors their numbers: made-up model outputs, and what the scheduler made of them.
"""
import json, os, sys
import torch
from safetensors.torch import save_file
from diffusers import DDIMScheduler, DPMSolverMultistepScheduler

out = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
sd = dict(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
configurations = {
    "sd15": dict(sd, steps_offset=1),
    "linspace": dict(sd, timestep_spacing="linspace", steps_offset=1),
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
    "clipped": dict(beta_schedule="squaredcos_cap_v2", lambda_min_clipped=-5.1),
}
cases, arrays = [], {}

def trace(kind, name, configuration, steps):
    file = dict(configuration)
    if kind == "ddim":
        scheduler = DDIMScheduler.from_config(file, clip_sample=False, set_alpha_to_one=False)
    else:
        scheduler = DPMSolverMultistepScheduler.from_config(file, use_karras_sigmas=kind == "dpmpp-2m")
    scheduler.set_timesteps(steps)
    if kind != "ddim":
        scheduler.set_begin_index(0)  # or diffusers loses a step where the first two time steps are equal
    generator = torch.Generator().manual_seed(len(cases))
    sample = torch.randn(1, 2, 2, 3, generator=generator)
    samples, outputs, originals = [sample], [], []
    for t in scheduler.timesteps:
        # Bounded and depending on the sample, like a model; divided by itself where the sample is large.
        output = 0.7 * torch.tanh(sample) + 0.3 * torch.randn(sample.shape, generator=generator)
        if kind == "ddim":
            result = scheduler.step(output, t, sample)
            originals.append(result.pred_original_sample)
            sample = result.prev_sample
        else:
            sample = scheduler.step(output, t, sample).prev_sample
            originals.append(scheduler.model_outputs[-1])
        outputs.append(output)
        samples.append(sample)
    assert all(torch.isfinite(s).all() for s in samples)
    key = f"{kind}/{name}/{steps}"
    cases.append({"key": key, "kind": kind, "steps": steps, "configuration": file})
    arrays[key + "/timesteps"] = scheduler.timesteps.clone().long()
    for part, tensors in (("samples", samples), ("outputs", outputs), ("originals", originals)):
        arrays[f"{key}/{part}"] = torch.cat(tensors).contiguous()

for name, configuration in configurations.items():
    for steps in (1, 2, 5, 12, 20) if name == "sd15" else (7, 16):
        for kind in ("ddim", "dpmpp-2m", "plain"):
            if kind != "ddim" or name != "zero_snr_v":
                trace(kind, name, configuration, steps)
trace("ddim", "zero_snr_v", dict(sd, rescale_betas_zero_snr=True, prediction_type="v_prediction"), 10)
for name, configuration in solver.items():
    for steps in (1, 4, 16):
        trace("dpmpp-2m", name, configuration, steps)
        trace("plain", name, configuration, steps)
trace("dpmpp-2m", "sd15", configurations["sd15"], 50)
trace("ddim", "sd15", configurations["sd15"], 50)
save_file(arrays, out + "/schedules.safetensors")
json.dump(cases, open(out + "/schedules.json", "w"), indent=0)
print(len(cases), "cases")

#!/usr/bin/env python3
"""Makes directions.safetensors: directions of attributes in the built-in space by PyTorch in float64, as the originals find them.

Usage: directions.py BUILT_IN_SPACE directions.safetensors

A direction is torch.linalg.pinv of the codes times the labels, both centred, over the people that the weight VAE was trained on; codes are
divided by the prior's deviation first (1 for the VAE). Held directions D are projected out: d - D (D^T D)^-1 D^T d. `MODEL/ATTRIBUTE/HELD` [64] is
the change of the code for one unit: from the mean score of one class to that of the other, or one deviation for a graded attribute.
"""
import csv, json, sys

import torch
from safetensors.torch import load_file, save_file

space, out = sys.argv[1:]
torch.set_default_dtype(torch.float64)
rows = list(csv.DictReader(open(space + "/identities.csv")))
held_out = {name for part in ("validation", "test") for name in json.load(open(space + "/vae.json"))["training"]["split"][part]}
training = torch.tensor([i for i, row in enumerate(rows) if row["identity"] not in held_out])
axes = json.load(open(space + "/axes.json"))["axes"]
pca = {name: tensor.double() for name, tensor in load_file(space + "/pca.safetensors").items()}
active = torch.tensor([float(axis["active"]) for axis in axes])
models = {
    "vae": (load_file(space + "/codes.safetensors")["mean"].double() * active, torch.ones(len(axes))),
    "pca": (pca["coefficients"], pca["singular_values"] / (len(training) - 1) ** 0.5),
}
result = {}
for model, (codes, scale) in models.items():
    u = (codes / scale)[training]
    u = u - u.mean(0)
    inverse = torch.linalg.pinv(u)

    def fit(attribute):
        labels = torch.tensor([float(row[attribute]) for row in rows])[training]
        return inverse @ (labels - labels.mean()), labels

    for attribute, held in [("Eyeglasses", []), ("Age_Years", []), ("Beard", ["Male"]), ("Age_Years", ["Gray_Hair", "Bald"])]:
        weights, labels = fit(attribute)
        direction = weights
        if held:
            d = torch.stack([fit(name)[0] for name in held], 1)
            direction = weights - d @ torch.linalg.inv(d.T @ d) @ d.T @ weights
        direction = direction / direction.norm()
        length = (u @ direction).std()
        if labels.min() >= 0 and labels.max() <= 1:
            score = u @ weights
            length = (score[labels >= 0.5].mean() - score[labels < 0.5].mean()) / (direction @ weights)
        result["/".join([model, attribute] + held)] = (length * direction * scale).float()
save_file(result, out)
print({name: f"{tensor.norm():.4g}" for name, tensor in result.items()})

"""Writes torch_random.json beside itself: what torch.randn and torch.rand give on the CPU after torch.manual_seed.

Usage: python torch_random.py
"""
import json
import pathlib

import torch

cases = []
for seed, calls in [
    (0, [("randn", 4)]), (1, [("randn", 15), ("randn", 3)]), (42, [("randn", 16)]), (42, [("randn", 37)]),
    (7, [("randn", 3), ("randn", 20), ("randn", 1), ("randn", 1), ("rand", 5), ("randn", 64)]),
    (2**40 + 5, [("randn", 17), ("randn", 5)]), (123456789, [("rand", 700), ("randn", 31)]),
]:
    torch.manual_seed(seed)
    cases.append({"seed": seed, "calls": [
        {"kind": kind, "values": getattr(torch, kind)(count).tolist()} for kind, count in calls]})
pathlib.Path(__file__).with_name("torch_random.json").write_text(json.dumps(cases))

"""Prompts with tokens that were added to a tokenizer, as transformers' CLIPTokenizer sees them: make_added_tokens.py [OUT]

added_tokens.json: for each layout of files that versions of transformers wrote, the files that differ from small/tokenizer, and ids of prompts.
"""
import json, os, shutil, sys, tempfile
from tokenizers import AddedToken
from transformers import CLIPTokenizer

here = os.path.dirname(os.path.abspath(__file__))
out = sys.argv[1] if len(sys.argv) > 1 else here
prompts = [
    "a <cat-toy>, d", "<Cat-Toy>b", "<cat-toy><cat-toy>  <cat-toy> ", "x<cat-toy>y", "<cat-toy", "<cat-toy2> <cat-toy>2", "sks abc SKS asks sks. \u00e9sks _sks sks_ sks\u0301",
    "<|STARTOFTEXT|> a <|EndOfText|> b", "a<|endoftext|>b<cat-toy>", "CAF\u00c9-D caf\u00e9-d cafe\u0301-d", "",
]
start, end = "<|startoftext|>", "<|endoftext|>"
full = lambda content, **kind: dict(dict(content=content, lstrip=False, normalized=True, rstrip=False, single_word=False), **kind)
base = dict(bos_token=start, eos_token=end, unk_token=end, pad_token=end, model_max_length=11, tokenizer_class="CLIPTokenizer")
described = {name: dict(full(base[name]), __type="AddedToken") for name in ("bos_token", "eos_token", "unk_token")}
added = {"<cat-toy>": 40, "<cat-toy2>": 41, "sks": 42, "caf\u00e9-d": 43}
layouts = {
    # transformers 4.0 to 4.33
    "added_tokens": {
        "tokenizer_config.json": {**base, **described, "do_lower_case": True}, "added_tokens.json": added,
        "special_tokens_map.json": {name: full(base[name]) for name in described} | {"pad_token": end},
    },
    "special": {
        "tokenizer_config.json": base, "added_tokens.json": added,
        "special_tokens_map.json": {**{k: v for k, v in base.items() if k.endswith("_token")}, "extra_special_tokens": ["<cat-toy>", full("sks", normalized=False)]},
    },
    # transformers 4.34 to 4.57
    "decoder": {
        "tokenizer_config.json": {
            **base, "added_tokens_decoder": {
                "38": full(start, special=True), "39": full(end, special=True, normalized=False), "40": full("<cat-toy>", special=False, lstrip=True, rstrip=True),
                "41": full("<cat-toy2>", special=False, normalized=False), "42": full("sks", special=False, single_word=True), "43": full("caf\u00e9-d", special=False)}},
        "special_tokens_map.json": {"pad_token": "?"},
    },
}
folder = tempfile.mkdtemp()


def copy(name):
    shutil.copytree(here + "/small/tokenizer", f"{folder}/{name}")
    return f"{folder}/{name}"


# transformers 5 itself
tokenizer = CLIPTokenizer.from_pretrained(copy("before"))
tokenizer.add_tokens(["<cat-toy>", "<cat-toy2>", AddedToken("sks", single_word=True), AddedToken("caf\u00e9-d", normalized=False)])
tokenizer.save_pretrained(folder + "/now")
layouts["now"] = {name: json.load(open(f"{folder}/now/{name}")) for name in ("tokenizer.json", "tokenizer_config.json")}
cases = []
for name, files in layouts.items():
    place = copy("layout-" + name)
    for file, value in files.items():
        json.dump(value, open(f"{place}/{file}", "w"))
    tokenizer = CLIPTokenizer.from_pretrained(place)
    ids = [tokenizer(prompt, add_special_tokens=False).input_ids for prompt in prompts]
    cases.append({"name": name, "files": {file: json.dumps(value) for file, value in files.items()}, "ids": ids})
    assert 40 in sum(ids, []), name
json.dump({"prompts": prompts, "layouts": cases}, open(out + "/added_tokens.json", "w"), separators=(",", ":"))
print(len(cases), "layouts")

"""Parts of the small model as older programs wrote them: make_old_files.py [OUT], after make_small_model.py

old/text_encoder.bin: a pickle with the prefix "text_model." and the list position_ids. old/tokenizer.json: the tokenizer in the one file of the tokenizers library.
"""
import json, os, sys
import torch
from safetensors.torch import load_file
from tokenizers import AddedToken, Tokenizer, models

out = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
os.makedirs(out + "/old", exist_ok=True)
text = load_file(out + "/small/text_encoder/model.safetensors")
text = {"text_model." + k.removeprefix("text_model."): v for k, v in text.items()}
text["text_model.embeddings.position_ids"] = torch.arange(11)[None]
torch.save(text, out + "/old/text_encoder.bin")
vocabulary = json.load(open(out + "/small/tokenizer/vocab.json"))
merges = [tuple(line.split()) for line in open(out + "/small/tokenizer/merges.txt").read().splitlines()[1:]]
tokenizer = Tokenizer(models.BPE(vocabulary, merges, unk_token="<|endoftext|>", end_of_word_suffix="</w>"))
tokenizer.add_special_tokens([AddedToken("<|startoftext|>"), AddedToken("<|endoftext|>")])
tokenizer.save(out + "/old/tokenizer.json")

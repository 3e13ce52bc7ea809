"""Token ids of transformers' CLIPTokenizer over awkward prompts: make_tokens.py TOKENIZER_FOLDER [OUT]"""
import json, os, sys
from transformers import CLIPTokenizer

folder = sys.argv[1]
out = sys.argv[2] if len(sys.argv) > 2 else os.path.dirname(os.path.abspath(__file__))
prompts = [
    "", " ", "photo of sks person", "Photo of SKS Person, neutral expression, facing the camera, grey background, neutral light",
    "  leading,  double   spaces\tand\nnew\r\nlines  ", "it's can't we're I've I'm you'll he'd 'sup 'twas o'clock rock'n'roll ''s '", "IT'S CAN'T",
    "12345 3.14 2nd 1,000 x2y3", "½ Ⅻ ٣ ④ ²", "café cafe\u0301 naïve Ångström A\u030angstro\u0308m", "ΟΔΟΣ ΣΑΣ İstanbul ıSPARTA ẞ ǅ ﬁ",
    "emoji 😀👩‍👩‍👧‍👦🏳️‍🌈 👍🏽 end", "日本語 の 文章、한국어 텍스트 中文", "Привет, МИР!", "مرحبا بالعالم", "हिन्दी नमस्ते", "ไทย ไม่",
    "!!! ??? ... --- ___ +++ === *** ((( ))) [[]] {{}} <<>> /\\|", "a!b?c.d,e;f:g", "#tag @user $5 50% a&b ~x^y `z`", "\"quoted\" “curly” ‘single’ «x»",
    "a\u00a0b\u2003c\u200bd\u3000e\ufefff\u2028g\u0085h\u1680i", "\u0000\u0001\u001f\u007f\u0080", "<|startoftext|>", "a <|endoftext|> b",
    "<|ENDOFTEXT|> <|StartOfText|> x", "<|endoftext|", "|>", "x<|startoftext|>y<|endoftext|>z", "</w> a</w>b", "_underscore_ snake_case camelCase",
    "word " * 90, "a" * 300, "1234567890" * 12, "é" * 100, "person," * 40, "😀" * 30, "\U0001f600\u200d", "\u0301\u0302x", "e\u0301\u0323 q\u0307\u0323",
    "\ud7a3\u1100\u1161\u11a8", "Ω Ω K Å", "x\u0345y ͺ", "ᾼ ᾳ ΐ", "Ǆ ǈ ǋ Ა ა", "𝐁𝐨𝐥𝐝 𐐀𐐨 𝟘𝟙", "a\u0300\u0301\u0302\u0303b", "tab\there", "\\n \\t", "sks", "sks's", "SKS'S PERSON'LL",
    # Composition beyond U+FFFF, and of scalars that decompose into marks.
    "e\U00010041\u0301 \U00020041\u0300 \U0001f3f4\U000e0067\U000e0062\u0301", "\U00011099\U000110ba \U00011131\U00011127 \U0001d157\U0001d165\u0301",
    "e\u0f73\u0301 \u0323\u0f73 \u0f81\u0f75", "o\u031b\u0323\u0301 o\u0323\u031b \u1e69 s\u0307\u0323 \u0344 \u0340\u0343", "\uac00\u11a8 \u1100\u1161\u0301\u11a8",
    "\u0958 \u09c7\u09be \u0b92\u0bd7 \u304b\u3099 \ufa10 \U0002f800 \ufb1d \u2adc", "a\u0345\u0301 \u1fb3\u0301 \u03b1\u0301\u0345", "&amp; &lt;b&gt; &#39;s",
]
tokenizer = CLIPTokenizer.from_pretrained(folder)
encode = lambda p: tokenizer(p, padding="max_length", max_length=tokenizer.model_max_length, truncation=True).input_ids
count = lambda p: len(tokenizer(p, add_special_tokens=False).input_ids)
cases = [{"prompt": p, "ids": encode(p), "count": count(p)} for p in prompts]
json.dump(cases, open(out + "/tokens.json", "w"), separators=(",", ":"))
print(len(cases), "prompts")

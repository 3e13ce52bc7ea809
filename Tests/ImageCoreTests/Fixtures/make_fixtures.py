#!/usr/bin/env python3
"""Writes ../Fixtures.swift: small pictures by Pillow, the oracle of the reader and of the resizing.

usage: make_fixtures.py > ../Fixtures.swift   (needs Pillow and NumPy)
"""
import base64
import io
import struct
import zlib

import numpy
from PIL import Image, PngImagePlugin


def text64(data, indent):
    text = base64.b64encode(data).decode()
    lines = [text[i : i + 110] for i in range(0, len(text), 110)]
    return '"""\n' + "".join(f"{indent}{line}\\\n" for line in lines[:-1]) + f"{indent}{lines[-1]}\n{indent}" + '"""'


def png(image, **options):
    out = io.BytesIO()
    image.save(out, "png", **options)
    return out.getvalue()


def noise(width, height, seed=1):
    """TestPictures.noise, in the middle half of the range: Pillow cuts overshoot off between its two passes."""
    state, values = seed, []
    for _ in range(width * height * 3):
        state = (state * 1664525 + 1013904223) % 2**32
        values.append(64 + (state >> 25))
    return Image.fromarray(numpy.array(values, numpy.uint8).reshape(height, width, 3))


def texts():
    info = PngImagePlugin.PngInfo()
    info.add_text("Author", "Zoë")
    info.add_itxt("Title", "σ = 1.25", zip=True)
    info.add_text("Comment", "again and " * 20, zip=True)
    return png(Image.new("RGB", (1, 1)), pnginfo=info)


def palette():
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putdata([0, 1])
    return png(image)


def sixteen():
    """Grey, 16 bits, written by hand: 0x8080 and 0xFFFF."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 2, 1, 16, 0, 0, 0, 0)
    body = zlib.compress(b"\0\x80\x80\xff\xff")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def transparent():
    image = Image.new("LA", (2, 1))
    image.putdata([(200, 0), (200, 255)])
    return png(image)


print("import ImageCore\n")
print("/// One result of Pillow's `Image.resize` on `TestPictures.noise(width: 23, height: 17)` at half contrast.")
print("struct ResizeFixture: Sendable {")
print("    var filter: ResizeFilter\n    var width: Int\n    var height: Int\n    var base64: String\n}\n")
print("/// Written by Fixtures/make_fixtures.py; not to be edited by hand.")
print("enum Fixtures {")
for name, data in [
    ("pillowTexts", texts()),
    ("palettePNG", palette()),
    ("sixteenBitPNG", sixteen()),
    ("transparentPNG", transparent()),
]:
    print(f"    static let {name} = {text64(data, '        ')}\n")
print("    static let resized = [")
for name, kind in [("box", Image.BOX), ("bilinear", Image.BILINEAR), ("lanczos", Image.LANCZOS)]:
    for width, height in [(9, 6), (31, 29), (40, 5), (1, 1)]:
        data = noise(23, 17).resize((width, height), kind).tobytes()
        print(f"        ResizeFixture(\n            filter: .{name}, width: {width}, height: {height},")
        print(f"            base64: {text64(data, '                ')}),")
print("    ]\n}")

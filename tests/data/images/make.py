"""Makes the images of this folder and expected.npz, the pixels that Pillow reads or computes from them.

Run `python make.py` in this folder; needs Pillow and NumPy. The files in the repository were made with Pillow 13.0.0.
"""
import struct
import zlib

import numpy as np
from PIL import Image, ImageOps

rng = np.random.default_rng(7)
expected = {}


def picture(height, width):
    """Smooth colours with some noise and a hard edge."""
    y, x = np.mgrid[0:height, 0:width]
    rgb = np.stack([x * 255 / width, y * 255 / height, 255 - (x + y) * 255 / (height + width)], -1)
    rgb += rng.normal(0, 12, rgb.shape)
    rgb[height // 3 : height // 2, width // 4 : width // 2] = (250, 5, 120)
    return Image.fromarray(rgb.clip(0, 255).astype(np.uint8))


def keep(name, image):
    expected[name] = np.asarray(image)


def save(name, image, mode="RGB", **options):
    image.save(name, **options)
    keep(name, ImageOps.exif_transpose(Image.open(name)).convert(mode))


small = picture(17, 23)
small.save("rgb.png")
grey = small.convert("L")
save("grey.png", grey, "L")
keep("rgb.png", small)
keep("rgb.png:grey", grey)
for source, image in (("rgb", small), ("grey", grey)):
    for name, method in (("nearest", Image.NEAREST), ("bilinear", Image.BILINEAR), ("bicubic", Image.BICUBIC)):
        for width, height in ((11, 8), (31, 25), (23, 5), (7, 17), (1, 1), (3, 29)):
            keep(f"{source}.png:{name}:{height}x{width}", image.resize((width, height), method))

# JPEG
photo = picture(21, 31)
save("grey.jpg", photo.convert("L"), "L", quality=80)
save("420.jpg", photo, quality=80, subsampling="4:2:0")
save("422.jpg", photo, quality=80, subsampling="4:2:2")
save("444.jpg", photo, quality=80, subsampling="4:4:4")
save("progressive.jpg", photo, quality=80, progressive=True)
save("cmyk.jpg", photo.convert("CMYK"), quality=80)
for orientation in range(1, 9):
    exif = Image.Exif()
    exif[0x0112] = orientation
    save(f"orientation{orientation}.jpg", picture(8, 16), quality=90, exif=exif)
save("one.jpg", picture(1, 1))

# PNG
alpha = small.copy()
alpha.putalpha(grey)
save("rgba.png", alpha, "RGB")
keep("rgba.png:rgba", alpha)
keep("rgba.png:grey", alpha.convert("L"))
save("grey_alpha.png", alpha.convert("LA"), "RGB")
palette = small.quantize(16)
save("palette.png", palette)
save("palette_transparent.png", palette, transparency=3)
save("bilevel.png", grey.point(lambda v: 255 if v > 128 else 0).convert("1"), "L")
save("one.png", picture(1, 1))


def write_png16(name, samples, colour_type):
    """16-bit samples, which Pillow does not write in colour."""
    height, width = samples.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
    with open(name, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        for kind, data in (
            (b"IHDR", struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)),
            (b"IDAT", zlib.compress(rows)),
            (b"IEND", b""),
        ):
            file.write(struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)))
    # The upper byte, as Pillow has it for colour (it clips grey to 255 on the way to 8 bits, which loses the picture).
    expected[name] = (samples >> 8).astype(np.uint8)


write_png16("rgb16.png", rng.integers(0, 65536, (5, 7, 3)), 2)
write_png16("grey16.png", rng.integers(0, 65536, (5, 7)), 0)

# BMP and PNM
save("rgb.bmp", small)
save("grey.bmp", grey)
save("palette.bmp", palette)
save("rgb.ppm", small)
save("grey.pgm", grey, "L")

# The whole way of a photograph into a network: shorter side 32, crop 28, ImageNet mean and std.
wide = picture(61, 90)
wide.save("wide.jpg", quality=90)
resized = Image.open("wide.jpg").convert("RGB").resize((int(32 * 90 / 61), 32), Image.BILINEAR)
left, top = round((resized.width - 28) / 2), round((resized.height - 28) / 2)
pixels = np.asarray(resized.crop((left, top, left + 28, top + 28)), np.float64) / 255
values = (pixels - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)
expected["wide.jpg:imagenet28"] = np.ascontiguousarray(values.transpose(2, 0, 1), np.float32)

np.savez_compressed("expected.npz", **expected)

"""Photos as a careless camera, editor or archive would leave them, to train the head of `lite` on.

Crops, mirrors, grey, other light, coarse compression at a small size, a line of painted text, black
bars and few flat colours, each now and then and several at once.
"""

import io
import random

from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont, ImageOps

LETTERS = "abcdefghij klmnop rstuvw"


def varied(photo: Image.Image, draw: random.Random) -> Image.Image:
    """A photo with changes that `draw` decides."""
    if draw.random() < 0.8:
        photo = cropped(photo, draw)
    if draw.random() < 0.5:
        photo = ImageOps.mirror(photo)
    if draw.random() < 0.25:
        photo = ImageOps.grayscale(photo).convert("RGB")
    elif draw.random() < 0.4:
        photo = ImageEnhance.Brightness(photo).enhance(draw.uniform(0.6, 1.4))
        photo = ImageEnhance.Contrast(photo).enhance(draw.uniform(0.6, 1.4))
        photo = ImageEnhance.Color(photo).enhance(draw.uniform(0.3, 1.6))
    if draw.random() < 0.4:
        photo = coarse(photo, draw)
    if draw.random() < 0.2:
        photo = painted(photo, draw)
    if draw.random() < 0.15:
        photo = with_bars(photo, draw)
    if draw.random() < 0.1:
        flat = photo.quantize(draw.choice([8, 16, 32])).convert("RGB")
        photo = flat.filter(ImageFilter.ModeFilter(3))
    return photo


def cropped(photo: Image.Image, draw: random.Random) -> Image.Image:
    """Six tenths of the area or more, a little wider or higher than the photo."""
    share, aspect = draw.uniform(0.6, 1.0), draw.uniform(0.8, 1.25)
    width = min(photo.width, int(photo.width * (share * aspect) ** 0.5))
    height = min(photo.height, int(photo.height * (share / aspect) ** 0.5))
    x, y = draw.randint(0, photo.width - width), draw.randint(0, photo.height - height)
    return photo.crop((x, y, x + width, y + height))


def coarse(photo: Image.Image, draw: random.Random) -> Image.Image:
    """Smaller, and saved with many losses."""
    share, file = draw.uniform(0.35, 0.9), io.BytesIO()
    size = max(16, int(photo.width * share)), max(16, int(photo.height * share))
    photo.resize(size, Image.Resampling.BILINEAR).save(file, "JPEG", quality=draw.randint(12, 50))
    return Image.open(file).convert("RGB")


def painted(photo: Image.Image, draw: random.Random) -> Image.Image:
    """With a line of letters near the top or the bottom."""
    font = ImageFont.load_default(size=draw.randint(10, 26))
    x = draw.uniform(0, 0.4) * photo.width
    y = draw.choice([draw.uniform(0, 0.1), draw.uniform(0.8, 0.92)]) * photo.height
    text = "".join(draw.choice(LETTERS) for _ in range(draw.randint(6, 30)))
    fill, photo = draw.choice(["white", "yellow", "black"]), photo.copy()
    pen = ImageDraw.Draw(photo)
    pen.text((x, y), text, fill=fill, font=font, stroke_width=1, stroke_fill="black")
    return photo


def with_bars(photo: Image.Image, draw: random.Random) -> Image.Image:
    """With black bars above and below, or at both sides."""
    high = draw.random() < 0.5
    bar = int((photo.height if high else photo.width) * draw.uniform(0.05, 0.18))
    return ImageOps.expand(photo, (0, bar) if high else (bar, 0), "black")

import torch
from torch.nn import functional as nn

from torchvision.transforms import InterpolationMode

__all__ = [
    "InterpolationMode",
    "crop",
    "grayscale_to_rgb",
    "normalize",
    "pad",
    "resize",
    "to_dtype",
]


def resize(image, size, interpolation=InterpolationMode.BILINEAR, antialias=True, **_):
    flat = image.reshape(-1, *image.shape[-3:]).float()
    made = nn.interpolate(flat, tuple(size), mode=interpolation.value, antialias=antialias)
    if image.dtype == torch.uint8:
        made = made.round().clamp(0, 255)
    return made.to(image.dtype).reshape(*image.shape[:-2], *made.shape[-2:])


def normalize(image, mean, std, inplace=False):
    mean, std = (torch.as_tensor(v, dtype=image.dtype)[:, None, None] for v in (mean, std))
    return (image - mean) / std


def pad(image, padding, fill=0, padding_mode="constant"):
    left, top, right, bottom = padding
    return nn.pad(image, (left, right, top, bottom), value=fill)


def crop(image, top, left, height, width):
    return image[..., top : top + height, left : left + width]


def grayscale_to_rgb(image):
    return image.expand(*image.shape[:-3], 3, *image.shape[-2:])


def to_dtype(image, dtype, scale=False):
    made = image.to(dtype)
    return made / 255 if scale and not image.is_floating_point() else made

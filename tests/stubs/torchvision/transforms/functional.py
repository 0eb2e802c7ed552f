import numpy as np
import torch

from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2.functional import normalize, pad, resize, to_dtype

__all__ = ["InterpolationMode", "normalize", "pad", "pil_to_tensor", "resize", "to_dtype"]


def pil_to_tensor(picture):
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1)

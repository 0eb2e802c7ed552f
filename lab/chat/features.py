"""Pictures as the language model sees them, while the visual tower is frozen but for its end."""

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from lab.chat.vision_stage import to_pixels
from lab.training.precision import training_precision
from segue.models.qwen_vl.visual import VisualTower


@torch.no_grad()
def resample(tower: VisualTower, images: NDArray[np.uint8]) -> Tensor:
    """Return what reaches the tower's last affine layer, normalised: (N, 64, 256) float32."""
    device = tower.proj.device
    with training_precision(device):
        cells = tower.attn_pool(tower.encode_patches(to_pixels(images, device)))
    return F.layer_norm(cells.float(), cells.shape[-1:], eps=1e-6)


def apply_last_layer(tower: VisualTower, normal: Tensor) -> Tensor:
    """Apply the tower's last affine layer to what `resample` returned."""
    return (normal * tower.ln_post.weight + tower.ln_post.bias) @ tower.proj

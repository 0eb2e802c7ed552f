"""RepViT, the image backbone of EdgeTAM, in PyTorch alone.

transformers runs it through timm, which needs torchvision; here it is written anew, under the names
that timm gives its tensors, so that published files fit. Method: Wang et al. 2023,
arXiv:2307.09283; names and sizes as in timm's `repvit_m1`, Apache-2.0.

Limits: the form in which it is trained, not the one with merged branches; features only, no head.
"""

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from torch import Tensor, nn
from transformers import AutoModel, PreTrainedConfig, PreTrainedModel

from segue.errors import ModelError

_SIZES = {"repvit_m1": ((48, 96, 192, 384), (2, 2, 14, 2))}
"""Architecture -> channels and number of blocks of each stage."""
_CHANNEL_STEP = 8  # channels of a squeeze are a multiple of it


class RepVitConfig(PreTrainedConfig):
    """Sizes of a RepViT."""

    model_type = "segue_repvit"

    channels: list[int] | tuple[int, ...] = _SIZES["repvit_m1"][0]
    """Of each stage, fine to coarse."""
    depths: list[int] | tuple[int, ...] = _SIZES["repvit_m1"][1]
    """Blocks of each stage, without the one that halves the map."""

    @classmethod
    def read(cls, settings: Mapping[str, Any]) -> "RepVitConfig":
        """Read the `backbone_config` of a model that was made with timm.

        Raises:
            ModelError: it is of another architecture than those here.
        """
        architecture = str(settings.get("architecture", "repvit_m1")).partition(".")[0]
        if architecture not in _SIZES:
            raise ModelError(
                f"The image backbone must be {' or '.join(_SIZES)}, got {architecture!r}, which "
                "only timm has. segue runs without timm."
            )
        channels, depths = _SIZES[architecture]
        arguments = settings.get("model_args") or {}
        return cls(
            channels=tuple(arguments.get("embed_dim", channels)),
            depths=tuple(arguments.get("depth", depths)),
        )


class RepVit(PreTrainedModel):
    """The backbone, in the place of transformers' wrapper of timm."""

    config_class = RepVitConfig
    main_input_name = "pixel_values"

    def __init__(self, config: RepVitConfig) -> None:
        super().__init__(config)
        self.timm_model = Stages(config.channels, config.depths)
        self.post_init()

    def forward(self, pixel_values: Tensor, **_: Any) -> SimpleNamespace:
        """Encode pixels (N, 3, H, W).

        Returns:
            `last_hidden_state`: a map for each stage, (N, C, H / 4, W / 4) and on, each half the
            one before; `hidden_states` None.
        """
        return SimpleNamespace(last_hidden_state=self.timm_model(pixel_values), hidden_states=None)


AutoModel.register(RepVitConfig, RepVit, exist_ok=True)


class Stages(nn.Module):
    """A stem that quarters the picture, and stages of which each but the first halves the map."""

    def __init__(self, channels: Sequence[int], depths: Sequence[int]) -> None:
        super().__init__()
        self.stem = nn.ModuleDict(
            {
                "conv1": _convolution(3, channels[0] // 2, 3, stride=2),
                "conv2": _convolution(channels[0] // 2, channels[0], 3, stride=2),
            }
        )
        self.n_stages = len(channels)
        before = channels[0]
        for number, (width, depth) in enumerate(zip(channels, depths, strict=True)):
            self.add_module(f"stages_{number}", Stage(before, width, depth, halves=number > 0))
            before = width

    def forward(self, pixels: Tensor) -> list[Tensor]:
        """Return the map of each stage."""
        maps = self.stem["conv2"](nn.functional.gelu(self.stem["conv1"](pixels)))
        levels = []
        for number in range(self.n_stages):
            maps = self.get_submodule(f"stages_{number}")(maps)
            levels.append(maps)
        return levels


class Stage(nn.Module):
    """Blocks at one resolution, every other one with channel attention."""

    def __init__(self, before: int, width: int, depth: int, *, halves: bool) -> None:
        super().__init__()
        self.downsample = Downsample(before, width) if halves else nn.Identity()
        self.blocks = nn.Sequential(
            *(Block(width, attends=number % 2 == 0) for number in range(depth))
        )

    def forward(self, maps: Tensor) -> Tensor:
        """Map (N, C, h, w) to the stage's own channels and size."""
        return self.blocks(self.downsample(maps))


class Downsample(nn.Module):
    """From one stage to the next: half the size, more channels."""

    def __init__(self, before: int, width: int) -> None:
        super().__init__()
        self.pre_block = Block(before, attends=False)
        self.spatial_downsample = _convolution(before, before, 3, stride=2, groups=before)
        self.channel_downsample = _convolution(before, width, 1)
        self.ffn = ChannelMixer(width)

    def forward(self, maps: Tensor) -> Tensor:
        """Map (N, C, h, w) to (N, D, h / 2, w / 2)."""
        maps = self.channel_downsample(self.spatial_downsample(self.pre_block(maps)))
        return maps + self.ffn(maps)


class Block(nn.Module):
    """Mix places, weigh channels, mix channels."""

    def __init__(self, width: int, *, attends: bool) -> None:
        super().__init__()
        self.token_mixer = PlaceMixer(width)
        self.se = ChannelAttention(width) if attends else nn.Identity()
        self.channel_mixer = ChannelMixer(width)

    def forward(self, maps: Tensor) -> Tensor:
        """Map (N, C, h, w) to the same shape."""
        maps = self.se(self.token_mixer(maps))
        return maps + self.channel_mixer(maps)


class PlaceMixer(nn.Module):
    """Three branches of one depthwise convolution: 3 x 3, 1 x 1 and the input itself."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = _convolution(width, width, 3, groups=width)
        self.conv1 = _convolution(width, width, 1, groups=width)

    def forward(self, maps: Tensor) -> Tensor:
        """Map (N, C, h, w) to the same shape."""
        return self.conv(maps) + self.conv1(maps) + maps


class ChannelMixer(nn.Module):
    """Two convolutions of one place, twice as wide in between."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = _convolution(width, 2 * width, 1)
        self.conv2 = _convolution(2 * width, width, 1)

    def forward(self, maps: Tensor) -> Tensor:
        """Map (N, C, h, w) to the same shape."""
        return self.conv2(nn.functional.gelu(self.conv1(maps)))


class ChannelAttention(nn.Module):
    """Weigh each channel by what all channels are on average (squeeze and excitation)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        quarter = int(width / 4 + _CHANNEL_STEP / 2) // _CHANNEL_STEP * _CHANNEL_STEP
        squeezed = max(_CHANNEL_STEP, quarter)
        self.fc1 = nn.Conv2d(width, squeezed, 1)
        self.fc2 = nn.Conv2d(squeezed, width, 1)

    def forward(self, maps: Tensor) -> Tensor:
        """Map (N, C, h, w) to the same shape."""
        averages = maps.mean((2, 3), keepdim=True)
        return maps * self.fc2(self.fc1(averages).relu()).sigmoid()


def _convolution(
    before: int, after: int, side: int, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    """Return a convolution and its normalisation, under timm's names."""
    layers = nn.Sequential()
    layers.add_module(
        "c", nn.Conv2d(before, after, side, stride, side // 2, groups=groups, bias=False)
    )
    layers.add_module("bn", nn.BatchNorm2d(after))
    return layers

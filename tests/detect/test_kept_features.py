"""What a detector's encoders made of a picture is found again by content."""

from types import SimpleNamespace

import torch
from torch import nn

from segue.detect.kept_features import KeptCaptions, KeptPictures


class Backbone(nn.Module):
    """Counts the pictures that it encodes."""

    def __init__(self) -> None:
        super().__init__()
        self.pictures = 0

    def forward(self, pixels, **options):
        self.pictures += len(pixels)
        return SimpleNamespace(feature_maps=(pixels[:, :1] * 2, pixels.mean((2, 3), True)))


def test_a_picture_is_encoded_once_alone_or_in_company():
    kept = KeptPictures(backbone := Backbone())
    pictures = torch.randn(3, 3, 4, 4)
    together = kept(pictures, return_dict=True).feature_maps
    again = kept(pictures[[2, 0, 2]]).feature_maps
    assert backbone.pictures == 3
    assert all(torch.equal(a[[2, 0, 2]], b) for a, b in zip(together, again))
    kept(torch.cat([pictures[:1], pictures[:1] + 1, pictures[:1] + 1]))
    assert backbone.pictures == 4


def test_pictures_of_another_shape_are_others():
    kept = KeptPictures(backbone := Backbone())
    kept(torch.zeros(1, 3, 4, 6))
    kept(torch.zeros(1, 3, 6, 4))
    assert backbone.pictures == 2


def test_the_least_recent_picture_goes_first():
    kept = KeptPictures(backbone := Backbone())
    kept.kept.budget_bytes = 1
    first, second = torch.zeros(1, 3, 4, 4), torch.ones(1, 3, 4, 4)
    kept(first), kept(second), kept(second), kept(first)
    assert backbone.pictures == 3


def test_a_caption_is_read_once_under_the_same_masks():
    calls = []
    encoder = nn.Module()
    encoder.forward = lambda *inputs, **options: calls.append(inputs) or len(calls)
    kept = KeptCaptions(encoder)
    ids, mask = torch.tensor([[1, 2]]), torch.ones(1, 2, 2)
    answers = [kept(ids, mask), kept(ids, mask), kept(ids, mask * 0), kept(ids + 1, mask)]
    assert answers == [1, 1, 2, 3]

import torch

from segue.models.qwen_vl.slots import fill_slots, find_pictures
from tiny_qwen_vl import N_SLOTS, a_config, ids_with_pictures

VISUAL = a_config().visual_config


def test_pictures_are_found_row_by_row() -> None:
    ids = torch.cat([ids_with_pictures("ab", 2), ids_with_pictures("abc", 1, "c" * 17)])
    rows, columns = find_pictures(ids, VISUAL)
    assert (rows.tolist(), columns.tolist()) == ([0, 0, 1], [2, 20, 3])


def test_an_opening_without_its_end_is_an_ordinary_token() -> None:
    ids = ids_with_pictures("ab", 1)
    for cut in (1, 5, N_SLOTS + 1):
        assert len(find_pictures(ids[:, :-cut], VISUAL)[0]) == 0


def test_features_stand_between_the_tags_only() -> None:
    ids = ids_with_pictures("ab", 1, "c")
    embedded = torch.zeros(*ids.shape, 4)
    features = torch.ones(1, N_SLOTS, 4, requires_grad=True)
    filled = fill_slots(embedded, ids, features, VISUAL)
    assert filled[0, :, 0].tolist() == [0] * 3 + [1] * N_SLOTS + [0] * 2
    assert not embedded.any()
    filled.sum().backward()
    assert (features.grad == 1).all()

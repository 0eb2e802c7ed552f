import torch

from segue.models.decoding.sequence_pool import SequencePool, common_length
from segue.models.qwen_vl.cache import GrowingCache
from segue.models.qwen_vl.sequence_cache import CachedSequence, take_sequence


def filled(keys: list, alpha: float = 1.0) -> CachedSequence:
    sequence = CachedSequence(list(keys))
    values = torch.arange(len(keys)).float().view(1, 1, -1, 1).expand(1, 2, -1, 4)
    for layer in range(2):
        sequence.cache.update(values, -values, layer)
    sequence.cache.ntk_alpha = alpha
    return sequence


def test_a_cache_grows_and_is_truncated() -> None:
    cache = GrowingCache()
    steps = torch.randn(1, 2, 600, 4)
    for piece in steps.split(7, dim=2):
        keys, values = cache.update(piece, piece + 1, 0)
    assert torch.equal(keys, steps)
    cache.truncate(100)
    keys, values = cache.update(steps[:, :, :3], steps[:, :, :3], 0)
    assert torch.equal(keys, torch.cat([steps[:, :, :100], steps[:, :, :3]], 2))
    assert torch.equal(values[:, :, :100], steps[:, :, :100] + 1)
    cache.truncate(0)
    assert cache.get_seq_length() == 0


def test_reordered_rows_are_not_mixed_with_old_room() -> None:
    cache = GrowingCache()
    rows = torch.arange(3).float().view(3, 1, 1, 1).expand(3, 1, 2, 4)
    cache.update(rows, rows, 0)
    cache.reorder_cache(torch.tensor([2, 2, 0]))
    keys, _ = cache.update(rows, rows, 0)
    assert keys[:, 0, 0, 0].tolist() == [2, 2, 0]
    assert keys[:, 0, 2, 0].tolist() == [0, 1, 2]


def test_the_longest_beginning_is_taken_and_truncated() -> None:
    pool = SequencePool()
    pool.give(filled([1, 2, 9]))
    pool.give(filled([1, 2, 3, 4, 5]))
    taken = take_sequence(pool, [1, 2, 3, 4, 7], alpha=1.0)
    assert taken.keys == [1, 2, 3, 4]
    assert taken.cache.get_seq_length() == 4
    assert take_sequence(pool, [5], alpha=1.0).keys == []


def test_a_small_part_of_a_long_sequence_is_copied_not_taken() -> None:
    pool = SequencePool()
    long = filled(list(range(100)))
    pool.give(long)
    twin = take_sequence(pool, [*range(20), -1], alpha=1.0)
    assert twin is not long
    assert twin.keys == list(range(20))
    assert twin.cache.layers[1].keys[0, 0, :, 0].tolist() == list(range(20))
    assert take_sequence(pool, list(range(100)), alpha=1.0) is long


def test_what_was_read_with_another_stretch_does_not_count() -> None:
    pool = SequencePool()
    pool.give(filled([1, 2, 3], alpha=3.0))
    assert take_sequence(pool, [1, 2, 3], alpha=1.0).keys == []
    assert take_sequence(pool, [1, 2, 3], alpha=3.0).keys == [1, 2, 3]


def test_the_longest_unused_is_dropped_first() -> None:
    pool = SequencePool(limit_bytes=1)
    pool.give(filled([1, 1]))
    pool.give(filled([2, 2]))
    assert take_sequence(pool, [1, 1], alpha=1.0).keys == []


def test_common_beginnings_are_counted() -> None:
    assert common_length([1, "x", 3], [1, "x", 4, 5]) == 2
    assert common_length([1], [1, 2]) == 1
    assert common_length([], [1]) == 0

"""The size at which Qwen's vision towers see a picture."""

from hypothesis import given
from hypothesis import strategies as st

from segue.chat.resizing import LONGEST_RATIO, Patches, not_too_long
from segue.values.box import Size

sizes = st.builds(Size, st.integers(1, 4000), st.integers(1, 4000))
patches = st.builds(
    Patches,
    side=st.sampled_from([28, 32]),
    min_pixels=st.sampled_from([1, 56 * 56, 4 * 28 * 28, 65536]),
    max_pixels=st.sampled_from([28 * 28 * 1280, 32 * 32 * 16384, 1_003_520]),
)


@given(sizes, patches)
def test_it_equals_the_makers_rule(size: Size, patches: Patches) -> None:
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import smart_resize

    if max(size) / min(size) <= LONGEST_RATIO:
        theirs = smart_resize(*size, patches.side, patches.min_pixels, patches.max_pixels)
        assert patches.size_for(size) == theirs


@given(sizes, patches)
def test_a_settled_size_stays_as_it_is(size: Size, patches: Patches) -> None:
    settled = patches.stable_size(size)
    assert patches.size_for(settled) == settled
    assert settled.height % patches.side == settled.width % patches.side == 0
    assert min(settled) > 0


@given(sizes)
def test_no_picture_is_longer_than_the_makers_allow(size: Size) -> None:
    stretched = not_too_long(size)
    assert max(stretched) / min(stretched) <= LONGEST_RATIO
    assert max(stretched) == max(size)

"""The page about the benchmarks names every benchmark, split and protocol."""

from pathlib import Path

import pytest

from segue.benchmarks import BENCHMARKS
from segue.benchmarks.distortion import DISTORTIONS
from segue.benchmarks.published import PUBLISHED

PAGE = (Path(__file__).parents[2] / "docs" / "field-benchmarks.md").read_text("utf-8")


@pytest.mark.parametrize("name", BENCHMARKS)
def test_the_page_names_benchmark_protocols_and_default_split(name):
    benchmark = BENCHMARKS.load(name)
    row = next(line for line in PAGE.splitlines() if f"`{name}`" in line.partition(" | ")[0])
    for protocol in benchmark.protocols:
        assert f"`{protocol.name}`" in row
        assert f"| `{protocol.name}`" in PAGE or f" `{protocol.name}`" in PAGE
    assert benchmark.splits[0] in row
    assert benchmark.protocols[0].respondent in row


def test_the_page_names_every_distortion():
    assert "|".join(DISTORTIONS) in PAGE


def test_published_rows_have_a_source_and_belong_to_a_protocol():
    for row in PUBLISHED:
        benchmark = BENCHMARKS.load(row.benchmark)
        assert row.split in benchmark.splits
        assert row.protocol in {protocol.name for protocol in benchmark.protocols}
        assert "arXiv" in row.source
        assert 0 < row.value < 1

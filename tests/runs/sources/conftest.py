"""Shards, as other programs write them."""

import io
import json
import tarfile

import pytest

from builders import an_image


def a_picture(seed: int = 0) -> bytes:
    """The bytes of a PNG file."""
    return an_image(seed=seed).to_png_bytes()


@pytest.fixture
def write_tar(tmp_path):
    """Writes a tar shard of named bytes."""

    def write(members, name="shard.tar", mode="w"):
        file = tmp_path / name
        with tarfile.open(file, mode) as archive:
            for member, content in members:
                info = tarfile.TarInfo(member)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
        return file

    return write


@pytest.fixture
def write_parquet(tmp_path):
    """Writes a Parquet shard from columns; `features` as the library datasets notes them."""
    arrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    from pyarrow import parquet

    def write(columns, name="shard.parquet", features=None, row_group_size=2):
        table = arrow.table(columns)
        if features is not None:
            note = {b"huggingface": json.dumps({"info": {"features": features}}).encode()}
            table = table.replace_schema_metadata(note)
        parquet.write_table(table, tmp_path / name, row_group_size=row_group_size)
        return tmp_path / name

    return write

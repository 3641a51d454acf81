"""A picture carries its recipe, the same recipe gives the same bytes, and no place leaks into it."""

import json
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from vae_explorer.config import RunConfig
from vae_explorer.errors import DataError, UsageError
from vae_explorer.export.captions import Captions
from vae_explorer.export.picture import RECIPE_KEY, compose, png_bytes, read_recipe
from vae_explorer.export.recipe import MAX_RECIPE_BYTES, Recipe, decode_recipe, encode_recipe

RECIPE = Recipe(
    what="interpolation", rows=2, cols=3, seed=7, start=(0.1, -2.5), end=4, path="spherical", axes=(1, 0), draw=True
).completed(run="run", step=1200, config=RunConfig(), data_digest="ab" * 32)


@pytest.fixture
def picture():
    return np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)


def chunks_of(content):
    position, found = 8, []
    while position < len(content):
        length, kind = struct.unpack(">I4s", content[position : position + 8])
        found.append((kind, content[position + 8 : position + 8 + length]))
        position += 12 + length
    return found


def png_of(*chunks):
    """A PNG's signature and chunks with right checksums."""
    packed = b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + packed


def test_the_same_recipe_gives_the_same_bytes(picture):
    first = png_bytes(picture, RECIPE)
    assert png_bytes(picture.copy(), decode_recipe(encode_recipe(RECIPE), where="here")) == first
    assert png_bytes(picture, Recipe(what="samples")) != first


def test_only_pixels_and_recipe_are_in_the_file(picture):
    kinds = [kind for kind, _ in chunks_of(png_bytes(picture, RECIPE))]
    assert kinds == [b"IHDR", b"iTXt", b"IDAT", b"IEND"]


def test_pixels_and_recipe_come_back(tmp_path, picture):
    path = tmp_path / "grid.PNG"
    path.write_bytes(png_bytes(picture, RECIPE))
    assert read_recipe(path) == RECIPE
    with Image.open(path) as opened:
        assert np.array_equal(np.asarray(opened), picture)
        assert json.loads(opened.text[RECIPE_KEY])["step"] == 1200


def test_a_recipe_comes_from_json_too(tmp_path):
    path = tmp_path / "recipe.json"
    path.write_text('{"what": "manifold", "rows": 4, "start": [0.5, 1]}')
    assert read_recipe(path) == Recipe(what="manifold", rows=4, start=(0.5, 1.0))


@pytest.mark.parametrize(
    "name", ["/home/someone/secret/pictures", "C:\\Users\\someone\\secret\\pictures", "../secret/pictures/", "pictures"]
)
def test_of_a_data_set_given_by_path_only_its_name_remains(picture, name):
    config = RunConfig().with_values({"data.name": name})
    recipe = Recipe(what="samples").completed(run="/home/someone/run", step=1, config=config, data_digest="ab")
    content = png_bytes(picture, recipe)
    assert b"secret" not in content
    assert b"someone" not in content
    back = decode_recipe(encode_recipe(recipe), where="here")
    assert back.config["data"]["name"] == "pictures"
    assert back.run == "run"
    assert back.step == 1


def test_a_recipe_without_a_configuration_is_encoded_as_it_is():
    recipe = Recipe(what="codes")
    assert decode_recipe(encode_recipe(recipe), where="here") == recipe


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no PNG"),
        (b"GIF89a", "no PNG"),
        (png_of(), "carries no recipe"),
        (png_of((b"IHDR", b"\0" * 13), (b"IDAT", b""), (b"IEND", b"")), "carries no recipe"),
        (png_of((b"iTXt", b"other\0\0\0\0\0{}"), (b"IEND", b"")), "carries no recipe"),
        (png_of((b"iTXt", RECIPE_KEY.encode() + b"\0\0\0\0\0{}")), "holds no recipe"),
        (png_of((b"iTXt", RECIPE_KEY.encode() + b"\0\0\0\0\0\xff\xfe")), "holds no recipe"),
        (png_of((b"iTXt", RECIPE_KEY.encode())), "damaged"),
        (png_of((b"iTXt", RECIPE_KEY.encode() + b"\0\1\0\0\0" + zlib.compress(b"x" * 10_000_000))), "damaged"),
        (b"\x89PNG\r\n\x1a\n\xff\xff\xff\xffiTXt", "carries no recipe"),
        (b"\x89PNG\r\n\x1a\n\xff\xff\xff\xffIDAT", "carries no recipe"),
    ],
)
def test_a_picture_without_a_good_recipe_is_one_sentence(tmp_path, content, message):
    path = tmp_path / "grid.png"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        read_recipe(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("offset", [30, 60, 200])
def test_a_flipped_bit_or_a_cut_in_the_recipe_is_found(tmp_path, picture, offset):
    content = bytearray(png_bytes(picture, RECIPE))
    at = content.index(b"iTXt") + offset
    content[at] ^= 4
    path = tmp_path / "grid.png"
    path.write_bytes(bytes(content))
    with pytest.raises(DataError, match="damaged"):
        read_recipe(path)
    path.write_bytes(bytes(content[:at]))
    with pytest.raises(DataError):
        read_recipe(path)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "null", '{"what": "painting"}', '{"what": "samples", "colour": 1}', '{"rows": 3}', "[" * 100_000,
     '{"what": "samples", "rows": "many"}', " " * (MAX_RECIPE_BYTES + 5)],
)  # fmt: skip
def test_json_that_is_no_recipe_is_one_sentence(tmp_path, text):
    path = tmp_path / "recipe.json"
    path.write_text(text)
    with pytest.raises(DataError) as caught:
        read_recipe(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_or_another_kind_of_file_is_refused(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        read_recipe(tmp_path / "nowhere.png")
    with pytest.raises(UsageError, match=r"not \.jpg"):
        read_recipe(tmp_path / "x.jpg")


# ---- composing -------------------------------------------------------------------------------------------------------


def test_a_picture_without_captions_is_the_mosaic():
    tiles = np.ones((2, 3, 1, 8, 8), dtype=np.float32)
    plain = compose(tiles, Recipe(what="samples", gap=1), Captions(title="not asked for"))
    assert plain.shape == (2 * 33 + 1, 3 * 33 + 1, 3)
    assert compose(tiles, Recipe(what="samples", gap=1, scale=1)).shape == (2 * 9 + 1, 3 * 9 + 1, 3)


def test_captions_add_margins_and_leave_the_tiles_untouched():
    tiles = np.random.default_rng(0).random((2, 3, 1, 28, 28), dtype=np.float32)
    recipe = Recipe(what="samples", captions=True)
    plain = compose(tiles, recipe)
    words = compose(tiles, recipe, Captions(title="Samples", rows=("first", "second"), cols=("a", "b", "c")))
    assert words.shape[0] > plain.shape[0]
    assert words.shape[1] > plain.shape[1]
    assert np.array_equal(words[-plain.shape[0] :, -plain.shape[1] :], plain)
    top, left = words.shape[0] - plain.shape[0], words.shape[1] - plain.shape[1]
    assert words[:top].min() < 100  # ink
    assert words[top:, :left].min() < 100
    assert np.array_equal(words, compose(tiles, recipe, Captions("Samples", ("first", "second"), ("a", "b", "c"))))


def test_each_row_and_column_has_its_word_beside_it():
    tiles = np.ones((3, 3, 1, 28, 28), dtype=np.float32)
    recipe = Recipe(what="samples", captions=True, gap=4)
    plain = compose(tiles, recipe)
    words = compose(tiles, recipe, Captions(rows=("", "here", ""), cols=("", "", "x")))
    top, left = words.shape[0] - plain.shape[0], words.shape[1] - plain.shape[1]
    inked_rows = np.flatnonzero((words[:, :left] < 128).any(axis=(1, 2)))
    assert top + 4 + 32 <= inked_rows.min()
    assert inked_rows.max() < top + 4 + 32 + 28
    inked_cols = np.flatnonzero((words[:top] < 128).any(axis=(0, 2)))
    assert left + 4 + 2 * 32 <= inked_cols.min()


def test_words_wider_than_their_tile_are_cut_and_never_run_over_the_next():
    tiles = np.ones((1, 2, 1, 28, 28), dtype=np.float32)
    recipe = Recipe(what="samples", captions=True)
    plain = compose(tiles, recipe)
    words = compose(tiles, recipe, Captions(cols=("a very long caption indeed", "")))
    assert words.shape[1] == plain.shape[1]
    inked = np.flatnonzero((words[: -plain.shape[0]] < 128).any(axis=(0, 2)))
    assert len(inked)
    assert inked.max() < 2 + 28 + 2


def test_no_words_change_nothing():
    tiles = np.ones((1, 2, 1, 28, 28), dtype=np.float32)
    recipe = Recipe(what="samples", captions=True)
    assert np.array_equal(compose(tiles, recipe, Captions()), compose(tiles, recipe))

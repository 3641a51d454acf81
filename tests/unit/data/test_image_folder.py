"""Folders of pictures: modes, orientation, labels, sizes, and files that are skipped."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from data_makers import picture_folder, read
from PIL import Image

from vae_explorer.errors import CancelledError, DataError

NAMES = ("a.png", "b.jpg", "c.webp", "d.bmp", "e.tif", "f.jpeg", "g.TIFF", "h.PNG")


def test_all_five_formats(tmp_path: Path) -> None:
    data = read(picture_folder(tmp_path, NAMES))
    assert data.images.shape == (8, 1, 8, 10)
    np.testing.assert_allclose(data.images.mean(axis=(1, 2, 3)), 20 * np.arange(8), atol=2)
    assert data.labels is None
    assert "saved in colour but grey throughout: read as grey" in data.provenance.understood  # WebP has no grey
    assert data.provenance.source == "folder"


def test_class_folders_give_labels_in_natural_order(tmp_path: Path) -> None:
    picture_folder(tmp_path, ("10/x.png", "2/x.png", "cat/deep/x.png", "loose.png"))
    data = read(tmp_path)
    assert data.class_names == ("2", "10", "cat")
    assert data.labels.tolist() == [1, 0, 2, -1]
    assert "in 3 classes" in data.provenance.understood[0]


def test_skipped_files_are_counted_and_listed(tmp_path: Path) -> None:
    picture_folder(tmp_path, ("a.png", "b.png", "c.jpg"))
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "text.png").write_text("I am a text")
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "c.jpg").read_bytes()[:-200])
    (tmp_path / "cut.png").write_bytes((tmp_path / "b.png").read_bytes()[:50])
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / ".hidden").write_text("not seen")
    data = read(tmp_path)
    assert len(data) == 3
    assert len(data.provenance.skipped) == 5
    listed = "\n".join(data.provenance.skipped)
    for text in (
        r"empty.png: an empty file",
        "text.png: its content is no picture",
        "cut.jpg: ",
        "cut.png: ",
        "notes.txt",
    ):
        assert text in listed
    assert "5 files were skipped" in data.provenance.understood
    np.testing.assert_allclose(data.images.mean(axis=(1, 2, 3)), [0, 20, 40], atol=2)


def test_labels_stay_with_their_pictures_when_some_are_skipped(tmp_path: Path) -> None:
    picture_folder(tmp_path, ("cat/a.png", "cat/b.png", "dog/c.png", "dog/d.png"))
    whole = Path(tmp_path, "cat/b.png").read_bytes()
    Path(tmp_path, "cat/a.png").write_bytes(whole[: len(whole) // 2])
    data = read(tmp_path)
    assert data.labels.tolist() == [0, 1, 1]
    assert data.images.mean(axis=(1, 2, 3)).tolist() == [20, 40, 60]


@pytest.mark.parametrize("make", [lambda p: None, lambda p: (p / "notes.txt").write_text("x")])
def test_folder_without_pictures(tmp_path: Path, make: object) -> None:
    make(tmp_path)
    with pytest.raises(DataError, match=r"an empty folder|1 files, none of them a picture"):
        read(tmp_path)


def test_folder_of_nothing_but_broken_pictures(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"no picture that can be read \(.*a\.png: an empty file"):
        read(tmp_path)


def test_mixed_sizes_ask_for_a_side(tmp_path: Path) -> None:
    picture_folder(tmp_path, ("a.png", "b.png"))
    picture_folder(tmp_path, ("c.png",), size=(7, 9))
    with pytest.raises(DataError, match=r"c\.png: 7 x 9 pixels; expected 10 x 8 as in a\.png; set data\.side"):
        read(tmp_path)
    assert read(tmp_path, side=6).shape == (1, 6, 6)


def test_large_pictures_ask_for_a_side(tmp_path: Path) -> None:
    picture_folder(tmp_path, ("a.png",), size=(513, 8))
    with pytest.raises(DataError, match=r"a\.png: images of 513 x 8 pixels; expected at most 512"):
        read(tmp_path)
    assert read(tmp_path, side=16).shape == (1, 16, 16)


def test_decompression_bombs_are_skipped(tmp_path: Path) -> None:
    picture_folder(tmp_path, ("a.png",))
    for name, size in (("bomb.png", (12_000, 12_000)), ("larger.png", (20_000, 10_000))):
        Image.new("1", size).save(tmp_path / name)
    data = read(tmp_path, side=16)
    assert len(data) == 1
    assert sum("too many pixels" in reason for reason in data.provenance.skipped) == 2


def test_colour_auto_grey_and_colour(tmp_path: Path) -> None:
    picture_folder(tmp_path, ("a.png",))
    picture_folder(tmp_path, ("b.png",), mode="RGB")
    auto = read(tmp_path)
    assert auto.shape == (3, 8, 10)
    assert "1 grey pictures were read in colour" in " ".join(auto.provenance.understood)
    grey = read(tmp_path, colour="grey")
    assert grey.shape == (1, 8, 10)
    assert grey.images[1, 0, 0, 0] == 29  # the luma of pure blue
    (tmp_path / "b.png").unlink()
    assert read(tmp_path, colour="colour").shape == (3, 8, 10)


def test_fits(tmp_path: Path) -> None:
    picture = np.zeros((4, 12), np.uint8)
    picture[:, 4:8] = 255  # the middle square is white
    Image.fromarray(picture).save(tmp_path / "a.png")
    assert read(tmp_path, side=4, fit="crop").images.min() == 255
    padded = read(tmp_path, side=12, fit="pad").images[0, 0]
    assert padded[:4].max() == 0
    np.testing.assert_array_equal(padded[4:8], picture)
    stretched = read(tmp_path, side=12, fit="stretch").images[0, 0]
    assert stretched.shape == (12, 12)
    assert (stretched[:, 6] == 255).all()
    assert stretched[:, 0].max() == 0


def test_exif_orientation_is_obeyed(tmp_path: Path) -> None:
    pixels = np.zeros((8, 16, 3), np.uint8)
    pixels[:, :8] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned by 90 degrees clockwise
    Image.fromarray(pixels).save(tmp_path / "a.jpg", exif=exif, quality=95)
    data = read(tmp_path)
    assert data.shape == (1, 16, 8)
    assert data.images[0, 0, :7].min() > 240
    assert data.images[0, 0, 9:].max() < 15


def test_sixteen_bits_are_scaled_not_clipped(tmp_path: Path) -> None:
    ramp = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)
    for name in ("a.png", "b.tif"):
        Image.fromarray(ramp).save(tmp_path / name)
    data = read(tmp_path)
    for image in data.images:
        np.testing.assert_allclose(image[0], ramp / 257, atol=0.51)


def test_transparency_is_laid_on_white(tmp_path: Path) -> None:
    pixels = np.zeros((4, 4, 4), np.uint8)
    pixels[:2, :, 3] = 255
    Image.fromarray(pixels).save(tmp_path / "a.png")
    layered = Image.fromarray(pixels[..., [0, 3]])
    assert layered.mode == "LA"
    layered.save(tmp_path / "b.png")
    for image in read(tmp_path, colour="grey").images:
        assert image[0, :2].max() == 0
        assert image[0, 2:].min() == 255


@pytest.mark.parametrize(("colour", "channels"), [((200, 10, 10), 3), ((90, 90, 90), 1)])
def test_palettes_are_grey_or_colour_by_their_entries(tmp_path: Path, colour: tuple, channels: int) -> None:
    picture = Image.new("P", (4, 4))
    picture.putpalette([*colour, *(0, 0, 0) * 255])
    picture.save(tmp_path / "a.png")
    data = read(tmp_path)
    assert data.shape == (channels, 4, 4)
    assert data.images[0, :, 0, 0].tolist() == list(colour[:channels])


@pytest.mark.parametrize("mode", ["1", "CMYK", "RGBA", "LA", "P"])
def test_other_modes_load(tmp_path: Path, mode: str) -> None:
    suffix = "jpg" if mode == "CMYK" else "png"
    Image.new(mode, (6, 6)).save(tmp_path / f"a.{suffix}")
    assert len(read(tmp_path)) == 1


def test_floats_in_a_tiff_are_skipped_with_a_reason(tmp_path: Path) -> None:
    picture_folder(tmp_path, ("a.png",))
    Image.new("F", (10, 8)).save(tmp_path / "b.tif")
    assert "32-bit floats" in read(tmp_path).provenance.skipped[0]


def test_cancelling_and_progress(tmp_path: Path) -> None:
    from vae_explorer.config import DataConfig
    from vae_explorer.data.catalog import open_data

    picture_folder(tmp_path, tuple(f"{index}.png" for index in range(9)))
    texts: list[str] = []
    with pytest.raises(CancelledError):
        open_data(
            DataConfig(name=str(tmp_path)),
            progress=lambda share, text: texts.append(text),
            is_cancelled=lambda: len(texts) > 12,
        )
    assert texts[0] == "Looking at 0.png"
    assert texts[-1] == "Reading 3.png"


def test_links_in_a_circle_are_not_followed(tmp_path: Path) -> None:
    picture_folder(tmp_path, ("cat/a.png",))
    try:
        (tmp_path / "cat" / "again").symlink_to(tmp_path, target_is_directory=True)
    except OSError:
        pytest.skip("no links here")
    assert len(read(tmp_path)) == 1

"""Images and PDFs that take minutes or gigabytes to decode: one line each, within limits."""

import json
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from mnist_lightning.errors import DataError
from mnist_lightning.handwriting import decoding
from mnist_lightning.handwriting.decoding import MEMORY, Decoder

PAGE = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 4 0 R"


def _stream(content: bytes, entries: bytes = b"") -> bytes:
    return b"<</Length %d%s>>\nstream\n%s\nendstream" % (len(content), entries, content)


def _pdf(page: bytes, *rest: bytes) -> bytes:
    catalogue = b"<</Type/Catalog/Pages 2 0 R>>"
    objects = (catalogue, b"<</Type/Pages/Kids[3 0 R]/Count 1>>", page, *rest)
    content = b"%PDF-1.7\n"
    for number, one in enumerate(objects, start=1):
        content += b"%d 0 obj\n%s\nendobj\n" % (number, one)
    return content + b"trailer\n<</Size %d/Root 1 0 R>>\n%%%%EOF" % (len(objects) + 1)


def _nested_forms(depth: int = 10, calls: int = 8) -> bytes:
    """Forms that each draw the next one eight times: a billion strokes from 3 kB."""
    form = b"/Type/XObject/Subtype/Form/BBox[0 0 600 800]"
    forms = [
        _stream(b"/F Do " * calls, form + b"/Resources<</XObject<</F %d 0 R>>>>" % (number + 1))
        for number in range(5, 5 + depth)
    ]
    page = PAGE + b"/Resources<</XObject<</F 5 0 R>>>>>>"
    return _pdf(page, _stream(b"/F Do"), *forms, _stream(b"0 0 m 9 9 l S", form))


def _many_strokes() -> bytes:
    stroke = b"0 0 m 700 100 100 700 600 800 c S 600 0 m 0 800 l S "
    strokes = zlib.compress(stroke * 300_000)
    return _pdf(PAGE + b">>", _stream(strokes, b"/Filter/FlateDecode"))


def _header_alone() -> bytes:
    """A PNG that declares 64 megapixels and has none."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        sum_ = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + sum_

    header = struct.pack(">IIBBBBB", 8000, 8000, 8, 6, 0, 0, 0)
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    return start + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("make", "name", "message"),
    [
        (_many_strokes, "strokes.pdf", "more than 1 s a page"),
        (_header_alone, "header.png", "is damaged"),
    ],
)
def test_a_hostile_file_is_refused_and_the_next_one_is_read(
    make: Callable[[], bytes],
    name: str,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("pypdfium2")
    (tmp_path / name).write_bytes(make())
    Image.new("L", (50, 40), 200).save(tmp_path / "honest.png")

    with Decoder() as decoder:
        with monkeypatch.context() as patch:
            if "strokes" in name:
                patch.setattr(decoding, "PAGE_SECONDS", 1.0)
            with pytest.raises(DataError, match=message) as refused:
                list(decoder.read_pages(tmp_path / name))
        (page,) = decoder.read_pages(tmp_path / "honest.png")

    assert name in str(refused.value)
    assert "\n" not in str(refused.value)
    assert page.shape == (40, 50)


MEASURED = """
import resource, sys
from pathlib import Path
from mnist_lightning.errors import DataError
from mnist_lightning.handwriting import decoding
# On a busy machine, the limit of time would come first.
decoding.PAGE_SECONDS = decoding.FILE_SECONDS
with decoding.Decoder() as decoder:
    for name in sys.argv[1:]:
        try:
            (page,) = decoder.read_pages(Path(name))
            print(page.shape)
        except DataError as error:
            print(error)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)
"""


def _measure(*paths: Path) -> tuple[list[str], int]:
    """Decode files from a fresh process: a line for each, and the decoder's peak memory in MB."""
    command = [sys.executable, "-c", MEASURED, *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    *outcomes, megabytes = done.stdout.splitlines()
    return outcomes, int(megabytes)


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in kB on Linux")
def test_memory_is_bounded_and_64_megapixels_of_rgba_take_twice_their_size(tmp_path: Path) -> None:
    pytest.importorskip("pypdfium2")
    (tmp_path / "nested.pdf").write_bytes(_nested_forms())
    Image.new("L", (50, 40), 200).save(tmp_path / "honest.png")
    large = Image.new("RGBA", (8000, 8000), (200, 10, 10, 255))
    large.save(tmp_path / "large.png", compress_level=1)

    (refused, read), megabytes = _measure(tmp_path / "nested.pdf", tmp_path / "honest.png")
    assert "nested.pdf: decoding it takes more than" in refused
    assert "GB of memory" in refused
    assert read == "(40, 50)"
    assert megabytes < MEMORY / 1e6
    outcomes, megabytes = _measure(tmp_path / "large.png")
    assert outcomes == ["(1600, 1600)"]
    assert megabytes < 600


@pytest.mark.skipif(sys.platform == "win32", reason="Windows reports no peak of the memory")
def test_memory_is_watched_where_the_system_has_no_limit(tmp_path: Path) -> None:
    pytest.importorskip("pypdfium2")
    (tmp_path / "nested.pdf").write_bytes(_nested_forms())
    code = (
        "import sys; sys.modules['resource'] = None\n"
        "from mnist_lightning.handwriting import decoding\n"
        # Sooner than the limit in use, but a multiple of what the libraries take.
        "decoding.MEMORY = 400_000_000; decoding.serve()"
    )

    done = subprocess.run(
        [sys.executable, "-c", code],
        input=json.dumps(str(tmp_path / "nested.pdf")),
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )

    assert done.returncode == 1
    assert done.stdout == ""


def test_a_reader_that_stops_early_gets_the_next_file_and_not_the_rest(tmp_path: Path) -> None:
    frames = [Image.new("L", (60, 40), shade) for shade in (10, 100, 200)]
    frames[0].save(tmp_path / "three.tif", save_all=True, append_images=frames[1:])
    Image.new("L", (50, 30), 200).save(tmp_path / "one.png")

    with Decoder() as decoder:
        pages = decoder.read_pages(tmp_path / "three.tif")
        assert next(pages).shape == (40, 60)
        pages.close()
        (page,) = decoder.read_pages(tmp_path / "one.png")

    assert page.shape == (30, 50)


def test_one_process_decodes_many_files_and_ends_with_the_block(tmp_path: Path) -> None:
    Image.new("L", (50, 30), 200).save(tmp_path / "one.png")
    (tmp_path / "bad.png").write_bytes(b"no image")
    processes = set()

    with Decoder() as decoder:
        for _ in range(3):
            list(decoder.read_pages(tmp_path / "one.png"))
            with pytest.raises(DataError, match=r"bad\.png"):
                list(decoder.read_pages(tmp_path / "bad.png"))
            processes.add(decoder._process)

    (process,) = processes
    assert process is not None
    assert process.poll() is not None


def test_the_process_imports_neither_torch_nor_scipy() -> None:
    code = (
        "import sys\nimport mnist_lightning.handwriting.decoding\n"
        "assert not {'torch', 'scipy', 'skimage', 'matplotlib'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_module_in_the_current_folder_is_not_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("L", (50, 30), 200).save(tmp_path / "one.png")
    (tmp_path / "numpy.py").write_text("open('imported', 'w').close()", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])

    with Decoder() as decoder:
        list(decoder.read_pages(Path("one.png")))

    assert not (tmp_path / "imported").exists()

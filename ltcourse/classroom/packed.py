"""Files of questions with their answers: plain for authors, packed in a student copy, where no editor shows a key.

Packed is not secret. The quiz has to reply offline, so whoever calls this module reads every answer.
"""

import base64
import binascii
import zlib
from pathlib import Path

SUFFIX = ".packed"


def pack(text: str) -> bytes:
    """Return a text in a form that neither an editor nor a search through files shows; `read` undoes it.

    Lesson 08, "Quiz".
    """
    return base64.encodebytes(zlib.compress(text.encode("utf-8"), 9))


def read(file: Path) -> str:
    """Return the text of a file, plain or packed by its suffix; of a plain one that is not there, its packed form's.

    Raises ValueError, one sentence, for a packed file that is damaged, and OSError where there is neither.
    Lesson 08, "Quiz".
    """
    if file.suffix != SUFFIX and file.exists():
        return file.read_text(encoding="utf-8")
    file = file.with_suffix(SUFFIX)
    try:
        return zlib.decompress(base64.b64decode(file.read_bytes(), validate=False)).decode("utf-8")
    except (binascii.Error, zlib.error, UnicodeDecodeError) as error:
        raise ValueError(f"{file.name} is damaged ({error}): copy it once more from the student copy") from error


def each(folder: Path) -> list[Path]:
    """Return the files of questions in a folder, in order, plain or packed; of both forms of one, the plain file.

    Lesson 08, "Quiz".
    """
    plain = {file.stem: file for file in folder.glob("*.toml")}
    packed = {file.stem: file for file in folder.glob(f"*{SUFFIX}")}
    return [file for _, file in sorted((packed | plain).items())]

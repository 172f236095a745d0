"""Inputs that are not what their name says, and encodings that must be guessed for a message."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
from typing import TYPE_CHECKING

import pytest
from table_rows import rows_of, table, texts

from inference_forge.adapters.sources import open_source
from inference_forge.adapters.sources.encoding_guess import guess_encoding, guess_wide
from inference_forge.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path


def packed(*names: str) -> bytes:
    """Return a ZIP archive of empty files."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    return out.getvalue()


@pytest.mark.parametrize("name", ["in.csv", "in.tsv", "in.jsonl", "in.json"])
@pytest.mark.parametrize(
    ("data", "message"),
    [
        (packed("tickets.csv"), "a ZIP archive, not text: unpack it"),
        (gzip.compress(packed("tickets.csv")), "a ZIP archive"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500), "an old or protected Excel workbook"),
        (b"%PDF-1.7\n%\xe2\xe3\n", "a PDF document, not text: export"),
        (bz2.compress(b"id,text\n"), "packed with bzip2, not text: unpack it"),
        (lzma.compress(b"id,text\n"), "packed with xz"),
        (b"SQLite format 3\0", "an SQLite database"),
        (b"\x89PNG\r\n\x1a\n", "a picture"),
    ],
    # Packed bytes hold the time of day.
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_file_that_is_no_text_is_named(
    tmp_path: Path, name: str, data: bytes, message: str
) -> None:
    """What it looks like, and what to do."""
    with pytest.raises(InputError, match=rf"in\.\w+: looks like .*{message}"):
        table(data, tmp_path, name=name)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'[{"id":1,"text":"a"}]', "JSON, not a table: add --input-format json$"),
        (b'\xef\xbb\xbf\n{"id":1,"text":"a"}\n{}', "JSON, not a table: add --input-format jsonl$"),
        (b'{\n "tickets": []}', "JSON, not a table: add --input-format json$"),
        (b"<!DOCTYPE html>\n<html>", "a web page or XML"),
        (b'<?xml version="1.0"?>\n<Workbook/>', "a web page or XML"),
        ("id,text\n1,a\n".encode("utf-16-le"), "UTF-16-LE without .* --encoding utf-16-le$"),
        ("id,text\n1,a\n".encode("utf-16-be"), "--encoding utf-16-be$"),
        ("id,text\n1,a\n".encode("utf-32-le"), "--encoding utf-32-le$"),
        ("id,text\n1,a\n".encode("utf-32-be"), "--encoding utf-32-be$"),
    ],
)
def test_text_that_is_no_table_is_named(tmp_path: Path, data: bytes, message: str) -> None:
    """So that nothing is guessed from a header that is none."""
    with pytest.raises(InputError, match=rf"in\.csv: looks like .*{message}"):
        table(data, tmp_path)


@pytest.mark.parametrize("header", ["<id>,text", "[id],text", '{"id"},text', "PK,text", "BZ,text"])
def test_an_odd_header_is_no_other_format(tmp_path: Path, header: str) -> None:
    """Only what cannot be a table is refused."""
    assert texts(rows_of(f"{header}\n1,a\n", tmp_path)) in (["a"], [])


def test_a_table_on_a_pipe_is_looked_at_too() -> None:
    """Whatever comes first is enough."""
    with pytest.raises(InputError, match="standard input: looks like a PDF"):
        open_source("-", stdin=io.BytesIO(b"%PDF-1.7 ..."), input_format="csv")
    source = open_source("-", stdin=io.BytesIO(b"text\na\n"), input_format="csv")
    assert texts(source.read_block(1)) == ["a"]
    source.close()


def test_utf32_with_a_mark_is_read(tmp_path: Path) -> None:
    """Its mark begins like that of UTF-16."""
    data = "id,text\n1,Grüße\n"
    for encoding in ("utf-32-le", "utf-32-be"):
        assert texts(rows_of(("\ufeff" + data).encode(encoding), tmp_path)) == ["Grüße"]


# ruff: noqa: RUF001 - letters of other scripts are the point
TEXTS = {
    "cp1252": "Die Rechnung für März ist falsch, bitte prüfen Sie das Gerät. Grüße",
    "cp1250": "Nie mogę się zalogować, proszę o pomoc z fakturą źle wystawioną. Gdzie przesyłka?",
    "cp1251": "Не могу войти в аккаунт, помогите пожалуйста, жду уже неделю",
    "cp1253": "Δεν μπορώ να συνδεθώ στον λογαριασμό μου, πού είναι η παραγγελία",
    "cp932": "ログインできません。パスワードをリセットしてください",
    "euc_jp": "ログインできません。パスワードをリセットしてください",
    "gb18030": "我无法登录我的账户，请帮助我重置密码，我的订单还没有到",
    "big5": "我無法登入我的帳戶，請幫助我重設密碼，我的訂單還沒有到",
    "cp949": "로그인이 되지 않습니다. 비밀번호를 재설정해 주세요",
}


@pytest.mark.parametrize(
    ("encoding", "count"),
    # Of two lines in Polish western and central Europe cannot be told apart.
    [(name, 4_000) for name in TEXTS] + [(name, 2) for name in TEXTS if name != "cp1250"],
)
def test_an_encoding_is_guessed_for_the_message_only(
    tmp_path: Path, encoding: str, count: int
) -> None:
    """The user must name it; no byte is decoded by a guess."""
    data = ("id,text\n" + f"1,{TEXTS[encoding]}\n" * count).encode(encoding)
    with pytest.raises(
        InputError, match=rf"line 2, column \d+: .* probably --encoding {encoding}$"
    ):
        rows_of(data, tmp_path)


def test_a_word_is_enough_for_the_likeliest_guess() -> None:
    """Of encodings that give the same text the most common one is named."""
    assert guess_encoding(b"id,text\n1,caf\xe9\n") == "cp1252"


def test_what_is_no_text_gives_no_guess(tmp_path: Path) -> None:
    """The message then gives an example."""
    data = bytes(range(128, 256)) * 3
    assert guess_encoding(data) is None
    with pytest.raises(InputError, match="name the file's encoding, for example --encoding cp1252"):
        rows_of(b"id,text\n1," + data, tmp_path)


def test_some_zero_bytes_are_no_wide_encoding(tmp_path: Path) -> None:
    """Damage and padding are not taken for UTF-16 or UTF-32."""
    padding = b"id,text\n1,a\n" + bytes(4096)
    assert guess_wide(padding) is None
    assert guess_wide(b"id,text\n" + b"1,abcdefg\n" * 400 + bytes(8)) is None
    assert guess_wide(bytes(3)) is None
    assert guess_wide(b"text" * 1_000 + b"a\0" * 10) is None
    assert guess_encoding(b"id,text\n1,\xe9\0\n") is None
    assert texts(rows_of(padding, tmp_path)) == ["a", "!nul_byte"]
    assert (
        guess_wide("id,text\n1,日本語の文章\n2,日本語の文章\n".encode("utf-16-le")) == "utf-16-le"
    )


def test_a_bad_byte_in_a_file_that_is_utf8_is_damage(tmp_path: Path) -> None:
    """To read all of it in another encoding would spoil the other rows."""
    data = "id,text\n1,Grüße, naïve €\n".encode() + b"2,caf\xe9\n"
    with pytest.raises(InputError, match=r"line 3, column 6: .* mend the line"):
        rows_of(data, tmp_path)


def test_a_bad_byte_behind_a_mark_is_damage(tmp_path: Path) -> None:
    """The mark names the encoding."""
    with pytest.raises(InputError, match=r"line 2, column 6: .* it is damaged: export it again"):
        rows_of(b"\xef\xbb\xbfid,text\n1,caf\xe9 x\n", tmp_path)
    torn = b"\xff\xfe" + "id,text\n1,a\n".encode("utf-16-le")[:-1]
    with pytest.raises(InputError, match=r"line 2: byte 0x0a .* it is torn: export it again"):
        rows_of(torn, tmp_path)

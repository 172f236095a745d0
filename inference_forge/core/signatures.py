"""Cut what mail programs and firms put under a text: signatures, device lines, disclaimers.

Works line by line and paragraph by paragraph; each is looked at once, long ones in part. English,
German, Spanish, French and Hindi wordings are known.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from inference_forge.core.quotes import begins_quote

if TYPE_CHECKING:
    from collections.abc import Sequence

_DELIMITER: Final = "--"  # RFC 3676, section 4.3; exports often lose its trailing space
_MAX_SIGNATURE_LINES: Final = 12
_MAX_SIGNATURE_CHARS: Final = 1_000
_MAX_FOOTER_CHARS: Final = 120
_MIN_FOOTER_CHARS: Final = 10
_MAX_PARAGRAPH_CHARS: Final = 3_000

_DEVICE: Final = (
    r"(?:iphone|ipad|ipod|apple watch|samsung|galaxy|android\S*|mobile\S*|mobil\S*|móvil|handy"
    r"|phone|smartphone|tablet|tel[ée]fono|téléphone|blackberry|huawei|xiaomi|redmi|oneplus|oppo"
    r"|vivo|realme|pixel|nokia|motorola|windows|mail|e-?mail|outlook|yahoo\S*|gmail|aol|gmx\S*"
    r"|web\.de|proton ?mail|icloud|thunderbird|spark|mailbird|मोबाइल|फ़ोन|फोन)"
)
_FOOTER: Final = re.compile(
    rf"sent (?:from|via|with|using) (?:my |an? |the )?{_DEVICE}\b.{{0,60}}"
    r"|get outlook for (?:ios|android|mac)\b.{0,40}"
    rf"|(?:diese nachricht wurde )?(?:von|vom|mit) (?:meinem? |der )?{_DEVICE}\b.{{0,40}}gesendet"
    rf"|gesendet (?:von|mit|über) (?:meinem? |der )?{_DEVICE}\b.{{0,60}}"
    r"|outlook für (?:ios|android|mac) (?:beziehen|herunterladen)"
    rf"|enviado (?:desde|con) (?:mi |un |una |el )?{_DEVICE}\b.{{0,60}}"
    r"|(?:obtener|descargar) outlook para (?:ios|android|mac)"
    rf"|envoyé (?:depuis|de|avec|à partir de) (?:mon |ma |un |une |l['\u2019])?{_DEVICE}\b.{{0,60}}"
    r"|(?:télécharger|obtenir) outlook pour (?:ios|android|mac)"
    rf"|(?:मेरे )?{_DEVICE}.{{0,20}} से भेजा गया"
    r"|(?:virus-free\.|(?:this|diese) e-?mail (?:has been|wurde)).{0,60}"
    r"(?:avast|avg|virus|viren).{0,60}",
    re.IGNORECASE,
)
_FOOTER_EDGES: Final = " \t*_<>[]().!।"

_DISCLAIMER: Final = re.compile(
    r"[\W_]{0,5}(?:(?:this|the (?:information|contents?)|any) .{0,60}?"
    r"(?:e-?mail|message|communication|transmission|attachment)"
    r"|confidential|disclaimer|privileged|notice:|caution|warning|external|if you (?:are not|have)"
    r"|diese (?:e-?mail|nachricht)|der inhalt dieser|vertraulich|haftungsausschluss|sollten sie"
    r"|wenn sie nicht|este (?:mensaje|correo|e-?mail)|esta comunicaci[óo]n|la informaci[óo]n"
    r"|aviso (?:legal|de confidencialidad)|si (?:usted )?(?:no es|ha recibido)"
    r"|ce (?:message|courriel|mail|courrier)|cet e-?mail|avertissement|si vous (?:n'|n\u2019|avez)"
    r"|यह (?:ईमेल|ई-मेल|संदेश)|इस (?:ईमेल|ई-मेल|संदेश)|गोपनीय|यदि आप|अगर आप)",
    re.IGNORECASE,
)
_FEATURES: Final = (
    re.compile(r"confiden[ct]ial|privileged|vertraulich|confidentiel|गोपनीय", re.IGNORECASE),
    re.compile(
        r"intended (?:only|solely|recipient|for the|exclusively)|addressee|named recipient"
        r"|adressat|empfänger|destinatari[oa]|destinataire|प्राप्तकर्ता",
        re.IGNORECASE,
    ),
    re.compile(
        r"in error|by mistake|notify|delete|destroy|irrtümlich|löschen|vernichten|por error"
        r"|elimin|borr[ae]|notifi|par erreur|supprim|détrui|गलती|हटा|मिटा",
        re.IGNORECASE,
    ),
    re.compile(
        r"unauthori[sz]ed|prohibited|disclos|disseminat|unbefugt|nicht gestattet|untersagt"
        r"|prohibid|divulg|interdit|निषिद्ध|वर्जित",
        re.IGNORECASE,
    ),
    re.compile(
        r"outside (?:of )?(?:the|your|our) organi[sz]ation|external sender|externen absender",
        re.IGNORECASE,
    ),
    re.compile(
        r"do not click|(?:click|open) (?:on )?(?:any )?(?:links|attachments)"
        r"|keine (?:links|anhänge)",
        re.IGNORECASE,
    ),
)
_NEEDED_FEATURES: Final = 2  # one of them is said by people too


def cut_signatures(text: str) -> str:
    r"""Return `text` without signatures, device lines and disclaimers, joined by "\n".

    A signature stands under a line `--`, at the end or before what is quoted, and has at most 12
    lines. A disclaimer is a paragraph that begins like one and says at least two of the things
    that they say (confidential, for the addressee, delete it, ...).
    """
    lines = text.splitlines()
    kept = _without_signature(lines) if _DELIMITER in text else lines
    kept = _without_disclaimers(_without_footers(kept))
    return text if len(kept) == len(lines) else "\n".join(kept).strip("\n")


def _without_signature(lines: Sequence[str]) -> list[str]:
    """Return the lines without those from a delimiter to the end or to what is quoted."""
    kept: list[str] = []  # from the last line to the first
    below: list[str] = []
    count = chars = 0
    for line in reversed(lines):
        if line.rstrip() == _DELIMITER and _is_short(count, chars):
            below, count, chars = [], 0, 0
        elif begins_quote(line):
            kept += below
            kept.append(line)
            below, count, chars = [], 0, 0
        else:
            below.append(line)
            count += bool(line.strip())
            chars += len(line)
    kept += below
    kept.reverse()
    return kept


def _is_short(lines: int, chars: int) -> bool:
    return lines <= _MAX_SIGNATURE_LINES and chars <= _MAX_SIGNATURE_CHARS


def _without_footers(lines: Sequence[str]) -> list[str]:
    return [
        line for line in lines if not line or len(line) > _MAX_FOOTER_CHARS or not _is_footer(line)
    ]


def _is_footer(line: str) -> bool:
    text = line.strip(_FOOTER_EDGES)
    return len(text) > _MIN_FOOTER_CHARS and _FOOTER.fullmatch(text) is not None


def _without_disclaimers(lines: Sequence[str]) -> list[str]:
    """Return the lines without disclaimers; of each paragraph the first likely line is tried."""
    kept: list[str] = []
    opening: int | None = None
    for line in lines:
        if not line or line.isspace():
            _drop_disclaimer(kept, opening)
            opening = None
        elif opening is None and _DISCLAIMER.match(line):
            opening = len(kept)
        kept.append(line)
    _drop_disclaimer(kept, opening)
    return kept


def _drop_disclaimer(kept: list[str], opening: int | None) -> None:
    if opening is None:
        return
    paragraph = " ".join(kept[opening:])[:_MAX_PARAGRAPH_CHARS]
    if sum(feature.search(paragraph) is not None for feature in _FEATURES) >= _NEEDED_FEATURES:
        del kept[opening:]

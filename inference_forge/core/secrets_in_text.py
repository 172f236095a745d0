"""Find API keys, tokens and private keys by the forms that their issuers give them."""

from __future__ import annotations

import re
from typing import Final

# Forms with a prefix of their own. A prefix alone is not enough where words begin like it:
# those under `mixed` need a letter and a digit.
_TOKENS: Final = (
    r"(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])"  # AWS access key id
    r"|gh[pousr]_[A-Za-z0-9]{16,255}+|github_pat_\w{20,255}+"
    r"|gl(?:pat|dt|rt|cbt)-[\w-]{16,255}+"  # GitLab
    r"|xox[a-z]-[A-Za-z0-9-]{8,255}+|xapp-[A-Za-z0-9-]{8,255}+"  # Slack
    r"|AIza[\w-]{35}|ya29\.[\w-]{20,2048}+"  # Google
    r"|[rs]k_(?:live|test)_[A-Za-z0-9]{8,255}+|whsec_[A-Za-z0-9+/=]{16,255}+"  # Stripe
    r"|hf_[A-Za-z0-9]{20,255}+|gsk_[A-Za-z0-9]{20,255}+|npm_[A-Za-z0-9]{30,255}+"
    r"|pypi-[\w-]{20,1024}+|SG\.[\w-]{16,64}+\.[\w-]{16,128}+"
    r"|eyJ[\w-]{8,8192}+\.[\w-]{8,65536}+(?:\.[\w-]{0,65536}+){0,3}+"  # JWT, RFC 7519
    r"|(?P<mixed>sk-[\w-]{8,512}+)"  # OpenAI, Anthropic and many that copy them
)
# Forms that only the words before them give away; these words stay.
_NAMED: Final = (
    r"(?P<scheme>(?:bearer|(?<=authorization:)\s{0,3}basic) {1,3}+)"
    r"(?P<credential>[\w.~+/=-]{8,8192}+)"
    r"|(?P<name>(?:api|access|secret|private|auth|client)[-_ ]?(?:key|token|secret)['\"]? {0,3}+"
    r"(?:[:=]|is) {0,3}+['\"]?)(?P<value>[\w.~+/=-]{16,8192}+)"
)
_IN_URL: Final = r"://[^\s/:@]{1,64}+:(?P<password>[^\s/@]{1,128}+)(?=@)"
_KEY: Final = re.compile(
    rf"(?<![A-Za-z0-9_-])(?:{_TOKENS})|(?<!\w)(?i:{_NAMED})|{_IN_URL}", re.ASCII
)

# Base64 has no hyphen: the body ends at the next rule. Without an end only what looks like
# base64 goes, because the text may go on in words.
_PRIVATE_KEY: Final = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----"
    r"(?:(?:[^-]|-(?!----)){0,65536}+-----END [A-Z0-9 ]{0,50}-----"
    r"|(?:(?:\s|\\n){0,4}+[A-Za-z0-9+/=]{16,}+)*+)"
)
_HAS_DIGIT: Final = re.compile(r"[0-9]")
_HAS_LETTER: Final = re.compile(r"[A-Za-z]")


def redact_keys(text: str) -> tuple[str, int]:
    """Return the text with `[key]` for each secret, and how many there were."""
    number = 0

    def replaced(found: re.Match[str]) -> str:
        nonlocal number
        secret = found[found.lastgroup] if found.lastgroup else found[0]
        # "sk-" begins words too, and "Bearer" may be followed by one.
        if found.lastgroup and found.lastgroup != "password" and not _is_mixed(secret):
            return found[0]
        number += 1
        return found[0][: -len(secret)] + "[key]"

    if "PRIVATE KEY" in text:
        text, number = _PRIVATE_KEY.subn("[key]", text)
    return _KEY.sub(replaced, text), number


def _is_mixed(secret: str) -> bool:
    body = secret.removeprefix("sk-")
    return _HAS_DIGIT.search(body) is not None and _HAS_LETTER.search(body) is not None

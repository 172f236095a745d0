"""Telling a refusal in words from an answer that is merely no JSON."""

from __future__ import annotations

import re
from typing import Final

_MAX_CHARS: Final = 1000
"""Refusals are short; in longer prose such words are about something else."""

# Only at the beginning, and only with a verb of helping or answering: "I can't tell which" is an
# answer that may be repaired. The languages are those of tickets that models were seen to refuse.
_REFUSAL: Final = re.compile(
    r"""\W{0,10}(?:
    (?: (?:(?:i['\u2019]?m|i[ ]am|we[ ]are)[ ](?:very[ ]|so[ ]|really[ ])?sorry|sorry
          |i[ ]apologi[sz]e|my[ ]apologies|unfortunately|as[ ]an[ ]ai(?:[ ][\w-]{1,20}){0,3})
        [\s,.;:!\u2013\u2014-]{1,4}(?:but[ ]|however,?[ ])? )?
    (?:i|we)[ ](?:cannot|can[ ]?not|can['\u2019]?t|am[ ](?:unable|not[ ]able)[ ]to
        |are[ ]unable[ ]to|won['\u2019]?t|will[ ]not|must[ ](?:decline|refuse)
        |am[ ]not[ ](?:comfortable|allowed[ ]to))
    (?:[ ]to)?(?:[ ](?:be|able|to|really|in[ ]good[ ]conscience)){0,3}
    [ ](?:help|assist|comply|fulfil+|do[ ]that|do[ ]this|answer|respond|provide|process|engage
        |continue|discuss|classif|label|support|create|generate|share|with|your[ ]request
        |this[ ]request|that[ ]request)
    | (?:i['\u2019]?m|i[ ]am)[ ](?:unable|not[ ]able)[ ]to[ ](?:help|assist|comply|answer
        |process|provide|fulfil+|classif|label|respond|engage|discuss|continue)
    | (?:es[ ]tut[ ]mir[ ]leid|tut[ ]mir[ ]leid|entschuldigung|leider)[,.]?[ ](?:aber[ ])?
        (?:dabei[ ]|das[ ])?(?:kann|darf)[ ]ich
    | (?:(?:je[ ]suis|nous[ ]sommes)[ ])?désolée?s?[,.]?[ ](?:mais[ ])?je[ ]ne[ ]peux[ ]pas
    | lo[ ](?:siento|lamento)[,.]?[ ](?:pero[ ])?no[ ]puedo
    | (?:मुझे[ ](?:खेद|अफ़सोस|अफसोस)[ ]है|क्षमा[ ]करें|माफ़[ ]कीजिए|माफ[ ]कीजिए)
    )""",
    re.IGNORECASE | re.VERBOSE,
)


def is_refusal(text: str) -> bool:
    """Return whether `text`, in which no answer was found, begins as refusals do."""
    return len(text) <= _MAX_CHARS and _REFUSAL.match(text) is not None

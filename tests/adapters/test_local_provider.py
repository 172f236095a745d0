"""The local provider behind the port."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import orjson
import pytest

from inference_forge.adapters.local import MODEL_NAME, LocalModel, LocalProvider
from inference_forge.core.taxonomy import BUILT_IN
from inference_forge.models import Finish, ModelRequest, Usage

if TYPE_CHECKING:
    from inference_forge.ports import Provider


@pytest.fixture
def provider() -> Provider:
    """Return the provider for the built-in taxonomy, typed as the port."""
    return LocalProvider.for_taxonomy(BUILT_IN)


def request(*texts: str) -> ModelRequest:
    """Return a request for `texts`."""
    return ModelRequest(texts=texts, messages=(), schema=None, max_output_tokens=100)


async def test_an_answer_is_a_json_object_of_the_fields(provider: Provider) -> None:
    """In the taxonomy's order, free of charge, from the named model."""
    answer = await provider.ask(request("My card was charged twice, please refund"))
    values = orjson.loads(answer.text)
    assert list(values) == ["category", "priority", "summary"]
    assert values["category"] == "billing"
    assert answer.model == provider.model == MODEL_NAME == "local-baseline"
    assert answer.usage == Usage()
    assert answer.finish is Finish.STOP


async def test_several_texts_are_answered_in_order(provider: Provider) -> None:
    """As an array."""
    answer = await provider.ask(request("refund my double charge", "laptop screen cracked"))
    categories = [values["category"] for values in orjson.loads(answer.text)]
    assert categories == ["billing", "hardware_issue"]


async def test_the_generation_names_the_revision(provider: Provider) -> None:
    """It is part of the fingerprint, so a retrained model asks again."""
    revision = LocalModel.from_taxonomy(BUILT_IN).revision
    assert provider.generation == {"revision": revision}
    assert len(revision) == 12
    assert repr(provider) == f"<LocalProvider local-baseline revision={revision}>"


async def test_asking_lets_others_run_and_can_be_cancelled(provider: Provider) -> None:
    """A million local answers must not starve the signal handler."""
    with anyio.CancelScope() as scope:
        scope.cancel()
        await provider.ask(request("text"))
    assert scope.cancelled_caught


async def test_closing_twice_is_harmless(provider: Provider) -> None:
    """There is nothing to close."""
    await provider.aclose()
    await provider.aclose()

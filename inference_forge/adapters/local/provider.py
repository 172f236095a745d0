"""The embedded default provider: answers at once, costs nothing, needs no key."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
from anyio.lowlevel import checkpoint

from inference_forge.adapters.local.model import LocalModel
from inference_forge.models import ModelAnswer, Usage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inference_forge.core.taxonomy import Taxonomy
    from inference_forge.models import ModelRequest

MODEL_NAME = "local-baseline"


class LocalProvider:
    """A `Provider` that classifies the request's texts itself.

    Arguments:
        model: what answers; `LocalProvider.for_taxonomy` makes it.
    """

    def __init__(self, model: LocalModel) -> None:
        self._model = model

    @classmethod
    def for_taxonomy(cls, taxonomy: Taxonomy) -> LocalProvider:
        """Return a provider that answers the fields of `taxonomy`.

        Raises:
            TaxonomyError: the taxonomy gives too few examples to learn from.
        """
        return cls(LocalModel.from_taxonomy(taxonomy))

    @property
    def model(self) -> str:
        """The model's name, part of the fingerprint."""
        return MODEL_NAME

    @property
    def generation(self) -> Mapping[str, object]:
        """The model's revision: answers of an older revision are not reused."""
        return {"revision": self._model.revision}

    async def ask(self, request: ModelRequest, way: object = None) -> ModelAnswer:  # noqa: ARG002
        """Classify the text of `request` and answer with one JSON object.

        Several texts are answered with a JSON array of objects, in their order.
        """
        await checkpoint()
        answers = [self._model.answer(text) for text in request.texts]
        body = orjson.dumps(answers[0] if len(answers) == 1 else answers)
        return ModelAnswer(text=body.decode(), model=MODEL_NAME, usage=Usage())

    async def aclose(self) -> None:
        """Do nothing: there is no connection."""
        await checkpoint()

    def __repr__(self) -> str:
        """Name the model and its revision."""
        return f"<LocalProvider {MODEL_NAME} revision={self._model.revision}>"

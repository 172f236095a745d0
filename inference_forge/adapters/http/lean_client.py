"""httpx's client, without what is switched off here anyway."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from httpx._client import UseClientDefault
    from httpx._types import AuthTypes


class LeanClient(httpx.AsyncClient):
    """A client whose `send` passes a request straight to its transport.

    Redirects, authentication, cookies and event hooks have no part in a request here; going
    through them takes a third of httpx's time, half of it for cookies that nobody sends back.
    Who asks for one of them gets httpx's own `send`.
    """

    async def send(
        self,
        request: httpx.Request,
        *,
        stream: bool = False,
        auth: AuthTypes | UseClientDefault | None = httpx.USE_CLIENT_DEFAULT,
        follow_redirects: bool | UseClientDefault = httpx.USE_CLIENT_DEFAULT,
    ) -> httpx.Response:
        """Send `request` and return the response, read unless it is to be streamed.

        Raises:
            httpx.HTTPError: the exchange failed.
            RuntimeError: the client is closed.
        """
        usual = httpx.USE_CLIENT_DEFAULT
        if auth is not usual or follow_redirects is not usual or self.is_closed:
            return await super().send(
                request, stream=stream, auth=auth, follow_redirects=follow_redirects
            )
        if "timeout" not in request.extensions:
            request.extensions = {**request.extensions, "timeout": self.timeout.as_dict()}
        # Not the transport itself: tests put themselves in its place here (respx).
        response = await self._transport_for_url(request.url).handle_async_request(request)
        response.request = request
        if not stream:
            try:
                await response.aread()
            except BaseException:
                await response.aclose()
                raise
        return response

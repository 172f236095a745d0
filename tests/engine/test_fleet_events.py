"""What is told of endpoints, one by one and together."""

from __future__ import annotations

from fakes import Recorder

from inference_forge.cli.display import notice_of
from inference_forge.cli.wording import endpoints_in_words, progress_parts
from inference_forge.engine.fleet_events import FleetEvents
from inference_forge.events import (
    BreakerChanged,
    DispatchPaused,
    EndpointChanged,
    RetryScheduled,
    WakingBegan,
    WakingEnded,
    Warned,
)
from inference_forge.observe.tally import Tally


def states(recorder: Recorder) -> list[tuple[str, str]]:
    """Return what was told, shortly."""
    return [
        (event.name, event.state) if isinstance(event, EndpointChanged) else ("all", event.after)
        for event in recorder.events
        if isinstance(event, EndpointChanged | BreakerChanged)
    ]


def test_the_breaker_is_open_only_when_all_are_out() -> None:
    """The last to go and the first to come back are the provider's news."""
    recorder = Recorder()
    events = FleetEvents(["a", "b"], recorder.on_event)
    a, b = events.of("a"), events.of("b")
    a(BreakerChanged("closed", "open", 5, "down"))
    a(BreakerChanged("open", "half_open", 0))
    a(BreakerChanged("half_open", "open", 7))
    assert states(recorder) == [("a", "out")]
    b(BreakerChanged("closed", "open", 5, "down"))
    b(BreakerChanged("open", "half_open", 0))
    b(BreakerChanged("half_open", "closed", 0))
    a(BreakerChanged("open", "closed", 0))
    assert states(recorder)[1:] == [
        ("all", "open"), ("all", "half_open"), ("all", "closed"), ("a", "back"),
    ]  # fmt: skip


def test_a_closed_endpoint_is_told_of_once() -> None:
    """Its breaker says no more; when the others were out, now all is."""
    recorder = Recorder()
    events = FleetEvents(["a", "b", "c"], recorder.on_event)
    events.of("a")(BreakerChanged("closed", "open", 5))
    events.retire("b", "b refuses")
    events.of("b")(BreakerChanged("closed", "open", 5))
    events.retire("c", "c refuses")
    assert states(recorder) == [("a", "out"), ("all", "open")]
    assert [event.message for event in recorder.of(Warned)] == [
        "b refuses; going on with 2 others",
        "c refuses; going on with 1 other",
    ]


def test_a_pause_of_the_last_one_is_a_pause() -> None:
    """While others go on it is only its own; everything else passes as it is."""
    recorder = Recorder()
    events = FleetEvents(["a", "b"], recorder.on_event)
    pause = DispatchPaused("rate_limited", 30)
    events.of("a")(pause)
    events.of("a")(BreakerChanged("closed", "open", 5))
    events.of("b")(pause)
    events.of("b")(RetryScheduled("x", 1.0, 1))
    assert recorder.events[0] == EndpointChanged("a", "paused", 30, "rate_limited")
    assert recorder.events[2:] == [pause, RetryScheduled("x", 1.0, 1)]


def test_endpoints_in_words() -> None:
    """Notices, and the summary's line."""
    assert notice_of(EndpointChanged("gpu1", "out", 5, "down")) == (
        "gpu1 fails (down); the others go on, it is asked again in 5.0 s"
    )
    assert notice_of(EndpointChanged("gpu1", "back", 0)) == "gpu1 answers again"
    assert notice_of(EndpointChanged("gpu1", "paused", 9, "busy")) is None
    assert notice_of(EndpointChanged("gpu1", "paused", 30, "busy")) == (
        "gpu1 asks to wait 30.0 s (busy); the others go on"
    )
    assert notice_of(WakingEnded("gpu1", 80, is_awake=True)) == "gpu1 is awake after 1 min 20 s"
    assert notice_of(WakingEnded("gpu1", 80, is_awake=False)) is None
    many = {f"key {n}": n for n in range(1, 11)}
    assert endpoints_in_words(many).endswith("key 4 4, key 5 5 and 5 more")


def test_progress_says_who_is_waited_for() -> None:
    """How long, of how much; no longer when it is over."""
    now = 10.0
    tally = Tally(lambda: now)
    tally.on_event(WakingBegan("gpu1", 600, "503"))
    now = 90.0
    assert "waiting for gpu1 to wake, 1 min 20 s of 10 min 00 s" in progress_parts(tally)
    tally.on_event(WakingEnded("gpu1", 80, is_awake=True))
    assert not any("waiting" in part for part in progress_parts(tally))

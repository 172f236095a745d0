"""llama.cpp's own server, and the one of llama-cpp-python, with a model of random weights.

Decoding is constrained in the first, so that even this model can give no label but valid ones; the
second knows `json_object` only, which keeps no label.
"""

from __future__ import annotations

import tarfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cases import ROWS, Case
from environment import Environment, free_port, started

if TYPE_CHECKING:
    from collections.abc import Iterator

BINDINGS = "llama-cpp-python==0.3.36"
PINS = (
    "llama-cpp-python[server]==0.3.36",
    "gguf==0.19.0",
    "numpy==2.4.6",
    "cmake==4.4.4",
    "ninja==1.13.2",
)
KEY = "sk-interop"
WITHOUT = ("LLAMA_BUILD_TESTS", "LLAMA_BUILD_EXAMPLES", "LLAMA_BUILD_UI", "LLAMA_USE_PREBUILT_UI",
           "LLAMA_OPENSSL", "BUILD_SHARED_LIBS")  # fmt: skip
START_DELAY_S = 3.0

# An answer that is cut off within its free text; what chance writes there never ends by itself.
CUT_OFF = frozenset({"truncated", "invalid_json"})
UNCONSTRAINED = frozenset({"truncated", "invalid_json", "invalid_label", "empty", "refused"})


def prepare(home: Path) -> Environment:
    """Install both servers, which compiles llama.cpp twice, and write the model."""
    environment = Environment(home / "llamacpp", PINS)
    environment.install()
    if not _server(environment).exists():
        _build(environment)
    script = Path(__file__).with_name("make_gguf.py")
    environment.run("python", str(script), str(_model(environment)))
    return environment


def _model(environment: Environment) -> Path:
    return environment.home / "random.gguf"


def _server(environment: Environment) -> Path:
    return environment.home / "build" / "bin" / "llama-server"


def _build(environment: Environment) -> None:
    """Compile `llama-server` from the sources that the bindings' package carries along."""
    home = environment.home
    name = BINDINGS.partition("==")[0]
    fetch = ("pip", "download", "--quiet", "--no-deps", "--no-binary", name, BINDINGS)
    environment.run(*fetch, "--dest", str(home))
    archive = next(home.glob("llama_cpp_python-*.tar.gz"))
    with tarfile.open(archive) as packed:
        packed.extractall(home / "source", filter="data")
    source = next((home / "source").glob("*/vendor/llama.cpp"))
    off = [f"-D{name}=OFF" for name in WITHOUT]
    flags = ("-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release", "-DCMAKE_CXX_FLAGS=-O1", *off)
    environment.run("cmake", "-S", str(source), "-B", str(home / "build"), *flags)
    environment.run("ninja", "-C", str(home / "build"), "llama-server")


def cases(environment: Environment) -> Iterator[tuple[str, Case]]:
    """Yield server and case while the server runs."""
    yield from _native(environment)
    yield from _starting(environment)
    yield from _bindings(environment)


def _native_command(environment: Environment, port: int) -> list[str]:
    return [
        str(_server(environment)),
        *("--model", str(_model(environment)), "--alias", "random"),
        *("--host", "127.0.0.1", "--port", str(port), "--api-key", KEY),
        *("--ctx-size", "32768", "--parallel", "4", "--threads", "1"),
    ]


@contextmanager
def _running(environment: Environment, command: list[str], port: int) -> Iterator[None]:
    log, probe = environment.home / "server.log", f"http://127.0.0.1:{port}/v1/models"
    with started(command, log, environment.environ(), probe=probe):
        yield


def _native(environment: Environment) -> Iterator[tuple[str, Case]]:
    port = free_port()
    base = ("--provider", "llamacpp", "--base-url", f"http://127.0.0.1:{port}/v1")
    key = {"LLAMA_API_KEY": KEY}
    labels = ("--taxonomy", "labels.toml")
    with _running(environment, _native_command(environment, port), port):
        for case in (
            Case(
                "labels only",
                (*base, "--model", "random", *labels),
                key,
                doctor=(0, "json_schema is kept to"),
            ),
            Case(
                "labels and summary",
                (*base, "--model", "random"),
                key,
                exits=3,
                least=1,
                codes=CUT_OFF,
                rows=60,
                patience=("--max-output-tokens", "96"),
            ),
            Case(
                "a ticket that is too long",
                (*base, "--model", "random", *labels),
                key,
                exits=3,
                least=ROWS - 1,
                codes=frozenset({"context_length"}),
                has_long=True,
            ),
            Case(
                "wrong key",
                (*base, "--model", "random"),
                {"LLAMA_API_KEY": "sk-wrong"},
                exits=4,
                least=0,
                said="unauthorized",
                doctor=(4, "fail  key:"),
            ),
            Case(
                "messages, tool not forced by it",
                (
                    *("--provider", "anthropic", "--base-url", f"http://127.0.0.1:{port}/v1"),
                    *("--model", "random", *labels),
                ),
                {"ANTHROPIC_API_KEY": KEY},
                exits=4,
                least=0,
                codes=UNCONSTRAINED,
                patience=("--max-output-tokens", "32"),
            ),
        ):
            yield "llama-server", case


def _starting(environment: Environment) -> Iterator[tuple[str, Case]]:
    """Yield a case whose server begins to start only when the run is under way."""
    port = free_port()
    arguments = ("--provider", "llamacpp", "--base-url", f"http://127.0.0.1:{port}/v1")
    case = Case(
        "started after the run",
        (*arguments, "--model", "random", "--taxonomy", "labels.toml"),
        {"LLAMA_API_KEY": KEY},
    )
    is_over = threading.Event()

    def start_late() -> None:
        time.sleep(START_DELAY_S)
        with _running(environment, _native_command(environment, port), port):
            is_over.wait()

    late = threading.Thread(target=start_late)
    late.start()
    try:
        yield "llama-server", case
    finally:
        is_over.set()
        late.join()


def _bindings(environment: Environment) -> Iterator[tuple[str, Case]]:
    port = free_port()
    command = [
        *(environment.program("python"), "-m", "llama_cpp.server"),
        *("--model", str(_model(environment)), "--model_alias", "random"),
        *(
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
            "--api_key",
            KEY,
            "--n_ctx",
            "8192",
            "--n_threads",
            "1",
        ),
    ]
    base = ("--provider", "llamacpp", "--base-url", f"http://127.0.0.1:{port}/v1")
    with _running(environment, command, port):
        yield (
            "llama-cpp-python",
            Case(
                "json_schema is refused",
                (*base, "--model", "random"),
                {"LLAMA_API_KEY": KEY},
                exits=4,
                least=0,
                codes=UNCONSTRAINED,
                said="json_object",
                doctor=(0, "json_object"),
                patience=("--max-output-tokens", "64"),
            ),
        )
        yield (
            "llama-cpp-python",
            Case(
                "wrong key",
                (*base, "--model", "random"),
                {"LLAMA_API_KEY": "sk-wrong"},
                exits=4,
                least=0,
                said="unauthorized",
                doctor=(4, "fail  key:"),
            ),
        )

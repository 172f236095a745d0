"""What else a user would pick: the scripts that call it, and the versions that are installed."""

from __future__ import annotations

PINS = {
    "openai_sdk": ("openai==3.52.0",),
    # What its cache holds, LiteLLM only returns when its proxy's requirements are installed, too.
    "litellm": ("litellm[proxy]==1.106.2", "diskcache==5.6.3"),
    "batchllm": ("batchllm-ai==0.2.0",),
    "curator": ("bespokelabs-curator==0.1.31",),
    # LOTUS imports PyTorch; a plain version would bring gigabytes for graphics cards.
    "lotus": ("torch==2.13.0", "lotus-ai==1.2.4"),
    "inspect_ai": ("inspect-ai==0.3.285", "openai==3.52.0"),
}
"""Environment -> what is installed in it."""

PEERS = {
    "openai SDK": ("openai_sdk.py", "openai_sdk"),
    "LiteLLM": ("litellm_sdk.py", "litellm"),
    "LiteLLM batch": ("litellm_batch.py", "litellm"),
    "BatchLLM": ("batchllm.py", "batchllm"),
    "curator": ("curator.py", "curator"),
    "LOTUS": ("lotus_map.py", "lotus"),
    "inspect_ai": ("inspect_task.py", "inspect_ai"),
}
"""Name -> its script beside this file in `peers`, and its environment."""

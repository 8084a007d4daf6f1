"""``python -m edge_sdk.cli`` is ``edge-sdk``."""

from edge_sdk.cli import main

main()

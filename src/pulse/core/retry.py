"""When to try again."""


def backoff_ms(attempt: int, base_ms: int, longest_ms: int, draw: float) -> int:
    """The pause after the failed attempt number `attempt` (from 1): `base_ms`, doubled each time, at most `longest_ms`.

    `draw` (0 to 1) is the share of it that is waited; a random one is "full jitter" (AWS Architecture Blog,
    "Exponential Backoff And Jitter"), 1 is no jitter.
    """
    pause: int = min(longest_ms, base_ms << min(attempt - 1, 62))
    return round(pause * draw)

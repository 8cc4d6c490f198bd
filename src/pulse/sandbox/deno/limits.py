"""What a script, a message and a process may use. The child is told the same, but the parent does not rely on it."""

import os
from dataclasses import dataclass
from typing import Literal

MIB = 1 << 20
CPU_COUNT = os.cpu_count() or 1


@dataclass(frozen=True)
class Limits:
    """Times in milliseconds, memory in MiB, sizes in bytes or characters."""

    script_timeout_ms: int = 5_000
    message_timeout_ms: int = 900_000
    isolate_memory: int = 128
    busy_processes: int = 4
    idle_processes: int = 16
    spare_processes: int = 1
    in_flight: int = 64
    in_flight_bytes: int = 32 * MIB
    effects: int = 1_000
    effect_size: int = 1 * MIB
    asks_size: int = 8 * MIB
    result_size: int = 2 * MIB
    log_size: int = 1 * MIB
    print_size: int = 10_000
    frame_size: int = 64 * MIB
    messages_per_process: int = 50_000
    boot_ms: int = 10_000
    lone_deaths: int = 3
    realm: Literal["fresh", "verified"] = "verified"

    @property
    def memory_mark(self) -> int:
        """Bytes of heap and buffers above which an error may be another message's doing."""
        return self.isolate_memory * MIB * 7 // 10

    def for_child(self, functions: list[str]) -> dict[str, object]:
        """The settings that the runtime is started with."""
        return {
            "realm": self.realm,
            "functions": functions,
            "frameLimit": self.frame_size,
            "resultLimit": self.result_size,
            "logLimit": self.log_size,
            "printLimit": self.print_size,
            "effects": self.effects,
            "effectLimit": self.effect_size,
            "asksLimit": self.asks_size,
            "memoryMark": self.memory_mark,
        }

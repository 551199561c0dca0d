from .events import (
    DIRECTIONS as DIRECTIONS,
    TASKS as TASKS,
    BlockNow as BlockNow,
    Direction as Direction,
    Shown as Shown,
    Task as Task,
)

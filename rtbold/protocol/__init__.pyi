from .draw import (
    all_runs as all_runs,
    block_lines as block_lines,
    minutes as minutes,
    picture as picture,
    run_line as run_line,
    timeline as timeline,
)
from .events import (
    DIRECTIONS as DIRECTIONS,
    TASKS as TASKS,
    BlockNow as BlockNow,
    Direction as Direction,
    Shown as Shown,
    Task as Task,
)
from .follow import (
    Follower as Follower,
    FollowSettings as FollowSettings,
    ProtocolNow as ProtocolNow,
    Step as Step,
)
from .history import (
    ATTEMPT_NAME as ATTEMPT_NAME,
    COPY_NAME as COPY_NAME,
    Attempt as Attempt,
    RunProgress as RunProgress,
    State as State,
    attempts_in as attempts_in,
    break_left_s as break_left_s,
    next_attempt as next_attempt,
    next_run as next_run,
    progress as progress,
    read_attempt as read_attempt,
    read_attempts as read_attempts,
    write_attempt as write_attempt,
)
from .plan import (
    PlannedBlock as PlannedBlock,
    RunPlan as RunPlan,
    plan_run as plan_run,
)
from .read import (
    Protocol as Protocol,
    example as example,
    parse_protocol as parse_protocol,
    read_protocol as read_protocol,
)
from .study import (
    LEAST_BASELINE as LEAST_BASELINE,
    Question as Question,
    Risky as Risky,
    Safety as Safety,
    Study as Study,
)

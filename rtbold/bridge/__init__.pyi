from .acks import AckServer as AckServer
from .door import Destination as Destination
from .judge import Ack as Ack, Finding as Finding, Judge as Judge, report as report
from .news import (
    Line as Line,
    News as News,
    Reader as Reader,
    Recent as Recent,
    Shown as Shown,
)
from .numbers import NumberChoice as NumberChoice
from .run import (
    Bridge as Bridge,
    BridgeSettings as BridgeSettings,
    run_bridge as run_bridge,
)

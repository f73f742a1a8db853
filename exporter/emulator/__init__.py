"""A stand-in for the cloud: an estate made from a seed, served with the API's rules and faults.

It imports nothing of the rest of the package, so that the two cannot share a mistake.

    async with Emulator(Estate(preset("tiny"))) as emulator:
        ...  # call emulator.url with the bearer token STATIC_TOKEN

`shape`, `layout`, `estate`, `images`, `naming` and `oddities` make the resources to list.
`behaviour` and `faults` say how well they are served. `parameters`, `ordering`, `pagetokens`,
`pages` and `listings` are the list calls, and `iam` gives the tokens. `sabotage` and `churn` carry
out the faults. `server` is HTTP, `calls` and `debug` show what was asked, and `listening` and
`serve` run it as a process. `oci` is another emulator: a registry with the OCI distribution API.
"""

from .behaviour import STATIC_TOKEN, Behaviour, ServiceKey
from .calls import CallLog, LoggedCall
from .churn import is_steady, steady_images
from .estate import Estate
from .faults import Fault, Faults, Outage, parse_fault
from .layout import Resource
from .listening import ListenError
from .serve import serve
from .server import Emulator
from .shape import PRESETS, Quirks, Shape, preset

__all__ = [
    "PRESETS",
    "STATIC_TOKEN",
    "Behaviour",
    "CallLog",
    "Emulator",
    "Estate",
    "Fault",
    "Faults",
    "ListenError",
    "LoggedCall",
    "Outage",
    "Quirks",
    "Resource",
    "ServiceKey",
    "Shape",
    "is_steady",
    "parse_fault",
    "preset",
    "serve",
    "steady_images",
]

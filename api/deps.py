"""What routes ask for: the city of this moment, its store, the scope of the caller, an indicator.

They are `async` so that they are called where they are: a plain `def` costs a hop to the thread pool each.
"""

from typing import Annotated

from fastapi import Depends, Path, Request

from api.state import ServerState
from geo.city import City
from geo.indicators import INDICATORS, Indicator, indicator
from geo.scope import Scope


async def get_state(request: Request) -> ServerState:
    """Return the server's state."""
    state: ServerState = request.app.state.server
    return state


async def get_city(state: Annotated[ServerState, Depends(get_state)]) -> City:
    """Return the snapshot of this moment; the request keeps it to its end."""
    return state.city


async def get_scope(state: Annotated[ServerState, Depends(get_state)]) -> Scope:
    """Return who asks and what they may see."""
    return state.scope


async def get_indicator(
    name: Annotated[str, Path(description=f"One of: {', '.join(INDICATORS)}")],
) -> Indicator:
    """Parse the name of an indicator."""
    return indicator(name)


async def get_secret(
    request: Request,
    state: Annotated[ServerState, Depends(get_state)],
    scope: Annotated[Scope, Depends(get_scope)],
) -> bool:
    """Whether secret cameras count in the answer (涉密点位); where they do, the reading is noted in the audit log."""
    if scope.sees_secret and state.holds_secret:
        state.audit_read(scope, f"secret cameras: {request.scope['route'].path}")
    return scope.sees_secret


StateDep = Annotated[ServerState, Depends(get_state)]
SecretDep = Annotated[bool, Depends(get_secret)]
CityDep = Annotated[City, Depends(get_city)]
ScopeDep = Annotated[Scope, Depends(get_scope)]
IndicatorDep = Annotated[Indicator, Depends(get_indicator)]

from .state.address import Address as Address, parse_address as parse_address
from .views.app import AppOptions as AppOptions, run as run

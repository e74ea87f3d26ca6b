"""From a model folder to an optimized, served model.

One import name for all of it. In a checkout the program (`infra`), the service (`service`) and the policies (`policy`)
are folders at the top, where Pulumi and its users look for them; this puts them on the package's path, so that they are
imported as `slipway.infra` and so on. Where the package is installed they lie inside of it, and nothing is added.
"""

import os as _os

_inside = _os.path.dirname(_os.path.abspath(__file__))
if not _os.path.isdir(_os.path.join(_inside, "service")):
    __path__.append(_os.path.dirname(_inside))

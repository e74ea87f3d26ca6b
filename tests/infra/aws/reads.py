"""What the provider asks AWS for when it reads a resource, by type, of the table that the deploy role has too."""

from slipway.infra.platforms.aws.permissions import table

READS = {kind.removeprefix("aws:"): tuple(row.read) for kind, row in table().types.items() if "Budget" not in kind}
# What the program itself asks before it declares anything, and `recover`.
ASKS = tuple(table().besides["program"]["actions"])

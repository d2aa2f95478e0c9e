"""Parts of pages that come after the rest: browsers that run scripts fetch them by themselves, everybody else gets whole pages.

The script of the pages says in a cookie that it runs. A page that looks at its figures again gets all of it at once.
"""

from collections.abc import Iterable

from starlette.requests import Request

from rice_stream.api.console.addresses import Pairs

PARAMETER = "part"
"""In the address of a part, and `WHOLE` in that of a page that is to come as a whole; no link of a page has it."""
WHOLE = "all"
REST = "rest"
"""What is left of a page without those parts; it is no parameter."""
COOKIE, RUNS = "rice-parts", "1"


def fetches_parts(request: Request) -> bool:
    """Whether who asks for a page fetches parts of it by themselves."""
    return request.cookies.get(COOKIE) == RUNS and "hx-request" not in request.headers


def without_part(pairs: Iterable[tuple[str, str]]) -> Pairs:
    """The parameters of the page that a part is of."""
    return [(name, value) for name, value in pairs if name != PARAMETER]

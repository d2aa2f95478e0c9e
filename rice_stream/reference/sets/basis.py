"""On which basis carbon intensities are accounted for: all of one scope, `lifecycle` or `direct`, and averages. Pure.

A set of another basis would be mixed with what is there, or do nothing without a word; it is refused before it is taken. What is
stored is read as it is, so this is no part of parsing.
"""

from rice_stream.reference.reading import raise_problems
from rice_stream.reference.sets.columns import INTENSITY_KINDS
from rice_stream.reference.sets.factor_set import FactorSet
from rice_stream.reference.sets.market_rows import marginal_problems


def check_basis(factor_set: FactorSet, scope: str) -> None:
    """ReferenceDataError, naming row and column: a row is of a marginal intensity, or none is of the scope that everything is
    estimated in."""
    if factor_set.kind not in INTENSITY_KINDS:
        return
    rows = factor_set.rows
    raise_problems(marginal_problems(rows))
    if rows and all(row.text("scope") != scope for row in rows):
        problem = (
            f"{rows[0].where}, column scope: {rows[0].text('scope')}, but everything is estimated by {scope} intensities"
            f" (RICE_RCI_SCOPE) and the two are never mixed, so that no prompt would rest on this set; give {scope} values"
        )
        raise_problems([problem])

"""May the texts of a source go to the endpoint? Only to one's own machines, unless terms or the user allow it.

Comes in: names of sources and settings. Goes out: names that are refused. Knows the terms as the catalog states them.
"""

from collections.abc import Iterable

from koqas.koqas_types import KoQasError
from koqas.train.generation.settings import GenerationSettings
from koqas.train.sources.catalog import SOURCES, source_named


def check_permissions(settings: GenerationSettings) -> None:
    """Refuse permissions for sources that do not exist: a typo must not look like a permission.

    Raises:
        KoQasError: An unknown name in `allow_third_party`.
    """
    for name in settings.allow_third_party:
        try:
            source_named(name)
        except KoQasError as error:
            raise KoQasError("allow_third_party", f"모르는 데이터셋입니다: {name}", error.hint) from error


def refused_sources(names: Iterable[str], settings: GenerationSettings) -> dict[str, str]:
    """Return the sources whose texts may not be sent, each with the reason in English.

    Args:
        names (`Iterable[str]`): Sources of the rows. One that is not in the catalog has unknown terms.
        settings (`GenerationSettings`): Backend, endpoint and the user's own permissions.
    """
    if not settings.remote:
        return {}
    known = {s.name: s for s in SOURCES}
    refused = {}
    for name in names:
        terms = known[name].third_party if name in known else "unknown"
        if terms != "allowed" and name not in settings.allow_third_party:
            refused[name] = (
                f"terms of {name!r} on passing texts to third parties: {terms}; use a local endpoint, "
                f"backend=rules, or name it in allow_third_party if you have an agreement"
            )
    return refused

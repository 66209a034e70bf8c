"""What a finished corpus was built from, read back from its manifest."""

from typing import Any

from configs.errors import InputError
from configs.load import Plan, load_languages, quality_default
from configs.models import Language, Recipe, Source
from configs.shown import shown


def plan_of(manifest: dict[str, Any], statistics: dict[str, Any] | None = None) -> Plan:
    """The plan of a finished corpus: recipe and sources from its manifest, languages as they are configured now.

    Languages that only its recipe described are named as `statistics` names them. Raises InputError where the manifest
    holds a recipe that this version cannot read.
    """
    try:
        recipe = Recipe.model_validate(manifest["recipe"])
        sources = tuple(Source.model_validate(source) for source in manifest["sources"])
    except (ValueError, KeyError, TypeError) as error:
        cause = f"holds a recipe that this version cannot read ({shown(error, 200)})"
        raise InputError("manifest.json", cause, "Use the version of OpenRoots that it names") from None
    languages = load_languages()
    more = {
        code: Language.model_validate(
            {
                "code": code,
                "name": entry["name"],
                "iso639_3": "und",
                "script": entry["script"] or "Zyyy",
                "roots_bytes": entry["roots_bytes"] or 0,
                "lid_labels": (),
                "quality": quality_default(),
            }
        )
        for code, entry in (statistics or {}).get("languages", {}).items()
        if code not in languages and entry["kind"] == "natural"
    }
    if more:
        languages = languages.model_copy(update={"natural": {**languages.natural, **more}})
    return Plan(recipe, languages, sources)

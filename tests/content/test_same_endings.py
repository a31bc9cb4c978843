"""The page and the server know the same names of files: what one takes, the other does not refuse for its name."""

from __future__ import annotations

from server.content.formats import AUDIO, FORMATS, SHOWN, VIDEO
from tests.node import run_node

RULES = 'import { RULES } from "./static/js/upload_rules.js"; console.log(JSON.stringify(RULES));'


async def test_the_page_takes_the_endings_and_names_the_formats_of_the_server() -> None:
    page = await run_node("--input-type=module", "--eval", RULES, seconds=20)
    every = {ending for known in FORMATS for ending in known.extensions}
    assert sorted([*page["video"]["endings"], *page["audio"]["endings"]]) == sorted(every)  # each under one kind
    for kind in (VIDEO, AUDIO):
        taken = {ending for known in FORMATS if known.name in SHOWN[kind] for ending in known.extensions}
        assert set(page[kind]["endings"]) <= taken, kind
        assert set(page[kind]["names"].replace(" or ", ", ").split(", ")) == set(SHOWN[kind])

"""Make links of the guides work on the site too: files outside docs/ are linked in the repository.

A hook of mkdocs. `../CONTRIBUTING.md` in a guide is a file beside docs/, which the site does not
have; it is linked where the repository is (`repo_url` of mkdocs.yml), or named where there is none.
"""

import re
from posixpath import join, normpath

LINK = re.compile(r"(!?)\[([^\]]*)\]\(((?!https?:|mailto:|#)[^)\s]+)\)")


def on_page_markdown(markdown: str, page, config, files) -> str:
    """Rewrite the links of one page that lead out of docs/."""
    folder = page.file.src_uri.rpartition("/")[0]

    def rewrite(match: re.Match[str]) -> str:
        mark, text, target = match.groups()
        path, hash_mark, anchor = target.partition("#")
        place = normpath(join("docs", folder, path))
        if place.startswith("docs/") or place == "docs":
            return match.group(0)
        if config.repo_url:
            repository = config.repo_url.rstrip("/")
            return f"{mark}[{text}]({repository}/blob/main/{place}{hash_mark}{anchor})"
        return f"{text} (`{place}`)" if text.strip("`") != place else f"`{place}`"

    return LINK.sub(rewrite, markdown)

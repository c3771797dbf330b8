"""Links of the documents lead somewhere, and the lists of documents are complete."""
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CODE = re.compile(r"^(```|~~~).*?^\1[^\n]*$|`[^`\n]*`|\\\\\(.*?\\\\\)", re.M | re.S)
LINK = re.compile(r"\[[^\]]*\]\(\s*<?([^)\s>]+)[^)]*\)|(?:src|href)=\"([^\"]+)\"")


def documents():
    found = [*ROOT.glob("*.md"), *(p for folder in ("docs", "input", "postprocess") for p in (ROOT / folder).rglob("*.md"))]
    names = (p.relative_to(ROOT) for p in found)
    return sorted(str(name) for name in names if not any(part.startswith(".") for part in name.parts))


def anchors(path):
    """Names of the headings, as GitHub and mdbook make them."""
    found = set()
    for heading in re.findall(r"^#+ +(.*?)\s*#*$", re.sub(r"^```.*?^```", "", path.read_text(), flags=re.M | re.S), re.M):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        name = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
        found.add(name if name not in found else f"{name}-1")
    return found


def links(name):
    text = CODE.sub("", (ROOT / name).read_text())
    return [a or b for a, b in LINK.findall(text)]


def target(name, link):
    """The file that a link leads to and the heading in it."""
    path, _, heading = link.partition("#")
    return ((ROOT / name).parent / path).resolve() if path else ROOT / name, heading


def local(link):
    return not re.match(r"[a-z]+:", link)


@pytest.mark.parametrize("name", documents())
def test_links_lead_somewhere(name):
    dead = []
    for link in filter(local, links(name)):
        path, heading = target(name, link)
        if not path.exists() or heading and path.suffix == ".md" and heading not in anchors(path):
            dead.append(link)
    assert not dead


def linked(name):
    return {target(name, link)[0] for link in links(name) if local(link)}


@pytest.mark.parametrize("name", ["README.md", "docs/index.md", "docs/SUMMARY.md"])
def test_every_page_is_listed(name):
    pages = {p for p in (ROOT / "docs").rglob("*.md") if p.name not in ("SUMMARY.md", Path(name).name)}
    if name != "docs/SUMMARY.md":
        # Pages on working at the program hang on that of contributing.
        pages -= {p for p in pages if p.parent.name == "contributing" and p.name != "index.md"}
    missing = pages - linked(name) - {ROOT / name}
    assert not missing


@pytest.mark.parametrize("name", ["README.md", "docs/index.md"])
def test_every_case_is_listed(name):
    cases = {p.parent for p in ROOT.glob("input/*/README.md")}
    assert cases and cases == {p for p in ROOT.glob("input/*") if p.is_dir()}
    missing = cases - {p.parent if p.is_file() else p for p in linked(name)}
    assert not missing


def test_every_option_stands_once_in_the_reference():
    text = (ROOT / "docs/reference/command-line.md").read_text()
    for section in re.split(r"^## ", text, flags=re.M):
        options = re.findall(r"^\| (?:`-\w`, )?`(--[\w-]+)", section, re.M)
        assert len(options) == len(set(options)), section.splitlines()[0]


def test_the_page_on_models_shows_the_code_that_is_compiled():
    code = (ROOT / "crates/kernels/src/models/reaction_diffusion.rs").read_text()
    page = (ROOT / "docs/contributing/model.md").read_text()
    blocks = re.findall(r"^```rust\n(.*?)^```", page, re.M | re.S)
    assert len(blocks) > 5
    assert [block for block in blocks if block.strip("\n") not in code] == []

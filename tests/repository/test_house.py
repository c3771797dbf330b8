"""No folder imports one that is not below it, no files import one another in a circle, and the drawing is current."""
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LAYERS = '[[layer]]\nground = "what all stand on"\n[[layer]]\nroof = "what stands on all"\n'
TREE = {
    "lib.rs": "pub mod ground;\npub mod roof;\n",
    "ground/mod.rs": "mod stone;\nmod sand;\npub use stone::Stone;\n",
    "ground/stone.rs": "use super::sand::Sand;\npub struct Stone(Sand);\n",
    "ground/sand.rs": "pub struct Sand;\n",
    "roof/mod.rs": "mod tile;\npub use tile::Tile;\n",
    "roof/tile.rs": "use crate::ground::{self, Stone};\npub struct Tile(Stone);\n",
}


def house(root, *options):
    command = [ROOT / ".ci" / "house", "--root", root, *options]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.fixture
def tree(tmp_path):
    """A small house that stands; a function that changes files of it and returns what is said against it then."""
    (tmp_path / "docs" / "contributing").mkdir(parents=True)
    (tmp_path / "docs" / "contributing" / "layers.toml").write_text(LAYERS)

    def build(**changes):
        for name, text in {**TREE, **changes}.items():
            path = tmp_path / "src" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def check(changes):
        build(**changes)
        return house(tmp_path, "--check").stderr

    build()
    assert house(tmp_path).returncode == 0
    assert house(tmp_path, "--check").returncode == 0
    return check


def test_the_house_stands():
    done = house(ROOT, "--check")
    assert done.returncode == 0, done.stderr


def test_the_crate_says_the_same_of_its_layers():
    layers = tomllib.loads((ROOT / "docs" / "contributing" / "layers.toml").read_text())["layer"]
    rows = [f"//! | {n} | [`{name}`] | {text} |" for n, layer in enumerate(layers, 1) for name, text in layer.items()]
    said = (ROOT / "src" / "lib.rs").read_text().replace("mod@", "")
    assert "\n".join(rows) + "\n" in said


def test_an_arrow_upward_is_refused(tree):
    error = tree({"ground/sand.rs": "\npub struct Sand;\nfn up() -> crate::roof::Tile {}\n"})
    assert "src/ground/sand.rs:3: ground must not import roof" in error


def test_a_circle_of_files_is_refused_with_each_import(tree):
    error = tree({"ground/sand.rs": "// Through the face.\nuse super::Stone;\npub struct Sand;\n"})
    assert "a circle of ground/sand, ground/stone" in error
    assert "src/ground/sand.rs:2" in error and "src/ground/stone.rs:1" in error


def test_a_circle_of_folders_inside_one_is_refused(tree):
    error = tree({
        "roof/mod.rs": "mod east;\nmod west;\n", "roof/tile.rs": "pub struct Tile;\n",
        "roof/east/mod.rs": "mod one;\nmod two;\npub use one::One;\npub use two::Two;\n",
        "roof/west/mod.rs": "mod three;\nmod four;\npub use three::Three;\npub use four::Four;\n",
        "roof/east/one.rs": "use crate::roof::west::Three;\npub struct One(Three);\n", "roof/east/two.rs": "pub struct Two;\n",
        "roof/west/three.rs": "pub struct Three;\n", "roof/west/four.rs": "use crate::roof::east::Two;\npub struct Four(Two);\n",
    })
    assert "a circle of roof/east, roof/west" in error


def test_comments_words_and_tests_do_not_count(tree):
    quiet = '// crate::roof::Tile\npub struct Sand;\nconst A: &str = "crate::roof::Tile";\n'
    assert "must not" not in tree({"ground/sand.rs": quiet + "#[cfg(test)]\nmod tests {\n    use crate::roof::Tile;\n}\n"})


def test_a_drawing_of_another_house_is_refused(tree):
    assert "not current" in tree({"roof/tile.rs": "pub struct Tile;\n"})

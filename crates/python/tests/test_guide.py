"""The guide's blocks are one program that runs."""
import re
import sys

import pytest
from conftest import ROOT, mpirun

pytest.importorskip("tessera", reason="the module is not built: make python")
GUIDE = ROOT / "docs" / "guide" / "python.md"


def blocks(language):
    found = re.findall(r"^```(\w*)\n(.*?)^```$", GUIDE.read_text(), re.M | re.S)
    return [text for word, text in found if word == language]


def name(block):
    """The file that a block says it is, or is the end of."""
    found = re.match(r"# (\S+\.\w+)(, continued)?\n", block)
    return found and found[1]


def run(script, text, ranks, folder):
    decks = blocks("toml")
    assert [name(deck) for deck in decks] == ["plate.toml"]
    (folder / "plate.toml").write_text(decks[0])
    (folder / script).write_text(text)
    done = mpirun(ranks, [sys.executable, script], folder)
    assert done.returncode == 0 and done.stderr == "", done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("ranks", [None, 2])
def test_the_guide_runs(ranks, program, tmp_path):
    pytest.importorskip("scipy")
    steps = [block for block in blocks("python") if name(block) is None]
    commands = [line.split()[1:] for block in blocks("") for line in block.splitlines() if line.startswith("tessera ")]
    assert len(commands) == 2 and len(steps) > 6
    (tmp_path / "plate.toml").write_text(blocks("toml")[0])
    for word, *arguments in commands:
        program(1, word, *arguments, "-q")
    said = run("plate.py", "\n".join(steps), ranks, tmp_path)
    assert "k = 17.5000000" in said


@pytest.mark.parametrize("ranks", [None, 2])
def test_the_networks_of_the_guide_learn(ranks, tmp_path):
    pytest.importorskip("torch", reason="PyTorch is not there: pip install torch")
    steps = [block for block in blocks("python") if name(block) == "learn.py"]
    assert len(steps) == 2
    said = run("learn.py", "\n".join(steps), ranks, tmp_path)
    assert "found k = 17." in said and "mean square error" in said

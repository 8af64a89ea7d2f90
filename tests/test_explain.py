"""The glossary: its places exist, its commands parse, and near names are found."""

import json
import re
from pathlib import Path

import pytest

from scratchnet.backends.errors import InputError
from scratchnet.demos import registry
from scratchnet.demos.explain.command import main
from scratchnet.demos.explain.terms import find, terms, used_in

ROOT = Path(__file__).parents[1]
TERMS = terms().values()


def test_each_name_belongs_to_one_term():
    names = [name for term in TERMS for name in term.names]
    assert len(names) == len(set(names))
    assert len(TERMS) >= 60


@pytest.mark.parametrize("term", TERMS, ids=lambda term: term.name)
def test_a_term_has_three_sentences_a_place_and_a_command(term):
    sentences = re.split(r"(?<=[.])\s+(?=[A-Z0-9])", term.text.replace("et al.", "et al"))
    assert len(sentences) == 3
    file, line = term.place()
    name = term.where.partition(":")[2].rpartition(".")[2]
    source = (ROOT / file).read_text().splitlines()[line - 1 :]
    assert any(re.search(rf"\b(def|class) {name}\b", text) for text in source[:4])
    assert term.command in registry.entries() or term.command == "backends"


@pytest.mark.parametrize(
    "words, name",
    [
        ("ReLU", "relu"),
        ("Learning-Rate", "learning rate"),
        ("he_normal", "he initialisation"),
        ("generalization", "generalisation"),
        ("neurons", "neuron"),
        ("vanishing gradient", "exploding gradient"),
        ("mini batch", "mini-batch"),
    ],
)
def test_a_term_is_found_by_other_spellings(words, name):
    assert find(words).name == name


def test_an_unknown_term_names_near_ones():
    with pytest.raises(InputError, match="'dropuot': did you mean dropout"):
        find("dropuot")


def test_terms_of_a_text_are_whole_words():
    text = "Does dropout help? Hidden layers differ, relus too; a lossless one does not."
    names = [term.name for term in used_in(text)]
    assert names == ["depth", "dropout", "hidden layer", "relu"]


def test_the_command_prints_formula_and_place(capsys):
    assert main(["batch", "norm"]) == 0
    shown = capsys.readouterr().out
    assert "gain (x - m) / sqrt(v + epsilon)" in shown
    assert re.search(r"scratchnet/layers/normalization.py, line \d+", shown)
    assert main(["--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == len(TERMS)


def test_the_help_of_every_experiment_names_terms(capsys):
    for entry in registry.entries().values():
        if entry.is_experiment:
            entry.main(["--help"])
            shown = " ".join(capsys.readouterr().out.split())
            named = shown.partition("Explained by `scratchnet explain TERM`: ")[2]
            assert named, entry.name
            assert all(find(name) for name in named.split(", "))

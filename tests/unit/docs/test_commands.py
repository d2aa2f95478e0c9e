"""Every rice-stream command line that the documents show is one that the command line takes."""

import re
import shlex
from collections.abc import Iterator

import click
import pytest

from rice_stream.cli import cli
from tests.support.docs_reading import blocks, codes, documents, prose, text_of
from tests.support.places import ROOT

_PLACEHOLDERS = re.compile(r"^[A-Z][A-Z_]*\.*$|^\.\.\.$")


def _shown_in(text: str) -> Iterator[str]:
    """Command lines in shell blocks (with or without a prompt) and in code style."""
    for block in blocks(text, "[a-z]*"):
        for line in block.splitlines():
            if match := re.match(r"(?:\$ )?(?:\.venv/bin/)?(rice-stream .*)", line):
                yield match[1]
    yield from (word for word in codes(prose(text)) if word.startswith("rice-stream "))


def command_lines() -> list[str]:
    """All of them, each once; those of deploy/ stand in comments."""
    found = [line for document in documents() for line in _shown_in(text_of(document))]
    for path in sorted(each for each in (ROOT / "deploy").rglob("*") if each.is_file()):
        found += [word for word in codes(path.read_text("utf-8")) if word.startswith("rice-stream ")]
    return sorted(set(found))


@pytest.mark.parametrize("line", command_lines())
def test_every_shown_command_exists_and_has_the_options_it_is_shown_with(line: str) -> None:
    """A reader can type it. Values are placeholders; names of commands and options are not."""
    words = shlex.split(line, comments=True)[1:]
    command: click.Command = cli
    context = click.Context(cli)
    if words[0].startswith("--"):
        assert words[0] in _options(cli)
        words = [word for word in words[1:] if not _PLACEHOLDERS.match(word)]
    while isinstance(command, click.Group) and words and not _PLACEHOLDERS.match(words[0]):
        found = command.get_command(context, words[0])
        assert found is not None, f"there is no command {words[0]!r}"
        command, words = found, words[1:]
    if "--" in words:
        words = words[: words.index("--")]
    given = {word.partition("=")[0] for word in words if re.match(r"--[a-z]", word)}
    assert given <= _options(command)


def _options(command: click.Command) -> set[str]:
    named = {name for parameter in command.params if isinstance(parameter, click.Option) for name in parameter.opts}
    return named | {"--help"}

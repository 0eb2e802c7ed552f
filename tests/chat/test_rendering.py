"""Chat templates are programs by strangers: they may neither get out nor go on for ever."""

import os
import subprocess
import sys

import pytest
from jinja2.exceptions import TemplateError

from segue.chat.transformers import rendering
from segue.chat.transformers.rendering import TemplateRenderer
from segue.errors import ModelError

MESSAGES = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "你好 <b>"}]}]


@pytest.fixture(scope="module")
def renderer():
    return TemplateRenderer({"eos_token": "<end>", "odd": 3}, seconds=1.0)


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{% for m in messages %}{{ m.role }}: {{ m.content[1].text }}\n{% endfor %}",
         "user: 你好 <b>\n"),
        ("{{ eos_token }}{% if add_generation_prompt %}>{% endif %}{{ tools is none }}",
         "<end>>True"),
        ("{% generation %}a{% endgeneration %}{% for i in range(9) %}{% break %}{% endfor %}b",
         "ab"),
        ("{{ messages[0].content[1] | tojson }}", '{"type": "text", "text": "你好 <b>"}'),
        ({"default": "one", "tool_use": "two"}, "one"),
    ],
)  # fmt: skip
def test_templates_read_as_in_transformers(renderer, template, text):
    assert renderer.render(template, MESSAGES) == text


@pytest.mark.parametrize(
    "template",
    [
        "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
        "{{ 'a' * 9999999999 }}",
        "{% set n = namespace(s='a') %}{% for i in range(60) %}{% set n.s = n.s ~ n.s %}"
        "{% endfor %}{{ n.s }}",
        "{% set n = namespace(s=['a']) %}{% for i in range(60) %}{% set n.s = [n.s, n.s] %}"
        "{% endfor %}{{ n.s }}",
        "{{ 'x'.ljust(9999999999) }}",
        "{{ '%9999999999d' | format(1) }}",
        "{{ '{:9999999999}'.format(1) }}",
        "{{ 2 ** 99999999999 }}",
        "{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}{{ m() }}",
        "{% macro m(n) %}{% if n %}{{ m(n-1) }}{{ m(n-1) }}{% endif %}{% endmacro %}{{ m(60) }}",
        "{{ ('a' * 8000000) ~ 'b' }}",
    ],
)  # fmt: skip
def test_what_does_not_end_is_given_up(renderer, template):
    with pytest.raises((ModelError, TemplateError)):
        renderer.render(template, MESSAGES)
    assert renderer.render("still {{ messages | length }}", MESSAGES) == "still 1"


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ cycler.__init__.__globals__.os.system('touch ESCAPED') }}",
        "{{ lipsum.__globals__.os }}",
        "{{ strftime_now.__globals__['sys'] }}",
        "{{ raise_exception.__globals__['sys'].exit() }}",
        "{{ messages.append(1) }}",
        "{% include '/etc/passwd' %}",
        "{{ '{0.__class__.__init__.__globals__}'.format(messages) }}",
        "{{ (messages | attr('__class__')).mro() }}",
        "{% import 'os' as o %}{{ o }}",
        "{% for",
        "{{ raise_exception('no system message') }}",
        "{{ 1 / 0 }}",
    ],
)
def test_the_sandbox_holds_and_errors_are_templates_errors(renderer, template, tmp_path):
    before = os.listdir()
    with pytest.raises(TemplateError):
        renderer.render(template, MESSAGES)
    assert os.listdir() == before


def test_even_code_in_that_process_could_write_no_file_and_start_no_program(tmp_path):
    """The limits of the process hold beyond the sandbox."""
    program = (
        f"import runpy; m = runpy.run_path({str(rendering._PROGRAM)!r}); m['_limit']()\n"
        f"import os; f = os.open({str(tmp_path / 'written')!r}, os.O_CREAT | os.O_WRONLY)\n"
        "try:\n    os.write(f, b'x')\n"
        "except OSError as error:\n    print('refused', error.errno)\n"
        "try:\n    x = bytes(2**30)\nexcept MemoryError:\n    print('no memory')\n"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert run.stdout.split("\n")[:2] == ["refused 27", "no memory"], run.stderr
    assert (tmp_path / "written").read_text() == ""

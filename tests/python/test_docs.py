"""The examples of docs/python.md and of the package, as they stand there."""
import doctest
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[2]


def test_the_examples_of_the_page(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # What ends a fenced block is no output.
    text = (ROOT / "docs/python.md").read_text().replace("\n```", "\n\n")
    test = doctest.DocTestParser().get_doctest(text, {}, "docs/python.md", "docs/python.md", 0)
    assert len(test.examples) > 20
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    runner.run(test)
    assert runner.summarize().failed == 0


def test_examples_python_prints_what_its_file_says(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    source = ROOT / "examples/python.py"
    exec(compile(source.read_text(), str(source), "exec"), {"__name__": "__main__"})  # pylint: disable=exec-used
    assert capfd.readouterr().out == (ROOT / "examples/python.out").read_text()

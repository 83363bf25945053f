import sys
import types

import pytest

from pylearn import _lazy


def test_optional_returns_the_module():
    assert _lazy.optional("json.decoder") is sys.modules["json.decoder"]


def test_optional_names_the_extra():
    with pytest.raises(
        ImportError, match=r"pylearn\.plots needs absent_library: pip install 'pylearn\[plot\]'"
    ):
        _lazy.optional("absent_library.figure", "plot", "pylearn.plots")
    with pytest.raises(ImportError, match="pip install absent_library"):
        _lazy.optional("absent_library")


def test_optional_does_not_hide_a_broken_library(tmp_path, monkeypatch):
    (tmp_path / "broken_library.py").write_text("import absent_dependency\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ModuleNotFoundError, match="absent_dependency"):
        _lazy.optional("broken_library", "plot")


def test_attach_loads_submodules_and_names_on_first_use(tmp_path, monkeypatch):
    package = tmp_path / "lazy_package"
    package.mkdir()
    (package / "__init__.py").write_text(
        "from pylearn._lazy import attach\n"
        "__getattr__, __dir__ = attach(__name__, ('inner',), {'value': 'inner'})\n"
    )
    (package / "inner.py").write_text("value = 42\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    import lazy_package

    assert "lazy_package.inner" not in sys.modules
    assert {"inner", "value"} <= set(dir(lazy_package))
    assert lazy_package.value == 42
    assert isinstance(lazy_package.inner, types.ModuleType)
    with pytest.raises(AttributeError, match="has no attribute 'other'"):
        _ = lazy_package.other

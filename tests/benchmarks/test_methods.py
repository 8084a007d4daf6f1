"""The registry of methods."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks import methods
from benchmarks.baselines import MaxLuma, Visible
from benchmarks.methods import Method, expand_names, make_method, register
from edge_sdk.errors import ConfigError, DependencyError


@pytest.fixture(autouse=True)
def _own_registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(methods, "_registry", dict(methods._registry))
    yield


def test_every_baseline_can_be_made_and_is_a_method() -> None:
    assert len(methods.BASELINES) == 7
    for name in methods.BASELINES:
        assert isinstance(make_method(name), Method)


def test_a_method_gets_the_text_after_its_name() -> None:
    given: list[str] = []

    def make(argument: str) -> Method:
        given.append(argument)
        return Visible()

    register("engine", make, "an engine", argument="ENGINE:PRECISION")
    make_method("engine:openvino:int8")
    assert given == ["openvino:int8"]
    with pytest.raises(ConfigError, match="engine:ENGINE:PRECISION"):
        make_method("engine")


def test_a_factory_is_imported_only_when_the_method_is_made() -> None:
    register("absent", "no_such_package_here.module:make", "needs a package")
    with pytest.raises(DependencyError, match=r"'absent'.*no_such_package_here"):
        make_method("absent")
    register("lazy", "benchmarks.baselines:MaxLuma", "lazily")
    assert isinstance(make_method("lazy"), MaxLuma)


@pytest.mark.parametrize("name", ["max", "", "a:b", "all-baselines"])
def test_a_name_that_is_taken_or_unusable_is_refused(name: str) -> None:
    with pytest.raises(ConfigError):
        register(name, Visible, "again")


def test_unknown_names_and_needless_arguments_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"'nonsense'.*classical"):
        make_method("nonsense")
    with pytest.raises(ConfigError, match="'max' takes no argument"):
        make_method("max:fast")


def test_all_baselines_expands_in_place_without_repetition() -> None:
    assert expand_names(["max", "all-baselines", "x:y"]) == [
        "max",
        *(name for name in methods.BASELINES if name != "max"),
        "x:y",
    ]
